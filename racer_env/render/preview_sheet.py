"""A contact sheet of what a driver would do: pictures as its network sees them, with steering and throttle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from racer_env.bundle import Bundle
from racer_env.car import DiscreteActions
from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.render.palette import ramp_colour
from racer_env.vehicle.preview import Glimpse

CELLS, COLUMNS = 24, 6
_WIDTH, _HEIGHT, _FOOT = 240, 180, 62  #: px, of a picture and of what is told below it
_GAP, _HEAD = 12, 46  #: px
_FULL_LOCK = 60.0  #: degrees that the needle leans at full steering


def draw_preview(bundle: Bundle, glimpses: Sequence[Glimpse], title: str) -> Image.Image:
    """Draw up to 24 pictures, evenly spread over what was seen."""
    count = min(CELLS, len(glimpses))
    chosen = [glimpses[i] for i in ((np.arange(count) + 0.5) * len(glimpses) / count).astype(int)]
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    size = (_GAP + columns * (_WIDTH + _GAP), _HEAD + rows * (_HEIGHT + _FOOT + _GAP))
    sheet = Image.new("RGB", size, palette.NIGHT)
    draw = ImageDraw.Draw(sheet)
    write(draw, (_GAP, _HEAD - 16), title, 17)
    for k, glimpse in enumerate(chosen):
        at = _GAP + k % columns * (_WIDTH + _GAP), _HEAD + k // columns * (_HEIGHT + _FOOT + _GAP)
        sheet.paste(Image.fromarray(glimpse.seen[..., 0]).resize((_WIDTH, _HEIGHT), Image.Resampling.NEAREST), at)
        _needle(draw, at, glimpse)
        _foot(draw, at, glimpse, _words(bundle, glimpse))
    return sheet


def _words(bundle: Bundle, glimpse: Glimpse) -> str:
    space = bundle.metadata.actions
    if not isinstance(space, DiscreteActions):
        steering, speed = space.commands(bundle.actions(glimpse.policy[None]))[0]
        return f"{_signed(steering)}°  {speed:.1f} m/s"
    i = glimpse.action
    chosen = f"{i}: {_signed(space.steering_degrees[i])}°  {space.speed[i]:.1f} m/s"
    return f"{chosen}  ({glimpse.policy[i]:.0%})"


def _signed(number: float) -> str:
    """A whole number with its sign, which 0 does not have."""
    return f"{round(number):+d}" if round(number) else "0"


def _needle(draw: ImageDraw.ImageDraw, at: tuple[int, int], glimpse: Glimpse) -> None:
    """Draw where the wheels point, from the middle of the picture's lower edge; longer for more throttle."""
    lean = math.radians(_FULL_LOCK * min(max(glimpse.motion.steering, -1.0), 1.0))
    length = 30.0 + 70.0 * max(glimpse.motion.throttle, 0.0)
    x, y = at[0] + _WIDTH / 2, at[1] + _HEIGHT - 6
    end = (x - length * math.sin(lean), y - length * math.cos(lean))
    draw.line([(x, y), end], fill=palette.NIGHT, width=8)
    draw.line([(x, y), end], fill=ramp_colour(glimpse.motion.throttle), width=4)


def _foot(draw: ImageDraw.ImageDraw, at: tuple[int, int], glimpse: Glimpse, words: str) -> None:
    left, y = at[0], at[1] + _HEIGHT
    right = left + _WIDTH
    write(draw, (left, y + 20), words, 14)
    write(draw, (right, y + 20), glimpse.name[:14], 11, palette.QUIET, anchor="rs")
    middle = left + _WIDTH / 2
    draw.rectangle((left, y + 29, right, y + 35), fill=palette.RULE)
    end = middle - glimpse.motion.steering * _WIDTH / 2
    draw.rectangle((min(middle, end), y + 29, max(middle, end), y + 35), fill=palette.ACCENT)
    write(draw, (left, y + 53), "steering", 11, palette.QUIET)
    told = f"{_signed(100 * glimpse.motion.steering)} %    throttle {100 * glimpse.motion.throttle:.0f} %"
    write(draw, (right, y + 53), told, 11, palette.QUIET, anchor="rs")
