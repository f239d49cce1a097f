"""The rules of an episode and of a race: when it ends, what it costs, where a car starts and goes on.

Times are seconds of simulated time, kept as whole control periods so that they add up exactly; lap times are whole
milliseconds, with the moment of crossing the line interpolated between two control periods (the original rounds up
to the next camera frame, and so do the clock "frame" and an open track, behind whose end nothing is measured). Rules
and their order: those of the original's ``markov/reset/rules`` and ``rollout_agent_ctrl.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from racer_env.dynamics import CONTROL_RATE, stand_still
from racer_env.errors import RacerError, nearest
from racer_env.geometry import Geometry
from racer_env.kernel import Bools, Ints, Records, kernel
from racer_env.obstacles import Bots, Obstacles
from racer_env.placement import put_at_start, put_back, put_beside

#: When a lap ends: as the line is crossed, or, as in the original, with the control period in which it is.
CLOCKS = ("line", "frame")

MOST_CARS = 8  #: race cars in one world, as in the original's ``F1`` races


class Status(IntEnum):
    """What a step was, in the original's words."""

    PREPARE = 0
    IN_PROGRESS = 1
    LAP_COMPLETE = 2
    CRASHED = 3
    OFF_TRACK = 4
    IMMOBILIZED = 5
    TIME_UP = 6
    REVERSED = 7
    PAUSE = 8

    @property
    def label(self) -> str:
        """As written in simtrace files."""
        return self.name.lower()


@dataclass(frozen=True)
class Race:
    """The rules of a race; the defaults are those of a training episode: any event ends it."""

    laps: int = 1  #: to complete
    continuous: bool = False  #: one flying run of `laps` laps instead of separate starts
    clock: str = "line"  #: of `CLOCKS`: when a lap ends
    resets: int = 0  #: how many events put the car back on the track before one ends the run
    off_track_penalty: float = 2.0  #: s, standing still after leaving the track
    collision_penalty: float = 5.0  #: s, after running into something
    reversed_penalty: float | None = None  #: s, after driving backwards; None: as off track
    immobilized_penalty: float = 0.0  #: s, after standing still
    time_limit: float | None = None  #: s, of one episode; of the whole run if it is continuous
    start: float = 0.0  #: share of the lap where the first episode starts; 0 on an open track
    advance: float = 0.0  #: share of the lap by which the start moves on after each episode, and from car to car
    reversed_steps: int = 15  #: consecutive steps of falling progress that count as driving backwards
    immobilized_steps: int = 15  #: consecutive steps without motion that count as standing still
    max_steps: int = 100_000  #: of one episode
    obstacles: Obstacles | None = None  #: that stand on the lanes
    bots: Bots | None = None  #: that drive the lanes
    cars: int = 1  #: race cars in one world; each starts `START_GAP` behind the one before it
    mercy_resets: int | None = None  #: hits of one obstacle after which the car is put ahead of it; None: never

    def __post_init__(self) -> None:
        if self.laps < 1:
            raise RacerError(f"a race needs at least 1 lap, not {self.laps}")
        if self.clock not in CLOCKS:
            raise RacerError(f"no clock is called {self.clock!r}; {nearest(self.clock, CLOCKS)}")
        if self.resets < 0:
            raise RacerError(f"resets must be 0 or more, not {self.resets}")
        for name in ("off_track_penalty", "collision_penalty", "reversed_penalty", "immobilized_penalty", "time_limit"):
            seconds = getattr(self, name)
            if seconds is not None and not 0.0 <= seconds < np.inf:
                raise RacerError(f"{name} must be 0 s or more, not {seconds}")
        for name in ("start", "advance"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise RacerError(f"{name} is a share of the lap, from 0 to less than 1, not {getattr(self, name)}")
        if not 1 <= self.cars <= MOST_CARS:
            raise RacerError(f"a world holds 1 to {MOST_CARS} race cars, not {self.cars}")
        if self.mercy_resets is not None and self.mercy_resets < 1:
            raise RacerError(f"mercy_resets must be 1 or more, or None, not {self.mercy_resets}")
        for name in ("reversed_steps", "immobilized_steps", "max_steps"):
            if getattr(self, name) < 1:
                raise RacerError(f"{name} must be 1 or more, not {getattr(self, name)}")

    @property
    def populated(self) -> bool:
        """Whether a car meets anything."""
        return self.cars > 1 or self.obstacles is not None or self.bots is not None

    @property
    def rules(self) -> Rules:
        """The numbers that the judge's kernel reads."""
        back = self.off_track_penalty if self.reversed_penalty is None else self.reversed_penalty
        return Rules(
            self.laps,
            self.continuous,
            self.clock == "frame",
            self.resets,
            periods(self.off_track_penalty),
            periods(self.collision_penalty),
            periods(back),
            periods(self.immobilized_penalty),
            periods(self.time_limit) if self.time_limit is not None else 2**62,
            self.reversed_steps,
            self.immobilized_steps,
            self.max_steps,
            self.cars,
            self.mercy_resets or 2**62,
        )


#: A training episode of a time trial; starts advance by 5 % of the lap.
TIME_TRIAL = Race(advance=0.05)

#: The same among six boxes, or with three slow bot cars: the numbers of DeepRacer-for-Cloud.
OBJECT_AVOIDANCE = replace(TIME_TRIAL, obstacles=Obstacles())
HEAD_TO_BOT = replace(TIME_TRIAL, bots=Bots())

#: A race as the AWS League last ran them: three flying laps, 5 s off track, at most 3 minutes.
EVALUATION = Race(laps=3, continuous=True, resets=15, off_track_penalty=5.0, time_limit=180.0)


#: What a user can ask for by name.
RACE_TYPES: Mapping[str, Race] = {
    "time_trial": TIME_TRIAL,
    "object_avoidance": OBJECT_AVOIDANCE,
    "head_to_bot": HEAD_TO_BOT,
}


def find_race(name: str) -> Race:
    """Give a training race by its name. Raises `RacerError` for one that does not exist."""
    if name not in RACE_TYPES:
        raise RacerError(f"no race is called {name!r}; {nearest(name, RACE_TYPES)}")
    return RACE_TYPES[name]


def periods(seconds: float) -> int:
    """Control periods in a time, rounded to the nearest."""
    return round(seconds * CONTROL_RATE)


class Rules(NamedTuple):
    """A `Race` as the kernel reads it; times are control periods."""

    laps: int
    continuous: bool
    by_frame: bool
    resets: int
    off_track_penalty: int
    collision_penalty: int
    reversed_penalty: int
    immobilized_penalty: int
    time_limit: int
    reversed_steps: int
    immobilized_steps: int
    max_steps: int
    cars: int
    mercy_resets: int


#: The course of one car's episode.
EPISODE = np.dtype(
    [
        ("number", np.int64),  # of the episode, from 0; -1 before the first
        ("start", np.float64),  # share of the lap
        ("steps", np.int64),  # from 1, the prepare step
        ("progress", np.float64),  # per cent
        ("previous_progress", np.float64),
        ("x", np.float64),  # m, middle of the car when last judged
        ("y", np.float64),
        ("backward", np.int64),  # consecutive steps of falling progress
        ("still", np.int64),  # consecutive steps without motion
        ("pause", np.int64),  # control periods of penalty left
        ("laps", np.int64),  # completed
        ("lap_start", np.float64),  # control periods since the start of the episode
        ("lap_milliseconds", np.int64),  # time of the lap completed in this step, else 0
        ("off_track_count", np.int64),  # of the current lap, as are the three below
        ("crash_count", np.int64),
        ("immobilized_count", np.int64),
        ("reversed_count", np.int64),
        ("resets", np.int64),  # of the run
        ("hit", np.int64),  # body that was run into last
        ("hits", np.int64),  # of that body in a row
        ("status", np.int64),  # `Status`
        ("done", np.bool_),
    ],
    align=True,
)

STILL = 0.0003  #: m, motion in one step up to which a car counts as standing still

#: How an episode ends that is cut short, rather than ended by what the car did.
CUT_SHORT = (Status.IN_PROGRESS, Status.PAUSE, Status.TIME_UP)


def truncated(episode: Records) -> Bools:
    """Tell for episodes (n,) whether they ended because steps or time ran out."""
    done: Bools = episode.done.copy()
    if done.any():
        done &= np.isin(episode.status, CUT_SHORT)
    return done


_IN_PROGRESS, _LAP_COMPLETE = int(Status.IN_PROGRESS), int(Status.LAP_COMPLETE)
_OFF_TRACK, _IMMOBILIZED, _REVERSED = int(Status.OFF_TRACK), int(Status.IMMOBILIZED), int(Status.REVERSED)
_TIME_UP, _PAUSE, _PREPARE = int(Status.TIME_UP), int(Status.PAUSE), int(Status.PREPARE)
_CRASHED = int(Status.CRASHED)


@kernel
def progress_after(share: float, start: float, previous: float) -> float:
    """Progress in per cent, not yet cut at 100, with the original's rules for crossing the line (1.4)."""
    progress = 100.0 * (share - start)
    if progress <= 0.0:
        progress += 100.0
    if previous > progress + 50.0:
        progress += 100.0
    if progress > previous + 50.0:
        progress -= 100.0
    return progress


@kernel
def begin(motion: Records, episode: Records, bodies: Records, which: Ints, track: Geometry, advance: float) -> None:
    """Put the cars `which` (k,) at the start of a new episode; from a car's second one on, starts advance."""
    cars = len(motion) // len(bodies)
    for i in which:
        m, e = motion[i], episode[i]
        if e.number >= 0:
            e.start = (e.start + advance) % 1.0
        put_at_start(m, e.start * track.length, bodies[i // cars], i % cars, cars, track)
        e.number, e.steps = e.number + 1, 1
        e.previous_progress, e.backward, e.still, e.pause = 0.0, 0, 0, 0
        e.laps, e.lap_start, e.lap_milliseconds, e.resets = 0, 0.0, 0, 0
        e.off_track_count, e.crash_count, e.immobilized_count, e.reversed_count = 0, 0, 0, 0
        e.x, e.y, e.hit, e.hits = m.x, m.y, -1, 0
        e.status, e.done = _PREPARE, False


@kernel
def first_progress(episode: Records, situation: Records, which: Ints) -> None:
    """Set the progress of the prepare step, which has no step before it."""
    for i in which:
        e = episode[i]
        e.progress = min(progress_after(situation[i].share, e.start, 0.0), 100.0)


@kernel
def judge(
    motion: Records,
    episode: Records,
    situation: Records,
    bodies: Records,
    which: Ints,
    rules: Rules,
    track: Geometry,
) -> None:
    """Count a step, measure progress and apply the rules, for the cars `which` (k,), before the action moves anything.

    A car that must go back is put back here; its penalty is served in the steps that follow. `bodies` (w, b).
    """
    for i in which:
        m, e, s = motion[i], episode[i], situation[i]
        e.steps += 1
        if e.progress >= 100.0 and e.status != _PAUSE:  # while a penalty is served, no lap is completed
            _begin_lap(e)
        e.previous_progress = e.progress
        uncut = progress_after(s.share, e.start, e.previous_progress)
        e.progress = min(uncut, 100.0)
        _count_streaks(m, e)
        e.status, e.done = _IN_PROGRESS, False
        if e.steps - 1 > rules.time_limit:
            e.status, e.done = _TIME_UP, True
        elif e.pause > 0:
            e.status = _PAUSE
        else:
            if e.progress >= 100.0:
                _complete_lap(e, uncut, rules)
            if not e.done:
                _apply_rules(m, e, s, bodies[i // rules.cars], rules, track)
        if e.steps >= rules.max_steps:
            e.done = True


@kernel
def _begin_lap(e: Records) -> None:
    e.progress, e.lap_milliseconds = 0.0, 0
    e.off_track_count, e.crash_count, e.immobilized_count, e.reversed_count = 0, 0, 0, 0


@kernel
def _apply_rules(m: Records, e: Records, s: Records, world: Records, rules: Rules, track: Geometry) -> None:
    """Punish what is forbidden: of several offences the first in the original's order."""
    if s.is_crashed:
        e.crash_count += 1
        _penalise(m, e, s, world, _CRASHED, rules.collision_penalty, rules, track)
    elif s.is_offtrack:
        e.off_track_count += 1
        _penalise(m, e, s, world, _OFF_TRACK, rules.off_track_penalty, rules, track)
    elif e.still >= rules.immobilized_steps:
        e.immobilized_count += 1
        _penalise(m, e, s, world, _IMMOBILIZED, rules.immobilized_penalty, rules, track)
    elif e.backward >= rules.reversed_steps:
        e.reversed_count += 1
        _penalise(m, e, s, world, _REVERSED, rules.reversed_penalty, rules, track)


@kernel
def _count_streaks(m: Records, e: Records) -> None:
    """Count consecutive steps of standing still and of falling progress; a penalty does not count."""
    moving = math.hypot(m.x - e.x, m.y - e.y) > STILL
    e.x, e.y = m.x, m.y
    e.still = 0 if moving or e.pause > 0 else e.still + 1
    e.backward = e.backward + 1 if e.progress < e.previous_progress and e.pause == 0 else 0


@kernel
def _complete_lap(e: Records, uncut: float, rules: Rules) -> None:
    """Take the time of a lap; one that a penalty held up at the line ends with the penalty."""
    before = e.previous_progress
    share = (100.0 - before) / (uncut - before) if before < 100.0 and not rules.by_frame else 1.0
    crossing = e.steps - 2 + share  # control periods; the pose of step k is that of time k - 1
    e.lap_milliseconds = round((crossing - e.lap_start) * 1000.0 / CONTROL_RATE)
    e.lap_start = crossing
    e.laps += 1
    if not rules.continuous or e.laps >= rules.laps:
        e.status, e.done = _LAP_COMPLETE, True


@kernel
def _penalise(
    m: Records, e: Records, s: Records, world: Records, status: int, penalty: int, rules: Rules, track: Geometry
) -> None:
    e.status = status
    if e.resets >= rules.resets:
        e.done = True
        return
    e.resets += 1
    e.pause = penalty
    e.still, e.backward = 0, 0
    station = (e.start + 0.01 * e.previous_progress) * track.length
    if status != _CRASHED:
        put_back(m, station, world, rules.cars, track)
    elif s.hit < rules.cars or world[s.hit].speed > 0.0:  # what drives goes on its way
        stand_still(m)
    else:
        e.hits = e.hits + 1 if e.hit == s.hit else 1
        e.hit = s.hit
        ahead = e.hits >= rules.mercy_resets
        put_beside(m, s.hit, ahead, world, rules.cars, track)
        e.hits = 0 if ahead else e.hits
    e.x, e.y = m.x, m.y


@kernel
def serve(episode: Records) -> None:
    """Let one control period of every penalty pass."""
    for i in range(episode.size):
        if episode[i].pause > 0:
            episode[i].pause -= 1
