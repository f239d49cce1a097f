"""The layers of a policy, read out of its graph: `policy_graph` backwards, for graphs of anybody.

Coach's graphs say the same in more words than ours: every weight goes through an ``Identity``, an offset of 0 is
subtracted from pictures, rows are flattened by arithmetic on their shape, and what the head gets is
``(1 - r) * stop_gradient(x) + r * x``. Between layers all of that is one scale and one offset, and it is followed
as such: pictures must arrive divided by 255, everything else as it is. Only ReLU networks of convolutions and
dense layers are understood, as all of the original's are; others drive, but cannot be taken apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from racer_env.errors import BundleError
from racer_env.graph import Graph, Node, fold
from racer_env.operations import Array, strides
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_output

SUMS = ("Add", "AddV2", "BiasAdd")
SensorShape = tuple[int, ...]


class _Value(NamedTuple):
    """What a node holds: the values of another one, scaled and moved."""

    base: Node
    scale: float = 1.0
    offset: float = 0.0

    @property
    def unchanged(self) -> bool:
        return math.isclose(self.scale, 1.0, rel_tol=1e-6) and abs(self.offset) < 1e-6


class _Layer(NamedTuple):
    """A layer as TensorFlow has it."""

    kernel: Array
    bias: Array
    activation: str
    strides: tuple[int, int] | None  #: of a convolution


def policy_layers(graph: Graph) -> Policy:
    """Take a policy's graph apart.

    Returns:
        Its layers as torch has them. Behind a single sensor, dense layers of the embedder count as middleware.

    Raises:
        BundleError: it is not a ReLU network of convolutions and dense layers.
    """
    return _Reader(graph).policy()


class _Reader:
    """Walks a graph from its output to its inputs."""

    def __init__(self, graph: Graph) -> None:
        self.output = policy_output(graph)
        self.constants, nodes = fold(graph, self.output)
        self.values: dict[str, _Value] = {}
        for node in nodes:  # each after its inputs
            self.values[node.name] = self._value(node)
        if self.output not in self.values:
            raise BundleError("the graph answers the same whatever it sees")

    def policy(self) -> Policy:
        last = self.values[self.output]
        output = {"Softmax": "softmax", "Tanh": "tanh"}.get(last.base.op, "identity")
        layers, end = self._chain(last if output == "identity" else self.values[last.base.sources[0]])
        if end.base.op == "ConcatV2":
            parts = [self.values[name] for name in self._live(end.base)]
            found = [self._embedder(*self._chain(part)) for part in parts]
        else:
            first = next((i for i, layer in enumerate(layers) if layer.strides is None), len(layers))
            found, layers = [self._embedder(layers[:first], end)], layers[first:]
        if not layers or [layer.activation for layer in layers] != ["relu"] * (len(layers) - 1) + ["identity"]:
            raise BundleError("the network's dense layers are not all followed by a ReLU, up to the last one")
        dense, shapes = [], [shape for _, shape in found]
        for layer in layers:
            dense.append(_dense(layer, shapes))
            shapes = [(len(dense[-1].weight),)]
        return Policy(tuple(embedder for embedder, _ in found), tuple(dense[:-1]), dense[-1], output)

    def _value(self, node: Node) -> _Value:
        """See through whatever only passes on, scales or moves by a single number."""
        live = [self.values[name] for name in self._live(node)]
        numbers = [self.constants[name] for name in node.sources if name in self.constants]
        if node.op in ("Identity", "StopGradient", "Reshape") and node.sources[0] in self.values:
            return self.values[node.sources[0]]
        if len(live) == 2 and node.op in SUMS and live[0].base is live[1].base:
            return _Value(live[0].base, live[0].scale + live[1].scale, live[0].offset + live[1].offset)
        if len(live) == 1 and len(numbers) == 1 and numbers[0].size == 1:
            before, number, first = live[0], float(numbers[0].reshape(())), node.sources[0] in self.values
            if node.op == "Mul" or (node.op == "RealDiv" and first and number):
                factor = number if node.op == "Mul" else 1.0 / number
                return _Value(before.base, before.scale * factor, before.offset * factor)
            if node.op == "Sub" and first:
                return before._replace(offset=before.offset - number)
        return _Value(node)

    def _live(self, node: Node) -> list[str]:
        return [name for name in node.sources if name in self.values]

    def _chain(self, value: _Value) -> tuple[list[_Layer], _Value]:
        """Follow layers back to a sensor, or to where sensors are joined; give them from the first on, and the end."""
        layers: list[_Layer] = []
        while value.base.op not in ("Placeholder", "ConcatV2"):
            activation = "identity"
            if value.base.op == "Relu":
                self._require_unchanged(value)
                activation, value = "relu", self.values[value.base.sources[0]]
            self._require_unchanged(value)
            layer, value = self._layer(value.base, activation)
            layers.insert(0, layer)
        return layers, value

    def _require_unchanged(self, value: _Value) -> None:
        if not value.unchanged:
            raise BundleError(f"{value.base} is scaled by {value.scale:g} before the next layer, which none here is")

    def _layer(self, node: Node, activation: str) -> tuple[_Layer, _Value]:
        product, bias = node, None
        if node.op in SUMS and len(self._live(node)) == 1 and len(node.sources) == 2:
            bias = next((self.constants[name] for name in node.sources if name in self.constants), None)
            product = self.values[self._live(node)[0]].base
        if product.op not in ("MatMul", "Conv2D") or product.sources[1] not in self.constants:
            raise BundleError(f"{product} is no layer of a network of convolutions, dense layers and ReLU")
        kernel = self.constants[product.sources[1]]
        if product.attributes.get("transpose_a", False):
            raise BundleError(f"{product} multiplies what is turned around, which no layer here does")
        if product.op == "MatMul" and product.attributes.get("transpose_b", False):
            kernel = kernel.T
        count = kernel.shape[-1]
        if bias is not None and bias.size not in (1, count):
            raise BundleError(f"{node} adds {bias.shape} numbers to {count}, which no layer here does")
        moved = np.zeros(count, np.float32) if bias is None else np.broadcast_to(bias.reshape(-1), (count,))
        step = strides(product.attributes) if product.op == "Conv2D" else None
        return _Layer(kernel, moved, activation, step), self.values[product.sources[0]]

    def _embedder(self, layers: Sequence[_Layer], end: _Value) -> tuple[Embedder, SensorShape]:
        """Give how a sensor is looked at, and the shape of what comes out."""
        if end.base.op != "Placeholder" or end.base.shape is None:
            raise BundleError(f"{end.base} joins what was joined before, which no network here does")
        shape: SensorShape = end.base.shape.sizes[1:]
        wanted = 1.0 / 255.0 if len(shape) == 3 else 1.0
        if not math.isclose(end.scale, wanted, rel_tol=1e-5) or abs(end.offset) > 1e-6:
            raise BundleError(
                f"{end.base} is scaled by {end.scale:g} and moved by {end.offset:g}, not by {wanted:g} alone"
            )
        sensor, size = end.base.name.split("/")[-1], shape
        out: list[Convolution | Dense] = []
        for layer in layers:
            if layer.activation != "relu":
                raise BundleError(f"a layer behind {sensor} is not followed by a ReLU")
            if layer.strides is None:
                dense = _dense(layer, [shape])
                out.append(dense)
                shape = (len(dense.weight),)
            else:
                convolution = Convolution(layer.kernel.transpose(3, 2, 0, 1).copy(), layer.bias, layer.strides)
                out.append(convolution)
                shape = convolution.seen(shape)
        return Embedder(sensor, tuple(out), size), shape


def _dense(layer: _Layer, parts: Sequence[SensorShape]) -> Dense:
    """Turn a dense layer's weights; inputs that are pictures go from (h, w, c) to (c, h, w)."""
    count = sum(math.prod(part) for part in parts)
    if layer.strides is not None or layer.kernel.ndim != 2 or len(layer.kernel) != count:
        raise BundleError(f"a layer has weights {layer.kernel.shape}, but {count} numbers come before it")
    columns, at = [], 0
    for part in parts:
        rows = layer.kernel[at : at + math.prod(part)]
        at += math.prod(part)
        if len(part) == 3:
            rows = rows.reshape(*part, -1).transpose(2, 0, 1, 3).reshape(rows.shape)
        columns.append(rows.T)
    return Dense(np.concatenate(columns, axis=1), layer.bias, layer.activation)


def reordered(policy: Policy, sensors: Sequence[str]) -> Policy:
    """Give the same policy with its embedders in another order; the first dense layer behind them follows.

    Raises:
        BundleError: the policy has other sensors.
    """
    by_sensor = {embedder.sensor: embedder for embedder in policy.embedders}
    if sorted(by_sensor) != sorted(sensors):
        raise BundleError(f"the network sees {', '.join(by_sensor)}, not {', '.join(sensors)}")
    first, *rest = [*policy.middleware, policy.head]
    widths = {e.sensor: _width(e) for e in policy.embedders}
    edges = dict(zip(by_sensor, np.cumsum([0, *widths.values()]).tolist(), strict=False))
    columns = [first.weight[:, edges[name] : edges[name] + widths[name]] for name in sensors]
    turned = [replace(first, weight=np.concatenate(columns, axis=1)), *rest]
    return replace(
        policy, embedders=tuple(by_sensor[n] for n in sensors), middleware=tuple(turned[:-1]), head=turned[-1]
    )


def _width(embedder: Embedder) -> int:
    shape = embedder.shape or ()
    for layer in embedder.layers:
        shape = layer.seen(shape) if isinstance(layer, Convolution) else (len(layer.weight),)
    return math.prod(shape)
