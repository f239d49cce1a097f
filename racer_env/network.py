"""A bundle's graph as a torch module, and the driver that answers with its actions.

This is the one file below training that imports torch. The module keeps the graph's own order of axes, (n,
height, width, channels): to torch that is the memory format ``channels_last`` of (n, channels, height,
width), so nothing is moved between layers, and weights behind a picture need no turning. Sums are taken in
another order than in numpy, and differ with the size of a batch, so results agree to about 1e-6, not to the
bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from racer_env.bundle import Bundle
from racer_env.errors import BundleError
from racer_env.graph import Budget, Graph, fold
from racer_env.operations import Array, Attributes, axes_of, index_of, integers, strides
from racer_env.policy_graph import inputs, policy_output

#: Frames that are computed at a time; more would only take more memory.
CHUNK = 256


def _conv2d(attributes: Attributes, pictures: Tensor, kernel: Tensor) -> Tensor:
    seen = functional.conv2d(pictures.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), stride=strides(attributes))
    return seen.permute(0, 2, 3, 1)


def _matmul(attributes: Attributes, x: Tensor, y: Tensor) -> Tensor:
    x = x.T if attributes.get("transpose_a", False) else x
    return x @ (y.T if attributes.get("transpose_b", False) else y)


def _concat(_: Attributes, *values: Tensor) -> Tensor:
    *parts, axis = values
    return torch.cat(parts, dim=int(axis))


def _add(_: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return x + y


def _shape(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.int64 if integers(attributes) is np.int64 else torch.int32)


def _prod(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(axes_of(axes, x.ndim), reverse=True):
        x = x.prod(dim=axis, keepdim=bool(attributes.get("keep_dims", False)), dtype=x.dtype)
    return x


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Identity": lambda _, x: x,
    "StopGradient": lambda _, x: x,
    "Conv2D": _conv2d,
    "BiasAdd": _add,
    "RealDiv": lambda _, x, y: x / y,
    "Add": _add,
    "AddV2": _add,
    "Sub": lambda _, x, y: x - y,
    "Mul": lambda _, x, y: x * y,
    "Maximum": lambda _, x, y: torch.maximum(x, y),
    "Minimum": lambda _, x, y: torch.minimum(x, y),
    "Exp": lambda _, x: torch.exp(x),
    "MatMul": _matmul,
    "Reshape": lambda _, x, shape: x.reshape(shape.tolist()),
    "ConcatV2": _concat,
    "Shape": _shape,
    # whole again, for what follows would be many times as slow on a picture with holes
    "StridedSlice": lambda attributes, x, begin, end, steps: x[index_of(attributes, begin, end, steps)].contiguous(),
    "Pack": lambda attributes, first, *rest: torch.stack([first, *rest], dim=attributes.get("axis", 0)),
    "Prod": _prod,
    "ExpandDims": lambda _, x, axis: x.unsqueeze(int(axis.reshape(()))),
    "Relu": lambda _, x: functional.relu(x),
    "Tanh": lambda _, x: torch.tanh(x),
    "Sigmoid": lambda _, x: torch.sigmoid(x),
    "Elu": lambda _, x: functional.elu(x),
    "Softmax": lambda _, x: torch.softmax(x, dim=-1),
}


class PolicyNetwork(nn.Module):
    """A graph as a module: observations by sensor in, the policy out. Its weights are buffers, not learnt."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._output = policy_output(graph)
        self._inputs = {node.name: sensor for sensor, node in inputs(graph, self._output).items()}
        self._one_by_one = any(n.shape and n.shape.sizes[0] == 1 for n in graph.placeholders if n.name in self._inputs)
        constants, nodes = fold(graph, self._output)
        computed = tuple(node for node in nodes if node.op != "Placeholder")
        self._steps = tuple((node, OPERATIONS[node.op], node.sources) for node in computed)
        used = dict.fromkeys(name for node in computed for name in node.sources if name in constants)
        weights = {node.sources[1] for node in computed if node.op in ("Conv2D", "MatMul")}
        self._constants = {name: f"constant_{i}" for i, name in enumerate(used)}
        self._allowed = set[int]()  #: numbers of frames that were found not to be too much work
        for name, parameter in self._constants.items():
            self.register_buffer(parameter, _tensor(constants[name], weight=name in weights))

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        """Compute the policy (n, actions) of float observations (n, ...), pixels being 0 to 255."""
        values = {name: observations[sensor] for name, sensor in self._inputs.items()}
        if self._one_by_one:
            frames = zip(*(torch.split(value, 1) for value in values.values()), strict=True)
            return torch.cat([self._run(dict(zip(values, frame, strict=True))) for frame in frames])
        return self._run(values)

    def _run(self, values: dict[str, Tensor]) -> Tensor:
        frames = len(next(iter(values.values()), ()))
        budget = None if frames in self._allowed else Budget(frames)
        buffers = dict(self.named_buffers(recurse=False))
        values |= {name: buffers[parameter] for name, parameter in self._constants.items()}
        for node, operation, sources in self._steps:
            taken = [values[name] for name in sources]
            if budget:
                budget.spend(node, taken)
            values[node.name] = operation(node.attributes, *taken)
        self._allowed.add(frames)
        return values[self._output]


def _tensor(value: Array, weight: bool) -> Tensor:
    """Make a tensor; a weight lies in memory as torch's own layers have it, one output after the other."""
    tensor = torch.from_numpy(np.array(value))
    if weight and tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1).contiguous().permute(2, 3, 1, 0)
    return tensor.T.contiguous().T if weight and tensor.ndim == 2 else tensor


def module_of(graph: Graph) -> PolicyNetwork:
    """Build the torch module of a graph."""
    return PolicyNetwork(graph).eval()


class NetworkDriver:
    """Drives as a bundle says: greedily, without memory, any number of cars at a time.

    Args:
        bundle: whose policy to follow.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.name = bundle.name
        self.network = module_of(bundle.graph)

    def act(self, observations: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Choose an action for each frame.

        Args:
            observations: by sensor, (n, ...); pictures are (n, 120, 160, channels), 0 to 255, uint8 or float.

        Returns:
            For a list of actions the index (n,) of the best one, int64, the first of equals; else steering
            and speed (n, 2) in [-1, 1], float32.

        Raises:
            BundleError: a sensor is missing or has another shape, or the network answers with no number.
        """
        return self.bundle.actions(self.policy(observations))

    def policy(self, observations: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Compute the policy (n, actions): probabilities of actions, or the mean of steering and speed."""
        frames = self.bundle.count_frames(observations)
        out = np.empty((frames, self.bundle.action_count), np.float32)
        with torch.inference_mode():
            for start in range(0, frames, CHUNK):
                part = {sensor: _frames(observations[sensor][start : start + CHUNK]) for sensor in self.bundle.inputs}
                answer = self._answer(part)
                self.bundle.check_policy(answer, min(CHUNK, frames - start))
                out[start : start + CHUNK] = answer
        return out

    def _answer(self, observations: Mapping[str, Tensor]) -> npt.NDArray[np.float32]:
        try:
            with _without_denormals():
                answer: npt.NDArray[np.float32] = self.network(observations).numpy()
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise BundleError(f"torch cannot compute the graph of {self.name}: {reason}") from error
        return answer


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for 0: some processors are a hundred times as slow with them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _frames(values: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32, order="C"))
