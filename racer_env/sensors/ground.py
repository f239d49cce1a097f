"""The painted floor of a track as a picture from above, at several resolutions.

What is drawn and how wide, in metres: white borders 0.0762 inside the road's edge, a dashed centre line 0.0254 wide
with gaps and dashes of 0.0508, field all around (measured on the meshes of the original's bundle). Along the centre
line the gap comes first: recorded frames of re:Invent 2018, laid on the floor and averaged, have dashes that begin
0.050 m (deviation 0.004) after multiples of 0.1016 m, all the way round. The same frames show no start line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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
RIM = 2  #: coarsest texels around the walls: the widest pixel may reach as far beyond
ROAD, BORDER, DASH, FIELD = range(4)  #: what a place of the floor is
_FINER = 2  #: the floor is drawn this much finer and then averaged


@dataclass(frozen=True, eq=False)
class Layout:
    """What is where on the floor of a track, drawn a little beyond the walls."""

    image: Image.Image  #: `ROAD`, `BORDER`, `DASH` and `FIELD`, from the bottom
    origin: Floats  #: (2,) m, its corner
    walls: Floats  #: (4,) m: left, bottom, right, top


@dataclass(frozen=True, eq=False)
class Ground:
    """A floor in shades of one channel: level after level, each half as fine as the one before."""

    texels: npt.NDArray[np.uint32]  #: (t,) a texel, its right, its upper and its upper right one, a byte each
    first: Ints  #: (LEVELS,) where a level begins in `texels`
    size: Ints  #: (LEVELS, 2) rows and columns of a level


def lay_out(track: Track) -> Layout:
    """Draw the floor of a track."""
    walls = np.array(track.bounds) + np.array([-1.0, -1.0, 1.0, 1.0]) * WALL_DISTANCE
    coarsest = TEXEL * 2 ** (LEVELS - 1)  # every level divides exactly
    scale = _FINER / TEXEL
    width, depth = (math.ceil(side / coarsest + 2.0 * RIM) * coarsest for side in (walls[2:] - walls[:2]).tolist())
    origin = walls[:2] - RIM * coarsest
    return Layout(_draw(track, (round(width * scale), round(depth * scale)), origin, scale), origin, walls)


def paint(layout: Layout, shades: Sequence[int]) -> Ground:
    """Give `ROAD`, `BORDER`, `DASH` and `FIELD` their shades, 0 to 255."""
    image = layout.image.point([*shades, *[0] * (256 - len(shades))]).reduce(_FINER)
    levels = [np.asarray(image)]
    for _ in range(LEVELS - 1):
        image = image.reduce(2)
        levels.append(np.asarray(image))
    return Ground(
        texels=packed([widened(level) for level in levels]),
        first=np.cumsum([0, *(level.size for level in levels[:-1])]).astype(np.int64),
        size=np.array([level.shape for level in levels], np.int64),
    )


def packed(levels: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint32]:
    """Put each texel (r, c) and its neighbours to the right and above into one number, so that one look gets all.

    Args:
        levels: (r + 1, c + 1) each, as the last row and column have neighbours, too.
    """
    ends = np.cumsum([0, *((len(wide) - 1) * (wide.shape[1] - 1) for wide in levels)]).tolist()
    texels = np.empty(ends[-1], np.uint32)
    for wide, (begin, end) in zip(levels, pairwise(ends), strict=True):
        place = texels[begin:end].reshape(len(wide) - 1, -1)
        pairs = wide[:, :-1] | wide[:, 1:].astype(np.uint16) << 8
        np.left_shift(pairs[1:], 16, out=place, dtype=np.uint32)
        place |= pairs[:-1]
    return texels


def widened(level: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A level (r, c) that goes on as it ends, by a row and a column."""
    return np.pad(level, ((0, 1), (0, 1)), mode="edge")


def _draw(track: Track, size: tuple[int, int], origin: Floats, scale: float) -> Image.Image:
    def pixels(points: Floats) -> list[tuple[float, float]]:
        return [(x, y) for x, y in ((points - origin) * scale - 0.5).tolist()]

    inside = Image.new("1", size)
    draw = ImageDraw.Draw(inside)
    if track.closed:
        draw.polygon(pixels(track.outer), fill=1)
        draw.polygon(pixels(track.inner), fill=0)
    else:
        draw.polygon(pixels(np.concatenate((track.outer, track.inner[::-1]))), fill=1)
    road = Image.new("L", size, ROAD)
    draw = ImageDraw.Draw(road)
    for dash in _dashes(track):
        draw.polygon(pixels(dash), fill=DASH)
    for border in (track.inner, track.outer):
        draw.line(pixels(border), fill=BORDER, width=round(2 * BORDER_WIDTH * scale), joint="curve")
    floor = Image.new("L", size, FIELD)
    floor.paste(road, mask=inside)
    return floor


def _dashes(track: Track) -> Floats:
    """Corners (k, 4, 2) of the dashes of the centre line, less the half pixel that drawing adds on each side."""
    rim = 0.5 * TEXEL / _FINER
    station = np.arange(DASH_LENGTH, track.length, 2 * DASH_LENGTH)
    ends = [track.poses(np.minimum(station + along, track.length - 1e-9)) for along in (rim, DASH_LENGTH - rim)]
    half = 0.5 * DASH_WIDTH - rim
    normals = [half * np.stack((-np.sin(p[:, 2]), np.cos(p[:, 2])), axis=1) for p in ends]
    (a, b), (na, nb) = (p[:, :2] for p in ends), normals
    return np.stack((a + na, b + nb, b - nb, a - na), axis=1)
