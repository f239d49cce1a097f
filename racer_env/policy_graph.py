"""The graph of a driver's policy: its layers as torch holds them, its nodes as the car wants them.

A policy looks through one embedder for each sensor, puts what they saw side by side, and passes it through
dense layers to its head. Torch keeps pictures as (channels, height, width), TensorFlow as (height, width,
channels): weights are turned once, when the graph is made. Names are those of Coach, which trained the
original's drivers; the car finds inputs and output by them. Only the feed-forward, single-frame policy that a
car can run is here: no padding, no stacks of frames, no recurrence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from racer_env.errors import BundleError, nearest
from racer_env.graph import DType, Graph, Node, Shape

Weights = npt.NDArray[np.floating]

#: One frame of each sensor as the car feeds it: MODEL_HEIGHT, MODEL_WIDTH and LiDAR defaults of its software.
SENSOR_SHAPES: Mapping[str, tuple[int, ...]] = {
    "observation": (120, 160, 1),
    "FRONT_FACING_CAMERA": (120, 160, 1),
    "LEFT_CAMERA": (120, 160, 1),
    "STEREO_CAMERAS": (120, 160, 2),
    "LIDAR": (64,),
    "SECTOR_LIDAR": (8,),
    "DISCRETIZED_SECTOR_LIDAR": (64,),
}

#: Names of the two outputs: Coach's heads of PPO and of SAC.
PPO_POLICY = "main_level/agent/main/online/network_1/ppo_head_0/policy"
SAC_POLICY = "main_level/agent/policy/online/network_0/sac_policy_head_0/policy"

ACTIVATIONS: Mapping[str, str | None] = {
    "relu": "Relu",
    "tanh": "Tanh",
    "elu": "Elu",
    "sigmoid": "Sigmoid",
    "identity": None,
}
OUTPUTS: Mapping[str, str] = {"softmax": "Softmax", "identity": "Identity", "tanh": "Tanh"}

_NETWORK = "main_level/agent/main/online/network_1"


def input_name(sensor: str, algorithm: str = "clipped_ppo") -> str:
    """Give the name of the placeholder that the car feeds a sensor to."""
    head = "policy" if algorithm == "sac" else "main"
    return f"main_level/agent/{head}/online/network_0/{sensor}/{sensor}"


def inputs(graph: Graph, output: str) -> dict[str, Node]:
    """Give the placeholders that an output needs by sensor, which is the last part of their names.

    Raises:
        BundleError: two of them are of the same sensor.
    """
    nodes = [node for node in graph.needed(output) if node.op == "Placeholder"]
    by_sensor = {node.name.split("/")[-1]: node for node in nodes}
    if len(by_sensor) < len(nodes):
        raise BundleError(f"two of the graph's inputs are the same sensor: {', '.join(n.name for n in nodes[:4])}")
    return by_sensor


def policy_output(graph: Graph) -> str:
    """Find the node that says what the driver does: the only sink, or else the one with Coach's name for it.

    Raises:
        BundleError: there are several outputs and it is not clear which one is the policy.
    """
    if len(graph.sinks) == 1:
        return graph.sinks[0]
    named = [name for name in (PPO_POLICY, SAC_POLICY) if name in graph.by_name]
    if len(named) != 1:
        raise BundleError(
            f"the graph has {len(graph.sinks)} outputs ({', '.join(graph.sinks[:3])}, ...), and "
            f"{len(named)} of them have the name of a policy, {PPO_POLICY}"
        )
    return named[0]


@dataclass(frozen=True, eq=False)
class Convolution:
    """Filters without padding over a picture, then an activation.

    Attributes:
        weight: (out, in, height, width), as torch has it.
        bias: (out,).
        stride: pixels to the next place, both ways or (down, right).
        activation: a key of `ACTIVATIONS`.
    """

    weight: Weights
    bias: Weights
    stride: int | tuple[int, int] = 1
    activation: str = "relu"

    @property
    def strides(self) -> tuple[int, int]:
        """Pixels to the next place (down, right)."""
        return (self.stride, self.stride) if isinstance(self.stride, int) else self.stride

    def seen(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape (h, w, c) of what it makes of a picture (h, w, c)."""
        if len(shape) != 3:
            raise BundleError(f"a convolution needs a picture, but gets {shape} numbers in a row")
        if self.weight.ndim != 4 or self.weight.shape[1] != shape[2] or self.bias.shape != self.weight.shape[:1]:
            raise BundleError(
                f"a convolution has weights {self.weight.shape} and bias {self.bias.shape}, but for a "
                f"picture {shape} they must be (out, {shape[2]}, height, width) and (out,)"
            )
        room = [have - size for have, size in zip(shape[:2], self.weight.shape[2:], strict=True)]
        if min(room) < 0 or min(self.strides) < 1:
            raise BundleError(f"a kernel {self.weight.shape[2:]} with strides {self.strides} does not fit {shape}")
        down, right = self.strides
        return room[0] // down + 1, room[1] // right + 1, len(self.weight)


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer, then an activation.

    Attributes:
        weight: (out, in), as torch has it; after a picture `in` counts channels, then rows, then columns.
        bias: (out,).
        activation: a key of `ACTIVATIONS`.
    """

    weight: Weights
    bias: Weights
    activation: str = "relu"


@dataclass(frozen=True, eq=False)
class Embedder:
    """How one sensor is looked at: convolutions first, then dense layers; either may be missing.

    Attributes:
        sensor: as ``model_metadata.json`` calls it.
        layers: from the sensor on.
        shape: of one observation, (h, w, c) or (width,); what the car feeds if not given.
    """

    sensor: str
    layers: tuple[Convolution | Dense, ...] = ()
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Policy:
    """All layers of a policy.

    Attributes:
        embedders: one for each sensor, in the order in which the first dense layer counts what they saw.
        middleware: dense layers behind all of them.
        head: the last layer; its activation is `output`, its own is not used.
        output: ``softmax`` for a list of actions, ``identity`` for a mean, ``tanh`` for a squashed mean.
    """

    embedders: tuple[Embedder, ...]
    middleware: tuple[Dense, ...]
    head: Dense
    output: str


def policy_graph(policy: Policy) -> Graph:
    """Write a policy down as the graph that the car runs.

    Raises:
        BundleError: a layer does not fit the one before it, or the car could not feed or run it.
    """
    if policy.output not in OUTPUTS:
        raise BundleError(f"the output of a policy cannot be {policy.output!r}; {nearest(policy.output, OUTPUTS)}")
    sensors = [embedder.sensor for embedder in policy.embedders]
    if not sensors or len(set(sensors)) < len(sensors):
        raise BundleError(f"a policy needs one embedder for each sensor, but has them for {sensors}")
    draft = _Draft()
    ends = [draft.embed(embedder) for embedder in policy.embedders]
    value, pictures = draft.side_by_side(ends)
    for i, layer in enumerate(policy.middleware):
        value = draft.dense(f"{_NETWORK}/middleware_fc_embedder/Dense_{2 * i}", value, layer, pictures)
        pictures = [(len(layer.weight),)]
    head = Dense(policy.head.weight, policy.head.bias, "identity")
    value = draft.dense(f"{_NETWORK}/ppo_head_0/policy_fc", value, head, pictures)
    draft.add(PPO_POLICY, OUTPUTS[policy.output], value)
    return Graph(tuple(draft.nodes))


class _Draft:
    """The nodes of a graph while it is written; every method gives the name of the node it ends with."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, name: str, op: str, *sources: str, **attributes: object) -> str:
        self.nodes.append(Node(name, op, sources, {"T": DType.FLOAT, **attributes}))  # type: ignore[dict-item]
        return name

    def const(self, name: str, value: npt.ArrayLike, kind: DType = DType.FLOAT) -> str:
        with np.errstate(over="ignore"):  # what becomes infinite is refused when the car's rules are checked
            array = np.array(value, np.float32 if kind is DType.FLOAT else np.int32)
        self.nodes.append(Node(name, "Const", (), {"dtype": kind, "value": array}))
        return name

    def embed(self, embedder: Embedder) -> tuple[str, tuple[int, ...]]:
        """Add a sensor and its layers; give the last node and the shape of what it holds."""
        if embedder.sensor not in SENSOR_SHAPES:
            raise BundleError(
                f"the car has no sensor {embedder.sensor!r} to feed a driver with; "
                f"{nearest(embedder.sensor, SENSOR_SHAPES)}"
            )
        shape = embedder.shape or SENSOR_SHAPES[embedder.sensor]
        name = input_name(embedder.sensor)
        sizes = Shape((-1, *shape))
        self.nodes.append(Node(name, "Placeholder", (), {"dtype": DType.FLOAT, "shape": sizes}))
        scope = f"{_NETWORK}/{embedder.sensor}"
        if len(shape) == 3:
            name = self.add(f"{scope}/truediv", "RealDiv", name, self.const(f"{scope}/truediv/y", 255.0))
        for i, layer in enumerate(embedder.layers):
            if isinstance(layer, Convolution):
                name, shape = self.convolve(f"{scope}/Conv2d_{2 * i}", name, layer, shape)
            else:
                flat = self.flatten(f"{scope}/flatten", name, shape)
                name = self.dense(f"{scope}/Dense_{2 * i}", flat, layer, [shape])
                shape = (len(layer.weight),)
        return self.flatten(f"{scope}/flatten", name, shape), shape

    def convolve(
        self, scope: str, picture: str, layer: Convolution, shape: tuple[int, ...]
    ) -> tuple[str, tuple[int, ...]]:
        seen = layer.seen(shape)
        kernel = self.const(f"{scope}/kernel", layer.weight.transpose(2, 3, 1, 0))
        layout = {"padding": b"VALID", "data_format": b"NHWC", "strides": (1, *layer.strides, 1)}
        name = self.add(f"{scope}/Conv2D", "Conv2D", picture, kernel, **layout)
        return self.finish(scope, name, layer), seen

    def dense(self, scope: str, row: str, layer: Dense, parts: Sequence[tuple[int, ...]]) -> str:
        """Add a dense layer over parts side by side: their shapes say which of them are pictures."""
        count = sum(math.prod(part) for part in parts)
        if layer.weight.ndim != 2 or layer.weight.shape[1] != count or layer.bias.shape != layer.weight.shape[:1]:
            raise BundleError(
                f"{scope} has weights {layer.weight.shape} and bias {layer.bias.shape}, but behind {count} "
                f"numbers they must be (out, {count}) and (out,)"
            )
        kernel = self.const(f"{scope}/kernel", _to_tensorflow(layer.weight, parts))
        name = self.add(f"{scope}/MatMul", "MatMul", row, kernel, transpose_a=False, transpose_b=False)
        return self.finish(scope, name, layer)

    def finish(self, scope: str, name: str, layer: Convolution | Dense) -> str:
        """Add the bias and the activation."""
        if layer.activation not in ACTIVATIONS:
            raise BundleError(
                f"{scope} cannot have the activation {layer.activation!r}; {nearest(layer.activation, ACTIVATIONS)}"
            )
        bias = self.const(f"{scope}/bias", layer.bias)
        name = self.add(f"{scope}/BiasAdd", "BiasAdd", name, bias, data_format=b"NHWC")
        op = ACTIVATIONS[layer.activation]
        return self.add(f"{scope}/{op}", op, name) if op else name

    def flatten(self, scope: str, name: str, shape: tuple[int, ...]) -> str:
        if len(shape) == 1:
            return name
        sizes = self.const(f"{scope}/shape", [-1, math.prod(shape)], DType.INT32)
        return self.add(f"{scope}/Reshape", "Reshape", name, sizes, Tshape=DType.INT32)

    def side_by_side(self, ends: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[str, list[tuple[int, ...]]]:
        """Concatenate rows; give the last node and the shapes that were put side by side."""
        names, shapes = [name for name, _ in ends], [shape for _, shape in ends]
        if len(names) == 1:
            return names[0], shapes
        axis = self.const(f"{_NETWORK}/concat/axis", 1, DType.INT32)
        name = self.add(f"{_NETWORK}/concat", "ConcatV2", *names, axis, N=len(names), Tidx=DType.INT32)
        return name, shapes


def _to_tensorflow(weight: Weights, parts: Sequence[tuple[int, ...]]) -> Weights:
    """Turn a dense weight (out, in) to (in, out); inputs that are pictures from (c, h, w) to (h, w, c)."""
    rows, at = [], 0
    for part in parts:
        columns = weight[:, at : at + math.prod(part)]
        at += math.prod(part)
        if len(part) == 3:
            height, width, channels = part
            columns = columns.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(columns.shape)
        rows.append(columns.T)
    return np.concatenate(rows)
