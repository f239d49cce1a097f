"""One process trains a run at a time.

The lock is the operating system's (``flock``) on a file in the run's folder. It ends with the process that holds it,
however that ends, so that a killed training leaves nothing to clean up; the file stays, and means nothing by itself.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.run_folder import RunError, RunFolder, unwritable

_held: Counter[Path] = Counter()  #: how often this process has locked a file


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Keep every other process from training a run. The same process may lock it again.

    Raises:
        RunError: another process trains it, or its folder cannot be written.
    """
    file = (run.path / ".lock").resolve()
    descriptor = None if _held[file] else _take(run, file)
    _held[file] += 1
    try:
        yield
    finally:
        _held[file] -= 1
        if descriptor is not None:
            os.close(descriptor)


def _take(run: RunFolder, file: Path) -> int:
    """Lock the file and write into it who has it; give its descriptor, whose end is the lock's."""
    with unwritable(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode(errors="replace") or "another one"
            os.close(descriptor)
            raise RunError(
                f"{run.path} is being trained by process {holder} already; stop that first, or wait for it"
            ) from error
        except OSError:
            os.close(descriptor)
            raise
    return descriptor
