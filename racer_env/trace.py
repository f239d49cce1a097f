"""Simtrace: the original's record of every step, as its CSV files hold it (spec/simulator.md 6.1 to 6.3).

A row is written when a step is judged: pose and progress are those the reward saw, steering and speed are the
commands that were chosen. Rows of a batch are gathered per car, so that every episode stands whole in a file.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from racer_env.car import DiscreteActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.race import Status
from racer_env.simulator import Simulator, Step

COLUMNS = (
    "episode",
    "steps",
    "X",
    "Y",
    "yaw",
    "steer",
    "throttle",
    "action",
    "reward",
    "done",
    "all_wheels_on_track",
    "progress",
    "closest_waypoint",
    "track_len",
    "tstamp",
    "episode_status",
    "pause_duration",
    "obstacle_crash_counter",
    "wall_clock",
)

HEADER = ",".join(COLUMNS) + "\n"


class TraceRow(NamedTuple):
    """One step of one car; the fields of `COLUMNS` without the episode's number."""

    steps: float
    x: float  #: m, front of the car
    y: float
    yaw: float  #: degrees
    steer: float  #: degrees
    throttle: float  #: m/s
    action: str
    reward: float
    done: bool
    all_wheels_on_track: bool
    progress: float  #: per cent
    closest_waypoint: int
    track_len: float  #: m
    tstamp: float  #: s, simulated
    status: Status
    pause_duration: float  #: s of penalty left
    obstacle_crash_counter: int
    wall_clock: float  #: s, Unix time

    def line(self, episode: int) -> str:
        """The row as a line of a CSV file."""
        return (
            f"{episode},{self.steps},{self.x},{self.y},{self.yaw},{self.steer},{self.throttle},{self.action},"
            f"{self.reward},{self.done},{self.all_wheels_on_track},{self.progress},{self.closest_waypoint},"
            f"{self.track_len},{self.tstamp},{self.status.label},{self.pause_duration},"
            f"{self.obstacle_crash_counter},{self.wall_clock}\n"
        )


def text(rows: Iterable[TraceRow], episode: int) -> str:
    """An episode as the lines of a CSV file."""
    return "".join(row.line(episode) for row in rows)


class TraceRecorder:
    """Gathers the rows of every car's episode until it ends."""

    def __init__(self, simulator: Simulator):
        self._simulator = simulator
        self._rows: list[list[TraceRow]] = [[] for _ in range(simulator.n)]

    def begin(self, cars: Iterable[int]) -> None:
        """Start the episodes of cars that were just reset, with the row of their prepare step."""
        for car in cars:
            self._rows[car] = [self._row(car, Status.PREPARE, 0.0)]

    def add(self, step: Step, actions: Any) -> Iterator[tuple[int, list[TraceRow]]]:
        """Record a step; give the cars whose episode it ended, with all rows of it."""
        shown = _action_names(self._simulator, actions)
        wall_clock = time.time()
        columns = self._columns(step)
        for car, values in enumerate(zip(*columns, strict=True)):
            (
                steps,
                x,
                y,
                yaw,
                steer,
                speed,
                reward,
                done,
                on,
                progress,
                waypoint,
                tick,
                status,
                pause,
                crashes,
            ) = values
            row = TraceRow(
                float(steps), x, y, yaw, steer, speed, shown[car], reward, done, on, progress, waypoint,
                self._simulator.track.length, tick, Status(status), pause / CONTROL_RATE, crashes, wall_clock,
            )  # fmt: skip
            self._rows[car].append(row)
            if done:
                yield car, self._rows[car]

    def _columns(self, step: Step) -> list[list[Any]]:
        j, e, c = step.judged, step.episode, step.command
        arrays = (
            e.steps, j.x, j.y, j.heading, c.steering_degrees, c.speed, step.rewards, e.done, j.all_wheels_on_track,
            e.progress, j.nearest_waypoint, self._simulator.judged_time, e.status, e.pause, e.crash_count,
        )  # fmt: skip
        return [array.tolist() for array in arrays]

    def _row(self, car: int, status: Status, reward: float) -> TraceRow:
        """The row of a step in which nothing was chosen."""
        s, e = self._simulator.judged[car], self._simulator.state.episode[car]
        return TraceRow(
            float(e.steps), float(s.x), float(s.y), float(s.heading), 0.0, 0.0, "0", reward, False,
            bool(s.all_wheels_on_track), float(e.progress), int(s.nearest_waypoint), self._simulator.track.length,
            float(self._simulator.judged_time[car]), status, 0.0, 0, time.time(),
        )  # fmt: skip


def _action_names(simulator: Simulator, actions: Any) -> list[str]:
    """Actions as the original writes them: an index, or both numbers in brackets."""
    if isinstance(simulator.actions, DiscreteActions):
        return [str(a) for a in actions.tolist()]
    commands = simulator.command
    return [f"[{a} {v}]" for a, v in zip(commands.steering_degrees.tolist(), commands.speed.tolist(), strict=True)]
