"""A track as the scene shows it: the whole of it in a panel's place, and close by, where a car is."""

from __future__ import annotations

import math
from functools import cached_property

from PIL import Image, ImageDraw

from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.render.road import View, fit, night_map
from racer_env.track import Track

CLOSE = 125.0  #: px/m of the close-up
_SMOOTHING = 3
_MOST_PIXELS = 12e6  #: of the close-up's ground


class TrackMap:
    """The pictures of one track, each drawn when it is first asked for.

    Args:
        track: which.
        size: px, of the whole map.
        about: words beside the track's name.
        hints: a line at the bottom.
    """

    def __init__(self, track: Track, size: tuple[int, int], about: str, hints: str):
        self.track, self.size, self.about, self.hints = track, size, about, hints
        self.view = fit(track.route, (28, 60, size[0] - 28, size[1] - 44))

    @cached_property
    def whole(self) -> Image.Image:
        """All of the track, with its name and the hints."""
        large = (self.size[0] * _SMOOTHING, self.size[1] * _SMOOTHING)
        view = self.view.times(_SMOOTHING)
        picture = night_map(self.track.route, view, large, _SMOOTHING).reduce(_SMOOTHING)
        draw = ImageDraw.Draw(picture)
        write(draw, (20, 34), self.track.name, 20)
        direction = ", reversed" if self.track.is_reversed else ""
        words = f"{self.track.length:.1f} m{direction} · {self.about}"
        write(draw, (self.size[0] - 20, 34), words, 13, palette.QUIET, anchor="rs")
        write(draw, (20, self.size[1] - 16), self.hints, 13, palette.QUIET)
        return picture

    def around(
        self,
        x: float,
        y: float,
        yaw: float,
        place: tuple[float, float],
        size: tuple[int, int],
        scale: float = CLOSE,
    ) -> Image.Image:
        """The road around a pose at `scale` px/m, turned so that it heads up from the pixel `place` of the picture."""
        ground, view = self._ground
        left, top = view.pixels_of(x, y)
        zoom = view.scale / scale
        s, c = zoom * math.sin(yaw), zoom * math.cos(yaw)
        across, down = place
        to_ground = (s, -c, left - s * across + c * down, c, s, top - c * across - s * down)
        return ground.transform(
            size, Image.Transform.AFFINE, to_ground, Image.Resampling.BILINEAR, fillcolor=palette.NIGHT
        )

    @cached_property
    def _ground(self) -> tuple[Image.Image, View]:
        """The whole track at the close-up's scale, or as large as is reasonable."""
        left, bottom, right, top = self.track.bounds
        width, height = right - left + 1.0, top - bottom + 1.0
        scale = min(CLOSE, math.sqrt(_MOST_PIXELS / (width * height)))
        size = (math.ceil(width * scale), math.ceil(height * scale))
        view = View(scale, (0.5 - left) * scale, (0.5 + top) * scale)
        large = night_map(self.track.route, view.times(2), (2 * size[0], 2 * size[1]), 2)
        return large.reduce(2), view
