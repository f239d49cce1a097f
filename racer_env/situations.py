"""Situations of a car, put together by hand: what a reward function is tried with before it is used.

The params are measured and built as in the simulator; only the objects are placed here. A place is a share of
the lap and a distance from the centre line in track widths, left positive: it means the same on every track.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from racer_env import params
from racer_env.car import COMMAND, DEEPRACER_V6, FRONT_POINT, car_records
from racer_env.dynamics import CONTROL_RATE, MOTION
from racer_env.kernel import records
from racer_env.params import SITUATION
from racer_env.race import EPISODE
from racer_env.reward import Params
from racer_env.track import Track

VIEW = 3.0  #: m, how far ahead an object counts as seen here; its size in the picture is not looked at


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
    seen = params.Seen(track, found, episode, command, np.array([(steps - 1) / CONTROL_RATE]))
    (out,) = params.build(seen, [0])
    return {**out, **_seen(track, out["projection_distance"], objects)} if objects else out


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


def _seen(track: Track, projection: float, objects: Sequence[Object]) -> Params:
    """The object keys as the original defines them; headings in degrees, as it documents them."""
    places = [_place(track, o.at, o.left) for o in objects]
    distances = [o.at * track.length for o in objects]
    order = sorted(range(len(objects)), key=distances.__getitem__)
    ahead = bisect_right([distances[i] for i in order], projection) % len(order)
    gap = (distances[order[ahead]] - projection) % track.length
    return {
        "closest_objects": [order[ahead - 1], order[ahead]],
        "objects_location": [[x, y] for x, y, _, _ in places],
        "objects_distance": distances,
        "objects_distance_from_center": [abs(aside) for _, _, _, aside in places],
        "objects_left_of_center": [aside > 0.0 for _, _, _, aside in places],
        "objects_speed": [o.speed for o in objects],
        "objects_heading": [_heading(o, yaw) for o, (_, _, yaw, _) in zip(objects, places, strict=True)],
        "object_in_camera": gap < VIEW,
    }


def _heading(thing: Object, yaw: float) -> float:
    """Degrees; boxes stand square to the world, as in the original."""
    return math.degrees(math.remainder(yaw, math.tau)) if thing.speed else 0.0
