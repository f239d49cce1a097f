"""The front camera: a pinhole over the painted floor, with walls and sky, as the original's network sees it.

Frame of a car: x ahead, y left, z up from the floor under the middle of the axles; a picture's rows count from the
top, its columns from the left. The original renders 640 x 480 and shrinks it with an antialiasing triangle filter
(spec/simulator.md 4.1). We render 160 x 120 directly: every row of the picture is a line on the floor at a fixed
distance, so it is sampled along that line from the picture of the floor whose texels are as large as its pixels, and
a row that covers much depth is the mean of several such lines. Walls and sky are hit by one ray a pixel.

The model stops being true where things stand on the floor (none yet), and it has no light: shades are constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.kernel import Floats, Ints, Records, kernel, parallel_kernel, prange
from racer_env.sensors import Reader, View
from racer_env.sensors.ground import LEVELS, TEXEL, Ground, Palette, paint
from racer_env.track import Track

WALL_HEIGHT = 1.0  #: m
FARTHEST = 30.0  #: m, floor beyond is not sampled
ONE = 65536.0  #: one texel in fixed point

#: Shades of re:Invent 2018 under the original's light: medians over recorded frames.
PALETTE = Palette(road=52, border=194, dash=130, field=121, walls=(46, 28, 22, 32), sky=218)


class Lens(NamedTuple):
    """The rows of a picture as lines on the floor, and the rays of its pixels."""

    first: Ints  #: (h + 1,) where the lines of a row begin
    ahead: Floats  #: (l,) m from the camera, of each line
    pitch: Floats  #: (l,) m on the floor from pixel to pixel along the line
    level: Ints  #: (l,) of the floor's picture
    slope: Floats  #: (h,) rise of a row's rays for each metre ahead
    spread: Floats  #: (h,) sideways metres for each metre ahead and pixel


class Floor(NamedTuple):
    """`Ground` as the kernel reads it."""

    texels: npt.NDArray[np.uint8]
    first: Ints
    size: Ints
    origin: Floats  #: (2,) m, corner of the first texel
    bounds: Floats  #: (4,) m, left, bottom, right and top wall
    walls: Floats  #: (4,) their shades: left, right, bottom, top
    sky: float


@kernel
def _see_walls(
    x: float,
    y: float,
    c: float,
    s: float,
    reach: float,
    spread: float,
    floor: Floor,
    out: Floats,
    span: tuple[int, int],
) -> None:
    """Write the shades of the pixels `span` of a row whose rays pass over the walls from `reach` m ahead on."""
    left, bottom, right, top = (
        floor.bounds[0] - x,
        floor.bounds[1] - y,
        floor.bounds[2] - x,
        floor.bounds[3] - y,
    )
    middle = 0.5 * (len(out) - 1)
    for k in range(span[0], span[1]):
        across = (k - middle) * spread
        dx, dy = c + s * across, s - c * across
        side, end = (right if dx > 0.0 else left), (top if dy > 0.0 else bottom)
        if abs(side) > reach * abs(dx) and abs(end) > reach * abs(dy):
            out[k] = floor.sky
        elif abs(side) * abs(dy) < abs(end) * abs(dx):
            out[k] = floor.walls[1] if dx > 0.0 else floor.walls[0]
        else:
            out[k] = floor.walls[3] if dy > 0.0 else floor.walls[2]


@kernel
def _span(start: float, step: float, high: float, first: int, end: int) -> tuple[int, int]:
    """Narrow the pixels [first, end) to those with 0 <= start + k * step < high."""
    if step == 0.0:
        return (first, end) if 0.0 <= start < high else (first, first)
    low, up = -start / step, (high - start) / step
    if step < 0.0:
        low, up = up, low
    return max(first, math.ceil(low + 1e-6)), max(first, min(end, math.floor(up - 1e-6) + 1))


@kernel
def _add_line(
    column: float,
    row: float,
    step_column: float,
    step_row: float,
    first: int,
    columns: int,
    span: tuple[int, int],
    texels: npt.NDArray[np.uint8],
    shades: Ints,
) -> None:
    """Add the shades along a line on the floor, between four texels each, in fixed point (1 / 65536)."""
    c, r = int(column * ONE), int(row * ONE)
    step_c, step_r = int(step_column * ONE), int(step_row * ONE)
    for k in range(span[0], span[1]):
        pc, pr = c + k * step_c, r + k * step_r
        at = np.uintp(first + (pr >> 16) * columns + (pc >> 16))
        above = np.uintp(at + np.uintp(columns))
        fc, fr = (pc >> 8) & 255, (pr >> 8) & 255
        low = (256 - fc) * int(texels[at]) + fc * int(texels[at + np.uintp(1)])
        high = (256 - fc) * int(texels[above]) + fc * int(texels[above + np.uintp(1)])
        shades[k] += (256 - fr) * low + fr * high


@kernel
def _see_floor(
    x: float, y: float, c: float, s: float, line: int, lens: Lens, floor: Floor, shades: Ints
) -> tuple[int, int]:
    """Add a line on the floor to the shades of a row; give the pixels that lie on the floor."""
    level, pitch, ahead = lens.level[line], lens.pitch[line], lens.ahead[line]
    texel = TEXEL * 2.0**level
    left, bottom, right, top = floor.bounds[0], floor.bounds[1], floor.bounds[2], floor.bounds[3]
    across = -0.5 * (len(shades) - 1) * pitch
    first_x, first_y = x + c * ahead + s * across, y + s * ahead - c * across  # on the floor, of the first pixel
    step_x, step_y = s * pitch, -c * pitch
    span = _span(first_x - left, step_x, right - left, 0, len(shades))
    span = _span(first_y - bottom, step_y, top - bottom, span[0], span[1])
    column, row = (first_x - floor.origin[0]) / texel - 0.5, (first_y - floor.origin[1]) / texel - 0.5
    columns, start = floor.size[level, 1], floor.first[level]
    _add_line(column, row, step_x / texel, step_y / texel, start, columns, span, floor.texels, shades)
    return span


@kernel
def _shoot(x: float, y: float, z: float, yaw: float, lens: Lens, floor: Floor, out: npt.NDArray[np.uint8]) -> None:
    """Render one picture (h, w) from a camera at (x, y, z) looking along `yaw`."""
    height, width = out.shape
    c, s = math.cos(yaw), math.sin(yaw)
    shades, hits, beyond = np.empty(width, np.int64), np.empty(width, np.int64), np.empty(width)
    for r in range(height):
        shades[:], hits[:] = 0, 0
        lines, first, end = lens.first[r + 1] - lens.first[r], 0, width
        for j in range(lens.first[r], lens.first[r + 1]):
            span = _see_floor(x, y, c, s, j, lens, floor, shades)
            hits[span[0] : span[1]] += 1
            first, end = max(first, span[0]), min(end, span[1])
        if lines == 0 or first >= end:
            first, end, lines = width, width, max(lines, 1)
        reach = (WALL_HEIGHT - z) / lens.slope[r] if lens.slope[r] > 0.0 else np.inf
        _see_walls(x, y, c, s, reach, lens.spread[r], floor, beyond, (0, first))
        _see_walls(x, y, c, s, reach, lens.spread[r], floor, beyond, (end, width))
        for k in range(first):
            shades[k] += (lines - hits[k]) * int(ONE * beyond[k])
        for k in range(end, width):
            shades[k] += (lines - hits[k]) * int(ONE * beyond[k])
        share = 1.0 / (ONE * lines)
        for k in range(width):
            out[r, k] = int(shades[k] * share)  # the original cuts decimals too


@kernel
def _shoot_one(motion: Records, i: int, mount: Floats, lens: Lens, floor: Floor, out: npt.NDArray[np.uint8]) -> None:
    m = motion[i]
    c, s = math.cos(m.yaw), math.sin(m.yaw)
    x, y = m.x + c * mount[0] - s * mount[1], m.y + s * mount[0] + c * mount[1]
    _shoot(x, y, mount[2], m.yaw, lens, floor, out[i, :, :, 0])


@parallel_kernel
def _shoot_all(
    motion: Records, which: Ints, mount: Floats, lens: Lens, floor: Floor, out: npt.NDArray[np.uint8]
) -> None:
    for j in prange(which.size):
        _shoot_one(motion, which[j], mount, lens, floor, out)


@dataclass(frozen=True)
class CameraReader:
    """A camera on a track."""

    mount: Floats
    lens: Lens
    floor: Floor

    def read(self, view: View, which: Ints, out: npt.NDArray[np.uint8]) -> None:
        """Write the pictures of the cars `which` (k,) into `out` (n, h, w, 1)."""
        if which.size == 1:  # waking other cores costs more than one picture
            _shoot_one(view.motion, which[0], self.mount, self.lens, self.floor, out)
        else:
            _shoot_all(view.motion, which, self.mount, self.lens, self.floor, out)


@dataclass(frozen=True)
class Camera:
    """A grey pinhole camera that looks ahead and down."""

    name: str = "FRONT_FACING_CAMERA"
    width: int = 160  #: pixels
    height: int = 120
    field_of_view: float = 1.13  #: rad, horizontal
    ahead: float = 0.14529379  #: m from the middle of the axles
    left: float = 0.0  #: m from the middle of the car
    above: float = 0.1312  #: m over the floor, fitted to recorded frames
    pitch: float = 0.2358  #: rad down, fitted: 15 degrees, and the car stands 1.5 degrees nose up
    palette: Palette = field(default=PALETTE)

    def space(self) -> spaces.Box:
        """A picture (h, w, 1) of uint8."""
        return spaces.Box(0, 255, (self.height, self.width, 1), np.uint8)

    def on(self, track: Track) -> Reader:
        """Paint the track's floor and mount the camera for it."""
        return CameraReader(
            np.array([self.ahead, self.left, self.above]),
            self._lens(),
            _floor(paint(track, self.palette), self.palette),
        )

    def _lens(self) -> Lens:
        focal = 0.5 * self.width / math.tan(0.5 * self.field_of_view)
        lines, counts = [], []
        slope, spread = np.empty(self.height), np.empty(self.height)
        for row in range(self.height):
            forward, down = self._ray(row, focal)
            slope[row], spread[row] = -down / forward, 1.0 / (focal * forward)
            of_row = self._lines(row, focal)
            lines += of_row
            counts.append(len(of_row))
        ahead, pitch, level = zip(*lines, strict=True)
        return Lens(
            np.r_[0, np.cumsum(counts)].astype(np.int64),
            np.array(ahead),
            np.array(pitch),
            np.array(level, np.int64),
            slope,
            spread,
        )

    def _ray(self, row: float, focal: float) -> tuple[float, float]:
        """Forward and downward part of the ray of a row's middle."""
        v = (row + 0.5 - 0.5 * self.height) / focal
        return math.cos(self.pitch) - v * math.sin(self.pitch), math.sin(self.pitch) + v * math.cos(self.pitch)

    def _lines(self, row: int, focal: float) -> list[tuple[float, float, int]]:
        """Lines (ahead, pitch, level) whose mean is a row, spread as the triangle filter weighs them."""
        forward, down = self._ray(row, focal)
        if down <= 0.0 or self.above * forward / down > FARTHEST:
            return []
        squeeze = self.above / down**2 * 1.0 / focal / (self.above / down / focal)  # depth over width of a pixel
        depth = squeeze * self.above / down / focal
        texels = depth / max(self.above / down / focal, TEXEL)
        count = min(max(round(0.7 * texels), 1), 8)  # the original shrinks eight rows into one
        out = []
        for share in (np.arange(count) + 0.5) / count:
            offset = math.sqrt(2 * share) - 1 if share < 0.5 else 1 - math.sqrt(2 * (1 - share))
            forward, down = self._ray(row + offset * (count > 1), focal)
            if down > 0.0 and self.above * forward / down <= FARTHEST:
                pitch = self.above / down / focal
                level = min(max(round(math.log2(pitch / TEXEL)), 0), LEVELS - 1)
                out.append((self.above * forward / down, pitch, level))
        return out


def _floor(ground: Ground, palette: Palette) -> Floor:
    shades = np.array(palette.walls, np.float64)
    return Floor(ground.texels, ground.first, ground.size, ground.origin, ground.walls, shades, float(palette.sky))


FRONT_FACING_CAMERA = Camera()
OBSERVATION = Camera("observation")  #: the name it has in ``model_metadata.json`` of version 1
LEFT_CAMERA = Camera("LEFT_CAMERA", left=0.03)  #: the left one of the car with two
