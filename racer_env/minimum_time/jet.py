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
    gradient: Floats  #: (w, e)
    hessian: Floats  #: (w, w, e)

    #: So that numpy leaves ``array * jet`` to the jet.
    __array_ufunc__ = None

    @classmethod
    def variables(cls, values: Floats) -> list[Jet]:
        """Give the w variables themselves, whose values are (w, e)."""
        w, e = values.shape
        zero, unit = np.zeros((w, w, e)), np.eye(w)
        return [cls(values[i], np.repeat(unit[i], e).reshape(w, e), zero) for i in range(w)]

    def __add__(self, other: Jet | Floats | float) -> Jet:
        if isinstance(other, Jet):
            return Jet(self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian)
        return Jet(self.value + other, self.gradient, self.hessian)

    def __mul__(self, other: Jet | Floats | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value * other, self.gradient * other, self.hessian * other)
        a, b = self.value, other.value
        mixed = self.gradient[:, None] * other.gradient
        bent = a * other.hessian + b * self.hessian + mixed + mixed.transpose(1, 0, 2)
        return Jet(a * b, a * other.gradient + b * self.gradient, bent)

    def __pow__(self, power: float) -> Jet:
        first = power * self.value ** (power - 1.0)
        second = power * (power - 1.0) * self.value ** (power - 2.0)
        g = self.gradient
        return Jet(self.value**power, first * g, (second * g)[:, None] * g + first * self.hessian)

    def __neg__(self) -> Jet:
        return self * -1.0

    def __sub__(self, other: Jet | Floats | float) -> Jet:
        return self + other * -1.0

    def __rsub__(self, other: Floats | float) -> Jet:
        return -self + other

    def __truediv__(self, other: Jet | Floats | float) -> Jet:
        return self * other**-1.0

    def __rtruediv__(self, other: Floats | float) -> Jet:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__
