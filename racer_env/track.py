"""A track: its lines, where a point lies along and across it, and where a car starts.

World frame of the route file, metres and radians. A route has three lines, vertex by vertex: centre, inner border and
outer border; the borders are the *outside* edges of the white lines. Everything a reward function is told about the
track follows the original (``markov/track_geom/track_data.py``): projections onto the polylines as they are, widths
between nearest border points, waypoints by arc length. How these are found: `racer_env.geometry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import tracks
from racer_env.errors import TrackError
from racer_env.geometry import Geometry, Grid, Line, bands, grid_around, line, on_road, pose_on, project, width_at
from racer_env.kernel import Bools, Floats, kernel

__all__ = ["Geometry", "Track", "find_track"]


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
            drop_duplicates: leave out repeated centre points; version 6 of the original has code for it, but its
                recordings of Spain count them (all closest waypoints agree with them, a tenth of them without).

        Raises:
            TrackError: the route breaks a rule that a track needs; says which and where.
        """
        wrong = [p for p in tracks.problems(route) if p.is_error]
        if wrong:
            raise TrackError(f"track {name}: {wrong[0]}")
        used = np.array(route, dtype=np.float64)
        if drop_duplicates:
            step = np.hypot(*np.diff(used[:, :2], axis=0).T)
            used = used[np.r_[step > 1e-9, True]]  # of equal points the last stays, so that a loop stays closed
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
        grid = grid_around(self.bounds)
        centre = line(self.centre, grid)
        return Geometry(
            centre=centre,
            inner=line(self.inner, grid),
            outer=line(self.outer, grid),
            inner_lane=line(0.5 * (self.centre + self.inner), grid),
            outer_lane=line(0.5 * (self.centre + self.outer), grid),
            grid=grid,
            **bands(self._outline(), grid),
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
        which: Line = getattr(self.geometry, lane)
        _poses(which, np.ascontiguousarray(stations, np.float64), self.closed, out)
        return out


def find_track(name: str | Path, *, reverse: bool = False) -> Track:
    """Find a track by a path (``.npy`` or ``.toml``), a shipped name, that of an imported one, or ``random:SEED``.

    Raises:
        TrackError: there is none, or it cannot be used; the sentence says why.
    """
    if str(name).startswith("random:"):
        from racer_env.random_tracks import named_track  # noqa: PLC0415 (it makes tracks, so it imports this module)

        return named_track(str(name), reverse=reverse)
    try:
        route = tracks.route(name)
    except (tracks.TrackNotFound, ValueError, OSError) as error:
        raise TrackError(str(error)) from error
    return Track.from_route(route, Path(name).stem, reverse=reverse)
