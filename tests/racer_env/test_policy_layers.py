"""Laws of taking a graph apart: what was put together comes back, and what is not understood is not guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Node, Shape, execute
from racer_env.policy_graph import PPO_POLICY, Convolution, Dense, Embedder, Policy, input_name, policy_graph
from racer_env.policy_layers import policy_layers, reordered

CAMERA, LIDAR = "FRONT_FACING_CAMERA", "LIDAR"


def policy(output: str = "softmax") -> Policy:
    """Two convolutions that see (8, 8, 3) in a picture, a dense layer of 6 on a LiDAR, then 16 and 4 numbers."""
    draw = np.random.default_rng(5)

    def weights(*shape: int) -> Any:
        return (draw.normal(size=shape) * 0.1).astype(np.float32)

    first = Convolution(weights(4, 1, 24, 16), weights(4), (12, 16))
    second = Convolution(weights(3, 4, 2, 3), weights(3), (1, 1))
    camera = Embedder(CAMERA, (first, second), (120, 160, 1))
    lidar = Embedder(LIDAR, (Dense(weights(6, 64), weights(6)),), (64,))
    middle = Dense(weights(16, 8 * 8 * 3 + 6), weights(16))
    return Policy((camera, lidar), (middle,), Dense(weights(4, 16), weights(4), "identity"), output)


def layers(some: Policy) -> list[Convolution | Dense]:
    return [*(layer for embedder in some.embedders for layer in embedder.layers), *some.middleware, some.head]


def frames(count: int = 3) -> dict[str, Any]:
    draw = np.random.default_rng(6)
    shapes = {CAMERA: (120, 160, 1), LIDAR: (64,)}
    return {input_name(s): draw.uniform(0, 255, (count, *shape)).astype(np.float32) for s, shape in shapes.items()}


@pytest.mark.parametrize("output", ["softmax", "identity", "tanh"])
def test_what_was_put_together_comes_back(output: str) -> None:
    made = policy(output)
    back = policy_layers(policy_graph(made))
    assert (back.output, [e.sensor for e in back.embedders]) == (output, [CAMERA, LIDAR])
    for one, other in zip(layers(back), layers(made), strict=True):
        assert type(one) is type(other)
        assert one.activation == other.activation
        np.testing.assert_array_equal(one.weight, other.weight)
        np.testing.assert_array_equal(one.bias, other.bias)
        if isinstance(other, Convolution):
            assert isinstance(one, Convolution)
            assert one.strides == other.strides


def test_the_order_of_sensors_changes_no_answer() -> None:
    made = policy()
    turned = reordered(made, [LIDAR, CAMERA])
    assert [embedder.sensor for embedder in turned.embedders] == [LIDAR, CAMERA]
    assert not np.array_equal(turned.middleware[0].weight, made.middleware[0].weight)
    graphs = policy_graph(made), policy_graph(turned)
    np.testing.assert_allclose(execute(graphs[0], frames()), execute(graphs[1], frames()), atol=1e-5)
    with pytest.raises(BundleError, match="sees FRONT_FACING_CAMERA, LIDAR, not FRONT_FACING_CAMERA"):
        reordered(made, [CAMERA])


def single(*embedder: Convolution | Dense, middleware: tuple[Dense, ...] = ()) -> Policy:
    shape, draw = 120 * 160, np.random.default_rng(7)
    head = Dense(draw.normal(size=(3, len(middleware[-1].weight) if middleware else shape)), np.zeros(3))
    return Policy((Embedder(CAMERA, embedder),), middleware, head, "softmax")


def changed(graph: Graph, end: str, **fields: Any) -> Graph:
    return Graph(tuple(replace(n, **fields) if n.name.endswith(end) else n for n in graph.nodes))


def with_scale(graph: Graph, op: str, value: float) -> Graph:
    """Put one more step between the middleware and the head."""
    number = Node("number", "Const", (), {"value": np.array(value, np.float32), "dtype": DType.FLOAT})
    step = Node("step", op, ("main_level/agent/main/online/network_1/middleware_fc_embedder/Dense_0/Relu", "number"))
    nodes = [
        replace(n, inputs=("step", *n.inputs[1:])) if n.name.endswith("policy_fc/MatMul") else n for n in graph.nodes
    ]
    return Graph((*nodes, number, step))


def test_steps_that_change_nothing_are_seen_through() -> None:
    graph = policy_graph(policy())
    for op, value in (("Mul", 1.0), ("RealDiv", 1.0), ("Sub", 0.0)):
        assert len(policy_layers(with_scale(graph, op, value)).middleware) == 1


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (with_scale(policy_graph(policy()), "Mul", 2.0), "is scaled by 2 before the next layer"),
        (with_scale(policy_graph(policy()), "Sub", 0.5), "before the next layer"),
        (
            changed(policy_graph(policy()), "truediv/y", attributes={"value": np.array(128.0, np.float32)}),
            "not by 0.00392",
        ),
        (changed(policy_graph(policy()), "Conv2d_0/Relu", op="Tanh"), "is no layer of a network"),
        (changed(policy_graph(policy()), "middleware_fc_embedder/Dense_0/Relu", op="Elu"), "is no layer of a network"),
        (changed(policy_graph(policy()), "Dense_0/Relu", op="Identity"), "not all followed by a ReLU|not followed by"),
        (policy_graph(replace(policy(), head=Dense(np.ones((4, 16)), np.zeros(4)))), None),
    ],
)
def test_a_network_of_another_kind_is_refused(graph: Graph, sentence: str | None) -> None:
    if sentence is None:
        assert policy_layers(graph).head.activation == "identity"
        return
    with pytest.raises(BundleError, match=sentence):
        policy_layers(graph)


def test_a_bias_may_be_added_as_a_row() -> None:
    graph = policy_graph(policy())
    bias = graph.by_name[PPO_POLICY + "_fc/bias"].attributes["value"]
    assert isinstance(bias, np.ndarray)
    row = changed(graph, "policy_fc/bias", attributes={"value": bias.reshape(1, -1)})
    back = policy_layers(changed(row, "policy_fc/BiasAdd", op="AddV2"))
    np.testing.assert_array_equal(back.head.bias, bias)
    square = changed(graph, "policy_fc/bias", attributes={"value": np.zeros((3, 4), np.float32)})
    with pytest.raises(BundleError, match=r"adds \(3, 4\) numbers to 4"):
        policy_layers(changed(square, "policy_fc/BiasAdd", op="AddV2"))


def test_a_graph_that_sees_nothing_is_refused() -> None:
    same = Node("y", "Const", (), {"value": np.ones((1, 3), np.float32)})
    with pytest.raises(BundleError, match="the same whatever it sees"):
        policy_layers(Graph((same,)))


def test_a_graph_without_layers_is_refused() -> None:
    x = Node("x", "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape((-1, 3))})
    with pytest.raises(BundleError, match="not all followed by a ReLU"):
        policy_layers(Graph((x, Node(PPO_POLICY, "Softmax", ("x",), {"T": DType.FLOAT}))))
