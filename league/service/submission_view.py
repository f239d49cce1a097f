"""Submissions as values, and how their rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, joinedload

from league.errors import LeagueError
from league.models import Race, Status, Submission
from league.rules import Score

_WAITS = Submission.status == Status.QUEUED

#: What waits for a worker: the queue, the oldest first, and before it what organisers of live races released.
IN_QUEUE = _WAITS & Submission.turn.is_(None)
RELEASED = _WAITS & Submission.turn.is_not(None) & Submission.released_at.is_not(None)

#: What waits for the organiser of a live race.
UNLAUNCHED = _WAITS & Submission.turn.is_not(None) & Submission.released_at.is_(None)

#: How a live race goes on: with what was released, then as its turns say.
RELEASE_ORDER = (Submission.released_at.is_(None), Submission.released_at, Submission.turn)


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
    turn: int | None  #: in the running order of a live race, from 1, until it is launched
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


def find_submission(session: Session, number: int, *, lock: bool = False) -> Submission:
    """The submission of this number, perhaps locked until the session ends. Raises `LeagueError` if there is none."""
    query = with_names(select(Submission).where(Submission.id == number))
    found = session.scalar(query.with_for_update(of=Submission) if lock else query)
    if found is None:
        raise LeagueError(f"there is no submission {number}")
    return found


def places(session: Session) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Where everything stands that waits, by its number: in the queue, and in the running orders of live races."""
    released = session.scalars(select(Submission.id).where(RELEASED).order_by(*RELEASE_ORDER))
    queue = session.scalars(select(Submission.id).where(IN_QUEUE).order_by(Submission.id))
    positions = {number: place for place, number in enumerate((*released, *queue), start=1)}
    turns: dict[int, int] = {}
    last: dict[int, int] = {}
    waiting = select(Submission.race_id, Submission.id).where(UNLAUNCHED).order_by(Submission.turn)
    for race, number in session.execute(waiting):
        last[race] = turns[number] = last.get(race, 0) + 1
    return positions, turns


def located(session: Session, submission: Submission) -> SubmissionView:
    """A submission as a value, with its place in the queue or in a running order."""
    if submission.status is not Status.QUEUED:
        return view(submission)
    if submission.turn is None:
        before = Submission.id <= submission.id
        return view(submission, position=_count(session, RELEASED) + _count(session, IN_QUEUE & before))
    if submission.released_at is None:
        before = (Submission.race_id == submission.race_id) & (Submission.turn <= submission.turn)
        return view(submission, turn=_count(session, UNLAUNCHED & before))
    together = (Submission.released_at == submission.released_at) & (Submission.turn <= submission.turn)
    before = or_(Submission.released_at < submission.released_at, together)
    return view(submission, position=_count(session, RELEASED & before))


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(Submission).where(which)).one()


def view(submission: Submission, position: int | None = None, turn: int | None = None) -> SubmissionView:
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
        turn=turn,
        score=submission.score,
        copy_of=submission.copy_of,
        disqualified=submission.disqualified,
    )
