"""Replays recorded commands from recorded states, without feedback, and measures where the model gets to.

A **window** starts at a recorded pose and drives the recorded commands of the next `HORIZON` steps. What rows do not
hold (speed, slip, yaw rate, steering angle) is estimated by driving the steps before it: after each of them the pose
is set to the recorded one, and a fixed share of what it was off by goes to the speeds and the angle (a constant-gain
Kalman filter). An episode that starts from rest is known exactly from its first row; elsewhere `WARM_UP` steps pass
before the first window. No window contains a reset, a penalty, or a row whose status is not ``in_progress``.

**Time.** The stamp of a row says little about its pose. The original reads poses and sends commands on the clock of
its camera (`Estimator.period`), and the stamps jitter around it: at constant speed, versions 4 and 5 move the same way
in a step of 40 ms as in one of 90 ms. In version 6 a pose lies 4/5 of the last stamp's lateness behind its tick
(`Estimator.follow`). Commands act `Car.command_delay` after the pose of their row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from racer_env.car import COMMAND, FRONT_POINT, MAX_STEERING_DEGREES, Car, car_records
from racer_env.dynamics import MOTION, SUBSTEPS, move, stand_still
from racer_env.errors import TraceError
from racer_env.kernel import Bools, Floats, Ints, Records, kernel, records
from racer_env.race import Status
from racer_env.recording import Recording

HORIZON = 15  #: steps of a window, one second
WARM_UP = 10  #: steps before the first window of what does not start from rest
LONGEST_STEP = 0.25  #: s; a longer gap between rows is a break
LATENESS_SHARE = 0.08  #: of a stamp's lateness that moves the clock
AT_REST = 0.005  #: m between the prepare row and the next, up to which an episode starts from rest
PLACED = 2  #: rows after the prepare step in which a car that does not start from rest is still being put down


@dataclass(frozen=True)
class Estimator:
    """How a generation times its rows, and how the state between them is estimated."""

    period: float = 1.0 / 15.0  #: s, of the camera's clock
    follow: float = 0.0  #: share of a stamp's lateness by which the next pose is late
    speed: float = 0.12  #: 1, share of an error ahead, per step, that corrects the speed
    lateral_speed: float = 0.2  #: 1, share of an error to the side that corrects the lateral speed
    yaw_rate: float = 0.6  #: 1, share of an error in yaw that corrects the yaw rate
    steering: float = 0.6  #: 1, share of an error in yaw that corrects the steering angle

    @property
    def gains(self) -> Floats:
        """What the speeds (per second) and the angle gain for each unit of error (4,)."""
        per_step = 1.0 / self.period
        return np.array([self.speed * per_step, self.lateral_speed * per_step, self.yaw_rate * per_step, self.steering])


@dataclass(frozen=True, eq=False)
class Drives:
    """Uninterrupted drives of one generation, one after the other; n rows, d drives."""

    pose: Floats  #: (n, 3) of the middle of the car: m, m, rad without jumps
    command: Records  #: `COMMAND` (n,)
    stamp: Floats  #: s (n,)
    bounds: Ints  #: (d + 1,) where each drive begins
    rested: Bools  #: (d,) whether it starts from rest
    episode: Ints  #: (d,) which episode it is part of

    def __len__(self) -> int:
        return len(self.rested)

    def steps(self, estimator: Estimator) -> Floats:
        """Seconds (n,) from the pose of a row to that of the next; 0 for the last of a drive."""
        out = np.zeros(len(self.stamp))
        for first, last in pairwise(self.bounds.tolist()):
            ticks, late = _clock(self.stamp[first:last], estimator.period)
            pose_late = estimator.follow * np.concatenate(([0.0], late[:-1]))
            out[first : last - 1] = np.maximum(np.diff(ticks) * estimator.period + np.diff(pose_late), 0.01)
        return out


def _clock(stamps: Floats, period: float) -> tuple[Floats, Floats]:
    """The tick of each stamp (k,) of a clock that follows them slowly, and how late (s) the stamp is."""
    ticks, late, tick, base = np.zeros(len(stamps)), np.zeros(len(stamps)), 0, stamps[0]
    for k in range(1, len(stamps)):
        passed = max(1, round((stamps[k] - base) / period))
        tick, base = tick + passed, base + passed * period
        ticks[k], late[k] = tick, stamps[k] - base
        base += LATENESS_SHARE * late[k]
    return ticks, late


def drives_of(recordings: Iterable[Recording]) -> Drives:
    """Cut recordings of one generation into uninterrupted drives.

    Raises:
        TraceError: there is not a single window in them.
    """
    parts = [part for recording in recordings for part in _cut(recording)]
    rows = [rows for rows, _, _ in parts]
    if not rows:
        raise TraceError(f"these recordings hold no second of uninterrupted driving ({HORIZON + 2} rows in a row)")
    all_rows = np.concatenate(rows).view(np.recarray)
    yaw = np.concatenate([np.unwrap(np.radians(part.yaw)) for part in rows])
    middle = np.stack((all_rows.x - FRONT_POINT * np.cos(yaw), all_rows.y - FRONT_POINT * np.sin(yaw), yaw), axis=1)
    command = records(len(all_rows), COMMAND)
    command.steering_degrees, command.speed = all_rows.steer, all_rows.throttle
    bounds = np.cumsum([0, *(len(part) for part in rows)])
    _, episode = np.unique([key for _, _, key in parts], return_inverse=True)
    return Drives(middle, command, all_rows.tstamp, bounds, np.array([rested for _, rested, _ in parts]), episode)


def _cut(recording: Recording) -> Iterator[tuple[Records, bool, str]]:
    """The uninterrupted drives of a recording: rows, whether it starts from rest, name of its episode."""
    rows, runs = recording.trace.rows, recording.trace.runs
    moving = rows.status == Status.IN_PROGRESS.label
    breaks = np.diff(runs, prepend=-1) != 0
    breaks |= np.diff(rows.tstamp, prepend=0.0) > LONGEST_STEP
    breaks |= np.diff(moving, prepend=False)
    for first, last in pairwise([*np.flatnonzero(breaks).tolist(), len(rows)]):
        if not moving[first]:
            continue
        prepared = first > 0 and rows.status[first - 1] == Status.PREPARE.label and runs[first - 1] == runs[first]
        moved = math.hypot(rows.x[first] - rows.x[first - 1], rows.y[first] - rows.y[first - 1]) if prepared else 0.0
        rested = prepared and moved <= AT_REST
        start = first if rested or not prepared else first + PLACED
        if last - start >= HORIZON + 2:
            yield rows[start:last], rested, f"{recording.trace.path} {runs[first]}"


@kernel
def _begin(m: Records, pose: Floats, command: Records, first: int, step: float, rested: bool) -> None:
    """Set the estimate to the first row of a drive; without rest, to what its first step says."""
    stand_still(m)
    m.x, m.y, m.yaw = pose[first]
    if not rested:
        c, s = math.cos(m.yaw), math.sin(m.yaw)
        dx, dy = pose[first + 1, 0] - m.x, pose[first + 1, 1] - m.y
        m.speed = (c * dx + s * dy) / step
        m.yaw_rate = (pose[first + 1, 2] - m.yaw) / step
        limited = min(max(command[first].steering_degrees, -MAX_STEERING_DEGREES), MAX_STEERING_DEGREES)
        m.steering = math.radians(limited)
        m.wheel_speed = m.speed
        m.last_steering, m.last_speed = m.steering, command[first].speed


@kernel
def _observe(m: Records, pose: Floats, gains: Floats) -> None:
    """Set the estimate to a recorded pose (3,), and correct what is not recorded by what it was off."""
    c, s = math.cos(m.yaw), math.sin(m.yaw)
    dx, dy, turn = pose[0] - m.x, pose[1] - m.y, pose[2] - m.yaw
    m.speed += gains[0] * (c * dx + s * dy)
    m.lateral_speed += gains[1] * (c * dy - s * dx)
    m.yaw_rate += gains[2] * turn
    m.steering += gains[3] * turn
    m.x, m.y, m.yaw = pose


@kernel
def _window(
    m: Records, k: int, pose: Floats, command: Records, steps: Floats, car: Records, horizons: Ints, out: Floats
) -> None:
    """Drive from row `k` on; `out` (h, 3) receives the errors ahead, to the left (m, front point) and in yaw."""
    at = 0
    for j in range(1, horizons[-1] + 1):
        move(m, command[k + j - 1], car, steps[k + j - 1] / SUBSTEPS, SUBSTEPS)
        if j == horizons[at]:
            x, y, yaw = pose[k + j]
            c, s = math.cos(yaw), math.sin(yaw)
            dx = m.x + FRONT_POINT * math.cos(m.yaw) - x - FRONT_POINT * c
            dy = m.y + FRONT_POINT * math.sin(m.yaw) - y - FRONT_POINT * s
            out[at, 0], out[at, 1], out[at, 2] = c * dx + s * dy, c * dy - s * dx, m.yaw - yaw
            at += 1


@kernel
def _sweep(
    pose: Floats,
    command: Records,
    steps: Floats,
    bounds: Ints,
    rested: Bools,
    chosen: Ints,
    cars: Records,
    gains: Floats,
    horizons: Ints,
    every: int,
    motion: Records,
    starts: Ints,
    errors: Floats,
) -> int:
    """Drive all windows of the `chosen` drives that start at each `every`-th row; gives how many there were."""
    n, car, estimate, window = 0, cars[0], motion[0], motion[1]
    for d in chosen:
        first, last = bounds[d], bounds[d + 1]
        _begin(estimate, pose, command, first, steps[first], rested[d])
        for k in range(first, last - horizons[-1]):
            if (rested[d] or k - first >= WARM_UP) and (k - first + d) % every == 0:
                _copy(estimate, window)
                _window(window, k, pose, command, steps, car, horizons, errors[n])
                starts[n] = k
                n += 1
            move(estimate, command[k], car, steps[k] / SUBSTEPS, SUBSTEPS)
            _observe(estimate, pose[k + 1], gains)
    return n


@kernel
def _copy(here: Records, there: Records) -> None:
    there.x, there.y, there.yaw = here.x, here.y, here.yaw
    there.speed, there.lateral_speed, there.yaw_rate = here.speed, here.lateral_speed, here.yaw_rate
    there.steering, there.wheel_speed = here.steering, here.wheel_speed
    there.last_steering, there.last_speed = here.last_steering, here.last_speed


@dataclass(frozen=True, eq=False)
class Errors:
    """Where the model got to, less where the car was; w windows, h horizons."""

    starts: Ints  #: (w,) rows at which the windows start
    values: Floats  #: (w, h, 3): metres ahead and to the left of the recorded front point, radians of yaw


def replay(
    drives: Drives,
    chosen: Sequence[int] | Ints,
    car: Car,
    estimator: Estimator,
    horizons: Sequence[int] = (1, 5, HORIZON),
    every: int = 1,
) -> Errors:
    """Drive the windows of the `chosen` drives as a car, and compare.

    Args:
        drives: what was recorded.
        chosen: indices of the drives.
        car: who drives.
        estimator: tells the state at the start of a window, and the time between poses.
        horizons: after how many steps to compare, rising.
        every: take only the windows that start at each `every`-th row.
    """
    indices = np.asarray(chosen, np.int64)
    most = int(np.sum(np.diff(drives.bounds)[indices])) // every + len(indices)
    starts, errors = np.zeros(most, np.int64), np.zeros((most, len(horizons), 3))
    n = _sweep(
        drives.pose, drives.command, drives.steps(estimator), drives.bounds, drives.rested, indices,
        car_records([car]), estimator.gains, np.array(horizons), every, records(2, MOTION), starts, errors,
    )  # fmt: skip
    return Errors(starts[:n], errors[:n])


def speeds(drives: Drives) -> Floats:
    """Recorded speed (n,) around each row, m/s: the mean of up to three steps."""
    out = np.zeros(len(drives.stamp))
    for first, last in pairwise(drives.bounds.tolist()):
        way = np.hypot(*np.diff(drives.pose[first:last, :2], axis=0).T) * 15.0
        out[first:last] = np.convolve(np.pad(np.append(way, way[-1]), 1, mode="edge"), np.ones(3) / 3.0, "valid")
    return out


#: Speed bands of a report: name, from (m/s), up to.
BANDS: Mapping[str, tuple[float, float]] = {
    "under 1.5 m/s": (0.0, 1.5),
    "1.5 to 2.5 m/s": (1.5, 2.5),
    "over 2.5 m/s": (2.5, math.inf),
}
