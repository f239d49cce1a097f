"""The scene: the track from above with all cars, what the followed one sees, and its read-out.

The map is drawn once; a frame copies it and adds the followed car's recent path and the cars, which on a long
track are drawn larger than they are. Beside it is the front camera's picture or, without a camera, the road
around the car from above with the car heading up.
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from racer_env.car import MAX_SPEED
from racer_env.render import palette, panel
from racer_env.render.car_shape import car_picture, rough_car_picture
from racer_env.render.lettering import write
from racer_env.render.road import View, fit, night_map
from racer_env.render.speed_line import draw_speed_line, jumps
from racer_env.render.stopwatch import Stopwatch
from racer_env.simulator import Simulator

SIZE = (960, 600)  #: px
_MAP = (SIZE[0] - panel.WIDTH, SIZE[1])
_INSET = (256, 192)  #: px
_SMOOTHING = 3
_LEAST_CAR = 84.0  #: px/m, at which cars are drawn at least
_PATH = 90  #: poses of the recent path, 6 s if every step is drawn
_CLOSE = 125.0  #: px/m of the close-up
_MOST_PIXELS = 12e6  #: of the close-up's map


class Scene:
    """A picture of a simulator, following one car.

    Args:
        simulator: whose state is drawn, whenever `draw` is called.
        car: the followed one.
        hints: a line at the bottom of the map.
    """

    def __init__(self, simulator: Simulator, car: int = 0, hints: str = ""):
        self.simulator, self.car, self.hints = simulator, car, hints
        self.watch = Stopwatch()
        self.camera = _camera_of(simulator)
        self.show_camera = self.camera is not None
        self._path: deque[tuple[float, float, float]] = deque(maxlen=_PATH)
        self._episode = -1
        self._view = fit(simulator.track.route, (28, 60, _MAP[0] - 28, _MAP[1] - 44))

    def draw(self) -> npt.NDArray[np.uint8]:
        """Draw the state as it is now: uint8 (600, 960, 3)."""
        self._observe()
        picture = self._background.copy()
        self._draw_path(picture)
        self._draw_cars(picture)
        inset = self._seen(self.camera) if self.camera and self.show_camera else self._close_up()
        picture.paste(inset, (_MAP[0] + 16, 16), _rounded(_INSET))
        side = picture.crop((_MAP[0], 0, *SIZE))
        panel.draw_panel(side, panel.take_readings(self.simulator, self.car, self.watch))
        picture.paste(side, (_MAP[0], 0))
        return np.asarray(picture)

    def toggle_camera(self) -> None:
        """Change between the camera's picture and the close-up, if there is a camera."""
        self.show_camera = self.camera is not None and not self.show_camera

    def _observe(self) -> None:
        m, e = self.simulator.state.motion[self.car], self.simulator.state.episode[self.car]
        if e.number != self._episode or e.steps == 1:
            self._path.clear()
        self._episode = int(e.number)
        self._path.append((float(m.x), float(m.y), float(m.speed)))
        self.watch.look(e)

    @cached_property
    def _background(self) -> Image.Image:
        """The map, its title, and the empty panel."""
        track = self.simulator.track
        large = (_MAP[0] * _SMOOTHING, _MAP[1] * _SMOOTHING)
        picture = Image.new("RGB", SIZE, palette.PANEL)
        picture.paste(night_map(track.route, self._view.times(_SMOOTHING), large, _SMOOTHING).reduce(_SMOOTHING))
        draw = ImageDraw.Draw(picture)
        write(draw, (20, 34), track.name, 20)
        direction = ", reversed" if track.is_reversed else ""
        about = f"{track.length:.1f} m{direction} · {self.simulator.car.name}"
        write(draw, (_MAP[0] - 20, 34), about, 13, palette.QUIET, anchor="rs")
        write(draw, (20, _MAP[1] - 16), self.hints, 13, palette.QUIET)
        return picture

    def _draw_path(self, picture: Image.Image) -> None:
        """Draw the recent path in the colours of its speed, fading with age."""
        path = np.array(self._path)
        if len(path) < 2:
            return
        at = self._view.pixels(path[:, :2])
        low, high = np.floor(at.min(axis=0)) - 4, np.ceil(at.max(axis=0)) + 4
        width, height = (2 * (high - low)).astype(int).tolist()
        patch = Image.new("RGBA", (width, height))
        opacity = np.linspace(0.0, 230.0, len(path) - 1)
        drawn = ~jumps(path[:, :2], path[:, 2])
        draw_speed_line(ImageDraw.Draw(patch), 2.0 * (at - low), path[:, 2] / MAX_SPEED, 9, drawn, opacity=opacity)
        patch = patch.reduce(2)
        picture.paste(patch, (int(low[0]), int(low[1])), patch)

    def _draw_cars(self, picture: Image.Image) -> None:
        motion, scale = self.simulator.state.motion, max(self._view.scale, _LEAST_CAR)
        places = self._view.pixels(np.stack((motion.x, motion.y), axis=1)).tolist()
        for i, place in enumerate(places):
            if i != self.car:
                sector = round(math.degrees(motion[i].yaw) / 5.0) % 72
                _stamp(picture, rough_car_picture(scale, sector, palette.OTHER), place)
        m = motion[self.car]
        _stamp(picture, car_picture(scale, m.yaw, m.steering, palette.ACCENT), places[self.car])

    def _seen(self, camera: str) -> Image.Image:
        """What the camera saw, larger; of several pictures, the newest."""
        frame = np.ascontiguousarray(self.simulator.observations[camera][self.car, :, :, -1])
        return Image.fromarray(frame).resize(_INSET, Image.Resampling.BICUBIC).convert("RGB")

    def _close_up(self) -> Image.Image:
        """The road around the car, turned so that it heads up."""
        m = self.simulator.state.motion[self.car]
        ground, view = self._close_ground
        x, y = view.pixels(np.array([[m.x, m.y]]))[0].tolist()
        zoom, middle, low = view.scale / _CLOSE, 0.5 * _INSET[0], 0.68 * _INSET[1]
        s, c = zoom * math.sin(m.yaw), zoom * math.cos(m.yaw)
        place = (s, -c, x - s * middle + c * low, c, s, y - c * middle - s * low)  # inset to ground
        around = ground.transform(
            _INSET, Image.Transform.AFFINE, place, Image.Resampling.BILINEAR, fillcolor=palette.NIGHT
        )
        _stamp(around, car_picture(_CLOSE, 0.5 * math.pi, m.steering, palette.ACCENT), (middle, low))
        return around

    @cached_property
    def _close_ground(self) -> tuple[Image.Image, View]:
        """The whole track at the close-up's scale, or as large as is reasonable."""
        left, bottom, right, top = self.simulator.track.bounds
        width, height = right - left + 1.0, top - bottom + 1.0
        scale = min(_CLOSE, math.sqrt(_MOST_PIXELS / (width * height)))
        size = (math.ceil(width * scale), math.ceil(height * scale))
        view = View(scale, (0.5 - left) * scale, (0.5 + top) * scale)
        large = night_map(self.simulator.track.route, view.times(2), (2 * size[0], 2 * size[1]), 2)
        return large.reduce(2), view


def _stamp(picture: Image.Image, stamp: Image.Image, place: tuple[float, float]) -> None:
    """Paste a picture (RGBA) with its middle at a place."""
    left, top = (round(at - 0.5 * side) for at, side in zip(place, stamp.size, strict=True))
    picture.paste(stamp, (left, top), stamp)


@cache
def _rounded(size: tuple[int, int]) -> Image.Image:
    """A mask with round corners."""
    mask = Image.new("L", (size[0] * 4, size[1] * 4))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * 4 - 1, size[1] * 4 - 1), radius=40, fill=255)
    return mask.reduce(4)


def _camera_of(simulator: Simulator) -> str | None:
    """Name the first sensor that gives a picture."""
    pictures = (s.name for s in simulator.sensors if len(s.space().shape) == 3 and s.space().dtype == np.uint8)
    return next(pictures, None)
