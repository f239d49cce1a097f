"""A small picture of a track from above, by day: road, borders, dashed centre line, start and direction."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from racer_env.render import write_png
from racer_env.render.palette import Floats
from racer_env.render.road import Paint, draw_road, fit

FIELD, ROAD = (126, 133, 65), (64, 63, 61)
DAY = Paint(FIELD, ROAD, border=(223, 223, 222), dash=(225, 143, 0), arrow=(240, 240, 238))
SIZE = (480, 320)  #: px
MARGIN = 14  #: px around the track
SMOOTHING = 4  #: drawn so many times larger, then scaled down


def track_picture(route: Floats, size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw a route (N, 6) of centre, inner and outer border, as large as fits into `size` pixels."""
    view = fit(route, (MARGIN, MARGIN, size[0] - MARGIN, size[1] - MARGIN))
    image = Image.new("RGB", (size[0] * SMOOTHING, size[1] * SMOOTHING), FIELD)
    draw_road(ImageDraw.Draw(image), route, view.times(SMOOTHING), DAY, SMOOTHING)
    return image.resize(size, Image.Resampling.LANCZOS)


def save_track_picture(route: Floats, path: Path, size: tuple[int, int] = SIZE) -> None:
    """Write the picture as a small PNG, whole or not at all."""
    write_png(track_picture(route, size), path, colours=48)
