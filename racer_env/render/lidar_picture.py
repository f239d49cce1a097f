"""What a LiDAR tells, drawn around the car from above: lengths as a fan, sectors as slices that light up."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from racer_env.kernel import Bools, Floats
from racer_env.render import palette
from racer_env.render.car_shape import car_picture
from racer_env.render.observation import newest, unwrapped
from racer_env.render.palette import Colour
from racer_env.render.road import corners
from racer_env.sensors import Sensor
from racer_env.sensors.lidar import AHEAD, CLIP, HALF_FIELD, NEAR, RAYS, SECTORS, Lidar, NearSectors, Reading, Steps

_SMOOTHING = 3
_STEP = 2.0 * HALF_FIELD / (RAYS - 1)  #: rad from ray to ray
_SEEN, _RIM = (86, 156, 214), (70, 84, 108)
_FAINT, _CLEAR, _LIT = 26, 70, 210  #: opacity of what is near nothing, of the fan, and of what is near something


def is_lidar(sensor: Sensor) -> bool:
    """Tell whether a sensor is a LiDAR, imperfect or not."""
    return isinstance(unwrapped(sensor), Lidar)


def reach_of(reading: Reading) -> float:
    """How far a reading tells of things, m."""
    if isinstance(reading, Steps):
        return reading.config.clipping_dist
    return NEAR if isinstance(reading, NearSectors) else CLIP


def draw_lidar(lidar: Sensor, values: Floats, scale: float, yaw: float) -> Image.Image:
    """Draw one reading, RGBA, the car's middle in the middle; the car itself is left out.

    Args:
        lidar: the sensor.
        values: one observation of it; of several, the newest is drawn.
        scale: px/m.
        yaw: rad, of the car in a picture whose y points up.
    """
    reading, values = _reading(lidar), newest(lidar, values)
    side = math.ceil(2.0 * (reach_of(reading) + AHEAD) * scale + 6.0) | 1
    canvas = Image.new("RGBA", (side * _SMOOTHING, side * _SMOOTHING), (*_SEEN, 0))
    draw = ImageDraw.Draw(canvas)
    pen = _Pen(draw, 0.5 * side * _SMOOTHING, scale * _SMOOTHING, yaw)
    if isinstance(reading, Steps):
        config = reading.config
        _slices(pen, values.reshape(config.num_sectors, -1) > 0.5, config.clipping_dist)
    elif isinstance(reading, NearSectors):
        _slices(pen, values.reshape(SECTORS, 1) > 0.5, NEAR)
    else:
        _fan(pen, values)
    return canvas.reduce(_SMOOTHING)


def draw_lidar_disc(lidar: Sensor, values: Floats, size: int) -> Image.Image:
    """Draw one reading around its car, which heads up, on a dark disc `size` px wide, RGBA."""
    scale = (0.5 * size - 3.0) / (reach_of(_reading(lidar)) + AHEAD)
    disc = Image.new("RGBA", (size * _SMOOTHING, size * _SMOOTHING))
    ImageDraw.Draw(disc).ellipse((0, 0, size * _SMOOTHING - 1, size * _SMOOTHING - 1), fill=(*palette.NIGHT, 225))
    disc = disc.reduce(_SMOOTHING)
    up = 0.5 * math.pi
    for picture in (draw_lidar(lidar, values, scale, up), car_picture(scale, up, 0.0, palette.ACCENT)):
        place = tuple(round(0.5 * (size - side)) for side in picture.size)
        disc.alpha_composite(_cut(picture, place), (max(place[0], 0), max(place[1], 0)))
    return disc


def _reading(lidar: Sensor) -> Reading:
    inner = unwrapped(lidar)
    if not isinstance(inner, Lidar):
        raise TypeError(f"{lidar.name} is no LiDAR")
    return inner.reading


class _Pen:
    """Draws in polar coordinates around the scanner, a little ahead of the picture's middle."""

    def __init__(self, draw: ImageDraw.ImageDraw, middle: float, scale: float, yaw: float):
        self.draw, self.scale, self.yaw = draw, scale, yaw
        self.origin = np.array([middle + scale * AHEAD * math.cos(yaw), middle - scale * AHEAD * math.sin(yaw)])

    def pixels(self, angles: Floats, lengths: Floats) -> Floats:
        """Where rays (k,) at angles from straight ahead, left positive, end after lengths in m: (k, 2)."""
        turned = angles + self.yaw
        out: Floats = self.origin + self.scale * lengths[:, None] * np.stack((np.cos(turned), -np.sin(turned)), axis=1)
        return out

    def area(self, edge: Floats, colour: Colour, opacity: int, rim: Colour | None = None) -> None:
        """Fill what pixels (k, 2) enclose."""
        self.draw.polygon(
            corners(edge), fill=(*colour, opacity), outline=(*rim, 255) if rim else None, width=_SMOOTHING
        )


def _fan(pen: _Pen, lengths: Floats) -> None:
    """Fill what the rays (64,) cross, and mark where they meet something."""
    angles = math.pi + np.linspace(-HALF_FIELD, HALF_FIELD, RAYS)
    ends = pen.pixels(angles, lengths)
    pen.area(np.concatenate(([pen.origin], ends)), _SEEN, _FAINT)
    for (x, y), length in zip(ends.tolist(), lengths.tolist(), strict=True):
        met = length < CLIP
        colour = (*palette.BAD, 255) if met else (*_RIM, 255)
        if met:
            pen.draw.line([*corners(pen.origin[None]), (x, y)], fill=(*palette.BAD, _CLEAR), width=_SMOOTHING)
        r = (2.0 if met else 1.0) * _SMOOTHING
        pen.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def _slices(pen: _Pen, lit: Bools, reach: float) -> None:
    """Draw sectors and steps (s, v), of which some are lit, from the inner step to the outer one."""
    for edge, is_lit in sorted(_cells(pen, lit, reach), key=lambda cell: cell[1]):
        pen.area(edge, palette.BAD if is_lit else _SEEN, _LIT if is_lit else _FAINT, _RIM)


def _cells(pen: _Pen, lit: Bools, reach: float) -> Iterator[tuple[Floats, bool]]:
    sectors, steps = lit.shape
    wide = RAYS // sectors * _STEP
    for j in range(sectors):
        arc = math.pi - HALF_FIELD - 0.5 * _STEP + wide * (j + np.linspace(0.0, 1.0, 9))
        for k in range(steps):
            near, far = (np.full(9, reach * share / steps) for share in (k, k + 1))
            yield np.concatenate((pen.pixels(arc, near), pen.pixels(arc[::-1], far))), bool(lit[j, k])


def _cut(picture: Image.Image, place: tuple[int, ...]) -> Image.Image:
    """Leave away what would lie above or left of the place it is put on."""
    return picture.crop((max(-place[0], 0), max(-place[1], 0), *picture.size))
