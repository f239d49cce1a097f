"""Laws of a graph as a value, and of its execution in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from racer_env.errors import BundleError
from racer_env.graph import MAX_NODES, MAX_WORK, DType, Graph, Node, Shape, execute, fold

FLOAT = {"T": DType.FLOAT}
VALID: dict[str, Any] = {"padding": b"VALID", "strides": (1, 1, 1, 1)}


def const(name: str, value: Any, dtype: Any = np.float32) -> Node:
    return Node(name, "Const", (), {"value": np.array(value, dtype)})


def placeholder(*sizes: int) -> Node:
    return Node("x", "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape(sizes)})


def run(op: str, *inputs: Any, attributes: dict[str, Any] | None = None) -> Any:
    """Execute one operation on constants; integers become int32, as in a file."""
    nodes = [const(str(i), v, np.int32 if isinstance(v, list) else np.float32) for i, v in enumerate(inputs)]
    names = tuple(node.name for node in nodes)
    return execute(Graph((*nodes, Node("y", op, names, attributes or {}))), {})


def test_every_activation_is_the_one_torch_has() -> None:
    x = np.linspace(-30, 30, 121, dtype=np.float32).reshape(11, 11)
    torch_has: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "Relu": functional.relu,
        "Tanh": torch.tanh,
        "Sigmoid": torch.sigmoid,
        "Elu": functional.elu,
        "Softmax": lambda t: torch.softmax(t, -1),
        "Identity": lambda t: t,
    }
    for op, function in torch_has.items():
        np.testing.assert_allclose(run(op, x), function(torch.from_numpy(x)).numpy(), atol=1e-6, err_msg=op)


def test_arithmetic_broadcasts_as_in_numpy() -> None:
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(4)
    for op, expected in {"RealDiv": x / y, "Sub": x - y, "Mul": x * y, "Add": x + y, "AddV2": x + y}.items():
        np.testing.assert_array_equal(run(op, x, y), expected)


@pytest.mark.parametrize(
    ("kernel", "stride"), [((8, 8), (4, 4)), ((3, 5), (1, 2)), ((1, 1), (3, 1)), ((9, 11), (1, 1))]
)
def test_a_convolution_is_the_one_torch_has(kernel: tuple[int, int], stride: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    pictures = rng.normal(size=(3, 17, 23, 2)).astype(np.float32)
    weights = rng.normal(size=(*kernel, 2, 5)).astype(np.float32)
    seen = run("Conv2D", pictures, weights, attributes={"padding": b"VALID", "strides": (1, *stride, 1)})
    expected = functional.conv2d(
        torch.from_numpy(pictures.transpose(0, 3, 1, 2)),
        torch.from_numpy(weights.transpose(3, 2, 0, 1)),
        stride=stride,
    )
    np.testing.assert_allclose(seen, expected.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=2e-5)


def test_matrices_multiply_with_either_side_transposed() -> None:
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(run("MatMul", a, b), a @ b)
    np.testing.assert_array_equal(run("MatMul", a.T, b, attributes={"transpose_a": True}), a @ b)
    np.testing.assert_array_equal(run("MatMul", a, b.T, attributes={"transpose_b": True}), a @ b)


def test_rows_are_put_side_by_side_and_reshaped() -> None:
    a, b = np.zeros((2, 3), np.float32), np.ones((2, 1), np.float32)
    axis = const("axis", 1, np.int32)
    joined = Graph((const("a", a), const("b", b), axis, Node("y", "ConcatV2", ("a", "b", "axis"))))
    np.testing.assert_array_equal(execute(joined, {}), np.hstack([a, b]))
    assert run("Reshape", a, [-1, 2]).shape == (3, 2)


def test_shapes_are_numbers_that_can_be_cut_packed_and_multiplied() -> None:
    x = np.zeros((3, 4, 5), np.float32)
    np.testing.assert_array_equal(run("Shape", x), [3, 4, 5])
    assert run("Shape", x).dtype == np.int32
    assert run("Shape", x, attributes={"out_type": DType.INT64}).dtype == np.int64
    first = run("StridedSlice", [3, 4, 5], [0], [1], [1], attributes={"shrink_axis_mask": 1})
    assert (first.shape, int(first)) == ((), 3)
    assert run("Prod", [3, 4, 5], [0]) == 60
    np.testing.assert_array_equal(
        run("Prod", x + 2, [1, -1], attributes={"keep_dims": True}), np.full((3, 1, 1), 2.0**20)
    )
    np.testing.assert_array_equal(run("Pack", np.zeros(2), np.ones(2), attributes={"axis": 1}), [[0, 1], [0, 1]])
    assert run("ExpandDims", x, [-1]).shape == (3, 4, 5, 1)


def test_slices_are_those_of_numpy() -> None:
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    masks = {"begin_mask": 0b100, "end_mask": 0b001}
    np.testing.assert_array_equal(
        run("StridedSlice", x, [1, 1, 9], [9, 3, 4], [1, 1, 2], attributes=masks), x[1:, 1:3, :4:2]
    )
    all_but_last = {"ellipsis_mask": 0b01, "begin_mask": 0b10}
    np.testing.assert_array_equal(run("StridedSlice", x, [0, 0], [0, 2], [1, 1], attributes=all_but_last), x[..., :2])
    assert run("StridedSlice", x, [0, 0], [0, 1], [1, 1], attributes={"new_axis_mask": 1}).shape == (1, 1, 4, 5)


def test_clipping_and_powers_are_those_of_numpy() -> None:
    x, y = np.array([-2, 0, 3], np.float32), np.float32(1)
    np.testing.assert_array_equal(run("Maximum", x, y), [1, 1, 3])
    np.testing.assert_array_equal(run("Minimum", x, y), [-2, 0, 1])
    np.testing.assert_allclose(run("Exp", x), np.exp(x))
    np.testing.assert_array_equal(run("StopGradient", x), x)


def test_a_node_that_computes_nothing_may_stand_in_a_graph() -> None:
    graph = Graph((const("a", 2.0), Node("init", "NoOp", ("^a",)), Node("y", "Identity", ("a", "^init"))))
    assert execute(graph, {}) == 2.0
    with pytest.raises(BundleError, match="computes nothing"):
        execute(graph, {}, "init")


def test_nodes_may_stand_in_any_order() -> None:
    nodes = (Node("y", "Add", ("b", "a")), const("a", 1.0), Node("b", "Relu", ("a",)))
    assert execute(Graph(nodes), {}) == 2.0
    assert execute(Graph(nodes[::-1]), {}) == 2.0


def test_an_input_may_name_its_first_output_or_only_an_order() -> None:
    graph = Graph((const("a", 2.0), const("b", 3.0), Node("y", "Identity", ("a:0", "^b"))))
    assert execute(graph, {}) == 2.0
    assert graph.sinks == ("y",)


def test_only_what_an_output_needs_is_computed() -> None:
    graph = Graph((placeholder(-1, 2), const("a", 1.0), Node("y", "Relu", ("a",)), Node("z", "Relu", ("x",))))
    assert execute(graph, {}, "y") == 1.0
    with pytest.raises(BundleError, match="2 outputs"):
        execute(graph, {})
    with pytest.raises(BundleError, match="no node 'w'"):
        execute(graph, {}, "w")


def test_a_graph_for_one_frame_runs_a_batch_frame_by_frame() -> None:
    target = const("shape", [1, 4], np.int32)
    graph = Graph((placeholder(1, 2, 2), target, Node("y", "Reshape", ("x", "shape"))))
    frames = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    np.testing.assert_array_equal(execute(graph, {"x": frames}), frames.reshape(3, 4))


def test_folding_leaves_what_depends_on_an_observation() -> None:
    nodes = (placeholder(-1, 2), const("a", 2.0), Node("b", "Relu", ("a",)), Node("y", "Mul", ("x", "b")))
    constants, rest = fold(Graph(nodes), "y")
    assert constants == {"a": 2.0, "b": 2.0}
    assert [node.name for node in rest] == ["x", "y"]


def test_overflow_is_computed_without_a_warning() -> None:
    assert run("Mul", np.float32(3e38), np.float32(3e38)) == np.inf


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ((), "0 nodes"),
        (tuple(const(str(i), 0) for i in range(MAX_NODES + 1)), "4097 nodes"),
        ((const("a", 1), const("a", 2)), "two nodes of the name 'a'"),
        ((Node("", "Const"),), "impossible name"),
        ((Node("a:1", "Const"),), "impossible name"),
        ((Node("a\nb", "Const"),), "impossible name"),
        ((Node("a", "Con\nst"),), "which no driver needs"),
        ((const("a", 1), Node("b", "Rellu", ("a",))), "did you mean 'Relu'"),
        ((Node("b", "PyFunc"),), "which no driver needs"),
        ((const("a", 1), Node("b", "Relu", ("c",))), "takes 'c', which the graph does not have"),
        ((const("a", 1), Node("b", "Relu", ("a:1",))), "takes 'a:1'"),
        ((const("a", 1), Node("b", "Relu", ("a", "a"))), "2 inputs"),
        ((const("a", 1), Node("b", "Mul", ("a",))), "1 inputs"),
        ((Node("a", "Relu", ("a",)),), "cycle"),
        ((const("c", 1), Node("a", "Add", ("c", "b")), Node("b", "Relu", ("a",))), "cycle"),
        ((const("c", 1), Node("a", "Relu", ("c", "^b")), Node("b", "Relu", ("a",))), "cycle"),
    ],
)
def test_an_impossible_graph_is_refused_with_one_sentence(nodes: tuple[Node, ...], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        Graph(nodes)
    assert "\n" not in str(error.value)


X, K = np.zeros((1, 4, 4, 2), np.float32), np.zeros((2, 2, 2, 3), np.float32)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "sentence"),
    [
        ("Const", (), {}, "no value"),
        ("Conv2D", (X, K), {}, "padding is None"),
        ("Conv2D", (X, K), VALID | {"padding": b"SAME"}, "only b'VALID' is supported"),
        ("Conv2D", (X, K), VALID | {"data_format": b"NCHW"}, "only b'NHWC'"),
        ("Conv2D", (X, K), VALID | {"dilations": (1, 2, 2, 1)}, "dilations"),
        ("Conv2D", (X, K), VALID | {"explicit_paddings": (0, 1)}, "explicit_paddings"),
        ("Conv2D", (X, K), {"padding": b"VALID"}, "strides are None"),
        ("Conv2D", (X, K), VALID | {"strides": (1, 0, 1, 1)}, "strides are"),
        ("Conv2D", (X, K), VALID | {"strides": (2, 1, 1, 1)}, "strides are"),
        ("Conv2D", (X, K[:, :, :1]), VALID, "does not fit pictures"),
        ("Conv2D", (X[:, :1], K), VALID, "does not fit pictures"),
        ("Conv2D", (X[0], K), VALID, "does not fit pictures"),
        ("BiasAdd", (X, np.zeros(3)), {}, "does not fit the last axis"),
        ("BiasAdd", (X, np.zeros(2)), {"data_format": b"NCHW"}, "does not fit"),
        ("Mul", (np.zeros(2), np.zeros(3)), {}, "cannot be computed from"),
        ("Mul", (np.zeros(2), [1, 2]), {}, "mixes float32 and int32"),
        ("RealDiv", ([2], [2]), {}, "only floats"),
        ("MatMul", (np.zeros((2, 3)), np.zeros((2, 3))), {}, "cannot be computed"),
        ("MatMul", (np.zeros(3), np.zeros((2, 3))), {}, "cannot be computed"),
        ("Reshape", (np.zeros(4), [3]), {}, "cannot be computed"),
        ("Reshape", (np.zeros(4), [-2]), {}, "-2"),
        ("Reshape", (np.zeros(4), np.zeros(1)), {}, "row of integers"),
        ("ConcatV2", (np.zeros(4), np.zeros(2)), {}, "cannot be computed"),
        ("Softmax", ([1, 2],), {}, "gives float64"),
        ("Exp", ([1, 2],), {}, "only floats"),
        ("Prod", (np.zeros(4), [1]), {}, "there are 1 axes, but it goes along"),
        ("Prod", (np.zeros((4, 4)), [0, -2]), {}, "there are 2 axes, but it goes along"),
        ("Pack", (np.zeros(2), np.zeros(3)), {}, "cannot be computed"),
        ("StridedSlice", (np.zeros(4), [0], [4], [-1]), {}, "must go forwards"),
        ("StridedSlice", (np.zeros(4), [0], [4], [0]), {}, "must go forwards"),
        ("StridedSlice", (np.zeros(4), [0, 0], [4], [1]), {}, "equally long"),
        ("StridedSlice", (np.zeros(4), [4], [5], [1]), {"shrink_axis_mask": 1}, "cannot be computed"),
        ("StridedSlice", (np.zeros(4), np.zeros(1), [4], [1]), {}, "rows of integers"),
        ("ExpandDims", (np.zeros(4), [7]), {}, "cannot be computed"),
    ],
)
def test_what_cannot_be_computed_is_refused_and_names_the_node(
    op: str, inputs: tuple[Any, ...], attributes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        run(op, *inputs, attributes=attributes)
    assert str(error.value).startswith("node 'y'")


def test_a_placeholder_is_fed_by_name_and_with_its_shape() -> None:
    graph = Graph((placeholder(-1, 2), Node("y", "Relu", ("x",))))
    assert execute(graph, {"x": np.ones((5, 2))}).shape == (5, 2)
    with pytest.raises(BundleError, match="fed nothing"):
        execute(graph, {"camera": np.ones((5, 2))})
    with pytest.raises(BundleError, match=r"shape \[-1,2\] but is fed \(5, 3\)"):
        execute(graph, {"x": np.ones((5, 3))})


def test_a_small_graph_cannot_take_much_memory_or_time() -> None:
    column, row = np.zeros((30000, 1), np.float32), np.zeros((1, 30000), np.float32)
    for op in ("Mul", "MatMul"):
        with pytest.raises(BundleError, match="numbers at a time"):
            run(op, column, row)
    doubling = [Node(f"c{i + 1}", "ConcatV2", (f"c{i}", f"c{i}", "axis")) for i in range(60)]
    with pytest.raises(BundleError, match="more than"):
        execute(Graph((const("c0", np.zeros(1000)), const("axis", 0, np.int32), *doubling)), {})
    square = np.zeros((2000, 2000), np.float32)
    chain = [Node(f"m{i + 1}", "MatMul", (f"m{i}", "m0")) for i in range(10)]
    with pytest.raises(BundleError, match="multiplications"):
        execute(Graph((const("m0", square), *chain)), {})


def test_no_network_takes_seconds_for_a_picture() -> None:
    kernels = [const("k0", np.zeros((3, 3, 1, 64)))] + [const(f"k{i}", np.zeros((3, 3, 64, 64))) for i in range(1, 9)]
    chain = [Node(f"c{i}", "Conv2D", (f"c{i - 1}" if i else "x", f"k{i}"), VALID) for i in range(9)]
    graph, pictures = Graph((placeholder(-1, 120, 160, 1), *kernels, *chain)), np.zeros((2, 120, 160, 1))
    assert execute(graph, {"x": pictures}, "c1").shape == (2, 116, 156, 64)
    with pytest.raises(BundleError, match=rf"^node 'c2' .*{2 * MAX_WORK} multiplications for 2 frame"):
        execute(graph, {"x": pictures}, "c8")


@pytest.mark.parametrize("sizes", [(-2,), (2**31,), (1,) * 9])
def test_an_impossible_shape_is_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(BundleError, match="impossible"):
        Shape(sizes)
