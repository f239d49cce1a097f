"""Pictures of a drive: the line of a run in the colours of its speed, and a sheet of camera frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from racer_env.kernel import Floats
from racer_env.render import palette
from racer_env.render.lettering import clock, font, write
from racer_env.render.palette import ramp
from racer_env.render.road import fit, night_map
from racer_env.render.speed_line import draw_speed_line, jumps
from racer_env.simulator import Simulator, Step
from racer_env.track import Track

SIZE = (1100, 720)  #: px
_HEAD, _FOOT, _SIDE = 84, 76, 44  #: px around the track
_SMOOTHING = 4
_LINE = 5.0  #: px
_STILL = 0.2  #: m/s, slower points do not count for the range of the legend


class Recorder:
    """Writes down where one car was and how fast; hand it to `racer_env.driver.race` as ``watch``."""

    def __init__(self, car: int = 0):
        self.car = car
        self._points: list[tuple[float, float, float]] = []

    def __call__(self, simulator: Simulator, step: Step | None) -> None:  # noqa: ARG002 (the shape of a Watch)
        """Note the pose seen now."""
        m = simulator.state.motion[self.car]
        self._points.append((float(m.x), float(m.y), float(m.speed)))

    @property
    def path(self) -> Floats:
        """Positions (k, 2), m."""
        return np.array(self._points).reshape(-1, 3)[:, :2]

    @property
    def speed(self) -> Floats:
        """Speeds (k,), m/s."""
        return np.array(self._points).reshape(-1, 3)[:, 2]


def draw_lap(
    track: Track, path: Floats, speed: Floats, title: str | None = None, laps: Sequence[int] = ()
) -> Image.Image:
    """Draw a run from above, one control period (1/15 s) from point to point, with a legend of its speeds.

    Args:
        track: where it was driven.
        path: positions of the car's middle (k, 2), m; where it was put back, the line is interrupted.
        speed: at these positions (k,), m/s.
        title: written above; the track's name by default.
        laps: times of the completed laps, ms.

    Returns:
        A picture of 1100 x 720. Places where the car left the track are crossed.

    Raises:
        ValueError: path and speed do not belong together.
    """
    path, speed = np.asarray(path, np.float64), np.asarray(speed, np.float64)
    if path.ndim != 2 or path.shape[1] != 2 or speed.shape != path.shape[:1]:
        raise ValueError(f"path {path.shape} and speed {speed.shape} must be of shape (k, 2) and (k,)")
    box = (_SIDE, _HEAD, SIZE[0] - _SIDE, SIZE[1] - _FOOT)
    view = fit(track.route, box).times(_SMOOTHING)
    large = (SIZE[0] * _SMOOTHING, SIZE[1] * _SMOOTHING)
    image = night_map(track.route, view, large, _SMOOTHING)
    slowest, fastest = speed_range(speed)
    draw = ImageDraw.Draw(image)
    drawn = ~jumps(path, speed) if len(path) > 1 else np.zeros(0, np.bool_)
    share = (speed - slowest) / (fastest - slowest)
    draw_speed_line(draw, view.pixels(path), share, _LINE * _SMOOTHING, drawn)
    for x, y in view.pixels(off_track_places(track, path, speed)).tolist():
        _cross(draw, x, y, _SMOOTHING)
    image = image.reduce(_SMOOTHING)
    draw = ImageDraw.Draw(image)
    about = f"{track.length:.1f} m" if title is None else f"{track.name} · {track.length:.1f} m"
    write(draw, (_SIDE, 48), track.name if title is None else title, 24)
    write(draw, (SIZE[0] - _SIDE, 48), about, 14, palette.QUIET, anchor="rs")
    _caption(draw, laps, SIZE[1] - 34)
    _legend(image, slowest, fastest, SIZE[1] - 34)
    return image


def speed_range(speed: Floats) -> tuple[float, float]:
    """Give the ends of the legend: the moving car's slowest and fastest speed (k,), in tenths of m/s."""
    moving = speed[speed > _STILL]
    if not moving.size:
        return 0.0, 1.0
    slowest, fastest = math.floor(10.0 * np.percentile(moving, 2)) / 10, math.ceil(10.0 * moving.max()) / 10
    return slowest, max(fastest, round(slowest + 0.2, 1))


def off_track_places(track: Track, path: Floats, speed: Floats) -> Floats:
    """Find where a run (k, 2) left the track (m, 2): put back from beside the road, or ended there."""
    if not len(path):
        return np.zeros((0, 2))
    last = np.r_[jumps(path, speed), True]
    places: Floats = path[last & ~track.contains(path)]
    return places


def draw_camera_sheet(
    frames: npt.NDArray[Any], captions: Sequence[str], title: str | None = None, columns: int = 3
) -> Image.Image:
    """Draw camera frames (k, h, w) or (k, h, w, 1), uint8, twice as large, in rows, with captions.

    Raises:
        ValueError: frames and captions do not belong together.
    """
    frames = np.asarray(frames)
    frames = frames[..., 0] if frames.ndim == 4 and frames.shape[-1] == 1 else frames
    if frames.ndim != 3 or frames.dtype != np.uint8 or len(frames) != len(captions) or not len(frames):
        raise ValueError(
            f"{len(captions)} captions for frames of {frames.dtype} {frames.shape}; uint8 (k, h, w) is wanted"
        )
    gap, below = 16, 30
    width, height = 2 * frames.shape[2], 2 * frames.shape[1]
    columns, top = min(columns, len(frames)), 58 if title else 0
    rows = math.ceil(len(frames) / columns)
    size = (gap + columns * (width + gap), top + gap + rows * (height + below) + gap // 2)
    sheet = Image.new("RGB", size, palette.NIGHT)
    draw = ImageDraw.Draw(sheet)
    if title:
        write(draw, (gap, 44), title, 24)
    for i, (frame, caption) in enumerate(zip(frames, captions, strict=True)):
        left, up = gap + i % columns * (width + gap), top + gap + i // columns * (height + below)
        large = Image.fromarray(np.ascontiguousarray(frame)).resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(large.convert("RGB"), (left, up))
        write(draw, (left, up + height + 19), caption, 14, palette.QUIET)
    return sheet


def _cross(draw: ImageDraw.ImageDraw, x: float, y: float, smoothing: int) -> None:
    """Mark a place, dark around, so that it is seen on the white line too."""
    for arm, width, colour in ((9.5, 7, palette.NIGHT), (8.0, 4, palette.BAD)):
        a = arm * smoothing
        for sign in (1.0, -1.0):
            draw.line([(x - a, y - sign * a), (x + a, y + sign * a)], fill=colour, width=width * smoothing)


def _caption(draw: ImageDraw.ImageDraw, laps: Sequence[int], y: int) -> None:
    """Write the lap times from the left, as many as there is room for, the best one in green."""
    x, room = float(_SIDE), SIZE[0] - _SIDE - 420
    for number, lap in enumerate(laps, 1):
        label = f"lap {number}"
        width = font(14).getlength(label) + 8 + font(20).getlength(clock(lap)) + 28
        if x + width > room:
            write(draw, (x, y), f"and {len(laps) - number + 1} more", 14, palette.QUIET)
            return
        write(draw, (x, y), label, 14, palette.QUIET)
        write(
            draw,
            (x + font(14).getlength(label) + 8, y),
            clock(lap),
            20,
            palette.GOOD if lap == min(laps) else palette.TEXT,
        )
        x += width


def _legend(image: Image.Image, slowest: float, fastest: float, y: int) -> None:
    """Lay out the colours from the slowest to the fastest speed, at the right."""
    width, height, most = 190, 8, f"{fastest:.1f} m/s"
    left = SIZE[0] - _SIDE - round(font(14).getlength(most)) - 10 - width
    bar = np.broadcast_to(ramp(np.linspace(0.0, 1.0, width)).round().astype(np.uint8), (height, width, 3))
    image.paste(Image.fromarray(np.ascontiguousarray(bar)), (left, y - 9))
    draw = ImageDraw.Draw(image)
    write(draw, (left - 10, y), f"{slowest:.1f}", 14, palette.TEXT, anchor="rs")
    write(draw, (SIZE[0] - _SIDE, y), most, 14, palette.TEXT, anchor="rs")
