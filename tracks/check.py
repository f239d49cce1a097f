"""What is wrong with a route, and where.

An error makes a track useless or undrivable. A remark breaks a rule for tracks that are printed or taped, or
is what many of DeepRacer's own files have. The rules are those of AWS's page on building a track:
24 ± 3 inches wide or more, outside borders that turn with 25 inches or more. Rows count from 0, as in numpy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracks.measures import is_closed, radii, signed_area, stations, widths

Array = npt.NDArray[np.float64]

LEAST_WIDTH = 21 * 0.0254  #: m
LEAST_OUTSIDE_RADIUS = 25 * 0.0254  #: m
LEAST_ROWS, MOST_ROWS = 4, 10_000
FARTHEST = 1e5  #: m from the origin
SHARPEST_TURN = math.radians(150.0)  #: at one row; DeepRacer's own files reach 120°
LINES = {"centre line": slice(0, 2), "inner border": slice(2, 4), "outer border": slice(4, 6)}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `str` of it is a sentence that says what and where."""

    kind: str  #: one word or two for programs: ``shape``, ``not finite``, ``too narrow``, …
    message: str
    is_error: bool = True
    row: int | None = None
    x: float | None = None  #: m
    y: float | None = None  #: m

    def __str__(self) -> str:
        return self.message


def problems(route: npt.NDArray[np.generic]) -> list[Problem]:
    """Check a route: centre, inner and outer border, (N, 6), metres.

    Returns:
        Errors first, then remarks; none for a good track. When the numbers themselves are wrong, only that.
    """
    wrong = list(_numbers(route))
    if wrong:
        return wrong
    numbers = np.asarray(route, np.float64)
    found = list(_gap(numbers))
    closed = _mended(numbers) if found else numbers
    wide = widths(closed)
    # Lines that cross are narrow there, too: only the cause is said.
    found += list(_crossings(closed)) or chain(_reversals(closed), _sides(closed), _narrow(closed, wide))
    return found + list(chain(_swapped(closed), _repeated(numbers), _tight(closed, wide)))


def errors(route: npt.NDArray[np.generic]) -> list[Problem]:
    """Only those `problems` that are errors."""
    return [problem for problem in problems(route) if problem.is_error]


def _at(route: Array, row: int) -> str:
    return f"row {row} ({route[row, 0]:.2f}, {route[row, 1]:.2f})"


def _found(kind: str, message: str, route: Array, row: int, is_error: bool = True) -> Problem:
    return Problem(kind, message, is_error, int(row), float(route[row, 0]), float(route[row, 1]))


def _numbers(route: npt.NDArray[np.generic]) -> Iterator[Problem]:
    if route.dtype.kind not in "fiu":
        yield Problem("not numeric", f"the values are {route.dtype.name}, but must be numbers (float64)")
    elif route.ndim != 2 or route.shape[1] != 6:
        yield Problem(
            "shape", f"the shape is {route.shape}, but must be (N, 6): x, y of centre, inner and outer border"
        )
    elif not LEAST_ROWS <= len(route) <= MOST_ROWS:
        yield Problem("rows", f"there are {len(route)} rows, but a track has {LEAST_ROWS} to {MOST_ROWS}")
    elif not (fine := np.abs(route.astype(np.float64)) <= FARTHEST).all():
        row, column = np.argwhere(~fine)[0]
        message = f"row {row} holds {route[row, column]} in column {column}, but must be within ±{FARTHEST:g} m"
        yield Problem("not finite", message, row=int(row))
    elif stations(np.asarray(route[:, :2], np.float64))[-1] == 0.0:
        yield Problem("no length", "all rows have the same centre point")


def _gap(route: Array) -> Iterator[Problem]:
    """A loop must end in its first row; ends nearer than the road is wide cannot be those of an open road."""
    if is_closed(route):
        return
    steps = np.diff(stations(route[:, :2]))
    gap = float(np.hypot(*(route[-1, :2] - route[0, :2])))
    wide = float(np.median(np.hypot(*(route[:, 2:4] - route[:, 4:6]).T)))
    if gap <= max(wide, 2.0 * steps.max()) and gap < 0.5 * steps.sum():
        row = len(route) - 1
        apart = max(float(np.hypot(*(route[-1, line] - route[0, line]))) for line in LINES.values())
        where = f"{_at(route, row)} is {apart:.3g} m from row 0"
        yield _found("not closed", f"the loop is not closed: {where}, but must repeat it exactly", route, row)


def _mended(route: Array) -> Array:
    """Close a loop with a gap, so that the gap is not found a second time as something else."""
    gap = float(np.hypot(*(route[-1, :2] - route[0, :2])))
    step = float(np.median(np.diff(stations(route[:, :2]))))
    return np.concatenate([route[:-1] if gap < 0.5 * step else route, route[:1]])


def _crossings(route: Array) -> Iterator[Problem]:
    for name, line in LINES.items():
        pair = _crossing(route[:, line])
        if pair:
            message = f"the {name} crosses itself: {_at(route, pair[0])} and {_at(route, pair[1])}"
            yield _found("crosses itself", message, route, pair[0])
    for one, other in (
        ("inner border", "outer border"),
        ("centre line", "inner border"),
        ("centre line", "outer border"),
    ):
        pair = _crossing(route[:, LINES[one]], route[:, LINES[other]])
        if pair:
            message = f"the {one} and the {other} cross: {_at(route, pair[0])} and {_at(route, pair[1])}"
            yield _found("lines cross", message, route, pair[0])
            break


class Segments(NamedTuple):
    """Pieces of a polyline between one row and the next."""

    row: npt.NDArray[np.intp]  #: (s,) at which each begins
    begin: Array  #: (s, 2)
    end: Array  #: (s, 2)

    @classmethod
    def of(cls, line: Array) -> Segments:
        """Cut a polyline (p, 2), leaving out what has no length."""
        row = np.flatnonzero(np.any(line[:-1] != line[1:], axis=1))
        return cls(row, line[row], line[row + 1])

    def take(self, which: npt.NDArray[np.intp]) -> Segments:
        """Some of them, repeated as `which` (t,) repeats them."""
        return Segments(self.row[which], self.begin[which], self.end[which])


def _crossing(line: Array, other: Array | None = None) -> tuple[int, int] | None:
    """The first two rows after which a polyline (p, 2) meets another one (q, 2), or itself."""
    first = Segments.of(line)
    second = first if other is None else Segments.of(other)
    i, j = np.nonzero(_boxes_meet(first, second))
    if other is None:
        neighbours = (j <= i + 1) | (np.array_equal(line[0], line[-1]) & (i == 0) & (j == len(first.row) - 1))
        i, j = i[~neighbours], j[~neighbours]
    one, two = first.take(i), second.take(j)
    beside = _side(one.begin, one.end, two.begin) * _side(one.begin, one.end, two.end) > 0
    apart = beside | (_side(two.begin, two.end, one.begin) * _side(two.begin, two.end, one.end) > 0)
    if apart.all():
        return None
    k = int(np.argmin(apart))
    return int(one.row[k]), int(two.row[k])


def _reversals(route: Array) -> Iterator[Problem]:
    for name, line in LINES.items():
        parts = Segments.of(route[:, line])
        step = parts.end - parts.begin
        step /= np.hypot(step[:, 0], step[:, 1])[:, None]
        back = np.sum(step * np.roll(step, 1, axis=0), axis=1) < math.cos(SHARPEST_TURN)
        back[:1] &= is_closed(route)
        if back.any():
            row = int(parts.row[np.argmax(back)])
            yield _found("turns back", f"the {name} turns back on itself at {_at(route, row)}", route, row)


def _boxes_meet(first: Segments, second: Segments) -> npt.NDArray[np.bool_]:
    """Which of the boxes around segments (s,) and (t,) overlap, (s, t): only those segments can meet."""
    low, high = np.minimum(first.begin, first.end), np.maximum(first.begin, first.end)
    lower, higher = np.minimum(second.begin, second.end), np.maximum(second.begin, second.end)
    meet = np.ones((len(low), len(lower)), dtype=np.bool_)
    for axis in (0, 1):
        meet &= low[:, None, axis] <= higher[:, axis]
        meet &= lower[:, axis] <= high[:, None, axis]
    return meet


def _side(a: Array, b: Array, point: Array) -> npt.NDArray[np.float64]:
    """On which side of the line from a to b points (p, 2) lie: 1 left, -1 right, 0 on it."""
    u, v = b - a, point - a
    return np.sign(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def _sides(route: Array) -> Iterator[Problem]:
    """The borders of a row lie on different sides of the centre line."""
    rows, begin, end = Segments.of(route[:, :2])
    inner, outer = (_side(begin, end, route[rows, LINES[name]]) for name in ("inner border", "outer border"))
    same = np.flatnonzero(inner * outer > 0)
    if len(same):
        row = int(rows[same[0]])
        message = f"at {_at(route, row)} both borders lie on the same side of the centre line"
        yield _found("same side", message, route, row)


def _narrow(route: Array, wide: Array) -> Iterator[Problem]:
    if wide.min() < LEAST_WIDTH - 1e-9:
        across = np.hypot(*(route[:, 2:4] - route[:, 4:6]).T)
        row = int(np.argmin(np.where(wide < wide.min() + 1e-9, across, np.inf)))
        message = f"at {_at(route, row)} the road is {wide[row]:.2f} m wide, but {LEAST_WIDTH:.2f} m is the least"
        yield _found("too narrow", message, route, row)


def _swapped(route: Array) -> Iterator[Problem]:
    inner, outer = (abs(signed_area(route[:, LINES[name]])) for name in ("inner border", "outer border"))
    if is_closed(route) and inner > outer:
        yield _found(
            "swapped",
            "the inner border (columns 2 and 3) lies outside the outer one",
            route,
            0,
            is_error=False,
        )


def _repeated(route: Array) -> Iterator[Problem]:
    rows = np.flatnonzero(np.diff(stations(route[:, :2])) < 1e-9)
    if len(rows):
        message = f"{_at(route, int(rows[0]))} is repeated by the next row"
        more = f", and so are {len(rows) - 1} others" if len(rows) > 1 else ""
        yield _found("repeated", message + more, route, int(rows[0]), is_error=False)


def _tight(route: Array, wide: Array) -> Iterator[Problem]:
    outside = radii(route) + 0.5 * wide
    row = int(np.argmin(outside))
    if outside[row] < LEAST_OUTSIDE_RADIUS:
        limit = f"a physical track needs {LEAST_OUTSIDE_RADIUS:.2f} m"
        message = f"at {_at(route, row)} the outside border turns with a radius of {outside[row]:.2f} m; {limit}"
        yield _found("too tight", message, route, row, is_error=False)
