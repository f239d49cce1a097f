"""Minimises a sum of local terms under local constraints, over variables along a chain or around a ring.

Every term and constraint is a smooth function of a few neighbouring variables. A primal-dual interior-point method
(J. Nocedal, S. Wright, *Numerical Optimization*, 2nd edition, chapter 19) that stays strictly inside the constraints,
with exact second derivatives: a Newton step costs time proportional to the number of variables. It finds a local
minimum, the same one for the same beginning.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from racer_env.kernel import Floats, Ints
from racer_env.minimum_time.band import solve
from racer_env.minimum_time.jet import Jet

FIRST_BARRIER, LAST_BARRIER = 1e-2, 1e-6
MOST_STEPS = 300
_KEPT = 0.01  #: share of its distance from a constraint that a step keeps at least


class NoMinimum(ArithmeticError):  # noqa: N818 (reads as what happened)
    """The method did not end at a minimum."""


@dataclass(frozen=True)
class Local:
    """Functions of neighbouring variables: of variables ``first .. first + width - 1``, around the ring."""

    formula: Callable[..., Any]  #: takes `width` arrays (e,), or jets, and gives one
    first: Ints  #: (e,), all different
    width: int

    def places(self, size: int) -> Ints:
        """Indices (w, e) of the variables, of `size`."""
        return (np.arange(self.width)[:, None] + self.first) % size

    def values(self, x: Floats) -> Floats:
        """Values (e,) for variables (m,)."""
        out: Floats = self.formula(*x[self.places(len(x))])
        return out

    def jets(self, x: Floats) -> Jet:
        """The same with derivatives."""
        out: Jet = self.formula(*Jet.variables(x[self.places(len(x))]))
        return out


@dataclass(frozen=True)
class Problem:
    """What is to be made small, where every constraint is negative."""

    terms: Sequence[Local]
    constraints: Sequence[Local]

    @property
    def width(self) -> int:
        """Of the widest function."""
        return max(local.width for local in (*self.terms, *self.constraints))

    def slack(self, x: Floats) -> Floats:
        """How far inside its constraints (c,) a point (m,) is."""
        return -np.concatenate([c.values(x) for c in self.constraints])

    def merit(self, x: Floats, slack: Floats, barrier: float) -> float:
        """What a step must make smaller: the terms, and the barrier that grows towards the constraints."""
        return sum(float(t.values(x).sum()) for t in self.terms) - barrier * float(np.log(slack).sum())


def minimise(problem: Problem, start: Floats) -> Floats:
    """Minimise a sum under constraints.

    Args:
        problem: of at least twice as many variables as its widest function has.
        start: variables (m,) strictly inside the constraints.

    Returns:
        Variables (m,) at a local minimum; the sum is within 1e-6 for each constraint of what it is there.

    Raises:
        ValueError: `start` is not inside.
        NoMinimum: after `MOST_STEPS` steps there is none.
    """
    x, barrier, damping = start.copy(), FIRST_BARRIER, 0.0
    slack = problem.slack(x)
    if not (slack > 0.0).all():
        raise ValueError("the start must be strictly inside the constraints")
    forces = barrier / slack
    for _ in range(MOST_STEPS):
        here = _Expansion(problem, x)
        error = max(float(np.abs(here.gradient(forces)).max()), float(np.abs(forces * slack - barrier).max()))
        if error < 10.0 * barrier:
            if barrier <= LAST_BARRIER:
                return x
            barrier = max(0.2 * barrier, LAST_BARRIER)
        downhill = here.gradient(barrier / slack)
        step, damping = here.step(forces / slack, forces, downhill, damping)
        pushed = barrier / slack - forces + forces / slack * here.along(step)
        share = _share(problem, x, slack, step, barrier, float(downhill @ step))
        x = x + share * step
        slack = problem.slack(x)
        reach = min(1.0, (1.0 - _KEPT) / max(float(np.max(-pushed / forces)), 1e-12))
        forces = np.clip(forces + reach * pushed, 0.01 * barrier / slack, 100.0 * barrier / slack)
    raise NoMinimum(f"no minimum after {MOST_STEPS} steps")


def _share(problem: Problem, x: Floats, slack: Floats, step: Floats, barrier: float, slope: float) -> float:
    """How much of a step is taken: all of it, or half as much until it stays inside and goes downhill."""
    now = problem.merit(x, slack, barrier)
    for share in (0.5**halved for halved in range(40)):
        tried = x + share * step
        left = problem.slack(tried)
        if (left > _KEPT * slack).all():
            gained = problem.merit(tried, left, barrier) - now
            if gained <= 1e-4 * share * slope + 1e-12 * abs(now):
                return share
    raise NoMinimum("no step goes downhill")


class _Expansion:
    """A problem's functions around a point, to second order."""

    def __init__(self, problem: Problem, x: Floats):
        self.size, self.width = len(x), problem.width
        self.terms = [(t.places(self.size), t.jets(x)) for t in problem.terms]
        self.constraints = [(c.places(self.size), c.jets(x)) for c in problem.constraints]
        ends = np.cumsum([0, *(len(jet.value) for _, jet in self.constraints)]).tolist()
        self.parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.slope = np.zeros(self.size)
        for places, jet in self.terms:
            for rows, gradient in zip(places, jet.gradient, strict=True):
                self.slope[rows] += gradient

    def gradient(self, forces: Floats) -> Floats:
        """Gradient (m,) of the sum and of constraints that push with `forces` (c,)."""
        out = self.slope.copy()
        for part, (places, jet) in zip(self.parts, self.constraints, strict=True):
            for rows, gradient in zip(places, jet.gradient, strict=True):
                out[rows] += forces[part] * gradient
        return out

    def along(self, step: Floats) -> Floats:
        """Change of the constraints (c,) along a step (m,)."""
        return np.concatenate([np.sum(jet.gradient * step[places], axis=0) for places, jet in self.constraints])

    def step(self, stiffness: Floats, forces: Floats, downhill: Floats, damping: float) -> tuple[Floats, float]:
        """The Newton step (m,), and what had to be added to the diagonal so that it goes downhill."""
        band = np.zeros((self.size, self.width))
        for places, jet in self.terms:
            _add(band, places, jet.hessian)
        for part, (places, jet) in zip(self.parts, self.constraints, strict=True):
            outer = jet.gradient[:, None] * jet.gradient
            _add(band, places, forces[part] * jet.hessian + stiffness[part] * outer)
        tried = [0.0, *(max(1e-8, 0.25 * damping) * 4.0**times for times in range(60))]
        for added in tried:
            damped = band.copy()
            damped[:, 0] += added
            step = solve(damped, -downhill)
            if step is not None:
                return step, added
        raise NoMinimum("no step goes downhill")


def _add(band: Floats, places: Ints, hessian: Floats) -> None:
    for a in range(len(places)):
        for b in range(a + 1):
            band[places[a], a - b] += hessian[a, b]
