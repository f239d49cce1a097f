"""Laws of the format: what is written reads back, and nothing but a `BundleError` comes from bad bytes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_env import graphdef
from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Node, Shape, execute
from racer_env.graphdef import MAX_FIELDS, MAX_NUMBERS, PRODUCER, decode, encode
from racer_env.protobuf import MAX_TEXT, blob, integer, real, varint

VALUES: dict[str, Any] = {
    "floats": np.array([[1.5, -2.0], [np.pi, 0.0]], np.float32),
    "scalar": np.array(255.0, np.float32),
    "ints": np.array([-1, 11264], np.int32),
    "longs": np.array([2**40], np.int64),
    "none": np.zeros((0, 3), np.float32),
}


def sample() -> Graph:
    """Give a graph with every kind of attribute and tensor."""
    constants = [Node(k, "Const", (), {"dtype": DType.FLOAT, "value": v}) for k, v in VALUES.items()]
    x = Node("x", "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape((-1, 2))})
    product = Node("y", "MatMul", ("x", "floats"), {"transpose_a": False, "transpose_b": True, "T": DType.FLOAT})
    kinds: dict[str, Any] = {
        "strides": (1, 4, -4, 1),
        "empty": (),
        "N": -3,
        "rate": 0.25,
        "text": b"VALID",
        "any": Shape(()),
    }
    return Graph((x, *constants, product, Node("z", "Softmax", ("y",), kinds)))


def test_a_tiny_graph_has_the_bytes_that_the_format_says() -> None:
    shape = Shape((-1, 3))
    graph = Graph((Node("x", "Placeholder", (), {"shape": shape, "dtype": DType.FLOAT}), Node("y", "Relu", ("x",))))
    by_hand = b"".join(
        (
            b"\x0a\x3b",  # GraphDef.node, 59 bytes
            b"\x0a\x01x",  # NodeDef.name
            b"\x12\x0bPlaceholder",  # NodeDef.op
            b"\x2a\x0b\x0a\x05dtype\x12\x02\x30\x01",  # NodeDef.attr: key, value: AttrValue.type = DT_FLOAT
            b"\x2a\x1c\x0a\x05shape\x12\x13",  # NodeDef.attr: key, value
            b"\x3a\x11",  # AttrValue.shape
            b"\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # dim.size = -1 in ten bytes
            b"\x12\x02\x08\x03",  # dim.size = 3
            b"\x0a\x0c\x0a\x01y\x12\x04Relu\x1a\x01x",  # the second node, which has an input
            b"\x22\x03\x08\xb8\x03",  # GraphDef.versions.producer = 440
        )
    )
    assert encode(graph) == by_hand
    assert encode(decode(by_hand)) == by_hand


def test_a_graph_reads_back_as_it_was_written() -> None:
    graph, back = sample(), decode(encode(sample()))
    assert [(n.name, n.op, n.inputs) for n in back.nodes] == [(n.name, n.op, n.inputs) for n in graph.nodes]
    for before, after in zip(graph.nodes, back.nodes, strict=True):
        assert before.attributes.keys() == after.attributes.keys()
        for key, value in before.attributes.items():
            assert type(after.attributes[key]) is type(value)
            np.testing.assert_array_equal(after.attributes[key], value)
    assert encode(back) == encode(graph)
    x = np.array([[1, 2]], np.float32)
    np.testing.assert_array_equal(execute(back, {"x": x}, "z"), execute(graph, {"x": x}, "z"))


def test_the_order_of_attributes_does_not_change_the_bytes() -> None:
    node = sample().nodes[-1]
    turned = Node(node.name, node.op, (), dict(reversed([*node.attributes.items()])))
    straight = Node(node.name, node.op, (), node.attributes)
    with pytest.raises(BundleError):
        Graph((turned,))  # a softmax without an input
    first, second = (Node("c", "Const", (), n.attributes) for n in (turned, straight))
    assert encode(Graph((first,))) == encode(Graph((second,)))


@pytest.fixture
def graph_pb2() -> ModuleType:
    """Give TensorFlow's own definition of the format, as tensorboard carries it."""
    reason = "tensorboard's protos are not installed"
    protos: ModuleType = pytest.importorskip("tensorboard.compat.proto.graph_pb2", reason=reason)
    return protos


def test_the_bytes_are_those_of_googles_own_library(graph_pb2: ModuleType) -> None:
    data = encode(sample())
    theirs = graph_pb2.GraphDef.FromString(data)
    assert theirs.SerializeToString(deterministic=True) == data
    assert theirs.versions.producer == PRODUCER
    nodes = {node.name: node for node in theirs.node}
    assert list(nodes["y"].input) == ["x", "floats"]
    assert nodes["y"].attr["transpose_b"].b is True
    assert list(nodes["z"].attr["strides"].list.i) == [1, 4, -4, 1]
    assert [d.size for d in nodes["x"].attr["shape"].shape.dim] == [-1, 2]
    assert nodes["floats"].attr["value"].tensor.tensor_content == VALUES["floats"].tobytes()


def test_what_tensorflow_writes_in_other_words_is_read(graph_pb2: ModuleType) -> None:
    theirs = graph_pb2.GraphDef()
    fill = theirs.node.add(name="fill", op="Const", device="/cpu:0")
    fill.attr["value"].tensor.dtype = 1
    fill.attr["value"].tensor.tensor_shape.dim.add(size=4)
    fill.attr["value"].tensor.float_val.append(0.5)  # one value stands for all four
    fill.attr["_class"].list.s.append(b"loc:@fill")
    shape = theirs.node.add(name="shape", op="Const")
    shape.attr["value"].tensor.dtype = 3
    shape.attr["value"].tensor.tensor_shape.dim.add(size=2)
    shape.attr["value"].tensor.int_val.extend([2, -1])
    theirs.node.add(name="y", op="Reshape", input=["fill:0", "shape"])
    graph = decode(theirs.SerializeToString())
    np.testing.assert_array_equal(execute(graph, {}), np.full((2, 2), 0.5, np.float32))
    assert "_class" not in graph.by_name["fill"].attributes


def test_a_graph_cut_off_anywhere_is_refused_with_one_sentence() -> None:
    data = encode(sample())
    boundaries = {len(encode(Graph(sample().nodes[: i + 1]))) - 5 for i in range(len(sample().nodes))}
    for end in range(len(data)):
        if end in boundaries:  # whole nodes, without the version: still a graph
            decode(data[:end])
            continue
        with pytest.raises(BundleError) as error:
            decode(data[:end])
        assert "\n" not in str(error.value)


def attribute(value: bytes) -> bytes:
    """Wrap the bytes of one AttrValue into a graph of one constant."""
    return blob(1, blob(1, b"c") + blob(2, b"Const") + blob(5, blob(1, b"value") + blob(2, value)))


def tensor(*sizes: int, kind: int = 1, content: bytes = b"") -> bytes:
    dims = b"".join(blob(2, integer(1, size)) for size in sizes)
    return attribute(blob(8, integer(1, kind) + blob(2, dims) + content))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "0 nodes"),
        (b"\x00", "field of number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x0a\x05ab", "cut off"),
        (b"\xff" * 11, "more than ten bytes"),
        (integer(1, 3), "field 1 is a varint, but must be a blob"),
        (blob(1, blob(1, b"\xff\xfe")), "not UTF-8"),
        (blob(1, blob(1, b"n" * (MAX_TEXT + 1))), "text of 401 bytes is too long"),
        (tensor(-1), r"cannot have the shape \[-1\]"),
        (tensor(2**31), "impossible"),
        (tensor(-5), "impossible"),
        (tensor(*[2] * 9), "9 axes"),
        (tensor(2**20, 2**20, content=real(5, 1.0)), f"more than {MAX_NUMBERS} numbers"),
        (tensor(2, 2, content=blob(4, b"\0" * 15)), "has 16 bytes, but 15 are given"),
        (tensor(2, content=blob(5, b"\0" * 12)), "2 numbers is given 3"),
        (tensor(2, content=blob(5, b"\0" * 7)), "whole number of 32-bit floats"),
        (tensor(2), "2 numbers is given 0"),
        (tensor(1, kind=3, content=integer(7, 2**40)), "does not fit"),
        (tensor(1, kind=19), "element type 19 is not supported"),
        (attribute(b""), "missing"),
        (attribute(integer(3, 1) + integer(5, 1)), "doubled"),
        (attribute(blob(10, b"")), "missing"),
        (attribute(blob(1, blob(2, b"text"))), "only lists of integers"),
        (attribute(blob(1, blob(3, varint(1) * 65))), "too long"),
        (attribute(blob(7, integer(3, 1))), "unknown rank"),
        (attribute(blob(2, b"\xff")), "UTF-8"),
    ],
)
def test_hostile_bytes_are_refused_with_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        decode(data)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_small_constants_that_unfold_to_large_tensors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphdef, "MAX_NUMBERS", 1000)
    with pytest.raises(BundleError, match="more than 1000 numbers"):
        decode(b"".join(tensor(300, content=real(5, 0.0)) for _ in range(4)))


def test_endless_fields_are_refused() -> None:
    for data in (b"\x0a\x00" * (MAX_FIELDS + 1), attribute(blob(1, blob(3, varint(1) * (MAX_FIELDS + 1))))):
        with pytest.raises(BundleError, match=f"more than {MAX_FIELDS} fields"):
            decode(data)


def test_more_bytes_than_a_graph_may_have_are_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphdef, "MAX_BYTES", 100)
    with pytest.raises(BundleError, match="takes 101 bytes, but at most 100"):
        decode(b"\xff" * 101)


def test_an_attribute_that_the_format_does_not_have_is_not_written() -> None:
    bad: Any = {"value": "text"}
    with pytest.raises(BundleError, match="cannot be a str"):
        encode(Graph((Node("c", "Const", (), bad),)))
    with pytest.raises(BundleError, match="float64"):
        encode(Graph((Node("c", "Const", (), {"value": np.zeros(2)}),)))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Change, drop, double and insert bytes of a valid graph."""
    data = bytearray(encode(sample()))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["set", "flip", "cut", "insert", "double"]))
        if kind == "set":
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
        elif kind == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        else:
            end = min(len(data), at + draw(st.integers(1, 40)))
            data[at:end] = b"" if kind == "cut" and end - at < len(data) else bytes(data[at:end]) * 2
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(data=mutated() | st.binary(max_size=200))
def test_only_a_bundle_error_comes_from_broken_bytes(data: bytes) -> None:
    try:
        graph = decode(data)
        assert encode(decode(encode(graph))) == encode(graph)
        execute(graph, {"x": np.ones((2, 2), np.float32)}, graph.nodes[-1].name)
    except BundleError as error:
        assert "\n" not in str(error)  # noqa: PT017
