"""Records the steps of a batch of cars as simtrace rows, gathered per car so that every episode stands whole."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from racer_env.car import COMMAND, DiscreteActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.race import Status
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRow


class TraceRecorder:
    """Gathers the rows of every car's episode until it ends."""

    def __init__(self, simulator: Simulator):
        self._simulator = simulator
        self._rows: list[list[TraceRow]] = [[] for _ in range(simulator.n)]
        self._length = [0.0] * simulator.n  #: m, of the track that each car is on
        self._over = [False] * simulator.n  #: whose episode ended, while others in their world still drive

    def begin(self, cars: Iterable[int]) -> None:
        """Start the episodes of cars that were just reset, with the row of their prepare step."""
        for car in cars:
            self._length[car], self._over[car] = self._simulator.track_of(car).length, False
            self._rows[car] = [self._row(car, Status.PREPARE, 0.0)]

    def add(self, step: Step, actions: Any) -> Iterator[tuple[int, list[TraceRow]]]:
        """Record a step; give the cars whose episode it ended, with all rows of it."""
        for car, row in enumerate(self._step_rows(step, actions)):
            if self._over[car]:
                continue
            self._rows[car].append(row)
            if row.done:
                self._over[car] = True
                yield car, self._rows[car]

    def _step_rows(self, step: Step, actions: Any) -> Iterator[TraceRow]:
        j, e, c, n = step.judged, step.episode, step.command, self._simulator.n
        columns = (
            *(e.steps.astype(float).tolist(), j.x.tolist(), j.y.tolist(), j.heading.tolist()),
            *(c.steering_degrees.tolist(), c.speed.tolist(), _action_names(self._simulator, actions)),
            *(step.rewards.tolist(), e.done.tolist(), j.all_wheels_on_track.tolist(), e.progress.tolist()),
            *(j.nearest_waypoint.tolist(), self._length, self._simulator.judged_time.tolist()),
            *([Status(status) for status in e.status.tolist()], (e.pause / CONTROL_RATE).tolist()),
            *(e.crash_count.tolist(), [time.time()] * n),
        )
        return (TraceRow(*values) for values in zip(*columns, strict=True))

    def _row(self, car: int, status: Status, reward: float) -> TraceRow:
        """The row of a step in which nothing was chosen."""
        s, e = self._simulator.judged[car], self._simulator.state.episode[car]
        return TraceRow(
            float(e.steps), float(s.x), float(s.y), float(s.heading), 0.0, 0.0, "0", reward, False,
            bool(s.all_wheels_on_track), float(e.progress), int(s.nearest_waypoint), self._length[car],
            float(self._simulator.judged_time[car]), status, 0.0, 0, time.time(),
        )  # fmt: skip


def _action_names(simulator: Simulator, actions: Any) -> list[str]:
    """Actions as the original writes them: an index, or both numbers in brackets."""
    if isinstance(simulator.actions, DiscreteActions) and actions.dtype != COMMAND:
        return [str(a) for a in actions.tolist()]
    commands = simulator.command
    return [f"[{a} {v}]" for a, v in zip(commands.steering_degrees.tolist(), commands.speed.tolist(), strict=True)]
