"""Proposes a discrete action space: what a car must command to drive the minimum-time line, and to get back to it.

Everywhere on the line, the car needs the speed that makes its wheels turn as fast as the line asks, and the least
steering angle that gives the line's side acceleration in a steady bend; that is measured, by driving circles. These
commands are gathered into groups (k-means, weighted by the time they last), whose means are actions. Lags are not in
it: a driver that must be early will command the next action earlier. The line bends one way more than the other, and a
driver leaves it; so some actions are set apart to return, the same ones to either side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES, MIN_SPEED, Car, DiscreteActions
from racer_env.errors import RacerError
from racer_env.kernel import Floats, Ints
from racer_env.minimum_time import Limits, Line, minimum_time_line
from racer_env.minimum_time.limits import CIRCLE_SPEEDS, steady_circles
from racer_env.track import Track

LEAST, MOST = 3, 30  #: actions; the original's console allows up to 30
_GENTLE_FROM = 8  #: actions, of which two are gentle corrections
_GENTLE_DEGREES = 10.0
_ROUNDS = 100
_ANGLES = np.linspace(0.0, MAX_STEERING_DEGREES, 11)  #: degrees, of the circles
_SPEEDS = np.linspace(MIN_SPEED, MAX_SPEED, 100)  #: m/s, commands
_SATURATED = 0.97  #: of the most side acceleration; more angle than this takes gives hardly more
_SLOWEST = 0.5  #: m/s, the least speed of the original's console


@dataclass(frozen=True)
class Suggestion:
    """Actions, and where they come from."""

    actions: DiscreteActions  #: from the right to the left, and slow to fast
    share: tuple[float, ...]  #: of the lap's time during which each is the nearest to what the line needs
    line: Line


def suggest_actions(track: Track, car: Car, count: int = 12) -> Suggestion:
    """Propose `count` actions for a car on a track.

    Raises:
        RacerError: `count` is not 3 to 30, or the car cannot drive there (`TrackError`).
    """
    if not LEAST <= count <= MOST:
        raise RacerError(f"{count} actions are asked for, but there can be {LEAST} to {MOST}")
    line = minimum_time_line(track, Limits.of_car(car))
    needed, weight = line_commands(line, car), _durations(line)
    returning = _returning(needed, weight, count)
    groups = count - len(returning)
    chosen = returning
    for more in range(2 * count):  # groups whose rounded means are equal, or the same as a return, count once
        found = _rounded(np.concatenate((returning, _means(needed, weight, groups + more))))
        if len(found) > count:
            break
        chosen = found
    shares = np.bincount(_nearest(needed, chosen), weight, len(chosen)) / weight.sum()
    steering, speed = chosen.T.tolist()
    return Suggestion(DiscreteActions(tuple(steering), tuple(speed)), tuple(shares.tolist()), line)


def line_commands(line: Line, car: Car) -> Floats:
    """Commands (k, 2), degrees and m/s, that hold a car on the points of a line in steady motion."""
    wheels = np.minimum(_SPEEDS * (car.wheel_gain - car.wheel_droop * _SPEEDS), car.top_speed)
    rising = np.maximum.accumulate(wheels) + 1e-9 * np.arange(len(wheels))
    speed = np.maximum(np.interp(line.speed, rising, _SPEEDS), _SLOWEST)
    given = _side_accelerations(car)
    asked = np.abs(line.curvature) * line.speed**2
    steering = np.zeros(len(speed))
    for i, (pace, push) in enumerate(zip(speed.tolist(), asked.tolist(), strict=True)):
        by_angle = np.array([np.interp(pace, CIRCLE_SPEEDS, row) for row in given])
        enough = np.maximum.accumulate(by_angle) + 1e-9 * np.arange(len(by_angle))
        steering[i] = np.interp(min(push, _SATURATED * enough[-1]), enough, _ANGLES)
    return np.stack((np.copysign(steering, line.curvature), speed), axis=1)


def _side_accelerations(car: Car) -> Floats:
    """Side acceleration (angles, speeds), m/s², in steady circles; where the car would spin, none."""
    given = np.zeros((len(_ANGLES), len(CIRCLE_SPEEDS)))
    for row, angle in zip(given[1:], _ANGLES[1:].tolist(), strict=True):
        speed, curvature = steady_circles(car, angle, CIRCLE_SPEEDS).T
        row[: len(speed)] = speed**2 * np.maximum(curvature, 0.0)
    return given


def _durations(line: Line) -> Floats:
    """How long (k,) each point lasts, s."""
    after = np.append(line.time[1:], line.seconds) - line.time
    return np.asarray(after, np.float64)


def _returning(needed: Floats, weight: Floats, count: int) -> Floats:
    """Actions (r, 2) that lead back to the line from either side."""
    slow = max(_SLOWEST, 0.8 * float(needed[:, 1].min()))
    out = [(-MAX_STEERING_DEGREES, slow), (MAX_STEERING_DEGREES, slow)]
    if count >= _GENTLE_FROM:
        usual = float(np.average(needed[:, 1], weights=weight))
        out += [(-_GENTLE_DEGREES, usual), (_GENTLE_DEGREES, usual)]
    return _rounded(np.array(out))


def _rounded(actions: Floats) -> Floats:
    """Actions in whole degrees and tenths of m/s, each once, in order."""
    steps = np.column_stack((np.round(actions[:, 0]), np.round(10.0 * actions[:, 1])))
    found: Floats = np.unique(steps, axis=0) / [1.0, 10.0] + 0.0  # no negative zero
    return found


def _scaled(commands: Floats) -> Floats:
    scaled: Floats = commands / [MAX_STEERING_DEGREES, MAX_SPEED]
    return scaled


def _nearest(commands: Floats, actions: Floats) -> Ints:
    """Index (k,) of the action (a, 2) that is nearest to each command (k, 2)."""
    apart = _scaled(commands)[:, None] - _scaled(actions)
    nearest: Ints = np.argmin(np.sum(apart**2, axis=2), axis=1)
    return nearest


def _means(commands: Floats, weight: Floats, groups: int) -> Floats:
    """Means (g, 2) of groups of commands (k, 2), g at most `groups` (S. Lloyd, IEEE Trans. Inf. Theory 28, 1982).

    The first group begins at what lasts longest, every other one at the command that is farthest from all before,
    so that nothing is drawn.
    """
    scaled = _scaled(commands)
    means = np.average(commands, axis=0, weights=weight)[None]
    for _ in range(min(groups, len(commands)) - 1):
        apart = np.min(np.sum((scaled[:, None] - _scaled(means)) ** 2, axis=2), axis=1)
        means = np.concatenate((means, commands[[int(np.argmax(apart * np.sqrt(weight)))]]))
    for _ in range(_ROUNDS):
        group = _nearest(commands, means)
        kept = np.unique(group)
        better = np.stack([np.average(commands[group == g], axis=0, weights=weight[group == g]) for g in kept])
        if len(better) == len(means) and np.allclose(better, means):
            break
        means = better
    return means
