"""The folder of a sweep: everything that it reads, everything that it makes.

================ ===================================================================================
sweep.json       the plan, every key written out
inputs/          copies of the files that the plan names, so that the folder can be moved
study.db         Optuna's study: what was tried, and what came out
trial-7/model    a trial's model folder: the copy of the reward function has the trial's constants in it
trial-7/seed-0   the run folder of one of its trainings; `racer evaluate` and `racer export` take it
================ ===================================================================================
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from training.run_folder import unwritable, write
from training.sweep.candidate import baseline, rehearse
from training.sweep.objective import OBJECTIVES, Objective
from training.sweep.plan import Plan, SweepError
from training.sweep.trials import Trials

PLAN, INPUTS, LOCK = "sweep.json", "inputs", ".lock"


@dataclass(frozen=True)
class SweepFolder:
    """Paths and files of a sweep."""

    path: Path

    @classmethod
    def create(cls, path: Path, plan: Plan) -> SweepFolder:
        """Make the folder of a new sweep, whole or not at all.

        Raises:
            RacerError: the folder holds something already, or the plan does not work out.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            held = (path / PLAN).is_file()
            go_on = f", or go on with: racer sweep run --resume {path}" if held else ""
            raise SweepError(f"{path} exists already; choose another --output{go_on}")
        with tempfile.TemporaryDirectory(prefix="racer-sweep-") as scratch:
            rehearse(plan, Path(scratch))
        path = Path(os.path.normpath(path))
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        with unwritable(path):
            try:
                cls(unfinished)._fill(plan)
                if path.exists():
                    path.rmdir()
                unfinished.rename(path)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return cls(path)

    def _fill(self, plan: Plan) -> None:
        inputs = self.path / INPUTS
        for name in ("model", "reward", "action_space", "tracks"):
            (inputs / name).mkdir(parents=True)
        for file in ("reward_function.py", "model_metadata.json", "hyperparameters.json"):
            if (plan.model / file).exists():
                shutil.copyfile(plan.model / file, inputs / "model" / file)
        tracks = [self._copied(Path(t), f"tracks/{Path(t).name}") if Path(t).suffix else t for t in plan.track]
        variants = plan.variants()
        rewards = [self._copied(f, f"reward/{name}.py") for name, f in variants["reward"].items() if plan.reward.files]
        actions = [self._copied(f, f"action_space/{name}.json") for name, f in variants["action_space"].items()]
        moved = plan.moved(Path(INPUTS, "model"), tracks, [Path(r) for r in rewards], [Path(a) for a in actions])
        write(self.path / PLAN, moved.model_dump_json(indent=2) + "\n")
        trials = self._trials(plan, create=True)
        trials.first(baseline(plan))

    def _copied(self, file: Path, to: str) -> str:
        shutil.copyfile(file, self.path / INPUTS / to)
        return f"{INPUTS}/{to}"

    @classmethod
    def open(cls, path: Path) -> SweepFolder:
        """Open the folder of an existing sweep. Raises `SweepError` if it is none."""
        if not (path / PLAN).is_file():
            raise SweepError(f"{path} is not the folder of a sweep: it has no {PLAN}")
        return cls(path)

    @property
    def plan(self) -> Plan:
        """What is swept. Raises `SweepError` if it cannot be read."""
        return Plan.read(self.path / PLAN)

    @property
    def objective(self) -> Objective:
        """By what candidates are compared."""
        return OBJECTIVES[self.plan.objective]

    @property
    def trials(self) -> Trials:
        """What was tried. Raises `SweepError` if it cannot be read."""
        return self._trials(self.plan)

    def _trials(self, plan: Plan, create: bool = False) -> Trials:
        return Trials(self.path, OBJECTIVES[plan.objective], plan.seed, plan.pruner == "median", create)

    def trial(self, number: int) -> Path:
        """The folder of a trial."""
        return self.path / f"trial-{number}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from running the same sweep. Raises `SweepError` if one does."""
        with unwritable(self.path), (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SweepError(f"{self.path} is being run by another process; wait for it or end it") from None
            yield
