"""The queue as workers see it: claim a submission, keep it, give it back, write its result, once.

A claim is a lease. Whoever holds it renews it while they drive; when it runs out, because they were killed or cut off,
another worker may claim the submission, and what the first one still writes is refused. Leases run on the clocks of
the machines, which must agree within a fraction of `LEASE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from league import receipts
from league.database import take_turns
from league.evaluation import Job, Run
from league.models import KeptBundle, Result, Status, Submission
from league.races import RaceSettings
from league.receipts import Receipt
from league.rules import Score
from league.service.boards import recount
from league.service.desk import Desk
from league.service.submission_view import (
    IN_QUEUE,
    RELEASE_ORDER,
    RELEASED,
    SubmissionView,
    race_of,
    view,
    with_names,
)

LEASE = timedelta(seconds=60)
ATTEMPTS = 3  #: claims after which a failure of the organiser's side is final
TAKEOVERS = 20  #: claims after which a submission is given up, because it seems to take its workers down with it


@dataclass(frozen=True)
class Claim:
    """A submission that is ours to drive."""

    submission: SubmissionView
    lease: str
    known: tuple[Run, ...] | None  #: the runs, if the same bundle was driven in the same race before
    refused: str | None  #: why it cannot be driven, if the same bundle was rejected in the same race before

    @property
    def answered(self) -> bool:
        """Whether it has its result without a drive."""
        return self.known is not None or self.refused is not None


@dataclass(frozen=True)
class Queue(Desk):
    """The queue of a league."""

    lease: timedelta = LEASE

    def claim(self, only: int | None = None) -> Claim | None:
        """Take a submission that nobody drives; None if there is none.

        Args:
            only: the one to take, also if it waits for the organiser of a live race; None: what was released of live
                races first, then the oldest of the queue.
        """
        with self.store.database.writing() as session:
            submission = self._next(session) if only is None else self._given(session, only)
            if submission is None:
                return None
            submission.status, submission.attempts = Status.RUNNING, submission.attempts + 1
            submission.started_at, submission.reason = self.clock(), None
            submission.lease, submission.leased_until = uuid4().hex, self.clock() + self.lease
            session.flush()
            known = _known(session, submission)
            refused = _refused(session, submission) if known is None else None
            return Claim(view(submission), submission.lease, known, refused)

    def job(self, claim: Claim) -> Job:
        """What it takes to drive a claimed submission.

        Raises:
            LeagueError: a file of the league's folder is gone or was changed, or the submission is not there any more.
        """
        with self.store.database.reading() as session:
            submission = session.scalars(with_names(_of(claim))).one()
            kept = session.get_one(KeptBundle, submission.bundle_sha256)
            race = submission.race
            return Job(
                self.store.bundle(kept.sha256, kept.archive_sha256),
                f"{kept.sha256}.tar.gz",
                race.settings,
                self.store.route(race.route_sha256),
                tuple(race.seeds or ()),
            )

    def renew(self, claims: Collection[Claim]) -> list[Claim]:
        """Keep claims for another while; give those that are lost."""
        with self.store.database.writing() as session:
            lost = []
            for claim in sorted(claims, key=lambda claim: claim.submission.id):  # as whoever locks several
                held = update(Submission).where(*_held(claim)).values(leased_until=self.clock() + self.lease)
                if not session.execute(held.returning(Submission.id)).all():
                    lost.append(claim)
            return lost

    def release(self, claim: Claim) -> None:
        """Put a submission back whose drive was broken off, as if it had not been claimed."""
        back = {"status": Status.QUEUED, "attempts": Submission.attempts - 1}
        empty = {"lease": None, "leased_until": None, "started_at": None}
        with self.store.database.writing() as session:
            session.execute(update(Submission).where(*_held(claim)).values(**back, **empty))

    def score(self, claim: Claim, runs: Sequence[Run]) -> SubmissionView | None:
        """Write a result, whole or not at all; None if the claim was lost meanwhile.

        One that comes after its race was made final or cancelled is not written: the submission is withdrawn.

        Raises:
            ValueError: these are no runs of its race.
        """
        with self.store.database.writing() as session:
            race = race_of(session, claim.submission.id)
            submission = _locked(session, claim)
            if race is None or submission is None:
                return None
            if race.final_at or race.cancelled_at:
                self._end(submission, Status.WITHDRAWN, "its race was over before it had a result")
                return view(submission)
            if [run.seed for run in runs] != submission.race.seeds:
                raise ValueError("the runs are not under the race's seeds")
            score = score_of(runs, submission.race.settings)
            trace_sha256 = hashlib.sha256("".join(run.trace_sha256 for run in runs).encode()).hexdigest()
            submission.score_ms, submission.progress_percentage = score.time_ms, score.progress_percentage
            submission.laps, submission.off_track_count = score.laps, score.off_track_count
            submission.trace_sha256 = trace_sha256
            session.add(Result(submission_id=submission.id, receipt=self._receipt(submission, runs)))
            self._end(submission, Status.DNF if score.time_ms is None else Status.SCORED)
            session.flush()
            _flag_copies(session, submission)
            recount(session, submission.race_id, submission.racer_id)
            return view(submission)

    def reject(self, claim: Claim, reason: str) -> SubmissionView | None:
        """End a submission whose bundle cannot be driven; None if the claim was lost meanwhile."""
        with self.store.database.writing() as session:
            submission = _locked(session, claim)
            if submission is None:
                return None
            self._end(submission, Status.REJECTED, reason)
            return view(submission)

    def fail(self, claim: Claim, reason: str) -> SubmissionView | None:
        """Put a submission back that the organiser's side failed on, or end it after `ATTEMPTS`; None as above."""
        with self.store.database.writing() as session:
            submission = _locked(session, claim)
            if submission is None:
                return None
            again = submission.attempts < ATTEMPTS
            self._end(submission, Status.QUEUED if again else Status.ERROR, reason)
            return view(submission)

    def _next(self, session: Session) -> Submission | None:
        """What a worker is to drive."""
        found = self._abandoned(session) or self._first(session, RELEASED, *RELEASE_ORDER)
        return found or self._first(session, IN_QUEUE, Submission.id)

    def _given(self, session: Session, number: int) -> Submission | None:
        """The submission of this number, if nobody drives it."""
        this = Submission.id == number
        waits = this & (Submission.status == Status.QUEUED)
        return self._abandoned(session, this) or self._first(session, waits, Submission.id)

    def _abandoned(self, session: Session, *which: ColumnElement[bool]) -> Submission | None:
        """A submission whose lease ran out; one that was abandoned too often is given up."""
        over = and_(Submission.status == Status.RUNNING, Submission.leased_until < self.clock(), *which)
        while found := self._first(session, over, Submission.id):
            if found.attempts < TAKEOVERS:
                return found
            self._end(found, Status.ERROR, f"{found.attempts} workers died while they drove it")
            session.flush()
        return None

    def _first(
        self, session: Session, which: ColumnElement[bool], *order: ColumnElement[Any] | InstrumentedAttribute[Any]
    ) -> Submission | None:
        """The first of some submissions that no other worker is claiming at this moment."""
        query = with_names(select(Submission).where(which).order_by(*order).limit(1))
        return session.scalar(query.with_for_update(of=Submission, skip_locked=True))

    def _end(self, submission: Submission, status: Status, reason: str | None = None) -> None:
        submission.status, submission.reason = status, reason
        submission.finished_at = None if status is Status.QUEUED else self.clock()
        submission.lease = submission.leased_until = None

    def _receipt(self, submission: Submission, runs: Sequence[Run]) -> str:
        race = submission.race
        receipt = Receipt(
            league=self.store.public_key,
            submission=submission.id,
            racer=submission.racer.name,
            race=race.name,
            settings=race.settings,
            route_sha256=race.route_sha256,
            bundle_sha256=submission.bundle_sha256,
            engine=receipts.engine(),
            runs=tuple(runs),
        )
        return receipt.to_json(self.store.key)


def score_of(runs: Sequence[Run], settings: RaceSettings) -> Score:
    """The score of a submission: the median of its runs."""
    laps = [run.laps for run in runs]
    return settings.score(laps[settings.counted(laps)])


def _of(claim: Claim) -> Select[Submission]:
    return select(Submission).where(Submission.id == claim.submission.id)


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """Whether a submission is still ours."""
    return (
        Submission.id == claim.submission.id,
        Submission.status == Status.RUNNING,
        Submission.lease == claim.lease,
    )


def _locked(session: Session, claim: Claim) -> Submission | None:
    return session.scalar(with_names(select(Submission).where(*_held(claim))).with_for_update(of=Submission))


def _known(session: Session, submission: Submission) -> tuple[Run, ...] | None:
    """The runs of the same bundle in the same race, if it drove before."""
    query = select(Result.receipt).join(Submission, Submission.id == Result.submission_id)
    receipt = session.scalar(query.where(*_same_drive(submission)).limit(1))
    return Receipt.parse(receipt).runs if receipt else None


def _refused(session: Session, submission: Submission) -> str | None:
    """Why the same bundle was rejected in the same race, if it was."""
    rejected = select(Submission.reason).where(*_same_drive(submission), Submission.status == Status.REJECTED)
    return session.scalar(rejected.order_by(Submission.id).limit(1))


def _same_drive(submission: Submission) -> tuple[ColumnElement[bool], ...]:
    """Whether a submission is of the same bundle in the same race."""
    return Submission.race_id == submission.race_id, Submission.bundle_sha256 == submission.bundle_sha256


def _flag_copies(session: Session, submission: Submission) -> None:
    """Flag what drove the same in this race, step by step, as the first submission of all that did, another racer's."""
    take_turns(session, str(submission.trace_sha256))
    same = (Submission.trace_sha256 == submission.trace_sha256, Submission.race_id == submission.race_id)
    first = session.scalars(select(Submission).where(*same).order_by(Submission.id).limit(1)).one()
    others = or_(Submission.copy_of.is_(None), Submission.copy_of > first.id) & (Submission.racer_id != first.racer_id)
    theirs = (Submission.copy_of > first.id) & (Submission.racer_id == first.racer_id)
    wrong = select(Submission).where(*same, or_(others, theirs)).order_by(Submission.id)
    for later in session.scalars(wrong.with_for_update()).all():
        later.copy_of = None if later.racer_id == first.racer_id else first.id
    session.flush()
