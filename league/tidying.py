"""What is removed from a league's folder: files that nobody finished, and bundles and replays that nothing names.

A bundle is kept before the submission that names it is written down, a replay before the result: one that no row names
is removed when nobody has written or asked to keep it for a day, which a submission or a result on its way never takes.
Ages are those of the disk's clock.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

from sqlalchemy import select

from league.models import KeptBundle, KeptHeat, Result
from league.store import FOLDERS, Store

UNFINISHED = "." + "[0-9a-f]" * 32 + "*"  #: names of files that are being written in the folder itself
LEFT_BEHIND = 3600.0  #: s after which an unfinished file belongs to nobody any more
UNNAMED = 86400.0  #: s after which a bundle or replay that nothing names belongs to nobody any more

_REPLAY = re.compile('"replay_sha256":"([0-9a-f]{64})"')  #: as it stands in a receipt of either kind
_ROWS = 1000  #: that are read at a time


def tidy(store: Store) -> None:
    """Remove what processes left behind that were killed while they wrote, or whose submission or result never came."""
    with contextlib.suppress(OSError):
        for folder, unfinished in ((store.folder, UNFINISHED), *((store.folder / name, ".*") for name in FOLDERS)):
            for file in _older(LEFT_BEHIND, folder.glob(unfinished)):
                file.unlink(missing_ok=True)
        for name, named in (("bundles", _named_bundles), ("replays", _named_replays)):
            if old := set(_older(UNNAMED, (store.folder / name).glob("[!.]*"))):
                for file in _older(
                    UNNAMED, old.difference(named(store))
                ):  # somebody may have asked to keep it meanwhile
                    _remove(file)


def _older(age: float, files: Iterable[Path]) -> Iterator[Path]:
    """Those of some files that nobody has written for a time, s."""
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > age:
                yield file


def _named_bundles(store: Store) -> Iterator[Path]:
    with store.database.reading() as session:
        for sha256 in session.scalars(select(KeptBundle.sha256).execution_options(yield_per=_ROWS)):
            yield store.bundle_path(sha256)


def _named_replays(store: Store) -> Iterator[Path]:
    with store.database.reading() as session:
        for receipt in (Result.receipt, KeptHeat.receipt):
            for text in session.scalars(select(receipt).execution_options(yield_per=_ROWS)):
                yield from map(store.replay_path, _REPLAY.findall(text or ""))


def _remove(file: Path) -> None:
    """Remove a file, unless somebody asks to keep it at this very moment: it is put aside to have a last look."""
    aside = file.with_name(f".{uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        file.rename(aside)
        if any(_older(UNNAMED, [aside])):
            aside.unlink()
        else:
            aside.replace(file)
