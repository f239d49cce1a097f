"""How a picture comes about: floor, walls and sky, row by row, in shades of one channel.

A row is sampled along its lines (`racer_env.sensors.lens`), between four texels each. Where a line ends at a wall, the
pixel is shared as the edge cuts it. Four walls of constant shades surround the floor and end at 1 m; the ends of a wall
share a pixel in the same way. A reflection of the sun veils the floor: every shade is drawn towards that of the light,
by a share that follows Blinn's law of the ray's direction, along a row a parabola through three rays.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env.kernel import COMPILED, Floats, Ints, kernel
from racer_env.sensors.lens import SKY, Lens

Picture = npt.NDArray[np.uint8]  #: (h, w)

ONE = 65536.0  #: one texel in fixed point
BAND = 4  #: rows that share a reflection
_narrow: Any = np.int32 if COMPILED else int  # 32 bits are what vector units do fast
_bits: Any = np.uint32 if COMPILED else int
_single: Any = np.float32 if COMPILED else float


class Scene(NamedTuple):
    """A world in shades of one channel, 0 to 255."""

    texels: npt.NDArray[np.uint32]  #: as in `racer_env.sensors.ground.Ground`
    first: Ints
    size: Ints
    origin: Floats  #: (2,) m, corner of the first texel
    bounds: Floats  #: (4,) m, left, bottom, right and top wall
    walls: Floats  #: (4,) left, right, bottom and top
    sky: float
    glare: float  #: of the sun's reflection
    sun: Floats  #: (3,) unit vector towards it
    reflection: float  #: share of the glare in what is seen where the floor mirrors the sun


class _Eye(NamedTuple):
    """Where a camera is, and the unit vector along which it looks."""

    x: float
    y: float
    c: float
    s: float


@kernel
def _span(start: float, step: float, high: float, low_end: float, high_end: float) -> tuple[float, float]:
    """Narrow the stretch [low_end, high_end] to where 0 <= start + p * step <= high."""
    if step == 0.0:
        return (low_end, high_end) if 0.0 <= start <= high else (low_end, low_end)
    low, up = -start / step, (high - start) / step
    if step < 0.0:
        low, up = up, low
    low = min(max(low, low_end), high_end)
    return low, max(min(up, high_end), low)


@kernel
def _see_lines(eye: _Eye, lens: Lens, scene: Scene, width: int, spans: Floats, ways: Floats) -> None:
    """Find where each line lies between the walls, and its way over the floor's picture.

    Writes into `spans` (l, 2) its ends in pixels and into `ways` (l, 4) the texel, column and row, of the first pixel's
    middle and the step to the next one.
    """
    left, bottom, right, top = scene.bounds
    for line in range(len(spans)):
        step, ahead = lens.step[line], lens.ahead[line]
        across = -0.5 * width * step
        x, y = eye.x + eye.c * ahead + eye.s * across, eye.y + eye.s * ahead - eye.c * across  # its left end
        step_x, step_y = eye.s * step, -eye.c * step
        low, up = _span(x - left, step_x, right - left, 0.0, float(width))
        spans[line, 0], spans[line, 1] = _span(y - bottom, step_y, top - bottom, low, up)
        texel = lens.texel[line]
        ways[line, 0] = (x + 0.5 * step_x - scene.origin[0]) / texel - 0.5
        ways[line, 1] = (y + 0.5 * step_y - scene.origin[1]) / texel - 0.5
        ways[line, 2], ways[line, 3] = step_x / texel, step_y / texel


@kernel
def _sample(
    way: Floats,
    first: int,
    offset: int,
    columns: int,
    texels: npt.NDArray[np.uint32],
    at: npt.NDArray[np.uint32],
    seen: npt.NDArray[np.uint32],
    shades: npt.NDArray[np.int32],
) -> None:
    """Add the shades along a way over a level of the floor's picture, between four texels each, in fixed point."""
    step_c, step_r = _narrow(int(way[2] * ONE)), _narrow(int(way[3] * ONE))
    c, r = _narrow(int((way[0] + first * way[2]) * ONE)), _narrow(int((way[1] + first * way[3]) * ONE))
    start, wide, eight, sixteen, byte = _narrow(offset), _narrow(columns), _narrow(8), _narrow(16), _narrow(255)
    pc, pr = c, r
    for k in range(len(at)):
        at[k] = _narrow(start + _narrow(_narrow(_narrow(pr >> sixteen) * wide) + _narrow(pc >> sixteen)))
        pc, pr = _narrow(pc + step_c), _narrow(pr + step_r)
    for k in range(len(at)):
        seen[k] = texels[at[k]]
    pc, pr = c, r
    for k in range(len(seen)):
        fc = _bits(_bits(pc >> eight) & _bits(255))
        fr = _narrow(_narrow(pr >> eight) & byte)
        left, right = _bits(seen[k] & _bits(0xFF00FF)), _bits(_bits(seen[k] >> _bits(8)) & _bits(0xFF00FF))
        mixed = _bits(_bits(left * _bits(_bits(256) - fc)) + _bits(right * fc))  # the upper ones 16 bits above
        low, high = _narrow(_bits(mixed & _bits(0xFFFF))), _narrow(_bits(mixed >> _bits(16)))
        shades[k] += _narrow(_narrow(low << eight) + _narrow(fr * _narrow(high - low)))
        pc, pr = _narrow(pc + step_c), _narrow(pr + step_r)


@kernel
def _wall(eye: _Eye, right: float, scene: Scene) -> float:
    """Shade of the wall that a ray meets, for its way to the right for each metre ahead."""
    dx, dy = eye.c + eye.s * right, eye.s - eye.c * right
    side = (scene.bounds[2] if dx > 0.0 else scene.bounds[0]) - eye.x
    end = (scene.bounds[3] if dy > 0.0 else scene.bounds[1]) - eye.y
    if abs(side) * abs(dy) < abs(end) * abs(dx):
        return float(scene.walls[1] if dx > 0.0 else scene.walls[0])
    return float(scene.walls[3] if dy > 0.0 else scene.walls[2])


@kernel
def _see_corners(eye: _Eye, scene: Scene, corners: Floats, shades: Floats) -> int:
    """Find the corners ahead, from left to right, and the walls left of each and right of the last.

    Writes the corners' ways to the right for each metre ahead into `corners` (4,) and the walls' shades into `shades`
    (5,); gives the number of corners.
    """
    count = 0
    for k in range(4):
        dx, dy = scene.bounds[2 * (k % 2)] - eye.x, scene.bounds[1 + 2 * (k // 2)] - eye.y
        ahead, right = eye.c * dx + eye.s * dy, eye.s * dx - eye.c * dy
        if ahead > 1e-6:
            corners[count] = right / ahead
            count += 1
    corners[:count].sort()
    for k in range(count + 1):
        low = corners[k - 1] if k > 0 else corners[0] - 1.0
        high = corners[k] if k < count else low + 2.0
        shades[k] = _wall(eye, 0.5 * (low + high) if count else 0.0, scene)
    return count


@kernel
def _see_walls(stretch: float, corners: Floats, shades: Floats, count: int, beyond: npt.NDArray[np.float32]) -> None:
    """Write the shades of the walls along a row whose pixels are `stretch` to a metre right for each ahead."""
    width, start = len(beyond), 0
    for k in range(count):
        edge = min(max(0.5 * width + stretch * corners[k], 0.0), float(width))
        cut = int(edge)
        beyond[start:cut] = shades[k]
        start = cut
        if cut < width:
            beyond[cut] = shades[k + 1] + (edge - cut) * (shades[k] - shades[k + 1])
            start = cut + 1
    beyond[start:] = shades[count]


@kernel
def _see_sun(eye: _Eye, lens: Lens, scene: Scene, width: int, veil: Floats) -> None:
    """Write, for each `BAND` of rows, the parabola (3, bands) along a row of the share of the sun's reflection."""
    x, y, z = scene.sun
    ahead, right = x * eye.c + y * eye.s, x * eye.s - y * eye.c
    for j in range(3):
        u, share = (0.5 * j - 0.5) * width / lens.focal, veil[j]
        for band in range(len(share)):
            r = min(BAND * band + BAND // 2, len(lens.down) - 1)
            forward, down = lens.forward[r], lens.down[r]
            length = 1.0 / math.sqrt(forward * forward + down * down + u * u)
            between = (z * down - ahead * forward - right * u) * length  # of the ways to the sun and to the camera
            half = max(z + down * length, 0.0) / math.sqrt(2.0 + 2.0 * between)
            half2 = half * half
            half4 = half2 * half2
            share[band] = scene.reflection * half4 * half4 * half  # to the ninth, fitted
    start, slope, bend = veil
    for k in range(len(start)):
        left, middle, end = start[k], slope[k], bend[k]
        bend[k] = 2.0 * (left + end - 2.0 * middle) / width**2
        tilt = (4.0 * middle - 3.0 * left - end) / width
        start[k], slope[k] = left + 0.5 * (tilt + 0.5 * bend[k]), tilt + bend[k]  # from the first pixel's middle on


@kernel
def _cover(low: float, up: float, lines: npt.NDArray[np.float32], cover: npt.NDArray[np.float32]) -> None:
    """Count a line that does not span the row: where it is, and how much of a pixel it covers."""
    first, end = int(low), math.ceil(up)
    for some in (lines[first:end], cover[first:end]):
        for k in range(len(some)):
            some[k] += _single(1.0)
    cover[first] -= low - first
    cover[end - 1] -= end - up


@kernel
def _develop(
    shades: npt.NDArray[np.int32], first: int, share: float, light: tuple[float, float, float, float], out: Picture
) -> None:
    """Write pixels from `first` on that show only floor, or sky."""
    start, slope, bend, glare = _single(light[0]), _single(light[1]), _single(light[2]), _single(light[3])
    start, slope = start + first * (slope + first * bend), slope + 2 * first * bend
    start, slope, part, half = _single(start), _single(slope), _single(share), _single(0.5)
    for k in range(len(out)):
        floor, along = _single(shades[k]) * part, _single(_narrow(k))
        out[k] = _narrow(floor + (start + along * (slope + along * bend)) * (glare - floor) + half)


@kernel
def _develop_wall(beyond: npt.NDArray[np.float32], out: Picture) -> None:
    """Write pixels that show a wall."""
    half = _single(0.5)
    for k in range(len(out)):
        out[k] = _narrow(beyond[k] + half)


@kernel
def _develop_edge(
    shades: npt.NDArray[np.int32],
    lines: npt.NDArray[np.float32],
    cover: npt.NDArray[np.float32],
    counts: tuple[int, int],
    light: tuple[float, float, float, float],
    span: tuple[int, int],
    out: Picture,
) -> None:
    """Mix the wall in the pixels of a span with the floor or sky that `counts` lines, whole and in all, show."""
    start, slope, bend, glare = light
    whole, total = counts
    for k in range(span[0], span[1]):
        touching = whole + lines[k]
        if touching > 0.0:
            floor = shades[k] / (ONE * touching)
            floor += (start + k * (slope + k * bend)) * (glare - floor)
            out[k] = int(out[k] + (whole + cover[k]) / total * (floor - out[k]) + 0.5)


@kernel
def shoot(x: float, y: float, yaw: float, lens: Lens, scene: Scene, picture: Picture) -> None:
    """Write the picture (h, w) that a camera at (x, y) takes when it looks along `yaw`."""
    height, width = picture.shape
    eye = _Eye(x, y, math.cos(yaw), math.sin(yaw))
    spans, ways, veil = np.empty((len(lens.step), 2)), np.empty((len(lens.step), 4)), np.empty((3, -(-height // BAND)))
    corners, walls = np.empty(4), np.empty(5)
    at, seen, shades = np.empty(width, np.uint32), np.empty(width, np.uint32), np.empty(width, np.int32)
    lines, cover, beyond = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    _see_lines(eye, lens, scene, width, spans, ways)
    _see_sun(eye, lens, scene, width, veil)
    count = _see_corners(eye, scene, corners, walls)
    texels, level_of, starts, sizes, sky = scene.texels, lens.level, scene.first, scene.size, _narrow(ONE * scene.sky)
    for r in range(height):
        begin, total = lens.first[r], lens.first[r + 1] - lens.first[r]
        first, end, left, right, whole = 0, width, width, 0, 0  # pixels that all lines show, and that any does
        shades[:] = 0
        for line in range(begin, begin + total):
            low, up, level = spans[line, 0], spans[line, 1], level_of[line]
            a, b = int(low), math.ceil(up)
            first, end = max(first, math.ceil(low)), min(end, int(up))
            if low >= up:
                continue
            if level == SKY:
                shades[a:b] += sky
            else:
                _sample(ways[line], a, starts[level], sizes[level, 1], texels, at[a:b], seen[a:b], shades[a:b])
            if low == 0.0 and up == width:
                whole += 1
            else:
                if left >= right:  # the first that does not span the row
                    lines[:], cover[:] = 0.0, 0.0
                left, right = min(left, a), max(right, b)
                _cover(low, up, lines, cover)
        out, band = picture[r], r // BAND
        sunny = 1.0 if lens.down[r] > 0.0 else 0.0
        light = (sunny * veil[0, band], sunny * veil[1, band], sunny * veil[2, band], scene.glare)
        if total == 0 or first >= end:
            first, end = width, width
        if end - first < width:
            _see_walls(lens.focal * lens.forward[r], corners, walls, count, beyond)
            _develop_wall(beyond, out)
            if left >= right:
                lines[:], cover[:] = 0.0, 0.0
            if whole > 0:
                left, right = 0, width
            _develop_edge(shades, lines, cover, (whole, total), light, (left, min(right, first)), out)
            _develop_edge(shades, lines, cover, (whole, total), light, (max(left, end), right), out)
        _develop(shades[first:end], first, 1.0 / (ONE * max(total, 1)), light, out[first:end])
