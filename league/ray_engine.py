"""Drives submissions on a Ray cluster, each in a confined process of one of its machines: the extra ``cluster``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from league import sandbox
from league.confinement import Limits
from league.evaluation import Job, evaluate
from league.sandbox import Outcome
from racer_env.cluster import connected, cpus, ray


class RayEngine:
    """An engine of `league.workers` on the cluster that this process is connected to.

    Args:
        limits: what each submission may use.
    """

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 (it is frozen)
        self.limits = limits
        self._jobs: dict[int, Any] = {}

    @property
    def room(self) -> int:
        """How many more jobs it takes now: one for each CPU, and machines may come and go."""
        return cpus() - len(self._jobs)

    def protection(self) -> list[str]:
        """What a job is kept from, in words, on the machine that answers first."""
        found: list[str] = ray.get(_protection.remote(self.limits))
        return found

    def start(self, number: int, job: Job) -> None:
        """Begin to drive a job."""
        self._jobs[number] = _drive.remote(job, self.limits)

    def finished(self, timeout: float) -> Mapping[int, Outcome]:
        """Wait until some jobs have an outcome, or for a time, s; give those."""
        numbers = {reference: number for number, reference in self._jobs.items()}
        ready, _ = ray.wait(list(numbers), num_returns=1, timeout=timeout)
        return {numbers[reference]: self._outcome(numbers[reference]) for reference in ready}

    def drop(self, number: int) -> None:
        """Break a job off, if it is still driven."""
        if number in self._jobs:
            ray.cancel(self._jobs.pop(number), force=True)

    def _outcome(self, number: int) -> Outcome:
        try:
            return Outcome.of(ray.get(self._jobs.pop(number)))
        except ray.exceptions.RayError as error:
            return Outcome(failed=f"the cluster lost it: {str(error).partition(chr(10))[0]}")


@contextmanager
def connected_engine(limits: Limits, address: str | None = None, workers: int | None = None) -> Iterator[RayEngine]:
    """Be connected to a cluster, or start one of some workers on this machine. Raises `ClusterError`."""
    with connected(address, None if address else workers):
        yield RayEngine(limits)


@ray.remote(num_cpus=1, max_retries=0)
def _drive(job: Job, limits: Limits) -> bytes:
    """Drive a job in a process of its own; this one serves many jobs. What `Outcome.of` takes."""
    sandbox.prepare()
    return sandbox.run(evaluate, job, limits.driving(job.simulated)).to_json()


@ray.remote(num_cpus=1)
def _protection(limits: Limits) -> list[str]:
    sandbox.prepare()
    return sandbox.protection(limits)
