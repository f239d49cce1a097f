"""Drive a submission in its race: the one place where the league meets the simulator.

The simulator is loaded only when something drives: a board is shown without it.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from league.races import RaceSettings
from league.rules import Lap
from league.traffic import BotCars, Boxes
from racer_env.bundle import Bundle

if TYPE_CHECKING:
    from racer_env.obstacles import Bots, Obstacles
    from racer_env.race import Race

#: Drives a bundle once in a race, under a seed; a test may put another one in its place.
Evaluate = Callable[[Bundle, RaceSettings, int], Sequence[Lap]]


def evaluate(bundle: Bundle, settings: RaceSettings, seed: int) -> tuple[Lap, ...]:
    """Drive a bundle once; the same bundle, settings and seed always give the same laps.

    Raises:
        BundleError, MetadataError: the bundle cannot be driven.
        TrackError: the race's track is not there.
    """
    from racer_env.car import find_car
    from racer_env.driver import race as drive
    from racer_env.network import NetworkDriver
    from racer_env.randomisation import find_level
    from racer_env.track import find_track

    result = drive(
        NetworkDriver(bundle),
        find_track(settings.track, reverse=settings.reverse),
        bundle.metadata,
        simulator_race(settings),
        seed,
        car=find_car(settings.car) if settings.car else None,
        randomisation=find_level(settings.randomisation),
    )
    return tuple(Lap(**{name: getattr(lap, name) for name in Lap.__dataclass_fields__}) for lap in result.laps)


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
        time_limit=settings.time_limit,
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


def check_drivable(settings: RaceSettings) -> None:
    """Make sure that the simulator can drive a race.

    Raises:
        TrackError: there is no such track, or it cannot be used.
        RacerError: there is no such randomisation, car or obstacle, or the race asks for more than the simulator can.
    """
    from racer_env.car import find_car
    from racer_env.randomisation import find_level
    from racer_env.track import find_track

    find_track(settings.track)
    find_level(settings.randomisation)
    if settings.car is not None:
        find_car(settings.car)
    simulator_race(settings)


def located(settings: RaceSettings) -> RaceSettings:
    """The same with the paths of files absolute, so that the race finds them from any folder."""
    track, car = settings.track, settings.car
    return replace(settings, track=_absolute(track), car=_absolute(car) if car else None)


def _absolute(name: str) -> str:
    return str(Path(name).resolve()) if Path(name).is_file() else name
