"""The trials of a sweep, kept in an Optuna study whose SQLite file survives kill -9 at any moment.

A trial that was running when its process ended stays as it is and goes on with the same values: what its finished
trainings achieved is kept with it. Candidates are chosen by Optuna's tree-structured Parzen estimator, seeded anew for
every trial, so that a trial's values depend on the finished trials and its number only: a sweep that was cut off and
goes on tries the same candidates as one that was not.

Pruning compares learning curves at ten moments of every training. A trial is pruned if the best that it has shown
up to a moment is worse than the median that complete trials had at the same moment; not before a fifth of the first
training, and not before five trials are complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from training.sweep.domain import Suggests, Value
from training.sweep.objective import Objective, Result
from training.sweep.plan import SweepError

try:
    import optuna
    from optuna.pruners import BasePruner, MedianPruner, NopPruner
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise SweepError("racer sweep needs Optuna: pip install 'racer18[tune]'") from error

FILE, NAME = "study.db", "sweep"
MOMENTS = 10  #: of a training at which trials are compared
WARM_UP = 2  #: of these without pruning
STARTUP_TRIALS = 5  #: complete ones before anything is pruned
LEAST_FOR_IMPORTANCES = 10  #: complete trials
STATES = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}

_RESULTS, _PARTIAL, _SENTENCE = "results", "partial", "sentence"


@dataclass(frozen=True)
class Trial:
    """What is known of a trial."""

    number: int
    state: str  #: running, complete, pruned or failed
    values: Mapping[str, Value]  #: of what is swept
    results: tuple[Result, ...]  #: of its trainings; of a pruned trial the last one is not complete
    value: float | None  #: of the objective, mean over the trainings of a complete trial
    sentence: str = ""  #: why it failed


class Trials:
    """The trials of a sweep's folder.

    Args:
        folder: where the study is.
        objective: by which trials are compared.
        seed: of the choice of candidates.
        prune: whether hopeless trials end early.
        create: make the study; otherwise it must be there.

    Raises:
        SweepError: the study cannot be read or made.
    """

    def __init__(self, folder: Path, objective: Objective, seed: int, prune: bool, create: bool = False):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.seed = seed
        pruner: BasePruner = MedianPruner(STARTUP_TRIALS, WARM_UP) if prune else NopPruner()
        file = folder / FILE
        if not create and not file.is_file():
            raise SweepError(f"{folder} has no {FILE}, so its sweep cannot be read")
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{file}", skip_compatibility_check=not create)
            if create:
                optuna.create_study(storage=storage, study_name=NAME, direction=objective.direction)
            self._study = optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
        except (optuna.exceptions.OptunaError, SQLAlchemyError, KeyError) as error:
            raise SweepError(f"{file} cannot be used: {str(error).splitlines()[0]}") from error

    def first(self, values: Mapping[str, Value]) -> None:
        """Let the next trial try these values, and what they do not name be drawn."""
        self._study.enqueue_trial(dict(values))

    def begin(self) -> tuple[int, Suggests]:
        """Begin another trial; give its number and itself."""
        self._seed(len(self.all()))
        trial = self._study.ask()
        return trial.number, trial

    def go_on(self, number: int) -> Suggests:
        """A trial that was running: what it has drawn before stays as it is."""
        self._seed(number)
        return optuna.trial.Trial(self._study, self._frozen(number)._trial_id)

    def _seed(self, number: int) -> None:
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)

    def report(self, number: int, training: int, share: float, value: float) -> bool:
        """Note how a trial stands when a share of its `training` (from 0) is done; whether it should be pruned."""
        trial = optuna.trial.Trial(self._study, self._frozen(number)._trial_id)
        known = self._frozen(number).intermediate_values
        for moment in range(MOMENTS * training, MOMENTS * training + int(MOMENTS * share) + 1):
            if moment not in known:
                trial.report(value, moment)
        return trial.should_prune()

    def add(self, number: int, result: Result) -> None:
        """Keep what a training of a trial achieved."""
        self._note(number, _RESULTS, [*self._frozen(number).user_attrs.get(_RESULTS, []), asdict(result)])

    def complete(self, number: int, value: float) -> None:
        """End a trial whose trainings are all done."""
        self._study.tell(number, value)

    def prune(self, number: int, result: Result) -> None:
        """End a hopeless trial, whose training has achieved so much up to now."""
        self._note(number, _PARTIAL, asdict(result))
        self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, sentence: str) -> None:
        """End a trial that could not be trained."""
        self._note(number, _SENTENCE, sentence)
        self._study.tell(number, state=TrialState.FAIL)

    def all(self) -> list[Trial]:
        """The trials that have begun, by number."""
        return [_trial(t) for t in self._study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]

    def importances(self) -> dict[str, float]:
        """How much of the objective's differences each swept value explains, of 1; empty below ten complete trials.

        By PED-ANOVA (Watanabe et al., 2023, arXiv:2304.10255).
        """
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < LEAST_FOR_IMPORTANCES or len({trial.value for trial in complete}) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator))

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _note(self, number: int, key: str, value: Any) -> None:
        optuna.trial.Trial(self._study, self._frozen(number)._trial_id).set_user_attr(key, value)


def _trial(trial: FrozenTrial) -> Trial:
    notes, pruned = trial.user_attrs, trial.state == TrialState.PRUNED
    results = [*notes.get(_RESULTS, []), *([notes[_PARTIAL]] if pruned else [])]
    return Trial(
        trial.number,
        STATES[trial.state],
        trial.params,
        tuple(Result(**values) for values in results),
        trial.value if trial.state == TrialState.COMPLETE else None,
        notes.get(_SENTENCE, ""),
    )


@contextmanager
def stored(folder: Path) -> Iterator[None]:
    """Turn a failure of the study's storage, such as a full disk, into a `SweepError` that names it."""
    try:
        yield
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SweepError(f"{folder / FILE} cannot be used: {reason}; go on with --resume when it can") from error
