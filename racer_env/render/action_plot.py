"""A polar plot of an action space: the angle is the steering, drawn twice as large, and the radius the speed."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES, ActionSpace, ContinuousActions
from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.render.palette import ramp_colour

SIZE = (900, 640)  #: px
_ORIGIN = (450.0, 566.0)  #: px, of speed 0
_RADIUS = 430.0  #: px, of the fastest speed on the plot
_WIDER = 2.0  #: times the real angle
_SMOOTHING = 3
_DOT = 11.0  #: px


def draw_actions(actions: ActionSpace, title: str) -> Image.Image:
    """Draw the actions: dots with their numbers, or the sector of a continuous space; left is left.

    What a command asks beyond the car's 30 degrees and 4 m/s is drawn beyond them.
    """
    fastest = max(MAX_SPEED, *actions.speed)
    widest = max(MAX_STEERING_DEGREES, *(abs(angle) for angle in actions.steering_degrees))
    spread = min(_WIDER, 90.0 / widest)
    image = Image.new("RGB", (SIZE[0] * _SMOOTHING, SIZE[1] * _SMOOTHING), palette.NIGHT)
    draw = ImageDraw.Draw(image)
    if isinstance(actions, ContinuousActions):
        _sector(draw, actions, fastest, spread)
    _grid(draw, fastest, spread)
    if not isinstance(actions, ContinuousActions):
        for angle, speed in zip(actions.steering_degrees, actions.speed, strict=True):
            _ray(draw, angle, speed, fastest, spread)
    image = image.reduce(_SMOOTHING)
    draw = ImageDraw.Draw(image)
    _labels(draw, fastest, spread)
    if not isinstance(actions, ContinuousActions):
        for i, (angle, speed) in enumerate(zip(actions.steering_degrees, actions.speed, strict=True)):
            write(draw, _place(angle, speed, fastest, spread), str(i), 12, palette.NIGHT, anchor="mm")
    write(draw, (32, 44), title, 22)
    return image


def _place(angle: float, speed: float, fastest: float, spread: float) -> tuple[float, float]:
    """Pixel of a command."""
    turn, radius = math.radians(spread * angle), _RADIUS * speed / fastest
    return _ORIGIN[0] - radius * math.sin(turn), _ORIGIN[1] - radius * math.cos(turn)


def _large(at: tuple[float, float]) -> tuple[float, float]:
    return at[0] * _SMOOTHING, at[1] * _SMOOTHING


def _arc(draw: ImageDraw.ImageDraw, radius: float, half: float) -> None:
    x, y, r = _ORIGIN[0] * _SMOOTHING, _ORIGIN[1] * _SMOOTHING, radius * _SMOOTHING
    draw.arc((x - r, y - r, x + r, y + r), 270.0 - half, 270.0 + half, fill=palette.RULE, width=_SMOOTHING)


def _grid(draw: ImageDraw.ImageDraw, fastest: float, spread: float) -> None:
    half = spread * MAX_STEERING_DEGREES
    for speed in range(1, math.floor(fastest) + 1):
        _arc(draw, _RADIUS * speed / fastest, half)
    for angle in range(-30, 31, 10):
        ends = [_large(_place(angle, speed, fastest, spread)) for speed in (0.0, fastest)]
        draw.line(ends, fill=palette.RULE, width=_SMOOTHING)


def _labels(draw: ImageDraw.ImageDraw, fastest: float, spread: float) -> None:
    for angle in range(-30, 31, 10):
        at = _place(angle, fastest * 1.05, fastest, spread)
        write(draw, at, f"{angle}°", 13, palette.QUIET, anchor="mm")
    for speed in range(1, math.floor(fastest) + 1):
        x, y = _place(-MAX_STEERING_DEGREES, speed, fastest, spread)
        write(draw, (x + 10, y + 18), f"{speed} m/s", 13, palette.QUIET)
    write(draw, (32, SIZE[1] - 28), "left", 14, palette.QUIET)
    write(draw, (SIZE[0] - 32, SIZE[1] - 28), "right", 14, palette.QUIET, anchor="rs")
    write(draw, (_ORIGIN[0], SIZE[1] - 28), "angle: steering, radius: speed", 14, palette.QUIET, anchor="ms")


def _ray(draw: ImageDraw.ImageDraw, angle: float, speed: float, fastest: float, spread: float) -> None:
    colour = ramp_colour(speed / fastest)
    x, y = _large(_place(angle, speed, fastest, spread))
    r = _DOT * _SMOOTHING
    draw.line([_large(_ORIGIN), (x, y)], fill=colour, width=2 * _SMOOTHING)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline=palette.NIGHT, width=_SMOOTHING)


def _sector(draw: ImageDraw.ImageDraw, actions: ContinuousActions, fastest: float, spread: float) -> None:
    """Fill what a continuous space allows, ring by ring in the colours of the speed."""
    angles = np.linspace(*actions.steering_degrees, 40).tolist()
    speeds = np.linspace(*actions.speed, 61)
    for inner, outer in zip(speeds[:-1].tolist(), speeds[1:].tolist(), strict=True):
        edge = [_large(_place(angle, outer, fastest, spread)) for angle in angles]
        back = [_large(_place(angle, inner, fastest, spread)) for angle in reversed(angles)]
        colour = ramp_colour(0.5 * (inner + outer) / fastest)
        draw.polygon(edge + back, fill=colour, outline=colour)
