"""Driving a race with a run's checkpoint or a bundle, and keeping the record of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from racer_env import driver as driving
from racer_env.car import Car
from racer_env.driver import Driver, RaceResult
from racer_env.metadata import ModelMetadata
from racer_env.network import NetworkDriver
from racer_env.race import Race, Status
from racer_env.recorder import TraceRecorder
from racer_env.replay import Replay
from racer_env.replay_recorder import ReplayRecorder
from racer_env.reward import Params, RewardFunction
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRow
from racer_env.track import Track
from training.elsewhere import is_run, open_elsewhere
from training.policy_driver import load_driver
from training.records import LABELS, write_evaluation
from training.run_folder import RunFolder

#: Shares of the track's width up to which an evaluation's rows show a reward.
CENTRE_BANDS = ((0.1, 1.0), (0.25, 0.5), (0.5, 0.1))


@dataclass(frozen=True)
class Contender:
    """A driver that can be evaluated, and what is known of it."""

    driver: Driver
    metadata: ModelMetadata
    car: Car | None = None  #: the car of its run, if it comes from one
    track: Track | None = None  #: the track of its run
    run: RunFolder | None = None

    @classmethod
    def open(cls, path: Path, which: str = "best") -> Contender:
        """Open a run folder, or whatever else `Bundle.open` opens."""
        if is_run(path):
            from racer_env.car import find_car  # noqa: PLC0415

            run = RunFolder.open(path)
            return cls(load_driver(run, which), run.model.metadata, find_car(run.settings.car), run.track, run)
        bundle = open_elsewhere(path, which)
        return cls(NetworkDriver(bundle), bundle.metadata)


@dataclass(frozen=True)
class Drive:
    """A race that was driven, step by step."""

    result: RaceResult
    replay: Replay
    records: list[list[TraceRow]]  #: an episode each


class _Watch:
    """Keeps every step of a race."""

    def __init__(self, name: str) -> None:
        self.records: list[list[TraceRow]] = []
        self.replays = ReplayRecorder([name])
        self._recorder: TraceRecorder | None = None

    def __call__(self, simulator: Simulator, step: Step | None) -> None:
        self._recorder = self._recorder or TraceRecorder(simulator)
        if step is None:
            self._recorder.begin([0])
        else:
            self.records += [rows for _, rows in self._recorder.add(step, simulator.chosen)]
        self.replays(simulator, step)


def drive(
    contender: Contender, track: Track, race: Race, seed: int = 0, car: Car | None = None, name: str = "driver"
) -> Drive:
    """Drive a race and keep every step of it; `name` is what the replay calls the driver."""
    watch, reward, car = _Watch(name), RewardFunction.of(centre_bands), car or contender.car
    result = driving.race(contender.driver, track, contender.metadata, race, seed, car=car, watch=watch, reward=reward)
    return Drive(result, watch.replays.replays()[0], watch.records)


def centre_bands(params: Params) -> float:
    """What the original records as the reward of evaluations, whatever was trained with (``markov/defaults.py``)."""
    distance = params["distance_from_center"] / params["track_width"]
    return next((reward for share, reward in CENTRE_BANDS if distance <= share), 0.001)


def heat(
    contenders: Mapping[str, Contender], track: Track, race: Race, seed: int = 0
) -> tuple[list[RaceResult], Replay]:
    """Drive several contenders, by their names, against each other; in the order of the starting grid."""
    entries = [driving.Entry(c.driver, c.metadata, c.car) for c in contenders.values()]
    recorder = ReplayRecorder(tuple(contenders), [entry.metadata.sensors for entry in entries])
    results = driving.heat(entries, track, race, seed, watch=recorder)
    return results, recorder.replays()[0]


def placings(results: Sequence[RaceResult]) -> list[int]:
    """Who came first, second and so on: by distance driven, then by time."""
    return sorted(range(len(results)), key=lambda k: (-results[k].distance, results[k].time_ms))


def keep(run: RunFolder, drive: Drive) -> str:
    """Write a drive into its run as the original writes evaluations; give the folder's name."""
    return write_evaluation(run, drive.records, [metric_row(lap) for lap in lap_dicts(drive.result)])


def lap_dicts(result: RaceResult) -> list[dict[str, Any]]:
    """Laps as plain values, with the start of each in simulated milliseconds."""
    start, rows = 0, []
    for lap in result.laps:
        rows.append({**asdict(lap), "reset_count": lap.reset_count, "start_ms": start})
        start += lap.time_ms
    return rows


def metric_row(lap: dict[str, Any]) -> dict[str, Any]:
    """A lap as EvaluationMetrics holds it (the original's ``markov/metrics/s3_metrics.py``)."""
    counts = ("crash_count", "immobilized_count", "off_track_count", "reversed_count", "reset_count")
    return {
        "completion_percentage": int(lap["completion_percentage"]),
        "metric_time": lap["start_ms"] + lap["time_ms"],
        "start_time": lap["start_ms"],
        "elapsed_time_in_milliseconds": lap["time_ms"],
        "episode_status": LABELS[Status[lap["status"].upper()]],
        **{count: lap[count] for count in counts},
        "trial": lap["trial"],
    }
