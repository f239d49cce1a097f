"""Derivatives are those that small differences show, and arrays give the same values."""

from __future__ import annotations

from typing import Any

import numpy as np

from racer_env.minimum_time.jet import Jet

POINTS = np.random.default_rng(0).uniform(0.5, 2.0, (3, 7))


def formula(x: Any, y: Any, z: Any) -> Any:
    return (1.0 - x / y + 3.0 * z**1.5 - 2.0) * (x * y - z) ** 2.0 / (x + 0.5 / z) - y


def test_values_are_those_of_arrays() -> None:
    np.testing.assert_allclose(formula(*Jet.variables(POINTS)).value, formula(*POINTS), rtol=1e-12)


def test_derivatives_are_those_of_small_differences() -> None:
    jet, h = formula(*Jet.variables(POINTS)), 1e-5
    for i in range(3):
        step = h * np.eye(3)[i][:, None]
        further, nearer = (formula(*Jet.variables(POINTS + s)) for s in (step, -step))
        np.testing.assert_allclose(jet.gradient[i], (further.value - nearer.value) / (2 * h), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(jet.hessian[i], (further.gradient - nearer.gradient) / (2 * h), rtol=1e-6, atol=1e-6)


def test_an_array_from_the_left_leaves_the_arithmetic_to_the_jet() -> None:
    (x, *_) = Jet.variables(POINTS)
    for found, factor in ((POINTS[1] * x, POINTS[1]), (POINTS[1] + x, np.ones(7)), (POINTS[1] - x, -np.ones(7))):
        assert isinstance(found, Jet)
        np.testing.assert_allclose(found.gradient[0], factor)
