"""The whole training loop, as `racer train` runs it, in a folder that is thrown away."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from racer_env.metadata import DEFAULT_ACTIONS, ModelMetadata
from reward_functions import EXAMPLES
from training.start import started
from training.trainer import Report, Stop, Trainer

STEPS = 2 * 2560


def steps_per_second(sensor: str) -> float:
    """Steps a second of two iterations, evaluations and all records included."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        model.mkdir()
        (model / "reward_function.py").write_bytes((EXAMPLES["centre_line"] / "reward_function.py").read_bytes())
        metadata = ModelMetadata(DEFAULT_ACTIONS, (sensor,), version=5)
        (model / "model_metadata.json").write_text(metadata.to_json())
        run, _ = started(model, "oval", Path(folder) / "run")
        trainer = Trainer(run)
        began = time.perf_counter()
        trainer.train(Stop(steps=STEPS), _ignore)
        return STEPS / (time.perf_counter() - began)


def _ignore(_: Report) -> None:
    pass
