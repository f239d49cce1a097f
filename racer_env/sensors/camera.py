"""The front camera: a pinhole over the painted floor, with walls and sky, as the original's network sees it.

The frame of a car and the rays of a picture are in `racer_env.sensors.lens`, how a picture comes about is in
`racer_env.sensors.picture`. Grey pictures are what the original's filter makes of its colours: 0.2989 red + 0.5870
green + 0.1140 blue, decimals cut.

The model stops being true where surfaces have texture (the original's road and borders have, by about two shades of
255), and the walls are a rectangle around the track whatever stands there in the original.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.kernel import Floats, Ints, Records, kernel, parallel_kernel, prange
from racer_env.sensors import View
from racer_env.sensors.ground import Layout, lay_out, paint
from racer_env.sensors.jpeg import through_jpeg
from racer_env.sensors.lens import Lens, make_lens
from racer_env.sensors.picture import Picture, Scene, shoot
from racer_env.sensors.solids import draw
from racer_env.track import Track

Pictures = npt.NDArray[np.uint8]  #: (n, h, w, channels), or one of them
Colour = tuple[float, float, float]  #: red, green, blue, 0 to 255

LUMA = (0.2989, 0.5870, 0.1140)  #: of the original's grey
_GREY = (LUMA,)
_RED_GREEN_BLUE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Palette:
    """Colours of what a camera can see."""

    road: Colour
    border: Colour
    dash: Colour
    field: Colour
    walls: tuple[Colour, Colour, Colour, Colour]  #: left, right, bottom and top of the world, seen from above
    sky: Colour
    glare: Colour  #: of the sun's reflection

    def floor(self) -> tuple[Colour, ...]:
        """Colours of what can be on the floor, in the order of `racer_env.sensors.ground`."""
        return (self.road, self.border, self.dash, self.field)


@dataclass(frozen=True)
class Sunlight:
    """The sun, as the floor reflects it."""

    azimuth: float  #: rad, where it stands, from x to y
    elevation: float  #: rad
    strength: float  #: share of the glare in what is seen where it is mirrored


#: Colours of re:Invent 2018 under the original's light: medians over recorded frames, less the sun's reflection.
PALETTE = Palette(
    road=(40.0, 51.0, 62.0),
    border=(198.0, 198.0, 182.0),
    dash=(200.0, 122.0, 20.0),
    field=(97.0, 137.0, 100.0),
    walls=((29.0, 53.0, 57.0), (14.0, 33.0, 40.0), (11.0, 26.0, 31.0), (18.0, 37.0, 43.0)),
    sky=(217.0, 218.0, 219.0),
    glare=(200.0, 190.0, 180.0),
)

#: Fitted to recorded frames. The azimuth is that of the original's sun (-0.5, 0.1, -0.9); a higher sun with its own
#: elevation of 60 degrees explains them less well, so the elevation stands for what we do not know of its shading.
SUNLIGHT = Sunlight(azimuth=math.radians(349.0), elevation=math.radians(42.0), strength=0.12)


@kernel
def _place(motion: Records, i: int, mount: Floats) -> tuple[float, float, float]:
    """Where the camera of car i is, m, and along which yaw it looks."""
    m = motion[i]
    c, s = math.cos(m.yaw), math.sin(m.yaw)
    return m.x + c * mount[0] - s * mount[1], m.y + s * mount[0] + c * mount[1], m.yaw


@kernel
def _shoot_one(motion: Records, i: int, mount: Floats, lens: Lens, scene: Scene, picture: Picture) -> None:
    x, y, yaw = _place(motion, i, mount)
    shoot(x, y, yaw, lens, scene, picture)


@parallel_kernel
def _shoot_all(
    motion: Records, which: Ints, mount: Floats, lens: Lens, scene: Scene, pictures: Picture, places: Ints
) -> None:
    for j in prange(which.size):
        _shoot_one(motion, which[j], mount, lens, scene, pictures[places[j]])


@kernel
def _draw_one(motion: Records, bodies: Records, i: int, mount: Floats, lens: Lens, picture: Pictures) -> None:
    x, y, yaw = _place(motion, i, mount)
    cars = len(motion) // len(bodies)
    draw(bodies[i // cars], i % cars, x, y, lens.above, yaw, lens.pitch, lens.focal, picture)


@parallel_kernel
def _draw_all(
    motion: Records, bodies: Records, which: Ints, mount: Floats, lens: Lens, pictures: Pictures, places: Ints
) -> None:
    for j in prange(which.size):
        _draw_one(motion, bodies, which[j], mount, lens, pictures[places[j]])


@dataclass(frozen=True, eq=False)
class CameraReader:
    """A camera on a track."""

    mount: Floats  #: (2,) m ahead and left of the middle of the axles
    lens: Lens
    scenes: tuple[Scene, ...]  #: one for each channel
    jpeg: int | None = None  #: quality of the compression that a picture goes through

    def read(self, view: View, which: Ints, out: Pictures) -> None:
        """Write the pictures of the cars `which` (k,) into `out` (n, h, w, channels)."""
        in_place = len(self.scenes) == 1 and out.flags.c_contiguous
        pictures = out if in_place else np.empty((len(which), *out.shape[1:]), np.uint8)
        places = which if in_place else np.arange(len(which))
        for channel, scene in enumerate(self.scenes):
            plane = pictures[..., 0] if in_place else np.empty(pictures.shape[:3], np.uint8)
            self._shoot(view, which, scene, plane, places)
            if not in_place:
                pictures[..., channel] = plane
        if view.bodies.shape[1] > 1:
            self._draw(view, which, pictures, places)
        if self.jpeg is not None:
            through_jpeg(pictures, places, np.full(len(places), self.jpeg))
        if not in_place:
            out[which] = pictures

    def _shoot(self, view: View, which: Ints, scene: Scene, planes: Pictures, places: Ints) -> None:
        if which.size == 1:  # waking other cores costs more than one picture
            _shoot_one(view.motion, which[0], self.mount, self.lens, scene, planes[places[0]])
        else:
            _shoot_all(view.motion, which, self.mount, self.lens, scene, planes, places)

    def _draw(self, view: View, which: Ints, pictures: Pictures, places: Ints) -> None:
        if which.size == 1:
            _draw_one(view.motion, view.bodies, which[0], self.mount, self.lens, pictures[places[0]])
        else:
            _draw_all(view.motion, view.bodies, which, self.mount, self.lens, pictures, places)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks ahead and down."""

    name: str = "FRONT_FACING_CAMERA"
    width: int = 160  #: pixels
    height: int = 120
    field_of_view: float = 1.13  #: rad, horizontal
    ahead: float = 0.1435  #: m from the middle of the axles, fitted: 0.1453, and the car stands nose up
    left: float = 0.0  #: m from the middle of the car
    above: float = 0.1306  #: m over the floor, fitted to recorded frames
    pitch: float = 0.2360  #: rad down, fitted: 15 degrees, and the car stands 1.5 degrees nose up
    colour: bool = False  #: red, green and blue instead of grey
    antialiased: bool = True  #: shrunk as Pillow does; OpenCV's linear filter looks at the middle of a pixel only
    jpeg: int | None = None  #: quality of the JPEG that a picture goes through
    palette: Palette = PALETTE
    sunlight: Sunlight = SUNLIGHT

    def space(self) -> spaces.Box:
        """A picture (h, w, 1), or (h, w, 3) in colour, of uint8."""
        return spaces.Box(0, 255, (self.height, self.width, 3 if self.colour else 1), np.uint8)

    def on(self, track: Track) -> CameraReader:
        """Paint the track's floor and mount the camera for it."""
        layout, channels = lay_out(track), _RED_GREEN_BLUE if self.colour else _GREY
        scenes = tuple(make_scene(layout, self.palette, self.sunlight, weights) for weights in channels)
        return CameraReader(np.array([self.ahead, self.left]), self.lens(), scenes, self.jpeg)

    def beside(self, reader: CameraReader) -> CameraReader:
        """Mount it where another camera that sees the same colours has had the floor painted."""
        return CameraReader(np.array([self.ahead, self.left]), self.lens(), reader.scenes, self.jpeg)

    def lens(self) -> Lens:
        """Work out the rays of its pixels."""
        return make_lens((self.width, self.height), self.field_of_view, self.above, self.pitch, self.antialiased)


def make_scene(layout: Layout, palette: Palette, sunlight: Sunlight, weights: Sequence[float]) -> Scene:
    """Show a world in one channel, which weighs red, green and blue by `weights` (3,)."""

    def shade(colour: Colour) -> int:
        return int(sum(w * c for w, c in zip(weights, colour, strict=True)) + 1e-6)  # the original cuts decimals too

    ground = paint(layout, [shade(colour) for colour in palette.floor()])
    flat = math.cos(sunlight.elevation)
    sun = (flat * math.cos(sunlight.azimuth), flat * math.sin(sunlight.azimuth), math.sin(sunlight.elevation))
    return Scene(
        ground.texels,
        ground.first,
        ground.size,
        layout.origin,
        layout.walls,
        np.array([shade(wall) for wall in palette.walls], np.float64),
        float(shade(palette.sky)),
        float(shade(palette.glare)),
        np.array(sun),
        sunlight.strength,
    )


FRONT_FACING_CAMERA = Camera()
OBSERVATION = Camera("observation")  #: the name it has in ``model_metadata.json`` of version 1
LEFT_CAMERA = Camera("LEFT_CAMERA", left=0.03)  #: the left one of the car with two

#: The physical car's lens, 120 degrees wide, at 15 pictures a second: 640 x 480 shrunk by OpenCV's linear filter and
#: sent as JPEG (``camera_node.cpp`` of the car's software; quality 95 is OpenCV's default). Its makers say 120 degrees,
#: and nothing about how it is mounted, so it is where the original's is; what a 640 x 480 mode leaves of the angle is
#: not known.
WIDE_CAMERA = Camera(field_of_view=math.radians(120.0), antialiased=False, jpeg=95)
