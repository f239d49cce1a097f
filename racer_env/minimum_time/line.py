"""The line on which a car is fastest around a track, and how fast it is where.

Frame of the track, metres and seconds. The car is a point with a top speed and a friction ellipse
(`racer_env.minimum_time.limits`); the road is flat. First the line of minimum curvature (the integral of curvature
squared along the way, as in A. Heilmeier et al., *Minimum curvature trajectory planning and control for an autonomous
race car*, Vehicle System Dynamics 58, 2020), then the fastest speeds on it, then line and speeds together for the
shortest time.

The unknowns are where the line crosses each of the road's cross-sections, 0.1 m apart, and the time from each to the
next; accelerations are differences of these. It is a local minimum: on a road with one way around bends, which all of
DeepRacer's are, that is the minimum. What is left is the spacing: halving it changes lap times by less than 0.2 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from racer_env.kernel import Floats, Ints
from racer_env.minimum_time.corridor import SPACING, Corridor
from racer_env.minimum_time.interior_point import Local, minimise
from racer_env.minimum_time.limits import Limits
from racer_env.track import Track


@dataclass(frozen=True, eq=False)
class Line:
    """A way around a track, and how fast it is driven."""

    points: Floats  #: (k, 2) m; a loop's first point follows the last
    speed: Floats  #: (k,) m/s
    station: Floats  #: (k,) m along the track's centre line
    time: Floats  #: (k,) s from the first point
    seconds: float  #: of the lap
    closed: bool

    @property
    def length(self) -> float:
        """Length of the line, m."""
        around = np.concatenate((self.points, self.points[:1])) if self.closed else self.points
        return float(np.hypot(*np.diff(around, axis=0).T).sum())


def minimum_time_line(track: Track, limits: Limits | None = None, spacing: float = SPACING) -> Line:
    """Find the line and the speeds of the fastest lap.

    Args:
        track: where; a loop is driven with a flying start, an open track from rest.
        limits: what the car can do.
        spacing: m between the points, along the centre line.

    Raises:
        TrackError: there is no room on the track.
    """
    limits = limits or Limits()
    problem = _Problem(Corridor.of(track, limits.margin, spacing), limits)
    offset = problem.smoothest()
    return problem.line(*problem.fastest(offset, problem.speeds(offset)))


def minimum_curvature_line(track: Track, limits: Limits | None = None, spacing: float = SPACING) -> Line:
    """Find the line of minimum curvature and the fastest speeds on it; arguments as of `minimum_time_line`."""
    limits = limits or Limits()
    problem = _Problem(Corridor.of(track, limits.margin, spacing), limits)
    offset = problem.smoothest()
    return problem.line(offset, problem.speeds(offset))


class _Problem:
    """Terms and constraints of a corridor, for `racer_env.minimum_time.interior_point`."""

    def __init__(self, corridor: Corridor, limits: Limits):
        self.corridor, self.limits = corridor, limits
        k = len(corridor.station)
        self.nodes = np.arange(k)
        self.middles = self.nodes if corridor.closed else self.nodes[:-2]  #: the first of each three neighbours
        self.gaps = self.nodes if corridor.closed else self.nodes[:-1]  #: the first of each two neighbours

    def smoothest(self) -> Floats:
        """Offsets (k,) of the line of minimum curvature."""
        def bend(*n):
            return _bending(*self._steps(self.middles, n))

        c = self.corridor
        bounds = [Local(lambda n: c.low - n, self.nodes, 1), Local(lambda n: n - c.high, self.nodes, 1)]
        return minimise([Local(bend, self.middles, 3)], bounds, 0.5 * (c.low + c.high), 3)

    def _steps(self, first: Ints, offsets: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Vectors between points at neighbouring cross-sections from `first` on."""
        c = self.corridor
        at = []
        for j, n in enumerate(offsets):
            i = (first + j) % len(self.nodes)
            at.append((c.right[i, 0] + n * c.across[i, 0], c.right[i, 1] + n * c.across[i, 1]))
        return [(bx - ax, by - ay) for (ax, ay), (bx, by) in zip(at, at[1:])]

    def speeds(self, offset: Floats) -> Floats:
        k = len(self.nodes)
        points = self.corridor.points(offset)
        steps = np.roll(points, -1, axis=0)[: len(self.gaps)] - points[: len(self.gaps)]
        size = np.hypot(*steps.T)
        limits = self.limits
        m = self.middles
        before, after = steps[m], steps[(m + 1) % k]

        def accel(t0, t1):
            return _push(tuple(before.T), tuple(after.T), t0, t1, limits)

        constraints = [Local(lambda t: size / limits.top_speed - t, self.gaps, 1)]
        if math.isfinite(limits.grip_across):
            constraints.append(Local(accel, m, 2))
        if not self.corridor.closed:
            constraints.append(Local(lambda t: 2 * size[:1] / limits.grip_along / t ** 2 - 1, self.gaps[:1], 1))
        start = size / limits.top_speed
        if math.isfinite(limits.grip_across):
            worst = accel(start[m], start[(m + 1) % k]).max() + 1
            if not self.corridor.closed:
                worst = max(worst, 2 * size[0] / limits.grip_along / start[0] ** 2)
            start = start * max(1, worst ** 0.5)
        return minimise([Local(lambda t: t * 1.0, self.gaps, 1)], constraints, start * 1.05, 2)

    def fastest(self, offset: Floats, seconds: Floats):
        c, limits = self.corridor, self.limits
        k = len(self.nodes)
        x = np.zeros(2 * k)
        x[0::2] = offset
        x[1 : 2 * len(seconds) : 2] = seconds
        x = x[: k + len(seconds)]
        constraints = [
            Local(lambda n: c.low - n, 2 * self.nodes, 1),
            Local(lambda n: n - c.high, 2 * self.nodes, 1),
        ]

        def fast(n0, t0, n1):
            ((dx, dy),) = self._steps(self.gaps, (n0, n1))
            return (dx * dx + dy * dy) ** 0.5 / limits.top_speed - t0

        def accel(n0, t0, n1, t1, n2):
            a, b = self._steps(self.middles, (n0, n1, n2))
            return _push(a, b, t0, t1, limits)

        def begin(n0, t0, n1):
            ((dx, dy),) = self._steps(self.gaps[:1], (n0, n1))
            return 2 * (dx * dx + dy * dy) ** 0.5 / limits.grip_along / t0 ** 2 - 1

        constraints.append(Local(fast, 2 * self.gaps, 3))
        if math.isfinite(limits.grip_across):
            constraints.append(Local(accel, 2 * self.middles, 5))
        if not c.closed:
            constraints.append(Local(begin, 2 * self.gaps[:1], 3))
        x = minimise([Local(lambda t: t * 1.0, 2 * self.gaps + 1, 1)], constraints, x, 5)
        return x[0::2], x[1::2]

    def line(self, offset, seconds):
        points = self.corridor.points(offset)
        k = len(points)
        steps = (np.roll(points, -1, axis=0) - points)[: len(seconds)]
        v = np.hypot(*steps.T) / seconds
        if self.corridor.closed:
            tb = np.roll(seconds, 1)
            speed = (v * tb + np.roll(v, 1) * seconds) / (tb + seconds)
        else:
            speed = np.r_[0.0, 0.5 * (v[1:] + v[:-1]), v[-1]]
        time = np.r_[0.0, np.cumsum(seconds)]
        return Line(points, speed, self.corridor.station, time[:k], float(time[-1]), self.corridor.closed)


def _bending(a, b):
    (ax, ay), (bx, by) = a, b
    cross = ax * by - ay * bx
    wx, wy = ax + bx, ay + by
    return 2.0 * cross * cross / ((ax * ax + ay * ay) * (bx * bx + by * by) * (wx * wx + wy * wy) ** 0.5)


def _push(a, b, t0, t1, limits):
    (ax, ay), (bx, by) = a, b
    wx, wy = ax + bx, ay + by
    way = (wx * wx + wy * wy) ** 0.5
    across = (ax * by - ay * bx) / (t0 * t1 * way)
    along = ((bx * wx + by * wy) / t1 - (ax * wx + ay * wy) / t0) / ((t0 + t1) * way)
    return (across * (2.0 / limits.grip_across)) ** 2.0 + (along * (2.0 / limits.grip_along)) ** 2.0 - 1.0
