"""What fills a disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def fill(file: Path) -> None:
    """Write until there is no room any more."""
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
