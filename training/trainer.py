"""The training loop: gather experience with many cars, learn, evaluate, keep the best, until told to stop."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.save_util import load_from_zip_file

from racer_env.car import find_car
from racer_env.dynamics import CONTROL_RATE
from racer_env.env import action_space_of
from racer_env.errors import RacerError
from racer_env.kernel import Floats, Ints
from racer_env.metadata import STATE
from racer_env.race import TIME_TRIAL, Status
from racer_env.reward import try_reward
from racer_env.sensors import find_sensors
from racer_env.simulator import Observations, Simulator
from racer_env.situations import trial
from training.networks import DriverPolicy
from training.ppo import DeepRacerPPO
from training.records import Episode, TrainingRecords
from training.run_folder import Course, RunError, RunFolder, add_course
from training.vec_env import RacerVecEnv, channel_first, observation_space_of

EVALUATION_CARS = 5  #: as many evaluation episodes as the original plays at least (spec/simulator.md 7.4)
SLOWEST = 0.25  #: m/s; an evaluation lap that is slower on average is cut off


@dataclass(frozen=True)
class Stop:
    """When a training ends; whichever comes first."""

    steps: int | None = None
    minutes: float | None = None
    laps: int | None = None  #: complete evaluation laps in a row

    def reached(self, course: Course) -> bool:
        """Whether it is time."""
        return bool(
            (self.steps is not None and course.steps >= self.steps)
            or (self.minutes is not None and course.seconds >= 60.0 * self.minutes)
            or (self.laps is not None and course.laps_in_a_row >= self.laps)
        )


class Evaluation(NamedTuple):
    """Greedy laps from five places of the track."""

    progress: Floats  #: (5,) per cent
    milliseconds: Ints  #: (5,) time driven
    status: Ints  #: (5,)

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Which laps were completed (5,)."""
        return self.progress >= 100.0


class Report(NamedTuple):
    """What is told after every iteration."""

    course: Course
    stop: Stop
    steps_per_second: float
    episodes: list[Episode]  #: finished in this iteration
    evaluation: Evaluation | None
    losses: Mapping[str, float]


class PolicyDriver:
    """Drives with a policy that is being trained, without noise."""

    def __init__(self, policy: DriverPolicy):
        self.policy = policy

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        """Choose greedy actions: indices (n,) or pairs (n, 2)."""
        tensors = {name: torch.from_numpy(channel_first(values)) for name, values in observations.items()}
        with torch.inference_mode():
            actions = self.policy.get_distribution(tensors).get_actions(deterministic=True).numpy()
        return np.clip(actions, -1.0, 1.0) if actions.ndim == 2 else actions


class Trainer(BaseCallback):
    """Trains a run; call `train`."""

    def __init__(self, run: RunFolder, resume: bool = False):
        super().__init__()
        self.run = run
        self.settings, model = run.settings, run.model
        self.course = run.course() if resume else Course()
        _seed(self.settings.seed + self.course.steps)
        torch.set_num_threads(_threads())
        self.track = run.track
        driver_sensors = find_sensors(model.metadata.sensors)
        critic = driver_sensors if self.settings.critic != STATE else find_sensors([STATE])
        reward = run.reward(self.settings.cars)
        try_reward(reward, trial(self.track))
        car, actions = find_car(self.settings.car), model.metadata.actions
        sensors = tuple({s.name: s for s in (*driver_sensors, *critic)}.values())
        self.simulator = Simulator(
            self.track, car, TIME_TRIAL, sensors, reward, self.settings.cars, self.settings.seed, actions
        )
        limit = self.track.length / SLOWEST
        rules = replace(TIME_TRIAL, advance=1.0 / EVALUATION_CARS, time_limit=limit)
        self.evaluator = Simulator(
            self.track, car, rules, driver_sensors, None, EVALUATION_CARS, self.settings.seed, actions
        )
        self.records = TrainingRecords(
            run, self.simulator, self.course, model.hyperparameters.num_episodes_between_training
        )
        self.ppo = make_ppo(run, RacerVecEnv(self.simulator, self.records))
        if resume:
            load_weights(self.ppo, run.checkpoint("last"))
            self.ppo.num_timesteps = self.course.steps
        self.driver = PolicyDriver(self.ppo.policy)  # type: ignore[arg-type]
        self._report: Callable[[Report], None] = lambda _: None
        self._stop = Stop()
        self._interrupted = False

    def train(self, stop: Stop, report: Callable[[Report], None]) -> Course:
        """Train until `stop` is reached or the user interrupts; give the course.

        Raises:
            RacerError: the reward function failed, or the losses are no longer numbers; the last checkpoint stays.
        """
        self._stop, self._report = stop, report
        self._began, self._before = time.monotonic(), self.course.seconds
        self._iteration_began = self._began
        self.ppo.set_logger(configure(str(self.run.path / "tensorboard"), ["tensorboard"]))
        with self._interruptible():
            if not stop.reached(self.course):
                self.ppo.learn(2**62, callback=self, reset_num_timesteps=False)
            self._count_time()
            self.evaluate()
            self.save("last")
        return self.course

    def _on_step(self) -> bool:
        return not (self._interrupted or self._stop.reached(self.course))

    def _on_rollout_end(self) -> None:
        self.course.steps = self.num_timesteps
        self.course.iterations += 1
        self._count_time()
        losses = _losses(self.ppo)
        if not all(np.isfinite(value) for value in losses.values()):
            raise RacerError(
                f"training stopped after {self.course.steps} steps: the losses are not finite numbers any more; "
                f"lower lr, or the size of the rewards; {self.run.checkpoint('last')} is from before"
            )
        evaluation = self.evaluate() if self.course.iterations % self.settings.evaluate_every == 0 else None
        now = time.monotonic()
        rate = self.settings.cars * self.settings.steps_per_car / max(now - self._iteration_began, 1e-9)
        self._iteration_began = now
        self._report(Report(self.course, self._stop, rate, self.records.take_recent(), evaluation, losses))
        if evaluation is not None:
            self.save("last")

    def _count_time(self) -> None:
        self.course.seconds = self._before + time.monotonic() - self._began

    def evaluate(self) -> Evaluation:
        """Drive five greedy laps with the weights as they are; keep them if they are the best so far."""
        result = evaluate(self.driver, self.evaluator)
        course = self.course
        for complete in result.complete.tolist():
            course.laps_in_a_row = course.laps_in_a_row + 1 if complete else 0
        if result.complete.any() and course.first_lap_steps is None:
            course.first_lap_steps = course.steps
        completion = float(result.progress.mean())
        lap_ms = float(result.milliseconds.mean()) if result.complete.all() else float("inf")
        course.history.append({"steps": course.steps, "completion": completion, "seconds": course.seconds})
        started = float(self.simulator.time.max())
        self.records.add_evaluation(result.progress, result.milliseconds, result.status, started)
        if (completion, -lap_ms) >= (course.best_completion, -course.best_lap_ms):
            course.best_completion, course.best_lap_ms, course.best_steps = completion, lap_ms, course.steps
            self.save("best")
        return result

    def save(self, which: str) -> None:
        """Write a checkpoint, whole or not at all, and the records up to it."""
        self.records.save()
        file = self.run.checkpoint(which)
        temporary = file.with_name(f".{which}.part.zip")
        try:
            self.ppo.save(temporary, exclude=["env", "logger", "rollout_buffer", "_last_obs"])
            add_course(temporary, self.course)
            temporary.replace(file)
        except OSError as error:
            raise RacerError(f"{file} cannot be written: {error.strerror or error}") from error
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end the training at the next step instead of anywhere."""

        def interrupt(*_: object) -> None:
            self._interrupted = True

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the training."""
        return self._interrupted


def make_ppo(run: RunFolder, env: RacerVecEnv) -> DeepRacerPPO:
    """Make the learner of a run, with fresh weights."""
    settings, model = run.settings, run.model
    h = model.hyperparameters
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
            seed=settings.seed,
            device="cpu",
            policy_kwargs=policy_arguments(run),
        )


def policy_arguments(run: RunFolder) -> dict[str, Any]:
    """Arguments of a run's `DriverPolicy`."""
    keys, settings = list(run.model.metadata.sensors), run.settings
    critic = [STATE] if settings.critic == STATE else keys
    return {"architecture": settings.network, "driver_keys": keys, "critic_keys": critic}


def load_weights(ppo: DeepRacerPPO, checkpoint: Path) -> None:
    """Load weights and optimiser from a checkpoint."""
    ppo.set_parameters(read_parameters(checkpoint), exact_match=True, device="cpu")


def read_parameters(checkpoint: Path) -> dict[str, Any]:
    """Read the tensors of a checkpoint; nothing in it is unpickled. Raises `RunError` if it cannot be read."""
    try:
        _, parameters, _ = load_from_zip_file(checkpoint, load_data=False, device="cpu")
    except (OSError, ValueError, RuntimeError) as error:
        raise RunError(f"{checkpoint} cannot be read: {error}") from error
    return parameters


def load_driver(run: RunFolder, which: str = "best") -> PolicyDriver:
    """Load the driver of a run's checkpoint. Raises `RunError` if there is none."""
    arguments = policy_arguments(run)
    sensors = find_sensors(list(dict.fromkeys((*arguments["driver_keys"], *arguments["critic_keys"]))))
    spaces = observation_space_of(sensors), action_space_of(run.model.metadata.actions)
    policy = DriverPolicy(*spaces, lambda _: 0.0, **arguments)
    parameters = read_parameters(run.checkpoint(which))
    try:
        policy.load_state_dict(parameters["policy"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{run.checkpoint(which)} does not hold the network that {run.path} says") from error
    policy.set_training_mode(False)
    return PolicyDriver(policy)


def evaluate(driver: PolicyDriver, simulator: Simulator) -> Evaluation:
    """Drive one greedy lap from every start of a simulator."""
    driver.policy.set_training_mode(False)
    simulator.restart(simulator.seed)
    observations = simulator.reset()
    driving = np.ones(simulator.n, np.bool_)
    progress, milliseconds = np.zeros(simulator.n), np.zeros(simulator.n, np.int64)
    status = np.full(simulator.n, int(Status.IN_PROGRESS))
    while driving.any():
        step = simulator.step(driver.act(observations))
        observations, e = step.observations, step.episode
        ended = driving & step.done
        driven = np.round((e.steps - 1) * 1000.0 / CONTROL_RATE).astype(np.int64)
        progress[ended], status[ended] = e.progress[ended], e.status[ended]
        milliseconds[ended] = np.where(e.lap_milliseconds > 0, e.lap_milliseconds, driven)[ended]
        driving &= ~ended
    return Evaluation(progress, milliseconds, status)


def _losses(ppo: DeepRacerPPO) -> dict[str, float]:
    values = ppo.logger.name_to_value
    return {name.removeprefix("train/"): float(v) for name, v in values.items() if name.startswith("train/")}


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (stable-baselines3 shuffles with the global generator)


def _threads() -> int:
    """Cores that torch may use: all of them, but more than 8 do not help networks of this size."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
