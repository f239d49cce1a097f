"""What makes a sensor worse: wrappers that are sensors themselves, and so can be wrapped again.

``Delayed(Noisy(FRONT_FACING_CAMERA, 3.0), (1.0, 2.0))`` is a noisy camera whose pictures come one to two control
periods late. What is wrapped is what happens first. A wrapper keeps the name, the bounds and the type of its sensor;
whole numbers are rounded. All chance comes from the stream of the car: a range is drawn from once in an episode, noise
and lost observations at every control period, and two equal wrappers around different sensors have nothing in common.

`Noisy` is for any sensor, `Relit`, `Blurred` and `Compressed` for pictures of bytes. Those that show what was seen
before are in `racer_env.sensors.memories`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.errors import RacerError
from racer_env.kernel import Floats, Ints, kernel
from racer_env.randomness import Streams, between, fork, salt_of
from racer_env.sensors import Memory, Reader, Sensor, View, memory_of
from racer_env.track import Track

Values = npt.NDArray[Any]
Range = tuple[float, float]  #: least and most; drawn from evenly, once in an episode

_BITS, _PER_HASH = 12, 5  #: a hash of 64 bits holds five places in a table of 4096 normal numbers


@dataclass(frozen=True)
class Wrapper:
    """A sensor that changes what another one sees."""

    sensor: Sensor

    @property
    def name(self) -> str:
        """The name of the sensor that is wrapped."""
        return self.sensor.name

    @property
    def use(self) -> str:
        """What its random numbers are for: no other wrapper of a car has the same."""
        return f"{type(self).__name__} {self.sensor.use if isinstance(self.sensor, Wrapper) else self.name}"

    def space(self) -> spaces.Box:
        """Shape, bounds and type of the sensor that is wrapped."""
        return self.sensor.space()

    def _check(self, what: str, value: Range, low: float, high: float) -> None:
        if not low <= value[0] <= value[1] <= high:
            allowed = f"{low:g} to {high:g}" if math.isfinite(high) else f"at least {low:g}"
            raise RacerError(f"{what} of {type(self).__name__} is {value}, but must be a least and a most, {allowed}")

    def _check_picture(self) -> None:
        space = self.space()
        if space.dtype != np.uint8 or len(space.shape) != 3:
            raise RacerError(f"{type(self).__name__} is for pictures, but {self.name} does not give any")


@dataclass(frozen=True)
class AlteringReader:
    """Changes what another reader has read."""

    inner: Reader
    alter: Callable[[View, Ints, Values], None]

    def memory(self, n: int) -> Memory:
        """That of the other reader."""
        return memory_of(self.inner, n)

    def read(self, view: View, which: Ints, out: Values) -> None:
        """Let the other reader read for the cars `which` (k,), and change their rows of `out` (n, ...)."""
        self.inner.read(view, which, out)
        self.alter(view, which, out)


@cache
def _normal_table() -> Floats:
    """Equally likely numbers of the normal distribution, with deviation 1."""
    places = (np.arange(2**_BITS) + 0.5) / 2**_BITS
    table = np.array([NormalDist().inv_cdf(place) for place in places])
    return np.asarray(table / table.std())


@kernel
def _add_noise(
    out: Values,
    which: Ints,
    ticks: Ints,
    streams: Streams,
    salt: int,
    table: Floats,
    bounds: tuple[float, float],
    is_whole: bool,
) -> None:
    for i in which:
        row, drawn = out[i], fork(fork(streams[i], salt), ticks[i])
        for first in range(0, row.size, _PER_HASH):
            bits = fork(drawn, first)
            for k in range(first, min(first + _PER_HASH, row.size)):
                value = row[k] + table[int(bits & (len(table) - 1))]
                bits = bits >> _BITS
                value = min(max(value, bounds[0]), bounds[1])
                row[k] = math.floor(value + 0.5) if is_whole else value


@dataclass(frozen=True)
class Noisy(Wrapper):
    """Adds normally distributed noise to every value, and cuts it to the sensor's bounds."""

    deviation: float = 1.0  #: in the sensor's own unit; for pictures in shades of 255

    def __post_init__(self) -> None:
        self._check("deviation", (self.deviation, self.deviation), 0.0, math.inf)

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        salt, table, space = salt_of(self.use), self.deviation * _normal_table(), self.space()
        bounds, is_whole = (float(space.low.min()), float(space.high.max())), np.issubdtype(space.dtype, np.integer)

        def alter(view: View, which: Ints, out: Values) -> None:
            _add_noise(out.reshape(len(out), -1), which, view.ticks, view.streams, salt, table, bounds, bool(is_whole))

        return AlteringReader(self.sensor.on(track), alter)


@kernel
def _drawn(stream: int, salt: int, least_and_most: Range) -> float:
    return between(fork(stream, salt), 0, 0, least_and_most[0], least_and_most[1])


@kernel
def _relight(out: Values, which: Ints, streams: Streams, salt: int, brightness: Range, contrast: Range) -> None:
    becomes = np.empty(256, np.uint8)
    for i in which:
        row, stream = out[i], fork(streams[i], salt)
        more, times = (
            between(stream, 0, 0, brightness[0], brightness[1]),
            between(stream, 0, 1, contrast[0], contrast[1]),
        )
        for shade in range(len(becomes)):
            becomes[shade] = int(min(max(127.5 + times * (shade - 127.5) + more + 0.5, 0.0), 255.0))
        for k in range(row.size):
            row[k] = becomes[row[k]]


@dataclass(frozen=True)
class Relit(Wrapper):
    """Makes pictures brighter or darker, and stronger or weaker in contrast, in every episode otherwise."""

    brightness: Range = (0.0, 0.0)  #: shades of 255 that are added
    contrast: Range = (1.0, 1.0)  #: how many times as far from the middle shade

    def __post_init__(self) -> None:
        self._check("brightness", self.brightness, -255.0, 255.0)
        self._check("contrast", self.contrast, 0.0, math.inf)
        self._check_picture()

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        salt = salt_of(self.use)

        def alter(view: View, which: Ints, out: Values) -> None:
            _relight(out.reshape(len(out), -1), which, view.streams, salt, self.brightness, self.contrast)

        return AlteringReader(self.sensor.on(track), alter)


@kernel
def _mean_of_squares(picture: Values, channel: int, radius: float) -> None:
    """Replace each pixel of a channel by the mean of a square around it; pictures go on as they end."""
    height, width, margin = picture.shape[0], picture.shape[1], int(radius) + 1
    padded = np.empty((height + 2 * margin, width + 2 * margin))
    for r in range(len(padded)):
        for k in range(padded.shape[1]):
            padded[r, k] = picture[min(max(r - margin, 0), height - 1), min(max(k - margin, 0), width - 1), channel]
    edge, share = radius - int(radius), 1.0 / (1.0 + 2.0 * radius)
    columns, line = np.zeros(padded.shape[1]), np.zeros(width)
    for r in range(height):
        columns[:], line[:] = 0.0, 0.0
        for away in range(2 * margin + 1):
            weight = share * (edge if away in (0, 2 * margin) else 1.0)
            for k in range(len(columns)):
                columns[k] += weight * padded[r + away, k]
        for away in range(2 * margin + 1):
            weight = share * (edge if away in (0, 2 * margin) else 1.0)
            for k in range(width):
                line[k] += weight * columns[k + away]
        for k in range(width):
            picture[r, k, channel] = int(line[k] + 0.5)


@kernel
def _blur(out: Values, which: Ints, streams: Streams, salt: int, radius: Range) -> None:
    for i in which:
        wide = _drawn(streams[i], salt, radius)
        for channel in range(out.shape[3]):
            _mean_of_squares(out[i], channel, wide)


@dataclass(frozen=True)
class Blurred(Wrapper):
    """Makes every pixel the mean of a square around it, in every episode of another size."""

    radius: Range = (0.5, 0.5)  #: pixels, also parts of them; the square is 1 + 2 radius wide

    def __post_init__(self) -> None:
        self._check("radius", self.radius, 0.0, 50.0)
        self._check_picture()

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        salt = salt_of(self.use)

        def alter(view: View, which: Ints, out: Values) -> None:
            _blur(out, which, view.streams, salt, self.radius)

        return AlteringReader(self.sensor.on(track), alter)


@dataclass(frozen=True)
class Compressed(Wrapper):
    """Packs every picture as JPEG and unpacks it, as a camera does that is read over a network."""

    quality: Range = (95.0, 95.0)  #: 1 to 95, as in libjpeg; OpenCV, with which cars send pictures, takes 95

    def __post_init__(self) -> None:
        self._check("quality", self.quality, 1.0, 95.0)
        self._check_picture()

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        from racer_env.sensors.jpeg import through_jpeg  # noqa: PLC0415 (pillow only where it is used)

        salt = salt_of(self.use)

        def alter(view: View, which: Ints, out: Values) -> None:
            drawn = np.array([round(_drawn(view.streams[i], salt, self.quality)) for i in which])
            through_jpeg(out, which, drawn)

        return AlteringReader(self.sensor.on(track), alter)
