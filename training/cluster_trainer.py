"""One training whose experience is gathered by several workers of a Ray cluster.

Each worker drives its share of the run's cars with the policy as it stands, and gives back what they saw, did and got;
the learner puts the shares side by side and learns from them here. Advantages are the workers' work too: they concern
one car at a time. Workers wait while the learner learns, so that all experience is of the newest policy, as with one
process. The same seed with the same number of workers gives the same weights; another number draws other actions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from racer_env.cluster import ClusterError, connected, cpus, ray
from racer_env.errors import RewardError
from racer_env.kernel import Ints
from racer_env.recorder import TraceRecorder
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRow
from training.cluster import packed, unpack
from training.model_folder import to_json
from training.run_folder import RunFolder, write
from training.trainer import Trainer
from training.vec_env import RacerVecEnv

#: Arrays (steps, cars, ...) of a rollout besides the observations.
COLUMNS = ("actions", "rewards", "episode_starts", "values", "log_probs", "advantages", "returns")
#: Of a run folder, what workers do not need.
LEFT_OUT = ("checkpoints", "tensorboard", "training-simtrace", "metrics", "logs")
SECONDS = 0.2  #: between two looks whether the user has interrupted


class Share(NamedTuple):
    """What a worker's cars saw, did and got."""

    observations: dict[str, npt.NDArray[Any]]  #: each (steps, cars, ...)
    columns: dict[str, npt.NDArray[Any]]  #: as `COLUMNS`
    episodes: list[list[TraceRow]]  #: that ended
    printed: list[str]  #: by the reward function
    ticks: int  #: on the clock of the simulator


@contextmanager
def on_cluster(
    run: RunFolder, resume: bool = False, workers: int | None = None, address: str | None = None
) -> Iterator[ClusterTrainer]:
    """The trainer of a run, with workers on a cluster for as long as it is needed.

    Args:
        run: what to train.
        resume: go on from its last checkpoint.
        workers: how many share the cars; by default one on each CPU.
        address: of the cluster; None starts one on this machine.

    Raises:
        ClusterError: there is no such cluster, or it has too few CPUs for the workers, or there are more of them than
            cars.
        RacerError: the run cannot be used.
    """
    with connected(address):
        most = min(cpus(), run.settings.cars)
        if workers is not None and workers > most:
            raise ClusterError(
                f"{workers} workers cannot gather: the cluster has {cpus()} CPUs, and the run {run.settings.cars} cars"
            )
        trainer = ClusterTrainer(run, resume, workers or most)
        try:
            yield trainer
        finally:
            trainer.dismiss()


class ClusterTrainer(Trainer):
    """A `Trainer` whose cars are driven by workers; needs to be connected to a cluster.

    Args:
        run: what to train.
        resume: go on from its last checkpoint, or from the beginning if there is none.
        workers: how many, at most as many as cars.
    """

    def __init__(self, run: RunFolder, resume: bool = False, workers: int = 1):
        super().__init__(run, resume)
        edges = [self.settings.cars * k // workers for k in range(workers + 1)]
        self._cars = [slice(a, b) for a, b in pairwise(edges)]
        worker, archive = ray.remote(num_cpus=1)(_Worker), ray.put(packed(run.path, LEFT_OUT))
        begun = (self.settings.seed, self.course.steps)
        self._workers: list[Any] = [
            worker.remote(archive, cars.stop - cars.start, _seed(*begun, k), self.course.ticks)
            for k, cars in enumerate(self._cars)
        ]

    def dismiss(self) -> None:
        """End the workers, so that their CPUs are free."""
        for worker in self._workers:
            ray.kill(worker)

    def _gather(self) -> bool:
        shares = self._shares()
        if shares is None:
            return False
        buffer = self.ppo.rollout_buffer
        buffer.reset()
        for cars, share in zip(self._cars, shares, strict=True):
            for name, values in share.observations.items():
                buffer.observations[name][:, cars] = values
            for name, values in share.columns.items():
                getattr(buffer, name)[:, cars] = values
            for rows in share.episodes:
                self.records.add_episode(rows)
            self.records.add_printed(share.printed)
        buffer.pos, buffer.full = buffer.buffer_size, True
        self.ppo.num_timesteps += buffer.buffer_size * buffer.n_envs
        self.simulator.state.ticks[:] = max(share.ticks for share in shares)
        return True

    def _shares(self) -> Sequence[Share] | None:
        """Let all workers gather; None if the user interrupts.

        Raises:
            RewardError: the reward function failed.
            ClusterError: a worker is gone.
        """
        weights = ray.put({name: values.numpy() for name, values in self.ppo.policy.state_dict().items()})
        tasks = [worker.gather.remote(weights) for worker in self._workers]
        while len(ray.wait(tasks, num_returns=len(tasks), timeout=SECONDS)[0]) < len(tasks):
            if self.interrupted:
                return None
        try:
            results = ray.get(tasks)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"a worker of the cluster is gone ({str(error).splitlines()[0]}); {self.run.path} is as it was last "
                f"saved, go on with: racer train --resume {self.run.path}"
            ) from error
        failures = [result for result in results if isinstance(result, str)]
        if failures:
            raise RewardError(failures[0].replace(_RUN, str(self.run.path)))
        return results


_RUN = "<run>"  #: stands for the run folder in a worker's sentences


class _Worker:
    """Drives some of the cars of a run, which was packed, in a process of its own."""

    def __init__(self, archive: bytes, cars: int, seed: int, ticks: int):
        self._scratch = tempfile.TemporaryDirectory(prefix="racer-worker-")
        self._run = RunFolder(Path(self._scratch.name, "run"))
        unpack(archive, self._run.path)
        settings = self._run.settings.model_copy(update={"cars": cars, "seed": seed})
        write(self._run.path / "settings.json", to_json(settings.model_dump()))
        trainer = Trainer(self._run)
        self._simulator, self._ppo = trainer.simulator, trainer.ppo
        self._simulator.state.ticks[:] = ticks
        self._episodes = _Episodes(self._simulator)
        assert isinstance(self._ppo.env, RacerVecEnv)
        self._ppo.env.observer = self._episodes
        self._ppo.begin(0)

    def gather(self, weights: dict[str, npt.NDArray[Any]]) -> Share | str:
        """Drive every car with a policy of these weights; or say how the reward function failed."""
        self._ppo.policy.load_state_dict({name: torch.tensor(values) for name, values in weights.items()})
        try:
            self._ppo.gather()
        except RewardError as error:
            return str(error).replace(str(self._run.path), _RUN)
        buffer, reward = self._ppo.rollout_buffer, self._simulator.reward
        return Share(
            dict(buffer.observations),
            {name: getattr(buffer, name) for name in COLUMNS},
            self._episodes.take(),
            reward.take_printed() if reward else [],
            int(self._simulator.state.ticks.max()),
        )


class _Episodes:
    """Keeps the episodes that end; an `Observer`."""

    def __init__(self, simulator: Simulator):
        self._recorder = TraceRecorder(simulator)
        self._over: list[list[TraceRow]] = []

    def begun(self, cars: Ints) -> None:
        """Cars were reset."""
        self._recorder.begin(cars.tolist())

    def stepped(self, step: Step, actions: npt.NDArray[Any]) -> None:
        """A step was made."""
        self._over += [rows for _, rows in self._recorder.add(step, actions)]

    def take(self) -> list[list[TraceRow]]:
        """Hand over what ended since the last time."""
        over, self._over = self._over, []
        return over


def _seed(seed: int, steps: int, worker: int) -> int:
    """A seed of a worker's own."""
    return int(np.random.SeedSequence((seed, steps, worker)).generate_state(1)[0])
