"""What a league keeps. Times are UTC.

A race's state follows from its times and a submission's score from its result, but scores are kept beside them, as are
the best of each racer's submissions, so that a board is one short query. A result is the signed receipt
(`league.receipts`), written once. Triggers in the database (`league.migrations`) keep audit entries and results from
ever being changed or removed, and submissions from being given another racer, race or bundle.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from league.brackets import Elimination
from league.columns import Table
from league.finals import Part
from league.races import RaceSettings
from league.rules import Score
from league.seasons import Season


class Status(StrEnum):
    """Where a submission is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SCORED = "SCORED"
    DNF = "DNF"  #: drove, but did not qualify
    REJECTED = "REJECTED"  #: its bundle cannot be driven
    ERROR = "ERROR"  #: the organiser's side failed, several times; not counted, and can be queued again
    WITHDRAWN = "WITHDRAWN"  #: taken back


#: What stands on the board, and what waits for a result.
DRIVEN = (Status.SCORED, Status.DNF)
IN_FLIGHT = (Status.QUEUED, Status.RUNNING)


class Named(Table):
    """What people call by a name that nothing else of its kind has."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  #: the name without upper and lower case
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Race(Named):
    """A race: its settings, which `league.races` explains, and the times from which its state follows."""

    __tablename__ = "races"

    settings: Mapped[RaceSettings]  #: without its times, which are here
    route_sha256: Mapped[str] = mapped_column(String(64))  #: the track as it was when the settings were made
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    seeds: Mapped[list[int] | None]  #: of the runs; secret until the race is closed
    invite: Mapped[str | None] = mapped_column(String(32))  #: the code of a private race; only organisers see it


class Racer(Named):
    """Who submits."""

    __tablename__ = "racers"


class KeptBundle(Table):
    """A driver that is kept in the league's folder."""

    __tablename__ = "bundles"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  #: of model and metadata, whatever the archive
    archive_sha256: Mapped[str] = mapped_column(String(64), unique=True)  #: of the file as it is kept
    size: Mapped[int] = mapped_column(BigInteger)  #: bytes


class Submission(Table):
    """One bundle of one racer in one race."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index(None, "status", "turn", "id"),
        Index(None, "race_id", "racer_id", "submitted_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    race_id: Mapped[int] = mapped_column(ForeignKey("races.id"))
    racer_id: Mapped[int] = mapped_column(ForeignKey("racers.id"))
    bundle_sha256: Mapped[str] = mapped_column(ForeignKey("bundles.sha256"), index=True)
    submitted_at: Mapped[datetime]
    status: Mapped[Status]
    reason: Mapped[str | None] = mapped_column(Text)  #: why it was rejected, or what failed
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)  #: how often a worker took it
    turn: Mapped[int | None]  #: in a live race: who has a lower one starts earlier
    released_at: Mapped[datetime | None]  #: in a live race: when its organiser left it to the workers

    lease: Mapped[str | None] = mapped_column(String(32))  #: of the worker that drives it
    leased_until: Mapped[datetime | None]

    score_ms: Mapped[int | None]  #: None after a DNF
    progress_percentage: Mapped[float | None]
    laps: Mapped[int | None]
    off_track_count: Mapped[int | None]
    trace_sha256: Mapped[str | None] = mapped_column(String(64), index=True)  #: how it drove, in all runs
    copy_of: Mapped[int | None]  #: an earlier submission of another racer, the same or driving the same
    disqualified: Mapped[str | None] = mapped_column(Text)  #: why it does not count

    race: Mapped[Race] = relationship(lazy="raise")
    racer: Mapped[Racer] = relationship(lazy="raise")

    @property
    def score(self) -> Score | None:
        """What it scored, as long as it stands."""
        if self.status not in DRIVEN or self.progress_percentage is None:
            return None
        return Score(self.score_ms, self.progress_percentage, self.laps or 0, self.off_track_count or 0)


class Result(Table):
    """The signed receipt of a submission that drove; there is never a second one."""

    __tablename__ = "results"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True, autoincrement=False)
    receipt: Mapped[str] = mapped_column(Text)


class Participant(Table):
    """A racer in a race, and which submission is their best."""

    __tablename__ = "participants"

    race_id: Mapped[int] = mapped_column(ForeignKey("races.id"), primary_key=True, autoincrement=False)
    racer_id: Mapped[int] = mapped_column(ForeignKey("racers.id"), primary_key=True, autoincrement=False)
    best_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    driven: Mapped[int] = mapped_column(default=0)  #: submissions that stand
    removed: Mapped[str | None] = mapped_column(Text)  #: why they are not in the race any more


class KeptSeason(Named):
    """A season: what it consists of, which `league.seasons` explains."""

    __tablename__ = "seasons"

    settings: Mapped[Season]


class Round(Table):
    """What a race is in a season. A race is in one season at most."""

    __tablename__ = "rounds"

    race_id: Mapped[int] = mapped_column(ForeignKey("races.id"), primary_key=True, autoincrement=False)
    season_id: Mapped[int] = mapped_column(ForeignKey("seasons.id"), index=True)
    part: Mapped[Part]
    month: Mapped[int | None]  #: from 0, of a qualifier and a finale
    division: Mapped[str | None] = mapped_column(String(64))  #: of a qualifier
    group_number: Mapped[int | None]  #: from 0, of a knockout

    race: Mapped[Race] = relationship(lazy="raise")


class Member(Table):
    """Where a racer of a season comes from, and for whom they race."""

    __tablename__ = "members"

    season_id: Mapped[int] = mapped_column(ForeignKey("seasons.id"), primary_key=True, autoincrement=False)
    racer_id: Mapped[int] = mapped_column(ForeignKey("racers.id"), primary_key=True, autoincrement=False)
    region: Mapped[str | None] = mapped_column(String(64))
    team: Mapped[str | None] = mapped_column(String(64))


class KeptBracket(Named):
    """A bracket: how its heats are raced; who races in which follows from `Entrant`, `KeptHeat` and `Scratch`."""

    __tablename__ = "brackets"

    settings: Mapped[RaceSettings]
    route_sha256: Mapped[str] = mapped_column(String(64))
    seeds: Mapped[list[int]]  #: of the runs of every heat
    elimination: Mapped[Elimination]
    third_place: Mapped[bool]
    #: the race that its heats decide
    race_id: Mapped[int | None] = mapped_column(ForeignKey("races.id"), index=True, unique=True)

    race: Mapped[Race | None] = relationship(lazy="raise")


class Entrant(Table):
    """Who races in a bracket, with which driver."""

    __tablename__ = "entrants"
    __table_args__ = (UniqueConstraint("bracket_id", "racer_id"),)

    bracket_id: Mapped[int] = mapped_column(ForeignKey("brackets.id"), primary_key=True, autoincrement=False)
    seed: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  #: from 1
    racer_id: Mapped[int] = mapped_column(ForeignKey("racers.id"))
    bundle_sha256: Mapped[str] = mapped_column(ForeignKey("bundles.sha256"))

    racer: Mapped[Racer] = relationship(lazy="raise")


class KeptHeat(Table):
    """A heat that is decided: driven, with a signed receipt, or awarded by the organiser."""

    __tablename__ = "heats"

    bracket_id: Mapped[int] = mapped_column(ForeignKey("brackets.id"), primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    winner_id: Mapped[int] = mapped_column(ForeignKey("racers.id"))
    decided_at: Mapped[datetime]
    receipt: Mapped[str | None] = mapped_column(Text)  #: `league.heat_receipts`; None if it was awarded
    reason: Mapped[str | None] = mapped_column(Text)  #: why it was awarded

    winner: Mapped[Racer] = relationship(lazy="raise")


class Scratch(Table):
    """A racer who does not start in a heat of several."""

    __tablename__ = "scratches"

    bracket_id: Mapped[int] = mapped_column(ForeignKey("brackets.id"), primary_key=True, autoincrement=False)
    heat: Mapped[str] = mapped_column(String(16), primary_key=True)
    racer_id: Mapped[int] = mapped_column(ForeignKey("racers.id"), primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(Text)

    racer: Mapped[Racer] = relationship(lazy="raise")


class AuditEntry(Table):
    """What an organiser did, and why. Names, not references: it outlives what it is about."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    race: Mapped[str | None] = mapped_column(String(64), index=True)
    racer: Mapped[str | None] = mapped_column(String(64))
    submission: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any] | None]
