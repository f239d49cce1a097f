"""Laws of the inspection: what the car's software would trip over is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Node, Shape
from racer_env.inspection import LIDAR_AS_SIMULATED, inspect_file, inspect_metadata, sensor_shape
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import PPO_POLICY, Convolution, Dense, Embedder, Policy, input_name, policy_graph

CAMERA = "FRONT_FACING_CAMERA"
ACTIONS = DiscreteActions((-30.0, 0.0, 30.0), (1.0, 2.0, 1.0))
BOX = ContinuousActions((-30.0, 30.0), (0.5, 4.0))


def metadata(**changes: Any) -> ModelMetadata:
    return replace(ModelMetadata(ACTIONS, neural_network="DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"), **changes)


def small_policy(outputs: int = 3, output: str = "softmax", scale: float = 0.1) -> Policy:
    """Give a policy of one wide convolution, 2 x 3 x 4 numbers, and a head."""
    rng = np.random.default_rng(8)
    filters = Convolution(rng.normal(size=(4, 1, 40, 40)) * scale, np.zeros(4), 50)
    return Policy((Embedder(CAMERA, (filters,)),), (), Dense(rng.normal(size=(outputs, 24)), np.zeros(outputs)), output)


def bundle(graph: Graph | None = None, **changes: Any) -> Bundle:
    return Bundle(metadata(**changes), graph or policy_graph(small_policy()), "racer-1")


def changed(graph: Graph, **nodes: dict[str, Any]) -> Graph:
    """Replace fields of the nodes whose names end as the keyword says."""
    out = []
    for node in graph.nodes:
        change = next((c for end, c in nodes.items() if node.name.endswith(end)), {})
        out.append(replace(node, **change))
    return Graph(tuple(out))


def with_sink(graph: Graph, name: str, source: str) -> Graph:
    return Graph((*graph.nodes, Node(name, "Identity", (source,), {"T": DType.FLOAT})))


def weights(value: Any) -> Callable[[Graph], Graph]:
    """Give a change of one weight of the head."""

    def change(graph: Graph) -> Graph:
        tensor = np.array(graph.by_name[PPO_POLICY + "_fc/kernel"].attributes["value"])
        tensor[0, 0] = value
        return changed(graph, **{"policy_fc/kernel": {"attributes": {"value": tensor}}})

    return change


def placeholder(**attributes: Any) -> Callable[[Graph], Graph]:
    def change(graph: Graph) -> Graph:
        old = graph.placeholders[0].attributes
        return changed(graph, **{CAMERA: {"attributes": {**old, **attributes}}})

    return change


GOOD = policy_graph(small_policy())
CAMERA_IN = input_name(CAMERA)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (weights(np.nan), "nan"),
        (weights(np.inf), "inf"),
        (weights(65520.0), "half precision ends at 65504"),
        (
            lambda g: with_sink(g, "main_level/agent/main/online/network_0/v_head_0/output", CAMERA_IN),
            "outputs are",
        ),
        (lambda g: with_sink(g, "network_9/alias", PPO_POLICY), "outputs are network_9/alias"),
        (placeholder(shape=Shape((-1, 120, 160, 3))), "120,160,3"),
        (placeholder(shape=Shape((2, 120, 160, 1))), r"has the shape \[2,120,160,1\]"),
        (placeholder(dtype=DType.INT32), "floats"),
        (lambda g: Graph((*g.nodes, Node("noise", "Placeholder"))), "inputs are"),
        (lambda _: policy_graph(small_policy(outputs=4)), "has 3 actions"),
        (lambda _: policy_graph(small_policy(scale=1e38)), "half precision"),
    ],
)
def test_a_graph_that_the_car_cannot_run_is_refused(change: Callable[[Graph], Graph], sentence: str) -> None:
    assert bundle(GOOD).check() == []
    with pytest.raises(BundleError, match=sentence):
        bundle(change(GOOD)).check()


LIDAR = {
    "num_values": 64,
    "min_angle": -150,
    "max_angle": 150,
    "min_distance": 0.15,
    "max_distance": 0.5,
    "clipping_distance": 1.0,
    "num_sectors": 64,
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"actions": ContinuousActions((-30.0, 20.0), (1.0, 2.0))}, "make high at least 30"),
        ({"actions": ContinuousActions((-30.0, 30.0), (-2.0, 0.0))}, "no action moves the car"),
        ({"actions": DiscreteActions((0.0, 0.0), (1.0, 2.0))}, "go straight"),
        ({"actions": DiscreteActions((-1.0, 1.0), (0.0, 0.0))}, "no action moves the car"),
        ({"training_algorithm": "sac"}, "the car feeds main_level/agent/policy/online/network_0"),
        ({"sensors": ("STATE",)}, "no car has the sensor 'STATE'"),
        ({"sensors": (CAMERA, "DISCRETIZED_SECTOR_LIDAR")}, "no car has the sensor"),
        ({"sensors": (CAMERA, "LIDAR"), "lidar": {"num_sectors": 8}}, "None for num_values"),
        ({"sensors": (CAMERA, "LIDAR"), "lidar": LIDAR | {"max_angle": float("nan")}}, "nan for max_angle"),
        ({"sensors": (CAMERA, "LIDAR"), "lidar": LIDAR | {"num_sectors": 8}}, "must be equal for LIDAR"),
        ({"sensors": (CAMERA, "SECTOR_LIDAR"), "lidar": LIDAR | {"num_sectors": 7}}, "without a rest"),
        ({"sensors": ("LEFT_CAMERA",)}, "the car feeds main_level/agent/main/online/network_0/LEFT_CAMERA"),
    ],
)
def test_metadata_that_the_car_cannot_use_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        bundle(GOOD, **changes).check()


@pytest.mark.parametrize("output", ["identity", "tanh"])
def test_a_driver_of_steering_and_speed_is_checked_like_one_of_a_list(output: str) -> None:
    driver = bundle(policy_graph(small_policy(2, output)), actions=BOX)
    assert driver.check() == []
    assert driver.decide(driver.blank()).shape == (1, 2)


TWO_SENSORS = "With two sensors the newer software on Ubuntu 24.04 often fails to load a driver; then load it again."


def test_a_lidar_as_the_simulator_has_it_needs_no_remark() -> None:
    for sensor, lidar in LIDAR_AS_SIMULATED.items():
        text = metadata(sensors=(CAMERA, sensor), lidar=dict(lidar)).to_json()
        inspect_file(text.encode())
        assert inspect_metadata(ModelMetadata.parse(text)) == [TWO_SENSORS]
        assert sensor_shape(ModelMetadata.parse(text), sensor) == (lidar["num_sectors"],)


def test_a_lidar_has_as_many_numbers_as_the_file_says() -> None:
    for sensor, lidar, width in (
        ("LIDAR", {"num_sectors": 32}, 32),
        ("SECTOR_LIDAR", {}, 8),
        ("DISCRETIZED_SECTOR_LIDAR", {"num_sectors": 4, "num_values_per_sector": 5}, 20),
    ):
        raw = json.loads(metadata(sensors=(CAMERA, sensor)).to_json()) | {"lidar_config": lidar}
        assert sensor_shape(ModelMetadata.parse(json.dumps(raw)), sensor) == (width,)


def test_a_stack_of_pictures_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(BundleError, match=r"is a stack of pictures .* train with single pictures"):
        bundle(placeholder(shape=Shape((-1, 120, 160, 4)))(GOOD)).check()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"action_space_type": "Discrete"},
            "action_space_type is 'Discrete', but the car knows discrete and continuous",
        ),
        ({"training_algorithm": "Clipped PPO"}, "training_algorithm is 'Clipped PPO'"),
        ({"action_space": [{"steering_angle": "10", "speed": 1}]}, "steering_angle is '10'.*without quotes"),
        ({"action_space": [{"steering_angle": 10, "speed": True}]}, "speed is True"),
        ({"action_space": {"speed": {"low": 1, "high": "2"}}}, "action_space.'speed'..high is '2'"),
        ({"lidar_config": {"num_values": "64"}}, "lidar_config.num_values is '64'"),
    ],
)
def test_what_the_simulator_reads_but_the_car_does_not_is_refused(changes: dict[str, Any], sentence: str) -> None:
    raw = json.loads(metadata().to_json())
    inspect_file(json.dumps(raw).encode())
    with pytest.raises(BundleError, match=sentence):
        inspect_file(json.dumps(raw | changes).encode())


def test_what_the_car_does_not_read_does_no_harm() -> None:
    box = {"steering_angle": {"low": -1, "high": 1}, "speed": {"low": 1, "high": 2, "unit": "m/s"}, "comment": 5}
    text = json.dumps({"action_space": box, "action_space_type": "continuous", "comment": ["mine"]})
    ModelMetadata.parse(text)
    inspect_file(text.encode())


def test_a_camera_with_a_lidar_is_checked_with_both() -> None:
    rng = np.random.default_rng(10)
    camera = Embedder(CAMERA, (Convolution(rng.normal(size=(4, 1, 40, 40)) * 0.1, np.zeros(4), 50),))
    for sensor, width, lidar in (("LIDAR", 64, {}), ("SECTOR_LIDAR", 8, {}), ("LIDAR", 64, LIDAR)):
        head = Dense(rng.normal(size=(3, 24 + width)), np.zeros(3))
        graph = policy_graph(Policy((camera, Embedder(sensor)), (), head, "softmax"))
        driver = bundle(graph, sensors=(CAMERA, sensor), lidar=lidar)
        reach = ["The car cuts the LiDAR's lengths at 0.5 m"] if sensor == "LIDAR" else []
        assert [remark.partition(",")[0] for remark in driver.check()] == [*reach, TWO_SENSORS]
        assert driver.observation_shape(sensor) == (width,)


def test_remarks_say_what_works_on_some_cars_only() -> None:
    stereo = Embedder("STEREO_CAMERAS", (Convolution(np.full((4, 2, 40, 40), 1e-6), np.zeros(4), 50),))
    graph = policy_graph(Policy((stereo,), (), Dense(np.ones((3, 24)), np.zeros(3)), "softmax"))
    remarks = bundle(graph, sensors=("STEREO_CAMERAS",)).check()
    assert [r.split()[0] for r in remarks] == ["STEREO_CAMERAS", "99%"]
