"""The scene: the track from above with everything on it, what the followed car sees, and its read-out.

The map is drawn once; a frame copies it and adds the followed car's recent path, the bodies of its world, and the cars
of other worlds on the same track. On a long track cars are drawn larger than they are. Beside it is the camera's
picture or, without a camera, the road around the car from above with the car heading up, true to scale. What a LiDAR
tells is drawn into either.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from racer_env.car import MAX_SPEED
from racer_env.render import palette, panel
from racer_env.render.car_shape import rough_car_picture
from racer_env.render.figures import figures
from racer_env.render.lidar_picture import draw_lidar, draw_lidar_disc, is_lidar
from racer_env.render.observation import is_camera, newest
from racer_env.render.sensor_picture import draw_frame
from racer_env.render.speed_line import draw_speed_line, jumps
from racer_env.render.stopwatch import Stopwatch
from racer_env.render.track_map import CLOSE, TrackMap
from racer_env.sensors import Sensor
from racer_env.simulator import Simulator

SIZE = (960, 600)  #: px
_MAP = (SIZE[0] - panel.WIDTH, SIZE[1])
_INSET = (256, 192)  #: px
_DISC = 84  #: px, of the LiDAR's reading beside the camera's picture
_LEAST_CAR, _MOST_LARGER = 84.0, 2.0  #: px/m, at which cars are drawn at least, unless it were so many times too large
_RING = 0.25  #: m, radius of the ring around the followed car, for there are others
_PATH = 90  #: poses of the recent path, 6 s if every step is drawn


class Scene:
    """A picture of a simulator, following one car.

    Args:
        simulator: whose state is drawn, whenever `draw` is called.
        car: the followed one, of any world.
        hints: a line at the bottom of the map.
        about: words beside the track's name; by default those of the car.
    """

    def __init__(self, simulator: Simulator, car: int = 0, hints: str = "", about: str = ""):
        self.simulator, self.car, self.hints, self.about = simulator, car, hints, about
        self.watch = Stopwatch()
        self.camera = next((s.name for s in simulator.sensors if is_camera(s)), None)
        self.lidar = next((s for s in simulator.sensors if is_lidar(s)), None)
        self.show_camera = self.camera is not None
        self._path: deque[tuple[float, float, float]] = deque(maxlen=_PATH)
        self._episode = -1
        self._map = self._map_of_track()

    def draw(self) -> npt.NDArray[np.uint8]:
        """Draw the state as it is now: uint8 (600, 960, 3)."""
        self.look()
        picture = Image.new("RGB", SIZE, palette.PANEL)
        picture.paste(self._map.whole)
        self._draw_path(picture)
        self._draw_bodies(picture)
        inset = self._seen(self.camera) if self.camera and self.show_camera else self._close_up()
        picture.paste(inset, (_MAP[0] + 16, 16), _rounded(_INSET))
        side = picture.crop((_MAP[0], 0, *SIZE))
        panel.draw_panel(side, panel.take_readings(self.simulator, self.car, self.watch))
        picture.paste(side, (_MAP[0], 0))
        return np.asarray(picture)

    def toggle_camera(self) -> None:
        """Change between the camera's picture and the close-up, if there is a camera."""
        self.show_camera = self.camera is not None and not self.show_camera

    def look(self) -> None:
        """Take note of where the followed car is, and of its laps, as `draw` does, without drawing."""
        m, e = self.simulator.state.motion[self.car], self.simulator.state.episode[self.car]
        if e.number != self._episode or e.steps == 1:
            self._path.clear()
        if self.simulator.track_of(self.car) is not self._map.track:
            self._map = self._map_of_track()
        self._episode = int(e.number)
        self._path.append((float(m.x), float(m.y), float(m.speed)))
        self.watch.look(e)

    def _map_of_track(self) -> TrackMap:
        cars, own = self.simulator.race.cars, self.car % self.simulator.race.cars
        car = f"car {own + 1} of {cars}" if own else self.simulator.car.name  # rivals may be others
        return TrackMap(self.simulator.track_of(self.car), _MAP, self.about or car, self.hints)

    def _draw_path(self, picture: Image.Image) -> None:
        """Draw the recent path in the colours of its speed, fading with age."""
        path = np.array(self._path)
        if len(path) < 2:
            return
        at = self._map.view.pixels(path[:, :2])
        low, high = np.floor(at.min(axis=0)) - 4, np.ceil(at.max(axis=0)) + 4
        width, height = (2 * (high - low)).astype(int).tolist()
        patch = Image.new("RGBA", (width, height))
        opacity = np.linspace(0.0, 230.0, len(path) - 1)
        drawn = ~jumps(path[:, :2], path[:, 2])
        draw_speed_line(ImageDraw.Draw(patch), 2.0 * (at - low), path[:, 2] / MAX_SPEED, 9, drawn, opacity=opacity)
        patch = patch.reduce(2)
        picture.paste(patch, (int(low[0]), int(low[1])), patch)

    def _draw_bodies(self, picture: Image.Image) -> None:
        """Draw the cars of other worlds, all alike, then all that there is in the followed car's own."""
        state, view = self.simulator.state, self._map.view
        scale = max(view.scale, min(_LEAST_CAR, _MOST_LARGER * view.scale))
        for i in self._cars_of_other_worlds():
            m = state.motion[i]
            sector = round(math.degrees(m.yaw) / 5.0) % 72
            _stamp(picture, rough_car_picture(scale, sector, palette.OTHER), view.pixels_of(m.x, m.y))
        for figure in figures(self.simulator, self.car):
            _stamp(picture, figure.picture(view.scale if figure.box else scale), view.pixels_of(figure.x, figure.y))
        if state.bodies.shape[1] > 1:
            m = state.motion[self.car]
            _stamp(picture, _ring(round(_RING * scale)), view.pixels_of(m.x, m.y))

    def _seen(self, camera: str) -> Image.Image:
        """What the camera saw, larger, and in its corner what the LiDAR told."""
        sensor = next(s for s in self.simulator.sensors if s.name == camera)
        picture = draw_frame(newest(sensor, self.simulator.observations[camera][self.car]), _INSET)
        if self.lidar:
            disc = draw_lidar_disc(self.lidar, self.simulator.observations[self.lidar.name][self.car], _DISC)
            picture.paste(disc, (_INSET[0] - _DISC - 8, _INSET[1] - _DISC - 8), disc)
        return picture

    def _cars_of_other_worlds(self) -> Iterator[int]:
        """The cars on the same track that the followed one does not meet."""
        cars = self.simulator.race.cars
        for world in range(self.simulator.worlds):
            if world != self.car // cars and self.simulator.track_of(world * cars) is self._map.track:
                yield from range(world * cars, (world + 1) * cars)

    def _close_up(self) -> Image.Image:
        return draw_close_up(self.simulator, self.car, self._map, _INSET, lidar=self.lidar)


def draw_close_up(
    simulator: Simulator,
    car: int,
    track: TrackMap,
    size: tuple[int, int],
    scale: float = CLOSE,
    lidar: Sensor | None = None,
) -> Image.Image:
    """Draw the world around a car at `scale` px/m, turned so that it heads up, and what its LiDAR tells."""
    m = simulator.state.motion[car]
    middle = (0.5 * size[0], 0.68 * size[1])
    picture = track.around(m.x, m.y, m.yaw, middle, size, scale)
    if lidar:
        _stamp(picture, draw_lidar(lidar, simulator.observations[lidar.name][car], scale, 0.5 * math.pi), middle)
    c, s = scale * math.cos(m.yaw), scale * math.sin(m.yaw)
    for figure in figures(simulator, car):
        dx, dy = figure.x - m.x, figure.y - m.y
        place = (middle[0] + s * dx - c * dy, middle[1] - c * dx - s * dy)
        if math.dist(place, middle) < sum(size):
            _stamp(picture, figure.picture(scale, 0.5 * math.pi - m.yaw), place)
    return picture


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


@cache
def _ring(radius: int) -> Image.Image:
    """A ring of so many pixels, RGBA."""
    side = 4 * (2 * radius + 1)
    image = Image.new("RGBA", (side, side), (*palette.TEXT, 0))
    ImageDraw.Draw(image).ellipse((0, 0, side - 1, side - 1), outline=(*palette.TEXT, 220), width=5)
    return image.reduce(4)
