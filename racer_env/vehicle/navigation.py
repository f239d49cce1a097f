"""What a driver's answer makes the real car do: its navigation node (``deepracer_navigation_node.py``) as functions.

Steering and throttle are shares of what servo and motor can do, -1 to 1, left and forwards positive. The car knows
no metres a second: a speed counts only in proportion to the fastest of the action space, and goes through a curve that
lifts the slow ones, because the motor hardly turns at a small throttle. The custom software computes the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env.car import ActionSpace, DiscreteActions
from racer_env.errors import BundleError

#: Throttle at the fastest speed and at half of it (``DEFAULT_SPEED_SCALES``).
THROTTLE_AT_FULL, THROTTLE_AT_HALF = 1.0, 0.8

#: Corners and middle of a continuous action space, as the network answers: steering, speed.
CONTINUOUS_EXAMPLES = tuple((float(steer), float(speed)) for steer in (-1, 0, 1) for speed in (-1, 0, 1))


class Motion(NamedTuple):
    """What the car is told to do."""

    steering: float  #: share of the way to the left, -1 to 1
    throttle: float  #: share of full throttle, -1 to 1


def throttle(speed: float, fastest: float) -> float:
    """Give the throttle for a speed of an action space whose fastest is `fastest`: 2.2 r - 1.2 r² of their ratio r."""
    a = (2.0 * THROTTLE_AT_FULL - 4.0 * THROTTLE_AT_HALF) / fastest**2
    b = (4.0 * THROTTLE_AT_HALF - THROTTLE_AT_FULL) / fastest
    return float(np.clip(a * speed**2 + b * speed, -1.0, 1.0))


def motion(actions: ActionSpace, answer: npt.NDArray[np.floating], max_speed: float = 1.0) -> Motion:
    """Turn the answer (k,) of a driver into what the car does.

    Args:
        actions: of the driver's ``model_metadata.json``.
        answer: probability of each action of a list, of which the first of the largest is taken; or steering and
            speed, each cut to [-1, 1].
        max_speed: the setting of the car's web page, 0 to 1, by which every throttle is multiplied.

    Raises:
        BundleError: there are not as many numbers as actions, or the car could not compute it, and would stand still.
    """
    wanted = len(actions) if isinstance(actions, DiscreteActions) else 2
    if answer.shape != (wanted,):
        raise BundleError(f"the driver answers {answer.shape} numbers, but has {wanted} actions: the car stands still")
    if isinstance(actions, DiscreteActions):
        chosen = int(answer.argmax())
        widest, fastest = max(map(abs, actions.steering_degrees)), max(map(abs, actions.speed))
        steering, speed = actions.steering_degrees[chosen], actions.speed[chosen]
    else:
        shares = 0.5 * (np.clip(answer, -1.0, 1.0) + 1.0)
        ranges = (actions.steering_degrees, actions.speed)
        steering, speed = (low + float(share) * (high - low) for share, (low, high) in zip(shares, ranges, strict=True))
        widest, fastest = actions.steering_degrees[1], actions.speed[1]
    if widest <= 0.0 or fastest <= 0.0:
        raise BundleError("no action steers, or none moves the car: it stands still")
    return Motion(steering / widest, max_speed * throttle(speed, fastest))
