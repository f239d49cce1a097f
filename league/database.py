"""The league's database: SQLite in its folder, or PostgreSQL anywhere.

On SQLite there is a write-ahead log: readers never wait, writers queue up, and a write holds the one lock from its
start. On PostgreSQL a write locks the rows that it asks for (`for_update`), and a reading sees one moment. On both, a
write is one transaction: whoever is killed in it leaves the state before it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from league.errors import LeagueError, UnreachableError

SQLITE, POSTGRESQL = "sqlite", "postgresql"
WAIT = 60  #: s that a writer waits for the others
PAGE = 65536  #: bytes without which SQLite cannot go on


class Database:
    """A database with the tables of a league, or an empty one."""

    def __init__(self, url: str, folder: Path) -> None:
        """Say which database; nothing is opened yet.

        Args:
            url: ``sqlite:///FILE``, with a path from the folder, or ``postgresql://[user[:password]@]host/name``.
            folder: the league's.

        Raises:
            LeagueError: the URL is neither, or the driver for PostgreSQL is not installed.
        """
        self.url = _parse(url, folder)
        self.file = Path(self.url.database or "") if self.url.get_backend_name() == SQLITE else None
        self._engine = _sqlite(self.file) if self.file else _postgresql(self.url)
        weakref.finalize(self, self._engine.dispose)

    def __str__(self) -> str:
        return str(self.file) if self.file else self.url.set(drivername=POSTGRESQL).render_as_string()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A view of the league as it is now."""
        with self._sentences(), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction; an exception undoes all of it."""
        engine = self._engine.execution_options(writes=True)
        if not self.file:
            engine = engine.execution_options(isolation_level="READ COMMITTED")
        with self._sentences(), Session(engine) as session, session.begin():
            yield session

    def revision(self) -> str | None:
        """The revision of its tables (`league.migrations`); None if it has none of ours."""
        with self.reading() as session:
            if not inspect(session.connection()).has_table("alembic_version"):
                return None
            found: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def migrate(self, revision: str = "head", maker: str | None = None) -> None:
        """Bring the tables to a revision, all or nothing; `maker`, in hexadecimal, says on PostgreSQL who made them."""
        from alembic import command  # noqa: PLC0415 (only when a league is made or upgraded)

        with self.writing() as session:
            config = _migrations()
            config.attributes["connection"] = session.connection()
            move = command.downgrade if revision == "base" else command.upgrade
            move(config, revision)
            if maker:
                session.execute(text(f"COMMENT ON TABLE alembic_version IS '{int(maker, 16):032x}'"))

    def maker(self) -> str | None:
        """Who made the tables, if that was said; of PostgreSQL."""
        with self.reading() as session:
            found: str | None = session.scalar(
                text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
            )
            return found

    def drop(self) -> None:
        """Remove every table of the league; for one that could not be made whole."""
        self.migrate("base")

    def close(self) -> None:
        """Let go of what is open."""
        self._engine.dispose()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Say in a sentence what the database says in a traceback."""
        try:
            yield
        except DBAPIError as error:
            said = str(error.orig).strip().partition("\n")[0]
            if self.file and shutil.disk_usage(self.file.parent).free < PAGE:  # which SQLite says in several ways
                said = "the disk is full"
            lost = error.connection_invalidated or (error.statement is None and isinstance(error, OperationalError))
            raise (UnreachableError if lost and not self.file else LeagueError)(f"{self}: {said}") from error


def take_turns(session: Session, sha256: str) -> None:
    """Wait until no unfinished write takes turns by the same hash, in hexadecimal, and see what those before it wrote.

    On SQLite writes always take turns; on PostgreSQL they do by an advisory lock, which ends with the transaction.
    """
    if session.get_bind().dialect.name == POSTGRESQL:
        number = int.from_bytes(bytes.fromhex(sha256)[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))


def _migrations() -> Any:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(resources.files("league") / "migrations"))
    return config


def _parse(given: str, folder: Path) -> URL:
    try:
        url = make_url(given)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise LeagueError(f"{given!r} is no database URL, such as postgresql://user@host/league") from error
    if backend == SQLITE and url.database:
        return URL.create(SQLITE, database=str(folder / url.database))
    if backend != POSTGRESQL:
        raise LeagueError(f"a league's database is sqlite:///FILE or postgresql://..., not {given!r}")
    return url.set(drivername="postgresql+psycopg")


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, isolation_level="REPEATABLE READ", pool_size=2, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise LeagueError("PostgreSQL needs its driver: pip install 'racer18[postgres]'") from error


def _sqlite(file: Path) -> Engine:
    """SQLite as the module says; `BEGIN` is ours because Python's driver would put it off."""

    def connect() -> sqlite3.Connection:
        if _read_only(file.parent):  # where SQLite could not even make the files by which readers and writers agree
            log = file.with_name(f"{file.name}-wal")  # of whoever was killed: what is in it counts
            how = "mode=ro" if log.is_file() and log.stat().st_size else "immutable=1"
            return sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True, check_same_thread=False)
        return sqlite3.connect(file, timeout=WAIT, check_same_thread=False)

    engine = create_engine("sqlite://", poolclass=QueuePool, creator=connect)  # one at a time uses a connection

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _read_only(folder: Path) -> bool:
    """Whether nobody can write to a disk."""
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
