"""Who drives: anything that turns observations into actions; and how a race is run with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from racer_env.car import ActionSpace, Car, ContinuousActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Floats
from racer_env.metadata import ModelMetadata
from racer_env.race import EVALUATION, Race, Status
from racer_env.sensors import find_sensors
from racer_env.simulator import Observations, Simulator, Step
from racer_env.track import Track


class Driver(Protocol):
    """A trained driver."""

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        """Choose an action for each of n cars: indices (n,) or pairs in [-1, 1] (n, 2)."""


@dataclass(frozen=True)
class LapResult:
    """One lap of a race, complete or not, as the original's evaluation metrics count it (spec/simulator.md 6.5)."""

    trial: int  #: from 1
    time_ms: int  #: simulated time including penalties
    completion_percentage: float
    status: str  #: ``lap_complete``, or what ended the run
    off_track_count: int
    crash_count: int
    immobilized_count: int
    reversed_count: int

    @property
    def reset_count(self) -> int:
        """All events of the lap."""
        return self.off_track_count + self.crash_count + self.immobilized_count + self.reversed_count

    @property
    def complete(self) -> bool:
        """Whether the line was crossed."""
        return self.completion_percentage >= 100.0


@dataclass(frozen=True)
class RaceResult:
    """What a driver achieved."""

    laps: tuple[LapResult, ...]
    driven_ms: int  #: simulated time of the whole run

    @property
    def best_ms(self) -> int | None:
        """Time of the fastest complete lap, if there is one."""
        return min((lap.time_ms for lap in self.laps if lap.complete), default=None)


Watch = Callable[[Simulator, Step | None], None]


def race(
    driver: Driver,
    track: Track,
    metadata: ModelMetadata,
    rules: Race = EVALUATION,
    seed: int = 0,
    *,
    car: Car | None = None,
    watch: Watch | None = None,
) -> RaceResult:
    """Drive a race alone.

    Args:
        driver: chooses the actions, without noise.
        track: where.
        metadata: the driver's sensors and action space, and its car if `car` is not given.
        rules: how many laps, resets and penalties.
        seed: of everything random.
        car: the car to drive instead.
        watch: called after every reset (with None) and step, to record or show it.

    Returns:
        Every lap in order, and the one at whose end the run was over before the line. Without `Race.continuous`
        every lap is an attempt of its own, driven whatever became of those before.
    """
    sensors = find_sensors(metadata.sensors)
    simulator = Simulator(track, car or metadata.car, rules, sensors, seed=seed, actions=metadata.actions)
    laps: list[LapResult] = []
    ticks = 0
    while len(laps) < rules.laps:
        attempt, driven = _run(driver, simulator, len(laps), watch)
        ticks += driven
        laps += attempt
        if rules.continuous:
            break
    return RaceResult(tuple(laps), round(ticks * 1000 / CONTROL_RATE))


def _run(driver: Driver, simulator: Simulator, before: int, watch: Watch | None) -> tuple[list[LapResult], int]:
    """Drive one episode; give its laps, the last perhaps incomplete, and its control periods."""
    observations = simulator.reset()
    if watch:
        watch(simulator, None)
    laps: list[LapResult] = []
    while True:
        step = simulator.step(driver.act(observations))
        observations = step.observations
        e = step.episode[0]
        if watch:
            watch(simulator, step)
        if e.lap_milliseconds:
            laps.append(_lap(e, before + len(laps) + 1, int(e.lap_milliseconds), 100.0, Status.LAP_COMPLETE))
        elif step.done[0]:
            milliseconds = round((e.steps - 1 - e.lap_start) * 1000.0 / CONTROL_RATE)
            laps.append(_lap(e, before + len(laps) + 1, milliseconds, float(e.progress), Status(int(e.status))))
        if step.done[0]:
            return laps, int(e.steps)


def _lap(e: Any, trial: int, milliseconds: int, completion: float, status: Status) -> LapResult:
    return LapResult(
        trial,
        milliseconds,
        completion,
        status.label,
        int(e.off_track_count),
        int(e.crash_count),
        int(e.immobilized_count),
        int(e.reversed_count),
    )


class PurePursuit:
    """A driver without learning: steers at a point of the centre line ahead, at a constant speed.

    It reads the simulator instead of observations. The turn it asks for is that of a bicycle through the point
    (R. C. Coulter, *Implementation of the pure pursuit path tracking algorithm*, CMU-RI-TR-92-01, 1992).

    Args:
        track: whose centre line it follows.
        speed: m/s.
        look_ahead: m to the point it steers at.
        offset: m, drive this far to the left of the centre line.
    """

    def __init__(self, track: Track, speed: float = 1.0, look_ahead: float = 0.6, offset: float = 0.0):
        self.track, self.speed, self.look_ahead, self.offset = track, speed, look_ahead, offset

    #: What its commands are relative to: every angle and speed that a car can be asked for.
    actions: ActionSpace = ContinuousActions((-30.0, 30.0), (0.1, 4.0))

    def commands(self, simulator: Simulator) -> Floats:
        """Choose actions (n, 2) of `PurePursuit.actions` for all cars of a simulator made with them."""
        motion, situation = simulator.state.motion, simulator.state.situation
        target = self.track.poses(situation.projection_distance + self.look_ahead)
        x = target[:, 0] - self.offset * np.sin(target[:, 2]) - motion.x
        y = target[:, 1] + self.offset * np.cos(target[:, 2]) - motion.y
        left = -np.sin(motion.yaw) * x + np.cos(motion.yaw) * y
        curvature = 2.0 * left / np.maximum(x * x + y * y, 1e-9)
        longer = simulator.cars.effective_wheelbase + simulator.cars.understeer * motion.speed**2
        steering = np.degrees(np.arctan(curvature * longer)) / 30.0
        share = (self.speed - 0.1) / (4.0 - 0.1) * 2.0 - 1.0
        return np.stack((np.clip(steering, -1.0, 1.0), np.full(simulator.n, share)), axis=1)
