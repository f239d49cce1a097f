"""A driver without learning for pictures and as a rival: slows down in bends, and passes what is in its way.

It knows where everything is, and keeps to the lane that the nearest thing is not on. Where two boxes stand less than a
metre and a half apart on different lanes, or a bot car changes lanes beside it, it sometimes hits one.
"""

from __future__ import annotations

import math

import numpy as np

from racer_env.bodies import Kind, gap
from racer_env.car import MAX_SPEED, MIN_SPEED
from racer_env.driver import PurePursuit
from racer_env.kernel import Floats
from racer_env.simulator import Simulator
from racer_env.track import Track

BENDS = 1.8  #: m/s slower for each radian that the road turns in the next 1.2 m
SLOWEST = 1.1  #: m/s
PASSING, PASSING_LOOK = 1.4, 0.6  #: m/s at most, and m of looking ahead, beside something
AHEAD, BEHIND = 2.2, 0.2  #: m along the centre line, from where to where it keeps to the free lane


class Autopilot(PurePursuit):
    """Follows the centre line, or the lane that nothing stands or drives on.

    Args:
        track: where it drives.
        speed: m/s on straights.
        look_ahead: m to the point it steers at.
    """

    def __init__(self, track: Track, speed: float = 2.8, look_ahead: float = 0.9):
        super().__init__(track, speed, look_ahead)
        self.straight_look = look_ahead
        self.lane = 0.25 * track.width  #: m from the centre line to the middle of a lane

    def commands(self, simulator: Simulator) -> Floats:
        """Choose actions (n, 2) of `PurePursuit.actions` for all cars."""
        sides = np.array([free_side(simulator, car) for car in range(simulator.n)])
        ways = []
        for side in (-1, 0, 1):
            self.offset, self.look_ahead = side * self.lane, PASSING_LOOK if side else self.straight_look
            ways.append(super().commands(simulator))
        actions: Floats = np.stack(ways)[sides + 1, np.arange(simulator.n)]
        station = simulator.state.situation.projection_distance
        yaw = [self.track.poses(station + ahead)[:, 2] for ahead in (0.1, 1.2)]
        bend = np.abs(np.angle(np.exp(1j * (yaw[1] - yaw[0]))))
        speed = np.maximum(np.minimum(self.speed, np.where(sides == 0, self.speed, PASSING)) - BENDS * bend, SLOWEST)
        actions[:, 1] = 2.0 * (speed - MIN_SPEED) / (MAX_SPEED - MIN_SPEED) - 1.0
        return actions


def free_side(simulator: Simulator, car: int) -> int:
    """1 to keep left of what is nearest ahead or just passed, -1 to keep right of it, 0 if the road is free."""
    cars, track = simulator.race.cars, simulator.track_of(car)
    station = float(simulator.state.situation[car].projection_distance)
    nearest, side = math.inf, 0
    for j, body in enumerate(simulator.state.bodies[car // cars]):
        if j == car % cars or body.kind == Kind.NONE:
            continue
        way = gap(station, body.station, track.geometry)
        if -BEHIND < way < AHEAD and abs(way) < nearest:
            nearest, side = abs(way), -1 if body.is_left_of_center else 1
    return side
