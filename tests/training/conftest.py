"""Small real runs: a few cars, the STATE vector or the camera, the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from typer.testing import CliRunner, Result

from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.cli import app
from racer_env.errors import RacerError
from racer_env.metadata import ModelMetadata
from racer_env.race import EVALUATION
from racer_env.simulator import Observations
from training import evaluation
from training.networks import DriverPolicy
from training.run_folder import RunFolder
from training.start import started
from training.trainer import Stop, Trainer

MakeModel = Callable[..., Path]

STAY = "def reward_function(params):\n    return 1.0 if params['all_wheels_on_track'] else 0.001\n"
DISCRETE = DiscreteActions((-25.0, 0.0, 25.0), (1.0, 1.0, 1.0))
CONTINUOUS = ContinuousActions((-30.0, 30.0), (0.5, 1.5))
SMALL = {"batch_size": 32, "num_epochs": 2, "num_episodes_between_training": 1}


def write_model(
    folder: Path, reward: str = STAY, sensor: str = "STATE", actions: Any = DISCRETE, **hyperparameters: Any
) -> Path:
    """Write the three files of a model whose iterations are short."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reward_function.py").write_text(reward)
    (folder / "model_metadata.json").write_text(ModelMetadata(actions, (sensor,)).to_json())
    (folder / "hyperparameters.json").write_text(json.dumps({**SMALL, **hyperparameters}))
    return folder


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Keep torch's threads out of each other's way: these networks are small."""
    torch.set_num_threads(1)


@pytest.fixture
def model(tmp_path: Path) -> MakeModel:
    """Makes model folders; see `write_model`."""

    def make(reward: str = STAY, name: str = "model", **kwargs: Any) -> Path:
        return write_model(tmp_path / name, reward, **kwargs)

    return make


def _racer(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def _shown(*words: object) -> str:
    result = _racer(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def _refused(*words: object) -> str:
    error = _racer(*words).exception
    assert isinstance(error, RacerError), error
    assert "\n" not in str(error)
    return str(error)


@pytest.fixture
def racer() -> Callable[..., Result]:
    """Runs a command in this process."""
    return _racer


@pytest.fixture
def shown() -> Callable[..., str]:
    """Runs a command that must succeed; gives what it shows."""
    return _shown


@pytest.fixture
def refused() -> Callable[..., str]:
    """Runs a command that must be refused; gives the one sentence that `racer` prints before it exits with 2."""
    return _refused


@pytest.fixture
def train() -> Callable[..., str]:
    """Trains a small run with the command line: 4 cars, 128 steps an iteration."""
    return lambda model, run, *words: _shown("train", model, "--track", "oval", "--cars", 4, "--run", run, *words)


def _trainer(model: Path, run: Path, **kwargs: Any) -> Trainer:
    return Trainer(started(model, "oval", run, **{"cars": 4, **kwargs})[0])


@pytest.fixture
def trainer() -> Callable[..., Trainer]:
    """Makes the trainer of a new small run."""
    return _trainer


def _policy(trainer: Trainer) -> DriverPolicy:
    policy = trainer.ppo.policy
    assert isinstance(policy, DriverPolicy)
    return policy


@pytest.fixture(scope="session")
def follower(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run whose driver completes laps from the camera: its weights are set by hand, it steers to the darker side."""
    folder = tmp_path_factory.mktemp("follower")
    model = write_model(folder / "model", sensor="FRONT_FACING_CAMERA")
    trainer = _trainer(model, folder / "run")
    policy = _policy(trainer)
    convolutions = [m for m in policy.pi_features_extractor.modules() if isinstance(m, torch.nn.Conv2d)]
    (dense,) = (m for m in policy.pi_features_extractor.modules() if isinstance(m, torch.nn.Linear))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.zero_()
        for convolution, size in zip(convolutions, (64.0, 9.0, 9.0), strict=True):
            convolution.weight[0, 0] = 1.0 / size  # each is the mean of what it sees
        seen = torch.zeros(32, 3, 4)
        seen[0, 1:, :] = torch.linspace(-1.0, 1.0, 4)
        dense.weight[0], dense.weight[1] = seen.flatten().clamp(min=0.0), (-seen).flatten().clamp(min=0.0)
        likes = torch.zeros(3, 128)
        likes[0, :2], likes[2, :2] = torch.tensor([-10.0, 10.0]), torch.tensor([10.0, -10.0])
        policy.action_net.weight.copy_(likes)  # type: ignore[operator]
    trainer.save("best")
    trainer.save("last")
    return trainer.run


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A Ray cluster of two CPUs on this machine, to which everything that asks for one is connected."""
    from racer_env.cluster import connected

    with connected(cpus=2):
        yield


RECORDED_PER_FILE = 3  #: episodes in a simtrace file of `recorded`


class Follower:
    """Steers at a point of the centre line 0.6 m ahead, as far as three actions let it."""

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        left = observations["STATE"][:, 9]
        return np.where(left > 0.02, 2, np.where(left < -0.02, 0, 1))


def recorded_run(folder: Path, steps: int, **kwargs: Any) -> RunFolder:
    model = write_model(folder / "model", num_episodes_between_training=RECORDED_PER_FILE, **kwargs)
    trainer = Trainer(started(model, "oval", folder / "run", cars=4)[0])
    trainer.settings = trainer.settings.model_copy(update={"evaluate_every": 1})
    trainer.train(Stop(steps=steps))
    assert trainer.course.episodes > RECORDED_PER_FILE
    return trainer.run


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that hardly learned anything, and two flying laps of a driver that did."""
    run = recorded_run(tmp_path_factory.mktemp("recorded"), steps=512)
    contender = evaluation.Contender(Follower(), run.model.metadata)
    drive = evaluation.drive(contender, run.track, replace(EVALUATION, laps=2))
    assert [lap.complete for lap in drive.result.laps] == [True, True]
    evaluation.keep(run, drive)
    return run
