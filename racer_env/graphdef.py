"""The format of a DeepRacer's ``model.pb``: a frozen graph as a binary ``GraphDef``, written and read here.

These are its messages in protocol buffers' wire format, and the numbers of their fields. All other fields are
skipped when reading and never written:

===============  ==========================================================================================
``GraphDef``     1 node, 4 versions (1 producer)
``NodeDef``      1 name, 2 op, 3 input, 5 attribute (1 key, 2 value)
``AttrValue``    1 list (3 integers), 2 bytes, 3 integer, 4 float, 5 truth value, 6 type, 7 shape, 8 tensor
``TensorProto``  1 type, 2 shape, 4 content (little-endian); read also: 5 floats, 7 int32s, 10 int64s
``TensorShape``  2 dimension (1 size, -1 for any), 3 unknown rank (refused)
===============  ==========================================================================================

The same graph always gives the same bytes: nodes in their order, attributes by name, fields by number. What
is read is data of a stranger: everything has a limit, and whatever breaks a rule is a `BundleError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from racer_env.errors import BundleError
from racer_env.graph import Attribute, DType, Graph, Node, Shape
from racer_env.operations import Array
from racer_env.protobuf import Limit, Message, blob, integer, real, varint

MAX_BYTES = 512 * 2**20  #: of an encoded graph; the largest of the original's networks takes 230 MB
MAX_FIELDS = 250_000  #: of all messages of a graph together
MAX_LIST = 64  #: integers of an attribute such as strides
MAX_NUMBERS = 2**27  #: of all tensors of a graph together

#: What TensorFlow 2.2 to 2.17 accept as the version of the writer (tried with 2.2.3, 2.4.4 and 2.17.1).
PRODUCER = 440

_NUMPY: Mapping[DType, np.dtype[Any]] = {
    DType.FLOAT: np.dtype("<f4"),
    DType.INT32: np.dtype("<i4"),
    DType.INT64: np.dtype("<i8"),
}


def encode(graph: Graph) -> bytes:
    """Write a graph as a binary GraphDef, always the same bytes for the same graph."""
    return b"".join(blob(1, _node_bytes(node)) for node in graph.nodes) + blob(4, integer(1, PRODUCER))


def _node_bytes(node: Node) -> bytes:
    parts = [blob(1, node.name.encode()), blob(2, node.op.encode())]
    parts += [blob(3, name.encode()) for name in node.inputs]
    for key in sorted(node.attributes):
        parts.append(blob(5, blob(1, key.encode()) + blob(2, _attribute_bytes(node.attributes[key]))))
    return b"".join(parts)


def _attribute_bytes(value: Attribute) -> bytes:
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    raise BundleError(f"an attribute cannot be a {type(value).__name__}")


def _shape_bytes(sizes: Iterable[int]) -> bytes:
    return b"".join(blob(2, integer(1, size) if size else b"") for size in sizes)


def _tensor_bytes(value: Array) -> bytes:
    kind = next((kind for kind, dtype in _NUMPY.items() if dtype == value.dtype.newbyteorder("<")), None)
    if kind is None:
        raise BundleError(f"a tensor cannot be of {value.dtype}; there are float32, int32 and int64")
    content = value.astype(_NUMPY[kind], copy=False).tobytes()
    head = integer(1, kind.value) + blob(2, _shape_bytes(value.shape))
    return head + blob(4, content) if content else head


#: How each kind of attribute is written; a truth value comes before the integer that it also is.
_WRITERS: dict[type, Callable[[Any], bytes]] = {
    tuple: lambda value: blob(1, blob(3, b"".join(map(varint, value))) if value else b""),
    bytes: lambda value: blob(2, value),
    bool: lambda value: integer(5, value),
    int: lambda value: integer(3, value),
    float: lambda value: real(4, value),
    DType: lambda value: integer(6, value.value),
    Shape: lambda value: blob(7, _shape_bytes(value.sizes)),
    np.ndarray: lambda value: blob(8, _tensor_bytes(value)),
}


def decode(data: bytes | memoryview) -> Graph:
    """Read a binary GraphDef.

    Raises:
        BundleError: it is cut off, breaks the format, passes a limit or holds what `Graph` does not allow.
    """
    if len(data) > MAX_BYTES:
        raise BundleError(f"the graph takes {len(data)} bytes, but at most {MAX_BYTES} are allowed")
    numbers = Limit(MAX_NUMBERS, "numbers")
    try:
        message = Message(memoryview(data), Limit(MAX_FIELDS, "fields"))
        return Graph(tuple(_read_node(node, numbers) for node in message.messages(1)))
    except BundleError as error:
        raise BundleError(f"not a usable frozen graph: {error}") from error


def _read_node(message: Message, numbers: Limit) -> Node:
    name, op = message.text(1), message.text(2)
    attributes: dict[str, Attribute] = {}
    for entry in message.messages(5):
        key = entry.text(1)
        if key.startswith("_"):  # notes of TensorFlow to itself; they change nothing that is computed
            continue
        try:
            attributes[key] = _read_attribute(entry.message(2), numbers)
        except BundleError as error:
            raise BundleError(f"node {name!r}, attribute {key!r}: {error}") from error
    return Node(name, op, tuple(message.texts(3)), attributes)


def _read_attribute(message: Message, numbers: Limit) -> Attribute:
    readers: dict[int, Callable[[], Attribute]] = {
        1: lambda: _read_integers(message.message(1)),
        2: lambda: message.text(2).encode(),
        3: lambda: message.integer(3),
        4: lambda: message.real(4),
        5: lambda: bool(message.integer(5)),
        6: lambda: _read_type(message.integer(6)),
        7: lambda: Shape(_read_sizes(message.message(7))),
        8: lambda: _read_tensor(message.message(8), numbers),
    }
    present = [number for number in message if number in readers]
    if len(present) != 1:
        raise BundleError("its value is missing, doubled, or of a kind that no driver needs")
    return readers[present[0]]()


def _read_integers(message: Message) -> tuple[int, ...]:
    if any(number != 3 for number in message):
        raise BundleError("only lists of integers are supported")
    if len(values := message.integers(3)) > MAX_LIST:
        raise BundleError(f"a list of {len(values)} integers is too long; at most {MAX_LIST} are allowed")
    return tuple(values)


def _read_type(number: int) -> DType:
    try:
        return DType(number)
    except ValueError:
        kinds = ", ".join(f"{kind.value} ({kind.name.lower()})" for kind in DType)
        raise BundleError(f"element type {number} is not supported; there are {kinds}") from None


def _read_sizes(message: Message) -> tuple[int, ...]:
    if message.integer(3):
        raise BundleError("a shape of unknown rank is not supported")
    return tuple(size.integer(1) for size in message.messages(2))


def _read_tensor(message: Message, numbers: Limit) -> Array:
    kind, sizes = _read_type(message.integer(1)), Shape(_read_sizes(message.message(2))).sizes
    if min(sizes, default=0) < 0:
        raise BundleError(f"a tensor cannot have the shape {Shape(sizes)}")
    count = math.prod(sizes)
    numbers.take(count)
    if 4 in message:
        content, size = message.blob(4), _NUMPY[kind].itemsize
        if len(content) != count * size:
            raise BundleError(
                f"a tensor of shape {Shape(sizes)} has {count * size} bytes, but {len(content)} are given"
            )
        values: Array = np.frombuffer(content, _NUMPY[kind]).copy()
    else:
        values = _repeat_last(_read_values(message, kind), count)
    values.flags.writeable = False
    return values.reshape(sizes)


def _read_values(message: Message, kind: DType) -> Array:
    if kind is DType.FLOAT:
        return message.reals(5)
    values = message.integers(7 if kind is DType.INT32 else 10)
    bits = 8 * _NUMPY[kind].itemsize - 1
    if any(not -(1 << bits) <= value < 1 << bits for value in values):
        raise BundleError(f"a tensor of {kind.name.lower()} holds a number that does not fit")
    return np.array(values, _NUMPY[kind])


def _repeat_last(values: Array, count: int) -> Array:
    """Fill up to `count` with the last value, TensorFlow's shorthand for a tensor of equal numbers."""
    if len(values) > count or (not len(values) and count):
        raise BundleError(f"a tensor of {count} numbers is given {len(values)}")
    return np.concatenate([values, np.repeat(values[-1:], count - len(values))])
