"""Cameras that differ: from car to car in place and lens, from world to world in what they see.

Floors are costly to paint and lenses to work out, so both are drawn once, by the numbers of a level and not of a run:
`variants` gives the worlds of a level, and in each of them a car picks one of a few cameras by its stream, another one
in every episode. Cameras of one world share its floor. What costs nothing to draw anew, as brightness and blur, is
drawn for each car and episode by the wrappers of `racer_env.sensors.imperfections`; only the deviation of the noise and
the quality of JPEG are the world's. Sensors that are no cameras stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.kernel import Floats, Ints, kernel
from racer_env.randomisation import Randomisation, Range
from racer_env.randomness import Streams, below, between, fork, salt_of
from racer_env.sensors import Reader, Sensor, View
from racer_env.sensors.camera import Camera, CameraReader, Colour, Palette, Sunlight
from racer_env.sensors.ground import packed, widened
from racer_env.sensors.imperfections import AlteringReader, Blurred, Compressed, Noisy, Relit, Values, Wrapper
from racer_env.sensors.picture import Scene
from racer_env.sensors.stereo import Stereo, StereoReader
from racer_env.track import Track
from tracks import errors

TILE = 512  #: texels, after which the pattern of a floor repeats; all its levels divide it
_GRAINS = (1, 4, 16, 64)  #: texels, sizes of the spots that make up a pattern
_AMBIENT = 0.35  #: share of the light on the floor that does not come from the sun
_SUN = np.array([1.0, 1.0, 0.8])  #: red, green and blue of the original's sun
_SALT = salt_of("camera")


def variants(
    level: Randomisation, tracks: Sequence[Track], sensors: Sequence[Sensor]
) -> list[tuple[Track, tuple[Sensor, ...]]]:
    """Give the worlds of a level: tracks, and the sensors to be mounted there."""
    differ = level.draws("road_width") or any(_is_camera(sensor) for sensor in sensors)
    count = math.ceil(level.worlds / len(tracks)) if differ else 1
    out = []
    for number in range(count * len(tracks)):
        track, first = tracks[number // count], number % count == 0
        width = 1.0 if first else _drawn(level.road_width, 1.0, _rng(level, number, "road_width"))
        seen = tuple(vary(sensor, level, number) for sensor in sensors)
        out.append((track if width == 1.0 else with_width(track, width), seen))
    return out


def with_width(track: Track, factor: float) -> Track:
    """Move a track's borders to or from its centre line; as far as possible, where that breaks a rule of tracks."""
    for _ in range(6):
        route = track.route.copy()
        route[:, 2:] = np.tile(track.centre, 2) + factor * (route[:, 2:] - np.tile(track.centre, 2))
        if factor == 1.0 or not errors(route):
            return replace(track, route=route)
        factor = 1.0 + 0.5 * (factor - 1.0)
    return track


def _rng(level: Randomisation, world: int, use: str) -> np.random.Generator:
    """The random numbers of a level's worlds: the same in every run."""
    return np.random.default_rng((salt_of(level.name), world, salt_of(use)))


def vary(sensor: Sensor, level: Randomisation, world: int) -> Sensor:
    """Give what becomes of a sensor in a world of a level; what is wrapped is varied inside."""
    if isinstance(sensor, Wrapper):
        return replace(sensor, sensor=vary(sensor.sensor, level, world))
    if not isinstance(sensor, Camera | Stereo):
        return sensor
    lit = _each(sensor, partial(_lit, level=level, world=world))
    cameras = [_each(lit, partial(_moved, level=level, world=world, number=number)) for number in range(level.cameras)]
    texture = _drawn(level.texture, 0.0, _rng(level, world, "texture"))
    return _spoiled(Varied(tuple(cameras), texture, world), level, world)


def _is_camera(sensor: Sensor) -> bool:
    return _is_camera(sensor.sensor) if isinstance(sensor, Wrapper) else isinstance(sensor, Camera | Stereo)


def _drawn(drawn: Range | None, otherwise: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(*drawn)) if drawn else otherwise


def _spoiled(sensor: Sensor, level: Randomisation, world: int) -> Sensor:
    """Let happen to pictures what a level says: light, exposure, lens, chip and network, in this order."""
    if level.gradient:
        sensor = Graded(sensor, level.gradient)
    if level.draws("brightness", "contrast"):
        sensor = Relit(sensor, level.brightness or (0.0, 0.0), level.contrast or (1.0, 1.0))
    if level.blur:
        sensor = Blurred(sensor, level.blur)
    if level.noise:
        sensor = Noisy(sensor, _drawn(level.noise, 0.0, _rng(level, world, "noise")))
    if level.jpeg:
        quality = float(round(_drawn(level.jpeg, 95.0, _rng(level, world, "jpeg"))))
        sensor = Compressed(sensor, (quality, quality))
    return sensor


def _each(sensor: Camera | Stereo, change: Callable[[Camera], Camera]) -> Camera | Stereo:
    """Change a camera, or both of a pair."""
    if isinstance(sensor, Camera):
        return change(sensor)
    return replace(sensor, left=change(sensor.left), right=change(sensor.right))


def _moved(camera: Camera, level: Randomisation, world: int, number: int) -> Camera:
    """Mount a camera a little elsewhere, with another lens."""
    rng = _rng(level, world, f"camera {number}")
    above, pitch = _drawn(level.camera_above, 0.0, rng), _drawn(level.camera_pitch, 0.0, rng)
    ahead, left_of = _drawn(level.camera_ahead, 0.0, rng), _drawn(level.camera_left, 0.0, rng)
    return replace(
        camera,
        above=camera.above + above,
        pitch=camera.pitch + math.radians(pitch),
        ahead=camera.ahead + ahead,
        left=camera.left + left_of,
        field_of_view=camera.field_of_view * _drawn(level.field_of_view, 1.0, rng),
    )


def _lit(camera: Camera, level: Randomisation, world: int) -> Camera:
    """Let a camera see the colours and the light of a world."""
    palette, sun = camera.palette, camera.sunlight
    palette = repainted(palette, level.paint or (1.0, 1.0), level.repaint or (0.0, 0.0), _rng(level, world, "paint"))
    if level.sunlight:
        light = _rng(level, world, "sunlight").uniform(*level.sunlight, 3) / _SUN
        palette, sun = under(light, palette), replace(sun, strength=sun.strength * float(light.mean()))
    turned = _drawn(level.sun_azimuth, 0.0, _rng(level, world, "sun_azimuth"))
    glare = _drawn(level.sun_glare, 1.0, _rng(level, world, "sun_glare"))
    return replace(
        camera,
        palette=palette,
        sunlight=Sunlight(sun.azimuth + math.radians(turned), sun.elevation, sun.strength * glare),
    )


def repainted(palette: Palette, paint: Range, repaint: Range, rng: np.random.Generator) -> Palette:
    """Give every surface other colours: all by factors, field, walls and sky also by mixing in any other."""

    def on_road(colour: Colour) -> Colour:
        return _colour(np.array(colour) * rng.uniform(*paint, 3))

    def around(colour: Colour) -> Colour:
        share, other = rng.uniform(*repaint), rng.uniform(0.0, 255.0, 3)
        return _colour((1.0 - share) * np.array(on_road(colour)) + share * other)

    left, right, bottom, top = map(around, palette.walls)
    return Palette(
        road=on_road(palette.road),
        border=on_road(palette.border),
        dash=on_road(palette.dash),
        field=around(palette.field),
        walls=(left, right, bottom, top),
        sky=around(palette.sky),
        glare=palette.glare,
    )


def under(light: Floats, palette: Palette) -> Palette:
    """Show a palette under a sun that is `light` (3,) times as red, green and blue as it was."""
    darkest = np.min(palette.walls, axis=0)
    on_floor = _AMBIENT + (1.0 - _AMBIENT) * light
    road, border, dash, field = (_colour(np.array(colour) * on_floor) for colour in palette.floor())
    left, right, bottom, top = (_colour(darkest + (np.array(wall) - darkest) * light) for wall in palette.walls)
    return replace(palette, road=road, border=border, dash=dash, field=field, walls=(left, right, bottom, top))


def _colour(values: Floats) -> Colour:
    red, green, blue = np.clip(values, 0.0, 255.0).tolist()
    return red, green, blue


@kernel
def _choose(streams: Streams, count: int, out: Ints) -> None:
    for j in range(len(streams)):
        out[j] = below(fork(streams[j], _SALT), 0, 0, count)


@dataclass(frozen=True, eq=False)
class VariedReader:
    """Cameras on a track, of which every car has one; what no car has had is neither painted nor worked out."""

    varied: Varied
    track: Track
    _mounted: dict[int, Reader] = field(default_factory=dict)

    def read(self, view: View, which: Ints, out: Values) -> None:
        """Write the pictures of the cars `which` (k,) into their rows of `out` (n, h, w, c)."""
        chosen = np.empty(len(which), np.int64)
        _choose(view.streams[which], len(self.varied.cameras), chosen)
        for number in np.unique(chosen).tolist():
            self.camera(number).read(view, which[chosen == number], out)

    def camera(self, number: int) -> Reader:
        """One of the cameras, mounted."""
        if number not in self._mounted:
            self._mounted[number] = _mounted(self.varied.cameras[number], self._painted)
        return self._mounted[number]

    @cached_property
    def _painted(self) -> CameraReader:
        """A camera for which the floor has been painted, which all share."""
        return self.varied.painted(self.track)


@dataclass(frozen=True)
class Varied:
    """A camera, or pair of them, that is another one of several in every episode."""

    cameras: tuple[Camera | Stereo, ...]  #: with equal names, sizes and colours of the world
    texture: float = 0.0  #: deviation of a pattern on the floor, shades of 255
    world: int = 0  #: number of the pattern

    @property
    def name(self) -> str:
        """The name that all have."""
        return self.cameras[0].name

    def space(self) -> spaces.Box:
        """The pictures of any of them."""
        return self.cameras[0].space()

    def on(self, track: Track) -> Reader:
        """Mount them for a track, each when it is first needed."""
        return VariedReader(self, track)

    def painted(self, track: Track) -> CameraReader:
        """Paint a track's floor, with its pattern, and mount the first camera for it."""
        first = self.cameras[0].left if isinstance(self.cameras[0], Stereo) else self.cameras[0]
        painted = first.on(track)
        if not self.texture:
            return painted
        tile = pattern(self.texture, np.random.default_rng((self.world, salt_of("pattern"))))
        return replace(painted, scenes=tuple(with_pattern(scene, tile) for scene in painted.scenes))


def _mounted(camera: Camera | Stereo, painted: CameraReader) -> Reader:
    if isinstance(camera, Stereo):
        return StereoReader((_mounted(camera.left, painted), _mounted(camera.right, painted)))
    return replace(painted, mount=np.array([camera.ahead, camera.left]), lens=camera.lens(), jpeg=camera.jpeg)


def pattern(deviation: float, rng: np.random.Generator) -> Floats:
    """Draw a pattern (`TILE`, `TILE`) of spots of several sizes that can be laid side by side."""
    total = np.zeros((TILE, TILE))
    for grain in _GRAINS:
        spots = rng.normal(0.0, 1.0, (TILE // grain, TILE // grain)).repeat(grain, 0).repeat(grain, 1)
        for axis in (0, 1):  # without edges
            spots = sum((np.roll(spots, shift, axis) for shift in range(0, grain, max(grain // 4, 1))), 0.0 * spots)
        total += spots / spots.std()
    return np.asarray(deviation * (total - total.mean()) / total.std())


def with_pattern(scene: Scene, tile: Floats) -> Scene:
    """Lay a pattern on the floor of a scene, on all its levels."""
    levels = []
    for first, (rows, columns) in zip(scene.first, scene.size, strict=True):
        wide = widened((scene.texels[first : first + rows * columns] & 255).astype(np.uint8).reshape(rows, columns))
        times = (rows // len(tile) + 1, columns // len(tile) + 1)
        laid = wide + np.tile(np.round(tile).astype(np.int16), times)[: rows + 1, : columns + 1]
        levels.append(np.clip(laid, 0, 255).astype(np.uint8))
        tile = tile.reshape(len(tile) // 2, 2, -1, 2).mean(axis=(1, 3))
    return scene._replace(texels=packed(levels))


@kernel
def _grade(out: npt.NDArray[Any], which: Ints, streams: Streams, salt: int, rise: Range) -> None:
    for j in range(which.size):
        picture, stream = out[which[j]], fork(streams[which[j]], salt)
        height, width, channels = picture.shape
        most, towards = between(stream, 0, 0, rise[0], rise[1]), between(stream, 0, 1, -math.pi, math.pi)
        across, down = 2.0 * most * math.cos(towards) / width, 2.0 * most * math.sin(towards) / height
        start = 1.0 + across * (0.5 - 0.5 * width) + down * (0.5 - 0.5 * height)
        for r in range(height):
            for k in range(width):
                times = start + down * r + across * k
                for channel in range(channels):
                    picture[r, k, channel] = int(min(max(times * picture[r, k, channel] + 0.5, 0.0), 255.0))


@dataclass(frozen=True)
class Graded(Wrapper):
    """Lets the light rise steadily across pictures, in every episode in another direction."""

    rise: Range = (0.0, 0.0)  #: share by which the light is more at one edge and less at the opposite one

    def __post_init__(self) -> None:
        self._check("rise", self.rise, 0.0, 1.0)
        self._check_picture()

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        salt = salt_of(self.use)

        def alter(view: View, which: Ints, out: Values) -> None:
            _grade(out, which, view.streams, salt, self.rise)

        return AlteringReader(self.sensor.on(track), alter)
