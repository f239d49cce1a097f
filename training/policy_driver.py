"""The driver of a run: a policy that acts without noise, and the greedy laps that measure it while it learns."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.save_util import load_from_zip_file

from racer_env.car import find_car
from racer_env.dynamics import CONTROL_RATE
from racer_env.env import action_space_of
from racer_env.kernel import Floats, Ints
from racer_env.metadata import OBJECTS, STATE
from racer_env.race import Race
from racer_env.sensors import Sensor, find_sensors
from racer_env.simulator import Observations, Simulator
from racer_env.track import Track
from training.networks import DriverPolicy
from training.run_folder import RunError, RunFolder
from training.vec_env import channel_first, observation_space_of

EVALUATION_CARS = 5  #: as many evaluation episodes as the original plays at least (``MIN_EVAL_TRIALS``)
SLOWEST = 0.25  #: m/s; an evaluation lap that is slower on average is cut off


class PolicyDriver:
    """Drives as a policy likes best, without noise."""

    def __init__(self, policy: DriverPolicy):
        self.policy = policy

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        """Choose greedy actions: indices (n,) or pairs (n, 2)."""
        tensors = {name: torch.from_numpy(channel_first(values)) for name, values in observations.items()}
        with torch.inference_mode():
            actions = self.policy.get_distribution(tensors).get_actions(deterministic=True).numpy()
        return np.clip(actions, -1.0, 1.0) if actions.ndim == 2 else actions


class Evaluation(NamedTuple):
    """Greedy laps, one of each car of some simulators."""

    progress: Floats  #: (n,) per cent
    milliseconds: Ints  #: (n,) time driven
    status: Ints  #: (n,)
    rewards: Floats  #: (n,) of a whole lap

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Which laps were completed (n,)."""
        return self.progress >= 100.0

    @property
    def completion(self) -> float:
        """Mean progress in per cent."""
        return float(self.progress.mean())

    @property
    def lap_ms(self) -> float | None:
        """Mean time of the complete laps; None if there is none."""
        return float(self.milliseconds[self.complete].mean()) if self.complete.any() else None

    @property
    def reward(self) -> float:
        """Mean reward of a lap."""
        return float(self.rewards.mean())


class _Laps:
    """The laps of one simulator's cars; who has ended drives on from another start, until all have."""

    def __init__(self, simulator: Simulator):
        self.simulator, n = simulator, simulator.n
        simulator.restart(simulator.seed)
        self.observations = simulator.reset()
        self.driving = np.ones(n, np.bool_)
        self.found = Evaluation(np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n))

    def step(self, actions: npt.NDArray[Any]) -> None:
        step, found = self.simulator.step(actions), self.found
        self.observations, e = step.observations, step.episode
        found.rewards[self.driving] += step.rewards[self.driving]
        done = step.done.copy()
        ended = self.driving & done
        driven = np.round((e.steps - 1) * 1000.0 / CONTROL_RATE).astype(np.int64)
        found.progress[ended], found.status[ended] = e.progress[ended], e.status[ended]
        found.milliseconds[ended] = np.where(e.lap_milliseconds > 0, e.lap_milliseconds, driven)[ended]
        self.driving &= ~ended
        if done.any() and self.driving.any():
            self.simulator.reset(done)


def evaluate(driver: PolicyDriver, simulators: Sequence[Simulator]) -> Evaluation:
    """Drive one greedy lap from every start of some simulators, all at the same time.

    Returns:
        The laps in turn: the first of each simulator, then the second of each, and so on.
    """
    driver.policy.set_training_mode(False)
    laps = [_Laps(simulator) for simulator in simulators]
    while driving := [some for some in laps if some.driving.any()]:
        actions = driver.act(_joined([some.observations for some in driving]))
        ends = np.cumsum([some.simulator.n for some in driving])[:-1]
        for some, chosen in zip(driving, np.split(actions, ends), strict=True):
            some.step(chosen)
    columns = zip(*(some.found for some in laps), strict=True)
    return Evaluation(*(np.stack(parts, axis=1).ravel() for parts in columns))


def _joined(parts: Sequence[Observations]) -> Observations:
    """Put what the cars of several simulators see one below the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if len(parts) > 1 else parts[0]


def evaluators(run: RunFolder, seed: int) -> list[Simulator]:
    """Make the worlds in which a run's driver is evaluated, those of each track in a simulator.

    They are apart from those in which it trains: the same rules, obstacles and bot cars, but nothing is randomised, and
    the reward function has copies of its own.
    """
    model, car, reward = run.model, find_car(run.settings.car), run.reward(EVALUATION_CARS)
    sensors, actions = find_sensors(model.metadata.sensors, model.metadata.lidar), model.metadata.actions
    return [
        Simulator(
            track, car, _lap(run.race, track), sensors, reward.fresh(EVALUATION_CARS), EVALUATION_CARS, seed, actions
        )
        for track in run.tracks
    ]


def _lap(race: Race, track: Track) -> Race:
    """An evaluation lap of a race: from places spread around the track, and cut off when it takes too long."""
    return replace(race, advance=1.0 / EVALUATION_CARS, time_limit=track.length / SLOWEST)


def sensors_of(run: RunFolder) -> tuple[Sensor, ...]:
    """What the driver and the critic of a run see."""
    arguments, lidar = policy_arguments(run), run.model.metadata.lidar
    return find_sensors(list(dict.fromkeys((*arguments["driver_keys"], *arguments["critic_keys"]))), lidar)


class _NoOptimizer:
    """Stands in for a policy's optimiser where none is needed: making a real one loads torch's compiler, for 1 s."""

    def __init__(self, *_: Any, **__: Any):
        pass


def load_driver(run: RunFolder, which: str = "best") -> PolicyDriver:
    """Load the driver of a run's checkpoint. Raises `RunError` if there is none."""
    parameters, policy = read_parameters(run, which), untrained(run)
    try:
        policy.load_state_dict(parameters["policy"])
    except (KeyError, RuntimeError) as error:
        raise wrong_network(run, which) from error
    policy.set_training_mode(False)
    return PolicyDriver(policy)


def untrained(run: RunFolder) -> DriverPolicy:
    """Make the policy of a run, with weights of chance and no optimiser."""
    spaces = observation_space_of(sensors_of(run)), action_space_of(run.model.metadata.actions)
    arguments = policy_arguments(run)
    return DriverPolicy(*spaces, lambda _: 0.0, ortho_init=False, optimizer_class=_NoOptimizer, **arguments)


def policy_arguments(run: RunFolder) -> dict[str, Any]:
    """Arguments of a run's `DriverPolicy`."""
    keys, settings = list(run.model.metadata.sensors), run.settings
    critic = keys if settings.critic != STATE else [STATE, OBJECTS] if run.race.populated else [STATE]
    return {"architecture": settings.network, "driver_keys": keys, "critic_keys": critic}


def read_parameters(run: RunFolder, which: str) -> dict[str, Any]:
    """Read the tensors of a run's checkpoint; no code in it is run. Raises `RunError` if it cannot be read."""
    checkpoint: Path = run.existing_checkpoint(which)
    try:
        _, parameters, _ = load_from_zip_file(checkpoint, load_data=False, device="cpu")
    except (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise RunError(f"{checkpoint} is not a checkpoint that can be read; it is damaged") from error
    return parameters


def wrong_network(run: RunFolder, which: str) -> RunError:
    """What to raise when a checkpoint's weights do not fit."""
    return RunError(
        f"{run.checkpoint(which)} holds another network than {run.settings.network} for the sensors and actions "
        f"that {run.path} says"
    )
