"""The painted floor of a track as a picture from above, at several resolutions.

What is drawn and how wide, in metres: white borders 0.0762 inside the road's edge, a dashed centre line 0.0254 wide
with gaps and dashes of 0.0508, field all around (spec/simulator.md 9.4, measured on the original's meshes). Along the
centre line the gap comes first: recorded frames of re:Invent 2018, laid on the floor and averaged, have dashes that
begin 0.050 m (deviation 0.004) after multiples of 0.1016 m, all the way round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from racer_env.kernel import Floats, Ints
from racer_env.track import Track

BORDER_WIDTH = 0.0762  #: m
DASH_WIDTH = 0.0254  #: m
DASH_LENGTH = 0.0508  #: m, and as long a gap, which comes first
WALL_DISTANCE = 0.91  #: m, from the outermost border point to the walls (re:Invent 2018: 0.90 to 0.92)
TEXEL = 0.005  #: m, side of a texel of the finest level
LEVELS = 8
_FINER = 2  #: the floor is drawn this much finer and then averaged


@dataclass(frozen=True)
class Palette:
    """Grey values, 0 to 255, of the classes that a camera can see."""

    road: int
    border: int
    dash: int
    field: int
    walls: tuple[int, int, int, int]  #: left, right, bottom and top of the world, seen from above
    sky: int


@dataclass(frozen=True)
class Ground:
    """A grey floor (flat, level after level), painted a little beyond the walls."""

    texels: npt.NDArray[np.uint8]  #: (t,) all levels, each row by row from the bottom
    first: Ints  #: (LEVELS,) where a level begins in `texels`
    size: Ints  #: (LEVELS, 2) rows and columns of a level
    origin: Floats  #: (2,) m, corner of the first texel of every level
    walls: Floats  #: (4,) m: left, bottom, right, top


def paint(track: Track, palette: Palette) -> Ground:
    """Paint a track's floor."""
    walls = np.array(track.bounds) + np.array([-1.0, -1.0, 1.0, 1.0]) * WALL_DISTANCE
    coarsest = TEXEL * 2 ** (LEVELS - 1)  # every level divides exactly, and the coarsest texels at the walls are whole
    scale = _FINER / TEXEL
    width, depth = (math.ceil(side / coarsest + 2.0) * coarsest for side in (walls[2:] - walls[:2]).tolist())
    origin = walls[:2] - coarsest
    image = _draw(track, palette, (round(width * scale), round(depth * scale)), origin, scale)
    levels = [np.asarray(image.reduce(_FINER))]
    for _ in range(LEVELS - 1):
        levels.append(np.asarray(Image.fromarray(levels[-1]).reduce(2)))
    return Ground(
        texels=np.concatenate([level.ravel() for level in levels]),
        first=np.cumsum([0, *(level.size for level in levels[:-1])]).astype(np.int64),
        size=np.array([level.shape for level in levels], np.int64),
        origin=origin,
        walls=walls,
    )


def _draw(track: Track, palette: Palette, size: tuple[int, int], origin: Floats, scale: float) -> Image.Image:
    def pixels(points: Floats) -> list[tuple[float, float]]:
        return [(x, y) for x, y in ((points - origin) * scale - 0.5).tolist()]

    road = Image.new("1", size)
    draw = ImageDraw.Draw(road)
    if track.closed:
        draw.polygon(pixels(track.outer), fill=1)
        draw.polygon(pixels(track.inner), fill=0)
    else:
        draw.polygon(pixels(np.concatenate((track.outer, track.inner[::-1]))), fill=1)
    paint = Image.new("L", size, palette.road)
    draw = ImageDraw.Draw(paint)
    for dash in _dashes(track):
        draw.polygon(pixels(dash), fill=palette.dash)
    for border in (track.inner, track.outer):
        draw.line(pixels(border), fill=palette.border, width=round(2 * BORDER_WIDTH * scale), joint="curve")
    floor = Image.new("L", size, palette.field)
    floor.paste(paint, mask=road)
    return floor


def _dashes(track: Track) -> Floats:
    """Corners (k, 4, 2) of the dashes of the centre line."""
    station = np.arange(DASH_LENGTH, track.length, 2 * DASH_LENGTH)
    ends = [track.poses(np.minimum(station + along, track.length - 1e-9)) for along in (0.0, DASH_LENGTH)]
    normals = [0.5 * DASH_WIDTH * np.stack((-np.sin(p[:, 2]), np.cos(p[:, 2])), axis=1) for p in ends]
    (a, b), (na, nb) = (p[:, :2] for p in ends), normals
    return np.stack((a + na, b + nb, b - nb, a - na), axis=1)
