"""What is drawn of an observation: that of the sensor itself, and of several, the newest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from racer_env.sensors import Sensor
from racer_env.sensors.imperfections import Wrapper


def unwrapped(sensor: Sensor) -> Sensor:
    """Give the sensor inside its wrappers."""
    while isinstance(sensor, Wrapper):
        sensor = sensor.sensor
    return sensor


def newest(sensor: Sensor, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give the newest of the observations that are side by side in the last dimension of one (..., c)."""
    return values[..., -unwrapped(sensor).space().shape[-1] :]


def is_camera(sensor: Sensor) -> bool:
    """Tell whether a sensor gives pictures (h, w, channels)."""
    space = sensor.space()
    return len(space.shape) == 3 and space.dtype == np.uint8
