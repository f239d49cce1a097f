"""Who is where in a race of several cars: a strip of colours, names, and how far behind the first they are."""

from __future__ import annotations

import math
from typing import NamedTuple

from PIL import Image, ImageDraw

from racer_env.render import palette
from racer_env.render.lettering import clock, font, write
from racer_env.render.palette import Colour, lighter
from racer_env.replay import Replay

_COLUMNS, _ROW, _MARGIN = 4, 32, 8  #: px
_SMOOTHING = 3
_DARK = 90  #: colours up to here are lost on the background, so that their dot gets a lighter rim


class Line(NamedTuple):
    """One car, in its place."""

    car: int
    says: str  #: time of who has finished, ``out``, or the way behind the first


def tower_height(cars: int) -> int:
    """Height of the strip, px; none for a car alone."""
    return 0 if cars == 1 else 2 * _MARGIN + _ROW * math.ceil(cars / _COLUMNS)


def standings(replay: Replay, frame: int) -> list[Line]:
    """Order the cars as they are in a frame: who has finished by time, then by the way driven in this run."""
    begin, last = next((b, e) for b, e in replay.runs if b <= frame < e)[0], frame
    lines: list[tuple[tuple[int, float], int, str]] = []
    for car in range(len(replay.names)):
        of = replay.driven[begin : last + 1, car]
        way = float(of.laps[-1]) + (0.01 * float(of.progress[-1]) if not of.lap_milliseconds[-1] else 0.0)
        finished = of.laps[-1] >= replay.header.race_laps
        time = int(of.lap_milliseconds.sum())
        out = not finished and (not of.present[-1])
        lines.append(((0, time) if finished else (1, -way), car, clock(time) if finished else "out" if out else ""))
    lines.sort()
    first = -lines[0][0][1] if lines[0][0][0] else float(replay.header.race_laps)
    return [Line(car, says or _behind(first + key[1], replay)) for key, car, says in lines]


def _behind(laps: float, replay: Replay) -> str:
    return f"-{laps * replay.track.length:.1f} m" if laps > 0.0 else "leads"


def car_colour(replay: Replay, car: int, followed: int | None) -> Colour:
    """The colour in which a car is drawn."""
    return palette.ACCENT if car == followed else whole_colour(replay.header.racers[car].colour)


def whole_colour(shares: tuple[float, float, float]) -> Colour:
    """A colour, 0 to 255, from shares of red, green and blue."""
    red, green, blue = (round(255.0 * share) for share in shares)
    return red, green, blue


def draw_tower(replay: Replay, frame: int, followed: int | None, width: int) -> Image.Image:
    """Draw the strip of a frame, `width` px wide."""
    height = tower_height(len(replay.names))
    image = Image.new("RGB", (width * _SMOOTHING, height * _SMOOTHING), palette.PANEL)
    lines, column = standings(replay, frame), width / _COLUMNS
    for k, line in enumerate(lines):
        x, y = (k % _COLUMNS) * column + 46, _MARGIN + _ROW * (k // _COLUMNS + 0.5)
        dot(ImageDraw.Draw(image), x, y, car_colour(replay, line.car, followed), _SMOOTHING)
    image = image.reduce(_SMOOTHING)
    draw = ImageDraw.Draw(image)
    for k, line in enumerate(lines):
        left, y = (k % _COLUMNS) * column, _MARGIN + _ROW * (k // _COLUMNS + 0.5)
        write(draw, (left + 16, y), str(k + 1), 15, palette.QUIET, anchor="lm")
        write(draw, (left + 60, y), cut(replay.names[line.car], 15, column - 160), 15, anchor="lm")
        write(draw, (left + column - 12, y), line.says, 13, palette.QUIET, anchor="rm")
    return image


def dot(draw: ImageDraw.ImageDraw, x: float, y: float, colour: Colour, smoothing: int) -> None:
    """Draw the round mark of a car, its middle at (x, y) of the picture as it will be."""
    r = 6.0
    box = tuple(smoothing * at for at in (x - r, y - r, x + r, y + r))
    rim = lighter(colour, 0.5) if max(colour) < _DARK else colour
    draw.ellipse(box, fill=colour, outline=rim, width=smoothing)


def cut(words: str, size: float, room: float) -> str:
    """Give as much of some words as there is room for, px."""
    if font(size).getlength(words) <= room:
        return words
    while words and font(size).getlength(words + "...") > room:
        words = words[:-1]
    return words + "..."
