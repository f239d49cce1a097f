"""What can be measured on a route: lengths, widths and radii. Metres; rows are those of the file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RADIUS_REACH = 0.2  #: m, how far from a row the two others lie that fix its circle, at least
CHUNK = 256  #: points whose distances to a whole line are in memory at once


@dataclass(frozen=True)
class Measures:
    """The numbers of a track."""

    loop: bool
    direction: str  #: ``counter-clockwise``, ``clockwise`` or ``open``
    length: float  #: m, of the centre line
    width: float  #: m, mean over the rows
    narrowest: float  #: m
    widest: float  #: m
    sharpest_radius: float  #: m, of the centre line; infinite for a straight
    rows: int  #: of the route, with the closing one


def measure(route: Array) -> Measures:
    """Measure a route (N, 6) that has no errors (`tracks.problems`)."""
    loop = is_closed(route)
    wide = widths(route)
    around = "counter-clockwise" if signed_area(route[:, :2]) > 0 else "clockwise"
    return Measures(
        loop=loop,
        direction=around if loop else "open",
        length=float(stations(route[:, :2])[-1]),
        width=float(wide.mean()),
        narrowest=float(wide.min()),
        widest=float(wide.max()),
        sharpest_radius=float(radii(route).min()),
        rows=len(route),
    )


def is_closed(route: Array) -> bool:
    """Say if the last row repeats the first in all columns: that is what makes a loop, as in the original."""
    return bool(np.array_equal(route[0], route[-1]))


def stations(line: Array) -> Array:
    """Arc length (p,) at each point of a polyline (p, 2)."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])


def signed_area(ring: Array) -> float:
    """Area that a polyline (p, 2) encloses, m²; negative if it runs clockwise."""
    x, y = ring.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def nearest_points(points: Array, line: Array) -> Array:
    """For points (p, 2), the nearest points (p, 2) on a polyline (q, 2)."""
    begin, step = line[:-1], np.diff(line, axis=0)
    squared = np.maximum(np.sum(step * step, axis=1), 1e-300)
    found = [points[:0]]
    for some in np.split(points, range(CHUNK, len(points), CHUNK)):
        dx, dy = (some[:, None, axis] - begin[:, axis] for axis in (0, 1))
        share = np.clip((dx * step[:, 0] + dy * step[:, 1]) / squared, 0.0, 1.0)
        away = (dx - share * step[:, 0]) ** 2 + (dy - share * step[:, 1]) ** 2
        best = np.argmin(away, axis=1)
        found.append(begin[best] + share[np.arange(len(some)), best, None] * step[best])
    return np.concatenate(found)


def widths(route: Array) -> Array:
    """Width (N,) of the road at each row: between the border points that are nearest to the centre line."""
    centre = route[:, :2]
    across = nearest_points(centre, route[:, 2:4]) - nearest_points(centre, route[:, 4:6])
    return np.hypot(across[:, 0], across[:, 1])


def radii(route: Array) -> Array:
    """Radius (N,) of the centre line at each row: of the circle through it and a row on either side.

    Those are the nearest ones that are `RADIUS_REACH` away, so that rounded numbers do not look like corners.
    Infinite where the three lie on a line, and at the ends of an open track.
    """
    centre, closed = route[:, :2], is_closed(route)
    along = stations(centre)
    if closed:
        centre = np.concatenate([centre[:-1], centre[:-1], centre])
        along = np.concatenate([along[:-1] - along[-1], along[:-1], along + along[-1]])
    rows = np.arange(len(route)) + (len(route) - 1 if closed else 0)
    before = np.searchsorted(along, along[rows] - RADIUS_REACH + 1e-9, side="right") - 1
    after = np.searchsorted(along, along[rows] + RADIUS_REACH - 1e-9)
    out = np.full(len(route), math.inf)
    inside = (before >= 0) & (after < len(along))
    out[inside] = _circle_radii(centre[before[inside]], centre[rows[inside]], centre[after[inside]])
    return out


def _circle_radii(a: Array, b: Array, c: Array) -> Array:
    """Radii (p,) of the circles through three points (p, 2) each."""
    u, v = b - a, c - b
    twice_area = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    sides = np.hypot(*u.T) * np.hypot(*v.T) * np.hypot(*(c - a).T)
    straight = twice_area < 1e-9
    return np.where(straight, math.inf, sides / np.where(straight, 1.0, 2.0 * twice_area))
