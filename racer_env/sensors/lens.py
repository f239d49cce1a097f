"""What each pixel of a camera looks along, and which lines on the floor a row of pixels sees.

Frame of a car: x ahead, y left, z up from the floor under the middle of the axles. The camera stands `ahead` along the
heading, `left` to its left and `above` the floor, and is tilted down by `pitch`. Pixels are square, the focal length in
pixels is ``0.5 * width / tan(0.5 * field_of_view)``, rows count from the top and columns from the left, and pixel k
spans k to k + 1. With v = (row - 0.5 * height) / focal and u = (column - 0.5 * width) / focal, a ray goes

* ``cos(pitch) - v * sin(pitch)`` ahead,
* ``sin(pitch) + v * cos(pitch)`` down and
* ``u`` to the right.

All rays of a row meet the floor on one line across the heading, so a row is sampled along that line. A row that covers
much depth is the mean of several such lines, spread as the filter that shrinks the picture weighs them: the original
renders 640 x 480 and shrinks it with Pillow's antialiasing triangle filter (``markov/environments``), OpenCV's linear
filter only looks at the middle half of a pixel. Rays that go up meet the plane of the wall tops in the same way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env.kernel import Floats, Ints
from racer_env.sensors.ground import LEVELS, TEXEL

WALL_HEIGHT = 1.0  #: m
FARTHEST = 30.0  #: m, floor and wall tops beyond are not sampled
SKY = -1  #: level of a line at the height of the wall tops

_MOST_LINES = 5  #: the original shrinks eight rows into one; more than five change pictures by less than 0.01 of 255
_DENSITY = 0.5  #: lines for each texel of depth
_SKY_LINES = 3


class Lens(NamedTuple):
    """The rays of a camera, row by row."""

    focal: float  #: pixels
    pitch: float  #: rad down
    above: float  #: m over the floor
    forward: Floats  #: (h,) ahead part of the rays through a row's middle
    down: Floats  #: (h,) down part
    first: Ints  #: (h + 1,) where the lines of a row begin
    ahead: Floats  #: (l,) m from the camera, of each line
    step: Floats  #: (l,) m from pixel to pixel along the line
    level: Ints  #: (l,) of the floor's picture, or `SKY`
    texel: Floats  #: (l,) m, side of that level's texels


class _Line(NamedTuple):
    ahead: float
    step: float
    level: int


def make_lens(
    size: tuple[int, int], field_of_view: float, above: float, pitch: float, antialiased: bool = True
) -> Lens:
    """Work out the lens of a camera.

    Args:
        size: width and height, pixels.
        field_of_view: rad, horizontal.
        above: m over the floor.
        pitch: rad down.
        antialiased: whether a pixel is a mean over two by two pixels (triangle), or over its middle (box).
    """
    width, height = size
    focal = 0.5 * width / math.tan(0.5 * field_of_view)
    v = (np.arange(height, dtype=np.float64) + 0.5 - 0.5 * height) / focal
    forward, down = np.cos(pitch) - v * np.sin(pitch), np.sin(pitch) + v * np.cos(pitch)
    spread = _triangle if antialiased else _middle
    lines = []
    for row in range(height):
        offsets = spread(_count(above, float(down[row]), focal, antialiased)) / focal
        ways = [
            (forward[row] - offset * math.sin(pitch), down[row] + offset * math.cos(pitch))
            for offset in offsets.tolist()
        ]
        lines.append([line for ahead, fall in ways if (line := _line(above, ahead, fall, focal, antialiased))])
    flat = [line for of_row in lines for line in of_row]
    return Lens(
        focal,
        pitch,
        above,
        forward,
        down,
        np.cumsum([0, *map(len, lines)]).astype(np.int64),
        np.array([line.ahead for line in flat]),
        np.array([line.step for line in flat]),
        np.array([line.level for line in flat], np.int64),
        np.array([TEXEL * 2.0**line.level for line in flat]),
    )


def _count(above: float, down: float, focal: float, antialiased: bool) -> int:
    """How many lines a row needs: as many as it covers texels of depth."""
    if down <= 0.0:
        return _SKY_LINES
    step = above / down / focal
    depth = step / down * (1.0 if antialiased else 0.5)
    return min(max(round(_DENSITY * depth / max(step, TEXEL)), 1), _MOST_LINES)


def _line(above: float, forward: float, down: float, focal: float, antialiased: bool) -> _Line | None:
    """Where rays meet the floor or, upwards, the plane of the wall tops; None where that is too far away."""
    drop = above if down > 0.0 else above - WALL_HEIGHT
    if down == 0.0 or not 0.0 <= drop * forward / down <= FARTHEST:
        return None
    step = drop / down / focal
    if down < 0.0:
        return _Line(drop * forward / down, step, SKY)
    texels = (step if antialiased else 0.5 * step) / TEXEL
    return _Line(drop * forward / down, step, min(max(round(math.log2(texels)), 0), LEVELS - 1))


def _triangle(count: int) -> npt.NDArray[np.float64]:
    """Spread lines over the two pixels that a triangle filter reaches, as dense as it weighs."""
    share = (np.arange(count) + 0.5) / count
    return np.where(share < 0.5, np.sqrt(2 * share) - 1, 1 - np.sqrt(2 * (1 - share)))


def _middle(count: int) -> npt.NDArray[np.float64]:
    """Spread lines over the middle half of a pixel."""
    return (np.arange(count) + 0.5) / count * 0.5 - 0.25
