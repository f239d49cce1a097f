"""Drive a submission in its race: the one place where the league meets the simulator.

The simulator is loaded only when something drives: a board is shown without it. A submission drives in a process of
its own (`league.sandbox`); what is computed here is a function of the job and nothing else.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from league.drives import as_json
from league.races import MOST_LAPS, RaceSettings
from league.rules import Lap
from league.traffic import BotCars, Boxes

if TYPE_CHECKING:
    from racer_env.car import Car
    from racer_env.kernel import Floats
    from racer_env.obstacles import Bots, Obstacles
    from racer_env.race import Race
    from racer_env.track import Track

#: What a car is called in a replay as it is kept: whose bundle it is may change from submission to submission.
NAMELESS = "driver"


@dataclass(frozen=True)
class Run:
    """One drive of a race under one seed."""

    seed: int
    laps: Annotated[tuple[Lap, ...], Field(max_length=2 * MOST_LAPS)]
    trace_sha256: str  #: of every step
    replay_sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""  #: of what its replay holds


@dataclass(frozen=True, eq=False)
class Job:
    """A submission to drive, with everything that it takes."""

    archive: bytes  #: the bundle's file
    file_name: str
    settings: RaceSettings
    route: Floats  #: (p, 6) of the track
    seeds: tuple[int, ...]
    replays: bool = True  #: whether to give them back

    @property
    def different(self) -> tuple[int, ...]:
        """The seeds to drive under: one, where nothing depends on it."""
        return self.seeds if self.settings.varied else self.seeds[:1]

    @property
    def simulated(self) -> float:
        """Seconds that are simulated at most, of all cars."""
        return self.settings.longest_run * len(self.different)


def evaluate(job: Job) -> dict[str, Any]:
    """Drive a job's runs, alone on the track; always the same for the same job.

    Returns:
        What `league.drives.driven_of` takes; one replay, where nothing depends on a seed and all runs are the same.

    Raises:
        BundleError, MetadataError: the bundle cannot be driven.
    """
    from racer_env.bundle import Bundle
    from racer_env.network import NetworkDriver
    from racer_env.randomisation import find_level
    from racer_env.replay_file import digest
    from racer_env.replay_recorder import ReplayRecorder
    from racer_env.track import Track
    from racer_env.trials import trials

    settings = job.settings
    bundle, recorder = Bundle.read(io.BytesIO(job.archive), job.file_name), ReplayRecorder([NAMELESS])
    driven = trials(
        NetworkDriver(bundle),
        Track.from_route(job.route, settings.track, reverse=settings.reverse),
        bundle.metadata,
        replace(simulator_race(settings), cars=1),
        job.different,
        car=car_of(settings),
        randomisation=find_level(settings.randomisation),
        watch=recorder,
    )
    replays = recorder.replays()
    made = [
        Run(trial.seed, tuple(_lap(lap) for lap in trial.result.laps), trial.trace_sha256, digest(replay))
        for trial, replay in zip(driven, replays, strict=True)
    ]
    same = [replace(made[0], seed=seed) for seed in job.seeds[len(made) :]]
    return as_json(made + same, replays if job.replays else ())


def check(archive_and_name: tuple[bytes, str]) -> str:
    """Make sure that a bundle can drive; give its hash.

    Raises:
        BundleError, MetadataError: it cannot.
    """
    from racer_env.bundle import Bundle

    archive, file_name = archive_and_name
    return Bundle.read(io.BytesIO(archive), file_name).sha256


def simulator_race(settings: RaceSettings) -> Race:
    """The rules of a race as the simulator takes them. Raises `RacerError` for what it does not take."""
    from racer_env.race import EVALUATION

    return replace(
        EVALUATION,
        laps=settings.laps + settings.flying_start,
        continuous=settings.continuous,
        clock=settings.lap_clock.value,
        resets=settings.resets,
        mercy_resets=settings.mercy_resets,
        off_track_penalty=settings.off_track_penalty,
        collision_penalty=settings.collision_penalty,
        reversed_penalty=settings.reversed_penalty,
        immobilized_penalty=settings.immobilized_penalty,
        time_limit=settings.ends_after,
        obstacles=_obstacles(settings.boxes),
        bots=_bots(settings.bot_cars),
        cars=settings.grid,
    )


def _obstacles(boxes: Boxes | None) -> Obstacles | None:
    from racer_env.obstacles import Obstacles

    return Obstacles(**vars(boxes)) if boxes else None


def _bots(bots: BotCars | None) -> Bots | None:
    from racer_env.obstacles import Bots

    if bots is None:
        return None
    times = {"lane_time": bots.lane_change} if bots.lane_change else {}
    return Bots(bots.count, bots.speed, bots.random, bots.least_gap, bots.lane_change is not None, **times)


def check_drivable(settings: RaceSettings, track: Track | None = None) -> Track:
    """Make sure that the simulator can drive a race; give its track, driven forward, or the one that it has already.

    Raises:
        TrackError: there is no such track, or it cannot be used.
        RacerError: there is no such randomisation, car or obstacle, or the race asks for more than the simulator can.
    """
    from racer_env.randomisation import find_level
    from racer_env.track import find_track

    track = track or find_track(settings.track)
    find_level(settings.randomisation)
    car_of(settings)
    simulator_race(settings)
    return track


def as_kept(settings: RaceSettings, track: Track) -> RaceSettings:
    """Settings as a league keeps them, so that no file changes a race: its track by name, the numbers of a car's file.

    Raises:
        RacerError: the car's file is not there, or holds none.
    """
    is_file = isinstance(settings.car, str) and settings.car.lower().endswith(".toml")
    driven = car_of(settings) if is_file else None
    car = asdict(driven) if driven else settings.car
    return replace(settings, track=track.name, car=car, opens_at=None, closes_at=None)


def car_of(settings: RaceSettings) -> Car | None:
    """The car that everybody drives, if a race says one. Raises `RacerError` if there is no such car."""
    from racer_env.car import Car, find_car

    if isinstance(settings.car, dict):
        return Car.of(settings.car, "the race's car")
    return find_car(settings.car) if settings.car is not None else None


def _lap(lap: Any) -> Lap:
    return Lap(**{name: getattr(lap, name) for name in Lap.__dataclass_fields__})
