"""What a car looks like from above: four big wheels, a shell with a windscreen, a stripe and a rear wing.

Frame of the car: x ahead, y left, metres, origin in the middle between the axles, as in `racer_env.car`.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from racer_env.kernel import Floats
from racer_env.render.palette import Colour, lighter

_SMOOTHING = 4
_SIZE = 0.44  #: m, side of the square in which any car fits at any heading

_WHEEL = np.array([(-0.034, -0.017), (-0.034, 0.017), (0.034, 0.017), (0.034, -0.017)])
_HUBS = ((0.082, 0.078), (0.082, -0.078), (-0.082, 0.078), (-0.082, -0.078))  #: front ones first
_SHELL = np.array(
    [(0.162, 0.03), (0.15, 0.05), (0.1, 0.058), (0.03, 0.052), (-0.03, 0.068), (-0.12, 0.07), (-0.15, 0.055)]
)
_OUTLINE = np.concatenate((_SHELL, _SHELL[::-1] * [1, -1]))
_INSIDE = [0.93, 0.84]  #: of the outline, within its rim
_DARK = 90  #: colours up to here would be lost on the road, so that their shell gets a lighter rim
_NOSE = np.array([(0.162, 0.078), (0.138, 0.088), (0.138, -0.088), (0.162, -0.078)])
_WING = np.array([(-0.128, 0.09), (-0.162, 0.09), (-0.162, -0.09), (-0.128, -0.09)])
_STRIPE = np.array([(0.162, 0.014), (-0.126, 0.014), (-0.126, -0.014), (0.162, -0.014)])
_WINDSCREEN = np.array([(0.052, 0.034), (0.012, 0.045), (0.012, -0.045), (0.052, -0.034)])
_REAR_WINDOW = np.array([(-0.05, 0.044), (-0.082, 0.036), (-0.082, -0.036), (-0.05, -0.044)])
_TYRE, _GLASS, _STRIPES = (8, 9, 12), (18, 22, 30), (250, 250, 250)


def car_picture(scale: float, yaw: float, steering: float, colour: Colour) -> Image.Image:
    """Draw a car alone, RGBA, its origin in the middle.

    Args:
        scale: px/m.
        yaw: rad, of the car in a picture whose y points up.
        steering: rad, of the front wheels, left positive.
        colour: of the shell.
    """
    side = math.ceil(_SIZE * scale) | 1  # odd, so that there is a middle pixel
    canvas = Image.new("RGBA", (side * _SMOOTHING, side * _SMOOTHING), (*colour, 0))
    draw = ImageDraw.Draw(canvas)
    large, middle = scale * _SMOOTHING, 0.5 * side * _SMOOTHING

    def fill(shape: Floats, paint: Colour) -> None:
        place = turned(shape, yaw) * [large, -large] + middle
        draw.polygon([(x, y) for x, y in place.tolist()], fill=paint)

    for i, hub in enumerate(_HUBS):
        fill(turned(_WHEEL, steering if i < 2 else 0.0) + hub, _TYRE)
    dark: Colour = (colour[0] // 2, colour[1] // 2, colour[2] // 2)
    fill(_NOSE, dark)
    fill(_OUTLINE, lighter(colour, 0.4) if max(colour) < _DARK else colour)
    fill(_OUTLINE * _INSIDE, colour)
    fill(_STRIPE, _STRIPES)
    fill(_WINDSCREEN, _GLASS)
    fill(_REAR_WINDOW, _GLASS)
    fill(_WING, dark)
    return canvas.reduce(_SMOOTHING)


@cache
def rough_car_picture(scale: float, sector: int, colour: Colour) -> Image.Image:
    """Draw a car with straight wheels at a heading of `sector` times 5 degrees; kept, for crowds of cars."""
    return car_picture(scale, math.radians(5.0 * sector), 0.0, colour)


def turned(shape: Floats, angle: float) -> Floats:
    """Turn points (k, 2) left by an angle, rad."""
    c, s = math.cos(angle), math.sin(angle)
    out: Floats = shape @ np.array([(c, s), (-s, c)])
    return out
