"""A track: its lines, where a point lies along and across it, and where a car starts.

World frame of the route file, metres and radians. A route has three lines, vertex by vertex: centre, inner border and
outer border; the borders are the *outside* edges of the white lines. Everything a reward function is told about the
track follows the original (spec/simulator.md 1.3 to 1.6 and 9.1): projections onto the polylines as they are, widths
between nearest border points, waypoints by arc length. Exact for polylines; a curve between vertices does not exist.

Speed does not depend on the length of a track: the nearest segment is searched among the few that can be nearest
anywhere in the point's grid cell, and the road test reads only the edges that cross the point's horizontal band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tracks
from racer_env.errors import TrackError
from racer_env.kernel import Bools, Floats, Ints, kernel

CELL = 0.25  #: m, side of a grid cell; 0.1 to 0.5 make no measurable difference
MARGIN = 1.5  #: m, how far the grid reaches beyond the borders; outside it every segment is searched
BAND = 0.1  #: m, height of a band of the road test


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
    edges: Floats  #: (e, 4) x, y, x, y of the road's outline
    band_first: Ints  #: (bands + 1,)
    band_edges: Ints
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


@kernel
def _cell_of(x: float, y: float, grid: Grid) -> int:
    column, row = math.floor((x - grid.left) / CELL), math.floor((y - grid.bottom) / CELL)
    if column < 0 or row < 0 or column >= grid.columns or row >= grid.rows:
        return -1
    return int(row * grid.columns + column)


@kernel
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


@kernel
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
    return Projection(
        station[best] + best_share * (station[best + 1] - station[best]),
        math.sqrt(best_square),
        a[0] + best_share * (b[0] - a[0]),
        a[1] + best_share * (b[1] - a[1]),
    )


@kernel
def on_road(x: float, y: float, track: Geometry) -> bool:
    """Tell whether a point is on the road: between the borders, white lines included."""
    bands = len(track.band_first) - 1
    band = math.floor((y - track.grid.bottom) / BAND)
    if band < 0 or band >= bands:
        return False
    inside = False
    for k in range(track.band_first[band], track.band_first[band + 1]):
        edge = track.edges[track.band_edges[k]]
        if (edge[1] > y) != (edge[3] > y):
            crossing = edge[0] + (y - edge[1]) * (edge[2] - edge[0]) / (edge[3] - edge[1])
            if x < crossing:
                inside = not inside
    return inside


@kernel
def width_at(x: float, y: float, track: Geometry) -> float:
    """Distance between the inner and the outer border point nearest to a point of the centre line."""
    inner = project(x, y, track.inner, track.grid)
    outer = project(x, y, track.outer, track.grid)
    return math.hypot(inner.x - outer.x, inner.y - outer.y)


@kernel
def left_of_centre(x: float, y: float, track: Geometry) -> bool:
    """Tell whether a point is nearer to the border on the left, seen in driving direction."""
    inner = project(x, y, track.inner, track.grid)
    outer = project(x, y, track.outer, track.grid)
    return bool((inner.distance < outer.distance) == track.left_is_inner)


@kernel
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
def _near_segments(points: Floats, grid: Grid) -> tuple[Ints, Ints]:
    """For each cell the segments that may be nearest to some point in it, as (first, segments)."""
    count = len(points) - 1
    cells = grid.columns * grid.rows
    reach = CELL * math.sqrt(2.0)  # twice from the middle of a cell to its corner
    first = np.zeros(cells + 1, np.int64)
    found = np.empty(cells * 8, np.int64)
    distance = np.empty(count)
    used = 0
    for cell in range(cells):
        x = grid.left + (cell % grid.columns + 0.5) * CELL
        y = grid.bottom + (cell // grid.columns + 0.5) * CELL
        for i in range(count):
            distance[i] = math.sqrt(_along(points, i, x, y)[1])
        limit = distance.min() + reach + 1e-9
        for i in range(count):
            if distance[i] <= limit:
                if used == len(found):
                    found = np.concatenate((found, np.empty(len(found), np.int64)))
                found[used] = i
                used += 1
        first[cell + 1] = used
    return first, found[:used].copy()


@kernel
def _project_all(xy: Floats, line: Line, grid: Grid, out: Floats) -> None:
    for i in range(len(xy)):
        found = project(xy[i, 0], xy[i, 1], line, grid)
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = found.station, found.distance, found.x, found.y


@kernel
def _contains_all(xy: Floats, track: Geometry, out: Bools) -> None:
    for i in range(len(xy)):
        out[i] = on_road(xy[i, 0], xy[i, 1], track)


@kernel
def _widths(xy: Floats, track: Geometry, out: Floats) -> None:
    for i in range(len(xy)):
        out[i] = width_at(xy[i, 0], xy[i, 1], track)


@kernel
def _poses(line: Line, stations: Floats, closed: bool, out: Floats) -> None:
    for i in range(len(stations)):
        out[i, 0], out[i, 1], out[i, 2] = pose_on(line, stations[i], closed)


def _signed_area(ring: Floats) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


@dataclass(frozen=True, eq=False)
class Track:
    """A track in one driving direction, made from a route (p, 6): centre, inner and outer x, y."""

    name: str
    route: Floats
    is_reversed: bool = False  #: the points are used in reverse order (the original's REVERSE_DIR)

    @classmethod
    def from_route(cls, route: Floats, name: str, *, reverse: bool = False, drop_duplicates: bool = False) -> Track:
        """Make a track of a checked route (p, 6).

        Args:
            route: centre x, y, inner x, y, outer x, y, metres; a loop repeats its first row at the end.
            name: what it is called in results.
            reverse: drive the points in reverse order.
            drop_duplicates: leave out repeated centre points, as the newest original (version 6) does; waypoint
                indices then differ from the file's.

        Raises:
            TrackError: the route breaks a rule that a track needs; says which and where.
        """
        wrong = [p for p in tracks.problems(route) if p.is_error]
        if wrong:
            raise TrackError(f"track {name}: {wrong[0]}")
        used = np.array(route, dtype=np.float64)
        if drop_duplicates:
            step = np.hypot(*np.diff(used[:, :2], axis=0).T)
            used = used[np.r_[True, step > 1e-9]]
        return cls(name, used[::-1].copy() if reverse else used, reverse)

    @property
    def centre(self) -> Floats:
        """Centre line (p, 2)."""
        return self.route[:, 0:2]

    @property
    def inner(self) -> Floats:
        """Inner border (p, 2), as the file names it."""
        return self.route[:, 2:4]

    @property
    def outer(self) -> Floats:
        """Outer border (p, 2)."""
        return self.route[:, 4:6]

    @property
    def closed(self) -> bool:
        """Whether the track is a loop: its last row repeats its first."""
        return bool(np.array_equal(self.route[0], self.route[-1]))

    @property
    def counter_clockwise(self) -> bool:
        """Whether it is driven counter-clockwise; an open track counts as such unless reversed."""
        forward = _signed_area(self.centre) > 0.0 if self.closed else not self.is_reversed
        return bool(forward)

    @property
    def length(self) -> float:
        """Length of the centre line, m."""
        return self.geometry.length

    @cached_property
    def width(self) -> float:
        """Mean width over the vertices, m."""
        return float(np.mean(self.widths(self.centre)))

    @cached_property
    def waypoints(self) -> list[tuple[float, float]]:
        """The centre line as reward functions see it."""
        return [(x, y) for x, y in self.centre.tolist()]

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of both borders, m."""
        both = np.concatenate((self.inner, self.outer))
        (left, bottom), (right, top) = both.min(axis=0), both.max(axis=0)
        return float(left), float(bottom), float(right), float(top)

    @cached_property
    def geometry(self) -> Geometry:
        """The arrays that kernels read."""
        left, bottom, right, top = self.bounds
        grid = Grid(
            left - MARGIN,
            bottom - MARGIN,
            math.ceil((right - left + 2 * MARGIN) / CELL),
            math.ceil((top - bottom + 2 * MARGIN) / CELL),
        )
        centre = _line(self.centre, grid)
        edges = self._outline()
        return Geometry(
            centre=centre,
            inner=_line(self.inner, grid),
            outer=_line(self.outer, grid),
            inner_lane=_line(0.5 * (self.centre + self.inner), grid),
            outer_lane=_line(0.5 * (self.centre + self.outer), grid),
            grid=grid,
            edges=edges,
            **_bands(edges, grid),
            normal=np.r_[centre.station[:-1] / centre.station[-1], 1.0],
            length=float(centre.station[-1]),
            left_is_inner=self.counter_clockwise,
            closed=self.closed,
        )

    def _outline(self) -> Floats:
        """Edges (e, 4) around the road: two rings for a loop, one for an open track."""
        if self.closed:
            rings = [self.inner, self.outer]
        else:
            ring = np.concatenate((self.outer, self.inner[::-1]))
            rings = [np.concatenate((ring, ring[:1]))]
        return np.concatenate([np.hstack((ring[:-1], ring[1:])) for ring in rings])

    def project(self, points: Floats) -> Floats:
        """Project points (k, 2) onto the centre line: (k, 4) station, distance, x, y."""
        out = np.empty((len(points), 4))
        _project_all(np.ascontiguousarray(points, np.float64), self.geometry.centre, self.geometry.grid, out)
        return out

    def contains(self, points: Floats) -> Bools:
        """Tell for points (k, 2) whether they are on the road."""
        out = np.empty(len(points), np.bool_)
        _contains_all(np.ascontiguousarray(points, np.float64), self.geometry, out)
        return out

    def widths(self, points: Floats) -> Floats:
        """Track width (k,) at points (k, 2) of the centre line."""
        out = np.empty(len(points))
        _widths(np.ascontiguousarray(points, np.float64), self.geometry, out)
        return out

    def poses(self, stations: Floats, lane: str = "centre") -> Floats:
        """Poses (k, 3) x, y, yaw on the line `centre`, `inner_lane` or `outer_lane` at arc lengths (k,)."""
        out = np.empty((len(stations), 3))
        line: Line = getattr(self.geometry, lane)
        _poses(line, np.ascontiguousarray(stations, np.float64), self.closed, out)
        return out


def _line(points: Floats, grid: Grid) -> Line:
    points = np.ascontiguousarray(points)
    station = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return Line(points, station, *_near_segments(points, grid))


def _bands(edges: Floats, grid: Grid) -> dict[str, Ints]:
    """For each band of y the edges that reach into it."""
    low, high = np.sort(edges[:, (1, 3)], axis=1).T
    lowest, highest = (np.floor((y - grid.bottom) / BAND).astype(np.int64) for y in (low, high))
    inside = [np.flatnonzero((lowest <= b) & (b <= highest)) for b in range(int(highest.max()) + 1)]
    first = np.r_[0, np.cumsum([len(e) for e in inside])].astype(np.int64)
    return {"band_first": first, "band_edges": np.concatenate(inside).astype(np.int64)}


def find_track(name: str | Path, *, reverse: bool = False) -> Track:
    """Find a track by a path (``.npy`` or ``.toml``), a shipped name or the name of an imported one.

    Raises:
        TrackError: there is none, or it cannot be used; the sentence says why.
    """
    try:
        route = tracks.route(name)
    except (tracks.TrackNotFound, ValueError, OSError) as error:
        raise TrackError(str(error)) from error
    return Track.from_route(route, Path(name).stem, reverse=reverse)
