"""What a pixel of the original's camera shows, told by its colour: road, border, dash, field, wall or sky.

A pixel is taken for the mixture of two neighbouring surfaces that explains its colour best, and belongs to the one it
has more of. Road and walls are both dark: walls are the greener ones, stand above everything lit, and alone reach
above the horizon. The colours are medians of surfaces seen in pictures recorded by the original on re:Invent 2018; on
worlds of other colours the rules do not hold. Far dashes, smaller than a pixel, are half lost in the JPEG's shared
colour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Classes = npt.NDArray[np.uint8]  #: numbers of `CLASSES`, (h, w)

CLASSES = ("road", "border", "dash", "field", "wall", "sky")
ROAD, BORDER, DASH, FIELD, WALL, SKY = range(len(CLASSES))

#: Red, green and blue of the surfaces; walls at the left, right, bottom and top of the world, seen from above.
COLOURS = {
    "road": (44, 55, 65),
    "border": (195, 196, 181),
    "dash": (181, 120, 39),
    "field": (98, 136, 101),
    "sky": (218, 218, 218),
}
WALL_COLOURS = ((29, 53, 57), (14, 33, 40), (11, 26, 31), (18, 37, 43))

#: Luma, 0 to 1 for each of red, green and blue, as the original's grey pictures have it.
LUMA = np.array([0.2989, 0.5870, 0.1140])

_PAIRS = (
    (COLOURS["road"], COLOURS["border"], ROAD, BORDER),
    (COLOURS["road"], COLOURS["dash"], ROAD, DASH),
    (COLOURS["border"], COLOURS["field"], BORDER, FIELD),
    *((wall, COLOURS["field"], WALL, FIELD) for wall in WALL_COLOURS),
)


def grey(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Make colours (..., 3) grey (...) as the original does: weighted, decimals cut."""
    return np.asarray(picture @ LUMA + 1e-6).astype(np.uint8)


def classify(picture: npt.NDArray[np.uint8], horizon: int = 0) -> Classes:
    """Tell the classes (h, w) of a picture (h, w, 3) whose first `horizon` rows look upwards."""
    colour = picture.astype(np.float32)
    classes = _explain(colour)
    red, green, blue = colour.transpose(2, 0, 1)
    luma = colour @ LUMA.astype(np.float32)
    sky = (blue > 206) & (red - blue < 8)
    rim = _touches(sky) & ~sky
    lit = ((classes == FIELD) | (classes == BORDER) | (classes == DASH)) & ~sky & ~rim
    lit[1:] &= lit[:-1].copy()  # one pixel may be noise
    lit[:horizon] = False
    below = np.maximum.accumulate(lit, axis=0)
    dark = (classes == ROAD) | (classes == WALL)
    wall = dark & ~below & ((red < 0.66 * green) | (luma < 36))
    wall[:horizon] |= dark[:horizon]
    classes[dark] = ROAD
    classes[wall] = WALL
    rim &= ~below
    classes[rim] = np.where(luma > 125, SKY, WALL)[rim]
    classes[sky] = SKY
    return classes


def _explain(colour: npt.NDArray[np.float32]) -> Classes:
    """Find the pair of surfaces nearest to each colour, and of the two the one that has more of the pixel."""
    nearest = np.full(colour.shape[:2], np.inf, np.float32)
    classes = np.zeros(colour.shape[:2], np.uint8)
    for first, second, one, other in _PAIRS:
        start = np.array(first, np.float32)
        way = np.array(second, np.float32) - start
        share = np.clip((colour - start) @ way / (way @ way), 0.0, 1.0)
        error = np.sum((colour - start - share[..., None] * way) ** 2, axis=-1)
        better = error < nearest
        nearest[better] = error[better]
        classes[better] = np.where(share > 0.5, other, one)[better]
    return classes


def _touches(sky: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark what lies up to two pixels below the sky, or beside it: mixtures of sky and wall look like others."""
    near = np.zeros_like(sky)
    near[1:] |= sky[:-1]
    near[2:] |= sky[:-2]
    near[:, 1:] |= sky[:, :-1]
    near[:, :-1] |= sky[:, 1:]
    return near
