"""What a race is: its settings as one frozen value, checked when it is made, never changed afterwards.

Laps, penalties, resets and limits mean what they mean in a DeepRacer community race. Seconds, counts and
names only: how a race is driven is the simulator's business, how it is ranked that of `league.rules`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from league.errors import LeagueError
from league.rules import Ranking
from racer_env.errors import nearest

#: What AWS set in each of its races to say "unlimited".
UNLIMITED_RESETS = 10_000
MOST_LAPS = 20
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class RaceSettings:
    """A time trial: where, how far, what it costs to leave the track, and what is compared.

    The defaults are those of the AWS League's 2024 races (three laps without a stop, the best one counts, 5 s
    a penalty, three minutes, 50 submissions) with the 15 resets of the community's.

    Raises:
        LeagueError: a setting is outside its range or two of them contradict each other.
    """

    track: str = "oval"  #: a shipped or imported track, or a path to a route file
    reverse: bool = False  #: drive the track's points in reverse order
    laps: int = 3
    minimum_laps: int = 1  #: valid laps in a row that qualify; for `AVERAGE_LAP` also the laps averaged
    ranking: Ranking = Ranking.BEST_LAP
    continuous: bool = True  #: one run of all laps; otherwise each lap has its own start
    resets: int = 15  #: how often a car is put back before its run ends
    off_track_penalty: float = 5.0  #: seconds
    collision_penalty: float = 5.0  #: seconds
    time_limit: float | None = 180.0  #: seconds for the whole run
    max_submissions: int | None = 50  #: of one racer
    seed: int = 0  #: the same bundle in the same race always gets the same result

    def __post_init__(self) -> None:
        if not self.track.strip():
            raise LeagueError("a race needs a track")
        _whole("laps", self.laps, 1, MOST_LAPS)
        _whole("minimum laps", self.minimum_laps, 1, self.laps)
        _whole("resets", self.resets, 0, UNLIMITED_RESETS)
        _whole("seed", self.seed, 0, LARGEST_SEED)
        _seconds("off-track penalty", self.off_track_penalty)
        _seconds("collision penalty", self.collision_penalty)
        if self.time_limit is not None:
            _seconds("time limit", self.time_limit, above_zero=True)
        if self.max_submissions is not None:
            _whole("max submissions", self.max_submissions, 1, 1_000_000)
        if self.ranking is Ranking.TOTAL_TIME and self.minimum_laps != self.laps:
            raise LeagueError(
                f"ranking total_time needs minimum laps equal to laps ({self.laps}), "
                f"not {self.minimum_laps}: otherwise who drives fewer laps wins"
            )


def ranking_of(name: str) -> Ranking:
    """The ranking of this name. Raises `LeagueError` if there is none."""
    try:
        return Ranking(name)
    except ValueError:
        hint = nearest(name, [ranking.value for ranking in Ranking])
        raise LeagueError(f"ranking {name!r} does not exist; {hint}") from None


def default_minimum_laps(ranking: Ranking, laps: int) -> int:
    """The laps that qualify when the organiser does not say: one for the best lap, otherwise all of them."""
    return 1 if ranking is Ranking.BEST_LAP else laps


def race_name(name: str) -> str:
    """A race's name as it is kept: 1 to 64 letters, digits, spaces and ``_.-``, or a `LeagueError`."""
    return _name("race", name, 1)


def racer_name(name: str) -> str:
    """A racer's name as it is kept: 2 to 64 letters, digits, spaces and ``_.-``, or a `LeagueError`."""
    return _name("racer", name, 2)


def same_name(name: str) -> str:
    """What two names have in common that differ only in upper and lower case."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def _name(what: str, name: str, shortest: int) -> str:
    kept = unicodedata.normalize("NFC", name.strip())
    if not shortest <= len(kept) <= 64 or not re.fullmatch(r"[^\W_][\w .-]*", kept):
        raise LeagueError(
            f"{what} name {name!r} must have {shortest} to 64 letters, digits, spaces or any of '_.-', "
            "and start with a letter or digit"
        )
    return kept


def _whole(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise LeagueError(f"{what} is {value}, but must be from {least} to {most}")


def _seconds(what: str, value: float, *, above_zero: bool = False) -> None:
    if not math.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise LeagueError(f"{what} is {value} s, but must be {'more than' if above_zero else 'at least'} 0 s")
