"""How a league comes to be, new or from a backup: whole or not at all, whoever is killed and whatever fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from league.database import Database
from league.errors import LeagueError
from league.receipts import new_key
from league.store import CLAIMS, CONFIG, FOLDERS, KEY, write, writing_files

TABLES = ""  #: claimed instead of a file


@dataclass(frozen=True)
class Making:
    """A league that is being made: its database has tables, and nobody finds it yet."""

    folder: Path
    database: Database
    claims: Claims
    undo: list[Callable[[], None]]  #: removes, from the last to the first, what has been made

    def add_key(self) -> None:
        """Make its key. Raises `LeagueError`."""
        key = self.folder / KEY
        with writing_files(self.folder, f"{key} cannot be made"), placing(key, self.undo, self.claims) as unfinished:
            new_key(unfinished)

    def add(self, content: IO[bytes], file: Path, mode: int, *, new: bool) -> None:
        """Write a file; a new one must not be there yet. Raises `OSError`."""
        with placing(file, self.undo, self.claims if new else None) as unfinished:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as out:
                shutil.copyfileobj(content, out)


@contextmanager
def placing(file: Path, undo: list[Callable[[], None]], claims: Claims | None) -> Iterator[Path]:
    """Give a name under which to write a file, which gets its own once it is whole.

    Args:
        file: its own name.
        undo: gets what removes it, unless there was such a file before.
        claims: get a new one; then it fails if there is such a file.
    """
    unfinished = file.with_name(f".{uuid4().hex}")
    try:
        yield unfinished
        if claims:
            claims.add(str(file), _hash(unfinished))
        if claims or not file.exists():
            file.open("xb").close()  # the one step that cannot overwrite, on every kind of disk
            undo.append(file.unlink)
        unfinished.replace(file)
    finally:
        for rest in file.parent.glob(f"{unfinished.name}*"):
            rest.unlink()


@contextmanager
def making(folder: Path, url: str) -> Iterator[Making]:
    """Make a league, all or nothing: tables, then what the block adds, and ``league.toml`` last.

    Nothing that is there is overwritten, and a failure removes only what was made. Whoever is killed leaves what the
    next attempt in the same folder removes first.

    Raises:
        LeagueError: there already is a league, its database or its key, or something cannot be written.
    """
    _refuse_a_league(folder)
    undo: list[Callable[[], None]] = []
    with _folders(folder), _claims(folder) as claims, _folders(*(folder / name for name in FOLDERS)):
        _refuse_a_league(folder)  # that was finished meanwhile
        database = Database(url, folder)
        claims.give_up(database)
        _refuse_to_overwrite(folder, database)
        try:
            with _new_database(database, folder, undo, claims) as new:
                yield Making(folder, new, claims, undo)
                new.close()
            write(folder / CONFIG, config_of(url))
            claims.forget()
        except BaseException:
            for step in reversed(undo):
                with contextlib.suppress(OSError, LeagueError):
                    step()
            with contextlib.suppress(LeagueError):
                claims.give_up(database)
            raise


@contextmanager
def _folders(*folders: Path) -> Iterator[None]:
    """Make folders; if the block fails, those that are new and empty are removed. Raises `LeagueError`."""
    new = [folder for folder in folders if not folder.exists()]
    try:
        for folder in folders:
            with writing_files(folder, f"{folder} cannot be made a league"):
                folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@dataclass(frozen=True)
class Claims:
    """What is being made in a folder, so that the next attempt knows what it may remove: a small database of its own.

    Each file is claimed, with the hash of its content, before it gets its name, and PostgreSQL's tables, with a word
    that is written beside them, before they are made. As nobody finds a league without its ``league.toml``, nobody has
    used what is claimed and is still as it was made. The database is locked for as long as the process lives.
    """

    connection: sqlite3.Connection

    def add(self, what: str, proof: str) -> None:
        """Claim something that is about to be made."""
        self.connection.execute("INSERT INTO claims VALUES (?, ?)", (what, proof))

    @property
    def all(self) -> list[tuple[str, str]]:
        """What is claimed, and by what it can be known; what came last, first."""
        return self.connection.execute("SELECT what, proof FROM claims ORDER BY rowid DESC").fetchall()

    def forget(self) -> None:
        """Claim nothing any more."""
        self.connection.execute("DELETE FROM claims")

    def give_up(self, database: Database) -> None:
        """Remove what an attempt before this one made that was broken off. Raises `LeagueError` if it cannot be."""
        for what, proof in self.all:
            if what == TABLES:
                if not database.file and database.maker() == proof:
                    database.drop()
                continue
            file = Path(what)
            with writing_files(file.parent, f"{file}, which was left by an attempt, cannot be removed"):
                if file.is_file() and (file.stat().st_size == 0 or _hash(file) == proof):
                    file.unlink()
        self.forget()


@contextmanager
def _claims(folder: Path) -> Iterator[Claims]:
    """Be the only one who makes a league in a folder. Raises `LeagueError` if somebody else does."""
    file = folder / CLAIMS
    try:
        connection = sqlite3.connect(file, timeout=0.0, isolation_level=None)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # until it is closed, not only during a write
        connection.execute("CREATE TABLE IF NOT EXISTS claims (what TEXT, proof TEXT)")
        connection.execute("DELETE FROM claims WHERE FALSE")  # takes the lock
    except sqlite3.Error as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        said = "another process is doing that" if busy else f"{file}: {error}"
        raise LeagueError(f"{folder} cannot be made a league now: {said}") from error
    claims = Claims(connection)
    try:
        yield claims
    finally:
        nothing = not claims.all
        connection.close()
        if nothing:
            file.unlink(missing_ok=True)


def config_of(url: str) -> bytes:
    """The content of ``league.toml``."""
    return f"# A league; see: racer league --help\ndatabase = {json.dumps(url)}\n".encode()


def _refuse_a_league(folder: Path) -> None:
    if (folder / CONFIG).exists():
        raise LeagueError(f"{folder} already holds a league")


def _refuse_to_overwrite(folder: Path, database: Database) -> None:
    for file in (database.file, folder / KEY):
        if file and file.exists():
            raise LeagueError(f"{file} is already there and is not overwritten; move it away to make a league here")
    if not database.file and database.revision() is not None:
        raise LeagueError(f"{database} already holds the tables of a league")


@contextmanager
def _new_database(
    database: Database, folder: Path, undo: list[Callable[[], None]], claims: Claims
) -> Iterator[Database]:
    """Make the tables, to be filled; SQLite's file gets its name when that is done."""
    if not database.file:
        maker = uuid4().hex
        claims.add(TABLES, maker)
        database.migrate(maker=maker)
        undo.append(database.drop)
        yield database
        return
    try:
        with placing(database.file, undo, claims) as unfinished:
            with closing(sqlite3.connect(unfinished)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            new = Database(f"sqlite:///{os.path.relpath(unfinished, folder)}", folder)
            new.migrate()
            yield new
    except (OSError, sqlite3.Error) as error:
        raise LeagueError(f"{database} cannot be made: {error}") from error


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
