"""What a training on a Ray cluster (`racer_env.cluster`) sends between machines: folders, as archives."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from training.run_folder import unwritable


def packed(folder: Path, left_out: Sequence[str] = ()) -> bytes:
    """A folder without some of what lies in it, as one archive, to send it to another machine."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for path in sorted(folder.iterdir()):
            if path.name not in left_out:
                archive.add(path, arcname=path.name)
    return out.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Put a folder that was `packed` in the place of another one, whole or not at all. Raises `RunError`."""
    unfinished = folder.with_name(f".{folder.name}.part")
    with unwritable(folder):
        shutil.rmtree(unfinished, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(unfinished, filter="data")
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
