"""Drivers for the league's benchmarks: they follow the road and cost what trained ones do, but need no training."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from league.evaluation import Job, evaluate
from racer_env.archive import pack
from racer_env.car import DiscreteActions
from racer_env.graph import DType, Graph, Node
from racer_env.graphdef import encode
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import PPO_POLICY, Convolution, Dense, Embedder, Policy, Weights, input_name, policy_graph

CAMERA = "FRONT_FACING_CAMERA"
FLOAT = {"T": DType.FLOAT}

#: (filters, kernel, stride) of the original's usual network, DEEP_CONVOLUTIONAL_NETWORK_SHALLOW, and its dense layer.
SHALLOW, DENSE = ((32, 8, 4), (64, 4, 2), (64, 3, 1)), 512


def follower(file: Path, number: int = 0, speed: float = 1.0, network: bool = False) -> Path:
    """Write a driver that steers away from the brighter side.

    Args:
        file: to write.
        number: makes it another driver than the others.
        speed: m/s.
        network: compute a convolutional network of the original's size as well, whose answer weighs nothing.
    """
    actions = DiscreteActions((-20.0, 0.0, 20.0), (speed,) * 3)
    below_horizon = np.linspace(0.0, 1.0, 120)[:, None] > 0.4
    right = (below_horizon * np.linspace(-1.0, 1.0, 160)).reshape(-1)
    weights = np.stack((-right, 0.0 * right, right), axis=1).astype(np.float32)
    weights[0] = 1e-6 * number
    graph = _beside_a_network(weights) if network else _linear(weights)
    metadata = ModelMetadata(actions=actions, sensors=(CAMERA,))
    file.write_bytes(pack(encode(graph), metadata.to_json().encode()))
    return file


def processor_seconds(job: Job) -> list[float]:
    """Drive a job; the processor time and the time that it takes, s."""
    cpu, wall = time.process_time(), time.perf_counter()
    evaluate(job)
    return [time.process_time() - cpu, time.perf_counter() - wall]


def _const(name: str, value: Weights) -> Node:
    return Node(name, "Const", (), {"dtype": DType.FLOAT, "value": value})


def _likes(weights: Weights) -> tuple[Node, ...]:
    """How much each action is liked: a weighted sum of the pixels."""
    size = Node("size", "Const", (), {"dtype": DType.INT32, "value": np.array([-1, len(weights)], np.int32)})
    flat = Node("flat", "Reshape", (input_name(CAMERA), "size"), FLOAT | {"Tshape": DType.INT32})
    return size, flat, _const("weights", weights), Node("likes", "MatMul", ("flat", "weights"), FLOAT)


def _linear(weights: Weights) -> Graph:
    camera = next(node for node in _network().nodes if node.op == "Placeholder")
    return Graph((camera, *_likes(weights), Node(PPO_POLICY, "Softmax", ("likes",), FLOAT)))


def _beside_a_network(weights: Weights) -> Graph:
    nodes = _network().nodes
    policy = next(node for node in nodes if node.name == PPO_POLICY)
    nothing = Node("nothing", "Mul", (*policy.sources, "zero"), FLOAT)
    both = Node("both", "Add", ("likes", "nothing"), FLOAT)
    rest = tuple(node for node in nodes if node is not policy)
    zero = _const("zero", np.zeros((1, 1), np.float32))
    return Graph((*rest, *_likes(weights), zero, nothing, both, Node(PPO_POLICY, "Softmax", ("both",), FLOAT)))


def _network() -> Graph:
    """The original's usual network with weights by chance."""
    draw, channels, shape = np.random.default_rng(0), 1, (120, 160, 1)
    layers: list[Convolution | Dense] = []
    for filters, kernel, stride in SHALLOW:
        weight = draw.normal(0.0, 0.05, (filters, channels, kernel, kernel)).astype(np.float32)
        layers.append(Convolution(weight, np.zeros(filters, np.float32), stride))
        shape, channels = layers[-1].seen(shape), filters  # type: ignore[union-attr, assignment]
    middleware = Dense(
        draw.normal(0.0, 0.01, (DENSE, int(np.prod(shape)))).astype(np.float32), np.zeros(DENSE, np.float32)
    )
    head = Dense(draw.normal(0.0, 0.01, (3, DENSE)).astype(np.float32), np.zeros(3, np.float32))
    return policy_graph(Policy((Embedder(CAMERA, tuple(layers)),), (middleware,), head, "softmax"))
