"""Laws of the torch module of a graph, and of the driver that runs it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Node, Shape, execute
from racer_env.graphdef import decode, encode
from racer_env.metadata import ModelMetadata
from racer_env.network import OPERATIONS, NetworkDriver, module_of
from racer_env.operations import OPERATIONS as IN_NUMPY
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, input_name, policy_graph

CAMERA = "FRONT_FACING_CAMERA"


def arrays(module: nn.Module) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    weight, bias = module.parameters()
    return weight.detach().numpy(), bias.detach().numpy()


def shallow(actions: int = 5, output: str = "softmax") -> tuple[nn.Module, Graph]:
    """Give the SHALLOW network with random weights, in torch and as a graph that was bytes in between."""
    torch.manual_seed(1)
    convs = nn.Conv2d(1, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3, 1)
    dense, head = nn.Linear(11264, 512), nn.Linear(512, actions)
    end: nn.Module = {"softmax": nn.Softmax(1), "identity": nn.Identity(), "tanh": nn.Tanh()}[output]
    seen = [layer for conv in convs for layer in (conv, nn.ReLU())]
    network = nn.Sequential(*seen, nn.Flatten(), dense, nn.ReLU(), head, end)
    layers = tuple(Convolution(*arrays(conv), int(conv.stride[0])) for conv in convs)
    last = Dense(*arrays(head))
    policy = Policy((Embedder(CAMERA, layers),), (Dense(*arrays(dense)),), last, output)
    return network, decode(encode(policy_graph(policy)))


def pictures(n: int, seed: int = 2) -> npt.NDArray[np.uint8]:
    """Give noise, and as the last frames black and white."""
    out = np.random.default_rng(seed).integers(0, 256, (n, 120, 160, 1)).astype(np.uint8)
    out[-1:], out[-2:-1] = 255, 0
    return out


@pytest.mark.parametrize(("actions", "output"), [(5, "softmax"), (2, "identity"), (2, "tanh")])
def test_the_module_the_graph_and_the_trained_network_agree(actions: int, output: str) -> None:
    network, graph = shallow(actions, output)
    frames = pictures(6)
    with torch.inference_mode():
        trained = network(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255.0).numpy()
        module = module_of(graph)({CAMERA: torch.from_numpy(frames).float()}).numpy()
    np.testing.assert_allclose(module, trained, atol=1e-5)
    np.testing.assert_allclose(execute(graph, {input_name(CAMERA): frames}), trained, atol=1e-5)


def test_torch_runs_every_operation_that_numpy_runs() -> None:
    assert {*OPERATIONS, "Placeholder", "Const", "NoOp"} == set(IN_NUMPY)


def test_every_operation_gives_the_same_in_torch_and_numpy() -> None:
    rng = np.random.default_rng(3)
    values = {
        "w": rng.normal(size=(3, 3)).astype(np.float32),
        "two": np.array(2, np.float32),
        "axis": np.array(1, np.int32),
        "shape": np.array([-1, 3], np.int32),
        "bias": np.array([0.1, -0.2, 0.3], np.float32),
        "zero": np.array([0], np.int32),
        "one": np.array([1], np.int32),
        "rest": np.array(-1, np.int32),
        "nought": np.array(0, np.int32),
    }
    steps = [
        Node("m", "MatMul", ("x", "w"), {"transpose_b": True}),
        Node("b", "BiasAdd", ("m", "bias")),
        *(Node(op, op, ("b",)) for op in ("Relu", "Tanh", "Sigmoid", "Elu", "Softmax", "Identity")),
        Node("s", "Sub", ("Relu", "Tanh")),
        Node("t", "Mul", ("s", "Sigmoid")),
        Node("u", "Add", ("t", "Elu")),
        Node("v", "AddV2", ("u", "Softmax")),
        Node("d", "RealDiv", ("v", "two")),
        Node("c", "ConcatV2", ("d", "Identity", "axis")),
        Node("e", "Exp", ("c",)),
        Node("g", "Maximum", ("e", "two")),
        Node("h", "Minimum", ("g", "StopGradient")),
        Node("StopGradient", "StopGradient", ("e",)),
        Node("size", "Shape", ("h",)),
        Node("rows", "StridedSlice", ("size", "zero", "one", "one"), {"shrink_axis_mask": 1}),
        Node("columns", "Prod", ("size", "zero"), {"keep_dims": False}),
        Node("wide", "ExpandDims", ("columns", "rest")),
        Node("joined", "ConcatV2", ("wide", "one", "nought")),
        Node("tall", "Reshape", ("h", "joined")),
        Node("packed", "Pack", ("rows", "rest")),
        Node("back", "Reshape", ("tall", "packed")),
        Node("y", "Reshape", ("back", "shape")),
    ]
    constants = [Node(name, "Const", (), {"value": value}) for name, value in values.items()]
    x = Node("x", "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape((-1, 3))})
    graph = Graph((x, *constants, *steps))
    rows = rng.normal(size=(4, 3)).astype(np.float32)
    module = module_of(graph)({"x": torch.from_numpy(rows)})
    np.testing.assert_allclose(module.numpy(), execute(graph, {"x": rows}), atol=1e-6)


def test_a_graph_for_one_frame_drives_many() -> None:
    target = Node("shape", "Const", (), {"value": np.array([1, 4], np.int32)})
    x = Node("x", "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape((1, 2, 2))})
    frames = torch.arange(12.0).reshape(3, 2, 2)
    module = module_of(Graph((x, target, Node("y", "Reshape", ("x", "shape")))))
    assert torch.equal(module({"x": frames}), frames.reshape(3, 4))


def squared(times: int) -> Graph:
    """A graph whose work grows with a power of the number of frames, and which answers with the frames."""
    steps = [Node("column", "Reshape", ("x", "down")), Node("row", "Reshape", ("x", "right"))]
    steps += [Node("m0", "MatMul", ("column", "row"))]
    for i in range(1, times):
        steps += [Node(f"c{i}", "Reshape", (f"m{i - 1}", "down")), Node(f"r{i}", "Reshape", (f"m{i - 1}", "right"))]
        steps += [Node(f"m{i}", "MatMul", (f"c{i}", f"r{i}"))]
    steps += [Node("all", "Prod", (f"m{times - 1}", "axes")), Node("y", "Mul", ("x", "all"))]
    values = {"down": [-1, 1], "right": [1, -1], "axes": [0, 1]}
    constants = [Node(name, "Const", (), {"value": np.array(value, np.int32)}) for name, value in values.items()]
    x = Node("x", "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape((-1, 1))})
    return Graph((x, *constants, *steps))


def test_work_that_grows_with_the_number_of_frames_is_refused_when_it_is_too_much() -> None:
    graph = squared(4)
    assert execute(graph, {"x": np.ones((2, 1), np.float32)}, "y").shape == (2, 1)
    module = module_of(graph)
    assert module({"x": torch.ones(2, 1)}).shape == (2, 1)
    with pytest.raises(BundleError, match=r"^node 'm3' \(MatMul\): .* more than \d+ numbers at a time"):
        module({"x": torch.ones(5, 1)})


def test_a_network_of_tiny_weights_is_no_slower_and_numbers_stay_as_they_were() -> None:
    weight = np.full((2, 19200), 1e-40, np.float32)
    driver = NetworkDriver(Bundle(BOX, linear(weight, "identity"), "racer"))
    picture = np.full((1, 120, 160, 1), 255, np.uint8)
    assert driver.policy({CAMERA: picture}).tolist() == [[0.0, 0.0]]
    assert (torch.tensor(1e-40) * 0.5).item() > 0.0


DISCRETE = ModelMetadata(DiscreteActions((-30.0, -15.0, 0.0, 15.0, 30.0), (1.0, 1.5, 2.0, 1.5, 1.0)))
BOX = ModelMetadata(ContinuousActions((-30.0, 30.0), (1.0, 4.0)))


def test_a_driver_of_a_list_takes_the_most_probable_action() -> None:
    network, graph = shallow()
    driver = NetworkDriver(Bundle(DISCRETE, graph, "racer"))
    frames = pictures(9)
    actions = driver.act({CAMERA: frames, "STATE": np.zeros(9)})
    with torch.inference_mode():
        trained = network(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255.0).argmax(1).numpy()
    assert actions.dtype == np.int64
    np.testing.assert_array_equal(actions, trained)
    assert driver.name == "racer"


def linear(weight: npt.NDArray[np.float32], output: str) -> Graph:
    """Give a policy that weighs the pixels themselves."""
    head = Dense(weight, np.zeros(len(weight), np.float32))
    return policy_graph(Policy((Embedder(CAMERA),), (), head, output))


def test_of_equally_good_actions_the_first_is_taken() -> None:
    driver = NetworkDriver(Bundle(DISCRETE, linear(np.zeros((5, 19200), np.float32), "softmax"), "racer"))
    np.testing.assert_array_equal(driver.act({CAMERA: pictures(3)}), [0, 0, 0])


def test_a_driver_of_steering_and_speed_stays_in_its_box() -> None:
    weight = np.stack([np.full(19200, 1e-3), np.full(19200, -1e-3)]).astype(np.float32)
    driver = NetworkDriver(Bundle(BOX, linear(weight, "identity"), "racer"))
    actions = driver.act({CAMERA: pictures(3)})
    np.testing.assert_array_equal(actions, [[1, -1], [0, 0], [1, -1]])
    assert actions.dtype.kind == "f"
    assert driver.policy({CAMERA: pictures(1)})[0, 0] == pytest.approx(19.2, rel=1e-4)


def test_a_frame_is_answered_alike_alone_and_in_a_crowd() -> None:
    weight = np.random.default_rng(4).normal(size=(2, 19200)).astype(np.float32) * 1e-3
    driver = NetworkDriver(Bundle(BOX, linear(weight, "tanh"), "racer"))
    frames = pictures(300)  # more than are computed at a time
    crowd = driver.act({CAMERA: frames})
    alone = np.concatenate([driver.act({CAMERA: frames[i : i + 1]}) for i in range(300)])
    np.testing.assert_allclose(crowd, alone, atol=1e-5)
    assert np.ptp(crowd) > 0.1


def test_what_is_not_a_number_is_refused_and_never_driven() -> None:
    weight = np.full((2, 19200), 3e38, np.float32)
    driver = NetworkDriver(Bundle(BOX, linear(weight, "identity"), "racer"))
    with pytest.raises(BundleError, match="not a number"):
        driver.act({CAMERA: pictures(3)})


def test_what_torch_cannot_compute_is_a_sentence_and_not_a_traceback() -> None:
    graph = linear(np.zeros((2, 19200), np.float32), "identity")
    target = {"value": np.array([1, 19200], np.int32)}  # one frame only
    nodes = (replace(n, attributes=target) if n.name.endswith("flatten/shape") else n for n in graph.nodes)
    driver = NetworkDriver(Bundle(BOX, Graph(tuple(nodes)), "racer"))
    assert driver.act({CAMERA: pictures(1)}).shape == (1, 2)
    with pytest.raises(BundleError, match="torch cannot compute the graph of racer"):
        driver.act({CAMERA: pictures(2)})


def test_pictures_may_be_floats_that_nobody_may_write() -> None:
    weight = np.random.default_rng(5).normal(size=(2, 19200)).astype(np.float32) * 1e-3
    driver = NetworkDriver(Bundle(BOX, linear(weight, "tanh"), "racer"))
    frames = pictures(2).astype(np.float32)
    frames.flags.writeable = False
    np.testing.assert_array_equal(driver.act({CAMERA: frames}), driver.act({CAMERA: frames.astype(np.uint8)}))


def test_observations_that_do_not_fit_are_refused() -> None:
    driver = NetworkDriver(Bundle(BOX, linear(np.zeros((2, 19200), np.float32), "identity"), "racer"))
    with pytest.raises(BundleError, match="needs FRONT_FACING_CAMERA"):
        driver.act({})
    with pytest.raises(BundleError, match=r"\(n, 120, 160, 1\)"):
        driver.act({CAMERA: np.zeros((3, 120, 160, 3), np.uint8)})


def test_bundles_are_read_and_written_without_torch() -> None:
    code = "import racer_env.bundle, racer_env.policy_graph, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
