"""What stands or drives in a car's way: boxes, parked cars, and bot cars that keep to their lanes.

Both are put down anew at every reset, and follow the original (``markov/agent_ctrl/obstacles_agent_ctrl.py`` and
``bot_cars_agent_ctrl.py``): evenly spaced with lanes taking turns, where a list says, or at random with a least
distance; they stand on the middle of a lane, heading along it. Bot cars drive a lane at constant speed, as rails would
have it, and change lanes, if they do, on a smooth line over `LANE_CHANGE` metres. Stations are metres along the centre
line. Of the original's mistakes, the least distance that shrinks from reset to reset is not followed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from racer_env.bodies import BODY, BOX_RECTANGLE, CAR_RECTANGLE, CAR_SIZE, Kind, locate
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError, nearest
from racer_env.geometry import Geometry, lane_pose
from racer_env.kernel import Floats, Ints, Records, kernel, records
from racer_env.randomness import Streams, below, between, fork, salt_of

INNER, OUTER = 1, -1  #: lanes, as the original numbers them
END_GAP = 1.0  #: m before the line in which nothing is put down
LANE_CHANGE = 1.0  #: m along the lane that a change takes
_SALT = salt_of("obstacles")


class Shape(NamedTuple):
    """How big a body is and what colour."""

    kind: Kind
    size: tuple[float, float, float]  #: m, length, width, height
    rectangle: tuple[float, float]  #: m, length and width of what must not be touched
    colour: tuple[float, float, float]  #: red, green, blue from 0 to 1


#: The models of the original's ``OBSTACLE_TYPE``, and its bot car.
SHAPES: Mapping[str, Shape] = {
    "box_obstacle": Shape(Kind.BOX, (0.4, 0.3, 0.25), BOX_RECTANGLE, (0.482, 0.38, 0.309)),
    "deepracer_box_obstacle": Shape(Kind.BOX, (0.36, 0.265, 0.24), BOX_RECTANGLE, (0.15, 0.15, 0.17)),
    "amazon_box_obstacle": Shape(Kind.BOX, (0.4, 0.3, 0.25), BOX_RECTANGLE, (0.62, 0.47, 0.33)),
    "bot_car": Shape(Kind.BOT, CAR_SIZE, CAR_RECTANGLE, (0.85, 0.45, 0.10)),
}


@dataclass(frozen=True)
class Obstacles:
    """Boxes, or parked cars, on the lanes."""

    count: int = 6  #: how many, evenly spaced, lanes taking turns from the inner one on
    positions: tuple[tuple[float, int], ...] = ()  #: share of the lap and lane (`INNER`, `OUTER`); replaces `count`
    random: bool = False  #: each somewhere between its neighbours, in any lane, drawn anew at every reset
    least_gap: float = 0.02  #: share of the lap between two
    shape: str = "box_obstacle"  #: of `SHAPES`

    def __post_init__(self) -> None:
        _check_count(self.count, "obstacles")
        if self.shape not in SHAPES:
            raise RacerError(f"no obstacle is called {self.shape!r}; {nearest(self.shape, SHAPES)}")
        if self.positions and self.random:
            raise RacerError("obstacles stand where positions say, or at random places, but not both")
        if not 0.0 <= self.least_gap < 1.0:
            raise RacerError(f"least_gap is a share of the lap, from 0 to less than 1, not {self.least_gap}")
        for share, lane in self.positions:
            if not 0.0 <= share < 1.0 or lane not in (INNER, OUTER):
                raise RacerError(
                    "positions are pairs of a share of the lap, from 0 to less than 1, and a lane, "
                    f"1 (inner) or -1 (outer), not ({share}, {lane})"
                )

    def __len__(self) -> int:
        return len(self.positions) or self.count


@dataclass(frozen=True)
class Bots:
    """Bot cars that drive the lanes."""

    count: int = 3
    speed: float = 0.2  #: m/s
    random: bool = False  #: start somewhere between the neighbours, in any lane
    least_gap: float = 2.0  #: m between two at the start
    lane_changes: bool = False
    lane_time: tuple[float, float] = (3.0, 5.0)  #: s between lane changes, least and most

    def __post_init__(self) -> None:
        _check_count(self.count, "bot cars")
        if not 0.0 <= self.speed <= 4.0:
            raise RacerError(f"bot cars drive 0 to 4 m/s, not {self.speed}")
        if self.least_gap < 0.0:
            raise RacerError(f"least_gap must be 0 m or more, not {self.least_gap}")
        if not 0.0 < self.lane_time[0] <= self.lane_time[1]:
            raise RacerError(f"lane_time must be two rising times above 0 s, not {self.lane_time}")

    def __len__(self) -> int:
        return self.count


def _check_count(count: int, what: str) -> None:
    if not 0 <= count <= 100:
        raise RacerError(f"a track can hold 0 to 100 {what}, not {count}")


def shapes_of(obstacles: Obstacles | None, bots: Bots | None) -> list[Shape]:
    """The bodies of a world that are not race cars, in order: obstacles, then bot cars."""
    of_obstacles = [SHAPES[obstacles.shape]] * len(obstacles) if obstacles else []
    return of_obstacles + ([SHAPES["bot_car"]] * len(bots) if bots else [])


def give_shape(bodies: Records, shape: Shape) -> None:
    """Make bodies (...) what a shape says."""
    bodies.kind, bodies.solid = shape.kind, True
    bodies.length, bodies.width, bodies.height = shape.size
    bodies.crash_length, bodies.crash_width = shape.rectangle
    bodies.red, bodies.green, bodies.blue = shape.colour


#: Colours of race cars, red, green and blue, by their place in a world.
CAR_COLOURS = (
    (0.10, 0.10, 0.12),
    (0.75, 0.12, 0.12),
    (0.12, 0.30, 0.75),
    (0.90, 0.75, 0.15),
    (0.15, 0.55, 0.25),
    (0.50, 0.20, 0.60),
    (0.85, 0.85, 0.85),
    (0.90, 0.45, 0.60),
)


def make_bodies(worlds: int, cars: int, shapes: Sequence[Shape]) -> Records:
    """The bodies (w, b) of worlds, all at the origin."""
    out = records((worlds, cars + len(shapes)), BODY)
    for k, colour in enumerate(CAR_COLOURS[:cars]):
        give_shape(out[:, k], Shape(Kind.CAR, CAR_SIZE, CAR_RECTANGLE, colour))
    for k, shape in enumerate(shapes):
        give_shape(out[:, cars + k], shape)
    return out


class Layout(NamedTuple):
    """How a row of bodies is put down, as the kernel reads it."""

    first: int  #: of the world's bodies
    size: int  #: how many bodies
    start: float  #: m, where the first may stand
    end: float  #: m, where the last may stand
    least_gap: float  #: m
    random: bool
    speed: float  #: m/s
    shortest_wait: float  #: control periods between lane changes; 0 if there are none
    longest_wait: float


def layouts_of(obstacles: Obstacles | None, bots: Bots | None, cars: int, length: float) -> list[Layout]:
    """The rows of a world on a track of `length` m. Raises `RacerError` where they do not fit."""
    out, first = [], cars
    if obstacles:
        gap = 0.0 if obstacles.positions else obstacles.least_gap * length
        out.append(_layout(first, len(obstacles), gap, length, obstacles.random))
        first += len(obstacles)
    if bots:
        row = _layout(first, len(bots), bots.least_gap, length, bots.random)
        waits = [seconds * CONTROL_RATE for seconds in bots.lane_time] if bots.lane_changes else [0.0, 0.0]
        out.append(row._replace(speed=bots.speed, shortest_wait=waits[0], longest_wait=waits[1]))
    return out


def _layout(first: int, count: int, least_gap: float, length: float, random: bool) -> Layout:
    start, end = least_gap, length - END_GAP
    if count > 1 and (count - 1) * least_gap > end - start:
        raise RacerError(
            f"{count} objects at least {least_gap:.2f} m apart do not fit on a track of {length:.1f} m; "
            f"at most {int(max(end - start, 0.0) / least_gap) + 1} do"
        )
    return Layout(first, count, start, end, least_gap, random, 0.0, 0.0, 0.0)


def populate(
    world: Records, obstacles: Obstacles | None, layouts: Sequence[Layout], stream: np.uint64, track: Geometry
) -> None:
    """Put down the obstacles and bot cars of a world (b,), with the random numbers of `stream`."""
    for row in layouts:
        put_down(world, row, stream, track)
    if obstacles and obstacles.positions:
        shares, lanes = (np.array(part) for part in zip(*obstacles.positions, strict=True))
        put_at(world, layouts[0].first, shares * track.length, lanes, track)


@kernel
def put_down(world: Records, row: Layout, stream: Any, track: Geometry) -> None:
    """Put down a row of a world's bodies (b,), evenly spaced, or as the random numbers of `stream` have it."""
    own = fork(stream, _SALT + row.first)
    for k in range(row.size):
        share = k / (row.size - 1) if row.size > 1 else 0.0
        body = world[row.first + k]
        body.rail, body.lane = row.start + share * (row.end - row.start), INNER if k % 2 == 0 else OUTER
    if row.random:
        _scatter(world, row, own)
    for k in range(row.size):
        body = world[row.first + k]
        body.speed, body.next_lane, body.pause = row.speed, body.lane, 0
        body.wait = _wait(row, stream, 0, row.first + k)
        on_lane(body, body.rail, track)


@kernel
def _scatter(world: Records, row: Layout, stream: Any) -> None:
    """Move each body, in a random order, anywhere between those before and after it, and to any lane."""
    order: Ints = np.arange(row.size)
    for k in range(row.size - 1, 0, -1):
        j = below(stream, 0, k, k + 1)
        order[k], order[j] = order[j], order[k]
    for place in order:
        k = int(place)
        body = world[row.first + k]
        low = row.start if k == 0 else world[row.first + k - 1].rail + row.least_gap
        high = row.end if k == row.size - 1 else world[row.first + k + 1].rail - row.least_gap
        if low < high:
            body.rail = between(stream, 1, k, low, high)
        body.lane = OUTER if below(stream, 2, k, 2) == 0 else INNER


@kernel
def _wait(row: Layout, stream: Any, tick: int, j: int) -> int:
    """Control periods until the body j changes lanes; -1 if it never does."""
    if row.longest_wait <= 0.0:
        return -1
    return round(between(fork(stream, _SALT), tick, j, row.shortest_wait, row.longest_wait))


@kernel
def on_lane(body: Records, station: float, track: Geometry) -> None:
    """Put a body on its lane at a station of the centre line."""
    body.rail = station % track.length if track.closed else min(station, track.length)
    body.x, body.y, body.yaw = lane_pose(track, body.rail, _smooth(body.lane))
    locate(body, track)


@kernel
def _smooth(lane: float) -> float:
    """The line between two lanes: it leaves one and joins the other without a bend."""
    t = 0.5 + 0.5 * lane
    return 2.0 * t * t * (3.0 - 2.0 * t) - 1.0


@kernel
def put_at(world: Records, first: int, stations: Floats, lanes: Ints, track: Geometry) -> None:
    """Put a row of bodies down on a list of stations (k,) and lanes (k,)."""
    for k in range(len(stations)):
        body = world[first + k]
        body.lane, body.next_lane, body.speed, body.wait, body.pause = lanes[k], lanes[k], 0.0, -1, 0
        on_lane(body, stations[k], track)


@kernel
def drive(bodies: Records, row: Layout, worlds: Ints, streams: Streams, ticks: Ints, track: Geometry) -> None:
    """Let the bot cars of a row drive one control period in the worlds `worlds` (k,); streams and ticks (w,)."""
    for w in worlds:
        for j in range(row.first, row.first + row.size):
            _drive(bodies[w, j], row, streams[w], ticks[w], j, track)


@kernel
def _drive(body: Records, row: Layout, stream: Any, tick: int, j: int, track: Geometry) -> None:
    if body.pause > 0:
        body.pause -= 1
        return
    way, x, y = row.speed / CONTROL_RATE, body.x, body.y
    if body.wait >= 0:
        body.wait -= 1
        if body.wait < 0:
            body.next_lane = -body.lane
            body.wait = round(LANE_CHANGE / way) + _wait(row, stream, tick, j)
    turn = 2.0 * way / LANE_CHANGE
    body.lane += min(max(body.next_lane - body.lane, -turn), turn)
    rail = body.rail
    on_lane(body, rail + way, track)
    gone = math.hypot(body.x - x, body.y - y)
    if gone > 0.0:  # lanes are longer or shorter than the centre line
        on_lane(body, rail + way * way / gone, track)
