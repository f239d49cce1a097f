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
from racer_env.bundle import Bundle

if TYPE_CHECKING:
    from racer_env.race import Race

#: Drives a bundle in a race under a seed; a test may put another one in its place.
Evaluate = Callable[[Bundle, RaceSettings, int], Sequence[Lap]]


def evaluate(bundle: Bundle, settings: RaceSettings, seed: int) -> tuple[Lap, ...]:
    """Drive a bundle; the same bundle, settings and seed always give the same laps.

    Raises:
        BundleError, MetadataError: the bundle cannot be driven.
        TrackError: the race's track is not there.
    """
    from racer_env.driver import race as drive
    from racer_env.network import NetworkDriver
    from racer_env.track import find_track

    track = find_track(settings.track, reverse=settings.reverse)
    result = drive(NetworkDriver(bundle), track, bundle.metadata, simulator_race(settings), seed=seed)
    return tuple(Lap(**{name: getattr(lap, name) for name in Lap.__dataclass_fields__}) for lap in result.laps)


def simulator_race(settings: RaceSettings) -> Race:
    """The rules of a race as the simulator takes them."""
    from racer_env.race import EVALUATION

    return replace(
        EVALUATION,
        laps=settings.laps,
        continuous=settings.continuous,
        resets=settings.resets,
        off_track_penalty=settings.off_track_penalty,
        collision_penalty=settings.collision_penalty,
        time_limit=settings.time_limit,
    )


def known_track(name: str) -> str:
    """A track's name, or its absolute path if it is a file, so that the race finds it from any folder.

    Raises:
        TrackError: there is no such track, or it cannot be used.
    """
    from racer_env.track import find_track

    find_track(name)
    return str(Path(name).resolve()) if Path(name).is_file() else name
