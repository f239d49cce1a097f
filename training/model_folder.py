"""A model folder: the three files that a DeepRacer user has, read and checked before anything starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from racer_env.errors import MetadataError, RewardError, nearest
from racer_env.metadata import ModelMetadata


class Hyperparameters(BaseModel):
    """``hyperparameters.json`` with the console's defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    batch_size: int = Field(64, ge=1)
    num_epochs: int = Field(10, ge=1)
    lr: float = Field(3e-4, gt=0)
    beta_entropy: float = Field(0.01, ge=0)
    discount_factor: float = Field(0.99, ge=0, le=1)
    loss_type: Literal["huber", "mean squared error"] = "huber"
    num_episodes_between_training: int = Field(20, ge=1)
    exploration_type: Literal["categorical", "e-greedy"] = "categorical"
    e_greedy_value: float = Field(0.05, ge=0, le=1)
    epsilon_steps: int = Field(10000, ge=1)
    stack_size: int = Field(1, ge=1)
    term_cond_max_episodes: int = Field(100_000, ge=1)
    term_cond_avg_score: float = 100_000.0
    sac_alpha: float = Field(0.2, ge=0, le=1)

    @classmethod
    def read(cls, path: Path) -> Hyperparameters:
        """Read a file. Raises `MetadataError` with the path, the key and what is allowed."""
        try:
            raw = json.loads(_read(path))
        except (ValueError, RecursionError) as error:
            raise MetadataError(f"{path} is not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise MetadataError(f"{path} must hold one JSON object, not a {type(raw).__name__}")
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise MetadataError(f"{path}: {_sentence(error, cls)}") from error

    def remarks(self) -> list[str]:
        """Say which values the console would not have allowed, and which have no effect here."""
        said = [
            f"{key} is {value:g}; the DeepRacer console allowed {low:g} to {high:g}"
            for key, (low, high) in _CONSOLE_RANGES.items()
            if not low <= (value := getattr(self, key)) <= high
        ]
        if self.batch_size not in (32, 64, 128, 256, 512):
            said.append(f"batch_size is {self.batch_size}; the DeepRacer console allowed 32, 64, 128, 256 and 512")
        if self.stack_size != 1:
            said.append("stack_size has no effect: a driver sees one picture, as in the original")
        if self.exploration_type != "categorical":
            said.append("exploration_type e-greedy has no effect: actions are always drawn from the policy")
        said += [
            f"{key} has no effect: --steps, --minutes and --until-laps say when to stop"
            for key, usual in _TERM_CONDITIONS.items()
            if getattr(self, key) not in usual
        ]
        return said


#: What a new model starts with: on a CPU, larger minibatches and fewer epochs than the console's defaults learn a
#: driver of re:Invent 2018 in as many steps and a third of the time.
STARTER = Hyperparameters(batch_size=256, num_epochs=3, lr=1e-3, num_episodes_between_training=40)

_CONSOLE_RANGES = {
    "num_epochs": (3, 10),
    "lr": (1e-8, 1e-3),
    "num_episodes_between_training": (5, 100),
}

#: Defaults of the console and of deepracer-for-cloud, which nobody has chosen.
_TERM_CONDITIONS = {"term_cond_max_episodes": (100_000, 1000), "term_cond_avg_score": (100_000.0, 350.0)}


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {nearest(key, model.model_fields)}"
    return f"{key} is {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"


@dataclass(frozen=True)
class ModelFolder:
    """What is to be trained."""

    reward: Path
    metadata: ModelMetadata
    hyperparameters: Hyperparameters

    @classmethod
    def read(cls, folder: Path) -> ModelFolder:
        """Read a folder. Raises `RewardError` without a reward function, `MetadataError` for a bad file."""
        reward = folder / "reward_function.py"
        if not folder.is_dir():
            raise RewardError(f"{folder} is not a folder; a model folder holds reward_function.py")
        if not reward.is_file():
            raise RewardError(f"{reward} does not exist; a model folder holds reward_function.py")
        metadata, hyperparameters = folder / "model_metadata.json", folder / "hyperparameters.json"
        return cls(
            reward,
            read_metadata(metadata) if metadata.exists() else ModelMetadata(),
            Hyperparameters.read(hyperparameters) if hyperparameters.exists() else Hyperparameters(),
        )


def to_json(value: Any) -> str:
    """JSON as our files hold it."""
    return json.dumps(value, indent=2) + "\n"


def read_metadata(path: Path) -> ModelMetadata:
    """Read a ``model_metadata.json``. Raises `MetadataError` with the path and what is wrong."""
    return ModelMetadata.parse(_read(path), str(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MetadataError(f"{path} cannot be read: {error.strerror or error}") from error
