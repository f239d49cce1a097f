"""Who drives: anything that turns observations into actions; and how a race is run with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from racer_env.car import COMMAND, ActionSpace, Car, ContinuousActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError
from racer_env.kernel import Floats, Ints, records
from racer_env.metadata import ModelMetadata
from racer_env.race import EVALUATION, Race, Status
from racer_env.randomisation import NONE, Randomisation
from racer_env.reward import RewardFunction
from racer_env.sensors import Sensor, find_sensors
from racer_env.simulator import Observations, Simulator, Step
from racer_env.track import Track


class Driver(Protocol):
    """A trained driver."""

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        """Choose an action for each of n cars: indices (n,) or pairs in [-1, 1] (n, 2)."""


@dataclass(frozen=True)
class LapResult:
    """One lap of a race, complete or not, as the original's evaluation metrics count it."""

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

    @property
    def time_ms(self) -> int:
        """Time of all laps, the one that was not completed included."""
        return sum(lap.time_ms for lap in self.laps)

    @property
    def distance(self) -> float:
        """Laps driven, and the share of the last one that was not completed."""
        return sum(min(lap.completion_percentage, 100.0) for lap in self.laps) / 100.0


Watch = Callable[[Simulator, Step | None], None]


@dataclass(frozen=True)
class Entry:
    """Who takes part in a race."""

    driver: Driver
    metadata: ModelMetadata  #: sensors and action space, and the car if none is given
    car: Car | None = None


def race(
    driver: Driver,
    track: Track,
    metadata: ModelMetadata,
    rules: Race = EVALUATION,
    seed: int = 0,
    *,
    car: Car | None = None,
    watch: Watch | None = None,
    reward: RewardFunction | None = None,
    randomisation: Randomisation = NONE,
) -> RaceResult:
    """Drive a race alone.

    Args:
        driver: chooses the actions, without noise.
        track: where.
        metadata: the driver's sensors and action space, and its car if `car` is not given.
        rules: how many laps, resets and penalties, and what else is on the track.
        seed: of everything random.
        car: the car to drive instead.
        watch: called after every reset (with None) and step, to record or show it.
        reward: what `watch` is told of rewards; without one they are 0. It changes nothing else.
        randomisation: what differs from seed to seed.

    Returns:
        Every lap in order, and the one at whose end the run was over before the line. Without `Race.continuous`
        every lap is an attempt of its own, driven whatever became of those before.
    """
    entry = Entry(driver, metadata, car)
    return heat([entry], track, rules, seed, watch=watch, reward=reward, randomisation=randomisation)[0]


def heat(
    entries: Sequence[Entry],
    track: Track,
    rules: Race = EVALUATION,
    seed: int = 0,
    *,
    watch: Watch | None = None,
    reward: RewardFunction | None = None,
    randomisation: Randomisation = NONE,
) -> list[RaceResult]:
    """Drive a race of up to eight drivers on one track, who see each other and can run into each other.

    Args:
        entries: in the order of the starting grid.
        track: where.
        rules: of the race; how many cars it has is how many entries there are.
        seed: of everything random.
        watch: called after every reset (with None) and step.
        reward: what `watch` is told of rewards, with a copy for each entry.
        randomisation: what differs from seed to seed, and from car to car.

    Returns:
        The result of each entry. Whoever has finished or is out leaves the track; the others drive on.

    Raises:
        RacerError: there are too many entries.
    """
    sensors = _sensors([entry.metadata for entry in entries])
    cars = [entry.car or entry.metadata.car for entry in entries]
    rules = replace(rules, cars=len(entries))
    actions = entries[0].metadata.actions
    simulator = Simulator(
        track,
        cars,
        rules,
        tuple(sensors.values()),
        reward,
        seed=seed,
        actions=actions,
        randomisation=randomisation,
    )
    laps: list[list[LapResult]] = [[] for _ in entries]
    ticks = np.zeros(len(entries), np.int64)
    for _ in range(1 if rules.continuous else rules.laps):
        ticks += _run(entries, simulator, laps, watch)
    return [
        RaceResult(tuple(of_car), round(driven * 1000 / CONTROL_RATE))
        for of_car, driven in zip(laps, ticks.tolist(), strict=True)
    ]


def _sensors(told: Sequence[ModelMetadata]) -> dict[str, Sensor]:
    """All sensors that some drivers have, by name."""
    out: dict[str, Sensor] = {}
    for sensor in (sensor for m in told for sensor in find_sensors(m.sensors, m.lidar)):
        if out.setdefault(sensor.name, sensor) != sensor:
            raise RacerError(f"these drivers cannot race each other: their lidar_config differ, for {sensor.name}")
    return out


def _run(entries: Sequence[Entry], simulator: Simulator, laps: list[list[LapResult]], watch: Watch | None) -> Ints:
    """Drive one episode of all; add its laps, the last of each car perhaps incomplete; give control periods (n,)."""
    observations = simulator.reset()
    if watch:
        watch(simulator, None)
    driving = list(range(len(entries)))
    while driving:
        step = simulator.step(_actions(entries, observations))
        observations = step.observations
        if watch:
            watch(simulator, step)
        for car in driving:
            laps[car] += laps_of(step, car, len(laps[car]) + 1)
        driving = [car for car in driving if not step.done[car]]
    steps: Ints = simulator.state.episode.steps.copy()
    return steps


def _actions(entries: Sequence[Entry], observations: Observations) -> npt.NDArray[Any]:
    """What the drivers choose: one alone in its own terms, several as commands."""
    if len(entries) == 1:
        return entries[0].driver.act(observations)
    commands: npt.NDArray[Any] = records(len(entries), COMMAND)
    for car, entry in enumerate(entries):
        own = {name: observations[name][car : car + 1] for name in entry.metadata.sensors}
        commands[car] = entry.metadata.actions.commands(entry.driver.act(own))[0]
    return commands


def laps_of(step: Step, car: int, trial: int) -> list[LapResult]:
    """The lap that a car completed in a step, or in which it was stopped."""
    e = step.episode[car]
    if e.lap_milliseconds:
        return [_lap(e, trial, int(e.lap_milliseconds), 100.0, Status.LAP_COMPLETE)]
    if not step.done[car]:
        return []
    milliseconds = round((e.steps - 1 - e.lap_start) * 1000.0 / CONTROL_RATE)
    return [_lap(e, trial, milliseconds, float(e.progress), Status(int(e.status)))]


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
