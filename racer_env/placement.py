"""Where a car is put down: at the start of an episode, and after something that the rules punish.

As the original has it (``_get_car_start_model_state`` and ``_get_car_reset_model_state`` of its
``rollout_agent_ctrl.py``): at rest, on the centre line or on a lane, and never within `CLEARANCE` of an object's place
along the track, unless on the other lane. Metres, radians.
"""

from __future__ import annotations

import math

from racer_env.bodies import Kind, gap
from racer_env.dynamics import stand_still
from racer_env.geometry import Geometry, pose_on, project
from racer_env.kernel import Records, kernel

CLEARANCE = 1.0  #: m along the centre line
START_GAP = 0.75  #: m behind the car before it, at the start of a race of several
_NONE = int(Kind.NONE)


@kernel
def put_at_start(m: Records, station: float, world: Records, own: int, cars: int, track: Geometry) -> None:
    """Put race car `own` of `cars` at the start: alone on the centre line, else in two rows; beside what is near."""
    here = station - START_GAP * own if track.closed else station + START_GAP * (cars - 1 - own)
    near = _near(here, world, cars, track)
    if near >= 0:
        m.x, m.y, m.yaw = _on_lane(here, not _is_inner(world[near], track), track)
    elif cars > 1:
        m.x, m.y, m.yaw = _on_lane(here, own % 2 == 1, track)
    else:
        m.x, m.y, m.yaw = pose_on(track.centre, here, track.closed)
    stand_still(m)


@kernel
def put_back(m: Records, station: float, world: Records, cars: int, track: Geometry) -> None:
    """Put a car back on the nearer of the two lanes, or behind what stands near there."""
    near = _near(station, world, cars, track)
    if near >= 0:
        put_beside(m, near, False, world, cars, track)
        return
    a, b = _on_lane(station, True, track), _on_lane(station, False, track)
    nearer_inner = math.hypot(a[0] - m.x, a[1] - m.y) < math.hypot(b[0] - m.x, b[1] - m.y)
    m.x, m.y, m.yaw = a if nearer_inner else b
    stand_still(m)


@kernel
def put_beside(m: Records, hit: int, ahead: bool, world: Records, cars: int, track: Geometry) -> None:
    """Put a car on the lane that body `hit` is not on, ahead of it or behind it, and past what is too near there."""
    for _ in range(len(world)):
        here = world[hit].station + (CLEARANCE if ahead else -CLEARANCE)
        m.x, m.y, m.yaw = _on_lane(here, not _is_inner(world[hit], track), track)
        near = _near(here, world, cars, track)
        if near < 0 or near == hit:
            break
        hit = near
    stand_still(m)


@kernel
def _near(station: float, world: Records, cars: int, track: Geometry) -> int:
    """The body, race cars apart, that is nearest along the track and within the clearance; -1 if none is."""
    found, least = -1, CLEARANCE
    for j in range(cars, len(world)):
        away = abs(gap(station, world[j].station, track))
        if world[j].kind != _NONE and away < least - 1e-9:
            found, least = j, away
    return found


@kernel
def _is_inner(body: Records, track: Geometry) -> bool:
    return bool(body.is_left_of_center == track.left_is_inner)


@kernel
def _on_lane(station: float, inner: bool, track: Geometry) -> tuple[float, float, float]:
    """A pose on a lane, beside a station of the centre line."""
    x, y, _ = pose_on(track.centre, station, track.closed)
    lane = track.inner_lane if inner else track.outer_lane
    return pose_on(lane, project(x, y, lane, track.grid).station, track.closed)
