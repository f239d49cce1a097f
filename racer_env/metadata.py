"""``model_metadata.json``: what a driver sees and what its actions mean, in every version of DeepRacer's format.

Read exactly as the original reads it (``markov/boto/s3/files/model_metadata.py``): missing keys have the original's
defaults, keys that it ignores are ignored. Written so that the physical car reads it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from racer_env.car import ActionSpace, Car, ContinuousActions, DiscreteActions, car_of_version
from racer_env.errors import MetadataError, nearest, told

CAMERAS = ("observation", "FRONT_FACING_CAMERA", "LEFT_CAMERA", "STEREO_CAMERAS")
DISCRETIZED = "DISCRETIZED_SECTOR_LIDAR"  #: the only one for which the simulator reads ``lidar_config``
LIDARS = ("LIDAR", "SECTOR_LIDAR", DISCRETIZED)
STATE, OBJECTS = "STATE", "OBJECTS"
PRIVILEGED = (STATE, OBJECTS)  #: our own vectors, for experiments: the first alone, or both; no car can run them
NETWORKS = (
    "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
    "DEEP_CONVOLUTIONAL_NETWORK",
    "DEEP_CONVOLUTIONAL_NETWORK_DEEP",
)
ALGORITHMS = ("clipped_ppo", "sac")

#: The five actions of DeepRacer-for-cloud's default file, at a speed that our shipped tracks can be learned with.
DEFAULT_ACTIONS = DiscreteActions((-30.0, -15.0, 0.0, 15.0, 30.0), (1.0, 1.5, 2.0, 1.5, 1.0))


@dataclass(frozen=True)
class LidarConfig:
    """How ``DISCRETIZED_SECTOR_LIDAR`` is read; defaults and ranges of ``markov/boto/s3/constants.py``."""

    num_sectors: int = 8  #: of the 64 rays
    num_values_per_sector: int = 8
    clipping_dist: float = 2.0  #: m

    @classmethod
    def of(cls, config: Mapping[str, float]) -> LidarConfig:
        """Take it from the numbers of a ``lidar_config``; the car's other keys are ignored."""
        sectors, values, reach = (config.get(key, default) for key, default in vars(cls()).items())
        if sectors not in (1, 2, 4, 8, 16, 32, 64):
            raise MetadataError(f"lidar_config.num_sectors is {sectors:g}, but must be 1, 2, 4, 8, 16, 32 or 64")
        if values < 1 or values % 1:
            raise MetadataError(
                f"lidar_config.num_values_per_sector is {values:g}, but must be a whole number, at least 1"
            )
        if not 0.15 <= reach <= 12.0:
            raise MetadataError(f"lidar_config.clipping_dist is {reach:g}, but must be 0.15 to 12 (metres)")
        return cls(int(sectors), int(values), float(reach))


@dataclass(frozen=True)
class ModelMetadata:
    """A parsed ``model_metadata.json``."""

    actions: ActionSpace = DEFAULT_ACTIONS
    sensors: tuple[str, ...] = ("FRONT_FACING_CAMERA",)
    neural_network: str | None = None  #: None: not said, the trainer chooses
    training_algorithm: str = "clipped_ppo"
    version: float = 5.0
    lidar: dict[str, float] = field(default_factory=dict)

    @property
    def car(self) -> Car:
        """The car that the original would drive for this version."""
        return car_of_version(self.version)

    @classmethod
    def read(cls, path: Path) -> ModelMetadata:
        """Read a file. Raises `MetadataError` with the path and what is wrong."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise MetadataError(f"{path} cannot be read: {error.strerror}") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: bytes | str, where: str = "model_metadata.json") -> ModelMetadata:
        """Parse JSON text; `where` is how errors call it."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MetadataError(f"{where} is not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise MetadataError(f"{where} must hold one JSON object, not a {type(raw).__name__}")
        try:
            return cls._from_dict(raw)
        except MetadataError as error:
            raise MetadataError(f"{where}: {error}") from error

    @classmethod
    def _from_dict(cls, raw: dict[str, Any]) -> ModelMetadata:
        version = _number(raw.get("version", 2.0 if "sensor" in raw else 1.0), "version")
        sensors = _sensors(raw.get("sensor", ["observation"]) if version >= 2 else ["observation"])
        return cls(
            actions=_actions(raw),
            sensors=sensors,
            neural_network=_choice(raw, "neural_network", NETWORKS, str.upper),
            training_algorithm=_choice(raw, "training_algorithm", ALGORITHMS, _plain) or "clipped_ppo",
            version=version,
            lidar=_lidar(raw.get("lidar_config", {}), sensors),
        )

    def to_json(self) -> str:
        """Write the newest form, with every key that the simulator or the car reads; deterministic."""
        version = str(int(self.version)) if float(self.version).is_integer() else str(self.version)
        out: dict[str, Any] = {
            "action_space": _actions_to_json(self.actions),
            "sensor": list(self.sensors),
            "neural_network": self.neural_network or NETWORKS[0],
            "training_algorithm": self.training_algorithm,
            "action_space_type": "discrete" if isinstance(self.actions, DiscreteActions) else "continuous",
            "version": version,
        }
        if self.lidar:
            out["lidar_config"] = self.lidar
        return json.dumps(out, indent=2) + "\n"


def _plain(text: str) -> str:
    return text.lower().replace(" ", "_")


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise MetadataError(f"{name} is {str(value)[:40]!r}, but must be a number") from None
    if not abs(number) < float("inf"):
        raise MetadataError(f"{name} is {told(value)}, but must be finite")
    return number


def _choice(raw: dict[str, Any], key: str, allowed: tuple[str, ...], fold: Any) -> str | None:
    if key not in raw:
        return None
    value = fold(str(raw[key]))
    if value not in allowed:
        raise MetadataError(f"{key} is {told(raw[key])}; {nearest(value, allowed)}")
    return str(value)


def _sensors(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not 1 <= len(names) <= 9:
        raise MetadataError(f"sensor is {told(names)}, but must be a list of sensor names")
    if names in ([STATE], [STATE, OBJECTS]):
        return tuple(names)
    for name in names:
        if name in PRIVILEGED:
            raise MetadataError(
                f"sensor {names} mixes {name} with others, but {STATE} must be alone, or be followed by {OBJECTS} alone"
            )
        if name not in CAMERAS + LIDARS:
            raise MetadataError(f"sensor {told(name)} does not exist; {nearest(str(name), CAMERAS + LIDARS)}")
    cameras, lidars = [n for n in names if n in CAMERAS], [n for n in names if n in LIDARS]
    if len(cameras) != 1:
        raise MetadataError(
            f"sensor {names} has {_count(cameras, 'cameras')}, but a driver needs exactly one of {', '.join(CAMERAS)}"
        )
    if len(lidars) > 1:
        raise MetadataError(
            f"sensor {names} has {_count(lidars, 'LiDARs')}, but a driver can have at most one of {', '.join(LIDARS)}"
        )
    return tuple(names)


def _count(names: list[str], what: str) -> str:
    return f"{len(names)} {what}" + (f" ({' and '.join(names)})" if names else "")


def _lidar(config: Any, sensors: tuple[str, ...]) -> dict[str, float]:
    if not isinstance(config, dict):
        raise MetadataError(f"lidar_config is {str(config)[:40]!r}, but must be an object of numbers")
    numbers = {str(key): _number(value, f"lidar_config.{key[:40]}") for key, value in config.items()}
    if DISCRETIZED in sensors:
        LidarConfig.of(numbers)
    return numbers


def _actions(raw: dict[str, Any]) -> ActionSpace:
    space = raw.get("action_space")
    kind = _choice(raw, "action_space_type", ("discrete", "continuous"), str.lower) or "discrete"
    if space is None:
        raise MetadataError("action_space is missing: a list of {steering_angle, speed}, or low and high of both")
    if kind == "discrete":
        if not isinstance(space, list) or not space:
            raise MetadataError("action_space must be a list of {steering_angle, speed} for action_space_type discrete")
        pairs = [
            tuple(_get(a, k, f"action_space[{i}]") for k in ("steering_angle", "speed")) for i, a in enumerate(space)
        ]
        return DiscreteActions(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
    if not isinstance(space, dict):
        raise MetadataError("action_space must hold steering_angle and speed, each with low and high")
    ranges = [_range(space, key) for key in ("steering_angle", "speed")]
    return ContinuousActions(*ranges)


def _get(entry: Any, key: str, where: str) -> float:
    if not isinstance(entry, dict) or key not in entry:
        raise MetadataError(f"{where} has no {key!r}")
    return _number(entry[key], f"{where}.{key}")


def _range(space: dict[str, Any], key: str) -> tuple[float, float]:
    low, high = (_get(space.get(key), end, f"action_space.{key}") for end in ("low", "high"))
    if low >= high:
        raise MetadataError(f"action_space.{key}: low {low} must be less than high {high}")
    return low, high


def _actions_to_json(actions: ActionSpace) -> Any:
    if isinstance(actions, DiscreteActions):
        pairs = zip(actions.steering_degrees, actions.speed, strict=True)
        return [{"steering_angle": a, "speed": v} for a, v in pairs]
    bounds = {"steering_angle": actions.steering_degrees, "speed": actions.speed}
    return {key: {"low": low, "high": high} for key, (low, high) in bounds.items()}
