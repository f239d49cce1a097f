"""Where points lie along and across a track's lines: the arrays and kernels behind `racer_env.track`.

Projections onto the polylines as they are, widths between nearest border points, waypoints by arc length, as in the
original (``markov/track_geom/track_data.py``). Exact for polylines; a curve between vertices does not exist.

Speed does not depend on the length of a track: the nearest segment is searched among the few that can be nearest
anywhere in the point's grid cell, and the road test reads only the edges that cross the point's horizontal band.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from racer_env.kernel import Floats, Ints, inlined_kernel, kernel

CELL = 0.25  #: m, side of a grid cell; 0.1 to 0.5 make no measurable difference
MARGIN = 1.5  #: m, how far the grid reaches beyond the borders; outside it every segment is searched
BAND = 0.05  #: m, height of a band of the road test
LANE_STEP = 1e-3  #: m, over which the direction of a lane is measured


class Grid(NamedTuple):
    """Square cells over the track and its surroundings."""

    left: float
    bottom: float
    columns: int
    rows: int


class Line(NamedTuple):
    """A polyline and, for each grid cell, the segments that can be nearest to a point of that cell."""

    points: Floats  #: (p, 2)
    station: Floats  #: (p,) arc length of each vertex
    first: Ints  #: (cells + 1,) where each cell's segments begin in `segments`
    segments: Ints  #: ascending within a cell, so that of two equally near segments the earlier one wins


class Geometry(NamedTuple):
    """What kernels see of a track."""

    centre: Line
    inner: Line
    outer: Line
    inner_lane: Line
    outer_lane: Line
    grid: Grid
    band_first: Ints  #: (bands + 1,) where each band's edges begin in `edges`
    edges: Floats  #: (e, 4) of the road's outline: y of the lower and the upper end, x of the lower one, x for each y
    normal: Floats  #: (p,) station over length of each centre vertex, the last one exactly 1
    length: float
    left_is_inner: bool  #: driving along the centre line, the inner border is on the left
    closed: bool


class Projection(NamedTuple):
    """The nearest point of a line."""

    station: float  #: m along the line
    distance: float  #: m from the point
    x: float
    y: float


@inlined_kernel
def _cell_of(x: float, y: float, grid: Grid) -> int:
    column, row = math.floor((x - grid.left) / CELL), math.floor((y - grid.bottom) / CELL)
    if column < 0 or row < 0 or column >= grid.columns or row >= grid.rows:
        return -1
    return int(row * grid.columns + column)


@inlined_kernel
def _along(points: Floats, i: int, x: float, y: float) -> tuple[float, float]:
    """Share of segment i at which it is nearest to (x, y), and the squared distance there."""
    ax, ay = points[i, 0], points[i, 1]
    dx, dy = points[i + 1, 0] - ax, points[i + 1, 1] - ay
    square = dx * dx + dy * dy
    share = 0.0
    if square > 0.0:
        share = min(max(((x - ax) * dx + (y - ay) * dy) / square, 0.0), 1.0)
    ex, ey = ax + share * dx - x, ay + share * dy - y
    return share, ex * ex + ey * ey


@inlined_kernel
def project(x: float, y: float, line: Line, grid: Grid) -> Projection:
    """Find the nearest point of a line; of several, the first along it."""
    points, station = line.points, line.station
    cell = _cell_of(x, y, grid)
    best, best_share, best_square = 0, 0.0, np.inf
    start, end = (line.first[cell], line.first[cell + 1]) if cell >= 0 else (0, len(points) - 1)
    for k in range(start, end):
        i = line.segments[k] if cell >= 0 else k
        share, square = _along(points, i, x, y)
        if square < best_square:
            best, best_share, best_square = i, share, square
    a, b = points[best], points[best + 1]
    along = station[best] + best_share * (station[best + 1] - station[best])
    return Projection(
        station[best + 1] if best_share == 1.0 else along,  # rounding must not miss a vertex
        math.sqrt(best_square),
        a[0] + best_share * (b[0] - a[0]),
        a[1] + best_share * (b[1] - a[1]),
    )


@inlined_kernel
def on_road(x: float, y: float, track: Geometry) -> bool:
    """Tell whether a point is on the road: between the borders, white lines included."""
    band = math.floor((y - track.grid.bottom) / BAND)
    if band < 0 or band >= len(track.band_first) - 1:
        return False
    crossed = 0
    for k in range(track.band_first[band], track.band_first[band + 1]):
        low, high, start, slope = track.edges[k, 0], track.edges[k, 1], track.edges[k, 2], track.edges[k, 3]
        crossed += (low <= y) & (y < high) & (x < start + (y - low) * slope)
    return crossed % 2 == 1


@inlined_kernel
def width_at(x: float, y: float, track: Geometry) -> float:
    """Distance between the inner and the outer border point nearest to a point of the centre line."""
    inner = project(x, y, track.inner, track.grid)
    outer = project(x, y, track.outer, track.grid)
    return math.hypot(inner.x - outer.x, inner.y - outer.y)


@inlined_kernel
def left_of_centre(x: float, y: float, track: Geometry) -> bool:
    """Tell whether a point is nearer to the border on the left, seen in driving direction."""
    inner = project(x, y, track.inner, track.grid)
    outer = project(x, y, track.outer, track.grid)
    return bool((inner.distance < outer.distance) == track.left_is_inner)


@inlined_kernel
def waypoints_around(share: float, normal: Floats) -> tuple[int, int]:
    """Indices of the waypoints behind and ahead of a share of the lap in [0, 1]."""
    n = len(normal)
    following = int(np.searchsorted(normal, share, side="right"))
    previous = following - 1
    return (n - 1 if previous < 0 else previous), (0 if following == n else following)


@kernel
def pose_on(line: Line, station: float, closed: bool) -> tuple[float, float, float]:
    """Point of a line at an arc length (wrapped on loops) and the direction from there to the next vertex."""
    points, stations = line.points, line.station
    length = stations[-1]
    s = station % length if closed else min(max(station, 0.0), length)
    i = min(int(np.searchsorted(stations, s, side="right")), len(points) - 1) - 1
    while i > 0 and stations[i + 1] <= stations[i]:
        i -= 1
    span = stations[i + 1] - stations[i]
    share = (s - stations[i]) / span if span > 0.0 else 0.0
    dx, dy = points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1]
    return points[i, 0] + share * dx, points[i, 1] + share * dy, math.atan2(dy, dx)


@kernel
def lane_pose(track: Geometry, station: float, lane: float) -> tuple[float, float, float]:
    """Point and direction of a smooth line, at a station of the centre line, from the outer lane (-1) to the inner (1).

    Lanes are half-way between the centre line and the borders, vertex by vertex, and rounded by a cubic spline.
    """
    x, y = _lane_point(track, station, lane)
    before, after = _lane_point(track, station - LANE_STEP, lane), _lane_point(track, station + LANE_STEP, lane)
    return x, y, math.atan2(after[1] - before[1], after[0] - before[0])


@kernel
def _lane_point(track: Geometry, station: float, lane: float) -> tuple[float, float]:
    """Interpolate between vertices with the tangents of a Catmull-Rom spline over stations."""
    stations, n = track.centre.station, len(track.centre.station)
    s = station % track.length if track.closed else min(max(station, 0.0), track.length)
    i = min(max(int(np.searchsorted(stations, s, side="right")) - 1, 0), n - 2)
    while i > 0 and stations[i + 1] <= stations[i]:
        i -= 1
    span = stations[i + 1] - stations[i]
    t = (s - stations[i]) / span if span > 0.0 else 0.0
    here, there = _lane_vertex(track, i, lane), _lane_vertex(track, i + 1, lane)
    leave, arrive = _lane_tangent(track, i, lane), _lane_tangent(track, i + 1, lane)
    a, b = (1.0 + 2.0 * t) * (1.0 - t) ** 2, t * (1.0 - t) ** 2 * span
    c, d = t * t * (3.0 - 2.0 * t), t * t * (t - 1.0) * span
    return (
        a * here[0] + b * leave[0] + c * there[0] + d * arrive[0],
        a * here[1] + b * leave[1] + c * there[1] + d * arrive[1],
    )


@kernel
def _lane_vertex(track: Geometry, i: int, lane: float) -> tuple[float, float]:
    inner, outer, share = track.inner_lane.points[i], track.outer_lane.points[i], 0.5 + 0.5 * lane
    return outer[0] + share * (inner[0] - outer[0]), outer[1] + share * (inner[1] - outer[1])


@kernel
def _lane_tangent(track: Geometry, i: int, lane: float) -> tuple[float, float]:
    """Metres of lane for each metre of the centre line at a vertex, from its two neighbours."""
    stations, last = track.centre.station, len(track.centre.station) - 1
    before, after, round_the_end = max(i - 1, 0), min(i + 1, last), 0.0
    if track.closed and i == 0:
        before, round_the_end = last - 1, track.length
    if track.closed and i == last:
        after, round_the_end = 1, track.length
    way = stations[after] - stations[before] + round_the_end
    a, b = _lane_vertex(track, before, lane), _lane_vertex(track, after, lane)
    return ((b[0] - a[0]) / way, (b[1] - a[1]) / way) if way > 0.0 else (0.0, 0.0)


def grid_around(bounds: tuple[float, float, float, float]) -> Grid:
    """Cover the left, bottom, right and top of a track, and its surroundings."""
    left, bottom, right, top = bounds
    columns, rows = (math.ceil((side + 2 * MARGIN) / CELL) for side in (right - left, top - bottom))
    return Grid(left - MARGIN, bottom - MARGIN, columns, rows)


def line(points: Floats, grid: Grid) -> Line:
    """Index a polyline (p, 2)."""
    points = np.ascontiguousarray(points)
    station = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return Line(points, station, *_near_segments(points, grid))


def _near_segments(points: Floats, grid: Grid) -> tuple[Ints, Ints]:
    """For each cell the segments that may be nearest to some point in it, as (first, segments)."""
    start, along = points[:-1], np.diff(points, axis=0)
    square = np.maximum(np.sum(along * along, axis=1), np.finfo(np.float64).tiny)
    reach = CELL * math.sqrt(2.0) + 1e-9  # twice from the middle of a cell to its corner
    dx = grid.left + (np.arange(grid.columns)[:, None] + 0.5) * CELL - start[:, 0]  # (columns, segments)
    counts, found = [np.zeros(1, np.int64)], []
    for row in range(grid.rows):
        dy = grid.bottom + (row + 0.5) * CELL - start[:, 1]
        share = np.clip((dx * along[:, 0] + dy * along[:, 1]) / square, 0.0, 1.0)
        ex, ey = dx - share * along[:, 0], dy - share * along[:, 1]
        distance = np.sqrt(ex * ex + ey * ey)
        near = distance <= distance.min(axis=1, keepdims=True) + reach
        counts.append(np.count_nonzero(near, axis=1))
        found.append(np.nonzero(near)[1])
    return np.cumsum(np.concatenate(counts)), np.concatenate(found)


def bands(outline: Floats, grid: Grid) -> dict[str, Any]:
    """For each band of y the edges that reach into it, of an outline (e, 4) of x, y, x, y."""
    up = outline[:, 1] <= outline[:, 3]
    (x, low, end, high) = np.where(up[:, None], outline, outline[:, (2, 3, 0, 1)]).T
    slope = np.divide(end - x, high - low, out=np.zeros_like(x), where=high > low)
    edges = np.stack((low, high, x, slope), axis=1)
    lowest, highest = (np.floor((y - grid.bottom) / BAND).astype(np.int64) for y in (low, high))
    inside = [np.flatnonzero((lowest <= b) & (b <= highest)) for b in range(int(highest.max()) + 1)]
    first = np.r_[0, np.cumsum([len(e) for e in inside])].astype(np.int64)
    return {"band_first": first, "edges": np.ascontiguousarray(edges[np.concatenate(inside)])}
