"""A model folder to start from, made of an example reward function."""

from __future__ import annotations

from pathlib import Path

from racer_env.errors import RacerError, nearest
from racer_env.metadata import ModelMetadata
from reward_functions import EXAMPLES
from training.model_folder import STARTER, to_json
from training.run_folder import unwritable, write


def make_model_folder(folder: Path, example: str) -> list[Path]:
    """Write the three files of a model folder; give their paths.

    Raises:
        RacerError: there is no such example, or the folder holds something already.
    """
    if example not in EXAMPLES:
        raise RacerError(f"no example is called {example!r}; {nearest(example, EXAMPLES)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RacerError(f"{folder} exists already and is not empty; choose another name")
    with unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    defaults = {
        "reward_function.py": "",
        "model_metadata.json": ModelMetadata().to_json(),
        "hyperparameters.json": to_json(STARTER.model_dump()),
    }
    for name, content in defaults.items():
        source = EXAMPLES[example] / name
        write(folder / name, source.read_bytes() if source.exists() else content)
    return [folder / name for name in defaults]
