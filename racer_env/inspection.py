"""What a driver must be for the real car to load and run it, learnt from the car's own software.

The car says nothing when a driver fails to load, so whatever it would trip over is looked for here. Each rule
names what breaks without it. Two generations of software are meant: the original one, and the community's,
which converts the graph with other tools and has other limits; a driver must satisfy both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from racer_env.archive import METADATA
from racer_env.car import ContinuousActions
from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Shape
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import PPO_POLICY, SENSOR_SHAPES, input_name

CAR_SENSORS = tuple(sensor for sensor in SENSOR_SHAPES if sensor != "DISCRETIZED_SECTOR_LIDAR")
LIDAR_KEYS = (
    "num_values",
    "min_angle",
    "max_angle",
    "min_distance",
    "max_distance",
    "clipping_distance",
    "num_sectors",
)

#: The car computes in half precision: its largest number, and the smallest that keeps all its digits.
HALF_MAX, HALF_TINY = float(np.finfo(np.float16).max), float(np.finfo(np.float16).tiny)


def sensor_shape(metadata: ModelMetadata, sensor: str) -> tuple[int, ...]:
    """Give the shape of one observation as the car would feed it: (h, w, c), or (width,) of a LiDAR."""
    lidar: Any = metadata.lidar  # as the file has it, whatever that is
    sectors = lidar.get("num_sectors") if isinstance(lidar, dict) else None
    if sensor in ("LIDAR", "SECTOR_LIDAR") and isinstance(sectors, int) and 0 < sectors <= 4096:
        return (sectors,)
    return SENSOR_SHAPES[sensor]


def inspect_metadata(metadata: ModelMetadata) -> list[str]:
    """Make sure that the car lists the driver and can turn its answers into steering and throttle.

    Returns:
        Remarks: what works on some cars only.

    Raises:
        BundleError: the first thing that no car could use.
    """
    if metadata.training_algorithm != "clipped_ppo":
        raise BundleError(
            f"{METADATA}: training_algorithm is {metadata.training_algorithm!r}, but newer cars find the "
            f"output of 'clipped_ppo' only; export it as that, whatever trained it"
        )
    for sensor in metadata.sensors:
        if sensor not in CAR_SENSORS:
            raise BundleError(f"{METADATA}: no car has the sensor {sensor!r}; there are {', '.join(CAR_SENSORS)}")
        if sensor in ("LIDAR", "SECTOR_LIDAR") and metadata.lidar:
            _inspect_lidar(metadata.lidar, sensor)
    _inspect_actions(metadata)
    if "STEREO_CAMERAS" in metadata.sensors:
        return ["STEREO_CAMERAS works with the original software only; the newer one mixes the two pictures up."]
    return []


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
    wanted = {input_name(sensor): sensor_shape(metadata, sensor) for sensor in metadata.sensors}
    have = {node.name: node for node in graph.placeholders}
    if set(have) != set(wanted):
        raise BundleError(f"the graph's inputs are {_listed(have)}, but the car feeds {_listed(wanted)}")
    for name, shape in wanted.items():
        sizes, kind = have[name].shape, have[name].attributes.get("dtype")
        if kind is not DType.FLOAT or sizes not in (Shape((-1, *shape)), Shape((1, *shape))):
            raise BundleError(f"the input {name} has the shape {sizes}, but the car feeds {Shape((-1, *shape))} floats")
    if graph.sinks != (PPO_POLICY,):
        raise BundleError(
            f"the graph's outputs are {_listed(graph.sinks)}, but the car takes the first one that it finds, "
            f"so there must be one: {PPO_POLICY}"
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
