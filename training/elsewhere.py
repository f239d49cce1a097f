"""Drivers that were trained elsewhere, where a run folder could stand as well."""

from __future__ import annotations

from pathlib import Path

from racer_env.bundle import Bundle
from racer_env.errors import BundleError


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run, rather than anything that `Bundle.open` takes."""
    return (path / "settings.json").is_file()


def open_elsewhere(path: Path, which: str) -> Bundle:
    """Open what is no run folder. Raises `BundleError` if it is no driver either."""
    try:
        return Bundle.open(path, which)
    except BundleError as error:
        if not path.is_dir():
            raise
        raise BundleError(
            f"{path} is not a run folder, nor has it a driver that was trained elsewhere: {error}"
        ) from error
