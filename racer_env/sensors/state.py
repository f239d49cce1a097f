"""``STATE``: the car's own state and the road ahead, as a short vector, for experiments without a camera.

Twenty-six float32 in [-1, 1], each cut there:

====== ================================================================== ==========
index  meaning                                                            divided by
====== ================================================================== ==========
0      offset of the front of the car from the centre line, left positive half width
1, 2   sine and cosine of the heading relative to the centre line
3      speed                                                              4 m/s
4      steering angle of the wheels, left positive                        30 degrees
5      yaw rate                                                           5 rad/s
6..25  ten points of the centre line 0.3 m, 0.6 m ... 3.0 m ahead, as x   3 m
       ahead and y left of the front of the car
====== ================================================================== ==========

No physical car has it, so a driver that uses it cannot be exported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES
from racer_env.geometry import Geometry, pose_on
from racer_env.kernel import Ints, Records, kernel
from racer_env.sensors import Reader, View
from racer_env.track import Track

POINTS = 10
SPACING = 0.3  #: m
SIZE = 6 + 2 * POINTS
_STEERING = math.radians(MAX_STEERING_DEGREES)


@kernel
def _read(motion: Records, situation: Records, which: Ints, track: Geometry, out: npt.NDArray[np.float32]) -> None:
    for i in which:
        m, s, row = motion[i], situation[i], out[i]
        x, y, yaw = pose_on(track.centre, s.projection_distance, track.closed)
        left = math.cos(yaw) * (s.y - y) - math.sin(yaw) * (s.x - x)
        row[0] = math.copysign(s.distance_from_center, left) / (0.5 * s.track_width)
        row[1], row[2] = math.sin(m.yaw - yaw), math.cos(m.yaw - yaw)
        row[3], row[4], row[5] = m.speed / MAX_SPEED, m.steering / _STEERING, m.yaw_rate / 5.0
        c, sn = math.cos(m.yaw), math.sin(m.yaw)
        for k in range(POINTS):
            x, y, _ = pose_on(track.centre, s.projection_distance + (k + 1) * SPACING, track.closed)
            dx, dy = x - s.x, y - s.y
            row[6 + 2 * k] = (c * dx + sn * dy) / (POINTS * SPACING)
            row[7 + 2 * k] = (c * dy - sn * dx) / (POINTS * SPACING)
        for k in range(SIZE):
            row[k] = min(max(row[k], -1.0), 1.0)


@dataclass(frozen=True)
class StateReader:
    """The state sensor on a track."""

    track: Geometry

    def read(self, view: View, which: Ints, out: npt.NDArray[np.float32]) -> None:
        """Write the vectors of the cars `which` (k,) into `out` (n, 26)."""
        _read(view.motion, view.situation, which, self.track, out)


@dataclass(frozen=True)
class State:
    """The state sensor."""

    name: str = "STATE"

    def space(self) -> spaces.Box:
        """Twenty-six numbers in [-1, 1]."""
        return spaces.Box(-1.0, 1.0, (SIZE,), np.float32)

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        return StateReader(track.geometry)


STATE = State()
