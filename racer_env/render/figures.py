"""What stands and drives in a car's world, as figures seen from above: race cars, bot cars and boxes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from racer_env.bodies import Kind, blinking
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Records
from racer_env.render import palette
from racer_env.render.car_shape import car_picture, turned
from racer_env.render.palette import Colour, lighter
from racer_env.render.road import corners
from racer_env.simulator import Simulator

_SMOOTHING = 4


class Figure(NamedTuple):
    """One body of a world."""

    x: float  #: m, its middle
    y: float
    yaw: float  #: rad
    colour: Colour
    opacity: float = 1.0  #: 0 to 1
    steering: float = 0.0  #: rad, of a car's front wheels
    box: tuple[float, float] | None = None  #: m, length and width of what is not a car

    def picture(self, scale: float, turn: float = 0.0) -> Image.Image:
        """Draw it alone, RGBA, at `scale` px/m, turned left by `turn` rad, its middle in the middle."""
        if self.box:
            image = _box_picture(self.box, scale, round(math.degrees(self.yaw + turn)) % 360, self.colour)
        else:
            image = car_picture(scale, self.yaw + turn, self.steering, self.colour)
        if self.opacity == 1.0:
            return image
        faded = image.copy()
        faded.putalpha(image.getchannel("A").point(lambda alpha: round(alpha * self.opacity)))
        return faded


def figures(simulator: Simulator, car: int) -> Iterator[Figure]:
    """Give the figures of a car's world: what stands, what drives, and last the car itself, in its own bright colour.

    A race car that is out is not there any more, unless it is the one that is asked for.
    """
    cars = simulator.race.cars
    world = simulator.state.bodies[car // cars]
    for body in world[cars:]:
        if body.kind == Kind.BOX:
            yield Figure(body.x, body.y, body.yaw, _colour(body), box=(float(body.length), float(body.width)))
        elif body.kind != Kind.NONE:
            yield Figure(body.x, body.y, body.yaw, _colour(body))
    first = car // cars * cars
    for i in (*(i for i in range(first, first + cars) if i != car), car):
        m, body = simulator.state.motion[i], world[i - first]
        if body.kind != Kind.NONE or i == car:
            colour = palette.ACCENT if i == car else _colour(body)
            penalty = float(simulator.state.episode[i].pause) / CONTROL_RATE
            yield Figure(m.x, m.y, m.yaw, colour, float(blinking(penalty)), m.steering)


def _colour(body: Records) -> Colour:
    red, green, blue = (round(255.0 * min(max(float(body[name]), 0.0), 1.0)) for name in ("red", "green", "blue"))
    return red, green, blue


@lru_cache(maxsize=1000)
def _box_picture(size: tuple[float, float], scale: float, degrees: int, colour: Colour) -> Image.Image:
    """Draw a closed cardboard box: a lid with a lighter edge, and tape along it."""
    side = math.ceil(math.hypot(*size) * scale + 2.0) | 1
    canvas = Image.new("RGBA", (side * _SMOOTHING, side * _SMOOTHING), (*colour, 0))
    draw = ImageDraw.Draw(canvas)
    edge = max(0.02, 1.0 / scale)
    for length, width, paint in (
        (size[0], size[1], lighter(colour, 0.45)),
        (size[0] - 2.0 * edge, size[1] - 2.0 * edge, colour),
        (size[0] - 2.0 * edge, max(0.04, 1.0 / scale), lighter(colour, 0.25)),
    ):
        shape = 0.5 * np.array([(length, width), (-length, width), (-length, -width), (length, -width)])
        place = turned(shape, math.radians(degrees)) * [scale * _SMOOTHING, -scale * _SMOOTHING]
        draw.polygon(corners(place + 0.5 * side * _SMOOTHING), fill=paint)
    return canvas.reduce(_SMOOTHING)
