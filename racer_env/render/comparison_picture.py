"""A comparison of two laps as a picture: both lines on the track, and what they differ in along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from racer_env.comparison import Comparison, LapTrace
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Floats
from racer_env.render import palette
from racer_env.render.lettering import clock, font, write
from racer_env.render.palette import Colour
from racer_env.render.road import corners, fit, night_map
from racer_env.render.timing_tower import cut

SIZE = (1280, 860)  #: px
FIRST: Colour = palette.ACCENT
SECOND: Colour = (86, 172, 255)
_MAP = (500, 560)  #: px
_TOP, _MARGIN = 92, 32  #: px
_LEFT, _RIGHT = _MAP[0] + 84, SIZE[0] - _MARGIN  #: px, of the plots
_SMOOTHING = 3
_AWAY = 2.5 / CONTROL_RATE  #: s without coming further, after which a line is interrupted
_STEPS = (1.0, 2.0, 5.0)


class _Plot(NamedTuple):
    """A plot's place and range."""

    top: float  #: px
    bottom: float
    low: float
    high: float
    length: float  #: m, of the track

    def place(self, station: Floats, value: Floats) -> Floats:
        """Pixels (q, 2)."""
        x = _LEFT + (_RIGHT - _LEFT) * station / self.length
        y = self.bottom - (self.bottom - self.top) * (value - self.low) / (self.high - self.low)
        return np.stack((x, y), axis=1)


def draw_comparison(comparison: Comparison) -> Image.Image:
    """Draw both laps on the track, the time between them, their speed and steering along it, and the sectors."""
    c = comparison
    image = Image.new("RGB", (SIZE[0] * _SMOOTHING, SIZE[1] * _SMOOTHING), palette.NIGHT)
    image.paste(_map(c), (0, _TOP * _SMOOTHING))
    speeds = (0.0, _rounded_up(float(c.speed.max()), 1.0))
    angles = max(_rounded_up(float(np.abs(c.steering).max()), 10.0), 10.0)
    plots = (
        _Plot(_TOP + 18, 330, *_range_of(c.delta), float(c.station[-1])),
        _Plot(372, 540, *speeds, float(c.station[-1])),
        _Plot(582, 690, -angles, angles, float(c.station[-1])),
    )
    draw = ImageDraw.Draw(image)
    for plot in plots:
        _grid(draw, plot, c)
    _delta(draw, plots[0], c)
    for plot, values in ((plots[1], c.speed), (plots[2], c.steering)):
        for lap, colour in ((1, SECOND), (0, FIRST)):
            _curve(draw, plot.place(c.station, values[:, lap]), colour)
    image = image.reduce(_SMOOTHING)
    draw = ImageDraw.Draw(image)
    _heading(draw, c)
    said = ("time behind the first lap, s", "speed, m/s", "commanded steering, degrees, left up")
    for plot, words, digits in zip(plots, said, (2, 1, 0), strict=True):
        _labels(draw, plot, words, digits)
    _stations(draw, plots[-1])
    _table(draw, c)
    return image


def _map(c: Comparison) -> Image.Image:
    track = c.laps[0].track
    view = fit(track.route, (_MARGIN, 20, _MAP[0] - 20, _MAP[1] - 20)).times(_SMOOTHING)
    image = night_map(track.route, view, (_MAP[0] * _SMOOTHING, _MAP[1] * _SMOOTHING), _SMOOTHING)
    draw = ImageDraw.Draw(image)
    for lap, colour in ((c.laps[1], SECOND), (c.laps[0], FIRST)):
        for part in _unbroken(lap):
            draw.line(corners(view.pixels(part)), fill=colour, width=3 * _SMOOTHING, joint="curve")
    for sector in c.sectors[:-1]:
        (x, y, yaw) = track.poses(np.array([sector.end]))[0].tolist()
        across = 0.5 * track.width * np.array([-math.sin(yaw), math.cos(yaw)])
        ends = view.pixels(np.stack((across, -across)) + np.array((x, y)))
        draw.line(corners(ends), fill=palette.TEXT, width=_SMOOTHING)
    return image


def _unbroken(lap: LapTrace) -> list[Floats]:
    """The line of a lap, in pieces where the car was put back."""
    away = np.diff(lap.time) > _AWAY
    return [part for part in np.split(lap.path, np.flatnonzero(away) + 1) if len(part) > 1]


def _range_of(delta: Floats) -> tuple[float, float]:
    """Ends of the axis of times, around 0."""
    step = _step(max(float(np.ptp(delta)), 0.05) / 3.0)
    low, high = min(float(delta.min()), 0.0), max(float(delta.max()), 0.0)
    return math.floor(low / step - 0.2) * step, math.ceil(high / step + 0.2) * step


def _rounded_up(value: float, step: float) -> float:
    return max(math.ceil(value / step), 1) * step


def _step(least: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (*_STEPS, 10.0) if step * power >= least * 0.999)


def _ticks(plot: _Plot) -> list[float]:
    step = _step((plot.high - plot.low) / 4.0)
    return [k * step for k in range(math.ceil(plot.low / step - 1e-9), math.floor(plot.high / step + 1e-9) + 1)]


def _line(draw: ImageDraw.ImageDraw, ends: Floats, colour: Colour, width: float = 1.0) -> None:
    draw.line(corners(ends * _SMOOTHING), fill=colour, width=round(width * _SMOOTHING))


def _grid(draw: ImageDraw.ImageDraw, plot: _Plot, c: Comparison) -> None:
    ends = np.array([0.0, plot.length])
    for value in _ticks(plot):
        _line(draw, plot.place(ends, np.full(2, value)), palette.QUIET if value == 0.0 else palette.RULE)
    for sector in c.sectors[:-1]:
        x = float(plot.place(np.array([sector.end]), np.zeros(1))[0, 0])
        _line(draw, np.array([(x, plot.top), (x, plot.bottom)]), palette.DASH)


def _curve(draw: ImageDraw.ImageDraw, pixels: Floats, colour: Colour) -> None:
    draw.line(corners(pixels * _SMOOTHING), fill=colour, width=2 * _SMOOTHING, joint="curve")


def _delta(draw: ImageDraw.ImageDraw, plot: _Plot, c: Comparison) -> None:
    """Fill what is between the curve and 0: in the first lap's colour where that is ahead, else in the second's."""
    zero = np.zeros_like(c.delta)
    for kept, colour in ((np.maximum(c.delta, 0.0), FIRST), (np.minimum(c.delta, 0.0), SECOND)):
        edge = np.concatenate((plot.place(c.station, kept), plot.place(c.station, zero)[::-1]))
        dark: Colour = (colour[0] // 3, colour[1] // 3, colour[2] // 3)
        draw.polygon(corners(edge * _SMOOTHING), fill=dark)
    _curve(draw, plot.place(c.station, c.delta), palette.TEXT)


def _heading(draw: ImageDraw.ImageDraw, c: Comparison) -> None:
    track, x = c.laps[0].track, float(_MARGIN)
    for lap, colour in zip(c.laps, (FIRST, SECOND), strict=True):
        draw.rectangle((x, 34, x + 14, 48), fill=colour)
        words = cut(lap.label, 19, 300)
        write(draw, (x + 22, 48), words, 19)
        after = x + 22 + font(19).getlength(words) + 10
        write(draw, (after, 48), clock(lap.time_ms), 19, palette.QUIET)
        write(draw, (x + 22, 72), _faults(lap), 13, palette.BAD)
        x = after + font(19).getlength(clock(lap.time_ms)) + 44
    write(draw, (x, 48), _signed(c.delta_ms), 19, FIRST if c.delta_ms >= 0 else SECOND)
    direction = ", reversed" if track.is_reversed else ""
    write(
        draw, (SIZE[0] - _MARGIN, 48), f"{track.name} · {track.length:.1f} m{direction}", 14, palette.QUIET, anchor="rs"
    )


def _faults(lap: LapTrace) -> str:
    counts = ((lap.off_tracks, "off track"), (lap.crashes, "crashed"))
    return " · ".join(f"{count} x {what}" for count, what in counts if count)


def _signed(milliseconds: int) -> str:
    return f"{milliseconds / 1000.0:+.3f}"


def _labels(draw: ImageDraw.ImageDraw, plot: _Plot, words: str, digits: int) -> None:
    write(draw, (_LEFT, plot.top - 10), words, 13, palette.QUIET)
    for value in _ticks(plot):
        y = float(plot.place(np.zeros(1), np.array([value]))[0, 1])
        write(draw, (_LEFT - 10, y), f"{value:.{digits}f}", 12, palette.QUIET, anchor="rm")


def _stations(draw: ImageDraw.ImageDraw, plot: _Plot) -> None:
    step = _step(plot.length / 8.0)
    for k in range(int(plot.length / step) + 1):
        x = float(plot.place(np.array([k * step]), np.zeros(1))[0, 0])
        write(draw, (x, plot.bottom + 18), f"{k * step:g}", 12, palette.QUIET, anchor="ms")
    write(draw, (_RIGHT, plot.bottom + 34), "m along the track", 12, palette.QUIET, anchor="rs")


def _table(draw: ImageDraw.ImageDraw, c: Comparison) -> None:
    """Write the sectors below: their times, the difference, and the slowest place of each."""
    shown = c.sectors[:8]
    width = min((SIZE[0] - 2 * _MARGIN - 120) / len(shown), 190.0)
    rows = ("sector", "first", "second", "difference", "slowest, m/s")
    for row, name in enumerate(rows):
        write(draw, (_MARGIN, _row(row)), name, 13, palette.QUIET)
    for k, sector in enumerate(shown):
        right = _MARGIN + 120 + (k + 1) * width - 24
        ahead = FIRST if sector.delta_ms > 0 else SECOND if sector.delta_ms < 0 else palette.TEXT
        slowest = f"{sector.slowest[0]:.2f} / {sector.slowest[1]:.2f}"
        cells: Sequence[tuple[str, Colour]] = (
            (str(k + 1), palette.QUIET),
            (f"{sector.times_ms[0] / 1000:.3f}", FIRST if sector.delta_ms > 0 else palette.TEXT),
            (f"{sector.times_ms[1] / 1000:.3f}", SECOND if sector.delta_ms < 0 else palette.TEXT),
            (_signed(sector.delta_ms), ahead),
            (slowest, palette.QUIET),
        )
        for row, (words, colour) in enumerate(cells):
            write(draw, (right, _row(row)), words, 14, colour, anchor="rs")


def _row(row: int) -> float:
    return 752.0 + 22.0 * row
