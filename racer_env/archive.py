"""A DeepRacer's ``<name>.tar.gz``: read as the car's loader reads it, but never onto a disk and under limits.

The loader cuts a file's name at the first dot, takes ``model_metadata.json`` at the root, and takes for a
model every file whose extension is found in the text ``".pb"``: so ``README``, ``LICENSE`` and macOS's
``._model.pb`` are models too, and an archive with two of them is ignored. The model may lie anywhere, other
files do no harm.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO

from racer_env.errors import BundleError, briefly
from racer_env.graphdef import MAX_BYTES

MODEL, METADATA = "agent/model.pb", "model_metadata.json"

MAX_METADATA = 2**20  #: bytes
MAX_UNPACKED = MAX_BYTES + 256 * 2**20  #: bytes of all files together; what AWS adds to a model are logs
MAX_HEADERS = 4 * 2**20  #: bytes of everything else
MAX_MEMBERS = 1000
MAX_NAME = 400  #: letters of a path

#: What Python raises for an archive that is cut off, changed or made to hurt.
DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError, RecursionError)

#: Letters that come through the car's loader, its web page and its shell unchanged.
NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_file_name(file_name: str) -> None:
    """Make sure that the car installs a file under its own name. Raises `BundleError`."""
    stem = file_name.removesuffix(".tar.gz")
    if stem == file_name or not NAME.fullmatch(stem):
        raise BundleError(
            f"{file_name!r} is no name for a car's archive, which is letters, digits, '_' and '-' and then '.tar.gz'"
        )


def installed_name(file_name: str) -> str:
    """Give the name under which the car installs an archive. Raises `BundleError` if it does not take it."""
    if not file_name.endswith(".tar.gz"):
        raise BundleError("a driver is a file whose name ends with '.tar.gz'")
    name = file_name.partition(".")[0].replace(" ", "_")
    if not name:
        raise BundleError("the file has no name before '.tar.gz'")
    return name


def pack(model: bytes, metadata: bytes) -> bytes:
    """Write an archive, always the same bytes for the same content: no times, no owners, two plain files."""
    out = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 6, out, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, data in ((MODEL, model), (METADATA, metadata)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def unpack(file: IO[bytes]) -> tuple[bytes, bytes]:
    """Read the model and the metadata of an archive.

    Raises:
        BundleError: it is damaged, passes a limit, holds a link or a path that leads outside, or the car
            would not find exactly one model and its metadata.
    """
    stream = _Metered(file)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # "r|": a stream, which never goes back
            found = _model_and_metadata(archive, stream)
        while stream.read(2**16):  # to the end, where the checksum is
            pass
    except DAMAGE as error:
        raise BundleError(f"it is not a whole .tar.gz archive: {briefly(error)}") from error
    return found


def _model_and_metadata(archive: tarfile.TarFile, stream: _Metered) -> tuple[bytes, bytes]:
    models: dict[str, bytes] = {}
    metadata: bytes | None = None
    for path, member in _files(archive, stream):
        if posixpath.splitext(path)[1] in ".pb":
            if models:
                raise BundleError(
                    f"{next(iter(models))!r} and {path!r} are two models: the car takes '.pb' files and "
                    f"files without an extension for models, and there must be one"
                )
            models[path] = _content(archive, member, MAX_BYTES)
        elif path == METADATA:
            metadata = _content(archive, member, MAX_METADATA)
    if not models:
        raise BundleError(f"it holds no model; it must be at {MODEL!r}")
    if metadata is None:
        raise BundleError(f"it holds no {METADATA!r} at its root")
    return next(iter(models.values())), metadata


class _Metered(io.RawIOBase):
    """An unpacking stream that gives what the files say they hold and little more."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zipped = gzip.GzipFile(fileobj=file, mode="rb")
        self._left, self._announced = MAX_HEADERS, 0

    def announce(self, size: int) -> None:
        """Let a file of that many bytes pass."""
        self._announced += size
        if self._announced > MAX_UNPACKED:
            raise BundleError(f"it unpacks to more than {MAX_UNPACKED} bytes")
        self._left += size

    def read(self, size: int = -1) -> bytes:
        data = self._zipped.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise BundleError(f"it has more than {MAX_HEADERS} bytes that belong to no file")
        return data


def _files(archive: tarfile.TarFile, stream: _Metered) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Give the plain files of an archive, each with its clean path; refuse all but files and folders."""
    seen: set[str] = set()
    for count, member in enumerate(archive, 1):
        if count > MAX_MEMBERS:
            raise BundleError(f"it holds more than {MAX_MEMBERS} files")
        path = _clean_path(member)
        stream.announce(member.size)
        if member.isdir():
            continue
        if path in seen:
            raise BundleError(f"it holds {path[:200]!r} twice")
        seen.add(path)
        yield path, member


def _clean_path(member: tarfile.TarInfo) -> str:
    name = member.name[:200]
    check_length(member.name)
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise BundleError(f"{name!r} is a link or a special file; only plain files are allowed")
    if name.startswith("/") or ".." in member.name.split("/"):
        raise BundleError(f"{name!r} leads out of the archive")
    if member.size < 0:
        raise BundleError(f"{name!r} says that it has {member.size} bytes")
    return posixpath.normpath(member.name)


def check_length(name: str) -> None:
    """Refuse the name of a packed file that is too long to be told. Raises `BundleError`."""
    if len(name) > MAX_NAME:
        raise BundleError(f"{name[:40]!r}... is a name of {len(name)} letters; at most {MAX_NAME} are allowed")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    if member.size > most:
        raise BundleError(f"{member.name!r} has {member.size} bytes, but at most {most} are allowed")
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    if len(data) != member.size:
        raise BundleError(f"{member.name!r} is cut off")
    return data
