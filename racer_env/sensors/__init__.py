"""What a car sees: sensors are values, named as in ``model_metadata.json``, and read a whole batch in place.

To add one: a frozen dataclass with the three members of `Sensor`, and a line in `SENSORS`.

**Chance.** A sensor that needs random numbers looks them up in `racer_env.randomness` by the car's stream, which is
another one in every episode, the tick and an index; it forks the stream by a salt of its own first.

**Memory.** A sensor that needs what it saw before keeps nothing itself: its reader is a `Remembering`, the simulator
holds the arrays that it asks for in its state, so that they are copied and restored with it, and hands them back in
`View.memory` at each read. Three rules make that exact:

* a reader knows a new episode by the car's stream: it notes the stream beside what it remembers, and forgets what
  belongs to another one. Nobody has to reset it, and zeros are an empty memory;
* reading again at the same tick changes nothing, unless the car was moved, and then the newer sight replaces the
  older: so what is remembered is filed by tick, never shifted;
* a wrapper puts its own arrays before those of the sensor that it wraps, and hands that one the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.errors import MetadataError, nearest
from racer_env.kernel import Ints, Records
from racer_env.metadata import LidarConfig
from racer_env.randomness import Streams
from racer_env.track import Track

Memory = tuple[npt.NDArray[Any], ...]  #: arrays (n, ...)


class View(NamedTuple):
    """The world as sensors may see it, for n cars."""

    motion: Records  #: `racer_env.dynamics.MOTION` (n,)
    situation: Records  #: `racer_env.params.SITUATION` (n,), of the same poses
    cars: Records  #: `racer_env.car.CAR` (n,)
    bodies: Records  #: `racer_env.bodies.BODY` (w, b); car i is body ``i % k`` of world ``i // k``, where k = n / w
    ticks: Ints = np.zeros(0, np.int64)  #: (n,) control periods since the simulator began
    streams: Streams = np.zeros(0, np.uint64)  #: (n,) each car's own, another one in every episode
    memory: Memory = ()  #: what this reader remembers: the arrays that it asked for


class Reader(Protocol):
    """A sensor mounted on the cars of one track."""

    def read(self, view: View, which: Ints, out: npt.NDArray[Any]) -> None:
        """Write the observations of the cars `which` (k,) into their rows of `out` (n, ...)."""


@runtime_checkable
class Remembering(Reader, Protocol):
    """A reader that needs what it saw before."""

    def memory(self, n: int) -> Memory:
        """Give zeroed arrays for n cars, which its `read` then finds in `View.memory` and updates in place."""


class Sensor(Protocol):
    """A kind of sensor."""

    @property
    def name(self) -> str:
        """Its name in ``model_metadata.json`` and in the observation."""

    def space(self) -> spaces.Box:
        """Shape, bounds and type of one car's observation."""

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""


def memory_of(reader: Reader, n: int) -> Memory:
    """Give the empty memory of a reader for n cars; most need none."""
    return reader.memory(n) if isinstance(reader, Remembering) else ()


LidarNumbers = Mapping[str, float]  #: ``lidar_config`` of ``model_metadata.json``


def _camera(name: str) -> Callable[[LidarNumbers], Sensor]:
    def make(_: LidarNumbers) -> Sensor:
        from racer_env.sensors import camera  # noqa: PLC0415 (pillow only when there is a camera)

        return cast("Sensor", getattr(camera, name))

    return make


def _stereo_cameras(_: LidarNumbers) -> Sensor:
    from racer_env.sensors.stereo import STEREO_CAMERAS  # noqa: PLC0415

    return STEREO_CAMERAS


def _lidar(name: str) -> Callable[[LidarNumbers], Sensor]:
    def make(_: LidarNumbers) -> Sensor:
        from racer_env.sensors import lidar  # noqa: PLC0415

        return cast("Sensor", getattr(lidar, name))

    return make


def _discretized_sector_lidar(config: LidarNumbers) -> Sensor:
    from racer_env.sensors.lidar import Lidar, Steps  # noqa: PLC0415

    return Lidar("DISCRETIZED_SECTOR_LIDAR", Steps(LidarConfig.of(config)))


def _state(_: LidarNumbers) -> Sensor:
    from racer_env.sensors.state import STATE  # noqa: PLC0415

    return STATE


def _objects(_: LidarNumbers) -> Sensor:
    from racer_env.sensors.objects import OBJECTS  # noqa: PLC0415

    return OBJECTS


SENSORS: Mapping[str, Callable[[LidarNumbers], Sensor]] = {
    "FRONT_FACING_CAMERA": _camera("FRONT_FACING_CAMERA"),
    "LEFT_CAMERA": _camera("LEFT_CAMERA"),
    "observation": _camera("OBSERVATION"),
    "STEREO_CAMERAS": _stereo_cameras,
    "LIDAR": _lidar("LIDAR"),
    "SECTOR_LIDAR": _lidar("SECTOR_LIDAR"),
    "DISCRETIZED_SECTOR_LIDAR": _discretized_sector_lidar,
    "STATE": _state,
    "OBJECTS": _objects,
}


def find_sensors(names: Sequence[str], lidar: LidarNumbers | None = None) -> tuple[Sensor, ...]:
    """Give the sensors of these names.

    Args:
        names: as in ``model_metadata.json``.
        lidar: its ``lidar_config``, for ``DISCRETIZED_SECTOR_LIDAR``.

    Raises:
        MetadataError: a name that does not exist, or a configuration that cannot be used.
    """
    for name in names:
        if name not in SENSORS:
            raise MetadataError(f"no sensor is called {name!r}; {nearest(name, SENSORS)}")
    return tuple(SENSORS[name](lidar or {}) for name in names)
