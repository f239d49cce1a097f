"""The engine that spreads trainings over a Ray cluster, one on each CPU.

A training is sent as its run folder and comes back as its run folder, so the machines need not share a disk. Its
evaluations come through a mailbox, by which it also learns that it is hopeless; that is one evaluation later than
here. Which trials are chosen and pruned depends on what is done when, so unlike a trial's own results, they are not the
same in every run of a sweep.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from racer_env.cluster import check_address, connected, cpus, ray
from racer_env.errors import RacerError
from training.cluster import packed, unpack
from training.run_folder import RunFolder
from training.sweep.objective import Result
from training.sweep.schedule import Schedule, Training
from training.sweep.training_run import Goal, train

SECONDS = 0.5  #: between two looks into the mailbox


class RayEngine:
    """Does trainings on all CPUs of a cluster.

    Args:
        address: of the cluster; None starts one on this machine.

    Raises:
        ClusterError: nobody answers there.
    """

    def __init__(self, address: str | None = None):
        check_address(address)
        self.address = address

    def work(self, schedule: Schedule) -> None:
        """Do trainings until the schedule has no more.

        Raises:
            ClusterError: there is no such cluster.
            RunError: a run that came back cannot be written; it is trained again when the sweep goes on.
        """
        with connected(self.address):
            _Crew(schedule).work()


class _Mailbox:
    """Where trainings tell how they stand, and learn whether to go on."""

    def __init__(self) -> None:
        self._posts: list[tuple[int, Result, float]] = []
        self._stopped: set[int] = set()

    def post(self, trial: int, result: Result, share: float) -> bool:
        """Leave word of an evaluation; whether to go on."""
        self._posts.append((trial, result, share))
        return trial not in self._stopped

    def take(self) -> list[tuple[int, Result, float]]:
        """Hand over what was left since the last time."""
        posts, self._posts = self._posts, []
        return posts

    def stop(self, trial: int) -> None:
        """Let a trial's training end at its next evaluation."""
        self._stopped.add(trial)


def _train(archive: bytes, trial: int, goal: Goal, mailbox: Any) -> tuple[bytes, Result | None, str]:
    """Train a packed run; give it back, what it achieved, and if it failed, why."""
    with tempfile.TemporaryDirectory(prefix="racer-") as scratch:
        folder = Path(scratch, "run")
        unpack(archive, folder)

        def listener(result: Result, share: float) -> bool:
            go_on: bool = ray.get(mailbox.post.remote(trial, result, share))
            return go_on

        try:
            result, sentence = train(RunFolder.open(folder), goal, listener), ""
        except RacerError as error:
            result, sentence = None, str(error).replace(f"{folder}/", "")
        return packed(folder), result, sentence


class _Crew:
    """The trainings that are under way on the cluster."""

    def __init__(self, schedule: Schedule):
        self._schedule = schedule
        self._mailbox: Any = ray.remote(num_cpus=0)(_Mailbox).remote()
        self._train = ray.remote(num_cpus=1)(_train)
        self._tasks: dict[Any, Training] = {}

    def work(self) -> None:
        """Keep every CPU busy until there is nothing more to do."""
        while True:
            self._begin()
            if not self._tasks:
                return
            done, _ = ray.wait(list(self._tasks), timeout=SECONDS)
            self._hear()
            for task in done:
                self._end(task)

    def _begin(self) -> None:
        while len(self._tasks) < cpus() and (training := self._schedule.next()) is not None:
            archive = packed(training.run.path)
            task = self._train.remote(archive, training.trial, training.goal, self._mailbox)
            self._tasks[task] = training

    def _hear(self) -> None:
        under_way = {training.trial: training for training in self._tasks.values()}
        for trial, result, share in ray.get(self._mailbox.take.remote()):
            if trial in under_way and not self._schedule.stands(under_way[trial], result, share):
                self._mailbox.stop.remote(trial)

    def _end(self, task: Any) -> None:
        training = self._tasks.pop(task)
        try:
            archive, result, sentence = ray.get(task)
        except ray.exceptions.RayError as error:
            self._schedule.failed(training, f"its worker ended: {str(error).splitlines()[0]}")
            return
        unpack(archive, training.run.path)
        if result is None:
            self._schedule.failed(training, sentence)
        else:
            self._schedule.ended(training, result)
