"""What all parts of the service share: the store, the clock, who acts, and how rows are found."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from league.columns import Table
from league.database import POSTGRESQL
from league.errors import LeagueError
from league.lifecycle import State, Times
from league.models import AuditEntry, Named, Race, Racer
from league.races import kept_name, racer_name, same_name
from league.store import Store
from racer_env.errors import nearest

Row = TypeVar("Row", bound=Named)


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@dataclass(frozen=True)
class Desk:
    """A part of the service. Each call is one transaction; several processes may use the same league."""

    store: Store
    clock: Callable[[], datetime] = now
    actor: str = field(default_factory=_user)  #: in whose name the audit log writes

    def note(self, session: Session, action: str, reason: str | None = None, **about: Any) -> None:
        """Write an entry of the audit log: it is kept if what it tells of is."""
        columns = {name: about.pop(name, None) for name in ("race", "racer", "submission")}
        entry = AuditEntry(
            at=self.clock(), actor=self.actor, action=action, reason=reason, details=about or None, **columns
        )
        session.add(entry)


def times_of(race: Race) -> Times:
    """The times of a race as a value."""
    return Times(race.opens_at, race.closes_at, race.final_at, race.cancelled_at)


def find_race(session: Session, name: str | None, *, lock: str | None = None) -> Race:
    """The race of this name, or the only one there is.

    Args:
        session: to look in.
        name: in upper or lower case.
        lock: ``read``, so that nobody changes it before the session ends, or ``write``, to change it.

    Raises:
        LeagueError: there is no such race, or none was named and there are several.
    """
    return find_named(session, Race, name, "race", "racer league create NAME", lock=lock)


def find_named(
    session: Session, table: type[Row], name: str | None, what: str, make: str, *, lock: str | None = None
) -> Row:
    """The row of this name, or the only one; `what` it is and how to `make` one are for the error."""
    query = select(table) if name is None else select(table).where(table.key == same_name(name))
    if lock:
        query = query.with_for_update(read=lock == "read")
    found = session.scalars(query.order_by(table.id).limit(2)).all()
    if len(found) == 1:
        return found[0]
    names = list(session.scalars(select(table.name).order_by(table.id).limit(1000)))
    if not names:
        raise LeagueError(f"there is no {what} yet; make one with: {make}")
    if name is None:
        raise LeagueError(f"say which {what}; there are: {', '.join(names)}")
    raise LeagueError(f"{what} {name!r} does not exist; {nearest(name, names)}")


def new_name(session: Session, table: type[Named], name: str, what: str, now: datetime) -> dict[str, Any]:
    """The columns that name a new row; `what` it is is for the error. Raises `LeagueError` for a bad or taken name."""
    name = kept_name(what, name)
    if session.scalar(select(table.id).where(table.key == same_name(name))) is not None:
        raise LeagueError(f"{what} {name!r} already exists")
    return {"name": name, "key": same_name(name), "created_at": now}


def find_racer(session: Session, name: str) -> Racer:
    """The racer of this name. Raises `LeagueError` if there is none."""
    found = session.scalar(select(Racer).where(Racer.key == same_name(name)))
    if found is None:
        names = list(session.scalars(select(Racer.name).order_by(Racer.id).limit(1000)))
        raise LeagueError(
            f"racer {name!r} is not known; {nearest(name, names) if names else 'nobody has submitted yet'}"
        )
    return found


def enrolled(session: Session, name: str, now: datetime) -> Racer:
    """The racer of this name, new if need be; locked until the session ends. Raises `LeagueError` for a bad name."""
    add_missing(session, Racer, name=racer_name(name), key=same_name(name), created_at=now)
    return session.scalars(select(Racer).where(Racer.key == same_name(name)).with_for_update()).one()


def add_missing(session: Session, table: type[Table], **values: Any) -> None:
    """Add a row, unless one with its key is there, perhaps since this very moment."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == POSTGRESQL else sqlite.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())


def must_be(race: Race, now: datetime, *states: State, to: str) -> None:
    """Raise `LeagueError` unless a race is in one of some states."""
    state = times_of(race).state(now)
    if state not in states:
        needed = " or ".join(states)
        raise LeagueError(f"race {race.name!r} is {state}{_when(race, state)}; {to} it takes one that is {needed}")


def _when(race: Race, state: State) -> str:
    if state is State.DRAFT and race.opens_at:
        return f" until {race.opens_at:%Y-%m-%d %H:%M} UTC"
    if state is State.CLOSED and race.closes_at:
        return f" since {race.closes_at:%Y-%m-%d %H:%M} UTC"
    return ""
