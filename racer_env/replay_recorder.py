"""Records replays of a batch: hand a `ReplayRecorder` to whatever takes a `racer_env.driver.Watch`.

It must be called after every reset (with None) and step, and keeps what the judge of a step saw: the poses before the
step, and what was chosen there. A world whose cars are all done is not recorded further until it is reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from racer_env.kernel import Bools, Records, records
from racer_env.replay import DRIVEN, MOST_RESETS, THING, Course, Header, Racer, Replay, Thing
from racer_env.sensors import SENSORS
from racer_env.simulator import Simulator, Step

_OF_MOTION = ("x", "y", "yaw", "speed", "steering")
_OF_EPISODE = ("progress", "status", "laps", "lap_milliseconds", "pause", "resets")


class _Snapshot(NamedTuple):
    """One step of the batch: w worlds of k cars and b things."""

    driven: Records  #: `DRIVEN` (w, k)
    things: Records  #: `THING` (w, b)
    recorded: Bools  #: (w,) which worlds' frames these are
    fresh: Bools  #: (w,) which begin a run with it


class ReplayRecorder:
    """Keeps the frames of every world.

    Args:
        names: what the cars of a world are called, the same in each; by default ``car 1`` and so on.
        sensors: names of what the driver of each car sees; by default all sensors of the simulator.
    """

    def __init__(self, names: Sequence[str] = (), sensors: Sequence[Sequence[str]] = ()):
        self._names, self._sensors = tuple(names), tuple(map(tuple, sensors))
        self._snapshots: list[_Snapshot] = []

    def __call__(self, simulator: Simulator, step: Step | None) -> None:
        """Note a reset or a step."""
        if step is None:
            self._begin(simulator)
        else:
            self._add(simulator)
        self._motion = simulator.state.motion.copy()

    def replays(self) -> list[Replay]:
        """The replay of every world so far. Raises `ValueError` if nothing was recorded."""
        if not self._snapshots:
            raise ValueError("nothing was recorded: no reset was seen")
        return [self._replay(world) for world in range(self._simulator.worlds)]

    def _begin(self, simulator: Simulator) -> None:
        if not self._snapshots:
            self._simulator, self._bodies = simulator, simulator.state.bodies.copy()
            self._tracks = [simulator.track_of(world * simulator.race.cars) for world in range(simulator.worlds)]
            self._over: Bools = np.zeros(simulator.n, np.bool_)
        fresh: Bools = simulator.state.episode.steps.reshape(simulator.worlds, -1)[:, 0] == 1
        self._over[np.repeat(fresh, simulator.race.cars)] = False
        self._motion = simulator.state.motion
        self._keep(simulator, self._driven(simulator), fresh, fresh)

    def _add(self, simulator: Simulator) -> None:
        recorded: Bools = np.any(~self._over.reshape(simulator.worlds, -1), axis=1)
        driven = self._driven(simulator)
        driven.steering_command, driven.speed_command = simulator.command.steering_degrees, simulator.command.speed
        self._keep(simulator, driven, recorded, np.zeros_like(recorded))
        self._over |= simulator.state.episode.done

    def _driven(self, simulator: Simulator) -> Records:
        """`DRIVEN` (n,) with all but the commands."""
        episode, out = simulator.state.episode, records(simulator.n, DRIVEN)
        for name in _OF_MOTION:
            out[name] = self._motion[name]
        for name in _OF_EPISODE:
            out[name] = episode[name]
        out.present = ~self._over
        out.lap_milliseconds[self._over] = 0
        return out

    def _keep(self, simulator: Simulator, driven: Records, recorded: Bools, fresh: Bools) -> None:
        bodies = simulator.judged_bodies[:, simulator.race.cars :]
        things = records(bodies.shape, THING)
        for name in THING.names or ():
            things[name] = bodies[name]
        self._snapshots.append(_Snapshot(driven.reshape(simulator.worlds, -1), things, recorded, fresh))

    def _replay(self, world: int) -> Replay:
        """Gather the frames of a world."""
        mine = [snapshot for snapshot in self._snapshots if snapshot.recorded[world]]
        starts = [frame for frame, snapshot in enumerate(mine) if snapshot.fresh[world]]
        course, route = Course.of(self._tracks[world])
        header = Header(
            version("racer18"),
            course,
            self._simulator.race.laps,
            min(self._simulator.race.resets, MOST_RESETS),
            self._racers(world),
            tuple(_thing(body) for body in self._bodies[world, self._simulator.race.cars :]),
            tuple(end - begin for begin, end in pairwise((*starts, len(mine)))),
        )
        driven = _stacked([snapshot.driven[world] for snapshot in mine], DRIVEN)
        things = _stacked([snapshot.things[world] for snapshot in mine], THING)
        return Replay(header, driven, things, route)

    def _racers(self, world: int) -> tuple[Racer, ...]:
        cars = self._simulator.race.cars
        names = self._names or tuple(f"car {car + 1}" for car in range(cars))
        seen = tuple(sensor.name for sensor in self._simulator.sensors if sensor.name in SENSORS)
        sensors = self._sensors or (seen,) * cars
        told = zip(names, sensors, self._bodies[world, :cars], strict=True)
        return tuple(Racer(name[:200], seen_by, _colour(body)) for name, seen_by, body in told)


def _stacked(rows: Sequence[Records], layout: np.dtype[Any]) -> Records:
    out = records((len(rows), len(rows[0])), layout)
    for frame, row in enumerate(rows):
        out[frame] = row
    return out


def _thing(body: Records) -> Thing:
    return Thing(int(body.kind), (float(body.length), float(body.width), float(body.height)), _colour(body))


def _colour(body: Records) -> tuple[float, float, float]:
    red, green, blue = (round(min(max(float(body[name]), 0.0), 1.0), 3) for name in ("red", "green", "blue"))
    return red, green, blue
