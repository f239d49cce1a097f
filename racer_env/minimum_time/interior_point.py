"""Minimises a sum of local terms under local constraints, over variables along a chain or around a ring.

Every term and constraint is a smooth function of a few neighbouring variables. A primal-dual interior-point method
(J. Nocedal, S. Wright, *Numerical Optimization*, 2nd edition, chapter 19) that stays strictly inside the constraints,
with exact second derivatives: a Newton step costs time proportional to the number of variables. It finds a local
minimum, the same one for the same beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from racer_env.kernel import Floats, Ints
from racer_env.minimum_time.band import solve
from racer_env.minimum_time.jet import Jet

_FIRST_BARRIER, _LAST_BARRIER = 1e-2, 1e-6
_MOST_STEPS = 300
_KEPT = 0.01  #: share of the distance to a constraint that a step leaves at least


@dataclass(frozen=True)
class Local:
    """Functions of neighbouring variables: `formula` of variables ``first .. first + width - 1``, around the ring."""

    formula: Callable[..., Any]  #: takes `width` arrays (e,) or jets, gives one
    first: Ints  #: (e,), all different
    width: int

    def places(self, size: int) -> Ints:
        """Indices (e, w) of the variables."""
        return (self.first[:, None] + np.arange(self.width)) % size

    def values(self, x: Floats) -> Floats:
        """The functions' values (e,)."""
        out: Floats = self.formula(*x[self.places(len(x))].T)
        return out

    def jets(self, x: Floats) -> Jet:
        """The same with derivatives."""
        out: Jet = self.formula(*Jet.variables(x[self.places(len(x))]))
        return out


def minimise(terms: Sequence[Local], constraints: Sequence[Local], start: Floats, width: int) -> Floats:
    """Minimise the sum of `terms` where every one of `constraints` is negative.

    Args:
        terms: what is summed.
        constraints: functions that must stay negative.
        start: variables (m,) for which they all are, strictly.
        width: of the widest function.

    Returns:
        The variables (m,) at a local minimum, within about 1e-6 for each constraint.
    """
    x, barrier = start.copy(), _FIRST_BARRIER
    slack = [-c.values(x) for c in constraints]
    assert all((s > 0.0).all() for s in slack), "must start inside the constraints"
    forces = [barrier / s for s in slack]
    damping = 0.0
    for _ in range(_MOST_STEPS):
        objective, limits = [t.jets(x) for t in terms], [c.jets(x) for c in constraints]
        slack = [-g.value for g in limits]
        system = _System(terms, constraints, objective, limits, len(x), width)
        error = max(system.stationarity(forces), *(np.abs(f * s - barrier).max() for f, s in zip(forces, slack)))
        if error < 10.0 * barrier:
            if barrier <= _LAST_BARRIER:
                break
            barrier = max(0.2 * barrier, _LAST_BARRIER)
        step, damping = system.step(slack, forces, barrier, damping)
        pushes = [
            barrier / s - f + f / s * np.sum(g.gradient * step[c.places(len(x))], axis=1)
            for c, g, s, f in zip(constraints, limits, slack, forces, strict=True)
        ]
        share = _line_search(terms, constraints, x, step, barrier, slack, system.slope(slack, barrier, step))
        if share == 0.0:
            break
        x = x + share * step
        reach = min([1.0, *((1.0 - _KEPT) / max(np.max(-p / f), 1e-12) for p, f in zip(pushes, forces, strict=True))])
        forces = [f + reach * p for f, p in zip(forces, pushes, strict=True)]
        slack = [-c.values(x) for c in constraints]
        forces = [np.clip(f, 0.01 * barrier / s, 100.0 * barrier / s) for f, s in zip(forces, slack)]
    return x


class _System:
    """The Newton system at a point."""

    def __init__(
        self,
        terms: Sequence[Local],
        constraints: Sequence[Local],
        objective: Sequence[Jet],
        limits: Sequence[Jet],
        size: int,
        width: int,
    ):
        self.terms, self.constraints, self.objective, self.limits = terms, constraints, objective, limits
        self.size, self.width = size, width
        self.downhill = np.zeros(size)
        for t, f in zip(terms, objective, strict=True):
            self._add_gradient(self.downhill, t, f.gradient)

    def _add_gradient(self, out: Floats, local: Local, gradient: Floats) -> None:
        places = local.places(self.size)
        for a in range(local.width):
            out[places[:, a]] += gradient[:, a]

    def _with(self, forces: Sequence[Floats]) -> Floats:
        """Gradient (m,) of the objective and of constraints that push with `forces`."""
        out = self.downhill.copy()
        for c, g, f in zip(self.constraints, self.limits, forces, strict=True):
            self._add_gradient(out, c, f[:, None] * g.gradient)
        return out

    def stationarity(self, forces: Sequence[Floats]) -> float:
        return float(np.abs(self._with(forces)).max())

    def slope(self, slack: Sequence[Floats], barrier: float, step: Floats) -> float:
        return float(self._with([barrier / s for s in slack]) @ step)

    def step(self, slack, forces, barrier, damping):
        band = np.zeros((self.size, self.width))
        for t, f in zip(self.terms, self.objective, strict=True):
            self._add_hessian(band, t, f.hessian)
        for c, g, s, f in zip(self.constraints, self.limits, slack, forces, strict=True):
            outer = g.gradient[:, :, None] * g.gradient[:, None, :]
            self._add_hessian(band, c, f[:, None, None] * g.hessian + (f / s)[:, None, None] * outer)
        side = -self._with([barrier / s for s in slack])
        used = 0.0
        scale = 1.0
        while True:
            damped = band.copy()
            damped[:, 0] += used * scale
            step = solve(damped, side)
            if step is not None:
                return step, used
            used = max(1e-8, 0.25 * damping) if used == 0.0 else 4.0 * used

    def _add_hessian(self, band, local, hessian):
        places = local.places(self.size)
        for a in range(local.width):
            for b in range(a + 1):
                band[places[:, a], a - b] += hessian[:, a, b]


def _line_search(terms, constraints, x, step, barrier, slack, slope) -> float:
    def merit(x, slack):
        return sum(float(t.values(x).sum()) for t in terms) - barrier * sum(float(np.log(s).sum()) for s in slack)

    now, share = merit(x, slack), 1.0
    while share > 1e-10:
        tried = x + share * step
        left = [-c.values(tried) for c in constraints]
        if all((new > _KEPT * old).all() for new, old in zip(left, slack, strict=True)):
            if merit(tried, left) <= now + 1e-4 * share * slope + 1e-12 * abs(now):
                return share
        share *= 0.5
    return 0.0
