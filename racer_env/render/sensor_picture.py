"""Pictures of what sensors tell: camera pictures, LiDAR readings around the car, numbers as bars and places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from racer_env.kernel import Floats
from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.render.lidar_picture import draw_lidar_disc, is_lidar
from racer_env.render.observation import is_camera, newest
from racer_env.sensors import Sensor
from racer_env.sensors.objects import BODIES
from racer_env.sensors.state import POINTS

NUMBERS = ("offset", "sin", "cos", "speed", "steering", "yaw rate")  #: the first ones of ``STATE``
_SMOOTHING = 3


def draw_observation(sensor: Sensor, values: npt.NDArray[Any], size: tuple[int, int]) -> Image.Image:
    """Draw one observation, as large as `size` px; the numbers of a sensor that is not known here as plain bars."""
    if is_camera(sensor):
        return draw_frame(newest(sensor, values), size)
    picture = Image.new("RGB", size, palette.PANEL)
    if is_lidar(sensor):
        disc = draw_lidar_disc(sensor, values, min(size))
        picture.paste(disc, ((size[0] - disc.width) // 2, (size[1] - disc.height) // 2), disc)
    else:
        numbers = np.asarray(newest(sensor, values), np.float64).ravel()
        draw = {"STATE": _draw_state, "OBJECTS": _draw_objects}.get(sensor.name, _draw_bars)
        draw(picture, numbers)
    return picture


def draw_frame(frame: npt.NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """Draw a camera's picture (h, w, channels): grey, colours, or the left one of two in red and the right in cyan."""
    channels = frame.shape[2]
    order = {1: (0,), 2: (0, 1, 1), 3: (0, 1, 2)}.get(channels, (channels - 1,))
    shown = np.ascontiguousarray(frame[:, :, order if len(order) > 1 else order[0]])
    return Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC).convert("RGB")


def _draw_state(picture: Image.Image, values: Floats) -> None:
    """Draw six bars from their middle, and the points of the road ahead."""
    draw = ImageDraw.Draw(picture)
    left, right, row = 74, picture.width - 84, (picture.height - 16) / len(NUMBERS)
    middle = 0.5 * (left + right)
    for k, name in enumerate(NUMBERS):
        y = 8 + row * (k + 0.5)
        end = middle + float(values[k]) * 0.5 * (right - left)
        write(draw, (left - 8, y), name, 12, palette.QUIET, anchor="rm")
        draw.rectangle((left, y - 4, right, y + 4), fill=palette.RULE)
        draw.rectangle((min(middle, end), y - 4, max(middle, end), y + 4), fill=palette.ACCENT)
        draw.line([(middle, y - 6), (middle, y + 6)], fill=palette.QUIET)
    picture.paste(_road_ahead(values[len(NUMBERS) :].reshape(POINTS, 2), (68, picture.height - 16)), (right + 8, 8))


def _draw_objects(picture: Image.Image, values: Floats) -> None:
    """Draw bodies where they are seen from the car's front, ahead being up, with a line as long as they are fast."""
    large = Image.new("RGB", (picture.width * _SMOOTHING, picture.height * _SMOOTHING), palette.PANEL)
    draw = ImageDraw.Draw(large)
    scale, x, y = 0.8 * large.height, 0.5 * large.width, 0.86 * large.height
    for share in (0.25, 0.5, 0.75, 1.0):
        r = share * scale
        draw.arc((x - r, y - r, x + r, y + r), 180, 360, fill=palette.RULE, width=_SMOOTHING)
    for there, ahead, left, speed, solid in values.reshape(BODIES, -1).tolist():
        if there:
            px, py, r = x - scale * left, y - scale * ahead, 5.0 * _SMOOTHING
            paint = palette.BAD if solid else palette.QUIET
            draw.rectangle((px - r, py - r, px + r, py + r), fill=paint)
            draw.line([(px, py), (px, py - r - scale * speed)], fill=paint, width=2 * _SMOOTHING)
    _arrowhead(draw, x, y)
    picture.paste(large.reduce(_SMOOTHING))


def _draw_bars(picture: Image.Image, values: Floats) -> None:
    """Draw numbers as bars beside each other, up or down from the middle; the largest fills the picture."""
    draw = ImageDraw.Draw(picture)
    middle, wide = 0.5 * picture.height, (picture.width - 16) / len(values)
    most = max(float(np.abs(values).max()), 1e-9)
    for k, value in enumerate(values.tolist()):
        end, left = middle - value / most * (middle - 8), 8 + k * wide
        draw.rectangle((left, min(end, middle), left + max(wide - 2, 1), max(end, middle)), fill=palette.ACCENT)


def _road_ahead(points: Floats, size: tuple[int, int]) -> Image.Image:
    """Draw points (10, 2) ahead and left of the car, 1 as far as the road is known, ahead being up."""
    large = Image.new("RGB", (size[0] * _SMOOTHING, size[1] * _SMOOTHING), palette.NIGHT)
    draw = ImageDraw.Draw(large)
    scale, x, y = 0.86 * large.height, 0.5 * large.width, 0.95 * large.height
    places = [(x - scale * left, y - scale * ahead) for ahead, left in points.tolist()]
    draw.line([(x, y), *places], fill=palette.ROAD, width=2 * _SMOOTHING)
    for px, py in places:
        r = 2.2 * _SMOOTHING
        draw.ellipse((px - r, py - r, px + r, py + r), fill=palette.TEXT)
    _arrowhead(draw, x, y)
    return large.reduce(_SMOOTHING)


def _arrowhead(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    """Mark where the car is, heading up."""
    r = 4.0 * _SMOOTHING
    draw.polygon([(x + r * math.sin(a), y - r * math.cos(a)) for a in (0.0, 2.5, 3.8)], fill=palette.ACCENT)
