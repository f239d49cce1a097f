"""A road from above: where it lies in a picture, and its surface, lines, start and direction.

World metres, x to the right and y up; pixels, x to the right and y down. Lines are drawn at least as wide as
can be seen, so they are wider than the real tape on a long track. Pillow does not smooth: draw larger, then
reduce.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from racer_env.render import palette
from racer_env.render.palette import Colour, Floats

BORDER_WIDTH, DASH_WIDTH, DASH, GAP = (
    0.0762,
    0.04,
    0.20,
    0.16,
)  #: m; borders as in the original, dashes to be seen
LEAST_BORDER, LEAST_DASH_WIDTH, LEAST_DASH = 1.6, 1.0, 4.5  #: px
CHECKERS = 3  #: columns of the start line


@dataclass(frozen=True)
class View:
    """Where the world is in a picture."""

    scale: float  #: px/m
    left: float  #: px, of the world's origin
    top: float

    def pixels(self, points: Floats) -> Floats:
        """Map points (k, 2) in metres to pixels (k, 2)."""
        mapped: Floats = points * [self.scale, -self.scale] + [self.left, self.top]
        return mapped

    def pixels_of(self, x: float, y: float) -> tuple[float, float]:
        """Map one point in metres to pixels."""
        return self.left + self.scale * x, self.top - self.scale * y

    def times(self, factor: float) -> View:
        """Give the same view of a picture `factor` times as large."""
        return View(self.scale * factor, self.left * factor, self.top * factor)


@dataclass(frozen=True)
class Paint:
    """What things are painted with."""

    field: Colour
    road: Colour
    border: Colour
    dash: Colour
    arrow: Colour
    black: Colour = (16, 16, 16)  #: of the start line


NIGHT = Paint(palette.NIGHT, palette.ROAD, palette.BORDER, palette.DASH, palette.ARROW)


def fit(route: Floats, box: tuple[float, float, float, float]) -> View:
    """Show a route (p, 6) as large as fits into a box (left, top, right, bottom) of pixels, in its middle."""
    borders = route[:, 2:].reshape(-1, 2)
    low, high = borders.min(axis=0), borders.max(axis=0)
    room = np.array([box[2] - box[0], box[3] - box[1]])
    scale = float(np.min(room / np.maximum(high - low, 1e-6)))
    x, y = (0.5 * (low + high)).tolist()
    return View(scale, 0.5 * (box[0] + box[2]) - scale * x, 0.5 * (box[1] + box[3]) + scale * y)


def draw_road(draw: ImageDraw.ImageDraw, route: Floats, view: View, paint: Paint, smoothing: float = 1.0) -> None:
    """Draw a route (p, 6) of centre, inner and outer border.

    Args:
        draw: on what.
        route: metres.
        view: of the picture as it is drawn.
        paint: its colours.
        smoothing: how many times the picture is reduced afterwards; lines that would vanish are made wider.
    """
    centre, inner, outer = route[:, 0:2], route[:, 2:4], route[:, 4:6]
    edge = max(BORDER_WIDTH, LEAST_BORDER * smoothing / view.scale)
    for shrink, colour in ((0.0, paint.border), (edge, paint.road)):
        left, right = (view.pixels(_towards(border, centre, shrink)) for border in (inner, outer))
        for i in range(len(route) - 1):
            draw.polygon(corners(np.array([left[i], left[i + 1], right[i + 1], right[i]])), fill=colour, outline=colour)
    _dashes(draw, view.pixels(centre), view.scale, paint.dash, smoothing)
    _start(draw, route, view, paint)
    _arrow(draw, centre, view, paint.arrow, smoothing)


def night_map(route: Floats, view: View, size: tuple[int, int], smoothing: int) -> Image.Image:
    """Draw a route (p, 6) at night: over a grid of metres, with a faint glow around the road."""
    image = Image.new("RGB", size, NIGHT.field)
    _grid(ImageDraw.Draw(image), view, size, smoothing)
    image.paste(palette.GLOW, mask=_glow(route, view, size))
    draw_road(ImageDraw.Draw(image), route, view, NIGHT, smoothing)
    return image


def corners(pixels: Floats) -> list[tuple[float, float]]:
    """Give pixels (k, 2) as Pillow takes them."""
    return [(x, y) for x, y in pixels.tolist()]


def _grid(draw: ImageDraw.ImageDraw, view: View, size: tuple[int, int], width: int) -> None:
    """Draw a line at every whole metre."""
    every_x = np.arange(math.ceil(-view.left / view.scale), (size[0] - view.left) / view.scale)
    every_y = np.arange(math.ceil((view.top - size[1]) / view.scale), view.top / view.scale)
    for at in (view.left + every_x * view.scale).tolist():
        draw.line([(at, 0), (at, size[1])], fill=palette.GRID, width=width)
    for at in (view.top - every_y * view.scale).tolist():
        draw.line([(0, at), (size[0], at)], fill=palette.GRID, width=width)


def _glow(route: Floats, view: View, size: tuple[int, int]) -> Image.Image:
    """Give a mask of the road that fades out over half a metre; made small, because it is soft."""
    shrink = 8
    mask = Image.new("L", (size[0] // shrink, size[1] // shrink))
    draw = ImageDraw.Draw(mask)
    small = view.times(1 / shrink)
    inner, outer = small.pixels(route[:, 2:4]), small.pixels(route[:, 4:6])
    for i in range(len(route) - 1):
        draw.polygon(corners(np.array([inner[i], inner[i + 1], outer[i + 1], outer[i]])), fill=255, outline=255)
    return mask.filter(ImageFilter.GaussianBlur(0.3 * small.scale)).resize(size, Image.Resampling.BICUBIC)


def _towards(border: Floats, centre: Floats, distance: float) -> Floats:
    """Move the points of a border (p, 2) towards the centre line by `distance`, at most onto it."""
    across = centre - border
    length = np.maximum(np.hypot(across[:, 0], across[:, 1]), 1e-9)
    moved: Floats = border + across * np.minimum(distance / length, 1.0)[:, None]
    return moved


def _dashes(draw: ImageDraw.ImageDraw, centre: Floats, scale: float, colour: Colour, smoothing: float) -> None:
    """Dash the centre line, in pixels (p, 2)."""
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(centre, axis=0).T))])
    dash = max(DASH * scale, LEAST_DASH * smoothing)
    width = round(max(DASH_WIDTH * scale, LEAST_DASH_WIDTH * smoothing))
    for begin in np.arange(0.0, travelled[-1], dash * (1.0 + GAP / DASH)):
        at = np.linspace(begin, min(begin + dash, travelled[-1]), 4)
        line = np.stack([np.interp(at, travelled, centre[:, k]) for k in (0, 1)], axis=1)
        draw.line(corners(line), fill=colour, width=width)


def _start(draw: ImageDraw.ImageDraw, route: Floats, view: View, paint: Paint) -> None:
    """Lay a chequered line across the road at the first row."""
    ahead = direction(route[:, 0:2])
    left = np.array([-ahead[1], ahead[0]])
    half = min(np.min(np.hypot(*(border - route[0, 0:2]).T)) for border in (route[:, 2:4], route[:, 4:6]))
    rows = 2 * max(2, round(2.0 * half / 0.24))
    cell = 2.0 * half / rows
    for i in range(rows):
        for j in range(CHECKERS):
            corner = route[0, 0:2] + left * (half - cell * i) + ahead * cell * (j - 0.5 * CHECKERS)
            square = corner + cell * np.array([0.0 * left, -left, ahead - left, ahead])
            draw.polygon(corners(view.pixels(square)), fill=paint.border if (i + j) % 2 else paint.black)


def _arrow(draw: ImageDraw.ImageDraw, centre: Floats, view: View, colour: Colour, smoothing: float) -> None:
    """Point along the road, a little after the start."""
    ahead = direction(centre)
    left = np.array([-ahead[1], ahead[0]])
    unit = max(0.16, 5.0 * smoothing / view.scale)
    tip = centre[0] + ahead * unit * 4.6
    shape = [(0, 0), (-1.5, 1.2), (-1.5, 0.42), (-3.2, 0.42), (-3.2, -0.42), (-1.5, -0.42), (-1.5, -1.2)]
    draw.polygon(corners(view.pixels(np.array([tip + unit * (x * ahead + y * left) for x, y in shape]))), fill=colour)


def direction(centre: Floats) -> Floats:
    """Unit vector of driving at the start of a centre line (p, 2)."""
    step: Floats = centre[np.argmax(np.any(centre != centre[0], axis=1))] - centre[0]
    unit: Floats = step / max(math.hypot(*step), 1e-12)
    return unit
