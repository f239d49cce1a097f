"""Where other things on the track are, exactly: for experiments, and for critics that see more than drivers.

The next three bodies along the track, whatever they are, seen from half a metre behind the car's front on. Each is
five numbers: whether there is one, metres ahead and to the left of the car's front (frame of the car) over `RANGE`,
its speed over the car's greatest, and whether it can be run into; 0 where there is none, and nothing beyond -1 and 1.

No physical car has it, so a driver that uses it cannot be exported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.bodies import Kind, gap
from racer_env.car import MAX_SPEED
from racer_env.geometry import Geometry
from racer_env.kernel import Ints, Records, kernel
from racer_env.sensors import Reader, View
from racer_env.track import Track

BODIES = 3
RANGE = 4.0  #: m along the track up to which bodies are seen
BEHIND = -0.5  #: m behind the front of the car up to which they still are
SIZE = 5 * BODIES
_NONE = int(Kind.NONE)


@kernel
def _read(
    motion: Records, situation: Records, bodies: Records, which: Ints, track: Geometry, out: npt.NDArray[np.float32]
) -> None:
    cars = len(motion) // len(bodies)
    for i in which:
        m, s, world, row = motion[i], situation[i], bodies[i // cars], out[i]
        row[:] = 0.0
        nearer = BEHIND
        for k in range(BODIES):
            j = _next(world, i % cars, s.projection_distance, nearer, track)
            if j < 0:
                break
            nearer = gap(s.projection_distance, world[j].station, track)
            c, sn, dx, dy = math.cos(m.yaw), math.sin(m.yaw), world[j].x - s.x, world[j].y - s.y
            row[5 * k] = 1.0
            row[5 * k + 1] = min(max((c * dx + sn * dy) / RANGE, -1.0), 1.0)
            row[5 * k + 2] = min(max((c * dy - sn * dx) / RANGE, -1.0), 1.0)
            row[5 * k + 3] = min(world[j].speed / MAX_SPEED, 1.0)
            row[5 * k + 4] = 1.0 if world[j].solid else 0.0


@kernel
def _next(world: Records, own: int, station: float, after: float, track: Geometry) -> int:
    """The body whose way along the track is the least beyond `after` m from a station, within the range; -1 if none."""
    found, least = -1, RANGE
    for j in range(len(world)):
        way = gap(station, world[j].station, track)
        if j != own and world[j].kind != _NONE and after < way < least:
            found, least = j, way
    return found


@dataclass(frozen=True)
class ObjectsReader:
    """The objects sensor on a track."""

    track: Geometry

    def read(self, view: View, which: Ints, out: npt.NDArray[np.float32]) -> None:
        """Write the vectors of the cars `which` (k,) into `out` (n, 15)."""
        _read(view.motion, view.situation, view.bodies, which, self.track, out)


@dataclass(frozen=True)
class Objects:
    """The objects sensor."""

    name: str = "OBJECTS"

    def space(self) -> spaces.Box:
        """Fifteen numbers in [-1, 1]."""
        return spaces.Box(-1.0, 1.0, (SIZE,), np.float32)

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        return ObjectsReader(track.geometry)


OBJECTS = Objects()
