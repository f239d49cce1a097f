"""The folder of a league.

``league.toml`` names the database, ``bundles/<sha256>.tar.gz`` holds each driver once, ``tracks/<sha256>.npy`` each
track as it was when its race was made, ``replays/<sha256>.replay`` each run, ``keys/signing.pem`` the key
that signs receipts. A file is complete under its name or not there; the database never names one that is not.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from league.database import Database
from league.errors import LeagueError
from league.migrations import NEWEST
from league.receipts import public_hex, read_key
from racer_env.errors import BundleError

CONFIG, KEY = "league.toml", Path("keys/signing.pem")
CLAIMS = ".making"  #: what is being made (`league.making`)
SQLITE_URL = "sqlite:///league.db"
FOLDERS = ("bundles", "tracks", "keys", "replays")
MAX_BUNDLE = 256 * 2**20  #: bytes; the largest of DeepRacer's networks takes 230 MB unpacked

Floats = npt.NDArray[np.float64]


class Store:
    """A league's folder and its database."""

    def __init__(self, folder: Path) -> None:
        """Open a folder that `create` has made.

        Raises:
            LeagueError: there is no league, or another version of this package made it.
        """
        self.folder = folder
        self.database, found = _database_of(folder)
        with contextlib.suppress(OSError):
            (folder / CLAIMS).unlink(missing_ok=True)  # of whoever was killed after the last step of making it
        if found != NEWEST:
            there = (
                "install a newer one"
                if found > NEWEST
                else f"bring it there with: racer league upgrade --league {folder}"
            )
            raise LeagueError(f"{self.database} is at revision {found}, but this version works with {NEWEST}; {there}")

    @classmethod
    def create(cls, folder: Path, url: str = SQLITE_URL) -> Self:
        """Make a new, empty league, all or nothing.

        Args:
            folder: is made if it is not there.
            url: of the database: a file of the folder, or ``postgresql://...``.

        Raises:
            LeagueError: there already is a league, a database file or a key, or one of them cannot be written.
        """
        from league.making import making  # noqa: PLC0415 (which needs this module)

        with making(folder, url) as new:
            new.add_key()
        return cls(folder)

    @cached_property
    def key(self) -> Ed25519PrivateKey:
        """What receipts are signed with."""
        return read_key(self.folder / KEY)

    @cached_property
    def public_key(self) -> str:
        """What they are checked with, in hexadecimal."""
        return public_hex(self.key)

    def keep(self, archive: bytes, sha256: str) -> None:
        """Store a checked driver's file under its hash, in place of another archive of it that nothing names."""
        write(self.bundle_path(sha256), archive)

    def bundle(self, sha256: str, archive_sha256: str) -> bytes:
        """The file of a driver. Raises `LeagueError` if it is not there any more as it was kept."""
        kept = self.bundle_path(sha256)
        try:
            archive = kept.read_bytes()
        except OSError as error:
            raise LeagueError(f"{kept} cannot be read: {error.strerror}") from error
        if hashlib.sha256(archive).hexdigest() != archive_sha256:
            raise LeagueError(f"{kept} has been changed since it was submitted")
        return archive

    def bundle_path(self, sha256: str) -> Path:
        """Where the bundle with this hash is kept."""
        return self.folder / "bundles" / f"{sha256}.tar.gz"

    def replay_path(self, sha256: str) -> Path:
        """Where the replay with this hash (`racer_env.replay_file.digest`) is kept."""
        return self.folder / "replays" / f"{sha256}.replay"

    def keep_replay(self, replay: bytes, sha256: str) -> None:
        """Store a replay's file under its hash, unless it is there already."""
        kept = self.replay_path(sha256)
        try:
            os.utime(kept)  # so that `league.tidying` leaves it until the database names it
        except OSError:
            write(kept, replay)

    def keep_route(self, route: Floats) -> str:
        """Store a track's numbers (p, 6); give their hash."""
        sha256 = route_hash(route)
        kept, out = self.folder / "tracks" / f"{sha256}.npy", io.BytesIO()
        if not kept.exists():
            np.save(out, np.ascontiguousarray(route, "<f8"), allow_pickle=False)
            write(kept, out.getvalue())
        return sha256

    def route(self, sha256: str) -> Floats:
        """A track's numbers (p, 6). Raises `LeagueError` if they are not there any more as they were kept."""
        kept = self.folder / "tracks" / f"{sha256}.npy"
        try:
            route: Floats = np.load(kept, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise LeagueError(f"{kept} cannot be read: {error}") from error
        if hashlib.sha256(route.tobytes()).hexdigest() != sha256:
            raise LeagueError(f"{kept} has been changed since its race was made")
        return route

    @classmethod
    def upgraded(cls, folder: Path) -> Self:
        """Open a league, and bring it to this version first if it is older. Raises `LeagueError`."""
        database, found = _database_of(folder)
        if found < NEWEST:
            database.migrate()
        return cls(folder)


def _database_of(folder: Path) -> tuple[Database, str]:
    """The database of a league, and its revision. Raises `LeagueError` if it holds none."""
    database = Database(_database_url(folder), folder)
    if database.file and not database.file.is_file():
        raise LeagueError(f"{database.file} is not there, although {folder / CONFIG} names it")
    found = database.revision()
    if found is None:
        raise LeagueError(f"{database} is not the database of a league")
    return database, found


def route_hash(route: Floats) -> str:
    """What identifies a track's numbers (p, 6)."""
    return hashlib.sha256(np.ascontiguousarray(route, "<f8").tobytes()).hexdigest()


def read_archive(file: Path) -> bytes:
    """Read a stranger's file, if it is one and not too large. Raises `BundleError`."""
    try:
        with file.open("rb") as source:
            return _read_archive(source, file)
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror}") from error


def _read_archive(source: IO[bytes], file: Path) -> bytes:
    archive = source.read(MAX_BUNDLE + 1)
    if len(archive) > MAX_BUNDLE:
        raise BundleError(f"{file} has more than the {MAX_BUNDLE} bytes that a driver's file may have")
    return archive


def write(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises `LeagueError`."""
    unfinished = file.with_name(f".{uuid4().hex}")
    with writing_files(file.parent, f"{file} cannot be written"):
        try:
            with unfinished.open("wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(file)
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)


@contextmanager
def writing_files(folder: Path, sentence: str) -> Iterator[None]:
    """Say what went wrong with files as one sentence."""
    try:
        yield
    except OSError as error:
        where = "" if str(folder) in sentence else f" in {folder}"
        raise LeagueError(f"{sentence}{where}: {error.strerror or error}") from error


def _database_url(folder: Path) -> str:
    try:
        settings = tomllib.loads((folder / CONFIG).read_text("utf-8"))
        url = settings["database"]
    except FileNotFoundError as error:
        if (folder / "league.db").exists():
            raise LeagueError(
                f"{folder} holds league.db but no {CONFIG}: a league of an older version, which this one cannot read, "
                "or one whose making was broken off"
            ) from error
        raise LeagueError(f"{folder} holds no league; make one with: racer league init --league {folder}") from error
    except OSError as error:
        raise LeagueError(f"{folder / CONFIG} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise LeagueError(f'{folder / CONFIG} must hold a line such as: database = "{SQLITE_URL}"') from error
    if not isinstance(url, str):
        raise LeagueError(f"{folder / CONFIG}: database must be a text, not {url!r}")
    return url


def make_folder(folder: Path) -> None:
    """Make a folder, unless it is there. Raises `LeagueError`."""
    with writing_files(folder, f"{folder} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
