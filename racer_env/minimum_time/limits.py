"""What a car can do at most, for a line that it is to drive: a point mass with a friction ellipse that has to steer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from racer_env.car import COMMAND, MAX_SPEED, MAX_STEERING_DEGREES, Car, car_records
from racer_env.dynamics import MOTION, SUBSTEPS, TIME_STEP, advance
from racer_env.errors import RacerError
from racer_env.kernel import Floats, records

GRAVITY = 9.81  #: m/s²
CIRCLE_SPEEDS = np.linspace(0.5, MAX_SPEED, 15)  #: m/s, commanded to measure how a car turns
_CIRCLE_PERIODS = 60  #: control periods until a car drives a steady circle
_MOST_DRIFT = 0.35  #: rad between heading and way of a car that holds the road
_LEAST_CURVATURE = 0.02  #: 1/m with full steering


@dataclass(frozen=True)
class Limits:
    """Limits of a point mass. Its acceleration along and across its way stays inside an ellipse."""

    top_speed: float = MAX_SPEED  #: m/s
    grip_across: float = 0.5 * GRAVITY  #: m/s², across the way at most; infinite: any
    grip_along: float = 0.5 * GRAVITY  #: m/s², along the way at most, faster or slower
    margin: float = 0.0  #: m from the line to the borders at least; negative: it may lie so far beyond them
    turning_radius: float = 0.0  #: m, of the sharpest turn, extrapolated to standstill
    understeer: float = 0.0  #: s²/m, growth of the turning radius with speed squared

    def __post_init__(self) -> None:
        for name in ("top_speed", "grip_across", "grip_along"):
            if not getattr(self, name) > 0.0:
                raise RacerError(f"{name} is {getattr(self, name):g}, but must be more than 0")

    @classmethod
    def of_car(cls, car: Car) -> Limits:
        """Take the limits of a car from its identified numbers.

        Its grips are those of its tyres, and its top speed is what its motors make of 4 m/s. The turning radius is
        measured: the car drives steady circles with full steering, and a line is fitted to radius over speed squared.
        Its middle keeps so far from the borders that all four wheel hubs stay on the road.

        The ellipse is cautious: tyres of the original push along and across independently. What is not in it: the lag
        of steering and motors, and that a network drives. So nobody reaches it, and to come near is good.
        """
        radius, understeer = _turning(car)
        return cls(
            top_speed=min(car.top_speed, MAX_SPEED * (car.wheel_gain - car.wheel_droop * MAX_SPEED)),
            grip_across=car.grip_across,
            grip_along=car.grip_along,
            margin=0.5 * max(car.front_track_width, car.rear_track_width),
            turning_radius=radius,
            understeer=understeer,
        )

    @property
    def has_grip_limit(self) -> bool:
        """Whether there is an ellipse."""
        return math.isfinite(self.grip_across) and math.isfinite(self.grip_along)


def steady_circles(car: Car, steering_degrees: float, speeds: Floats) -> Floats:
    """Drive circles until they are steady.

    Args:
        car: who drives.
        steering_degrees: commanded.
        speeds: commanded (k,), m/s.

    Returns:
        (k, 2): speed along the way (m/s) and its curvature (1/m), up to the first speed at which the car spins.
    """
    count = len(speeds)
    m, command = records(count, MOTION), records(count, COMMAND)
    command.steering_degrees, command.speed = steering_degrees, speeds
    held, dt = np.zeros(count, np.bool_), np.full(count, TIME_STEP)
    advance(m, command, car_records([car] * count), held, dt, _CIRCLE_PERIODS * SUBSTEPS)
    speed = np.hypot(m.speed, m.lateral_speed)
    spins = np.abs(np.arctan2(m.lateral_speed, m.speed)) > _MOST_DRIFT
    steady = int(np.argmax(np.append(spins, True)))
    return np.stack((speed, m.yaw_rate / np.maximum(speed, 1e-9)), axis=1)[:steady]


def _turning(car: Car) -> tuple[float, float]:
    """Turning radius (m) at standstill and its growth with speed squared (s²/m), fitted to steady circles.

    Raises:
        RacerError: the car spins at any speed, or hardly turns.
    """
    circles = steady_circles(car, MAX_STEERING_DEGREES, CIRCLE_SPEEDS)
    if len(circles) < 2 or circles[:, 1].min() < _LEAST_CURVATURE:
        raise RacerError(f"the car {car.name} cannot hold a circle with full steering, so its limits are not known")
    square, radius = circles[:, 0] ** 2, 1.0 / circles[:, 1]
    growth = max(float(np.polyfit(square, radius, 1)[0]), 0.0)
    return max(float(np.mean(radius - growth * square)), 0.0), growth
