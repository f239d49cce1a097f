"""Invented trainings, and a real one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racer_env.car import DiscreteActions
from racer_env.kernel import Records, records
from racer_env.metadata import ModelMetadata
from training.analysis.curves import Curve
from training.analysis.drives import EPISODE
from training.run_folder import RunFolder
from training.start import started
from training.trainer import Stop, Trainer

ACTIONS = DiscreteActions((-25.0, 0.0, 25.0), (1.0, 1.0, 1.0))
REWARD = "def reward_function(params):\n    return 1.0 - params['distance_from_center'] / params['track_width']\n"


def _episodes(
    progress: Sequence[float], reward: Any = 10.0, steps: Any = 50, status: str = "off_track", seconds: Any = 5.0
) -> Records:
    out = records(len(progress), EPISODE)
    out.progress, out.reward, out.steps, out.seconds = progress, reward, steps, seconds
    out.status = np.where(out.progress >= 100.0, "lap_complete", status)
    out.trained = np.cumsum(out.steps)
    out.number = np.arange(len(out))
    return out


@pytest.fixture
def episodes() -> Callable[..., Records]:
    """Makes episodes of their completion (e,), and perhaps other columns."""
    return _episodes


@pytest.fixture
def curve() -> Callable[..., Curve]:
    """Makes a curve of values, one every thousand steps."""
    return lambda *values: Curve(np.arange(1.0, len(values) + 1.0) * 1000.0, np.array(values, np.float64))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short real training: 4 cars that see the STATE, 6 iterations of 128 steps."""
    folder = tmp_path_factory.mktemp("analysis") / "model"
    folder.mkdir()
    (folder / "reward_function.py").write_text(REWARD)
    (folder / "model_metadata.json").write_text(ModelMetadata(ACTIONS, ("STATE",)).to_json())
    small = {"batch_size": 32, "num_epochs": 1, "num_episodes_between_training": 1}
    (folder / "hyperparameters.json").write_text(json.dumps(small))
    made: RunFolder = started(folder, "oval", Path(folder.parent / "run"), cars=4)[0]
    Trainer(made).train(Stop(steps=6 * 128))
    return made
