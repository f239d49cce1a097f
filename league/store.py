"""The folder of a league: ``league.db`` and ``bundles/<sha256>.tar.gz``, each driver once.

The database is SQLite with a write-ahead log: readers never wait, writers queue up. Every write is one
transaction that holds the write lock from its start, so what it read cannot change before it ends. A
process that is killed leaves the last complete transaction.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from league.errors import LeagueError
from league.models import Race, Table
from racer_env.bundle import Bundle
from racer_env.errors import BundleError

DATABASE, LOCK = "league.db", "run.lock"
MAX_BUNDLE = 256 * 2**20  #: bytes; the largest of DeepRacer's networks takes 230 MB unpacked


@dataclass(frozen=True)
class Received:
    """A driver whose file has arrived and is good."""

    bundle: Bundle
    copy: Path


class Store:
    """A league's folder. Nothing stays open between two uses."""

    def __init__(self, folder: Path) -> None:
        """Open a folder that `create` has made.

        Raises:
            LeagueError: there is no league.
        """
        self.folder = folder
        if not (folder / DATABASE).is_file():
            raise LeagueError(f"{folder} holds no league; make one with: racer league init --league {folder}")
        self._engine = _engine(folder / DATABASE)
        with self.reading() as session:
            if not inspect(session.connection()).has_table(Race.__tablename__):
                raise LeagueError(f"{folder / DATABASE} is not the database of a league")

    @classmethod
    def create(cls, folder: Path, *rows: Table) -> Self:
        """Make a new league's folder, with its first rows, all or nothing.

        Raises:
            LeagueError: there already is a league, or the folder cannot be written.
        """
        database, unfinished = folder / DATABASE, folder / f".{DATABASE}.{os.getpid()}"
        if database.exists():
            raise LeagueError(f"{folder} already holds a league")
        try:
            (folder / "bundles").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LeagueError(f"{folder} cannot be made a league: {error.strerror}") from error
        try:
            with _sentences(unfinished), Session(_engine(unfinished)) as session, session.begin():
                Table.metadata.create_all(session.connection())
                session.add_all(rows)
            unfinished.replace(database)
        finally:
            unfinished.unlink(missing_ok=True)
        return cls(folder)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A view of the league as it is now."""
        with _sentences(self.folder / DATABASE), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: nobody else writes until it ends, and an exception undoes all of it."""
        engine = self._engine.execution_options(writes=True)
        with _sentences(self.folder / DATABASE), Session(engine) as session, session.begin():
            yield session

    @contextmanager
    def received(self, file: Path) -> Iterator[Received]:
        """Copy a driver's file into the folder and check the copy, which nobody else changes; then `keep` it.

        Raises:
            BundleError: the file cannot be read or its driver cannot drive.
        """
        copy = self.folder / "bundles" / f".{uuid4().hex}"
        try:
            _copy(file, copy)
            with copy.open("rb") as archive:
                bundle = Bundle.read(archive, str(file))
            yield Received(bundle, copy)
        finally:
            copy.unlink(missing_ok=True)

    def keep(self, received: Received) -> None:
        """Store a checked driver under its hash, unless it is there already."""
        kept = self.bundle_path(received.bundle.sha256)
        if not kept.exists():
            received.copy.replace(kept)

    def bundle(self, sha256: str) -> Bundle:
        """The bundle with this hash. Raises `LeagueError` if it is not there any more as it was kept."""
        kept = self.bundle_path(sha256)
        try:
            bundle = Bundle.open(kept)
        except BundleError as error:
            raise LeagueError(f"{kept} was good when it was submitted: {error}") from error
        if bundle.sha256 != sha256:
            raise LeagueError(f"{kept} has been changed since it was submitted: it is {bundle.sha256} now")
        return bundle

    def bundle_path(self, sha256: str) -> Path:
        """Where the bundle with this hash is kept."""
        return self.folder / "bundles" / f"{sha256}.tar.gz"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that evaluates. The lock is the system's: who is killed gives it back.

        Raises:
            LeagueError: another process has it, or it cannot be had.
        """
        with ExitStack() as stack:
            try:
                connection = sqlite3.connect(self.folder / LOCK, timeout=0, isolation_level=None)
                stack.enter_context(closing(connection)).execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
                why = "another process is evaluating submissions" if busy else f"cannot lock {LOCK}: {error}"
                raise LeagueError(f"{self.folder}: {why}") from error
            yield


def _engine(database: Path) -> Engine:
    """SQLite as the module says; `BEGIN` is ours because Python's driver would put it off."""
    url = URL.create("sqlite", database=str(database))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _copy(file: Path, copy: Path) -> None:
    """Copy a stranger's file, if it is one and not too large."""
    try:
        source = file.open("rb")
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror}") from error
    with source:
        size = os.fstat(source.fileno()).st_size
        if size > MAX_BUNDLE:
            raise BundleError(f"{file} has {size} bytes, but a driver's file may have at most {MAX_BUNDLE}")
        try:
            with copy.open("wb") as target:
                shutil.copyfileobj(source, target)
                os.fsync(target.fileno())
        except OSError as error:
            raise LeagueError(f"{file} cannot be copied to {copy.parent}: {error.strerror}") from error


@contextmanager
def _sentences(database: Path) -> Iterator[None]:
    """Say in a sentence what the database says in a traceback."""
    try:
        yield
    except DBAPIError as error:
        raise LeagueError(f"{database}: {error.orig}") from error
