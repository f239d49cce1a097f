"""Submissions as values, and how their rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from league.models import Race, Status, Submission
from league.rules import Score


@dataclass(frozen=True)
class SubmissionView:
    """A submission as it is now. `score` is there once it has driven."""

    id: int
    race: str
    racer: str
    bundle_sha256: str
    status: Status
    reason: str | None
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    position: int | None  #: in the queue, from 1
    score: Score | None
    copy_of: int | None
    disqualified: str | None


def race_of(session: Session, number: int) -> Race | None:
    """The race of a submission, so that nobody changes it before the session ends: to lock before the submission."""
    query = select(Race).join(Submission, Submission.race_id == Race.id).where(Submission.id == number)
    return session.scalar(query.with_for_update(read=True, of=Race))


def with_names(query: Select[Submission]) -> Select[Submission]:
    """Load races and racers with their submissions."""
    return query.options(joinedload(Submission.race, innerjoin=True), joinedload(Submission.racer, innerjoin=True))


def view(submission: Submission, position: int | None = None) -> SubmissionView:
    """A submission as a value."""
    return SubmissionView(
        id=submission.id,
        race=submission.race.name,
        racer=submission.racer.name,
        bundle_sha256=submission.bundle_sha256,
        status=submission.status,
        reason=submission.reason,
        submitted_at=submission.submitted_at,
        started_at=submission.started_at,
        finished_at=submission.finished_at,
        attempts=submission.attempts,
        position=position,
        score=submission.score,
        copy_of=submission.copy_of,
        disqualified=submission.disqualified,
    )
