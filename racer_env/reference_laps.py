"""Laps that every driver knows, good ones and bad ones, driven in the simulator without training.

They are what a reward function is judged by: it should pay for the good ones. Speeds are m/s, places metres along the
centre line, offsets metres to the left of it. All drivers but the one that crashes pass what is in their way. Where a
lap that should be completed is too hard for the car, it is driven again at a lower pace.

A car has no reverse gear and cannot stand still: the slowest command that its motors obey is 0.1 m/s. So stopping is
crawling, and the one that reverses is turned around on the spot, as after a spin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES, MIN_SPEED, Car
from racer_env.driver import PurePursuit
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError
from racer_env.kernel import Floats
from racer_env.race import Race, Status
from racer_env.reference_line import DrivingLine, smooth_line
from racer_env.render.autopilot import PASSING, PASSING_LOOK, free_side
from racer_env.reward import Params
from racer_env.simulator import Simulator
from racer_env.track import Track

PACES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  #: of the speeds that were wished for, tried one after the other
CENTRE_SPEED, SLOW_SPEED, CRASH_SPEED = 1.5, 0.6, 1.2
LEAVES_AT, TURNS_AT, STOPS_AT = 0.2, 0.25, 0.5  #: shares of the lap
STANDS = 20.0  #: s, after which one that stopped is given up
SWING = 1.8  #: m along the track from one swing to the next
LOOK = 0.6  #: m
QUICKER = 0.15  #: s, the lag of the steering that drivers aim for by asking for more


class Aim(NamedTuple):
    """What a driver wants at one moment."""

    offset: float
    speed: float
    look_ahead: float = LOOK  #: m to the point it steers at; behind it if negative


@dataclass(frozen=True)
class Manner:
    """A manner of driving."""

    name: str
    about: str
    good: bool
    aim: Callable[[Simulator, float], Aim]  #: what it wants, at a pace (0 to 1)
    finishes: bool = True  #: it should complete the lap
    clean: bool = True  #: and keep all wheels on the track, if it can
    avoids: bool = True  #: it passes what is in its way
    turns_at: float | None = None  #: share of the lap where it is turned around
    limit: float = math.inf  #: s, after which it is given up


@dataclass(frozen=True)
class ReferenceLap:
    """One lap as it was driven."""

    name: str
    about: str
    good: bool  #: a lap that a reward function should pay for
    params: tuple[Params, ...]  #: of every step, as a reward function sees it; not to be changed
    status: str  #: how it ended, in the original's words
    progress: float  #: per cent
    time_ms: int  #: to the line or, without one, to the end

    @property
    def complete(self) -> bool:
        """Whether the line was crossed."""
        return self.status == Status.LAP_COMPLETE.label

    @property
    def share_on_track(self) -> float:
        """Share of its steps with all wheels inside the borders; the ends of an open road do not count."""
        inside = [bool(step["all_wheels_on_track"]) for step in self.params if 5.0 < step["progress"] < 95.0]
        return sum(inside) / max(len(inside), 1)


def drive_reference_laps(track: Track, car: Car, race: Race, seed: int = 0) -> list[ReferenceLap]:
    """Drive all reference laps of a race: one lap each, which any event ends, as in training.

    Args:
        track: where, in its direction.
        car: who.
        race: what else is on the track; of its rules, resets, laps and the start are replaced.
        seed: of random places.

    Raises:
        RacerError: not even the good laps can be driven there.
    """
    rules = replace(race, laps=1, continuous=False, resets=0, start=0.0, advance=0.0)
    simulator = Simulator(track, car, rules, seed=seed, actions=PurePursuit.actions)
    known = manners(track, car, populated=race.populated)
    laps = [_driven(manner, simulator) for manner in known if manner.good]
    if not any(lap.complete for lap in laps):
        ends = ", ".join(f"{lap.name} {lap.status} at {lap.progress:.0f} %" for lap in laps)
        raise RacerError(f"no good lap of {track.name} could be driven with {car.name} to compare others with: {ends}")
    return laps + [_driven(manner, simulator) for manner in known if not manner.good]


def manners(track: Track, car: Car, *, populated: bool) -> list[Manner]:
    """List the manners of driving, the good ones first."""
    racing = _Along(track, smooth_line(track, car))
    over = _Along(track, smooth_line(track, car, margin=-0.5 * car.width, tension=0.2))
    swing = min(0.25 * track.width, 0.5 * float(np.min(track.widths(track.centre))) - 0.5 * car.width - 0.05)
    patient = STANDS + STOPS_AT * track.length / CENTRE_SPEED
    outside = -2.0 * track.width if track.counter_clockwise else 2.0 * track.width

    def centre(_: Simulator, pace: float) -> Aim:
        return Aim(0.0, pace * CENTRE_SPEED)

    def zigzag(simulator: Simulator, pace: float) -> Aim:
        ahead = 0.45
        phase = math.tau * (_station(simulator) + ahead) / SWING
        return Aim(pace * swing * math.sin(phase), pace * CENTRE_SPEED, ahead)

    def stopping(simulator: Simulator, pace: float) -> Aim:
        return Aim(0.0, pace * CENTRE_SPEED if _share(simulator) < STOPS_AT else MIN_SPEED)

    def reversing(simulator: Simulator, pace: float) -> Aim:
        if _is_along(simulator):
            return Aim(0.0, pace * CENTRE_SPEED)
        return Aim(-_side_of_last_object(simulator) * 0.25 * track.width, pace * CENTRE_SPEED, -LOOK)

    def leaving(simulator: Simulator, _: float) -> Aim:
        return Aim(outside if _share(simulator) > LEAVES_AT else 0.0, MAX_SPEED)

    def slow(_: Simulator, pace: float) -> Aim:
        return Aim(0.0, pace * SLOW_SPEED)

    out = [
        Manner("racing-line", "fast, on a smooth line inside the borders", True, racing),
        Manner("centre", f"steadily at {CENTRE_SPEED:g} m/s along the centre line", True, centre),
        Manner("zig-zag", "the same, but swinging from side to side", False, zigzag),
        Manner("slow", f"at {SLOW_SPEED:g} m/s along the centre line", False, slow),
        Manner("cutting", "fast, with wheels over the border in bends", False, over, clean=False),
        Manner("stopping", f"half a lap, then {STANDS:g} s as good as standing", False, stopping, False, limit=patient),
        Manner("reversing", "a quarter of the lap, then back", False, reversing, False, turns_at=TURNS_AT),
        Manner("off-track", "flat out, a fifth of the lap, then off the road", False, leaving, False),
    ]
    if populated:
        out.append(Manner("crashing", "into the first object", False, _at_next_object, False, avoids=False))
    return out


class _Along:
    """Follows a line at its speeds."""

    def __init__(self, track: Track, line: DrivingLine):
        found = track.project(line.points)
        yaw = track.poses(found[:, 0])[:, 2]
        aside = line.points - found[:, 2:4]
        offset = aside[:, 1] * np.cos(yaw) - aside[:, 0] * np.sin(yaw)
        order = np.argsort(found[:, 0], kind="stable")
        self.station, self.offset, self.speed = found[order, 0], offset[order], line.speed[order]
        self.period = track.length if track.closed else None

    def __call__(self, simulator: Simulator, pace: float) -> Aim:
        here = _station(simulator)
        ahead = 0.45 + 0.2 * float(simulator.state.motion[0].speed)
        return Aim(self._at(here + ahead, self.offset), pace * self._at(here + 0.2, self.speed), ahead)

    def _at(self, station: float, values: Floats) -> float:
        return float(np.interp(station, self.station, values, period=self.period))


def _at_next_object(simulator: Simulator, pace: float) -> Aim:
    """Steer at what is ahead."""
    body = simulator.state.bodies[0, 1 + int(simulator.state.situation[0].next_object)]
    left = 1.0 if body.is_left_of_center else -1.0
    return Aim(left * float(body.distance_from_center), pace * CRASH_SPEED)


def _side_of_last_object(simulator: Simulator) -> float:
    """1 if what was passed last is on the left, -1 on the right, 0 if there is nothing."""
    if not simulator.race.populated:
        return 0.0
    body = simulator.state.bodies[0, 1 + int(simulator.state.situation[0].previous_object)]
    return 1.0 if body.is_left_of_center else -1.0


def _station(simulator: Simulator) -> float:
    return float(simulator.state.situation[0].projection_distance)


def _share(simulator: Simulator) -> float:
    return 0.01 * float(simulator.state.episode[0].progress)


def _is_along(simulator: Simulator) -> bool:
    """Whether the car heads along the track, rather than against it."""
    ahead = simulator.track.poses(np.array([_station(simulator)]))[0, 2]
    return math.cos(float(simulator.state.motion[0].yaw) - ahead) > 0.0


def _driven(manner: Manner, simulator: Simulator) -> ReferenceLap:
    """Drive a lap at the highest pace at which it is what it should be, or else at the one that comes nearest."""
    laps = []
    for pace in PACES if manner.finishes else PACES[:1]:
        laps.append(_drive(manner, simulator, pace))
        if laps[-1].complete and (laps[-1].share_on_track == 1.0 or not manner.clean):
            return laps[-1]
    return max(laps, key=lambda lap: (lap.complete, lap.share_on_track))


class _Quick(PurePursuit):
    """Asks for more steering than it wants, as the servo lags behind; it knows its car."""

    def commands(self, simulator: Simulator) -> Floats:
        """Choose actions (n, 2)."""
        out = super().commands(simulator)
        now = np.degrees(simulator.state.motion.steering) / MAX_STEERING_DEGREES
        out[:, 0] = np.clip(now + (out[:, 0] - now) * (1.0 + simulator.cars.steering_lag / QUICKER), -1.0, 1.0)
        return out


def _drive(manner: Manner, simulator: Simulator, pace: float) -> ReferenceLap:
    simulator.restart(simulator.seed)
    simulator.reset()
    driver, seen, turned = _Quick(simulator.track), list[Params](), manner.turns_at is None
    while True:
        if not turned and _share(simulator) >= (manner.turns_at or 0.0):
            m, turned = simulator.state.motion[0], True
            simulator.place(0, float(m.x), float(m.y), float(m.yaw) + math.pi)
        aim = _around_objects(simulator, manner.aim(simulator, pace)) if manner.avoids else manner.aim(simulator, pace)
        driver.offset, driver.speed, driver.look_ahead = aim
        step = simulator.step(driver.commands(simulator))
        seen += simulator.params()
        e = step.episode[0]
        seconds = (e.steps - 1) / CONTROL_RATE
        if step.done[0] or seconds >= manner.limit:
            break
    status = Status(int(e.status)) if step.done[0] else Status.TIME_UP
    milliseconds = int(e.lap_milliseconds) or round(1000.0 * seconds)
    about = manner.about if pace == 1.0 else f"{manner.about}, at {pace:.0%} of that pace"
    return ReferenceLap(manner.name, about, manner.good, tuple(seen), status.label, float(e.progress), milliseconds)


def _around_objects(simulator: Simulator, aim: Aim) -> Aim:
    """Keep to the free lane while something is near."""
    side = free_side(simulator, 0) if simulator.race.populated and aim.look_ahead > 0.0 else 0
    if side == 0:
        return aim
    return Aim(side * 0.25 * simulator.track.width, min(aim.speed, PASSING), PASSING_LOOK)
