"""The car: its measures, the constants of its motion, and what an action means.

Frame: x ahead, y left, origin in the middle between the axles (Gazebo's ``base_link``). Metres, seconds, radians and
kilograms; only a `Command` holds degrees, because reward functions must see the very numbers of the action space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from racer_env.errors import MetadataError, nearest
from racer_env.kernel import Records, records

#: What was asked of a car, exactly as the action space says it: degrees (left positive) and metres a second.
COMMAND = np.dtype([("steering_degrees", np.float64), ("speed", np.float64)], align=True)

#: The original clips a command only where it reaches the motors (spec/simulator.md 2.3).
MAX_STEERING_DEGREES = 30.0
MIN_SPEED, MAX_SPEED = 0.1, 4.0

#: Middle of the axles to the point whose position reward functions see (spec/simulator.md 1.3).
FRONT_POINT = 0.14


@dataclass(frozen=True)
class Car:
    """One car as parameters of the motion model in `racer_env.dynamics`; every number is SI."""

    name: str
    version: int  #: the ``version`` of model_metadata.json that this car stands for
    wheelbase: float = 0.163974  #: m, front axle to rear axle
    track_width: float = 0.1622  #: m, left hub to right hub
    length: float = 0.32352  #: m, of the rectangle that crashes
    width: float = 0.1961  #: m, of the rectangle that crashes
    effective_wheelbase: float = 0.3  #: m, of the bicycle that turns as tightly as the car at a walking pace
    understeer: float = 0.0  #: s²/m, growth of that wheelbase with speed squared
    steering_lag: float = 0.1  #: s, steering command to steering angle
    yaw_lag: float = 0.02  #: s, steering angle to yaw rate
    speed_gain: float = 1.03  #: wheel speed over commanded speed, near standstill
    speed_droop: float = 0.0  #: s/m, loss of that gain with commanded speed
    speed_lag: float = 0.1  #: s, commanded speed to speed
    acceleration: float = 5.0  #: m/s², at most
    braking: float = 5.0  #: m/s², at most
    grip: float = 4.9  #: m/s², lateral acceleration that the tyres hold at most
    compliance: float = 0.0  #: s²/m, rear slip angle for each m/s² of lateral acceleration


#: The fields of a `Car` that are numbers, as one record: what kernels see, one for each car of a batch.
CAR = np.dtype([(f.name, np.float64) for f in fields(Car) if f.type == "float"], align=True)


def car_records(cars: Sequence[Car]) -> Records:
    """Turn cars into the records (n,) that kernels read."""
    out = records(len(cars), CAR)
    for name in CAR.names or ():
        out[name] = [getattr(car, name) for car in cars]
    return out


#: Gazebo 11, effort controllers: the console from 2020 to 2022. Measured in spec/simulator.md 3.5 and physics.md 4, 5.
DEEPRACER_V4 = Car(
    name="deepracer_v4",
    version=4,
    effective_wheelbase=0.25,
    understeer=0.14,
    steering_lag=0.03,
    yaw_lag=0.47,
    speed_gain=1.12,
    speed_droop=0.06,
    speed_lag=0.3,
    acceleration=3.2,
    braking=5.8,
    compliance=0.0037,
)

#: Gazebo Harmonic, velocity controllers: DeepRacer on AWS and simapp 6. Measured in the same places.
DEEPRACER_V6 = Car(
    name="deepracer_v6",
    version=6,
    effective_wheelbase=0.31,
    steering_lag=0.18,
    yaw_lag=0.02,
    speed_gain=1.02,
    speed_lag=0.08,
    acceleration=8.5,
    braking=8.8,
    compliance=0.012,
)

CARS: Mapping[str, Car] = {car.name: car for car in (DEEPRACER_V4, DEEPRACER_V6)}


def find_car(name: str) -> Car:
    """Give the car of that name (case and hyphens do not matter). Raises `MetadataError` for an unknown one."""
    try:
        return CARS[name.lower().replace("-", "_")]
    except KeyError:
        raise MetadataError(f"no car is called {name!r}; {nearest(name.lower(), CARS)}") from None


def car_of_version(version: float) -> Car:
    """Give the car that the simulator of a ``model_metadata.json`` version drives (spec/simulator.md 2.4)."""
    return DEEPRACER_V6 if version >= 6 else DEEPRACER_V4


@dataclass(frozen=True)
class DiscreteActions:
    """A list of (steering, speed) pairs; an action is an index into it."""

    steering_degrees: tuple[float, ...]
    speed: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.speed)

    def commands(self, actions: npt.NDArray[np.integer]) -> Records:
        """Look up the commands (n,) of action indices (n,)."""
        out = records(len(actions), COMMAND)
        out.steering_degrees = np.asarray(self.steering_degrees)[actions]
        out.speed = np.asarray(self.speed)[actions]
        return out


@dataclass(frozen=True)
class ContinuousActions:
    """A box of steering and speed; an action is a pair in [-1, 1]², mapped linearly to it and clipped first."""

    steering_degrees: tuple[float, float]
    speed: tuple[float, float]

    def commands(self, actions: npt.NDArray[np.floating]) -> Records:
        """Scale actions (n, 2), steering first, to commands (n,)."""
        share = 0.5 * (np.clip(np.asarray(actions, np.float64), -1.0, 1.0) + 1.0)
        out = records(len(share), COMMAND)
        for name, column in (("steering_degrees", 0), ("speed", 1)):
            low, high = getattr(self, name)
            out[name] = low + share[:, column] * (high - low)
        return out


ActionSpace = DiscreteActions | ContinuousActions
