"""Small real sweeps: two trainings of two iterations each a trial, on the STATE vector."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from racer_env.cli import app
from racer_env.metadata import ModelMetadata
from training.sweep.folder import SweepFolder
from training.sweep.plan import Plan

MakeSweep = Callable[..., Path]

#: Pays for speed; is a Ctrl-C at its 60th call if a file says so, and fails if its constant is too large.
REWARD = """import os, pathlib, signal
SPEED_WEIGHT = 0.5  # of the speed
INTERRUPT = {interrupt!r}
calls = 0

def reward_function(params):
    global calls
    calls += 1
    if calls == 60 and pathlib.Path(INTERRUPT).exists():
        os.kill(os.getpid(), signal.SIGINT)
    if SPEED_WEIGHT > 5.0 and calls > 60:
        raise ValueError("too much")
    return params["all_wheels_on_track"] + SPEED_WEIGHT * params["speed"]
"""

PLAN = """
model = "model"
track = "oval"
trials = 2
steps = 256
seeds = 2
[hyperparameters]
lr = {low = 1e-4, high = 1e-2, log = true}
[training]
cars = 4
evaluate_every = 2
[reward.constants]
SPEED_WEIGHT = {low = 0, high = 1.0}
"""


def write_sweep(folder: Path, plan: str = PLAN) -> Path:
    """Write a model folder, and a ``sweep.toml`` beside it."""
    model = folder / "model"
    model.mkdir(parents=True)
    (model / "reward_function.py").write_text(REWARD.format(interrupt=str(folder / "interrupt")))
    (model / "model_metadata.json").write_text(ModelMetadata(sensors=("STATE",)).to_json())
    hyperparameters = {"batch_size": 64, "num_epochs": 2, "num_episodes_between_training": 1}
    (model / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    file = folder / "sweep.toml"
    file.write_text(plan)
    return file


@pytest.fixture
def sweep(tmp_path: Path) -> MakeSweep:
    """Writes a model folder and a plan, the standard one with lines replaced; gives the plan's file."""

    def make(name: str = "w", **lines: str) -> Path:
        plan = PLAN
        for key, text in lines.items():
            (old,) = [line for line in plan.splitlines() if line.startswith(f"{key} =")]
            plan = plan.replace(old, text)
        tomllib.loads(plan)
        return write_sweep(tmp_path / name, plan)

    return make


@pytest.fixture
def folder(sweep: MakeSweep, tmp_path: Path) -> Callable[..., SweepFolder]:
    """Makes the folder of a sweep; arguments are those of `sweep`."""
    return lambda **lines: SweepFolder.create(tmp_path / "sweep", Plan.read(sweep(**lines)))


@pytest.fixture(scope="session")
def written() -> Callable[[Path], Path]:
    """Writes the standard sweep into a folder that it makes; gives the plan's file."""
    return write_sweep


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the standard sweep when it is finished."""
    folder = tmp_path_factory.mktemp("done")
    words = ["sweep", "run", str(write_sweep(folder / "w")), "-o", str(folder / "sweep")]
    assert CliRunner().invoke(app, words).exit_code == 0
    return folder / "sweep"


def _outcomes(folder: Path) -> list[dict[str, Any]]:
    trials = [vars(trial) for trial in SweepFolder.open(folder).trials.all()]
    return [
        {**trial, "values": dict(trial["values"]), "results": [{**vars(r), "seconds": 0} for r in trial["results"]]}
        for trial in trials
    ]


@pytest.fixture(scope="session")
def outcomes() -> Callable[[Path], list[dict[str, Any]]]:
    """Tells what a sweep tried and what came out, without the seconds that it took."""
    return _outcomes
