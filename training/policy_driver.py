"""The driver of a run: a policy that acts without noise, and the greedy laps that measure it while it learns."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.save_util import load_from_zip_file

from racer_env.dynamics import CONTROL_RATE
from racer_env.env import action_space_of
from racer_env.kernel import Floats, Ints
from racer_env.metadata import OBJECTS, STATE
from racer_env.race import Status
from racer_env.sensors import Sensor, find_sensors
from racer_env.simulator import Observations, Simulator
from training.networks import DriverPolicy
from training.run_folder import RunError, RunFolder
from training.vec_env import channel_first, observation_space_of


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
    """Greedy laps, one of each car of a simulator."""

    progress: Floats  #: (n,) per cent
    milliseconds: Ints  #: (n,) time driven
    status: Ints  #: (n,)

    @classmethod
    def of(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """Put the laps of several tracks one after the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

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


def evaluate(driver: PolicyDriver, simulator: Simulator) -> Evaluation:
    """Drive one greedy lap from every start of a simulator."""
    driver.policy.set_training_mode(False)
    simulator.restart(simulator.seed)
    observations = simulator.reset()
    driving = np.ones(simulator.n, np.bool_)
    progress, milliseconds = np.zeros(simulator.n), np.zeros(simulator.n, np.int64)
    status = np.full(simulator.n, int(Status.IN_PROGRESS))
    while driving.any():
        step = simulator.step(driver.act(observations))
        observations, e = step.observations, step.episode
        ended = driving & step.done
        driven = np.round((e.steps - 1) * 1000.0 / CONTROL_RATE).astype(np.int64)
        progress[ended], status[ended] = e.progress[ended], e.status[ended]
        milliseconds[ended] = np.where(e.lap_milliseconds > 0, e.lap_milliseconds, driven)[ended]
        driving &= ~ended
    return Evaluation(progress, milliseconds, status)


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
    parameters = read_parameters(run, which)
    arguments = policy_arguments(run)
    spaces = observation_space_of(sensors_of(run)), action_space_of(run.model.metadata.actions)
    policy = DriverPolicy(*spaces, lambda _: 0.0, ortho_init=False, optimizer_class=_NoOptimizer, **arguments)
    try:
        policy.load_state_dict(parameters["policy"])
    except (KeyError, RuntimeError) as error:
        raise wrong_network(run, which) from error
    policy.set_training_mode(False)
    return PolicyDriver(policy)


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
