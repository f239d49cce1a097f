"""The whole training loop, as `racer train` runs it, in a folder that is thrown away."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.driving import CAMERA, REAL
from benchmarks.measure import Peer, Row
from racer_env.metadata import DEFAULT_ACTIONS, ModelMetadata
from reward_functions import EXAMPLES
from training.model_folder import STARTER, to_json
from training.start import started
from training.starter import make_model_folder
from training.trainer import Report, Stop, Trainer

EXAMPLE, TRACK = "centre_line", "oval"
ITERATIONS = 2
TURNS = 3  #: at two speeds that differ by less than what the machine does meanwhile
STATE = "STATE"

#: Added to a reward function, computes it and gives 1.0.
COMPUTED_ONLY = """
_computed = reward_function


def reward_function(params):
    _computed(params)
    return 1.0
"""

#: What a network of a few numbers learns best from, other than what `racer new` writes: many samples at a time ...
STATE_SETTINGS = {"batch_size": 1024, "num_epochs": 5, "num_episodes_between_training": 160}
CARS = {CAMERA: 64, STATE: 256}  #: ... of many cars

#: Steps a second that recorded trainings of the original made, and what genesis-deepracer publishes.
ORIGINAL, GENESIS = Peer("the original's best", 13.0), Peer("genesis on an RTX 4060 Ti", 3_500.0)


@contextmanager
def trainer(sensor: str, reward: str | None = None) -> Iterator[tuple[Trainer, Stop]]:
    """Begin what `racer new` and `racer train` would; give it with when it ends.

    Args:
        sensor: that the driver sees.
        reward: text of a reward function instead of the example's.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        make_model_folder(model, EXAMPLE)
        (model / "model_metadata.json").write_text(ModelMetadata(DEFAULT_ACTIONS, (sensor,), version=5).to_json())
        if sensor == STATE:
            (model / "hyperparameters.json").write_text(to_json(STARTER.model_copy(update=STATE_SETTINGS).model_dump()))
        if reward is not None:
            (model / "reward_function.py").write_text(reward)
        run, _ = started(model, TRACK, Path(folder) / "run", cars=CARS[sensor])
        yield Trainer(run), Stop(steps=ITERATIONS * run.settings.cars * run.settings.steps_per_car)


def steps_per_second(sensor: str, reward: str | None = None) -> float:
    """Steps a second of `ITERATIONS`, evaluations and all records included."""
    with trainer(sensor, reward) as (made, stop):
        began = time.perf_counter()
        course = made.train(stop, _ignore)
        return course.steps / (time.perf_counter() - began)


def real_reward() -> float:
    """Speed with a real reward in per cent of that with ``return 1.0``, in the same training, each the best of `TURNS`.

    The real reward is computed and 1.0 is given, for another reward would teach another driver, whose evaluations
    take another time.
    """
    constant = "def reward_function(params):\n    return 1.0\n"
    real = (EXAMPLES[REAL] / "reward_function.py").read_text() + COMPUTED_ONLY
    pairs = [(steps_per_second(CAMERA, real), steps_per_second(CAMERA, constant)) for _ in range(TURNS)]
    return 100.0 * max(a for a, _ in pairs) / max(b for _, b in pairs)


def _ignore(_: Report) -> None:
    pass


def rows() -> list[Row]:
    """All figures of training."""
    camera, state = partial(steps_per_second, CAMERA), partial(steps_per_second, STATE)
    return [
        Row(
            "training from the camera, default network", "steps/s", camera, 1_500.0, 3_500.0, peers=[ORIGINAL, GENESIS]
        ),
        Row("training from `STATE`, batches of 1,024", "steps/s", state, 15_000.0, 60_000.0, peers=[ORIGINAL]),
        Row(f"reward `{REAL}` against `return 1.0`, training from the camera", "%", real_reward, 95.0),
    ]
