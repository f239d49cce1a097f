"""Drive a heat: several racers' bundles in one world, once under each seed, with a replay of every run.

The same bundles, settings, seeds and track always give the same result, byte for byte of the replays, on one kind of
machine with one version of the libraries; each run depends on its own seed and grid and on no other run. The simulator
is loaded only when something drives.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from league.errors import LeagueError
from league.evaluation import car_of, simulator_race
from league.heats import Finish, HeatResult, HeatRun, rotated
from league.races import RaceSettings, RaceType
from racer_env.bundle import Bundle
from racer_env.errors import BundleError

if TYPE_CHECKING:
    import numpy.typing as npt

    from racer_env.driver import Driver, Entry, RaceResult
    from racer_env.race import Race
    from racer_env.replay import Replay
    from racer_env.simulator import Observations, Simulator, Step
    from racer_env.track import Track


@dataclass(frozen=True)
class DrivenHeat:
    """A heat and its replays, one of each run; in each, racers stand in the order of that run's grid."""

    result: HeatResult
    replays: tuple[Replay, ...]

    @property
    def shown(self) -> Replay:
        """The replay to show as the heat."""
        return self.replays[self.result.shown]


def race_heat(
    bundles: Mapping[str, Bundle], settings: RaceSettings, seeds: Sequence[int], track: Track | None = None
) -> DrivenHeat:
    """Let racers race each other on one track, where they see each other and can run into each other.

    In a head-to-head the grid moves on by one from run to run, so that nobody has the better start in all of them; in
    a grid race the starting order is the qualification's, in every run.

    Args:
        bundles: of every racer by name, in the order of the starting grid.
        settings: of a race of type ``head_to_head`` (two racers) or ``grid``.
        seeds: one for each run.
        track: where, if it was found already.

    Raises:
        LeagueError: the settings are not those of a heat, it has too few or too many racers, or there is no seed.
        BundleError, MetadataError: a bundle cannot be driven; names the racer.
        TrackError: the race's track is not there.
    """
    from racer_env.track import find_track

    _check(bundles, settings, seeds)
    where = track or find_track(settings.track, reverse=settings.reverse)
    names, entries = tuple(bundles), [_entry(name, bundle, settings) for name, bundle in bundles.items()]
    turns = settings.race_type is RaceType.HEAD_TO_HEAD
    drives = [
        _drive(names, entries, where, settings, seed, rotated(len(names), run if turns else 0))
        for run, seed in enumerate(seeds)
    ]
    return DrivenHeat(HeatResult(names, tuple(run for run, _ in drives)), tuple(replay for _, replay in drives))


def _check(bundles: Mapping[str, Bundle], settings: RaceSettings, seeds: Sequence[int]) -> None:
    if settings.race_type not in (RaceType.HEAD_TO_HEAD, RaceType.GRID):
        raise LeagueError(f"a heat is a race of type head_to_head or grid, not {settings.race_type}")
    if not 2 <= len(bundles) <= settings.grid:
        wanted = "two racers" if settings.grid == 2 else f"two to {settings.grid} racers"
        raise LeagueError(f"a heat of this race needs {wanted}, not {len(bundles)}")
    if not seeds:
        raise LeagueError("a heat needs at least one seed")
    _check_lidars(bundles)


def _check_lidars(bundles: Mapping[str, Bundle]) -> None:
    """Raise `BundleError` if two drivers expect different things of the same sensor: in one world it is one."""
    from racer_env.sensors import Sensor, find_sensors

    seen: dict[str, tuple[str, Sensor]] = {}
    for racer, bundle in bundles.items():
        for sensor in find_sensors(bundle.metadata.sensors, bundle.metadata.lidar):
            other, first = seen.setdefault(sensor.name, (racer, sensor))
            if sensor != first:
                raise BundleError(f"{racer}: its lidar_config is another than that of {other}, who cannot race it")


def _entry(name: str, bundle: Bundle, settings: RaceSettings) -> Entry:
    from racer_env.driver import Entry
    from racer_env.network import NetworkDriver

    try:
        driver = NetworkDriver(bundle)
    except BundleError as error:
        raise BundleError(f"{name}: {error}") from error
    return Entry(_Named(name, driver), bundle.metadata, car_of(settings))


@dataclass(frozen=True)
class _Named:
    """A driver whose failures name the racer."""

    name: str
    driver: Driver

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        try:
            return self.driver.act(observations)
        except BundleError as error:
            raise BundleError(f"{self.name}: {error}") from error


def _drive(
    names: Sequence[str],
    entries: Sequence[Entry],
    track: Track,
    settings: RaceSettings,
    seed: int,
    grid: tuple[int, ...],
) -> tuple[HeatRun, Replay]:
    from racer_env.driver import heat
    from racer_env.randomisation import find_level
    from racer_env.replay_file import digest
    from racer_env.replay_recorder import ReplayRecorder
    from racer_env.trials import traces_of

    starting, rules = [entries[k] for k in grid], simulator_race(settings)
    recorder = ReplayRecorder([names[k] for k in grid], [entry.metadata.sensors for entry in starting])
    level, trace = find_level(settings.randomisation), hashlib.sha256()

    def watch(simulator: Simulator, step: Step | None) -> None:
        recorder(simulator, step)
        if step is not None:
            trace.update(traces_of(step).tobytes())

    results = heat(starting, track, rules, seed, watch=watch, randomisation=level)
    finishes = {k: _finish(result, rules) for k, result in zip(grid, results, strict=True)}
    (replay,) = recorder.replays()
    in_order = tuple(finishes[k] for k in range(len(names)))
    return HeatRun(seed, grid, in_order, trace.hexdigest(), digest(replay)), replay


def _finish(result: RaceResult, rules: Race) -> Finish:
    laps = result.laps
    return Finish(
        time_ms=result.time_ms if sum(lap.complete for lap in laps) >= rules.laps else None,
        progress_percentage=100.0 * result.distance,
        best_ms=result.best_ms,
        off_track_count=sum(lap.off_track_count for lap in laps),
        crash_count=sum(lap.crash_count for lap in laps),
        reset_count=sum(lap.reset_count for lap in laps),
        status=laps[-1].status,
    )
