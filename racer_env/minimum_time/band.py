"""Symmetric matrices that are nearly diagonal, of variables along a chain or around a ring."""

from __future__ import annotations

import math

import numpy as np

from racer_env.kernel import Floats, kernel


@kernel
def _factor(band: Floats) -> bool:
    """Replace a band (m, b + 1) by that of its Cholesky factor; tell whether it is positive definite."""
    size, width = band.shape[0], band.shape[1] - 1
    for i in range(size):
        for j in range(max(0, i - width), i + 1):
            rest = band[i, i - j]
            for k in range(max(0, i - width), j):
                rest -= band[i, i - k] * band[j, j - k]
            if i > j:
                band[i, i - j] = rest / band[j, 0]
            elif rest > 0.0:
                band[i, 0] = math.sqrt(rest)
            else:
                return False
    return True


@kernel
def _substitute(band: Floats, sides: Floats) -> None:
    """Solve for right-hand sides (m, c), in place, with a factor (m, b + 1)."""
    size, width = band.shape[0], band.shape[1] - 1
    for c in range(sides.shape[1]):
        for i in range(size):
            for k in range(max(0, i - width), i):
                sides[i, c] -= band[i, i - k] * sides[k, c]
            sides[i, c] /= band[i, 0]
        for i in range(size - 1, -1, -1):
            for k in range(i + 1, min(size, i + width + 1)):
                sides[i, c] -= band[k, k - i] * sides[k, c]
            sides[i, c] /= band[i, 0]


def solve(band: Floats, side: Floats) -> Floats | None:
    """Solve a positive definite system of m >= 2 b equations.

    Args:
        band: (m, b + 1), in column j what variable i has in common with variable i - j, around the ring.
        side: right-hand side (m,).

    Returns:
        The solution (m,); None if the matrix is not positive definite.
    """
    width = band.shape[1] - 1
    size = len(side) - width  # the last variables are put aside: without them, a ring is a chain
    chain = band[:size].copy()
    border, corner = _put_aside(band, size)
    for i in range(width):
        chain[i, i + 1 :] = 0.0
    if not _factor(chain):
        return None
    sides = np.column_stack((side[:size], border))
    _substitute(chain, sides)
    corner -= border.T @ sides[:, 1:]
    try:
        np.linalg.cholesky(corner)
    except np.linalg.LinAlgError:
        return None
    last = np.linalg.solve(corner, side[size:] - border.T @ sides[:, 0])
    return np.concatenate((sides[:, 0] - sides[:, 1:] @ last, last))


def _put_aside(band: Floats, size: int) -> tuple[Floats, Floats]:
    """What the variables from `size` on have in common with those before (size, b), and with each other (b, b)."""
    width = band.shape[1] - 1
    border, corner = np.zeros((size, width)), np.zeros((width, width))
    for j in range(width + 1):
        for i in (*range(j), *range(size, size + width)):
            other = (i - j) % (size + width)
            if i >= size and other >= size:
                corner[i - size, other - size] = corner[other - size, i - size] = band[i, j]
            elif i >= size:
                border[other, i - size] += band[i, j]
            elif other >= size:
                border[i, other - size] += band[i, j]
    return border, corner
