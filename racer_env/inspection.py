"""What a driver must be for the real car to load and run it, learnt from the car's own software.

The car says nothing when a driver fails to load, so whatever it would trip over is looked for here. Each rule
names what breaks without it. Two generations of software are meant: the original one, and the community's,
which converts the graph with other tools and has other limits; a driver must satisfy both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from racer_env.archive import METADATA
from racer_env.car import ContinuousActions
from racer_env.errors import BundleError, told
from racer_env.graph import DType, Graph, Shape
from racer_env.metadata import DISCRETIZED, LidarConfig, ModelMetadata
from racer_env.policy_graph import PPO_POLICY, SAC_POLICY, SENSOR_SHAPES, input_name

CAR_SENSORS = tuple(sensor for sensor in SENSOR_SHAPES if sensor != DISCRETIZED)
LIDAR_KEYS = (
    "num_values",
    "min_angle",
    "max_angle",
    "min_distance",
    "max_distance",
    "clipping_distance",
    "num_sectors",
)

#: LiDARs as the simulator's (``markov/sensors/sensors_rollout.py``); the car by itself cuts lengths at half a metre,
#: or where the file of another driver has said so before.
LIDAR_AS_SIMULATED: Mapping[str, Mapping[str, float]] = {
    "LIDAR": dict(zip(LIDAR_KEYS, (64, -150, 150, 0.15, 1.0, 1.0, 64), strict=True)),
    "SECTOR_LIDAR": dict(zip(LIDAR_KEYS, (64, -150, 150, 0.15, 0.5, 1.0, 8), strict=True)),
}

#: How the car's software writes what it knows; the first one is what it takes when nothing is said.
CAR_WORDS = {"action_space_type": ("discrete", "continuous"), "training_algorithm": ("clipped_ppo", "sac")}
ACTION_NUMBERS = ("steering_angle", "speed", "low", "high")

#: The car computes in half precision: its largest number, and the smallest that keeps all its digits.
HALF_MAX, HALF_TINY = float(np.finfo(np.float16).max), float(np.finfo(np.float16).tiny)


def sensor_shape(metadata: ModelMetadata, sensor: str) -> tuple[int, ...]:
    """Give the shape of one observation as the car would feed it: (h, w, c), or (width,) of a LiDAR."""
    if sensor == DISCRETIZED:  # which no car has, but the simulator
        config = LidarConfig.of(metadata.lidar)
        return (config.num_sectors * config.num_values_per_sector,)
    sectors = metadata.lidar.get("num_sectors", 0.0)
    if sensor in ("LIDAR", "SECTOR_LIDAR") and float(sectors).is_integer() and 0 < sectors <= 4096:
        return (int(sectors),)
    return SENSOR_SHAPES[sensor]


def inspect_metadata(metadata: ModelMetadata) -> list[str]:
    """Make sure that the car lists the driver and can turn its answers into steering and throttle.

    Returns:
        Remarks: what works on some cars only.

    Raises:
        BundleError: the first thing that no car could use.
    """
    for sensor in metadata.sensors:
        if sensor not in CAR_SENSORS:
            raise BundleError(f"{METADATA}: no car has the sensor {sensor!r}; there are {', '.join(CAR_SENSORS)}")
        if sensor in ("LIDAR", "SECTOR_LIDAR") and metadata.lidar:
            _inspect_lidar(metadata.lidar, sensor)
    _inspect_actions(metadata)
    return [said for applies, said in _partly(metadata) if applies]


def _partly(metadata: ModelMetadata) -> list[tuple[bool, str]]:
    """What works on some cars only, and whether it applies."""
    return [
        (
            metadata.training_algorithm == "sac",
            "Graphs of SAC do not load where the newer software uses TensorFlow Lite; those of clipped_ppo do.",
        ),
        (
            "STEREO_CAMERAS" in metadata.sensors,
            "STEREO_CAMERAS works with the original software only; the newer one mixes the two pictures up.",
        ),
        (
            "LIDAR" in metadata.sensors and _reach(metadata) < LIDAR_AS_SIMULATED["LIDAR"]["max_distance"],
            f"The car cuts the LiDAR's lengths at {_reach(metadata):g} m, the simulator at 1 m; set lidar_config.",
        ),
        (
            len(metadata.sensors) > 1,
            "With two sensors the newer software on Ubuntu 24.04 often fails to load a driver; then load it again.",
        ),
    ]


def _reach(metadata: ModelMetadata) -> float:
    """Where the car cuts a LiDAR's lengths, m (``sensor_fusion_node.cpp``)."""
    return min(metadata.lidar.get("max_distance", 0.5), metadata.lidar.get("clipping_distance", 1.0))


def inspect_file(text: bytes) -> None:
    """Make sure that the car reads a ``model_metadata.json`` as it is written; it is stricter than the simulator.

    Args:
        text: what `ModelMetadata.parse` has read without complaint.

    Raises:
        BundleError: a number is a text, or a word is not written as the car's software has it.
    """
    raw = json.loads(text)
    for key, words in CAR_WORDS.items():
        if raw.get(key, words[0]) not in words:
            raise BundleError(f"{METADATA}: {key} is {told(raw[key])}, but the car knows {' and '.join(words)} only")
    space = raw["action_space"]
    parts = list(enumerate(space) if isinstance(space, list) else space.items())
    numbers = {
        f"action_space[{told(i)}].{key}": part[key]
        for i, part in parts
        if isinstance(part, dict)
        for key in ACTION_NUMBERS
        if key in part
    }
    numbers |= {f"lidar_config.{key}": value for key, value in raw.get("lidar_config", {}).items() if key in LIDAR_KEYS}
    for key, value in numbers.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BundleError(f"{METADATA}: {key} is {told(value)}, but the car needs a number without quotes")


def _inspect_actions(metadata: ModelMetadata) -> None:
    actions = metadata.actions
    steering, speed = actions.steering_degrees, actions.speed
    if isinstance(actions, ContinuousActions) and abs(steering[0]) > steering[1]:
        raise BundleError(
            f"{METADATA}: steering from {steering[0]} to {steering[1]} degrees turns less to the left than "
            f"to the right, and the car ignores what is beyond; make high at least {abs(steering[0])}"
        )
    if not any(steering):
        raise BundleError(f"{METADATA}: all actions go straight, which the car refuses; let one of them steer")
    fastest = speed[1] if isinstance(actions, ContinuousActions) else max(map(abs, speed))
    if fastest <= 0:
        raise BundleError(f"{METADATA}: no action moves the car; speed must be above 0")


def _inspect_lidar(lidar: Any, sensor: str) -> None:
    values = [lidar.get(key) if isinstance(lidar, dict) else None for key in LIDAR_KEYS]
    for key, value in zip(LIDAR_KEYS, values, strict=True):
        if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
            raise BundleError(f"{METADATA}: lidar_config has {value!r} for {key}, but the car needs a number")
    count, sectors = lidar["num_values"], lidar["num_sectors"]
    if sectors < 1 or count % sectors or (sensor == "LIDAR" and count != sectors):
        rule = "must be equal for LIDAR" if sensor == "LIDAR" else "must divide without a rest"
        raise BundleError(f"{METADATA}: lidar_config has num_values {count} and num_sectors {sectors}, which {rule}")


def inspect_graph(graph: Graph, metadata: ModelMetadata) -> list[str]:
    """Make sure that the car finds the graph's inputs and output, and that half precision holds its weights.

    Returns:
        Remarks: what is lost on the car.

    Raises:
        BundleError: the first thing that the car could not load.
    """
    algorithm, output = metadata.training_algorithm, SAC_POLICY if metadata.training_algorithm == "sac" else PPO_POLICY
    wanted = {input_name(sensor, algorithm): sensor_shape(metadata, sensor) for sensor in metadata.sensors}
    have = {node.name: node for node in graph.placeholders}
    if set(have) != set(wanted):
        raise BundleError(f"the graph's inputs are {_listed(have)}, but the car feeds {_listed(wanted)}")
    for name, shape in wanted.items():
        sizes, kind = have[name].shape, have[name].attributes.get("dtype")
        if len(shape) == 3 and sizes and sizes.sizes[1:3] == shape[:2] and sizes.sizes[3:] > shape[2:]:
            raise BundleError(
                f"the input {name} is a stack of pictures ({sizes}), but the car keeps none; train with single pictures"
            )
        if kind is not DType.FLOAT or sizes not in (Shape((-1, *shape)), Shape((1, *shape))):
            raise BundleError(f"the input {name} has the shape {sizes}, but the car feeds {Shape((-1, *shape))} floats")
    if graph.sinks != (output,):
        raise BundleError(
            f"the graph's outputs are {_listed(graph.sinks)}, but the car takes the first one that it finds, "
            f"so there must be one: {output}"
        )
    return _inspect_weights(graph)


def _inspect_weights(graph: Graph) -> list[str]:
    tiny = total = 0
    for node, value in graph.tensors():
        if value.dtype.kind != "f":
            continue
        largest = float(np.abs(value).max(initial=0.0))
        if not largest <= HALF_MAX:
            raise BundleError(f"{node} holds {largest}, but the car's half precision ends at {HALF_MAX:g}")
        tiny += int(((value != 0) & (np.abs(value) < HALF_TINY)).sum())
        total += value.size
    if tiny > 0.1 * total:
        return [f"{tiny / total:.0%} of the weights are under {HALF_TINY:.1g} and lose digits in half precision."]
    return []


def _listed(names: Any) -> str:
    return ", ".join(list(names)[:4]) + (", ..." if len(names) > 4 else "") or "none"
