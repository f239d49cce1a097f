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
from racer_env.kernel import Floats, Ints, Records, records
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
    command = records(1, COMMAND)
    command.speed, command.steering_degrees = speed, steering
    others = _bodies(track, objects) if objects else None
    (out,) = _params(track, np.array([at]), left, turned, np.array([steps]), command, others)
    return out


def drive_past(track: Track, left: float, speed: float, others: Records | None = None) -> list[Params]:
    """Build the params of a car that is carried around the track at constant speed, from its start to its end.

    It heads along the track and steers straight on; one item is one control period, so that a function that remembers
    the last one is met as in an episode.

    Args:
        track: where.
        left: track widths left of the centre line.
        speed: m/s.
        others: what else is on the track, `racer_env.bodies.BODY` (k,); it does not move.
    """
    count = max(2, round(track.length * CONTROL_RATE / speed))
    command = records(count, COMMAND)
    command.speed = speed
    return _params(track, (np.arange(count) + 0.5) / count, left, 0.0, np.arange(count) + 2, command, others)


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


def _params(
    track: Track, at: Floats, left: float, turned: float, steps: Ints, command: Records, others: Records | None
) -> list[Params]:
    """The params of n cars, each in a world of its own with the same other bodies (k,)."""
    everyone = np.arange(len(at))
    poses = _poses(track, at, left)
    yaw = poses[:, 2] + math.radians(turned)
    motion, found = records(len(at), MOTION), records(len(at), SITUATION)
    motion.x, motion.y = poses[:, 0] - FRONT_POINT * np.cos(yaw), poses[:, 1] - FRONT_POINT * np.sin(yaw)
    motion.yaw = yaw
    params.look(motion, car_records([DEEPRACER_V6] * len(at)), everyone, track.geometry, found)
    episode = records(len(at), EPISODE)
    episode.progress, episode.steps = 100.0 * at, steps
    bodies = None
    if others is not None:
        bodies = records((len(at), 1 + len(others)), BODY)
        give_shape(bodies[:, 0], Shape(Kind.CAR, CAR_SIZE, CAR_RECTANGLE, (0.0, 0.0, 0.0)))
        bodies[:, 1:] = others
        follow(motion, bodies, everyone, track.geometry)
        look_around(bodies, everyone, 1, track.geometry, found)
    seen = params.Seen(track, found, episode, command, (steps - 1) / CONTROL_RATE, bodies)
    return params.build(seen, everyone)


def _poses(track: Track, at: Floats, left: float) -> Floats:
    """Poses (n, 3) at shares of the lap (n,), some track widths left of the centre line."""
    poses = track.poses(at * track.length)
    aside = left * track.widths(poses[:, :2])
    poses[:, 0] -= aside * np.sin(poses[:, 2])
    poses[:, 1] += aside * np.cos(poses[:, 2])
    return poses


def _bodies(track: Track, objects: Sequence[Object]) -> Records:
    """The bodies (k,) of some objects."""
    out = records(len(objects), BODY)
    for body, thing in zip(out, objects, strict=True):
        give_shape(body, SHAPES["bot_car" if thing.speed else "box_obstacle"])
        body.x, body.y, body.yaw = _poses(track, np.array([thing.at]), thing.left)[0].tolist()
        body.speed = thing.speed
        locate(body, track.geometry)
    return out
