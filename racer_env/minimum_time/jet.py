"""Numbers that know how they change: values with first and second derivatives by a few variables, many at a time.

Formulas written with ``+ - * / **`` work for plain arrays and, with exact derivatives, for these (forward
differentiation of second order; A. Griewank, A. Walther, *Evaluating Derivatives*, SIAM 2008, chapter 13).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.kernel import Floats


@dataclass(frozen=True, eq=False)
class Jet:
    """Values of e functions of w variables each, with their derivatives."""

    value: Floats  #: (e,)
    gradient: Floats  #: (e, w)
    hessian: Floats  #: (e, w, w)

    @classmethod
    def variables(cls, values: Floats) -> list[Jet]:
        """Give the w variables themselves, whose values are (e, w)."""
        e, w = values.shape
        zero, unit = np.zeros((e, w, w)), np.eye(w)
        return [cls(values[:, i], np.broadcast_to(unit[i], (e, w)), zero) for i in range(w)]

    def _through(self, value: Floats, first: Floats, second: Floats) -> Jet:
        """Apply a function of one variable, of which value and derivatives (e,) are given."""
        g = self.gradient
        bent = second[:, None, None] * (g[:, :, None] * g[:, None, :])
        return Jet(value, first[:, None] * g, bent + first[:, None, None] * self.hessian)

    def __add__(self, other: Quantity) -> Jet:
        if isinstance(other, Jet):
            return Jet(self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian)
        return Jet(self.value + other, self.gradient, self.hessian)

    def __mul__(self, other: Quantity) -> Jet:
        if not isinstance(other, Jet):
            by = np.broadcast_to(np.asarray(other, np.float64), self.value.shape)
            return Jet(by * self.value, by[:, None] * self.gradient, by[:, None, None] * self.hessian)
        a, b = self.value, other.value
        mixed = self.gradient[:, :, None] * other.gradient[:, None, :]
        bent = a[:, None, None] * other.hessian + b[:, None, None] * self.hessian
        gradient = a[:, None] * other.gradient + b[:, None] * self.gradient
        return Jet(a * b, gradient, bent + mixed + mixed.transpose(0, 2, 1))

    def __pow__(self, power: float) -> Jet:
        v = self.value
        return self._through(v**power, power * v ** (power - 1.0), power * (power - 1.0) * v ** (power - 2.0))

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.gradient, -self.hessian)

    def __sub__(self, other: Quantity) -> Jet:
        return self + -other

    def __rsub__(self, other: Floats | float) -> Jet:
        return -self + other

    def __truediv__(self, other: Quantity) -> Jet:
        return self * (other**-1.0)

    def __rtruediv__(self, other: Floats | float) -> Jet:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__
    #: So that numpy leaves `array * jet` to the jet.
    __array_ufunc__ = None


Quantity = Jet | Floats | float
