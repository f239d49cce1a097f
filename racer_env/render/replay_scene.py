"""A replay as moving pictures: it is put back into a simulator, frame by frame, and drawn by that simulator's scene.

What a camera shows is drawn anew from the poses: the usual colours, light and lens, whatever the race's randomisation
had made of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from racer_env.bodies import Kind, blinking
from racer_env.car import COMMAND
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import ReplayError
from racer_env.kernel import Bools, Ints, Records, records
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import Race, Status
from racer_env.render.scene import SIZE, Scene
from racer_env.render.timing_tower import draw_tower, tower_height
from racer_env.replay import Header, Racer, Replay
from racer_env.sensors import SENSORS, Sensor, find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track

AROUND = 10.0  #: m, how far from its track something may be
SHOWN = ("observation", "FRONT_FACING_CAMERA", "LEFT_CAMERA", "STEREO_CAMERAS", "LIDAR", "SECTOR_LIDAR")
_MOST = 100  #: things in a row of a simulator

Frame = npt.NDArray[np.uint8]


class ReplayScene:
    """Pictures of a replay that follow one car.

    Args:
        replay: what was driven.
        car: the followed one.
        camera: show what its driver's camera saw instead of the road around it from above, if it has one.

    Raises:
        ReplayError: there is no such car, its track is not here, or something in it is far away from that.
    """

    def __init__(self, replay: Replay, car: int = 0, *, camera: bool = True):
        if not 0 <= car < len(replay.names):
            raise ReplayError(f"the replay has the cars 1 to {len(replay.names)}, but no car {car + 1}")
        _check_places(replay, replay.track)
        self.replay, self.car = replay, car
        self.simulator = _simulator(replay.header, replay.track, car)
        self._counts = {status: _of_lap(replay, status) for status in (Status.CRASHED, Status.OFF_TRACK)}
        self._lap_starts, self._steps, self._run = _lap_starts(replay), _steps(replay), _run_numbers(replay)
        self._scene = Scene(self.simulator, car, _words(replay), replay.names[car])
        if not camera:
            self._scene.show_camera = False
        self.size = (SIZE[0], SIZE[1] + tower_height(len(replay.names)))

    def draw(self, frame: int) -> Frame:
        """Draw a frame, uint8 (h, w, 3), with the path that the car took through those shown before it."""
        self._put(frame)
        self.simulator.restore(self.simulator.state)
        picture = self._scene.draw()
        if self.size[1] == SIZE[1]:
            return picture
        tower = draw_tower(self.replay, frame, self.car, self.size[0])
        return np.concatenate((picture, np.asarray(tower)))

    def look(self, frame: int) -> None:
        """Let a frame pass without drawing it."""
        self._put(frame)
        self._scene.look()

    def draw_at(self, frame: int) -> Frame:
        """Draw a frame as if all before it had been shown."""
        for before in range(frame):
            self.look(before)
        return self.draw(frame)

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Draw every so many frames, and the last one."""
        last = len(self.replay) - 1
        for frame in range(len(self.replay)):
            if frame % every == 0 or frame == last:
                yield self.draw(frame)
            else:
                self.look(frame)

    def _put(self, frame: int) -> None:
        """Make the simulator's state that of a frame."""
        state, driven = self.simulator.state, self.replay.driven[frame]
        for name in ("x", "y", "yaw", "speed", "steering"):
            state.motion[name] = driven[name]
        for name in ("progress", "status", "laps", "lap_milliseconds", "pause", "resets"):
            state.episode[name] = driven[name]
        state.episode.steps, state.episode.number = self._steps[frame], self._run[frame]
        state.episode.lap_start = self._lap_starts[frame]
        state.episode.crash_count = self._counts[Status.CRASHED][frame]
        state.episode.off_track_count = self._counts[Status.OFF_TRACK][frame]
        state.episode.done = self._is_last(frame)
        self._put_bodies(state.bodies[0], driven, self.replay.things[frame])
        command = records(len(driven), COMMAND)
        command.steering_degrees, command.speed = driven.steering_command, driven.speed_command
        self.simulator.command = command

    def _put_bodies(self, world: Records, driven: Records, things: Records) -> None:
        cars = len(driven)
        for name in ("x", "y", "yaw", "speed"):
            world[name][:cars], world[name][cars:] = driven[name], things[name]
        world.kind[:cars] = np.where(driven.present, Kind.CAR, Kind.NONE)
        world.transparency[:cars] = 1.0 - blinking(driven.pause / CONTROL_RATE)

    def _is_last(self, frame: int) -> Bools:
        """Whether this is the last frame (k,) of each car's run."""
        after = frame + 1
        if after == len(self.replay) or self.replay.ticks[after] == 0:
            return np.ones(len(self.replay.names), np.bool_)
        gone: Bools = ~self.replay.driven.present[after]
        return gone


def _simulator(header: Header, track: Track, car: int) -> Simulator:
    """A simulator of one world with the cars and things of a replay, and the eyes of one of its cars."""
    count = len(header.things)
    race = Race(
        laps=header.race_laps,
        resets=header.race_resets,
        cars=len(header.racers),
        obstacles=Obstacles(min(count, _MOST), least_gap=0.0) if count else None,
        bots=Bots(count - _MOST, least_gap=0.0) if count > _MOST else None,
    )
    made = Simulator(track, race=race, sensors=_eyes(header.racers[car]))
    made.reset()
    world = made.state.bodies[0]
    for body, racer in zip(world, header.racers, strict=False):
        body.red, body.green, body.blue = racer.colour
    for body, thing in zip(world[len(header.racers) :], header.things, strict=True):
        body.kind, (body.length, body.width, body.height) = thing.kind, thing.size
        body.red, body.green, body.blue = thing.colour
    return made


def _eyes(racer: Racer) -> tuple[Sensor, ...]:
    return find_sensors([name for name in dict.fromkeys(racer.sensors) if name in SENSORS and name in SHOWN])


def _check_places(replay: Replay, track: Track) -> None:
    left, bottom, right, top = track.bounds
    for what in (replay.driven, replay.things):
        if (
            what.size
            and not (
                (np.abs(what.x - 0.5 * (left + right)) < 0.5 * (right - left) + AROUND)
                & (np.abs(what.y - 0.5 * (bottom + top)) < 0.5 * (top - bottom) + AROUND)
            ).all()
        ):
            raise ReplayError(f"something in the replay is more than {AROUND:g} m away from {track.name}")


def _words(replay: Replay) -> str:
    laps = replay.header.race_laps
    return f"{laps} lap{'s' if laps > 1 else ''} · simulator {replay.header.engine}"


def _run_numbers(replay: Replay) -> Ints:
    """Which run (t,) a frame is of, from 0."""
    return np.repeat(np.arange(len(replay.header.runs)), replay.header.runs)


def _steps(replay: Replay) -> Ints:
    """Steps (t, k) of each car's run, which stop when it is out."""
    present = replay.driven.present.astype(np.int64)
    return _since(np.cumsum(present, axis=0), _starts(replay))


def _lap_starts(replay: Replay) -> npt.NDArray[np.float64]:
    """Control periods (t, k) from the start of the run to that of the lap."""
    milliseconds = _since(np.cumsum(replay.driven.lap_milliseconds, axis=0), _starts(replay))
    return milliseconds * np.float64(CONTROL_RATE / 1000.0)


def _of_lap(replay: Replay, status: Status) -> Ints:
    """How often a status (t, k) has been seen in the lap so far; what happens on the line counts to the lap it ends."""
    laps = np.zeros_like(replay.driven.laps)
    laps[1:] = replay.driven.lap_milliseconds[:-1] > 0
    return _since(np.cumsum(replay.driven.status == status, axis=0), laps.astype(np.bool_) | _starts(replay))


def _starts(replay: Replay) -> Bools:
    """Whether a frame (t, k) is the first of a run."""
    first: Bools = np.repeat((replay.ticks == 0)[:, None], len(replay.names), axis=1)
    return first


def _since(counted: Ints, begins: Bools) -> Ints:
    """What was counted (t, k) since the frame before the last of those that begin something."""
    before = np.vstack((np.zeros((1, counted.shape[1]), np.int64), counted[:-1]))
    out: Ints = counted - np.maximum.accumulate(np.where(begins, before, 0), axis=0)
    return out
