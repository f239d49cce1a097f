"""What a car sees: sensors are values, named as in ``model_metadata.json``, and read a whole batch in place.

To add one: a frozen dataclass with the three members of `Sensor`, and a line in `SENSORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt
from gymnasium import spaces

from racer_env.errors import MetadataError, nearest
from racer_env.kernel import Ints, Records
from racer_env.track import Track


class View(NamedTuple):
    """The world as sensors may see it, for n cars."""

    motion: Records  #: `racer_env.dynamics.MOTION` (n,)
    situation: Records  #: `racer_env.params.SITUATION` (n,), of the same poses
    cars: Records  #: `racer_env.car.CAR` (n,)
    bodies: Records  #: `racer_env.bodies.BODY` (w, b); car i is body ``i % k`` of world ``i // k``, where k = n / w


class Reader(Protocol):
    """A sensor mounted on the cars of one track."""

    def read(self, view: View, which: Ints, out: npt.NDArray[Any]) -> None:
        """Write the observations of the cars `which` (k,) into their rows of `out` (n, ...)."""


class Sensor(Protocol):
    """A kind of sensor."""

    @property
    def name(self) -> str:
        """Its name in ``model_metadata.json`` and in the observation."""

    def space(self) -> spaces.Box:
        """Shape, bounds and type of one car's observation."""

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""


def _front_camera() -> Sensor:
    from racer_env.sensors.camera import FRONT_FACING_CAMERA  # noqa: PLC0415 (pillow only when there is a camera)

    return FRONT_FACING_CAMERA


def _state() -> Sensor:
    from racer_env.sensors.state import STATE  # noqa: PLC0415

    return STATE


SENSORS: Mapping[str, Callable[[], Sensor]] = {"FRONT_FACING_CAMERA": _front_camera, "STATE": _state}


def find_sensors(names: Sequence[str]) -> tuple[Sensor, ...]:
    """Give the sensors of these names. Raises `MetadataError` for one that does not exist."""
    for name in names:
        if name not in SENSORS:
            raise MetadataError(f"no sensor is called {name!r}; {nearest(name, SENSORS)}")
    return tuple(SENSORS[name]() for name in names)
