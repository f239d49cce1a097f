"""Which training comes next: candidates are chosen, trained with one seed after the other, pruned, and compared.

An engine asks for trainings, tells of evaluations and of what came out. It may train several at the same time; those of
one trial follow each other, so that a hopeless trial is pruned before its other seeds are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple, Protocol

from racer_env.errors import RacerError
from racer_env.track import find_track
from training.run_folder import RunError, RunFolder
from training.sweep.candidate import Candidate, draw
from training.sweep.folder import SweepFolder
from training.sweep.objective import Result
from training.sweep.plan import SweepError
from training.sweep.training_run import Goal
from training.sweep.trials import Trial

HOPELESS = 3  #: trials that fail before the sweep ends, if no other has come to anything


class Training(NamedTuple):
    """A training that an engine is to do."""

    trial: int
    seed: int
    run: RunFolder
    goal: Goal


class Engine(Protocol):
    """Does trainings."""

    def work(self, schedule: Schedule) -> None:
        """Do trainings until the schedule has no more."""


class Watch(Protocol):
    """Hears what happens, to show it."""

    def began(self, training: Training) -> None:
        """A training begins."""

    def stands(self, training: Training, result: Result, share: float) -> None:
        """An evaluation was driven; so much of the training is done."""

    def ended(self, trial: Trial) -> None:
        """A trial is complete, pruned or has failed."""


@dataclass
class _Running:
    """A trial that is not over."""

    candidate: Candidate
    results: list[Result]  #: of its trainings that are done
    busy: bool = False  #: a training is under way
    hopeless: bool = False

    @property
    def seed(self) -> int:
        """Of its training that is under way, or comes next."""
        return len(self.results)


class Schedule:
    """The trainings of a sweep.

    Args:
        folder: of the sweep; what was running when its last process ended goes on first.
        limit: how many trials there will be in all.
        watch: hears what happens.

    Raises:
        RacerError: the sweep cannot be read.
    """

    def __init__(self, folder: SweepFolder, limit: int, watch: Watch):
        self.folder, self.limit, self.watch = folder, limit, watch
        self.plan, self.objective, self.trials = folder.plan, folder.objective, folder.trials
        self._goal = Goal(self.plan.steps, self.plan.laps, self.objective.name == "steps_to_laps")
        self._length = max(find_track(name).length for name in self.plan.track)
        begun = self.trials.all()
        self._begun, self._left_over = len(begun), [trial for trial in begun if trial.state == "running"]
        self._running: dict[int, _Running] = {}

    def next(self) -> Training | None:
        """Start the next training; None if there is none, or none before one that is under way has ended.

        Raises:
            RunError: the run folder cannot be written.
            SweepError: all trials up to now have failed.
        """
        while (number := self._idle()) is not None:
            trial = self._running[number]
            if trial.seed == self.plan.seeds:
                self._complete(number)
                continue
            try:
                run = trial.candidate.start(self.folder.trial(number), trial.seed)
            except RunError:
                raise
            except RacerError as error:
                self._fail(number, str(error))
                continue
            trial.busy = True
            training = Training(number, trial.seed, run, self._goal)
            self.watch.began(training)
            return training
        return None

    def stands(self, training: Training, result: Result, share: float) -> bool:
        """Hear of an evaluation when a share of the training is done; whether to go on."""
        self.watch.stands(training, result, share)
        trial = self._running[training.trial]
        prune = self.trials.report(training.trial, trial.seed, share, self._value([*trial.results, result]))
        trial.hopeless |= prune and (share < 1.0 or trial.seed < self.plan.seeds - 1)
        return not trial.hopeless

    def ended(self, training: Training, result: Result) -> None:
        """Hear that a training is done, or has ended because it was told not to go on."""
        trial = self._running[training.trial]
        if trial.hopeless:
            self.trials.prune(training.trial, result)
            self._over(training.trial)
            return
        self.trials.report(training.trial, trial.seed, 1.0, self._value([*trial.results, result]))
        self.trials.add(training.trial, result)
        trial.results.append(result)
        trial.busy = False
        if trial.seed == self.plan.seeds:
            self._complete(training.trial)

    def failed(self, training: Training, sentence: str) -> None:
        """Hear that a training failed. Raises `SweepError` if all trials up to now have."""
        self._fail(training.trial, sentence)

    def _idle(self) -> int | None:
        """A trial that waits for its next training, begun if need be."""
        waiting = [number for number, trial in self._running.items() if not trial.busy]
        if waiting:
            return waiting[0]
        if self._left_over:
            left = self._left_over.pop(0)
            candidate = draw(self.plan, self.trials.go_on(left.number))
            self._running[left.number] = _Running(candidate, list(left.results))
            return left.number
        if self._begun >= self.limit:
            return None
        self._begun += 1
        number, trial = self.trials.begin()
        self._running[number] = _Running(draw(self.plan, trial), [])
        return number

    def _value(self, results: Sequence[Result]) -> float:
        """The objective, mean over some trainings."""
        return fmean(self.objective.value(result, self.plan.steps, self._length) for result in results)

    def _complete(self, number: int) -> None:
        self.trials.complete(number, self._value(self._running[number].results))
        self._over(number)

    def _fail(self, number: int, sentence: str) -> None:
        self.trials.fail(number, sentence)
        self._over(number)
        states = [trial.state for trial in self.trials.all()]
        if states.count("failed") >= HOPELESS and not {"complete", "pruned"} & set(states):
            raise SweepError(f"all of {len(states)} trials failed, the last one because {sentence}")

    def _over(self, number: int) -> None:
        del self._running[number]
        self.watch.ended(self.trials.all()[number])
