"""``LIDAR``, ``SECTOR_LIDAR`` and ``DISCRETIZED_SECTOR_LIDAR``: one scanner, read in three ways.

The scanner sits on top of the car and looks **backwards**: its 64 rays cover 300 degrees, ray 0 points 30 degrees left
of straight ahead, and from there they go counter-clockwise over left, rear and right to 30 degrees right of straight
ahead. The 60 degrees straight ahead are blind. It scans ten times a second while a car is steered fifteen times, so
that every third observation repeats a scan. Metres, radians; the pose of a car is that of the middle of its axles.

A ray meets the upright rectangles, length by width, of bodies that reach into the plane of the scan, 0.18 m above the
floor. All of the original do: its boxes are 0.24 m and 0.25 m high, and its cars 0.195 m. The model stops being true
for bodies that are not cuboids, as cars: at that height only the top of their shell would be met. And the original's
car stands 1.4 degrees nose up, so that behind it the plane dips and ahead it rises, by 2.4 cm a metre; ours is level.
Scans are taken at control periods, so that those which fall between two of them come half a period late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.bodies import Kind
from racer_env.kernel import Floats, Ints, Records, kernel
from racer_env.metadata import LidarConfig
from racer_env.randomness import Streams, fork, normal, salt_of
from racer_env.sensors import Memory, Reader, View
from racer_env.sensors.ground import WALL_DISTANCE
from racer_env.track import Track

RAYS = 64
HALF_FIELD = 2.61799  #: rad to either side of straight back (``urdf/deepracer/racecar.gazebo``)
AHEAD = 0.02913  #: m from the middle of the axles (``deepracer_single_cam_lidar.urdf``)
ABOVE = 0.16145 + 0.023249  #: m, the chassis frame and the scanner on it
NEAREST, FARTHEST = 0.15, 12.0  #: m, of the scanner
CLIP = 1.0  #: m, ``LIDAR`` (``markov/sensors/constants.py``)
NEAR = 0.5  #: m, what ``SECTOR_LIDAR`` calls near
SECTORS = 8  #: of ``SECTOR_LIDAR``
SCANS, PERIODS = 2, 3  #: two scans in three control periods: 10 Hz and 15 Hz

_NONE, _SALT = int(Kind.NONE), salt_of("lidar")


class Settings(NamedTuple):
    """What the kernel needs of a `Scanner` on a track."""

    directions: Floats  #: (64, 2) ahead and left, of each ray
    noise: float
    resolution: float
    has_walls: bool
    walls: Floats  #: (4,) m, left, bottom, right and top


@kernel
def _crossing(start: float, way: float, half: float) -> tuple[float, float]:
    """Lengths along a ray at which it enters and leaves the slab from -half to half."""
    if way == 0.0:
        return (-math.inf, math.inf) if abs(start) <= half else (math.inf, -math.inf)
    one, other = (-half - start) / way, (half - start) / way
    return min(one, other), max(one, other)


@kernel
def _meet(
    x: float, y: float, turn: float, length: float, width: float, hollow: bool, directions: Floats, out: Floats
) -> None:
    """Shorten rays (64,) where they meet a rectangle, in whose frame the scanner is at (x, y) and turned."""
    c, s = math.cos(turn), math.sin(turn)
    for j in range(RAYS):
        dx, dy = c * directions[j, 0] - s * directions[j, 1], s * directions[j, 0] + c * directions[j, 1]
        enter, leave = _crossing(x, dx, 0.5 * length)
        enter_side, leave_side = _crossing(y, dy, 0.5 * width)
        enter, leave = max(enter, enter_side), min(leave, leave_side)
        if enter <= leave and leave >= 0.0:
            inside = leave if hollow else 0.0
            out[j] = min(out[j], enter if enter > 0.0 else inside)


@kernel
def _look(x: float, y: float, yaw: float, world: Records, own: int, settings: Settings, out: Floats) -> None:
    """Measure all rays (64,) from (x, y); infinity is nothing."""
    out[:] = math.inf
    if settings.has_walls:
        left, bottom, right, top = settings.walls[0], settings.walls[1], settings.walls[2], settings.walls[3]
        middle_x, middle_y = 0.5 * (left + right), 0.5 * (bottom + top)
        _meet(x - middle_x, y - middle_y, yaw, right - left, top - bottom, True, settings.directions, out)
    for k in range(len(world)):
        body = world[k]
        dx, dy = x - body.x, y - body.y
        if k == own or body.kind == _NONE or body.height <= ABOVE:
            continue
        if math.hypot(dx, dy) - math.hypot(body.length, body.width) < FARTHEST:
            c, s = math.cos(body.yaw), math.sin(body.yaw)
            across, along = c * dy - s * dx, c * dx + s * dy
            _meet(along, across, yaw - body.yaw, body.length, body.width, False, settings.directions, out)


@kernel
def _spoil(stream: int, tick: int, settings: Settings, out: Floats) -> None:
    """Make of exact lengths (64,) what the scanner says."""
    for j in range(RAYS):
        if out[j] > FARTHEST:
            out[j] = math.inf
            continue
        if settings.noise > 0.0:
            out[j] += settings.noise * normal(stream, tick, j)
        if settings.resolution > 0.0:
            out[j] = settings.resolution * math.floor(out[j] / settings.resolution + 0.5)
        out[j] = min(max(out[j], NEAREST), FARTHEST)


@kernel
def _scan(
    motion: Records,
    bodies: Records,
    ticks: Ints,
    streams: Streams,
    which: Ints,
    settings: Settings,
    seen_in: Streams,
    ranges: Floats,
) -> None:
    cars = len(motion) // len(bodies)
    for i in which:
        due = ticks[i] * SCANS // PERIODS != (ticks[i] - 1) * SCANS // PERIODS
        if not due and seen_in[i] == streams[i]:
            continue
        m = motion[i]
        x, y = m.x + AHEAD * math.cos(m.yaw), m.y + AHEAD * math.sin(m.yaw)
        _look(x, y, m.yaw, bodies[i // cars], i % cars, settings, ranges[i])
        _spoil(fork(streams[i], _SALT), ticks[i], settings, ranges[i])
        seen_in[i] = streams[i]


@dataclass(frozen=True)
class Scanner:
    """The LiDAR itself."""

    noise: float = 0.01  #: m, deviation of every length that it measures
    resolution: float = 0.01  #: m, to which it rounds; 0 for not at all
    walls: bool = False  #: whether it sees the walls around the world; the original's does not

    def settings(self, track: Track) -> Settings:
        """Set it up for a track."""
        angles = math.pi + np.linspace(-HALF_FIELD, HALF_FIELD, RAYS)
        directions = np.stack((np.cos(angles), np.sin(angles)), axis=1)
        walls = np.array(track.bounds) + WALL_DISTANCE * np.array([-1.0, -1.0, 1.0, 1.0])
        return Settings(directions, self.noise, self.resolution, self.walls, walls)


class Reading(Protocol):
    """What a driver is told of the lengths that were measured."""

    def space(self) -> spaces.Box:
        """Shape, bounds and type for one car."""

    def of(self, ranges: Floats) -> Floats:
        """Give the observations (k, ...) of lengths (k, 64) in m, where infinity is nothing."""


@dataclass(frozen=True)
class Lengths:
    """All 64 lengths, cut to what is near."""

    def space(self) -> spaces.Box:
        """Sixty-four lengths in m from 0.15 to 1."""
        return spaces.Box(NEAREST, CLIP, (RAYS,), np.float32)

    def of(self, ranges: Floats) -> Floats:
        """Cut them."""
        return np.asarray(np.clip(ranges, NEAREST, CLIP))


@dataclass(frozen=True)
class NearSectors:
    """Of each of eight sectors, whether something is nearer than half a metre."""

    def space(self) -> spaces.Box:
        """Eight numbers, each 1 (near) or 0."""
        return spaces.Box(0.0, 1.0, (SECTORS,), np.float32)

    def of(self, ranges: Floats) -> Floats:
        """Compare the shortest length of each sector."""
        return np.where(_nearest(ranges, SECTORS) < NEAR, 1.0, 0.0)


@dataclass(frozen=True)
class Steps:
    """Of each sector, in which of some equally long steps its shortest length lies: a 1 there, or nowhere."""

    config: LidarConfig = field(default_factory=LidarConfig)

    def space(self) -> spaces.Box:
        """One number for every step of every sector, sector after sector, each 0 or 1."""
        return spaces.Box(0.0, 1.0, (self.config.num_sectors * self.config.num_values_per_sector,), np.float32)

    def of(self, ranges: Floats) -> Floats:
        """Count the steps to the shortest length of each sector."""
        reach, steps = self.config.clipping_dist, self.config.num_values_per_sector
        found = np.floor(np.minimum(_nearest(ranges, self.config.num_sectors), reach) / (reach / steps))
        return np.where(found[..., None] == np.arange(steps), 1.0, 0.0).reshape(len(ranges), -1)


def _nearest(ranges: Floats, sectors: int) -> Floats:
    return np.asarray(ranges.reshape(len(ranges), sectors, -1).min(axis=-1))


@dataclass(frozen=True)
class LidarReader:
    """A LiDAR on a track."""

    settings: Settings
    reading: Reading

    def memory(self, n: int) -> Memory:
        """The last scan of every car, and the stream of the episode in which it was made."""
        return np.zeros(n, np.uint64), np.zeros((n, RAYS))

    def read(self, view: View, which: Ints, out: npt.NDArray[np.float32]) -> None:
        """Scan for the cars `which` (k,), if a scan is due, and write what they are told into `out` (n, ...)."""
        seen_in, ranges = view.memory
        _scan(view.motion, view.bodies, view.ticks, view.streams, which, self.settings, seen_in, ranges)
        out[which] = self.reading.of(ranges[which])


@dataclass(frozen=True)
class Lidar:
    """A LiDAR and how it is read."""

    name: str = "LIDAR"
    reading: Reading = field(default_factory=Lengths)
    scanner: Scanner = field(default_factory=Scanner)

    def space(self) -> spaces.Box:
        """Shape, bounds and type of its reading; float32."""
        return self.reading.space()

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        return LidarReader(self.scanner.settings(track), self.reading)


LIDAR = Lidar()
SECTOR_LIDAR = Lidar("SECTOR_LIDAR", NearSectors())
DISCRETIZED_SECTOR_LIDAR = Lidar("DISCRETIZED_SECTOR_LIDAR", Steps())
