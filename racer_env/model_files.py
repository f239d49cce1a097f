"""Where a trained driver's two files lie: a virtual model as a folder or a zip, a bare ``.pb``, or a car's archive.

A training of the original writes a frozen graph for each checkpoint, ``model_N.pb``, beside ``model_metadata.json``
and ``deepracer_checkpoints.json``, which names the best and the last one (``markov/boto/s3/files/checkpoint.py``): that
is what the console, deepracer-for-cloud and DeepRacer on AWS keep and hand out as a *virtual* model. Files are found by
their names, at most three folders deep. Nothing is unpacked onto a disk, and what is read has limits.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from racer_env.archive import MAX_MEMBERS, MAX_METADATA, METADATA, check_length, installed_name, unpack
from racer_env.errors import BundleError, briefly
from racer_env.graphdef import MAX_BYTES

CHECKPOINTS = "deepracer_checkpoints.json"
MAX_DEPTH = 3  #: folders in which a model is looked for
MAX_ENTRIES = 20_000  #: of a folder; a long training's logs are many files
BEST, LAST = "best", "last"

#: What Python raises for a zip that is cut off, changed or made to hurt; `OSError` for places before its beginning.
DAMAGE = (zipfile.BadZipFile, EOFError, OSError, zlib.error, struct.error, ValueError, OverflowError, RuntimeError)

#: Reads a file of a model by name, at most so many bytes.
Read = Callable[[str, int], bytes]


class ModelFiles(NamedTuple):
    """The files of one driver."""

    name: str  #: as a car would list it
    model: bytes  #: a frozen graph
    metadata: bytes


def find_model(path: Path, which: str = BEST) -> ModelFiles:
    """Read a driver from wherever it lies.

    Args:
        path: a car's ``.tar.gz``, a ``.zip`` or folder of a virtual model, or a ``.pb`` with its metadata beside it.
        which: of a virtual model, ``best`` or ``last`` checkpoint.

    Raises:
        BundleError: there is no driver, or it cannot be told which, or the file is damaged or passes a limit.
        OSError: the system cannot read it.
    """
    path.stat()
    if path.is_dir():
        return _in_folder(path, which)
    if path.suffix.lower() == ".pb":
        return _bare(path)
    if path.suffix.lower() != ".zip" and not path.name.endswith(".tar.gz"):
        raise BundleError("a driver is a '.tar.gz' of a car, a '.zip' or a folder of a virtual model, or a '.pb'")
    with path.open("rb") as file:
        if path.suffix.lower() == ".zip":
            return _in_zip(file, path, which)
        return ModelFiles(installed_name(path.name), *unpack(file))


def _bare(path: Path) -> ModelFiles:
    beside = [folder / METADATA for folder in (path.parent, path.parent.parent) if (folder / METADATA).is_file()]
    if not beside:
        raise BundleError(
            f"it needs its {METADATA} in the same folder or the one above, which says what its actions are"
        )
    of_training = re.fullmatch(r"model(_\d+)?", path.stem)
    name = _of_folder(path.resolve().parent) if of_training else path.stem
    return ModelFiles(_plain(name), _read_file(path, MAX_BYTES), _read_file(beside[0], MAX_METADATA))


def _of_folder(folder: Path) -> str:
    """Give the name of the model whose files lie in a folder."""
    return folder.parent.name if folder.name in ("model", "agent") else folder.name


def _in_folder(folder: Path, which: str) -> ModelFiles:
    home = folder.resolve()

    def read(name: str, most: int) -> bytes:
        file = (home / name).resolve()
        if not file.is_relative_to(home):
            raise BundleError(f"{name!r} is a link that leads out of the folder")
        return _read_file(file, most)

    return _choose(list(_walk(home)), read, which, _plain(_of_folder(home)))


def _walk(home: Path) -> Iterator[str]:
    """Give the files of a folder that a model may have; links to folders are not followed."""
    seen = 0
    for place, folders, files in os.walk(home):
        depth = len(Path(place).relative_to(home).parts)
        if depth >= MAX_DEPTH:
            folders.clear()
        seen += len(files) + len(folders)
        if seen > MAX_ENTRIES:
            raise BundleError(f"it holds more than {MAX_ENTRIES} files; give the folder that has the {CHECKPOINTS}")
        inner = Path(place).relative_to(home).as_posix()
        yield from (posixpath.normpath(f"{inner}/{file}") for file in sorted(files) if _matters(file))


def _read_file(path: Path, most: int) -> bytes:
    if not path.is_file():
        raise BundleError(f"{path.name!r} is not a plain file")
    with path.open("rb") as file:
        return _at_most(file, path.name, most)


def _in_zip(file: IO[bytes], path: Path, which: str) -> ModelFiles:
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)

            def read(name: str, most: int) -> bytes:
                member = members[name]
                if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise BundleError(f"{name!r} is encrypted or packed in a way other than deflate; pack it anew")
                with archive.open(member) as content:
                    return _at_most(content, name, most)

            return _choose([name for name in members if _matters(name)], read, which, _plain(path.stem))
    except DAMAGE as error:
        raise BundleError(f"it is not a whole .zip archive: {briefly(error)}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Give the plain files of a zip by their clean names; refuse what could reach out or hurt."""
    if len(archive.filelist) > MAX_MEMBERS:
        raise BundleError(f"it holds more than {MAX_MEMBERS} files")
    out: dict[str, zipfile.ZipInfo] = {}
    for member in archive.filelist:
        name = member.filename
        check_length(name)
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
            raise BundleError(f"{name[:200]!r} leads out of the archive")
        if (member.external_attr >> 16) & 0o170000 not in (0, 0o100000, 0o040000):
            raise BundleError(f"{name[:200]!r} is a link or a special file; only plain files are allowed")
        if name.endswith("/"):
            continue
        clean = posixpath.normpath("/".join(parts))
        if clean in out:
            raise BundleError(f"it holds {clean[:200]!r} twice")
        out[clean] = member
    return out


def _at_most(file: IO[bytes], name: str, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise BundleError(f"{name!r} has more than the {most} bytes that are allowed")
    return data


def _matters(name: str) -> bool:
    base = posixpath.basename(name)
    hidden = base.startswith("._") or name.startswith("__MACOSX/")
    return not hidden and (base.endswith(".pb") or base in (CHECKPOINTS, METADATA))


def _choose(names: Sequence[str], read: Read, which: str, name: str) -> ModelFiles:
    """Pick model and metadata from the names of all files."""
    names = [n for n in names if n.count("/") <= MAX_DEPTH]
    lists = [n for n in names if posixpath.basename(n) == CHECKPOINTS]
    models = [n for n in names if n.endswith(".pb")]
    if len(lists) > 1:
        raise BundleError(f"it holds {len(lists)} models, each with its {CHECKPOINTS}; give the folder of one")
    if not models:
        raise BundleError("it holds no model, which is a .pb file")
    if lists:
        model = posixpath.join(posixpath.dirname(lists[0]), _checkpoint(read(lists[0], MAX_METADATA), which))
        if model not in models:
            raise BundleError(
                f"its {CHECKPOINTS} says that {model!r} is the {which} one, but there is {_listed(models)}"
            )
    elif len(models) == 1:
        model = models[0]
    else:
        raise BundleError(f"it holds {_listed(models)} and no {CHECKPOINTS} that says which is the {which} one")
    folder = posixpath.dirname(model)
    beside = [
        n for n in (posixpath.join(place, METADATA) for place in (folder, posixpath.dirname(folder))) if n in names
    ]
    if not beside:
        raise BundleError(f"it holds no {METADATA} beside or above {model!r}")
    return ModelFiles(name, read(model, MAX_BYTES), read(beside[0], MAX_METADATA))


def _checkpoint(text: bytes, which: str) -> str:
    """Give the file name of a checkpoint's graph: ``model_3.pb`` of ``3_Step-1234.ckpt``."""
    try:
        raw: Any = json.loads(text)
        said = raw[f"{which}_checkpoint"]["name"]
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{CHECKPOINTS} is not JSON: {error}") from error
    except (KeyError, TypeError):
        raise BundleError(f"{CHECKPOINTS} does not name a {which}_checkpoint") from None
    found = re.match(r"(\d{1,9})_Step-", said) if isinstance(said, str) else None
    if not found:
        raise BundleError(
            f"{CHECKPOINTS} calls the {which} checkpoint {str(said)[:40]!r}, which is not like '3_Step-1234.ckpt'"
        )
    return f"model_{found[1]}.pb"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "driver"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)[:4]) + (", ..." if len(names) > 4 else "")
