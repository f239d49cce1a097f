"""Pictures of the simulator: the scene and its window, a driven lap, camera sheets and track thumbnails.

Pillow is imported by the modules that draw, pygame by `racer_env.render.window` alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from racer_env.errors import RacerError

if TYPE_CHECKING:
    from PIL import Image


def save_picture(image: Image.Image, path: Path, colours: int | None = None) -> None:
    """Write a picture where the user wants it, as `write_png` does.

    Raises:
        RacerError: the file cannot be written, or its name does not end in ``.png``.
    """
    if path.suffix.lower() != ".png":
        raise RacerError(f"a picture is a PNG file, so {path} must end in .png")
    try:
        write_png(image, path, colours)
    except OSError as error:
        raise RacerError(f"the picture {path} cannot be written: {error.strerror}") from error


def write_png(image: Image.Image, path: Path, colours: int | None = None) -> None:
    """Write a PNG, whole or not at all.

    Args:
        image: what.
        path: where; its folder must exist.
        colours: write a palette of so many colours, up to 256: several times smaller, but it takes its time.
    """
    chosen = image if colours is None else image.quantize(colours)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        chosen.save(temporary, format="PNG", optimize=colours is not None)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
