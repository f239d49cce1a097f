"""A ``sweep.toml`` to start from, made for a model folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from training.model_folder import ModelFolder
from training.run_folder import unwritable, write
from training.sweep.domain import Value
from training.sweep.plan import Plan, SweepError
from training.sweep.reward_constants import constants_of

TEXT = """\
# What `racer sweep run` tries. Where values stand, there may be one value, a list of choices, or a range
# {{low = 1e-4, high = 1e-3}} with log = true or a step. Paths are relative to this file.
model = {model}
track = {track}
trials = 20                  # candidates; the first one is the model as it is
steps = 40000                # of each training
seeds = 3                    # trainings of each candidate
objective = "completion"     # or "lap_time", or "steps_to_laps" with laps = 5
pruner = "median"            # or "none"

[hyperparameters]
lr = {{low = 1e-4, high = 1e-3, log = true}}
beta_entropy = {{low = 0.001, high = 0.03, log = true}}
discount_factor = [0.95, 0.97, 0.99, 0.995]
batch_size = [64, 128, 256]
# num_epochs = {{low = 3, high = 10}}

# [training]                 # options of racer train: network, critic, cars, evaluate_every, randomise ...
# cars = [32, 64]

# [race]                     # what is on the track, the same for all
# kind = "object_avoidance"

# [action_space]             # files = ["wide.json", "narrow.json"], or numbers:
# max_speed = {{low = 1.5, high = 3.0, step = 0.5}}
# steering_granularity = [3, 5, 7]

# [reward]
# files = ["one.py", "other.py"]

# [reward.constants]         # assigned once at the top level of the reward file
{constants}
"""


def make_plan(file: Path, model: Path, track: str) -> Plan:
    """Write a ``sweep.toml`` for a model folder; give what it says.

    Raises:
        RacerError: the file exists already, or the model folder cannot be used.
    """
    if file.exists():
        raise SweepError(f"{file} exists already; choose another --output")
    constants = constants_of(ModelFolder.read(model).reward)
    lines = [f"# {name} = {_around(value)}" for name, value in constants.items()] or [
        "# SPEED_WEIGHT = {low = 0.0, high = 1.0}"
    ]
    place = track if track.startswith("random:") or not Path(track).suffix else _from(file, Path(track))
    with unwritable(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    write(file, TEXT.format(model=json.dumps(_from(file, model)), track=json.dumps(place), constants="\n".join(lines)))
    return Plan.read(file)


def _from(file: Path, path: Path) -> str:
    """A path as seen from a file's folder."""
    return os.path.relpath(path, file.parent)


def _around(value: Value) -> str:
    """A domain in which a value lies."""
    if isinstance(value, bool):
        return "[true, false]"
    if isinstance(value, str):
        return json.dumps([value])
    low, high = sorted((value // 2 if isinstance(value, int) else value / 2, value * 2))
    return f"{{low = {low!r}, high = {high!r}}}" if low < high else f"[{value!r}, 1]"
