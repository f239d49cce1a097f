"""Records the steps of a batch of cars as simtrace rows, gathered per car so that every episode stands whole.

Steps are kept as numbers, a record each, and become rows when an episode ends: column by column, which is cheaper.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from racer_env.car import COMMAND, DiscreteActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Records, as_records, records
from racer_env.race import Status
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRow

#: A step of a car: the fields of `TraceRow` as numbers.
KEPT = np.dtype(
    [
        ("steps", np.float64),
        ("x", np.float64),
        ("y", np.float64),
        ("yaw", np.float64),
        ("steer", np.float64),
        ("throttle", np.float64),
        ("action", np.int64),  # an index; -1 if the action was a pair of numbers
        ("reward", np.float64),
        ("done", np.bool_),
        ("all_wheels_on_track", np.bool_),
        ("progress", np.float64),
        ("closest_waypoint", np.int64),
        ("track_len", np.float64),
        ("tstamp", np.float64),
        ("status", np.int64),
        ("pause_duration", np.float64),
        ("obstacle_crash_counter", np.int64),
        ("wall_clock", np.float64),
    ]
)

_STATUS = {int(status): status for status in Status}
_ROOM = 256  #: steps of an episode that there is room for at first


class TraceRecorder:
    """Gathers the rows of every car's episode until it ends."""

    def __init__(self, simulator: Simulator):
        self._simulator = simulator
        self._kept = records((simulator.n, _ROOM), KEPT)
        self._count = np.zeros(simulator.n, np.int64)  #: steps kept of each car
        self._length = np.zeros(simulator.n)  #: m, of the track that each car is on
        self._over = np.zeros(simulator.n, np.bool_)  #: whose episode ended, while others in their world still drive

    def begin(self, cars: Iterable[int]) -> None:
        """Start the episodes of cars that were just reset, with the row of their prepare step."""
        which = np.fromiter(cars, np.int64)
        self._length[which] = [self._simulator.track_of(car).length for car in which.tolist()]
        self._over[which], self._count[which] = False, 0
        rows = self._judged()
        rows.status = Status.PREPARE
        self._keep(rows, which)

    def add(self, step: Step, actions: Any) -> Iterator[tuple[int, list[TraceRow]]]:
        """Record a step; give the cars whose episode it ended, with all rows of it."""
        rows, command = self._judged(), step.command
        rows.steer, rows.throttle = command.steering_degrees, command.speed
        rows.action = actions if _indexed(self._simulator, actions) else -1
        rows.reward, rows.done, rows.status = step.rewards, step.episode.done, step.episode.status
        rows.pause_duration = step.episode.pause / CONTROL_RATE
        rows.obstacle_crash_counter = step.episode.crash_count
        driving = np.flatnonzero(~self._over)
        self._keep(rows, driving)
        for car in driving[rows.done[driving]].tolist():
            self._over[car] = True
            yield car, _rows(self._kept[car, : self._count[car]])

    def _judged(self) -> Records:
        """`KEPT` (n,) with what is known of a step in which nothing was chosen."""
        rows, judged, episode = records(self._simulator.n, KEPT), self._simulator.judged, self._simulator.state.episode
        rows.steps, rows.progress = episode.steps, episode.progress
        rows.x, rows.y, rows.yaw = judged.x, judged.y, judged.heading
        rows.all_wheels_on_track, rows.closest_waypoint = judged.all_wheels_on_track, judged.nearest_waypoint
        rows.track_len, rows.tstamp, rows.wall_clock = self._length, self._simulator.judged_time, time.time()
        return rows

    def _keep(self, rows: Records, cars: Any) -> None:
        if self._count.max() == self._kept.shape[1]:
            self._kept = as_records(np.concatenate((self._kept, np.zeros_like(self._kept)), axis=1))
        self._kept[cars, self._count[cars]] = rows[cars]
        self._count[cars] += 1


def _rows(kept: Records) -> list[TraceRow]:
    """Steps of one car, `KEPT` (k,), as rows; actions as the original writes them: an index, or both numbers."""
    columns = {name: kept[name].tolist() for name in KEPT.names or ()}
    columns["status"] = [_STATUS[status] for status in columns["status"]]
    columns["action"] = [
        str(action) if action >= 0 else f"[{steer} {throttle}]"
        for action, steer, throttle in zip(columns["action"], columns["steer"], columns["throttle"], strict=True)
    ]
    return list(map(TraceRow, *columns.values()))


def _indexed(simulator: Simulator, actions: Any) -> bool:
    return isinstance(simulator.actions, DiscreteActions) and actions.dtype != COMMAND
