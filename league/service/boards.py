"""What can be seen: standings, a racer's history, the record of two racers against each other, the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from league import rules
from league.errors import LeagueError
from league.models import DRIVEN, IN_FLIGHT, AuditEntry, Participant, Race, Racer, Status, Submission
from league.races import RaceFormat
from league.rules import Score, Standing
from league.service.bracket_record import BracketRecord, bracket_of
from league.service.desk import Desk, find_race, find_racer
from racer_env.garbage import uncollected

#: The order of `league.rules.Entry.order`.
BEST_FIRST = (
    Submission.score_ms.is_(None),
    Submission.score_ms,
    case((Submission.score_ms.is_(None), Submission.progress_percentage)).desc(),  # of who did not finish only
    Submission.submitted_at,
    Submission.id,
)

_SCORE = (Submission.score_ms, Submission.progress_percentage, Submission.laps, Submission.off_track_count)


@dataclass(frozen=True)
class Drive:
    """A submission in its racer's history."""

    race: str
    submission: int
    submitted_at: datetime
    score: Score
    best: bool  #: whether it beat all that the racer drove in this race before
    position: int | None  #: of the racer in the race now, if this is what counts


@dataclass(frozen=True)
class Meeting:
    """A race in which both of two racers stand."""

    race: str
    first: Standing
    second: Standing

    @property
    def winner(self) -> str | None:
        """Who was ahead; None if they tied."""
        if self.first.position == self.second.position:
            return None
        return min(self.first, self.second, key=lambda standing: standing.position).entry.racer


@dataclass(frozen=True)
class AuditView:
    """An entry of the audit log."""

    id: int
    at: datetime
    actor: str
    action: str
    race: str | None
    racer: str | None
    submission: int | None
    reason: str | None
    details: dict[str, Any] | None


@dataclass(frozen=True)
class Boards(Desk):
    """What anybody can see of a league."""

    def standings(self, race: str | None = None) -> tuple[Standing, ...]:
        """The board of a race, winner first; one that heats decide is that of its qualification until they are over."""
        with self.store.database.reading() as session:
            return standings_of(session, find_race(session, race))

    def history(self, racer: str, race: str | None = None) -> tuple[Drive, ...]:
        """Everything that a racer has driven and that stands, oldest first."""
        with self.store.database.reading() as session:
            who = find_racer(session, racer)
            query = (
                select(Race.id, Race.name, Submission.id, Submission.submitted_at, *_SCORE)
                .join(Submission, Submission.race_id == Race.id)
                .where(Submission.racer_id == who.id, *_stands())
                .order_by(Submission.submitted_at, Submission.id)
            )
            if race is not None:
                query = query.where(Race.id == find_race(session, race).id)
            rows = session.execute(query).all()
            raced = session.scalars(select(Race).where(Race.id.in_({row[0] for row in rows}))).all()
            boards = [standings_of(session, one) for one in raced]
        positions = {s.entry.submission: s.position for board in boards for s in board}
        return _drives(rows, positions)

    def meetings(self, first: str, second: str) -> tuple[Meeting, ...]:
        """The races in which two racers both stand, oldest first: their record against each other.

        Raises:
            LeagueError: one of them is not known, or they are the same.
        """
        with self.store.database.reading() as session:
            both = [find_racer(session, name) for name in (first, second)]
            if both[0] is both[1]:
                raise LeagueError(f"racer {both[0].name!r} has no record against themselves; name another one")
            shared = (
                select(Race)
                .join(Participant, Participant.race_id == Race.id)
                .where(Participant.racer_id.in_([who.id for who in both]), *_counts())
                .group_by(Race.id)
                .having(func.count() == len(set(both)))
                .order_by(Race.id)
            )
            out = []
            for race in session.scalars(shared).all():
                by_racer = {standing.entry.racer: standing for standing in standings_of(session, race)}
                out.append(Meeting(race.name, by_racer[both[0].name], by_racer[both[1].name]))
            return tuple(out)

    def audit(self, race: str | None = None) -> tuple[AuditView, ...]:
        """What organisers did, oldest first."""
        query = select(AuditEntry).order_by(AuditEntry.id)
        with self.store.database.reading() as session:
            if race is not None:
                query = query.where(AuditEntry.race == find_race(session, race).name)
            columns = AuditView.__dataclass_fields__
            return tuple(AuditView(**{name: getattr(e, name) for name in columns}) for e in session.scalars(query))


def recount(session: Session, race: int, racer: int) -> None:
    """Find anew what of a racer's submissions to a race is the best, and how many stand."""
    part = session.get_one(Participant, (race, racer), with_for_update=True, populate_existing=True)
    theirs = (Submission.race_id == race, Submission.racer_id == racer, *_stands())
    part.driven = session.scalars(select(func.count()).select_from(Submission).where(*theirs)).one()
    part.best_id = session.scalar(select(Submission.id).where(*theirs).order_by(*BEST_FIRST).limit(1))


def _stands() -> tuple[Any, ...]:
    """Whether a submission counts."""
    return Submission.status.in_(DRIVEN), Submission.disqualified.is_(None)


def _counts() -> tuple[Any, ...]:
    """Whether a participant is on the board."""
    return Participant.best_id.is_not(None), Participant.removed.is_(None)


def standings_of(session: Session, race: Race) -> tuple[Standing, ...]:
    """The board of a race, winner first: that of its heats once they are over, if it has such."""
    board = qualification_of(session, race.id)
    heats = bracket_of(session, race.id) if race.settings.grid > 1 else None
    if heats is None or heats.bracket.ready:
        return board
    counting = _counting(session, heats, race.id)
    return rules.by_heats(board, {r: place for r, place in heats.bracket.places.items() if r in counting})


def qualification_of(session: Session, race: int) -> tuple[Standing, ...]:
    """The board of what was driven alone in the race with this number, winner first."""
    query = (
        select(Racer.name, Submission.id, Submission.submitted_at, *_SCORE, Participant.driven)
        .select_from(Participant)
        .join(Submission, Submission.id == Participant.best_id)
        .join(Racer, Racer.id == Participant.racer_id)
        .where(Participant.race_id == race, *_counts())
    )
    with uncollected():
        rows: Sequence[Any] = session.execute(query).all()
        driven = {row[0]: row[-1] for row in rows}
        board = rules.standings(rules.Entry(row[0], row[1], row[2], Score(*row[3:-1])) for row in rows)
        return tuple(replace(standing, submissions=driven[standing.entry.racer]) for standing in board)


def heats_left(session: Session, race: Race) -> str | None:
    """What must be done before the heats of a race have decided it; None if it has no such heats, or they are over.

    Heats take two: a race of several in which fewer have finished alone is decided by that.
    """
    if race.settings.grid == 1:
        return None
    heats = bracket_of(session, race.id)
    if heats is not None:
        return f"racer league bracket run '{heats.kept.name}'" if heats.bracket.ready else None
    qualified = sum(standing.finished for standing in qualification_of(session, race.id))
    return f"racer league bracket create NAME --race '{race.name}'" if qualified > 1 else None


def must_be_driven(session: Session, race: Race) -> None:
    """Raise `LeagueError` while submissions to a race wait for results, or the organiser's side owes them some."""
    of_race = select(func.count()).select_from(Submission).where(Submission.race_id == race.id)
    count = session.scalars(of_race.where(Submission.status.in_(IN_FLIGHT))).one()
    if count:
        drives = "racer league work"
        if race.settings.format is RaceFormat.LIVE:
            drives = f"racer league live launch '{race.name}' --all; to take one out: racer league live drop"
        raise LeagueError(f"race {race.name!r} has {count} submissions without a result yet: {drives}")
    count = session.scalars(of_race.where(Submission.status == Status.ERROR, Submission.disqualified.is_(None))).one()
    if count:
        raise LeagueError(
            f"race {race.name!r} has {count} submissions that failed without being to blame: "
            "racer league work --retry; to go on without one: racer league disqualify"
        )


def _counting(session: Session, heats: BracketRecord, race: int) -> set[str]:
    """Whose driver in the heats of a race still counts there: what was disqualified meanwhile does not."""
    drivers = {(entrant.racer_id, entrant.bundle_sha256): racer for racer, entrant in heats.entrants.items()}
    query = select(Submission.racer_id, Submission.bundle_sha256).where(Submission.race_id == race, *_stands())
    return {drivers[key] for row in session.execute(query) if (key := tuple(row)) in drivers}


def _drives(rows: Sequence[Any], positions: dict[int, int]) -> tuple[Drive, ...]:
    best: dict[str, Any] = {}
    out = []
    for _, race, number, at, *columns in rows:
        score = Score(*columns)
        better = race not in best or score.order < best[race]
        best[race] = score.order if better else best[race]
        out.append(Drive(race, number, at, score, better, positions.get(number)))
    return tuple(out)
