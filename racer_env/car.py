"""The car: its measures, the constants of its motion, and what an action means.

Frame: x ahead, y left, origin in the middle between the axles (Gazebo's ``base_link``). Metres, seconds, radians and
kilograms; only a `Command` holds degrees, because reward functions must see the very numbers of the action space.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from racer_env.errors import MetadataError, RacerError, nearest
from racer_env.kernel import Records, records

#: What was asked of a car, exactly as the action space says it: degrees (left positive) and metres a second.
COMMAND = np.dtype([("steering_degrees", np.float64), ("speed", np.float64)], align=True)

#: The original clips a command only where it reaches the motors (``markov/agent_ctrl/constants.py``).
MAX_STEERING_DEGREES = 30.0
MIN_SPEED, MAX_SPEED = 0.1, 4.0

#: Middle of the axles to the point whose position reward functions see (``RELATIVE_POSITION_OF_FRONT_OF_CAR``).
FRONT_POINT = 0.14


@dataclass(frozen=True)
class Car:
    """One car as parameters of the motion model in `racer_env.dynamics`; every number is SI."""

    name: str
    version: int  #: the ``version`` of model_metadata.json that this car stands for
    wheelbase: float = 0.163974  #: m, front axle to rear axle
    #: m, ahead of the middle, from which poses count; the rear axle is a wheelbase behind. The original's model has
    #: 0.0823; standing 1.4 degrees nose up, as it does, moves its hubs back, and recordings agree with that.
    front_axle: float = 0.0814
    front_track_width: float = 0.159202  #: m, left hub to right hub
    rear_track_width: float = 0.1621  #: m, left hub to right hub
    length: float = 0.32352  #: m, of the rectangle that crashes
    width: float = 0.1961  #: m, of the rectangle that crashes
    effective_wheelbase: float = 0.3  #: m, of the bicycle that turns as tightly as the car at a walking pace
    understeer: float = 0.0  #: s²/m, growth of that wheelbase with speed squared; both are for drivers that plan
    command_delay: float = 0.006  #: s, from the pose a command answers to the motors; less than a control period
    steering_lag: float = 0.16  #: s, steering command to steering angle
    steering_gain: float = 1.0  #: steering angle over commanded angle
    steering_kick: float = 0.0  #: rad, jump of the angle towards a new command, at most
    steering_offset: float = 0.0  #: rad, of the front wheels to the left when they are to stand straight
    steering_compliance: float = 0.0  #: rad s²/m, angle lost for each m/s² that the front wheels push sideways
    wheel_lag: float = 0.01  #: s, speed command to wheel speed
    wheel_gain: float = 1.03  #: speed of the wheels' rims over commanded speed, near standstill
    wheel_droop: float = 0.0  #: s/m, loss of that gain with commanded speed
    top_speed: float = 3.8  #: m/s, of the wheels' rims
    grip_along: float = 4.9  #: m/s², acceleration that the four wheels give along themselves at most
    grip_across: float = 4.9  #: m/s², across themselves at most
    slip_along: float = 0.1  #: m/s, slip at which friction would reach the grip if it stayed proportional
    slip_across: float = 0.1  #: m/s
    slip_rise: float = 0.0  #: growth of `slip_along` with the wheels' speed
    slip_bend: float = 2.0  #: how early friction bends away from proportional: 0 late, 2 from the start
    grip_press: float = 0.0  #: share of grip across that a wheel gains when it slides along itself
    gyration: float = 0.11  #: m, radius of gyration about the vertical
    yaw_damping: float = 0.0  #: 1/s, of the yaw rate, beyond what the wheels do
    axle_lock: float = 1.0  #: 1 if left and right wheels turn equally fast, 0 with free differentials

    def write(self, path: Path, remarks: Mapping[str, str] | None = None) -> None:
        """Write the car as TOML, each number with a remark if there is one."""
        lines = [f"{key} = {json.dumps(value)}" for key, value in asdict(self).items()]
        keys = (f.name for f in fields(self))
        noted = [
            f"{line}  # {(remarks or {})[k]}" if k in (remarks or {}) else line
            for k, line in zip(keys, lines, strict=True)
        ]
        part = path.with_name(f".{path.name}.part")
        part.write_text("\n".join(noted) + "\n", encoding="utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Car:
        """Read a car that `write` wrote; what a file leaves out is as in `Car`. Raises `MetadataError`."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise MetadataError(f"{path}: no car can be read from it ({error})") from error
        return cls.of(values, str(path))

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str) -> Car:
        """Make a car of fields by name; what is left out is as in `Car`. Raises `MetadataError`, naming the source."""
        types = {f.name: {"str": str, "int": int}.get(str(f.type), float) for f in fields(cls)}
        for key, value in values.items():
            if key not in types:
                raise MetadataError(f"{source}: a car has no {key!r}; {nearest(key, types)}")
            wanted = (int, float) if types[key] is float else types[key]
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise MetadataError(f"{source}: {key} = {value!r} must be {types[key].__name__}")
        _check_numbers(source, values)
        missing = [key for key in ("name", "version") if key not in values]
        if missing:
            raise MetadataError(f"{source}: lacks the car's {missing[0]}")
        return cls(**{key: types[key](value) for key, value in values.items()})


#: What a motion cannot be computed without.
_POSITIVE = ("wheelbase", "steering_lag", "wheel_lag", "slip_along", "slip_across", "gyration")


def _check_numbers(source: str, values: Mapping[str, object]) -> None:
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise MetadataError(f"{source}: {key} = {value} must be a finite number")
        if key in _POSITIVE and isinstance(value, int | float) and value <= 0.0:
            raise MetadataError(f"{source}: {key} = {value} must be more than 0")


#: The fields of a `Car` that are numbers, as one record: what kernels see, one for each car of a batch.
CAR = np.dtype([(f.name, np.float64) for f in fields(Car) if f.type == "float"], align=True)


def car_records(cars: Sequence[Car]) -> Records:
    """Turn cars into the records (n,) that kernels read."""
    out = records(len(cars), CAR)
    for name in CAR.names or ():
        out[name] = [getattr(car, name) for car in cars]
    return out


#: Gazebo 11, effort controllers: the console from 2020 to 2022. The steering lag is about the d/p of its servo's PD
#: controller; the kick is what such a controller, at its effort limit, would make of a step.
#: ``racer traces fit traces/v4_* --tracks tracks -o deepracer_v4.toml`` finds them: begun at these numbers, it
#: moves none of the three cars' by more than the deviation given.
DEEPRACER_V4 = Car(
    name="deepracer_v4",
    version=4,
    effective_wheelbase=0.21,
    understeer=0.05,
    command_delay=0.0023,  # ± 0.0009
    steering_lag=0.479,  # ± 0.004
    steering_gain=0.838,  # ± 0.009
    steering_kick=0.0325,  # ± 0.0004
    steering_offset=0.0091,  # ± 0.0004
    steering_compliance=0.0016,  # ± 0.0015
    wheel_lag=0.0068,  # ± 0.0012
    wheel_gain=1.071,  # ± 0.003
    wheel_droop=0.018,  # ± 0.0013
    top_speed=4.0,  # what 4 m/s asks for
    grip_along=3.80,  # ± 0.07
    grip_across=2.72,  # ± 0.05
    slip_along=0.380,  # ± 0.014
    slip_across=0.0206,  # ± 0.0014
    slip_rise=0.119,  # ± 0.010
    slip_bend=0.108,  # ± 0.10
    grip_press=0.403,  # ± 0.032
    gyration=0.1298,  # ± 0.0018
    yaw_damping=0.38,  # ± 0.07
)

#: Gazebo 11, position and velocity controllers: the console and local training from 2022 to 2025. The wheels stand
#: at the commanded angle at once. ``racer traces fit traces/v5_*
#: --tracks tracks -o deepracer_v5.toml`` finds them.
DEEPRACER_V5 = Car(
    name="deepracer_v5",
    version=5,
    effective_wheelbase=0.22,
    understeer=0.07,
    command_delay=0.0069,  # ± 0.0002
    steering_lag=0.003,  # at its limit
    steering_gain=1.157,  # ± 0.012
    steering_offset=0.0040,  # ± 0.0011
    steering_compliance=0.0310,  # ± 0.0016
    wheel_lag=0.0044,  # ± 0.0007
    wheel_gain=1.109,  # ± 0.005
    wheel_droop=0.0342,  # ± 0.0022
    top_speed=3.618,  # ± 0.003
    grip_along=3.63,  # ± 0.03
    grip_across=2.57,  # ± 0.03
    slip_along=0.232,  # ± 0.010
    slip_across=0.0639,  # ± 0.004
    slip_rise=0.0425,  # ± 0.006
    slip_bend=0.507,  # ± 0.08
    grip_press=0.550,  # ± 0.025
    gyration=0.1220,  # ± 0.0009
    yaw_damping=0.90,  # ± 0.07
)

#: Gazebo Harmonic, velocity controllers: DeepRacer on AWS and simapp 6. Its controllers run at 60 Hz, which may be the
#: delay, and turn the servo by a tenth of its error each time, which is the lag. The tyres hardly reach their grip.
#: ``racer traces fit traces/v6_* --tracks tracks -o deepracer_v6.toml`` finds them, but several sets of friction and
#: gyration drive almost alike: other beginnings of the fit end elsewhere, beyond the deviations given.
DEEPRACER_V6 = Car(
    name="deepracer_v6",
    version=6,
    effective_wheelbase=0.29,
    understeer=0.01,
    command_delay=0.0162,  # ± 0.0005
    steering_lag=0.1606,  # ± 0.0016
    steering_gain=0.928,  # ± 0.015
    steering_offset=0.0044,  # ± 0.0005
    wheel_lag=0.002,  # at its limit
    wheel_gain=1.030,  # ± 0.0012
    top_speed=4.12,  # what 4 m/s asks for; no record comes near
    grip_along=12.3,  # ± 0.4
    grip_across=20.6,  # ± 2.1
    slip_along=0.040,  # ± 0.011
    slip_across=0.0577,  # ± 0.008
    slip_bend=1.76,  # ± 1.3
    gyration=0.1702,  # ± 0.007
    yaw_damping=4.04,  # ± 0.8
)

#: The real car. Nobody has identified one from recordings here: these are its data sheet and measured parts where
#: there are any, and else the middle of an honest guess. `PHYSICAL_RANGES` says how far each may be off.
PHYSICAL = Car(
    name="physical",
    version=5,
    length=0.33,  # as sold, with bumpers
    width=0.20,
    effective_wheelbase=0.17,  # its servo turns the front wheels like a bicycle's, and its axles have differentials
    understeer=0.02,
    command_delay=0.04,  # network about 30 ms, and half of the servo's 20 ms pulse; the camera's own delay comes before
    steering_lag=0.06,  # a hobby servo of 0.1 s for 60 degrees, with its linkage
    steering_gain=0.85,  # 30 degrees commanded is the end of the servo's way, about 25 at the wheels
    wheel_lag=0.15,  # a brushed motor moving 2.08 kg, without feedback of speed
    wheel_gain=1.0,  # throttle is a share of full throttle; what speed that gives is the calibration's
    top_speed=4.0,
    grip_along=6.0,  # rubber on vinyl, carpet or wood: 0.4 to 0.9 of gravity
    grip_across=6.0,
    slip_along=0.10,
    slip_across=0.12,
    slip_bend=1.0,
    gyration=0.10,  # a box of its size with the battery in the middle: 0.09 to 0.12
    axle_lock=0.2,  # gear differentials with grease
)

#: How late the real car's picture is when its network sees it, s, least and most: one to three frames at 30 Hz.
PHYSICAL_CAMERA_LATENCY = (0.033, 0.1)
PHYSICAL_CONTROL_RATE = (15.0, 30.0)  #: Hz, its camera's rate and so its control rate, least and most
PHYSICAL_MASS = 2.08  #: kg, of the car with its compute module and batteries, as sold

#: How far the real car may be off, for randomisation: the least and the most of each number. Widths come from:
#: processors of different load (delay), calibration by hand of servo and
#: throttle (gains; the ends of the servo's way), surfaces (grips, slips), charge of the battery (speed), and weight
#: of the two sensor kits against 2.08 kg (lags, gyration).
PHYSICAL_RANGES: Mapping[str, tuple[float, float]] = {
    "command_delay": (0.02, 0.06),
    "steering_lag": (0.03, 0.12),
    "steering_gain": (0.70, 1.0),
    "wheel_lag": (0.08, 0.30),
    "wheel_gain": (0.80, 1.20),
    "wheel_droop": (0.0, 0.05),
    "top_speed": (2.5, 4.5),
    "grip_along": (4.0, 9.0),
    "grip_across": (4.0, 9.0),
    "slip_along": (0.05, 0.20),
    "slip_across": (0.05, 0.25),
    "slip_bend": (0.0, 2.0),
    "gyration": (0.09, 0.12),
    "axle_lock": (0.0, 0.6),
}

CARS: Mapping[str, Car] = {car.name: car for car in (DEEPRACER_V4, DEEPRACER_V5, DEEPRACER_V6, PHYSICAL)}


def find_car(name: str) -> Car:
    """Give the car of that name (case and hyphens do not matter) or of a TOML file that `Car.write` wrote.

    Raises:
        MetadataError: no such car or file, or a file that does not hold a car.
    """
    known = CARS.get(name.lower().replace("-", "_"))
    if known:
        return known
    if name.lower().endswith(".toml"):
        return Car.read(Path(name))
    raise MetadataError(f"no car is called {name!r}; {nearest(name.lower(), CARS)}")


def car_of_version(version: float) -> Car:
    """Give the car that the simulator of a ``model_metadata.json`` version drives."""
    return DEEPRACER_V6 if version >= 6 else DEEPRACER_V5 if version >= 5 else DEEPRACER_V4


@dataclass(frozen=True)
class DiscreteActions:
    """A list of (steering, speed) pairs; an action is an index into it."""

    steering_degrees: tuple[float, ...]
    speed: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.speed)

    def commands(self, actions: npt.NDArray[np.integer]) -> Records:
        """Look up the commands (n,) of action indices (n,). Raises `RacerError` for an index that is none."""
        indices = np.asarray(actions)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise RacerError(f"actions must be indices (n,), not {indices.dtype} of shape {indices.shape}")
        wrong = indices.astype(np.uint64) >= len(self)  # as which negative ones are large
        if wrong.any():
            raise RacerError(f"there is no action {indices[wrong][0]}; there are {len(self)}, from 0")
        return self._table[indices]

    @cached_property
    def _table(self) -> Records:
        out = records(len(self), COMMAND)
        out.steering_degrees, out.speed = self.steering_degrees, self.speed
        return out


@dataclass(frozen=True)
class ContinuousActions:
    """A box of steering and speed; an action is a pair in [-1, 1]², mapped linearly to it and clipped first."""

    steering_degrees: tuple[float, float]
    speed: tuple[float, float]

    def commands(self, actions: npt.NDArray[np.floating]) -> Records:
        """Scale actions (n, 2), steering first, to commands (n,). Raises `RacerError` for what is no number."""
        pairs = np.asarray(actions, np.float64)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise RacerError(f"actions must be pairs of steering and speed (n, 2), not of shape {pairs.shape}")
        if np.isnan(pairs).any():
            raise RacerError(f"the action of car {int(np.isnan(pairs).any(axis=1).argmax())} is not a number")
        share = 0.5 * (np.clip(pairs, -1.0, 1.0) + 1.0)
        out = records(len(share), COMMAND)
        for name, column in (("steering_degrees", 0), ("speed", 1)):
            low, high = getattr(self, name)
            out[name] = low + share[:, column] * (high - low)
        return out


ActionSpace = DiscreteActions | ContinuousActions
