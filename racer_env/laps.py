"""Drives recorded laps anew, in closed loop, and compares lap times.

The line of a recorded lap is followed by pure pursuit: at each control period the driver steers at the point of that
line where it would be in `LOOK_AHEAD`, with the nearest angle of the action list that the recording shows, and asks for
the speed that was commanded there. As it knows its car, it asks for more angle where the steering lags. Line, speeds
and angles are thus the original's, and how long the lap takes is the car's. A car that was put back goes on from
there, and standing still lasts as long as recorded.

Open loop (`racer_env.windows`) tells where a second of commands leads: there an error of the angle grows, and one of
the speed hardly shows. Here it is the other way round.

On re:Invent 2018, laps take 0.96 (version 4: 51 laps), 0.97 (version 5: 18) and 0.99 (version 6: 2) of the time that
the original recorded, and single ones 0.94 to 1.01. A part of what is missing is way:
pure pursuit weaves less than a trained driver, so that its laps are 1 to 3 % shorter. The rest is speed. Open loop it
is right within 1 % in all these recordings but the slowest; but a trained driver throws the wheels from one end to the
other and loses some speed by it, which this one does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from racer_env.car import COMMAND, FRONT_POINT, Car, car_records
from racer_env.dynamics import MOTION, SUBSTEPS, TIME_STEP, move
from racer_env.kernel import Floats, Ints, Records, kernel, records
from racer_env.race import Status
from racer_env.recording import Recording
from racer_env.trace import Trace

LOOK_AHEAD = 0.45  #: s; with less, v4 loses its line, with more, all cut corners
NEAREST = 0.3  #: m, to the point that is steered at, at least
QUICKER = 0.15  #: s, the lag of the steering that the driver aims for by asking for more
SEARCHED = 1.0  #: m of the line ahead in which the car is looked for
SLOWEST = 2.0  #: times what was recorded, after which a car counts as lost
MOST_ANGLES = 30  #: different ones; a recording that shows more had continuous actions

_STANDING = (Status.PREPARE.label, Status.PAUSE.label, "park")


@dataclass(frozen=True)
class Lap:
    """One complete lap of a recording."""

    recording: str  #: its name
    recorded: float  #: s
    driven: float  #: s, the same lap driven anew; infinite if the car lost its line
    line: float  #: m, of the recorded lap
    way: float  #: m, driven anew

    @property
    def ratio(self) -> float:
        """Time driven anew over time recorded."""
        return self.driven / self.recorded


def drive_again(recording: Recording, car: Car | None = None) -> list[Lap]:
    """Drive every complete lap of a recording anew.

    Args:
        recording: what was recorded.
        car: who drives; the one the recording names if not given.
    """
    rows, runs = recording.trace.rows, recording.trace.runs
    angles = _angles(recording.trace)
    laps: list[Lap] = []
    for first, last in pairwise([*np.flatnonzero(np.diff(runs, prepend=-1)).tolist(), len(rows)]):
        ends = first + np.flatnonzero(rows.progress[first:last] >= 100.0)
        ends = ends[np.diff(ends, prepend=first) > 1]  # a lap that a penalty holds at the line ends once
        run = rows[first : ends[-1] + 1] if len(ends) else rows[:0]
        if len(run) and run.tstamp[-1] > run.tstamp[0]:  # else its stamps tell nothing
            steps = _steps(run, angles, car or recording.car)
            laps += _laps(recording.name, run, steps, ends - first)
    return laps


def summary(laps: Sequence[Lap]) -> dict[str, Any]:
    """Tell how laps compare: seconds recorded and driven (medians), their ratio, and that of the ways (median)."""
    if not laps:
        return {}
    ratios = np.array([lap.ratio for lap in laps])
    return {
        "laps": len(laps),
        "recorded_s": float(np.median([lap.recorded for lap in laps])),
        "driven_s": float(np.median([lap.driven for lap in laps])),
        "ratio": {"median": float(np.median(ratios)), "least": float(ratios.min()), "most": float(ratios.max())},
        "way": float(np.median([lap.way / lap.line for lap in laps])),
    }


def _laps(name: str, run: Records, steps: Floats, ends: Ints) -> Iterator[Lap]:
    """The laps of a run that end at some of its rows; all after one in which the car was lost are lost too."""
    line = np.diff(_stations(_middles(run)))
    for start, end in pairwise([0, *ends.tolist()]):
        driven, way = steps[start:end].sum(axis=0).tolist()
        yield Lap(name, float(run.tstamp[end] - run.tstamp[start]), driven, float(line[start:end].sum()), way)


def _angles(trace: Trace) -> Floats:
    """The angles (a,), degrees, between which the recorded driver could choose; none if it could choose any."""
    angles = np.unique(np.round(trace.rows.steer, 2))
    return angles if len(angles) <= MOST_ANGLES else np.zeros(0)


def _steps(run: Records, angles: Floats, car: Car) -> Floats:
    """Seconds and metres (n - 1, 2) of each step of a run driven anew; standing still takes what it took."""
    steps = np.stack((np.diff(run.tstamp), np.diff(_stations(_middles(run)))), axis=1)
    moving = ~np.isin(run.status, _STANDING)
    bounds = np.flatnonzero(np.diff(moving, prepend=False, append=False))
    for first, last in bounds.reshape(-1, 2).tolist():
        passed = _passed(run[first:last], angles, car)
        steps[first : last - 1] = np.diff(passed, axis=0) if np.isfinite(passed[-1, 0]) else np.inf
    return steps


def _passed(rows: Records, angles: Floats, car: Car) -> Floats:
    """Seconds and metres (n, 2) after which a car that begins at rest at the first of some rows passes each."""
    line = _middles(rows)
    station = _stations(line)
    motion, command = records(1, MOTION), records(1, COMMAND)
    motion.x, motion.y, motion.yaw = line[0, 0], line[0, 1], np.radians(rows.yaw[0])
    passed = np.full((len(rows), 2), np.inf)
    longest = SLOWEST * float(rows.tstamp[-1] - rows.tstamp[0])
    between = np.array([rows.steer.min(), rows.steer.max()])
    speed = np.ascontiguousarray(rows.throttle)
    _follow(line, station, speed, angles, between, motion, command, car_records([car]), longest, passed)
    return passed


def _middles(rows: Records) -> Floats:
    """Where the middle of the car was (n, 2)."""
    yaw = np.radians(rows.yaw)
    return np.stack((rows.x - FRONT_POINT * np.cos(yaw), rows.y - FRONT_POINT * np.sin(yaw)), axis=1)


def _stations(line: Floats) -> Floats:
    """How far along a line its points (p, 2) are: m (p,)."""
    return np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))))


@kernel
def _follow(
    line: Floats,
    station: Floats,
    speed: Floats,
    angles: Floats,
    between: Floats,
    motion: Records,
    command: Records,
    cars: Records,
    longest: float,
    passed: Floats,
) -> None:
    """Follow a line (p, 2); `passed` (p, 2) receives the seconds and metres after which its points are passed."""
    m, c = motion[0], command[0]
    time, way, at, before, row, period = 0.0, 0.0, 0.0, 0.0, 0, TIME_STEP * SUBSTEPS
    last_x, last_y = m.x, m.y
    while time <= longest:
        moved = math.hypot(m.x - last_x, m.y - last_y)
        way, last_x, last_y = way + moved, m.x, m.y
        at = _station(line, station, m.x, m.y, before)
        while row < len(line) and station[row] <= at:
            late = (at - station[row]) / (at - before) if at > before else 0.0
            passed[row, 0], passed[row, 1] = time - late * period, way - late * moved
            row += 1
        if row == len(line):
            return
        before = at
        c.speed = speed[row - 1]
        ahead = max(LOOK_AHEAD * m.speed, NEAREST)
        wanted = _towards(line, station, at + ahead, m, cars[0])
        c.steering_degrees = _allowed(wanted, angles, between)
        move(m, c, cars[0], TIME_STEP, SUBSTEPS)
        time += period


@kernel
def _station(line: Floats, station: Floats, x: float, y: float, before: float) -> float:
    """How far along a line (x, y) is, not before a station and not much behind it."""
    nearest, found = math.inf, before
    for i in range(len(line) - 1):
        length = station[i + 1] - station[i]
        if station[i + 1] < before or length <= 0.0:
            continue
        if station[i] > before + SEARCHED:
            break
        dx, dy = (line[i + 1, 0] - line[i, 0]) / length, (line[i + 1, 1] - line[i, 1]) / length
        along = (x - line[i, 0]) * dx + (y - line[i, 1]) * dy
        along = min(max(along, before - station[i], 0.0), length)
        distance = math.hypot(line[i, 0] + along * dx - x, line[i, 1] + along * dy - y)
        if distance < nearest:
            nearest, found = distance, station[i] + along
    return found


@kernel
def _towards(line: Floats, station: Floats, target: float, m: Records, car: Records) -> float:
    """The steering command, degrees, that leads to a station of a line; the line goes on straight behind its end."""
    i = min(max(int(np.searchsorted(station, target)), 1), len(line) - 1)
    while i > 1 and station[i] <= station[i - 1]:
        i -= 1
    share = (target - station[i - 1]) / max(station[i] - station[i - 1], 1e-9)
    dx = line[i - 1, 0] + share * (line[i, 0] - line[i - 1, 0]) - m.x
    dy = line[i - 1, 1] + share * (line[i, 1] - line[i - 1, 1]) - m.y
    left = math.cos(m.yaw) * dy - math.sin(m.yaw) * dx
    curvature = 2.0 * left / max(dx * dx + dy * dy, 1e-9)
    angle = math.atan(curvature * (car.effective_wheelbase + car.understeer * m.speed * m.speed))
    asked: float = m.steering + (angle - m.steering) * (1.0 + car.steering_lag / QUICKER)
    return math.degrees(asked)


@kernel
def _allowed(wanted: float, angles: Floats, between: Floats) -> float:
    """The nearest angle that the driver can choose."""
    best = float(min(max(wanted, between[0]), between[1]))
    nearest = math.inf
    for angle in angles:
        if abs(angle - wanted) < nearest:
            nearest, best = abs(angle - wanted), float(angle)
    return best
