"""A candidate: the values that one trial tries, the model folder made of them, and its trainings.

In the folder of a trial, ``model`` is a model folder like any other, ready for `racer train`, and ``seed-0``,
``seed-1`` ... are the run folders of its trainings.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from racer_env.metadata import ModelMetadata
from training.model_folder import ModelFolder, read_metadata, to_json
from training.networks import COMPACT
from training.run_folder import RunFolder, Settings, unwritable, write
from training.start import started
from training.sweep.action_grid import ActionGrid
from training.sweep.domain import Choice, Range, Suggests, Value
from training.sweep.plan import Plan
from training.sweep.reward_constants import constants_of, with_constants

#: What `racer train` takes where neither the plan nor the model says anything.
OPTIONS = ("critic", "cars", "randomise", "jitter", "reverse", "both_directions", "evaluate_every")
DEFAULTS: Mapping[str, Value] = {name: Settings.model_fields[name].default for name in OPTIONS} | {"network": COMPACT}


@dataclass(frozen=True)
class Candidate:
    """One choice of everything that is swept.

    Attributes:
        reward: the file.
        actions: a ``model_metadata.json``, or None for the model's.
        values: of all that the plan speaks of, swept or fixed, by section and name.
    """

    plan: Plan
    reward: Path
    actions: Path | None
    values: Mapping[str, Mapping[str, Value]]

    def write(self, folder: Path) -> None:
        """Write the model folder. Raises `RacerError` if the files cannot be read, changed or written."""
        with unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write(folder / "reward_function.py", with_constants(self.reward, self.values["constants"]))
        write(folder / "model_metadata.json", self._metadata().to_json())
        hyperparameters = ModelFolder.read(self.plan.model).hyperparameters.model_dump()
        write(folder / "hyperparameters.json", to_json({**hyperparameters, **self.values["hyperparameters"]}))

    def _metadata(self) -> ModelMetadata:
        metadata = read_metadata(self.actions) if self.actions else ModelFolder.read(self.plan.model).metadata
        if not self.values["action_space"]:
            return metadata
        grid: dict[str, Any] = {**vars(ActionGrid.of(metadata.actions)), **self.values["action_space"]}
        if "min_speed" not in self.values["action_space"]:
            grid["min_speed"] = None
        return replace(metadata, actions=ActionGrid(**grid).actions)

    def start(self, folder: Path, seed: int) -> RunFolder:
        """Make the run folder of a training in the trial's folder, anew if one was begun there.

        Raises:
            RacerError: the candidate cannot be trained; one sentence says why.
        """
        self.write(folder / "model")
        path = folder / f"seed-{seed}"
        with unwritable(path):
            shutil.rmtree(path, ignore_errors=True)
        options: dict[str, Any] = {**DEFAULTS, **self.values["training"]}
        run, _ = started(folder / "model", self.plan.track, path, seed, race=self.plan.around, **options)
        return run


def draw(plan: Plan, trial: Suggests) -> Candidate:
    """Let a trial choose everything that is swept; constants only those that the chosen reward file has.

    Raises:
        RacerError: a reward file cannot be read, or a constant is in none of them.
    """
    chosen = {name: _draw_file(name, files, trial) for name, files in plan.variants().items()}
    reward = chosen["reward"]
    assert reward is not None
    here = constants_of(reward)
    sections: dict[str, Mapping[str, Choice | Range]] = {
        "hyperparameters": plan.hyperparameters,
        "training": plan.training.domains(),
        "action_space": plan.action_space.domains(),
        "constants": {name: domain for name, domain in plan.reward.constants.items() if name in here},
    }
    values = {
        section: {name: domain.draw(name, trial) for name, domain in domains.items()}
        for section, domains in sections.items()
    }
    return Candidate(plan, reward, chosen["action_space"], values)


def _draw_file(name: str, files: Mapping[str, Path], trial: Suggests) -> Path | None:
    return files[str(Choice(tuple(files)).draw(name, trial))] if files else None


def baseline(plan: Plan) -> dict[str, Value]:
    """The values of what is swept that the model has now, as far as they may be drawn."""
    model = ModelFolder.read(plan.model)
    reward = next(iter(plan.variants()["reward"].values()))
    now: dict[str, Any] = {
        **model.hyperparameters.model_dump(),
        **(vars(ActionGrid.of(model.metadata.actions)) if plan.action_space.domains() else {}),
        **DEFAULTS,
        "car": model.metadata.car.name,
        **constants_of(reward),
        **{name: next(iter(files), None) for name, files in plan.variants().items()},
    }
    sections = (plan.hyperparameters, plan.training.domains(), plan.action_space.domains(), plan.reward.constants)
    domains = {name: domain for section in sections for name, domain in section.items()}
    return {
        name: now[name] for name in plan.swept if name in now and (name not in domains or now[name] in domains[name])
    }


class _End:
    """Stands in for a trial that always chooses an end of what it may."""

    def __init__(self, high: bool, files: Mapping[str, str]):
        self.high, self.files = high, files

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.files.get(name, choices[-1 if self.high else 0])

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:  # noqa: ARG002
        return high if self.high else low

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> float:  # noqa: ARG002
        return high if self.high else low


def rehearse(plan: Plan, folder: Path) -> None:
    """Make every file of the plan into a run at both ends of all ranges, in an empty folder, without training.

    Raises:
        RacerError: a file cannot be read, a constant is in no reward file, or a run cannot be started.
    """
    variants = plan.variants()
    known = {name for file in variants["reward"].values() for name in constants_of(file)}
    for name in plan.reward.constants:
        if name not in known:
            with_constants(next(iter(variants["reward"].values())), {name: 0})  # which says what is there
    pairs = [{"reward": r, "action_space": a} for r in variants["reward"] for a in variants["action_space"] or ("",)]
    for k, files in enumerate(pairs):
        for high in (False, True):
            draw(plan, _End(high, files)).start(folder / f"{k}-{high}", seed=0)
