"""What a league keeps: races, racers, submissions and the laps they drove. Times are UTC.

Laps are kept by run and with its seed. Nothing that follows from the laps
(scores, positions, gaps) is kept: `league.rules` makes it anew.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, ForeignKey, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from league import rules
from league.race_file import race_from_json, race_to_json
from league.races import RaceSettings


class Status(StrEnum):
    """Where a submission is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SCORED = "SCORED"
    DNF = "DNF"  #: drove, but did not qualify
    REJECTED = "REJECTED"  #: its bundle cannot be driven
    ERROR = "ERROR"  #: the organiser's side failed; not counted, and can be queued again


#: What stands on the board, and what counts against a racer's limit: not what the organiser's side failed on.
DRIVEN = (Status.SCORED, Status.DNF)
IN_FLIGHT = (Status.QUEUED, Status.RUNNING)
COUNTED = (*IN_FLIGHT, *DRIVEN)


class UTCDateTime(TypeDecorator[datetime]):
    """A time with a zone, kept as UTC also by databases that know no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Settings(TypeDecorator[RaceSettings]):
    """A race's settings, kept as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: RaceSettings | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To JSON."""
        return race_to_json(value) if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> RaceSettings | None:  # noqa: ARG002
        """From JSON."""
        return race_from_json(value) if value else None


class Table(DeclarativeBase):
    """The base of every table."""

    type_annotation_map = {  # noqa: RUF012
        datetime: UTCDateTime,
        RaceSettings: Settings,
        enum.Enum: Enum(enum.Enum, native_enum=False, create_constraint=True, length=16),
    }


class Race(Table):
    """A race and its settings, which `league.races` explains."""

    __tablename__ = "races"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  #: the name without upper and lower case
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    settings: Mapped[RaceSettings]
    seed: Mapped[int] = mapped_column(BigInteger)  #: from which those of its runs follow

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of every run of a submission."""
        return tuple((self.seed + i) % 2**63 for i in range(self.settings.runs))


class Racer(Table):
    """Who submits."""

    __tablename__ = "racers"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  #: the name without upper and lower case
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Submission(Table):
    """One bundle of one racer in one race."""

    __tablename__ = "submissions"

    id: Mapped[int] = mapped_column(primary_key=True)
    race_id: Mapped[int] = mapped_column(ForeignKey("races.id"), index=True)
    racer_id: Mapped[int] = mapped_column(ForeignKey("racers.id"), index=True)
    bundle_sha256: Mapped[str] = mapped_column(String(64), index=True)
    status: Mapped[Status] = mapped_column(index=True)
    reason: Mapped[str | None]  #: why it was rejected, or what failed
    submitted_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    race: Mapped[Race] = relationship(lazy="joined")
    racer: Mapped[Racer] = relationship(lazy="joined")
    laps: Mapped[list[Lap]] = relationship(order_by="Lap.run, Lap.trial", cascade="all, delete-orphan", lazy="selectin")


class Lap(Table):
    """One lap of a submission, as `league.rules.Lap` explains it."""

    __tablename__ = "laps"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)  #: from 0
    seed: Mapped[int] = mapped_column(BigInteger)
    trial: Mapped[int] = mapped_column(primary_key=True)
    time_ms: Mapped[int]
    completion_percentage: Mapped[float]
    status: Mapped[str]
    off_track_count: Mapped[int]
    crash_count: Mapped[int]
    immobilized_count: Mapped[int]
    reversed_count: Mapped[int]

    @property
    def driven(self) -> rules.Lap:
        """The lap as a value."""
        return rules.Lap(**{name: getattr(self, name) for name in rules.Lap.__dataclass_fields__})
