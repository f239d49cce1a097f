"""A race driven several times at once by one driver, every run under a seed of its own.

The runs are the worlds of one simulator, so that five take little more time than one: a run is what
`racer_env.driver.race` would give under its seed, up to the last bits of a driver's network, which depend on how many
frames it sees at a time. Where that must not matter, drive the same seeds in one call, in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from racer_env.car import Car
from racer_env.driver import Driver, LapResult, RaceResult, Watch, laps_of
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError
from racer_env.kernel import Bools, Floats
from racer_env.metadata import ModelMetadata
from racer_env.race import EVALUATION, Race
from racer_env.randomisation import NONE, Randomisation
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator, Step
from racer_env.track import Track


@dataclass(frozen=True)
class Trial:
    """One run."""

    seed: int
    result: RaceResult
    trace_sha256: str  #: of every step: where the car was judged to be, in what state, and what it was told to do


def trials(
    driver: Driver,
    track: Track,
    metadata: ModelMetadata,
    rules: Race = EVALUATION,
    seeds: Sequence[int] = (0,),
    *,
    car: Car | None = None,
    randomisation: Randomisation = NONE,
    watch: Watch | None = None,
) -> list[Trial]:
    """Drive a race alone, once under each of some seeds.

    Args:
        driver: chooses the actions of all runs, without noise.
        track: where.
        metadata: the driver's sensors and action space, and its car if `car` is not given.
        rules: how many laps, resets and penalties, and what else is on the track.
        seeds: of everything random, one for each run.
        car: the car to drive instead.
        randomisation: what differs from run to run.
        watch: called after every reset (with None) and step of all runs, those that are over included.

    Returns:
        The runs, in the order of their seeds.

    Raises:
        RacerError: no seed is given, or these cannot go together.
    """
    if not seeds or rules.cars != 1:
        raise RacerError("trials need at least one seed, and a race of one car")
    simulator = Simulator(
        track,
        car or metadata.car,
        rules,
        find_sensors(metadata.sensors, metadata.lidar),
        n=len(seeds),
        seed=tuple(seeds),
        actions=metadata.actions,
        randomisation=randomisation,
    )
    runs = [_Run() for _ in seeds]
    for _ in range(1 if rules.continuous else rules.laps):
        _drive(driver, simulator, runs, watch)
    return [run.trial(seed) for run, seed in zip(runs, seeds, strict=True)]


class _Run:
    """What is gathered of a run."""

    def __init__(self) -> None:
        self.laps: list[LapResult] = []
        self.periods = 0
        self.trace = hashlib.sha256()

    def trial(self, seed: int) -> Trial:
        result = RaceResult(tuple(self.laps), round(self.periods * 1000 / CONTROL_RATE))
        return Trial(seed, result, self.trace.hexdigest())


def _drive(driver: Driver, simulator: Simulator, runs: list[_Run], watch: Watch | None) -> None:
    """Drive one episode of every run; who is done stands still until the last one is."""
    observations = simulator.reset()
    if watch:
        watch(simulator, None)
    driving: Bools = np.ones(len(runs), np.bool_)
    while driving.any():
        command = simulator.actions.commands(driver.act(observations))
        command.speed[~driving] = 0.0
        step = simulator.step(command)
        observations = step.observations
        if watch:
            watch(simulator, step)
        traces = traces_of(step)
        for car in np.flatnonzero(driving).tolist():
            run = runs[car]
            run.trace.update(traces[car].tobytes())
            run.laps += laps_of(step, car, len(run.laps) + 1)
            run.periods += int(step.episode.steps[car]) if step.done[car] else 0
        driving &= ~step.done


def traces_of(step: Step) -> Floats:
    """What a step was, for every car (n, 8)."""
    e, judged, command = step.episode, step.judged, step.command
    columns = (
        e.steps,
        e.progress,
        e.status,
        judged.x,
        judged.y,
        judged.heading,
        command.steering_degrees,
        command.speed,
    )
    return np.stack([np.asarray(column, "<f8") for column in columns], axis=1)
