"""What a race is: its settings as one frozen value, checked when it is made, never changed afterwards.

Laps, penalties, resets and limits mean what they mean in a DeepRacer community race; `league.presets` has the races
that DeepRacer's leagues ran, and `league.race_file` reads and writes one. Seconds, metres, counts and names only: how
a race is driven is the simulator's business, how it is ranked that of `league.rules`. Under which seeds it is driven
is no setting: they are drawn when the race opens.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import SkipValidation

from league import rules
from league.errors import LeagueError
from league.ranges import seconds, whole
from league.rules import Lap, Ranking, Score
from league.traffic import BotCars, Boxes

#: The fields of a car (`racer_env.car.Car`) by name; a league keeps these of a car that comes from a file.
CarNumbers = dict[str, str | int | float]

#: What AWS set in each of its races to say "unlimited".
UNLIMITED_RESETS = 10_000
MOST_LAPS = 20
MOST_RUNS = 99
LARGEST_GRID = 8
LONGEST_DESCRIPTION = 255
LONGEST_NAME = 64

#: s of simulated time for each lap, after which a run is over in a race without a time limit: more would only keep a
#: worker busy. AWS ended an evaluation of three laps after about ten minutes.
PATIENCE = 300.0

#: s of simulated time after which the simulator ends every run, or lap with its own start (`Race.max_steps` there).
LONGEST_EPISODE = 100_000 / 15

#: The settings that no result depends on: who may race, when, how often, and what is said of it.
HOSTING = frozenset(
    {
        "description",
        "format",
        "opens_at",
        "closes_at",
        "private",
        "division",
        "region",
        "max_submissions",
        "max_submissions_a_day",
        "max_in_flight",
    }
)


class RaceType(StrEnum):
    """What is on the track besides the car."""

    TIME_TRIAL = "time_trial"
    OBJECT_AVOIDANCE = "object_avoidance"
    HEAD_TO_BOT = "head_to_bot"
    HEAD_TO_HEAD = "head_to_head"  #: two racers' cars
    GRID = "grid"  #: up to eight racers' cars


class RaceFormat(StrEnum):
    """Who says when a submission is driven."""

    CLASSIC = "classic"  #: the queue
    LIVE = "live"  #: the organiser, one racer after the other, with an audience


class LapClock(StrEnum):
    """When a lap ends. Both count simulated time, and a lap begins at the moment when the one before it ended."""

    LINE = "line"  #: when the line is crossed, between two control periods
    FRAME = "frame"  #: at the next picture of the camera, 15 a second, as in the original


@dataclass(frozen=True)
class RaceSettings:
    """Where, how far, against what, what it costs to leave the track, what is compared, and who may how often.

    The defaults are those of the AWS League's 2024 races (three laps without a stop, the best one counts, 5 s
    a penalty, three minutes, 50 submissions) with the 15 resets of the community's, driven five times.

    Raises:
        LeagueError: a setting is outside its range or two of them contradict each other.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    race_type: RaceType = RaceType.TIME_TRIAL
    description: str = ""  #: for racers to read
    track: str = "oval"  #: a shipped or imported track, or a path to a route file
    reverse: bool = False  #: drive the track's points in reverse order

    laps: int = 3
    minimum_laps: int = 1  #: valid laps in a row that qualify; for `AVERAGE_LAP` also the laps averaged
    ranking: Ranking = Ranking.BEST_LAP
    continuous: bool = True  #: one run of all laps, each begun flying; otherwise each lap has its own start
    flying_start: bool = False  #: a lap before those that count, from the standing start to the line
    lap_clock: LapClock = LapClock.LINE
    #: seconds for the whole run, or for each lap that has its own start; None: `PATIENCE` for each of its laps
    time_limit: float | None = 180.0
    runs: int = 5  #: how often a submission is driven, each time under another seed; the median counts

    resets: int = 15  #: how often a car is put back before its run ends
    mercy_resets: int | None = None  #: hits of one obstacle after which the car is put ahead of it; None: never
    off_track_penalty: float = 5.0  #: seconds, inside the lap's time as all penalties
    collision_penalty: float = 5.0  #: seconds
    reversed_penalty: float | None = None  #: seconds, after driving backwards; None: as off track
    immobilized_penalty: float = 0.0  #: seconds, after standing still

    obstacles: Boxes | None = None  #: of object avoidance; None: the usual six
    bots: BotCars | None = None  #: of head-to-bot; None: the usual four
    cars: int | None = None  #: at once in a grid race; None: eight
    randomisation: str = "none"  #: one of the simulator's levels
    car: SkipValidation[str | CarNumbers | None] = None  #: what everybody drives; None: what their bundle says

    max_submissions: int | None = 50  #: of one racer
    max_submissions_a_day: int | None = None  #: of one racer, from midnight UTC
    max_in_flight: int | None = None  #: of one racer, queued or running

    format: RaceFormat = RaceFormat.CLASSIC
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    private: bool = False  #: only who has been invited may race
    division: str | None = None  #: only whose division it is may race
    region: str | None = None  #: only who is from there may race

    def __post_init__(self) -> None:
        self._check_names()
        self._check_laps()
        self._check_penalties()
        self._check_traffic()
        self._check_entry()

    @property
    def boxes(self) -> Boxes | None:
        """The obstacles on the track."""
        return (self.obstacles or Boxes()) if self.race_type is RaceType.OBJECT_AVOIDANCE else None

    @property
    def bot_cars(self) -> BotCars | None:
        """The bot cars on the track."""
        return (self.bots or BotCars()) if self.race_type is RaceType.HEAD_TO_BOT else None

    @property
    def grid(self) -> int:
        """How many racers' cars are on the track at once."""
        usual = {RaceType.HEAD_TO_HEAD: 2, RaceType.GRID: LARGEST_GRID}
        return self.cars or usual.get(self.race_type, 1)

    @property
    def ends_after(self) -> float:
        """Simulated seconds after which a run is over, or a lap that has its own start."""
        if self.time_limit is not None:
            return self.time_limit
        return PATIENCE * (self.laps + self.flying_start if self.continuous else 1)

    @property
    def longest_run(self) -> float:
        """Simulated seconds that a run takes at most."""
        return min(self.ends_after, LONGEST_EPISODE) * (1 if self.continuous else self.laps)

    @property
    def varied(self) -> bool:
        """Whether a run depends on its seed; if not, all runs of a bundle are the same."""
        scattered = any(way is not None and way.random for way in (self.boxes, self.bot_cars))
        weaving = self.bot_cars is not None and self.bot_cars.lane_change is not None
        return self.randomisation != "none" or scattered or weaving

    @property
    def sha256(self) -> str:
        """A hash of every setting that a result depends on, which is all but `HOSTING`, and that is not its default.

        A setting that a later version adds leaves the hashes of earlier races as they are, if its default is how they
        were raced.
        """
        said = {name: value for name, value in _said(self).items() if name not in HOSTING}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def score(self, run: Sequence[Lap]) -> Score:
        """What one run is worth in this race."""
        return rules.score(run, self.ranking, self.minimum_laps, flying_start=self.flying_start)

    def counted(self, runs: Sequence[Sequence[Lap]]) -> int:
        """Which of a submission's runs counts, from 0: the median."""
        return rules.median_run([self.score(run) for run in runs])

    def again(self, now: datetime) -> RaceSettings:
        """For another race: the same, without the times that are past."""
        ahead = {name: time for name in ("opens_at", "closes_at") if (time := getattr(self, name)) and time > now}
        return replace(self, **({"opens_at": None, "closes_at": None} | ahead))

    def _check_names(self) -> None:
        if not self.track.strip():
            raise LeagueError("a race needs a track")
        if len(self.description) > LONGEST_DESCRIPTION or not all(
            c.isprintable() or c == "\n" for c in self.description
        ):
            raise LeagueError(f"a description has at most {LONGEST_DESCRIPTION} characters that can be printed")
        if not (self.car is None or isinstance(self.car, str) or _is_car(self.car)):
            raise LeagueError(f"car is {self.car!r}; it must be a name, a .toml file or a table of a car's numbers")
        for name in ("division", "region"):
            value = getattr(self, name)
            if value is not None and value != kept_name(name, value):
                raise LeagueError(f"{name} is {value!r}, but must be written {kept_name(name, value)!r}")

    def _check_laps(self) -> None:
        whole("laps", self.laps, 1, MOST_LAPS)
        whole("minimum laps", self.minimum_laps, 1, self.laps)
        whole("runs", self.runs, 1, MOST_RUNS)
        if self.ranking is Ranking.TOTAL_TIME and self.minimum_laps != self.laps:
            raise LeagueError(
                f"ranking total_time needs minimum laps equal to laps ({self.laps}), "
                f"not {self.minimum_laps}: otherwise who drives fewer laps wins"
            )
        if self.flying_start and not self.continuous:
            raise LeagueError("a flying start needs continuous laps: otherwise each lap begins standing")
        if self.time_limit is not None:
            seconds("time limit", self.time_limit, above_zero=True)

    def _check_penalties(self) -> None:
        whole("resets", self.resets, 0, UNLIMITED_RESETS)
        if self.mercy_resets is not None:
            whole("mercy resets", self.mercy_resets, 1, UNLIMITED_RESETS)
        seconds("off-track penalty", self.off_track_penalty)
        seconds("collision penalty", self.collision_penalty)
        seconds("immobilized penalty", self.immobilized_penalty)
        if self.reversed_penalty is not None:
            seconds("reversed penalty", self.reversed_penalty)

    def _check_traffic(self) -> None:
        """What is on the track goes with the type of race."""
        for name, needed in (
            ("obstacles", RaceType.OBJECT_AVOIDANCE),
            ("bots", RaceType.HEAD_TO_BOT),
            ("cars", RaceType.GRID),
        ):
            if getattr(self, name) is not None and self.race_type is not needed:
                raise LeagueError(f"{name} can be said of a race of the type {needed}, not of {self.race_type}")
        if self.cars is not None:
            whole("cars", self.cars, 2, LARGEST_GRID)

    def _check_entry(self) -> None:
        for name in ("max_submissions", "max_submissions_a_day", "max_in_flight"):
            if getattr(self, name) is not None:
                whole(name.replace("_", " "), getattr(self, name), 1, 1_000_000)
        for name in ("opens_at", "closes_at"):
            time = getattr(self, name)
            if time is not None and time.tzinfo is None:
                raise LeagueError(f"{name} is {time}, but must have a time zone, such as {time.isoformat()}Z")
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise LeagueError(f"closes_at is {self.closes_at}, but must be later than opens_at, {self.opens_at}")


def default_minimum_laps(ranking: Ranking, laps: int) -> int:
    """The laps that qualify when the organiser does not say: one for the best lap, otherwise all of them."""
    return 1 if ranking == Ranking.BEST_LAP else laps


def race_name(name: str) -> str:
    """A race's name as it is kept: 1 to 64 letters, digits, spaces and ``_.-``, or a `LeagueError`."""
    return kept_name("race", name)


def racer_name(name: str) -> str:
    """A racer's name as it is kept: 2 to 64 letters, digits, spaces and ``_.-``, or a `LeagueError`."""
    return kept_name("racer", name, 2)


def same_name(name: str) -> str:
    """What two names have in common that differ only in upper and lower case."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def kept_name(what: str, name: str, shortest: int = 1) -> str:
    """The name of something as it is kept: letters, digits, spaces and ``_.-``, or a `LeagueError`."""
    kept = unicodedata.normalize("NFC", name.strip())
    if not shortest <= len(kept) <= LONGEST_NAME or not re.fullmatch(r"[^\W_][\w .-]*", kept):
        raise LeagueError(
            f"{what} name {name!r} must have {shortest} to {LONGEST_NAME} letters, digits, spaces or any of '_.-', "
            "and start with a letter or digit"
        )
    if len(same_name(kept)) > LONGEST_NAME:  # some letters are several where upper and lower case are one
        raise LeagueError(f"{what} name {name!r} is too long: it has {len(same_name(kept))} letters in lower case")
    return kept


def _is_car(value: Any) -> bool:
    """Whether something has the form of a car's fields; whether it is one, the simulator knows."""
    return isinstance(value, dict) and all(isinstance(item, str | int | float) for item in value.values())


def _said(value: Any) -> Any:
    """What differs from the defaults; the same number whether it was written as 5 or as 5.0."""
    if is_dataclass(value):
        told = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
        return {name: _said(now) for name, (now, default) in told.items() if now != default}
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
