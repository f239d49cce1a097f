"""Words and numbers on pictures, in the font that comes with Pillow; its digits are all equally wide."""

from __future__ import annotations

import unicodedata
from functools import cache

from PIL import ImageDraw, ImageFont

from racer_env.render.palette import TEXT, Colour

DASH = "--:--.---"  #: a time that is not known


@cache
def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the font in a size, px."""
    return ImageFont.load_default(size)


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    words: str,
    size: float,
    colour: Colour = TEXT,
    *,
    anchor: str = "ls",
) -> None:
    """Write one line; `anchor` as Pillow has it, ``ls`` is the left end of the baseline."""
    draw.text(at, plain(words), font=font(size), fill=colour, anchor=anchor)


def plain(words: str) -> str:
    """Give words in letters that the font has: é becomes e, and what has no plain form, ?."""
    apart = "".join(c for c in unicodedata.normalize("NFD", words) if not unicodedata.combining(c))
    return "".join(c if c.isascii() or c in "·°" else "?" for c in apart)


def clock(milliseconds: int | None) -> str:
    """Give a lap time as minutes, seconds and milliseconds: ``00:08.400``."""
    if milliseconds is None:
        return DASH
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 60:02d}:{seconds % 60:02d}.{rest:03d}"
