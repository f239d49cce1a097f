"""The line on which a car is fastest around a track, and how fast it is where.

Frame of the track, metres and seconds. The car is a point with a top speed and a friction ellipse
(`racer_env.minimum_time.limits`); the road is flat. First comes the line of minimum curvature (F. Braghin et al.,
*Race driver model*, Computers and Structures 86, 2008, who mix it with the shortest way; A. Heilmeier et al., *Minimum
curvature trajectory planning and control for an autonomous race car*, Vehicle System Dynamics 58, 2020), then the
fastest speeds on it, then line and speeds together for the shortest time, which is an optimal control problem by
direct transcription (`racer_env.minimum_time.road`).

It is a local minimum, the one that the smoothest line leads to. A spacing of 0.05 m instead of 0.1 changes the lap
time by 0.1 % at most on tracks of the original. A line that touches a border does so at the cross-sections; between
them it may cut a corner by a few millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.errors import TrackError
from racer_env.kernel import Floats
from racer_env.minimum_time.corridor import SPACING, Corridor
from racer_env.minimum_time.interior_point import NoMinimum
from racer_env.minimum_time.limits import Limits
from racer_env.minimum_time.road import Road
from racer_env.track import Track


@dataclass(frozen=True, eq=False)
class Line:
    """A way around a track, and how fast it is driven."""

    points: Floats  #: (k, 2) m; on a loop, the first follows the last
    speed: Floats  #: (k,) m/s
    time: Floats  #: (k,) s from the first point
    station: Floats  #: (k,) m along the track's centre line
    seconds: float  #: from the first point around to it again, or to the last point
    closed: bool

    @property
    def around(self) -> Floats:
        """The points (k + 1, 2) of a loop with the first again at the end; those (k, 2) of an open line."""
        return np.concatenate((self.points, self.points[:1])) if self.closed else self.points

    @property
    def length(self) -> float:
        """Length, m."""
        return float(np.hypot(*np.diff(self.around, axis=0).T).sum())

    @property
    def curvature(self) -> Floats:
        """Curvature (k,), 1/m, positive to the left; 0 at the ends of an open line."""
        before, after = self.points - np.roll(self.points, 1, axis=0), np.roll(self.points, -1, axis=0) - self.points
        sides = np.hypot(*before.T) * np.hypot(*after.T) * np.hypot(*(before + after).T)
        found = 2.0 * (before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) / np.maximum(sides, 1e-12)
        if not self.closed:
            found[[0, -1]] = 0.0
        return np.asarray(found, np.float64)


def minimum_time_line(track: Track, limits: Limits | None = None, spacing: float = SPACING) -> Line:
    """Find the line and the speeds of the fastest lap.

    Args:
        track: a loop, to be driven with a flying start, or an open track, from rest.
        limits: what the car can do; by default a point mass with a friction of 0.5 and DeepRacer's 4 m/s.
        spacing: m between the points, along the centre line.

    Raises:
        TrackError: the track is too narrow or too tight for the limits, or no line was found.
    """
    road = _road(track, limits, spacing)
    try:
        return _line(road, *road.fastest(road.smoothest()))
    except NoMinimum as error:
        raise TrackError(f"track {track.name}: no minimum-time line was found: {error}") from error


def minimum_curvature_line(track: Track, limits: Limits | None = None, spacing: float = SPACING) -> Line:
    """Find the smoothest line and the fastest speeds on it; arguments and errors are those of `minimum_time_line`."""
    road = _road(track, limits, spacing)
    try:
        offset = road.smoothest()
        return _line(road, offset, road.fastest_speeds(offset))
    except NoMinimum as error:
        raise TrackError(f"track {track.name}: no minimum-curvature line was found: {error}") from error


def _road(track: Track, limits: Limits | None, spacing: float) -> Road:
    limits = limits or Limits()
    return Road(Corridor.of(track, limits.margin, spacing), limits, track.name)


def _line(road: Road, offset: Floats, times: Floats) -> Line:
    """Make a line of offsets (k,) and the times of the gaps."""
    corridor = road.corridor
    points, passed = corridor.points(offset), np.concatenate(([0.0], np.cumsum(times)))
    steps = (np.roll(points, -1, axis=0) - points)[: len(times)]
    pace = np.hypot(*steps.T) / times
    if corridor.closed:
        earlier = np.roll(times, 1)  # at a point, the pace of the shorter gap counts more
        speed = (pace * earlier + np.roll(pace, 1) * times) / (earlier + times)
    else:
        speed = np.concatenate(([0.0], 0.5 * (pace[1:] + pace[:-1]), pace[-1:]))
    return Line(points, speed, passed[: len(points)], corridor.station, float(passed[-1]), corridor.closed)
