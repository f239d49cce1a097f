"""Bands are solved like full matrices, and a minimum is where the textbook says it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from racer_env.kernel import Floats
from racer_env.minimum_time.band import solve
from racer_env.minimum_time.interior_point import Local, NoMinimum, Problem, minimise


def ring(size: int, width: int) -> tuple[Floats, Floats]:
    """A positive definite matrix (m, m) of a ring, and its band."""
    rng, full = np.random.default_rng(size), np.zeros((size, size))
    band = rng.uniform(-1.0, 1.0, (size, width + 1))
    band[:, 0] += 2.0 * width + 1.0
    for i in range(size):
        for j in range(width + 1):
            full[i, (i - j) % size] = full[(i - j) % size, i] = band[i, j]
    return full, band


@pytest.mark.parametrize(("size", "width"), [(8, 4), (9, 4), (40, 4), (40, 1), (5, 0)])
def test_a_ring_is_solved_like_the_full_matrix(size: int, width: int) -> None:
    (full, band), side = ring(size, width), np.arange(size, dtype=np.float64)
    found = solve(band, side)
    assert found is not None
    if size > 2 * width:
        np.testing.assert_allclose(found, np.linalg.solve(full, side), rtol=1e-9)
    else:  # the smallest ring: i and i - b are neighbours both ways round, and count once in `full`
        assert np.isfinite(found).all()


@pytest.mark.parametrize("at", [0, 17, 39])
def test_a_matrix_that_is_not_positive_definite_is_refused(at: int) -> None:
    _, band = ring(40, 4)
    band[at, 0] = -20.0
    assert solve(band, np.ones(40)) is None


def chain(goal: Floats) -> Problem:
    """Neighbours want to be alike, each wants to be at its goal, and all must stay below 1."""
    k = np.arange(len(goal))

    def apart(a: Any, b: Any) -> Any:
        return (a - b) ** 2.0

    return Problem(
        [Local(lambda x: (x - goal) ** 2.0, k, 1), Local(apart, k[:-1], 2)], [Local(lambda x: x - 1.0, k, 1)]
    )


def test_without_pressing_constraints_the_minimum_is_that_of_the_normal_equations() -> None:
    goal = np.linspace(-2.0, 0.0, 12)
    matrix = np.eye(12) + np.diff(np.eye(12), axis=0).T @ np.diff(np.eye(12), axis=0)
    found = minimise(chain(goal), np.full(12, -1.0))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, goal), atol=1e-5)


def test_what_is_pressed_against_a_constraint_ends_there() -> None:
    found = minimise(chain(np.full(12, 3.0)), np.zeros(12))
    np.testing.assert_allclose(found, 1.0, atol=1e-5)
    assert (found < 1.0).all()


def test_a_start_outside_and_a_sum_without_minimum_are_refused() -> None:
    with pytest.raises(ValueError, match="strictly inside"):
        minimise(chain(np.zeros(12)), np.full(12, 1.0))
    k = np.arange(12)
    with pytest.raises(NoMinimum):
        minimise(Problem([Local(lambda x: x * 1.0, k, 1)], [Local(lambda x: x - 1.0, k, 1)]), np.zeros(12))
