"""What a car can do at most, as a point that is pushed along and across: the limits of a minimum-time line."""

from __future__ import annotations

import math
from dataclasses import dataclass

GRAVITY = 9.81  #: m/s²


@dataclass(frozen=True)
class Limits:
    """A point mass with a friction ellipse and a top speed, that may have to steer like a car."""

    top_speed: float = 4.0  #: m/s
    grip_across: float = 0.5 * GRAVITY  #: m/s², most acceleration across the way; infinite: any
    grip_along: float = 0.5 * GRAVITY  #: m/s², most acceleration along it, faster or slower
    margin: float = 0.0  #: m, from the borders to the line at least; negative to go beyond them
    sharpest: float = math.inf  #: 1/m, sharpest curvature at a walking pace
    understeer: float = 0.0  #: s²/m², growth of the radius of full steering with speed squared, over that at rest
