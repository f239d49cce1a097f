"""Pictures of a reward over the track, and of where two reward functions differ."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from racer_env.kernel import Floats
from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.render.palette import Colour, ramp
from racer_env.render.road import View, corners, fit
from racer_env.reward_map import RewardMap

SIZE = (1100, 720)  #: px, of one map
_HEAD, _FOOT, _SIDE = 84, 76, 44  #: px around the track
_SMOOTHING = 3
_FAILED: Colour = (70, 70, 78)
_LESS, _MORE = np.array((74, 150, 255.0)), np.array((255, 120, 60.0))  #: of a difference
_SAME = np.array((40, 46, 58.0))


def draw_reward_map(on: RewardMap, title: str) -> Image.Image:
    """Draw what a reward function pays at every place: 1100 x 720, with a legend; a place that failed is grey."""
    low, high = scale_of(on.rewards[:, np.abs(on.left) <= 0.5], on.rewards)
    share = (on.rewards - low) / (high - low)
    picture = _coloured(on, ramp(np.nan_to_num(share).ravel()).reshape(*share.shape, 3))
    _words(picture, on, title)
    _legend(picture, ramp(np.linspace(0.0, 1.0, 190)), _ends(on.rewards, low, high))
    return picture


def draw_difference_map(old: RewardMap, new: RewardMap, title: str) -> Image.Image:
    """Draw how much more (orange) or less (blue) a new reward function pays than an old one; 1100 x 720."""
    apart = RewardMap(new.track, new.speed, new.at, new.left, new.rewards - old.rewards)
    most = max(float(np.nanmax(np.abs(apart.rewards), initial=0.0)), 1e-9)
    picture = _coloured(apart, _diverging(np.nan_to_num(apart.rewards) / most))
    _words(picture, apart, title)
    _legend(picture, _diverging(np.linspace(-1.0, 1.0, 190)), (f"{-most:.3g}", f"+{most:.3g}"))
    return picture


def stacked(*pictures: Image.Image) -> Image.Image:
    """Put pictures of one size below each other."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)), palette.NIGHT)
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (0, i * height))
    return sheet


def scale_of(road: Floats, everywhere: Floats) -> tuple[float, float]:
    """Give the rewards at the ends of the colours: all but the rarest ones of the road, and what is beyond it."""
    known = road[np.isfinite(road)]
    known = known if known.size else everywhere[np.isfinite(everywhere)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, [1.0, 99.0]).tolist()
    least = float(np.nanmin(everywhere))
    low = least if high - least <= 2.0 * (high - low) or high == low else low
    return low, high if high > low else low + 1.0


def _coloured(on: RewardMap, colours: Floats) -> Image.Image:
    """Draw a map's cells in colours (s, l, 3) under the lines of the road."""
    view = fit(on.track.route, (_SIDE + 12, _HEAD + 12, SIZE[0] - _SIDE - 12, SIZE[1] - _FOOT - 12)).times(_SMOOTHING)
    image = Image.new("RGB", (SIZE[0] * _SMOOTHING, SIZE[1] * _SMOOTHING), palette.NIGHT)
    draw = ImageDraw.Draw(image)
    grid = _corners_of_cells(on, view)
    failed = ~np.isfinite(on.rewards)
    for lane in sorted(range(len(on.left)), key=lambda k: -abs(on.left[k])):  # so that the road lies on top
        for i in range(len(on.at)):
            cell = np.array([grid[i, lane], grid[i + 1, lane], grid[i + 1, lane + 1], grid[i, lane + 1]])
            colour = _FAILED if failed[i, lane] else tuple(colours[i, lane].round().astype(int).tolist())
            draw.polygon(corners(cell), fill=colour, outline=colour)
    _lines(draw, on, view)
    return image.reduce(_SMOOTHING)


def _corners_of_cells(on: RewardMap, view: View) -> Floats:
    """Pixels (s + 1, l + 1, 2) of the corners of a map's cells."""
    count, half = len(on.at), 0.5 * abs(on.left[0] - on.left[1])
    station = np.linspace(0.0, on.track.length, count + 1)
    centre = on.track.poses(station)[:, :2]
    ahead = np.diff(centre, axis=0)
    along = ahead[np.r_[0 : len(ahead), -1]] + ahead[np.r_[-1 if on.track.closed else 0, 0 : len(ahead)]]
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    normal = np.stack((-along[:, 1], along[:, 0]), axis=1)
    aside = np.r_[on.left + half, on.left[-1] - half][None, :] * on.track.widths(centre)[:, None]
    points = centre[:, None, :] + aside[:, :, None] * normal[:, None, :]
    return view.pixels(points.reshape(-1, 2)).reshape(points.shape)


def _lines(draw: ImageDraw.ImageDraw, on: RewardMap, view: View) -> None:
    """Draw the borders, and an arrow of chevrons at the start."""
    for border in (on.track.inner, on.track.outer):
        draw.line(corners(view.pixels(border)), fill=palette.BORDER, width=2 * _SMOOTHING, joint="curve")
    start = np.concatenate((on.track.inner[:1], on.track.outer[:1]))
    draw.line(corners(view.pixels(start)), fill=palette.BORDER, width=3 * _SMOOTHING)
    x, y, yaw = on.track.poses(np.array([0.45]))[0].tolist()
    unit = 0.25 * on.track.width
    shape = np.array([(unit, 0.0), (-0.6 * unit, 0.6 * unit), (-0.6 * unit, -0.6 * unit)])
    c, s = math.cos(yaw), math.sin(yaw)
    place = shape @ np.array([(c, s), (-s, c)]) + [x, y]
    draw.polygon(corners(view.pixels(place)), fill=palette.TEXT, outline=palette.NIGHT)


def _words(picture: Image.Image, on: RewardMap, title: str) -> None:
    draw = ImageDraw.Draw(picture)
    way = ", reversed" if on.track.is_reversed else ""
    write(draw, (_SIDE, 48), title, 24)
    write(draw, (SIZE[0] - _SIDE, 48), f"{on.track.name}{way}", 14, palette.QUIET, anchor="rs")
    about = f"for a car along the track at {on.speed:g} m/s, wheels straight"
    write(draw, (_SIDE, SIZE[1] - 34), about, 14, palette.QUIET)


def _ends(rewards: Floats, low: float, high: float) -> tuple[str, str]:
    """Words for the ends of the legend; they say if some rewards lie beyond."""
    known = rewards[np.isfinite(rewards)]
    if not known.size:
        return "failed", "failed"
    less = f"{known.min():.3g} ... " if known.min() < low - 1e-9 else ""
    more = f" ... {known.max():.3g}" if known.max() > high + 1e-9 else ""
    return f"{less}{low:.3g}", f"{high:.3g}{more}"


def _legend(picture: Image.Image, colours: Floats, ends: tuple[str, str]) -> None:
    """Lay out the colours (190, 3) from the lowest to the highest value, at the right."""
    draw, y = ImageDraw.Draw(picture), SIZE[1] - 34
    right = SIZE[0] - _SIDE - 90
    bar = np.broadcast_to(colours.round().astype(np.uint8), (8, len(colours), 3))
    picture.paste(Image.fromarray(np.ascontiguousarray(bar)), (right - len(colours), y - 9))
    write(draw, (right - len(colours) - 10, y), ends[0], 14, palette.TEXT, anchor="rs")
    write(draw, (right + 10, y), ends[1], 14, palette.TEXT)


def _diverging(share: Floats) -> Floats:
    """Colours (..., 3) of differences from -1 to 1: the paler, the smaller."""
    part = np.abs(share)[..., None]
    out: Floats = (1.0 - part) * _SAME + part * np.where(share[..., None] < 0.0, _LESS, _MORE)
    return out
