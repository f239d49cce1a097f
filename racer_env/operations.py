"""What the nodes of a graph compute, in numpy, as TensorFlow defines it.

An operation is a function of a node's attributes and of its inputs; adding one is adding a function to
`OPERATIONS`. Pictures are (n, height, width, channels) and kernels of convolutions (height, width, in, out),
which TensorFlow calls ``NHWC`` and ``HWIO``. Numbers are float32, shapes and axes int32 or int64. Only what a
feed-forward driver needs is here: no padding, no dilation, no other data format; the rest is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from racer_env.errors import BundleError

Array = npt.NDArray[Any]
Attributes = Mapping[str, Any]
Operation = Callable[..., Array]


class Sized(Protocol):
    """An array of numpy's, or a tensor of torch's."""

    @property
    def shape(self) -> Sequence[int]:
        """The sizes of its axes."""

    @property
    def ndim(self) -> int:
        """How many there are."""


def strides(attributes: Attributes) -> tuple[int, int]:
    """Give a convolution's strides (down, right). Raises `BundleError` for all that a driver's never is."""
    wanted = {"padding": b"VALID", "data_format": b"NHWC", "dilations": (1, 1, 1, 1), "explicit_paddings": ()}
    for name, only in wanted.items():
        value = attributes.get(name, None if name == "padding" else only)
        if value != only:
            raise BundleError(f"{name} is {value!r}, but only {only!r} is supported")
    steps = attributes.get("strides")
    if not (isinstance(steps, tuple) and len(steps) == 4 and steps[0] == steps[3] == 1 and min(steps) >= 1):
        raise BundleError(f"strides are {steps!r}, but must be (1, down, right, 1)")
    return steps[1], steps[2]


def _positions(attributes: Attributes, pictures: Sized, kernel: Sized) -> tuple[int, int]:
    """Count the places (down, right) where the kernel fits."""
    if pictures.ndim != 4 or kernel.ndim != 4 or pictures.shape[3] != kernel.shape[2]:
        raise BundleError(f"a kernel {kernel.shape} does not fit pictures {pictures.shape}")
    room = [have - size for have, size in zip(pictures.shape[1:3], kernel.shape[:2], strict=True)]
    if min(room) < 0 or min(kernel.shape) < 1:
        raise BundleError(f"a kernel {kernel.shape} does not fit pictures {pictures.shape}")
    down, right = strides(attributes)
    return room[0] // down + 1, room[1] // right + 1


def _placeholder(attributes: Attributes) -> Array:
    raise BundleError(f"nothing is fed to it (shape {attributes.get('shape')})")


def _const(attributes: Attributes) -> Array:
    value = attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise BundleError("it has no value")
    return value


def _conv2d(attributes: Attributes, pictures: Array, kernel: Array) -> Array:
    height, width = _positions(attributes, pictures, kernel)
    down, right = strides(attributes)
    weights = kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[3])
    out = np.empty((len(pictures), height, width, kernel.shape[3]), np.result_type(pictures, kernel))
    for picture, filtered in zip(pictures, out, strict=True):  # one at a time: the windows take the most memory
        windows = np.lib.stride_tricks.sliding_window_view(picture, kernel.shape[:2], axis=(0, 1))
        patches = windows[::down, ::right].reshape(height * width, -1)
        filtered[...] = (patches @ weights).reshape(filtered.shape)
    return out


def _bias_add(attributes: Attributes, x: Array, bias: Array) -> Array:
    if attributes.get("data_format", b"NHWC") != b"NHWC" or bias.ndim != 1 or x.shape[-1:] != bias.shape:
        raise BundleError(f"a bias {bias.shape} does not fit the last axis of {x.shape}")
    return np.asarray(x + bias)


def _real_div(_: Attributes, x: Array, y: Array) -> Array:
    if x.dtype.kind != "f" or y.dtype.kind != "f":
        raise BundleError("only floats can be divided")
    return np.asarray(x / y)


def _matmul(attributes: Attributes, x: Array, y: Array) -> Array:
    if x.ndim != 2 or y.ndim != 2:
        raise BundleError("only matrices can be multiplied")
    x = x.T if attributes.get("transpose_a", False) else x
    y = y.T if attributes.get("transpose_b", False) else y
    return np.asarray(x @ y)


def _reshape(_: Attributes, x: Array, shape: Array) -> Array:
    if shape.dtype.kind != "i" or shape.ndim != 1:
        raise BundleError("the shape to give must be a row of integers")
    if shape.min(initial=-1) < -1:
        raise BundleError(f"it cannot be given the shape {shape.tolist()[:8]}")
    return x.reshape(shape.tolist())


def _concat(_: Attributes, first: Array, *rest: Array) -> Array:
    *others, axis = rest
    return np.concatenate([first, *others], axis=int(axis))


def integers(attributes: Attributes) -> type[np.integer[Any]]:
    """Give the element type in which ``Shape`` answers: int64 if it is asked for, else int32."""
    return np.int64 if getattr(attributes.get("out_type"), "value", 3) == 9 else np.int32


def index_of(attributes: Attributes, begin: Any, end: Any, steps: Any) -> tuple[Any, ...]:
    """Translate a ``StridedSlice`` into an index. Raises `BundleError` for one that goes backwards."""
    rows = [np.asarray(x) for x in (begin, end, steps)]
    if any(row.ndim != 1 or row.dtype.kind != "i" or len(row) != len(rows[0]) for row in rows):
        raise BundleError("begin, end and strides of a slice must be equally long rows of integers")
    masks = [attributes.get(f"{name}_mask", 0) for name in ("ellipsis", "new_axis", "shrink_axis", "begin", "end")]
    out: list[Any] = []
    for i, (first, last, step) in enumerate(zip(*(row.tolist() for row in rows), strict=True)):
        ellipsis, new, shrink, open_begin, open_end = (bool(mask >> i & 1) for mask in masks)
        if step < 1:
            raise BundleError(f"a slice has the stride {step}, but must go forwards")
        part = slice(None if open_begin else first, None if open_end else last, step)
        out.append(... if ellipsis else None if new else first if shrink else part)
    return tuple(out)


def axes_of(axes: Any, rank: int) -> tuple[int, ...]:
    """Give the axes that an operation goes along, from 0. Raises `BundleError` unless there are such axes."""
    said = [int(axis) for axis in np.ravel(axes)]
    out = tuple(axis % rank for axis in said if -rank <= axis < rank)
    if len(set(out)) < len(said):
        raise BundleError(f"there are {rank} axes, but it goes along {said[:8]}")
    return out


def _prod(attributes: Attributes, x: Array, axes: Array) -> Array:
    keep = bool(attributes.get("keep_dims", False))
    return np.asarray(np.prod(x, axis=axes_of(axes, x.ndim), keepdims=keep, dtype=x.dtype))


def _exp(_: Attributes, x: Array) -> Array:
    if x.dtype.kind != "f":
        raise BundleError("only floats have an exponential")
    return np.asarray(np.exp(x))


def _nothing(_: Attributes) -> Array:
    raise BundleError("it computes nothing; it only says what comes before what")


def _softmax(_: Attributes, x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _elu(_: Attributes, x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _add(_: Attributes, x: Array, y: Array) -> Array:
    return np.asarray(x + y)


OPERATIONS: dict[str, Operation] = {
    "Placeholder": _placeholder,
    "Const": _const,
    "Identity": lambda _, x: x,
    "StopGradient": lambda _, x: x,
    "NoOp": _nothing,
    "Conv2D": _conv2d,
    "BiasAdd": _bias_add,
    "RealDiv": _real_div,
    "Add": _add,
    "AddV2": _add,
    "Sub": lambda _, x, y: np.asarray(x - y),
    "Mul": lambda _, x, y: np.asarray(x * y),
    "Maximum": lambda _, x, y: np.maximum(x, y),
    "Minimum": lambda _, x, y: np.minimum(x, y),
    "Exp": _exp,
    "MatMul": _matmul,
    "Reshape": _reshape,
    "ConcatV2": _concat,
    "Shape": lambda attributes, x: np.array(x.shape, integers(attributes)),
    "StridedSlice": lambda attributes, x, begin, end, steps: np.asarray(x[index_of(attributes, begin, end, steps)]),
    "Pack": lambda attributes, first, *rest: np.stack([first, *rest], axis=attributes.get("axis", 0)),
    "Prod": _prod,
    "ExpandDims": lambda _, x, axis: np.expand_dims(x, int(axis.reshape(()))),
    "Relu": lambda _, x: np.maximum(x, 0),
    "Tanh": lambda _, x: np.tanh(x),
    "Sigmoid": lambda _, x: 0.5 * (1 + np.tanh(0.5 * x)),
    "Elu": _elu,
    "Softmax": _softmax,
}

BROADCASTING = ("RealDiv", "Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum")
VIEWS = ("Placeholder", "Const", "Identity", "StopGradient", "NoOp", "ExpandDims", "Shape")
MIXING = ("Reshape", "ConcatV2", "StridedSlice", "Prod", "ExpandDims")  #: take integers beside what they work on

#: What takes time, in multiplications: on one core of an AMD EPYC, torch took at worst 0.16 ns for each of these, among
#: 5000 convolutions of random sizes, and 0.02 ns in the original's networks.
CALL = 2**16  #: of an operation, whatever it does
NUMBER = 32  #: of a number that is written, or turned around for a convolution
ROW = 8  #: times as much for a softmax, which begins anew with every row
READ = 4  #: of a number that is only read
LANES = 8  #: channels that a convolution works on at a time, also where there are fewer


def cost(op: str, attributes: Attributes, inputs: Sequence[Sized]) -> tuple[int, int]:
    """Say, before computing it, how many numbers an operation will hold, and how much work it is.

    Args:
        op: its name.
        attributes: of its node.
        inputs: arrays or tensors; only their shapes count.

    Returns:
        Numbers, and work in multiplications of a large convolution.
    """
    shapes = [tuple(x.shape) for x in inputs]
    held, work = _cost(op, attributes, inputs, shapes)
    return held, work + CALL


def _cost(op: str, attributes: Attributes, inputs: Sequence[Sized], shapes: list[tuple[int, ...]]) -> tuple[int, int]:
    if op == "Conv2D":
        positions = math.prod(_positions(attributes, *inputs)) * shapes[0][0]
        height, width, seen, made = shapes[1]
        filters = height * width * _whole(seen) * _whole(made)
        held = positions * max(height * width * seen, made)
        return held, positions * filters + NUMBER * (math.prod(shapes[0]) + filters + positions * made)
    if op == "MatMul":
        (rows, depth), (_, columns) = (
            shape[::-1] if attributes.get(f"transpose_{side}", False) else shape
            for side, shape in zip("ab", shapes, strict=True)
        )
        return rows * columns, rows * depth * columns + READ * depth * (rows + columns) + NUMBER * rows * columns
    if op in VIEWS:
        return 0, 0
    size = math.prod(np.broadcast_shapes(*shapes)) if op in BROADCASTING else sum(map(math.prod, shapes))
    return size, size * NUMBER * (ROW if op == "Softmax" else 1)


def _whole(channels: int) -> int:
    """Channels as a convolution pads them."""
    return -(-channels // LANES) * LANES


def compute(op: str, attributes: Attributes, inputs: list[Array]) -> Array:
    """Run one operation.

    Raises:
        BundleError: the inputs or attributes are not what the operation takes.
    """
    if op not in MIXING and len({x.dtype for x in inputs}) > 1:
        raise BundleError(f"it mixes {' and '.join(sorted({x.dtype.name for x in inputs}))}")
    out = OPERATIONS[op](attributes, *inputs)
    if out.dtype not in (np.float32, np.int32, np.int64):
        raise BundleError(f"it gives {out.dtype.name}, but only float32, int32 and int64 are supported")
    return out
