"""Colours of the scene and of the lap picture: a track at night."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]  # not of racer_env.kernel: pictures of tracks need no compiler

Colour = tuple[int, int, int]

NIGHT: Colour = (12, 15, 21)
GRID: Colour = (21, 26, 35)
GLOW: Colour = (34, 42, 60)
ROAD: Colour = (44, 50, 62)
BORDER: Colour = (208, 214, 224)
DASH: Colour = (118, 112, 104)
ARROW: Colour = (120, 130, 146)
PANEL: Colour = (20, 24, 33)
RULE: Colour = (40, 47, 60)
TEXT: Colour = (236, 240, 246)
QUIET: Colour = (134, 146, 166)
ACCENT: Colour = (255, 92, 53)
OTHER: Colour = (104, 124, 156)
GOOD: Colour = (70, 196, 140)
WAIT: Colour = (240, 178, 60)
BAD: Colour = (255, 84, 104)

#: Slow to fast, ever lighter (CIE L* 46 to 94), so that the order is seen without a legend and in grey.
_RAMP = np.array(
    [
        (126, 81, 204),
        (182, 82, 190),
        (226, 92, 152),
        (249, 121, 108),
        (255, 158, 76),
        (252, 198, 70),
        (248, 240, 122),
    ],
    np.float64,
)


def ramp(share: Floats) -> Floats:
    """Give colours (k, 3), 0 to 255, of shares (k,) of the range; they are cut at 0 and 1."""
    at = np.clip(share, 0.0, 1.0) * (len(_RAMP) - 1)
    return np.stack([np.interp(at, np.arange(len(_RAMP)), _RAMP[:, k]) for k in range(3)], axis=1)


def ramp_colour(share: float) -> Colour:
    """Give the colour of one share."""
    red, green, blue = (round(c) for c in ramp(np.array([share]))[0].tolist())
    return red, green, blue


def lighter(colour: Colour, share: float) -> Colour:
    """Mix a colour with white, 0 (none) to 1 (only white)."""
    red, green, blue = (round(c + share * (255 - c)) for c in colour)
    return red, green, blue
