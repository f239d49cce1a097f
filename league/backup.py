"""A whole league in one file, and back again, also from one kind of database to the other.

A backup is a ``.tar.gz``: ``manifest.json``, every table as JSON lines as of one moment, and the files of the league's
folder, its key among them. It is complete under its name or not there, and so is what is restored from it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from league.columns import AsJson, Table, UTCDateTime
from league.errors import LeagueError
from league.making import Making, making
from league.migrations import NEWEST
from league.settings_file import to_json
from league.store import FOLDERS, Store, writing_files

FORMAT = 1
MANIFEST = "manifest.json"
ROWS = 1000  #: that are written at a time


def backup(store: Store, out: Path) -> int:
    """Write a league into a file, readable by its owner only; give its size in bytes.

    Raises:
        LeagueError: the league cannot be read or the file cannot be written.
    """
    unfinished = out.with_name(f".{uuid4().hex}")
    with writing_files(out.parent, f"{out} cannot be written"):
        try:
            descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                _write(store, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    return out.stat().st_size


def restore(file: Path, folder: Path, url: str) -> None:
    """Make a league from a backup, all or nothing.

    Raises:
        LeagueError: the file is no whole backup of this version, there already is a league, or it cannot be written.
    """
    with _sentences(file, folder), file.open("rb") as source, tarfile.open(fileobj=source, mode="r:gz") as archive:
        _check_manifest(archive, file)
        with making(folder, url) as new, _sentences(file, folder):
            _read(archive, new)


@contextmanager
def _sentences(file: Path, folder: Path) -> Iterator[None]:
    """Say what is wrong with a backup, or with the folder that it is to fill."""
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise LeagueError(f"{file} is not a whole backup of a league: {error}") from error
    except OSError as error:
        raise LeagueError(f"{file} cannot be restored to {folder}: {error.strerror or error}") from error


def _write(store: Store, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
        _add(archive, MANIFEST, json.dumps({"format": FORMAT, "revision": NEWEST}).encode())
        with store.database.reading() as session:
            for table in Table.metadata.sorted_tables:
                with tempfile.TemporaryFile() as rows:
                    for row in session.execute(sa.select(table)).mappings().yield_per(ROWS):
                        rows.write(json.dumps({name: _plain(value) for name, value in row.items()}).encode() + b"\n")
                    member = tarfile.TarInfo(f"tables/{table.name}.jsonl")
                    member.size = rows.tell()
                    rows.seek(0)
                    archive.addfile(member, rows)
        for name in FOLDERS:  # no row names a file that came later
            for path in sorted((store.folder / name).iterdir()):
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile, which no row names (`league.tidying`)
                    if not path.name.startswith("."):
                        archive.add(path, f"{name}/{path.name}", recursive=False)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return to_json(value) if is_dataclass(value) else value


def _check_manifest(archive: tarfile.TarFile, file: Path) -> None:
    first = archive.next()
    content = archive.extractfile(first) if first and first.name == MANIFEST else None
    if content is None:
        raise LeagueError(f"{file} is not a backup of a league: it does not begin with {MANIFEST}")
    manifest = json.load(content)
    if manifest != {"format": FORMAT, "revision": NEWEST}:
        raise LeagueError(
            f"{file} is a backup of revision {manifest.get('revision')}, this version works with {NEWEST}; "
            "restore it with the version that made it, then run: racer league upgrade"
        )


def _read(archive: tarfile.TarFile, new: Making) -> None:
    """Fill a new folder and a new database."""
    with new.database.writing() as session:
        tables = dict(Table.metadata.tables)
        while member := archive.next():
            place = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isfile() and len(place.parts) == 2 else None
            if content is None or place.name.startswith("."):
                raise ValueError(f"{member.name!r} has no place in it")
            if place.parts[0] == "tables":
                _insert(session, tables.pop(place.stem), content)
            elif place.parts[0] in FOLDERS:
                secret = place.parts[0] == "keys"
                new.add(content, new.folder / place, 0o600 if secret else 0o644, new=secret)
            else:
                raise ValueError(f"{member.name!r} has no place in it")
        if tables:
            raise ValueError(f"the tables {', '.join(sorted(tables))} are missing")
        _count_on(session)


def _insert(session: Session, table: sa.Table, content: IO[bytes]) -> None:
    for rows in _batches(_value_of(table, json.loads(line)) for line in content):
        session.execute(sa.insert(table), rows)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _value_of(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row as its table takes it."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        kind = table.c[name].type
        if value is not None and isinstance(kind, UTCDateTime):
            out[name] = datetime.fromisoformat(value)
        elif value is not None and isinstance(kind, AsJson):
            out[name] = kind.read(value)
        else:
            out[name] = sa.null() if value is None and isinstance(kind, sa.JSON) else value
    return out


def _count_on(session: Session) -> None:
    """Let PostgreSQL number new rows from where the old ones end; SQLite does by itself."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in Table.metadata.sorted_tables:
        if "id" in table.c:
            last = session.scalar(sa.select(sa.func.max(table.c.id)))
            if last:
                session.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, "id"), last)))
