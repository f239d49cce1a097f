"""Workers: they take submissions from the queue, drive each in a process of its own, and write down what came out.

An `Engine` computes jobs: `Local` on this machine's cores, `league.ray_engine.RayEngine` on a cluster. One process
minds the leases and writes the results of all jobs of its engine; several such processes, on several machines if the
league's database and folder are shared, may work on one queue.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from league import sandbox
from league.confinement import Limits
from league.drives import driven_of
from league.errors import LeagueError, UnreachableError
from league.evaluation import Job, Run, evaluate
from league.sandbox import Call, Outcome
from league.service import Claim, League, SubmissionView
from league.tidying import tidy

LOG = logging.getLogger(__name__)
POLL = 1.0  #: s between two looks at an empty queue
Evaluate = Callable[[Job], dict[str, object]]


class Engine(Protocol):
    """Computes jobs, several at a time."""

    @property
    def room(self) -> int:
        """How many more jobs it takes now."""

    def protection(self) -> list[str]:
        """What a job is kept from, in words."""

    def start(self, number: int, job: Job) -> None:
        """Begin to drive a job, known by the number of its submission."""

    def finished(self, timeout: float) -> Mapping[int, Outcome]:
        """Wait until some jobs have an outcome, or for a time, s; give those."""

    def drop(self, number: int) -> None:
        """Break a job off, if it is still driven."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a submission."""

    submission: SubmissionView
    started: bool  #: else it has a result, or is queued again after a failure


class Local:
    """Drives on this machine, each job in a confined process.

    Args:
        workers: how many at a time.
        limits: what each may use.
        evaluate: what is computed; a test may put something else in its place.
    """

    def __init__(self, workers: int = 1, limits: Limits = Limits(), evaluate: Evaluate = evaluate) -> None:  # noqa: B008
        self.workers, self.limits, self._evaluate = workers, limits, evaluate
        self._calls: dict[int, Call] = {}
        sandbox.prepare()

    @property
    def room(self) -> int:
        """How many more jobs it takes now."""
        return self.workers - len(self._calls)

    def protection(self) -> list[str]:
        """What a job is kept from, in words."""
        return sandbox.protection(self.limits)

    def start(self, number: int, job: Job) -> None:
        """Begin to drive a job."""
        self._calls[number] = sandbox.start(self._evaluate, job, self.limits.driving(job.simulated))

    def finished(self, timeout: float) -> Mapping[int, Outcome]:
        """Wait until some jobs have an outcome, or for a time, s; give those."""
        numbers = {call: number for number, call in self._calls.items()}
        out = {numbers[call]: call.outcome() for call in sandbox.finished(numbers, timeout)}
        for number, call in self._calls.items():
            if number not in out and call.overdue():
                out[number] = call.given_up()
        for number in out:
            del self._calls[number]
        return out

    def drop(self, number: int) -> None:
        """Break a job off, if it is still driven."""
        if number in self._calls:
            self._calls.pop(number).end()


def work(
    league: League, engine: Engine, *, drain: bool = False, only: int | None = None
) -> Generator[Event, None, None]:
    """Drive what is queued, in its order, and what will be.

    Args:
        league: whose queue.
        engine: what drives.
        drain: end when the queue is empty and every result is written.
        only: the number of a submission; nothing else is driven, and it also if it waits for its organiser.

    Yields:
        Every start and every result. Whatever goes wrong with a submission is its result, so that the next one gets
        its turn. When the generator is closed, what was being driven is put back. A database that cannot be reached is
        waited for, which is logged.
    """
    if only is None:  # whoever drives one with an audience does not keep it waiting
        tidy(league.store)
    held, away = _Held(league, engine, only), False
    try:
        while True:
            try:
                held.renew()
                yield from _claim(held)
                if drain and not held.claims:
                    return
                yield from _results(held)
                away = False
            except UnreachableError as error:
                if not away:
                    LOG.warning("%s; waiting until it is back", error)
                away, held.renewed = True, -math.inf  # before anything is claimed, even what was ours
                time.sleep(POLL)
    finally:
        held.put_back()


@dataclass
class _Held:
    """What an engine drives for a league."""

    league: League
    engine: Engine
    only: int | None = None  #: the one submission that it may claim
    claims: dict[int, Claim] = field(default_factory=dict)  #: by the number of the submission
    outcomes: dict[int, Outcome] = field(default_factory=dict)  #: of some of them, not written down yet
    renewed: float = field(default_factory=time.monotonic)  #: s, when the leases were

    @property
    def pause(self) -> float:
        """How long to wait until there may be something new, s; leases outlast it."""
        return min(POLL, self.league.queue.lease.total_seconds() / 8)

    def renew(self) -> None:
        """Renew the leases, if it is time to; break off what was withdrawn or taken over."""
        if time.monotonic() - self.renewed <= self.league.queue.lease.total_seconds() / 4:
            return
        self.renewed = time.monotonic()
        for claim in self.league.queue.renew(self.claims.values()):
            self.engine.drop(claim.submission.id)
            self.end(claim.submission.id)

    def end(self, number: int) -> None:
        """Let go of a claim that has its result, or is lost."""
        del self.claims[number]
        self.outcomes.pop(number, None)

    def put_back(self) -> None:
        """Break everything off and put it back; what fails with one of them is told when all the others are back."""
        with ExitStack() as everything:
            for number, claim in self.claims.items():
                everything.callback(self.league.queue.release, claim)
                everything.callback(self.engine.drop, number)


def _claim(held: _Held) -> Generator[Event, None, None]:
    """Fill the engine; what needs no drive has its result at once."""
    league = held.league
    while held.engine.room > 0 and (claim := league.queue.claim(held.only)):
        number = claim.submission.id
        held.claims[number] = claim
        yield Event(claim.submission, started=True)
        try:
            ended = _answer(league, claim) if claim.answered else _start(league, held.engine, claim)
        except UnreachableError:
            held.end(number)  # its lease runs out, then somebody has another look
            raise
        if claim.answered or ended:
            held.end(number)
        if ended:
            yield Event(ended, started=False)
        if ended and not claim.answered:
            time.sleep(held.pause)  # what this machine cannot do now, it cannot do for the next one either
        held.renew()


def _answer(league: League, claim: Claim) -> SubmissionView | None:
    """Write down again what became of the same bundle in the same race; None if the claim was lost."""
    if claim.known is not None:
        return league.queue.score(claim, claim.known)
    return league.queue.reject(claim, claim.refused or "")


def _start(league: League, engine: Engine, claim: Claim) -> SubmissionView | None:
    """Begin to drive; what became of the submission if that fails."""
    try:
        engine.start(claim.submission.id, league.queue.job(claim))
    except LeagueError as error:
        return league.queue.fail(claim, str(error))
    return None


def _results(held: _Held) -> Generator[Event, None, None]:
    """Wait a while, and write down what has an outcome."""
    held.outcomes.update(_waited(held))
    for number, outcome in list(held.outcomes.items()):
        ended = _write(held.league, held.claims[number], outcome)
        held.end(number)
        if ended:
            yield Event(ended, started=False)


def _waited(held: _Held) -> Mapping[int, Outcome]:
    """Wait a while, until something has an outcome."""
    if held.claims:
        return held.engine.finished(held.pause)
    time.sleep(held.pause)
    return {}


def _write(league: League, claim: Claim, outcome: Outcome) -> SubmissionView | None:
    """Write an outcome down; None if the claim was lost."""
    if outcome.refused is not None:
        return league.queue.reject(claim, outcome.refused)
    if outcome.failed is not None:
        return league.queue.fail(claim, outcome.failed)
    try:
        made = driven_of(Run, outcome.value)
        made.keep(league.store)
        return league.queue.score(claim, made.runs)
    except ValueError as error:
        return league.queue.fail(claim, f"its process answered nonsense: {error}")
