"""Driving step by step: keys become commands, rivals choose theirs, and completed laps are noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES, MIN_SPEED, ContinuousActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Floats, Records
from racer_env.simulator import Simulator

#: Gives what all cars of a simulator command: `racer_env.car.COMMAND` (n,).
Commands = Callable[[Simulator], Records]

#: What the actions of a `Hand` are relative to: every command that a car obeys.
ACTIONS = ContinuousActions((-MAX_STEERING_DEGREES, MAX_STEERING_DEGREES), (MIN_SPEED, MAX_SPEED))

TURNING, CENTRING = 110.0, 200.0  #: degrees/s of steering, with a key held and without or against it
FASTER, SLOWER, ROLLING, BRAKING = 1.6, 2.5, 0.5, 9.0  #: m/s² of commanded speed; rolling: no key held


class Keys(NamedTuple):
    """The keys held, and whether a restart was asked for."""

    left: bool = False
    right: bool = False
    faster: bool = False
    slower: bool = False
    brake: bool = False
    restart: bool = False


class Hand:
    """Turns keys, which are held or not, into commands that change smoothly."""

    def __init__(self) -> None:
        self.steering_degrees = 0.0
        self.speed = MIN_SPEED

    def act(self, keys: Keys) -> Floats:
        """Go on for one control period; gives an action (1, 2) of `ACTIONS`."""
        dt = 1.0 / CONTROL_RATE
        wanted = MAX_STEERING_DEGREES * (keys.left - keys.right)
        outwards = wanted * self.steering_degrees >= 0.0 and wanted != 0.0
        self.steering_degrees = _towards(self.steering_degrees, wanted, (TURNING if outwards else CENTRING) * dt)
        if keys.brake:
            self.speed = _towards(self.speed, MIN_SPEED, BRAKING * dt)
        elif keys.faster != keys.slower:
            change = FASTER if keys.faster else SLOWER
            self.speed = _towards(self.speed, MAX_SPEED if keys.faster else MIN_SPEED, change * dt)
        else:
            self.speed = _towards(self.speed, MIN_SPEED, ROLLING * dt)
        throttle = (self.speed - MIN_SPEED) / (MAX_SPEED - MIN_SPEED)
        return np.array([[self.steering_degrees / MAX_STEERING_DEGREES, 2.0 * throttle - 1.0]])


def _towards(value: float, target: float, most: float) -> float:
    return value + min(max(target - value, -most), most)


@dataclass(frozen=True)
class Lap:
    """A completed lap."""

    number: int  #: from 1, of all that were driven
    time_ms: int
    resets: int  #: how often the car was put back during it


class Run:
    """A run of a world's first car under its simulator's race rules, which may be driven again; its laps are kept.

    Args:
        simulator: one world, made with `ACTIONS`.
        rivals: who drives its other cars; of its commands, that of the first car is not used.
    """

    def __init__(self, simulator: Simulator, rivals: Commands | None = None):
        self.simulator, self.rivals = simulator, rivals
        self.laps: list[Lap] = []
        self.restart()

    def restart(self) -> None:
        """Begin the run anew, from the start."""
        self.simulator.reset()
        self.over, self._resets = False, 0

    def step(self, actions: Floats) -> Lap | None:
        """Drive one control period with the first car's action (1, 2); gives the lap that it completed, if it did."""
        step = self.simulator.step(self._with_rivals(actions))
        e = step.episode[0]
        self.over = bool(step.done[0])
        if not e.lap_milliseconds:
            return None
        lap = Lap(len(self.laps) + 1, int(e.lap_milliseconds), int(e.resets) - self._resets)
        self._resets = int(e.resets)
        self.laps.append(lap)
        return lap

    def _with_rivals(self, actions: Floats) -> Floats | Records:
        if self.rivals is None:
            return actions
        commands = self.rivals(self.simulator).copy()
        commands[:1] = ACTIONS.commands(actions[:1])
        return commands
