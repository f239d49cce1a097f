"""The training loop: gather experience with many cars, learn, evaluate, keep the best, until told to stop."""

from __future__ import annotations

import io
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from racer_env.car import find_car
from racer_env.errors import RacerError, RewardError
from racer_env.metadata import PRIVILEGED
from racer_env.randomisation import find_level
from racer_env.reward import try_reward
from racer_env.simulator import Simulator
from racer_env.situations import trial
from racer_env.timing import EXACT, ORIGINAL
from training.beginning import begin
from training.course import Course, Entry
from training.networks import DriverPolicy
from training.policy_driver import (
    Evaluation,
    PolicyDriver,
    evaluate,
    evaluators,
    policy_arguments,
    read_parameters,
    sensors_of,
    wrong_network,
)
from training.ppo import DeepRacerPPO
from training.records import Episode, TrainingRecords
from training.run_folder import START, RunFolder, add_course, unwritable, write
from training.run_lock import locked
from training.tensorboard import logger
from training.vec_env import RacerVecEnv

SHARED = 512  #: samples in a minibatch from which on two threads are worth it for a network without a camera


@dataclass(frozen=True)
class Stop:
    """When a training ends, whichever comes first; all are counted from where it was started or resumed."""

    steps: int | None = None
    minutes: float | None = None
    laps: int | None = None  #: evaluation laps in a row that are as good as `progress` and `lap_seconds` say
    progress: float = 100.0  #: per cent
    lap_seconds: float | None = None  #: the slowest lap that counts

    def met_by(self, evaluation: Evaluation) -> npt.NDArray[np.bool_]:
        """Which laps of an evaluation are as good as is wanted (n,)."""
        met: npt.NDArray[np.bool_] = evaluation.progress >= self.progress
        if self.lap_seconds is not None:
            met &= evaluation.complete & (evaluation.milliseconds <= 1000.0 * self.lap_seconds)
        return met

    def share(self, steps: int, seconds: float) -> float | None:
        """How much of the steps or the time is used, up to 1; None if neither is limited."""
        shares = [steps / self.steps] if self.steps is not None else []
        if self.minutes is not None:
            shares.append(seconds / (60.0 * self.minutes) if self.minutes > 0.0 else 1.0)
        return min(max(shares), 1.0) if shares else None

    def reached(self, steps: int, seconds: float, laps: int) -> bool:
        """Whether it is time."""
        return self.share(steps, seconds) == 1.0 or (self.laps is not None and laps >= self.laps)


class Report(NamedTuple):
    """What is told after every iteration."""

    course: Course
    share: float | None  #: of the training that is done, as far as the stop rules tell
    seconds_left: float | None
    steps_per_second: float
    episodes: list[Episode]  #: finished in this iteration
    evaluation: Evaluation | None
    losses: Mapping[str, float]
    printed: list[str]  #: the newest lines that the reward function printed
    stop: Stop = Stop()


class Trainer:
    """Trains a run; call `train`.

    Args:
        run: what to train.
        resume: go on from its last checkpoint, or from the beginning if it was stopped before there was one.

    Raises:
        RacerError: the run cannot be used; one sentence says why.
    """

    def __init__(self, run: RunFolder, resume: bool = False):
        self.run = run
        with locked(run):  # what a killed training left beyond its checkpoint is dropped here
            self._make(resume)

    def _make(self, resume: bool) -> None:
        run = self.run
        self.settings, model = run.settings, run.model
        self.course = run.last_course() if resume else Course()
        self._stop, self._began, self._begun = Stop(), time.monotonic(), replace(self.course)
        torch.set_num_threads(1)  # `training.ppo` says why
        tracks, car, actions = run.tracks, find_car(self.settings.car), model.metadata.actions
        reward = run.reward(self.settings.cars)
        for track in tracks:
            try_reward(reward, trial(track))
        seed = self.settings.seed
        level, timing = find_level(self.settings.randomise), ORIGINAL if self.settings.jitter else EXACT
        self.simulator = Simulator(
            tracks,
            car,
            run.race,
            sensors_of(run),
            reward,
            self.settings.cars,
            seed + self.course.steps,
            actions,
            level,
            timing,
        )
        self.evaluators = evaluators(run, seed)
        self.records = TrainingRecords(
            run, self.simulator, self.course, model.hyperparameters.num_episodes_between_training
        )
        self.ppo = make_ppo(run, RacerVecEnv(self.simulator, self.records, copy=False), seed + self.course.steps)
        if resume and run.checkpoint("last").exists():
            _load_weights(self.ppo, run)
            self.simulator.state.ticks[:] = self.course.ticks
        elif run.checkpoint(START).exists():
            begin(self.ppo.policy, run)  # type: ignore[arg-type]
        self.driver = PolicyDriver(self.ppo.policy)  # type: ignore[arg-type]

    def train(self, stop: Stop, report: Callable[[Report], None] = lambda _: None) -> Course:
        """Train until `stop` is reached or the user interrupts; give the course.

        Raises:
            RacerError: the reward function failed, the losses are no longer numbers, the disk is full, or another
                process trains the run; the last checkpoint is kept.
        """
        self._stop, self._report = stop, report
        self._began, self._begun = time.monotonic(), replace(self.course)
        self.course.laps_in_a_row = 0
        self._evaluated = False
        with locked(self.run), self._interruptible(), unwritable(self.run.path), self.records:
            self.ppo.set_logger(logger(self.run.path / "tensorboard"))
            self.ppo.begin(self.course.steps)
            try:
                self._evaluate_beginning()
                while not (self.interrupted or self._reached()):
                    self._iterate()
            except RewardError:
                self.save("last")
                raise
            except FloatingPointError as error:
                raise RacerError(
                    f"training stopped after {self.course.steps} steps: {error} any more; lower lr, or the size of "
                    f"the rewards; {self.run.path} is as it was last saved"
                ) from error
            self._finish()
        return self.course

    def _evaluate_beginning(self) -> None:
        """Measure the driver that a run begins with, so that its best is never worse than that."""
        if self.course.steps == 0 and self.run.checkpoint(START).exists():
            self.evaluate()
            self.course.laps_in_a_row = 0  # they end no training that has not begun

    def _iterate(self) -> None:
        """Gather experience, learn from it and, every now and then, evaluate and save."""
        began = time.monotonic()
        if not self._gather():
            return
        steps, self.course.steps = self.course.steps, self.ppo.num_timesteps
        try:
            self.ppo.train()
        finally:  # torch refuses to draw from what is not finite in words of its own
            self.ppo.require_finite()
        self.course.iterations += 1
        self._evaluated = False
        self._count_time()
        evaluation = None
        due = self.course.iterations % self.settings.evaluate_every == 0 or self._reached()
        if due and not self.interrupted:
            evaluation = self.evaluate()
            self.save("last")
        self._tell((self.course.steps - steps) / (time.monotonic() - began), evaluation)

    def _gather(self) -> bool:
        """Fill the learner's rollout buffer and the records; False if that was interrupted."""
        return self.ppo.gather()

    def _finish(self) -> None:
        """Save first of all: who interrupts again, and does not wait for the last evaluation, loses nothing else."""
        self._count_time()
        self.save("last")
        self._saved = True
        if not self._evaluated:
            evaluation = self.evaluate()
            self.save("last")
            self._tell(self._rate(), evaluation)

    def evaluate(self) -> Evaluation:
        """Drive five greedy laps of each track with the weights as they are; keep them if they are the best so far."""
        result, course = self._drive_evaluation(), self.course
        for met in self._stop.met_by(result).tolist():
            course.laps_in_a_row = course.laps_in_a_row + 1 if met else 0
        if result.complete.any() and course.first_lap_steps is None:
            course.first_lap_steps = course.steps
        self._count_time()
        entry = Entry(
            steps=course.steps,
            seconds=course.seconds,
            completion=result.completion,
            laps=len(result.progress),
            laps_complete=int(result.complete.sum()),
            lap_ms=result.lap_ms,
            reward=result.reward,
        )
        course.history.append(entry)
        self.records.add_evaluation(result.progress, result.milliseconds, result.status, result.rewards)
        if course.improved_by(entry, self.settings.best):
            self.save("best")
        self._evaluated = True
        return result

    def _drive_evaluation(self) -> Evaluation:
        """Drive the laps; what the reward function prints meanwhile is kept only if it fails."""
        try:
            return evaluate(self.driver, self.evaluators)
        except RewardError:
            for evaluator in self.evaluators:
                self.records.add_printed(evaluator.reward.take_printed() if evaluator.reward else [])
            raise

    def save(self, which: str) -> None:
        """Write a checkpoint, whole or not at all, and the records up to it."""
        self.course.ticks = int(self.simulator.state.ticks.max())
        self.records.save()
        checkpoint = io.BytesIO()
        self.ppo.save(checkpoint, exclude=["env", "logger", "rollout_buffer", "_last_obs", "_watch"])
        add_course(checkpoint, self.course)
        write(self.run.checkpoint(which), checkpoint.getvalue())

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the training."""
        return self.ppo.interrupted

    def _reached(self) -> bool:
        self._count_time()
        course, begun = self.course, self._begun
        return self._stop.reached(course.steps - begun.steps, course.seconds - begun.seconds, course.laps_in_a_row)

    def _count_time(self) -> None:
        self.course.seconds = self._begun.seconds + time.monotonic() - self._began

    def _rate(self) -> float:
        """Steps a second since this training was started or resumed."""
        return (self.course.steps - self._begun.steps) / max(self.course.seconds - self._begun.seconds, 1e-9)

    def _tell(self, rate: float, evaluation: Evaluation | None) -> None:
        course, spent = self.course, self.course.seconds - self._begun.seconds
        share = self._stop.share(course.steps - self._begun.steps, spent)
        left = spent * (1.0 - share) / share if share else None
        episodes, losses = self.records.take_recent(), self.ppo.losses
        self._log(episodes, evaluation, rate)
        printed = self.records.newest_printed
        self._report(Report(course, share, left, rate, episodes, evaluation, losses, printed, self._stop))

    def _log(self, episodes: list[Episode], evaluation: Evaluation | None, rate: float) -> None:
        """Write to TensorBoard, beside the losses."""
        values = {"time/steps_per_second": rate}
        if episodes:
            for name in ("reward", "progress", "steps"):
                values[f"training/{name}"] = float(np.mean([getattr(e, name) for e in episodes]))
        if evaluation is not None:
            values["evaluation/progress"], values["evaluation/reward"] = evaluation.completion, evaluation.reward
            if evaluation.lap_ms is not None:
                values["evaluation/lap_seconds"] = evaluation.lap_ms / 1000.0
        for name, value in values.items():
            self.ppo.logger.record(name, value)
        self.ppo.logger.dump(self.course.steps)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end the training at the next step instead of anywhere; once all is saved, at once."""

        def interrupt(*_: object) -> None:
            if self._saved:
                raise KeyboardInterrupt
            self.ppo.interrupted = True

        self.ppo.interrupted = self._saved = False
        if threading.current_thread() is not threading.main_thread():  # only there can signals be caught
            yield
            return
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def make_ppo(run: RunFolder, env: RacerVecEnv, seed: int) -> DeepRacerPPO:
    """Make the learner of a run, with fresh weights."""
    settings, model = run.settings, run.model
    h = model.hyperparameters
    optimizer = {"eps": 1e-5, "fused": True}
    small = set(model.metadata.sensors) <= set(PRIVILEGED)
    with warnings.catch_warnings():  # a smaller last minibatch is left out, as in the original
        warnings.filterwarnings("ignore", message="You have specified a mini-batch size")
        return DeepRacerPPO(
            DriverPolicy,
            env,
            learning_rate=h.lr,
            n_steps=settings.steps_per_car,
            batch_size=h.batch_size,
            n_epochs=h.num_epochs,
            gamma=h.discount_factor,
            ent_coef=h.beta_entropy,
            vf_coef=1.0,
            huber=h.loss_type == "huber",
            shards=1 if small and h.batch_size < SHARED else 2,
            seed=seed,
            device="cpu",
            policy_kwargs={**policy_arguments(run), "optimizer_kwargs": optimizer},
        )


def _load_weights(ppo: DeepRacerPPO, run: RunFolder) -> None:
    """Load weights and optimiser from the last checkpoint."""
    parameters: Any = read_parameters(run, "last")
    try:
        ppo.set_parameters(parameters, exact_match=True, device="cpu")
    except (KeyError, ValueError, RuntimeError) as error:
        raise wrong_network(run, "last") from error
