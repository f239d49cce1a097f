"""The minimisations behind a minimum-time line: of curvature, of the time on a given line, and of both together.

The unknowns are where a line crosses each cross-section of a corridor, and the time from each to the next; speeds and
accelerations are their differences. Formulas take numbers and `racer_env.minimum_time.jet.Jet` alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from racer_env.errors import TrackError
from racer_env.kernel import Floats, Ints
from racer_env.minimum_time.corridor import Corridor
from racer_env.minimum_time.interior_point import Local, Problem, minimise
from racer_env.minimum_time.limits import Limits

#: 1/m², what a metre of the smoothest line costs beside its curvature squared. Without, it swings out wherever there
#: is room; of 0.01 to 1, this one gives the fastest lines on DeepRacer's tracks. Less is tried where a car cannot
#: turn as sharply as the line does.
TENSIONS = (1.0, 0.1, 0.0)
_SHARPEST = 0.98  #: of what a car can turn, for the line to begin with
_INSIDE = 0.02  #: of a corridor's width that lies between the line to begin with and the borders
_SLOWER = 1.02  #: times the fastest times, to begin with


class Step(NamedTuple):
    """From a point to the next, m; numbers, arrays or jets."""

    x: Any
    y: Any

    @property
    def square(self) -> Any:
        """Its length squared."""
        return self.x * self.x + self.y * self.y


def _turn(before: Step, after: Step) -> Any:
    """Cross product of two steps."""
    return before.x * after.y - before.y * after.x


def _both(before: Step, after: Step) -> Step:
    return Step(before.x + after.x, before.y + after.y)


def curvature(before: Step, after: Step) -> Any:
    """Curvature (1/m, to the left) of the circle through three points, of which two steps are given."""
    return _turn(before, after) * 2.0 * (before.square * after.square * _both(before, after).square) ** -0.5


def acceleration(before: Step, after: Step, t0: Any, t1: Any) -> tuple[Any, Any]:
    """Acceleration (m/s²) across, to the left, and along the way of a point that takes two steps in t0 and t1 s."""
    way = _both(before, after)
    across = _turn(before, after) * 2.0 / (t0 * t1 * way.square**0.5)
    ahead = (after.x * way.x + after.y * way.y) / t1 - (before.x * way.x + before.y * way.y) / t0
    return across, ahead * 2.0 / ((t0 + t1) * way.square**0.5)


class Road:
    """The minimisations for one corridor and a car's limits.

    A loop is driven with a flying start. An open road is driven from rest.
    """

    def __init__(self, corridor: Corridor, limits: Limits, name: str):
        self.corridor, self.limits, self.name = corridor, limits, name
        self.nodes = np.arange(len(corridor.station))
        self.gaps = self.nodes if corridor.closed else self.nodes[:-1]  #: the first of each two neighbours
        self.threes = self.nodes if corridor.closed else self.nodes[:-2]  #: the first of each three

    def smoothest(self) -> Floats:
        """Offsets (k,) of the line of minimum curvature that the car can turn along.

        Raises:
            TrackError: it cannot.
        """
        for tension in TENSIONS:
            offset = self._smooth(tension)
            sharpest = float(np.abs(curvature(*self._pair(offset))).max())
            if sharpest * self.limits.turning_radius < _SHARPEST:
                return offset
        raise TrackError(
            f"track {self.name} has a bend of {1.0 / sharpest:.2f} m at best, "
            f"but the car turns on {self.limits.turning_radius:.2f} m"
        )

    def _smooth(self, tension: float) -> Floats:
        def cost(*offsets: Any) -> Any:
            before, after = self._steps(self.threes, offsets)
            lengths = before.square**0.5 + after.square**0.5
            return (curvature(before, after) ** 2.0 + tension) * lengths * 0.5

        return minimise(Problem([Local(cost, self.threes, 3)], self._borders(1)), self.corridor.middle)

    def fastest_speeds(self, offset: Floats) -> Floats:
        """Times (s) of the gaps, with which a car drives a line with offsets (k,) fastest."""
        before, after = self._pair(offset)
        (steps,) = self._steps(self.gaps, (offset[self.gaps], offset[(self.gaps + 1) % len(offset)]))
        first = Step(steps.x[:1], steps.y[:1])
        constraints = [Local(lambda t: self._too_fast(steps, t), self.gaps, 1)]
        constraints += [
            Local(lambda t0, t1, f=formula: f(before, after, t0, t1), self.threes, 2) for formula in self._pushes()
        ]
        if not self.corridor.closed:
            constraints.append(Local(lambda t: self._launch(first, t), self.gaps[:1], 1))
        problem = Problem([Local(lambda t: t * 1.0, self.gaps, 1)], constraints)
        start = steps.square**0.5 / self.limits.top_speed * _SLOWER
        while not (problem.slack(start) > 0.0).all():
            start = start * 1.3
        found: Floats = minimise(problem, start)
        return found

    def fastest(self, offset: Floats) -> tuple[Floats, Floats]:
        """Offsets (k,), and times of the gaps, of the fastest lap near a line with offsets (k,)."""
        low, high = self.corridor.low, self.corridor.high
        offset = low + (high - low) * (_INSIDE + (1.0 - 2.0 * _INSIDE) * (offset - low) / (high - low))
        times = self.fastest_speeds(offset) * _SLOWER
        start = np.empty(len(offset) + len(times))  # one after the other, so that neighbours are near
        start[0::2], start[1::2] = offset, times
        found = minimise(self._whole(), start)
        return found[0::2], found[1::2]

    def _whole(self) -> Problem:
        def fast(n0: Any, t: Any, n1: Any) -> Any:
            return self._too_fast(self._steps(self.gaps, (n0, n1))[0], t)

        def launch(n0: Any, t: Any, n1: Any) -> Any:
            return self._launch(self._steps(self.gaps[:1], (n0, n1))[0], t)

        def pushes(formula: Callable[..., Any]) -> Callable[..., Any]:
            return lambda n0, t0, n1, t1, n2: formula(*self._steps(self.threes, (n0, n1, n2)), t0, t1)

        constraints = [*self._borders(2), Local(fast, 2 * self.gaps, 3)]
        constraints += [Local(pushes(formula), 2 * self.threes, 5) for formula in self._pushes()]
        if not self.corridor.closed:
            constraints.append(Local(launch, 2 * self.gaps[:1], 3))
        return Problem([Local(lambda t: t * 1.0, 2 * self.gaps + 1, 1)], constraints)

    def _borders(self, every: int) -> list[Local]:
        """Keep offsets, which are every first or second variable, inside the corridor."""
        low, high, places = self.corridor.low, self.corridor.high, every * self.nodes
        return [Local(lambda n: low - n, places, 1), Local(lambda n: n - high, places, 1)]

    def _pushes(self) -> list[Callable[..., Any]]:
        """Constraints of two steps and their times."""
        limits = self.limits

        def ellipse(before: Step, after: Step, t0: Any, t1: Any) -> Any:
            across, along = acceleration(before, after, t0, t1)
            return (across / limits.grip_across) ** 2.0 + (along / limits.grip_along) ** 2.0 - 1.0

        def steering(before: Step, after: Step, t0: Any, t1: Any) -> Any:
            across, _ = acceleration(before, after, t0, t1)
            asked = curvature(before, after) * limits.turning_radius + across * limits.understeer
            return asked**2.0 - 1.0

        steers = limits.turning_radius > 0.0 or limits.understeer > 0.0
        return [ellipse] * limits.has_grip_limit + [steering] * steers

    def _too_fast(self, step: Step, t: Any) -> Any:
        return step.square**0.5 / self.limits.top_speed - t

    def _launch(self, step: Step, t: Any) -> Any:
        """From rest, at constant acceleration."""
        if math.isinf(self.limits.grip_along):
            return -t
        return step.square**0.5 * (2.0 / self.limits.grip_along) / (t * t) - 1.0

    def _pair(self, offset: Floats) -> list[Step]:
        count = len(offset)
        return self._steps(self.threes, [offset[(self.threes + i) % count] for i in range(3)])

    def _steps(self, first: Ints, offsets: Any) -> list[Step]:
        """Steps between the points that offsets mark on neighbouring cross-sections, from `first` on."""
        corridor, points = self.corridor, []
        for j, offset in enumerate(offsets):
            i = (first + j) % len(self.nodes)
            (x, y), (left_x, left_y) = corridor.right[i].T, corridor.across[i].T
            points.append((offset * left_x + x, offset * left_y + y))
        return [Step(bx - ax, by - ay) for (ax, ay), (bx, by) in pairwise(points)]
