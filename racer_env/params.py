"""``params``: the dictionary that DeepRacer hands to a reward function, key by key as the original defines it.

The definitions are those of the original's ``markov/agent_ctrl`` and ``markov/track_geom``; where its code and its
documentation disagree, the documented meaning is kept (README, *What is followed, what is fixed*). Degrees, metres,
metres a second, per cent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env.bodies import Kind
from racer_env.car import FRONT_POINT
from racer_env.geometry import Geometry, left_of_centre, on_road, project, waypoints_around, width_at
from racer_env.kernel import Floats, Ints, Records, inlined_kernel, kernel
from racer_env.track import Track


class Param(NamedTuple):
    """One key of ``params``."""

    type: str
    unit: str
    range: str
    meaning: str


PARAMS: Mapping[str, Param] = {
    "all_wheels_on_track": Param("bool", "", "", "all four wheel hubs are inside the borders; white lines count"),
    "x": Param("float", "m", "", "position of the front of the car, 14 cm ahead of its middle"),
    "y": Param("float", "m", "", "the same, the other axis"),
    "heading": Param("float", "°", "(-180, 180]", "yaw of the car, counter-clockwise from the x axis"),
    "distance_from_center": Param("float", "m", "0 …", "from the front of the car to the centre line"),
    "projection_distance": Param("float", "m", "0 … track_length", "along the centre line to the car's projection"),
    "progress": Param("float", "%", "0 … 100", "share of the lap since this episode's start"),
    "steps": Param("float", "", "2 …", "steps of this episode; the first call sees 2"),
    "speed": Param("float", "m/s", "0.1 … 4", "commanded speed of the chosen action"),
    "steering_angle": Param("float", "°", "-30 … 30", "commanded steering of the chosen action, left positive"),
    "track_width": Param("float", "m", "0 …", "between the borders at the car's place"),
    "track_length": Param("float", "m", "0 …", "length of the centre line"),
    "waypoints": Param("list of (float, float)", "m", "", "the centre line; on a loop the last equals the first"),
    "closest_waypoints": Param("[int, int]", "index", "", "the waypoints behind and ahead of the car"),
    "is_left_of_center": Param("bool", "", "", "the front of the car is on the left half of the road"),
    "is_reversed": Param("bool", "", "", "the track is driven in reverse point order (not: the car turned around)"),
    "is_offtrack": Param("bool", "", "", "no wheel hub is inside the borders"),
    "is_crashed": Param("bool", "", "", "the car has run into an object"),
    "closest_objects": Param("[int, int]", "index", "", "the objects behind and ahead; [0, 0] if there are none"),
    "objects_location": Param("list of [float, float]", "m", "", "where the objects are"),
    "objects_distance": Param("list of float", "m", "0 … track_length", "along the centre line to each object"),
    "objects_distance_from_center": Param("list of float", "m", "0 …", "from each object to the centre line"),
    "objects_left_of_center": Param("list of bool", "", "", "each object is on the left half of the road"),
    "objects_speed": Param("list of float", "m/s", "0 …", "speed of each object"),
    "objects_heading": Param("list of float", "°", "(-180, 180]", "yaw of each object"),
    "object_in_camera": Param("bool", "", "", "the next object ahead is in the camera's view"),
    "sim_time": Param("float", "s", "0 …", "the simulator's clock"),
}

#: What is measured of one car at one pose.
SITUATION = np.dtype(
    [
        ("x", np.float64),  # m, front point
        ("y", np.float64),
        ("heading", np.float64),  # degrees
        ("distance_from_center", np.float64),
        ("projection_distance", np.float64),
        ("share", np.float64),  # projection over length, 0 to 1
        ("track_width", np.float64),
        ("previous_waypoint", np.int64),
        ("next_waypoint", np.int64),
        ("nearest_waypoint", np.int64),  # of the two, the nearer in a straight line
        ("is_left_of_center", np.bool_),
        ("all_wheels_on_track", np.bool_),
        ("is_offtrack", np.bool_),
        ("is_crashed", np.bool_),  # from here on `racer_env.bodies.look_around`: it runs into something and is at fault
        ("hit", np.int64),  # the body that it runs into
        ("bumped", np.bool_),  # a bot car runs into it from behind
        ("previous_object", np.int64),  # of the bodies without its own
        ("next_object", np.int64),
        ("object_in_camera", np.bool_),
    ],
    align=True,
)


@inlined_kernel
def _degrees(yaw: float) -> float:
    """Degrees in (-180, 180]."""
    turns = math.degrees(yaw) % 360.0
    return turns - 360.0 if turns > 180.0 else turns


@inlined_kernel
def _hubs_on_road(x: float, y: float, yaw: float, car: Records, track: Geometry) -> int:
    """Count the hubs on the road; the front ones are nearer together than the rear ones, as in the original."""
    c, s = math.cos(yaw), math.sin(yaw)
    rear_axle = car.front_axle - car.wheelbase
    on = 0
    for ahead, width in ((car.front_axle, car.front_track_width), (rear_axle, car.rear_track_width)):
        for left in (-0.5 * width, 0.5 * width):
            on += on_road(x + c * ahead - s * left, y + s * ahead + c * left, track)
    return on


@inlined_kernel
def _nearest_of_two(x: float, y: float, points: Floats, previous: int, following: int) -> int:
    a = math.hypot(points[previous, 0] - x, points[previous, 1] - y)
    b = math.hypot(points[following, 0] - x, points[following, 1] - y)
    return previous if a <= b else following


@kernel
def look(motion: Records, cars: Records, which: Ints, track: Geometry, out: Records) -> None:
    """Measure the situations (n,) of the cars `which` (k,) where they stand on the track."""
    for i in which:
        m, s = motion[i], out[i]
        s.x = m.x + FRONT_POINT * math.cos(m.yaw)
        s.y = m.y + FRONT_POINT * math.sin(m.yaw)
        s.heading = _degrees(m.yaw)
        found = project(s.x, s.y, track.centre, track.grid)
        s.distance_from_center = found.distance
        s.projection_distance = found.station
        s.share = found.station / track.length
        s.track_width = width_at(found.x, found.y, track)
        previous, following = waypoints_around(s.share, track.normal)
        s.previous_waypoint, s.next_waypoint = previous, following
        s.nearest_waypoint = _nearest_of_two(s.x, s.y, track.centre.points, previous, following)
        s.is_left_of_center = left_of_centre(s.x, s.y, track)
        hubs = _hubs_on_road(m.x, m.y, m.yaw, cars[i], track)
        s.all_wheels_on_track, s.is_offtrack = hubs == 4, hubs == 0


class Seen(NamedTuple):
    """What params are made of: the state of n cars in w worlds at the poses that are judged."""

    track: Track
    situation: Records  #: `SITUATION` (n,)
    episode: Records  #: `racer_env.race.EPISODE` (n,)
    command: Records  #: `racer_env.car.COMMAND` (n,), as chosen
    time: Floats  #: (n,) the simulator's clock, s
    bodies: Records | None = None  #: `BODY` (w, b); None if every car is alone


def columns(seen: Seen, cars: Ints) -> dict[str, Any]:
    """Give every key as an array with a row for each of `cars` (k,); ``waypoints`` (p, 2) is that of all.

    Those of objects are (k, m), where m counts the other bodies of a car's world; ``objects_location`` is (k, m, 2).
    """
    return {key: values.copy() for key, values in _columns(seen, cars).items()}


def _columns(seen: Seen, cars: Ints) -> dict[str, npt.NDArray[Any]]:
    """The columns, some of them views of what was `seen`."""
    s, e, c = (_rows(part, cars) for part in (seen.situation, seen.episode, seen.command))
    n = len(s)
    found = {
        **{key: s[key] for key in _MEASURED},
        "progress": e["progress"],
        "steps": e["steps"].astype(np.float64),
        "speed": c["speed"],
        "steering_angle": c["steering_degrees"],
        "track_length": np.full(n, seen.track.length),
        "waypoints": seen.track.centre,
        "closest_waypoints": _pairs(s["previous_waypoint"], s["next_waypoint"]),
        "is_reversed": np.full(n, seen.track.is_reversed),
        "closest_objects": _pairs(s["previous_object"], s["next_object"]),
        "sim_time": seen.time[cars],
        **_objects(seen, cars),
    }
    return {key: found[key] for key in PARAMS}


def _rows(values: Records, cars: Ints) -> npt.NDArray[Any]:
    """Pick some records; the fields of plain arrays are read faster."""
    plain: npt.NDArray[Any] = values.view(np.ndarray)
    return plain if len(cars) == len(plain) else plain[cars]


def _pairs(first: Ints, second: Ints) -> Ints:
    out = np.empty((len(first), 2), np.int64)
    out[:, 0], out[:, 1] = first, second
    return out


def _objects(seen: Seen, cars: Ints) -> dict[str, Any]:
    """The keys of the objects: the other bodies of each car's world, in order. A box heads 0, as documented."""
    if seen.bodies is None:
        return dict.fromkeys(_OBJECTS, np.zeros((len(cars), 0)))
    in_world = len(seen.situation) // len(seen.bodies)
    world, own = np.divmod(cars, in_world)
    others = np.arange(seen.bodies.shape[1] - 1) + (np.arange(seen.bodies.shape[1] - 1) >= own[:, None])
    there = seen.bodies.view(np.ndarray)[world[:, None], others]
    heading = (np.degrees(there["yaw"]) + 180.0) % 360.0 - 180.0
    return {
        "objects_location": np.stack((there["x"], there["y"]), axis=-1),
        "objects_distance": there["station"],
        "objects_distance_from_center": there["distance_from_center"],
        "objects_left_of_center": there["is_left_of_center"],
        "objects_speed": there["speed"],
        "objects_heading": np.where(there["kind"] == Kind.BOX, 0.0, np.where(heading == -180.0, 180.0, heading)),
    }


class Rows(Sequence[dict[str, Any]]):
    """A dictionary for each of some cars (k,), made anew, out of columns, whenever it is asked for.

    Going through them, only one is there at a time, always in the same place in memory: that is several times as fast
    as keeping all. They share one list of waypoints; everything else that a walk through them gives is its own.
    """

    def __init__(self, seen: Seen, cars: Ints):
        found = {key: values for key, values in _columns(seen, cars).items() if key != "waypoints"}
        lists = {key: _list(values) for key, values in found.items()}
        self._count = len(cars)
        self._lists = [lists.get(key) or [seen.track.waypoints] * len(cars) for key in PARAMS]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: Any) -> Any:
        return _Attributes(*(values[row] for values in self._lists)).__dict__

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (_Attributes(*values).__dict__ for values in zip(*self._lists, strict=True))


def build(seen: Seen, cars: Ints) -> list[dict[str, Any]]:
    """Make one dictionary for each of `cars` (k,), column by column.

    All dictionaries share one list of waypoints; everything else in them is their own.
    """
    return list(Rows(seen, cars))


def _list(column: npt.NDArray[Any]) -> list[Any]:
    return column.tolist() if column.size else [[] for _ in range(len(column))]


class _Attributes:
    """Whose attributes are the values of all keys, in order.

    Python keeps the names of attributes once for a class, so that their dictionary is made three times as fast as by a
    literal: that of a real one, `dict` to the last bit.
    """

    exec(f"def __init__(self, {', '.join(PARAMS)}):\n" + "\n".join(f" self.{key} = {key}" for key in PARAMS))  # noqa: S102


_OBJECTS = tuple(key for key in PARAMS if key.startswith("objects_"))
_MEASURED = (
    "all_wheels_on_track",
    "x",
    "y",
    "heading",
    "distance_from_center",
    "projection_distance",
    "track_width",
    "is_left_of_center",
    "is_offtrack",
    "is_crashed",
    "object_in_camera",
)
