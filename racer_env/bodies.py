"""What stands or drives on a track, as cars see it and run into it: boxes, bot cars and the race cars themselves.

The bodies of a world are a row of records: first its race cars, in their order, then everything else. Car i of a batch
is body ``i % k`` of world ``i // k`` when there are k cars in each world. Metres, radians.

**Touching.** As in the original, a car has run into something when one of the four corners of its rectangle is inside
the rectangle of the other: a corner of a box inside the car does not count. Who runs into something that drives is at
fault only if it is behind; nothing is pushed aside (the original's cars are, a little). Rectangles are those of the
original's ``markov/track_geom/constants.py``: 0.32 x 0.20 m for cars and 0.5 x 0.4 m for boxes.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from racer_env.geometry import Geometry, left_of_centre, project
from racer_env.kernel import Floats, Ints, Records, kernel


class Kind(IntEnum):
    """What a body is."""

    NONE = 0  #: an empty place, neither seen nor run into
    CAR = 1  #: a race car
    BOT = 2  #: a bot car, moving or parked
    BOX = 3


#: One body.
BODY = np.dtype(
    [
        ("kind", np.int64),  # `Kind`
        ("x", np.float64),  # m, its middle; a box or car stands on the floor
        ("y", np.float64),
        ("yaw", np.float64),  # rad
        ("speed", np.float64),  # m/s
        ("length", np.float64),  # m, what is seen, along its heading
        ("width", np.float64),
        ("height", np.float64),
        ("crash_length", np.float64),  # m, the rectangle that must not be touched
        ("crash_width", np.float64),
        ("red", np.float64),  # 0 to 1, colour of its surface
        ("green", np.float64),
        ("blue", np.float64),
        ("transparency", np.float64),  # 0 to 1; a car that serves a penalty blinks
        ("solid", np.bool_),  # can be run into; a car that serves a penalty can not
        ("station", np.float64),  # m along the centre line
        ("distance_from_center", np.float64),  # m
        ("is_left_of_center", np.bool_),
        ("rail", np.float64),  # m of the centre line from which its place on its lane is reckoned, if it keeps to lanes
        ("lane", np.float64),  # from the outer lane (-1) to the inner one (1), likewise
        ("next_lane", np.float64),  # where a bot car is changing to
        ("wait", np.int64),  # control periods until a bot car changes lanes again
        ("pause", np.int64),  # control periods for which a bot car stands still, having touched a race car
    ],
    align=True,
)

CAR_SIZE = (0.324, 0.188, 0.195)  #: m, length, width and height of a car's body, measured on the original's mesh
CAR_RECTANGLE = (0.32352, 0.1961)  #: m, length and width of what must not be touched
BOX_RECTANGLE = (0.5, 0.4)

LEAST_OPACITY, BLINK = 0.3, 0.5  #: of a car that serves a penalty; s from one blink to the next

#: What a camera that looks for objects sees (``markov/cameras/frustum.py``): m, rad.
NEAR, FAR, HALF_WIDTH, HALF_HEIGHT = 0.2, 300.0, math.tan(0.565), 0.75 * math.tan(0.565)
CAMERA_AHEAD, CAMERA_ABOVE, CAMERA_PITCH = 0.14529379, 0.13032555, 0.2618

_NONE, _BOT = int(Kind.NONE), int(Kind.BOT)


def blinking(penalty: npt.ArrayLike) -> Floats:
    """Opacity of cars that have so many seconds of a penalty left: they fade out and in again, twice a second.

    That they do is the original's (``BLINK_MIN_ALPHA``, ``BLINK_INTERVAL``), the shape between the ends is a guess.
    """
    share: Floats = np.abs(2.0 * (np.asarray(penalty) % BLINK) / BLINK - 1.0)
    return LEAST_OPACITY + (1.0 - LEAST_OPACITY) * share


@kernel
def follow(motion: Records, bodies: Records, which: Ints, track: Geometry) -> None:
    """Put the bodies of the race cars `which` (k,) where these are."""
    cars = len(motion) // len(bodies)
    for i in which:
        m, body = motion[i], bodies[i // cars, i % cars]
        body.x, body.y, body.yaw, body.speed = m.x, m.y, m.yaw, m.speed
        locate(body, track)


@kernel
def locate(body: Records, track: Geometry) -> None:
    """Find out where a body is along and across the track."""
    found = project(body.x, body.y, track.centre, track.grid)
    body.station, body.distance_from_center = found.station, found.distance
    body.is_left_of_center = left_of_centre(body.x, body.y, track)


@kernel
def is_inside(x: float, y: float, body: Records) -> bool:
    """Tell whether a point is in the rectangle of a body that must not be touched."""
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    dx, dy = x - body.x, y - body.y
    return bool(abs(c * dx + s * dy) <= 0.5 * body.crash_length and abs(c * dy - s * dx) <= 0.5 * body.crash_width)


@kernel
def _corner(body: Records, k: int) -> tuple[float, float]:
    """Corner k, 0 to 3, of the rectangle of a body that must not be touched."""
    ahead, left = (0.5 if k < 2 else -0.5) * body.crash_length, (0.5 if k % 2 == 0 else -0.5) * body.crash_width
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    return body.x + c * ahead - s * left, body.y + s * ahead + c * left


@kernel
def touches(body: Records, other: Records) -> bool:
    """Tell whether a corner of one body's rectangle is inside that of another."""
    for k in range(4):
        x, y = _corner(body, k)
        if is_inside(x, y, other):
            return True
    return False


@kernel
def gap(behind: float, ahead: float, track: Geometry) -> float:
    """Metres along the centre line from one station to another; on a loop the shorter way, else as it is."""
    way = ahead - behind
    return (way + 0.5 * track.length) % track.length - 0.5 * track.length if track.closed else way


@kernel
def look_around(bodies: Records, which: Ints, cars: int, track: Geometry, situation: Records) -> None:
    """Measure for the cars `which` what they touch, and which bodies are around them: the rest of `SITUATION` (n,)."""
    for i in which:
        s, world, own = situation[i], bodies[i // cars], i % cars
        s.is_crashed, s.hit, s.bumped = False, 0, False
        for j in range(len(world)):
            other = world[j]
            if j == own or other.kind == _NONE or not other.solid or not touches(world[own], other):
                continue
            moving, place = j < cars or other.speed > 0.0, world[own].station if j < cars else s.projection_distance
            if moving and gap(place, other.station, track) < 0.0:
                s.bumped = s.bumped or (other.kind == _BOT and world[own].solid)
            elif not s.is_crashed:
                s.is_crashed, s.hit = True, j
        before, after = _neighbours(world, own, s.projection_distance)
        s.previous_object, s.next_object, s.object_in_camera = 0, 0, False
        if after >= 0:
            s.previous_object, s.next_object = before - (before > own), after - (after > own)
            s.object_in_camera = is_in_camera(world[after], world[own])


@kernel
def _neighbours(world: Records, own: int, station: float) -> tuple[int, int]:
    """The bodies before and after a station, on and on around; of equal ones, the last before and the first after.

    Cars that are out do not count; -1 if nothing is left.
    """
    first, last, before, after = -1, -1, -1, -1
    for j in range(len(world)):
        if j == own or world[j].kind == _NONE:
            continue
        at = world[j].station
        if first < 0 or at < world[first].station:
            first = j
        if last < 0 or at >= world[last].station:
            last = j
        if at <= station and (before < 0 or at >= world[before].station):
            before = j
        if at > station and (after < 0 or at < world[after].station):
            after = j
    return (before if before >= 0 else last), (after if after >= 0 else first)


@kernel
def is_in_camera(body: Records, car: Records) -> bool:
    """Tell whether the middle or a corner of a body, at the floor, is in the view of a car's camera."""
    if _is_seen(body.x, body.y, car):
        return True
    for k in range(4):
        x, y = _corner(body, k)
        if _is_seen(x, y, car):
            return True
    return False


@kernel
def _is_seen(x: float, y: float, car: Records) -> bool:
    c, s = math.cos(car.yaw), math.sin(car.yaw)
    ahead, left = c * (x - car.x) + s * (y - car.y) - CAMERA_AHEAD, c * (y - car.y) - s * (x - car.x)
    depth = math.cos(CAMERA_PITCH) * ahead + math.sin(CAMERA_PITCH) * CAMERA_ABOVE
    below = math.cos(CAMERA_PITCH) * CAMERA_ABOVE - math.sin(CAMERA_PITCH) * ahead
    return bool(NEAR <= depth <= FAR and abs(left) <= HALF_WIDTH * depth and abs(below) <= HALF_HEIGHT * depth)
