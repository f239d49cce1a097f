"""A replay: what every car did in every control period of a race, and all that was around it, as numbers.

A frame is what a row of simtrace is: the pose that was judged, what the judge made of it, and the command that was
chosen there. The first frame of a run is its start. Frames of a run are one control period (1/15 s) apart, so that
frame k of a run is the world k/15 s after its start; runs that follow each other, as separate laps do, each start at 0.
Metres, seconds, radians, world frame of the track; a car's pose is that of the middle between its axles.

A replay shows; it does not prove. What it is made of is rounded when it is written (`racer_env.replay_file`), and a
race driven under a `racer_env.randomisation` shows the track of its first run in its usual colours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, StringConstraints

import tracks
from racer_env.bodies import Kind
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError, ReplayError
from racer_env.kernel import Floats, Ints, Records
from racer_env.obstacles import CAR_COLOURS
from racer_env.race import MOST_CARS, Status
from racer_env.track import Track, find_track

#: One car in one frame.
DRIVEN = np.dtype(
    [
        ("x", np.float64),  # m
        ("y", np.float64),
        ("yaw", np.float64),  # rad, not wrapped
        ("speed", np.float64),  # m/s
        ("steering", np.float64),  # rad, of the front wheels, left positive
        ("steering_command", np.float64),  # degrees, left positive
        ("speed_command", np.float64),  # m/s
        ("progress", np.float64),  # per cent of the lap
        ("status", np.int64),  # `racer_env.race.Status`
        ("laps", np.int64),  # completed in this run
        ("lap_milliseconds", np.int64),  # time of the lap completed in this frame, else 0
        ("pause", np.int64),  # control periods of a penalty that are left
        ("resets", np.int64),  # how often the car was put back in this run
        ("present", np.bool_),  # it has not finished, nor is it out
    ],
    align=True,
)

#: A box or a bot car in one frame.
THING = np.dtype([("x", np.float64), ("y", np.float64), ("yaw", np.float64), ("speed", np.float64)], align=True)

GRID = 1e-4  #: m, to which the points of a track are rounded in a replay and for its hash

#: What a step can be that sends a car back to the track, or ends its run.
OFFENCES = (Status.CRASHED, Status.OFF_TRACK, Status.IMMOBILIZED, Status.REVERSED)

MOST_RESETS = 2**31 - 1  #: that a replay can tell; more are as good as no limit

_PRINTED = (
    r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"  #: nothing that moves a terminal's cursor or turns text
)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTED)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Colour = tuple[Share, Share, Share]
Metres = Annotated[float, Field(gt=0.0, le=10.0)]


@dataclass(frozen=True)
class Course:
    """Where a replay was driven."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    name: Name
    is_reversed: bool
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  #: of its points in steps of `GRID`
    points: Annotated[int, Field(ge=0, le=100_000)] = 0  #: that the replay holds itself; 0: the track is a shipped one

    @classmethod
    def of(cls, track: Track) -> tuple[Course, Floats]:
        """Describe a track; its route (points, 6) must be kept, too, which is empty for a shipped one."""
        route = track.route[::-1] if track.is_reversed else track.route
        digest = hash_of(route)
        shipped = track.name in tracks.names() and hash_of(find_track(track.name).route) == digest
        kept = np.zeros((0, 6)) if shipped else np.round(route / GRID) * GRID
        return cls(track.name[:200], track.is_reversed, digest, len(kept)), kept


def hash_of(route: Floats) -> str:
    """SHA-256 of a route (p, 6) as its file has it, in whole steps of `GRID`."""
    return hashlib.sha256(np.round(route / GRID).astype("<i4").tobytes()).hexdigest()


@dataclass(frozen=True)
class Racer:
    """A car of a replay."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    name: Name
    sensors: Annotated[tuple[Name, ...], Field(max_length=8)] = ()  #: what its driver sees
    colour: Colour = CAR_COLOURS[0]  #: red, green, blue, of its shell


@dataclass(frozen=True)
class Thing:
    """A box or a bot car of a replay."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    kind: Annotated[int, Field(ge=Kind.BOT, le=Kind.BOX)]
    size: tuple[Metres, Metres, Metres]  #: length, width, height
    colour: Colour


@dataclass(frozen=True)
class Header:
    """What does not change during a replay."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    engine: Name  #: version of the simulator
    course: Course
    race_laps: Annotated[int, Field(ge=1, le=100_000)]  #: to complete
    race_resets: Annotated[int, Field(ge=0, le=MOST_RESETS)]  #: how often a car may be put back in a run
    racers: Annotated[tuple[Racer, ...], Field(min_length=1, max_length=MOST_CARS)]
    things: Annotated[tuple[Thing, ...], Field(max_length=200)]
    runs: Annotated[
        tuple[Annotated[int, Field(ge=1, le=2**31)], ...], Field(min_length=1, max_length=10_000)
    ]  #: frames of each


@dataclass(frozen=True)
class Event:
    """Something that the judge saw."""

    frame: int
    milliseconds: int  #: since the start of the run
    lap: int  #: of the run, from 1
    kind: str  #: ``lap``, ``finish``, ``time_up``, ``cut_off``, or an offence as `Status.label` says it
    put_back: bool  #: the car was put back on the track; an offence that is not ends its run


@dataclass(frozen=True)
class DrivenLap:
    """One lap of one car, complete or not."""

    number: int  #: from 1, over all runs
    first: int  #: frame of its start
    last: int  #: frame in which it was completed or ended
    time_ms: int
    start_ms: int  #: since the start of the run
    complete: bool


@dataclass(frozen=True, eq=False)
class Replay:
    """A drive of one or several cars in one world, frame by frame: t frames of k cars and b things."""

    header: Header
    driven: Records  #: `DRIVEN` (t, k)
    things: Records  #: `THING` (t, b)
    route: Floats  #: (p, 6) of the track as its file has it, or (0, 6) if it is shipped

    def __len__(self) -> int:
        return len(self.driven)

    @property
    def names(self) -> tuple[str, ...]:
        """What the racers are called."""
        return tuple(racer.name for racer in self.header.racers)

    def named(self, *names: str) -> Replay:
        """The same with other names for its racers."""
        racers = tuple(replace(racer, name=name) for racer, name in zip(self.header.racers, names, strict=True))
        return replace(self, header=replace(self.header, racers=racers))

    @property
    def runs(self) -> list[tuple[int, int]]:
        """First frame of each run, and the one behind its last."""
        return list(pairwise(np.cumsum((0, *self.header.runs)).tolist()))

    @cached_property
    def ticks(self) -> Ints:
        """Control periods (t,) since the start of the run."""
        return np.concatenate([np.arange(length) for length in self.header.runs])

    @cached_property
    def track(self) -> Track:
        """Where it was driven.

        Raises:
            ReplayError: it is not here, or another one than that of the replay.
        """
        course = self.header.course
        try:
            if course.points:
                return Track.from_route(self.route, course.name, reverse=course.is_reversed)
            if course.name not in tracks.names():
                raise ReplayError(f"the replay was driven on {course.name!r}, which is no shipped track")
            track = find_track(course.name, reverse=course.is_reversed)
        except RacerError as error:
            raise ReplayError(str(error)) from error
        if hash_of(track.route[::-1] if track.is_reversed else track.route) != course.sha256:
            raise ReplayError(f"the replay was driven on another {course.name} than the one that is here")
        return track

    def laps(self, car: int = 0) -> list[DrivenLap]:
        """The laps of a car, in order; the time of one that was not completed is right to 1 ms."""
        return list(self._laps(self.driven[:, car]))

    def _laps(self, of: Records) -> Iterator[DrivenLap]:
        number = 0
        for begin, end in self.runs:
            start, start_ms = begin, 0
            last = begin + int(np.count_nonzero(of.present[begin:end])) - 1
            for frame in (begin + np.flatnonzero(of.lap_milliseconds[begin:end])).tolist():
                number, time_ms = number + 1, int(of.lap_milliseconds[frame])
                yield DrivenLap(number, start, frame, time_ms, start_ms, complete=True)
                start, start_ms = frame, start_ms + time_ms
            if start != last:
                number += 1
                yield DrivenLap(number, start, last, _milliseconds(last - begin) - start_ms, start_ms, complete=False)

    def best_lap(self, car: int = 0) -> DrivenLap | None:
        """The fastest complete lap of a car, if there is one."""
        return min((lap for lap in self.laps(car) if lap.complete), key=lambda lap: lap.time_ms, default=None)

    def events(self, car: int = 0) -> list[Event]:
        """What happened to a car, in order."""
        return list(self._events(self.driven[:, car]))

    def _events(self, of: Records) -> Iterator[Event]:
        told = (of.lap_milliseconds > 0) | np.isin(of.status, OFFENCES)
        for begin, end in self.runs:
            last, lap_end_ms = begin + int(np.count_nonzero(of.present[begin:end])) - 1, 0
            frames = begin + 1 + np.flatnonzero(told[begin + 1 : last + 1])
            for frame in np.union1d(frames, [last]).tolist():
                status, lap_ms = Status(int(of.status[frame])), int(of.lap_milliseconds[frame])
                lap, now = int(of.laps[max(frame - 1, begin)]) + 1, _milliseconds(frame - begin)
                if lap_ms:
                    lap_end_ms += lap_ms
                    yield Event(frame, lap_end_ms, lap, "finish" if frame == last else "lap", put_back=False)
                if status in OFFENCES:
                    back = bool(of.resets[frame] > of.resets[max(frame - 1, begin)])
                    yield Event(frame, now, lap, status.label, back)
                elif frame == last and not lap_ms:
                    ended = "time_up" if status is Status.TIME_UP else "cut_off"
                    yield Event(frame, now, lap, ended, put_back=False)


def _milliseconds(periods: int) -> int:
    return round(periods * 1000 / CONTROL_RATE)
