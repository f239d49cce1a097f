"""How a car moves: a planar single-track model whose servo, motor and tyres have limits.

Metres, seconds, radians; yaw counts counter-clockwise from +x, steering is positive to the left. The pose is that of
the middle between the axles; the model moves the rear axle, which is where the original's car turns about
(spec/physics.md 5c). Four effects, in the order in which they act:

* the steering angle and the speed follow their commands with a first-order lag, the speed with bounded acceleration;
* the front tyres slip, so that the car turns like a longer one: ``wheelbase + understeer * speed**2``;
* lateral acceleration cannot exceed the tyres' grip, and yaw follows with a lag of its own;
* the rear axle drifts outwards by a slip angle proportional to lateral acceleration.

Valid on a level road and below the limit of grip: past it the car runs wide, but it never spins or slides to a halt.
"""

from __future__ import annotations

import math

import numpy as np

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES, MIN_SPEED
from racer_env.kernel import Bools, Records, kernel

#: Where a car is and how it moves.
MOTION = np.dtype(
    [
        ("x", np.float64),  # m
        ("y", np.float64),  # m
        ("yaw", np.float64),  # rad, not wrapped
        ("speed", np.float64),  # m/s, of the rear axle along the heading
        ("steering", np.float64),  # rad, of the front wheels
        ("yaw_rate", np.float64),  # rad/s
    ],
    align=True,
)

CONTROL_RATE = 15  #: Hz, the original's camera and control rate
SUBSTEPS = 10  #: physics steps in one control period
TIME_STEP = 1.0 / (CONTROL_RATE * SUBSTEPS)  #: s


@kernel
def advance(motion: Records, command: Records, cars: Records, held: Bools, dt: float, steps: int) -> None:
    """Move every car (n,) that is not `held`, in place, `steps` steps of `dt` towards its command (n,)."""
    for i in range(motion.size):
        if held[i]:
            continue
        m, car = motion[i], cars[i]
        angle = min(max(command[i].steering_degrees, -MAX_STEERING_DEGREES), MAX_STEERING_DEGREES)
        target_steering = math.radians(angle)
        wanted = min(max(command[i].speed, MIN_SPEED), MAX_SPEED)
        target_speed = wanted * (car.speed_gain - car.speed_droop * wanted)
        steer_share = 1.0 - math.exp(-dt / car.steering_lag)
        yaw_share = 1.0 - math.exp(-dt / car.yaw_lag)

        rear = 0.5 * car.wheelbase
        x, y = m.x - rear * math.cos(m.yaw), m.y - rear * math.sin(m.yaw)
        yaw, speed, steering, yaw_rate = m.yaw, m.speed, m.steering, m.yaw_rate
        for _ in range(steps):
            pull = min(max((target_speed - speed) / car.speed_lag, -car.braking), car.acceleration)
            before, speed = speed, speed + pull * dt
            steering += (target_steering - steering) * steer_share

            sharpest = car.grip / max(speed * speed, 1e-9)
            curvature = math.tan(steering) / (car.effective_wheelbase + car.understeer * speed * speed)
            curvature = min(max(curvature, -sharpest), sharpest)
            turned, yaw_rate = yaw_rate, yaw_rate + (speed * curvature - yaw_rate) * yaw_share

            distance, turn = 0.5 * (before + speed) * dt, 0.5 * (turned + yaw_rate) * dt
            course = yaw + 0.5 * turn - car.compliance * speed * yaw_rate
            x += distance * math.cos(course)
            y += distance * math.sin(course)
            yaw += turn
        m.x, m.y, m.yaw = x + rear * math.cos(yaw), y + rear * math.sin(yaw), yaw
        m.speed, m.steering, m.yaw_rate = speed, steering, yaw_rate
