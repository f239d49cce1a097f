"""A driven line in the colours of its speed."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Bools, Floats
from racer_env.render.palette import ramp


def jumps(path: Floats, speed: Floats) -> Bools:
    """Tell for each step (k - 1,) of a path (k, 2) driven at `speed` (k,) whether the car was put back.

    It was where it came further than twice its speed after the step explains, for steps of a control period.
    """
    step = np.hypot(*np.diff(path, axis=0).T)
    put_back: Bools = step > 0.1 + 2.0 * speed[1:] / CONTROL_RATE
    return put_back


def draw_speed_line(
    draw: ImageDraw.ImageDraw,
    pixels: Floats,
    share: Floats,
    width: float,
    drawn: Bools,
    *,
    opacity: Floats | None = None,
) -> None:
    """Draw a line with round joints.

    Args:
        draw: on what, RGB, or RGBA if there is an opacity.
        pixels: the line (k, 2).
        share: of the speed's range (k,).
        width: px.
        drawn: which of its segments (k - 1,) are drawn.
        opacity: 0 to 255 of each segment (k - 1,).
    """
    whole = np.flatnonzero(drawn)
    span = np.diff(pixels, axis=0)
    parts = np.maximum(np.ceil(np.hypot(*span.T) / (3.0 * width)), 1).astype(np.int64)
    i = np.repeat(whole, parts[whole])  # the segment of each part, which has one colour
    nth = np.arange(len(i)) - np.repeat(np.cumsum(parts[whole]) - parts[whole], parts[whole])
    begin = pixels[i] + span[i] * (nth / parts[i])[:, None]
    end = begin + span[i] / parts[i][:, None]
    colours = ramp(share[i] + np.diff(share)[i] * (nth + 0.5) / parts[i]).round()
    if opacity is not None:
        colours = np.column_stack((colours, opacity[i]))
    r = 0.5 * (width - 1.0)
    for colour, (ax, ay), (bx, by) in zip(colours.astype(int).tolist(), begin.tolist(), end.tolist(), strict=True):
        draw.line([(ax, ay), (bx, by)], fill=tuple(colour), width=round(width))
        draw.ellipse((bx - r, by - r, bx + r, by + r), fill=tuple(colour))
