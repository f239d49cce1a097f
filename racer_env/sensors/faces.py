"""Flat faces painted into a picture from front to back, each pixel by the share of it that they cover.

A face gets what those before it have left of a pixel. So neither the edges of things nor the seams between their faces
let shine through what is behind. Rows count from the top, columns from the left; pixel (r, k) covers r to r + 1 and
k to k + 1. Shares are exact along a row, and the mean of four lines across it. Where two faces that do not touch both
cover a part of a pixel, they are taken to cover different parts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env.kernel import Floats, Ints, kernel

Picture = npt.NDArray[np.uint8]

BANDS = 4  #: in which a row of pixels is measured
CORNERS = 5  #: of a quadrangle that has lost one


class Faces(NamedTuple):
    """Faces in a picture, front ones first."""

    rows: Floats  #: (f, 2) where they begin and end
    edges: Floats  #: (f, 5, 4) rows where they begin and end, column at row 0, columns for each row
    counts: Ints  #: (f,) of edges
    shades: Floats  #: (f, c) 0 to 255
    opacity: Floats  #: (f,) share of what is behind that they hide


class Span(NamedTuple):
    """Pixels of a row that a face covers: partly up to `full`, whole up to `broken`, and partly up to `end`."""

    first: int
    full: int
    broken: int
    end: int


@kernel
def room_for(count: int, channels: int) -> Faces:
    """Make room for faces in a picture of so many channels."""
    return Faces(
        np.empty((count, 2)),
        np.empty((count, CORNERS, 4)),
        np.empty(count, np.int64),
        np.empty((count, channels)),
        np.ones(count),
    )


@kernel
def add_face(spots: Floats, count: int, height: int, width: int, faces: Faces, f: int) -> bool:
    """Make face f, convex, of its corners (count, 2), row and column; tell whether it reaches into the picture."""
    top, bottom, leftmost, rightmost = math.inf, -math.inf, math.inf, -math.inf
    for j in range(count):
        one, other = (j, j - 1 if j > 0 else count - 1)
        if spots[one, 0] > spots[other, 0]:
            one, other = other, one
        slope = (spots[other, 1] - spots[one, 1]) / max(spots[other, 0] - spots[one, 0], 1e-12)
        edge = faces.edges[f, j]
        edge[0], edge[1] = spots[one, 0], spots[other, 0]
        edge[2], edge[3] = spots[one, 1] - slope * spots[one, 0], slope
        top, bottom = min(top, edge[0]), max(bottom, edge[1])
        leftmost, rightmost = min(leftmost, spots[j, 1]), max(rightmost, spots[j, 1])
    faces.counts[f] = count
    faces.rows[f, 0], faces.rows[f, 1] = top, bottom
    return rightmost > 0.0 and leftmost < width and bottom > 0.0 and top < height


@kernel
def paint(faces: Faces, count: int, picture: Picture) -> None:
    """Paint faces, front ones first, row by row."""
    height, width, channels = picture.shape
    left, steps, light = np.empty(width), np.zeros(width + 2), np.empty((channels, width))
    start, stop = np.inf, -np.inf
    for f in range(count):
        start, stop = min(start, faces.rows[f, 0]), max(stop, faces.rows[f, 1])
    for r in range(int(max(start, 0.0)), math.ceil(min(stop, float(height)))):
        left[:], light[:] = 1.0, 0.0
        first, end = width, 0
        for f in range(count):
            top, bottom = max(faces.rows[f, 0], float(r)), min(faces.rows[f, 1], r + 1.0)
            if top < bottom:
                span = _cover(faces.edges[f], faces.counts[f], top, bottom, steps)
                first, end = min(first, span.first), max(end, span.end)
                _lay(faces.shades[f], faces.opacity[f], span, steps, left, light)
        for channel in range(channels):
            for k in range(first, end):
                was = float(picture[r, k, channel])
                picture[r, k, channel] = int(min(left[k] * was + light[channel, k], 255.0) + 1e-6)


@kernel
def _cover(edges: Floats, count: int, top: float, bottom: float, steps: Floats) -> Span:
    """Measure how much a face covers of the pixels of a row in which it reaches from `top` to `bottom`.

    Adds to the steps (w + 2) how much more of each pixel it is than of the one before.
    """
    width = len(steps) - 2
    first, full, broken, end = width, 0, width, 0
    share = (bottom - top) / BANDS
    for band in range(BANDS):
        row = top + (band + 0.5) * share
        low, high = math.inf, -math.inf
        for j in range(count):
            if edges[j, 0] <= row < edges[j, 1]:
                column = edges[j, 2] + row * edges[j, 3]
                low, high = min(low, column), max(high, column)
        low, high = max(low, 0.0), min(high, float(width))
        if low >= high:
            full = width
            continue
        from_pixel, to_pixel = int(low), int(high)
        steps[from_pixel] += (from_pixel + 1 - low) * share
        steps[from_pixel + 1] += (low - from_pixel) * share
        steps[to_pixel] -= (to_pixel + 1 - high) * share
        steps[to_pixel + 1] -= (high - to_pixel) * share
        first, full = min(first, from_pixel), max(full, from_pixel + 2)
        broken, end = min(broken, to_pixel), max(end, min(to_pixel + 1, width))
    if share * BANDS < 1.0 or full >= broken:
        full, broken = end, end
    return Span(first, full, broken, end)


@kernel
def _lay(shades: Floats, opacity: float, span: Span, steps: Floats, left: Floats, light: Floats) -> None:
    """Give each pixel of a row the shade of a face for what it covers of what is left; clears the steps."""
    cover = _lay_edge(shades, opacity, span.first, span.full, 0.0, steps, left, light)
    for channel in range(len(shades)):
        for k in range(span.full, span.broken):
            light[channel, k] += opacity * left[k] * shades[channel]
    for k in range(span.full, span.broken):
        left[k] *= 1.0 - opacity
    _lay_edge(shades, opacity, span.broken, span.end, cover, steps, left, light)
    steps[span.end], steps[span.end + 1] = 0.0, 0.0


@kernel
def _lay_edge(
    shades: Floats, opacity: float, first: int, end: int, cover: float, steps: Floats, left: Floats, light: Floats
) -> float:
    for k in range(first, end):
        cover += steps[k]
        steps[k] = 0.0
        taken = min(opacity * max(cover, 0.0), left[k])
        left[k] -= taken
        for channel in range(len(shades)):
            light[channel, k] += taken * shades[channel]
    return cover
