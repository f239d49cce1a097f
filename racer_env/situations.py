"""Situations of a car, put together by hand: what a reward function is tried with before it is used.

The params are measured and built as in the simulator. A place is a share of the lap and a distance from the centre
line in track widths, left positive: it means the same on every track.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from racer_env import params
from racer_env.bodies import BODY, CAR_RECTANGLE, CAR_SIZE, Kind, follow, locate, look_around
from racer_env.car import COMMAND, DEEPRACER_V6, FRONT_POINT, car_records
from racer_env.dynamics import CONTROL_RATE, MOTION
from racer_env.kernel import Records, records
from racer_env.obstacles import SHAPES, Shape, give_shape
from racer_env.params import SITUATION
from racer_env.race import EPISODE
from racer_env.reward import Params
from racer_env.track import Track


@dataclass(frozen=True)
class Object:
    """A box, or a bot car if it moves, at a place of the track."""

    at: float  #: share of the lap, 0 to 1
    left: float = 0.25  #: track widths left of the centre line
    speed: float = 0.0  #: m/s along the track


def situation(
    track: Track,
    at: float,
    *,
    left: float = 0.0,
    turned: float = 0.0,
    speed: float = 1.0,
    steering: float = 0.0,
    steps: int = 2,
    objects: Sequence[Object] = (),
) -> Params:
    """Build the params of a car whose front is at a place of the track.

    Args:
        track: where.
        at: share of the lap, 0 to 1; also its progress.
        left: track widths left of the centre line; past ±0.5 it is beyond the border.
        turned: degrees to the left of the track's direction.
        speed: m/s, as commanded.
        steering: degrees, as commanded, left positive.
        steps: of the episode.
        objects: what else is on the track.
    """
    x, y, yaw, _ = _place(track, at, left)
    yaw += math.radians(turned)
    motion, found = records(1, MOTION), records(1, SITUATION)
    motion.x, motion.y, motion.yaw = x - FRONT_POINT * math.cos(yaw), y - FRONT_POINT * math.sin(yaw), yaw
    params.look(motion, car_records([DEEPRACER_V6]), np.arange(1), track.geometry, found)
    episode, command = records(1, EPISODE), records(1, COMMAND)
    episode.progress, episode.steps = 100.0 * at, steps
    command.speed, command.steering_degrees = speed, steering
    bodies = _bodies(track, motion, objects) if objects else None
    if bodies is not None:
        look_around(bodies, np.arange(1), 1, track.geometry, found)
    seen = params.Seen(track, found, episode, command, np.array([(steps - 1) / CONTROL_RATE]), bodies)
    (out,) = params.build(seen, np.zeros(1, np.int64))
    return out


def trial(track: Track, objects: Sequence[Object] = ()) -> list[Params]:
    """Give a short episode that meets all there is: start, both sides, turned around, off the road, end."""
    return [
        situation(track, 0.001, objects=objects),
        situation(track, 0.3, left=0.2, turned=5.0, steering=-15.0, steps=60, objects=objects),
        situation(track, 0.5, left=-0.45, turned=-20.0, speed=2.0, steering=30.0, steps=100, objects=objects),
        situation(track, 0.6, turned=180.0, speed=0.5, steps=120, objects=objects),
        situation(track, 0.9, left=1.0, turned=60.0, speed=4.0, steps=180, objects=objects),
        situation(track, 1.0, left=0.1, speed=3.0, steps=200, objects=objects),
    ]


def _place(track: Track, at: float, left: float) -> tuple[float, float, float, float]:
    """Position, yaw and metres left of the centre line."""
    ((x, y, yaw),) = track.poses(np.array([at * track.length])).tolist()
    aside = left * float(track.widths(np.array([[x, y]]))[0])
    return x - aside * math.sin(yaw), y + aside * math.cos(yaw), yaw, aside


def _bodies(track: Track, motion: Records, objects: Sequence[Object]) -> Records:
    """The bodies of a world (1, 1 + k) that holds a car and some objects."""
    out = records((1, 1 + len(objects)), BODY)
    give_shape(out[:, 0], Shape(Kind.CAR, CAR_SIZE, CAR_RECTANGLE, (0.0, 0.0, 0.0)))
    follow(motion, out, np.arange(1), track.geometry)
    for body, thing in zip(out[0, 1:], objects, strict=True):
        give_shape(body, SHAPES["bot_car" if thing.speed else "box_obstacle"])
        body.x, body.y, body.yaw, _ = _place(track, thing.at, thing.left)
        body.speed = thing.speed
        locate(body, track.geometry)
    return out
