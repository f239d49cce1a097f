"""Laws of the graph that is made of a policy's layers: torch's numbers under Coach's names."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from racer_env.errors import BundleError
from racer_env.graph import Graph, Node, Shape, execute
from racer_env.graphdef import decode, encode
from racer_env.policy_graph import (
    PPO_POLICY,
    SAC_POLICY,
    Convolution,
    Dense,
    Embedder,
    Policy,
    input_name,
    inputs,
    policy_graph,
    policy_output,
)

CAMERA = "FRONT_FACING_CAMERA"
SHALLOW = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
NETWORKS = {
    "SHALLOW": (SHALLOW, (), (512,)),
    "MIDDLE": (((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1)), (64,), (512,)),
    "DEEP": (((32, 8, 4), (32, 4, 2), (64, 4, 2), (64, 3, 1)), (512, 512), (256, 128)),
}


def weights(module: nn.Module) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    weight, bias = module.parameters()
    return weight.detach().numpy(), bias.detach().numpy()


def tower(
    filters: tuple[tuple[int, int, int], ...], dense: tuple[int, ...], shape: tuple[int, ...] = (120, 160, 1)
) -> tuple[nn.Sequential, tuple[Convolution | Dense, ...]]:
    """Build an embedder in torch, which flattens to (channels, height, width), and our description of it."""
    modules: list[nn.Module] = []
    layers: list[Convolution | Dense] = []
    channels = shape[-1]
    for out, kernel, stride in filters:
        modules += [nn.Conv2d(channels, out, kernel, stride), nn.ReLU()]
        layers.append(Convolution(*weights(modules[-2]), stride))
        channels = out
    modules.append(nn.Flatten())
    frame = torch.zeros(1, *(shape[2], *shape[:2]) if len(shape) == 3 else shape)
    width = nn.Sequential(*modules)(frame).shape[1]
    for out in dense:
        modules += [nn.Linear(width, out), nn.ReLU()]
        layers.append(Dense(*weights(modules[-2])))
        width = out
    return nn.Sequential(*modules), tuple(layers)


def head(width: int, hidden: tuple[int, ...], actions: int) -> tuple[nn.Sequential, tuple[Dense, ...], Dense]:
    modules: list[nn.Module] = []
    dense = []
    for out in hidden:
        modules += [nn.Linear(width, out), nn.ReLU()]
        dense.append(Dense(*weights(modules[-2])))
        width = out
    modules.append(nn.Linear(width, actions))
    return nn.Sequential(*modules), tuple(dense), Dense(*weights(modules[-1]))


def frames(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.float32]:
    """Give noise, a gradient, black and white."""
    noise = rng.integers(0, 256, (2, *shape))
    gradient = np.broadcast_to(np.linspace(0, 255, shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape)
    return np.stack([*noise, gradient, np.zeros(shape), np.full(shape, 255)]).astype(np.float32)


def to_torch(pictures: npt.NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(pictures / np.float32(255)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("output", "actions"), [("softmax", 5), ("identity", 2), ("tanh", 2)])
def test_every_network_of_the_original_computes_what_torch_computes(name: str, output: str, actions: int) -> None:
    torch.manual_seed(1)
    filters, dense, hidden = NETWORKS[name]
    embedder, layers = tower(filters, dense)
    width = int(embedder(torch.zeros(1, 1, 120, 160)).shape[1])
    rest, middleware, last = head(width, hidden, actions)
    graph = decode(encode(policy_graph(Policy((Embedder(CAMERA, layers),), middleware, last, output))))
    pictures = frames(np.random.default_rng(2), 120, 160, 1)
    end = {"softmax": nn.Softmax(1), "identity": nn.Identity(), "tanh": nn.Tanh()}[output]
    with torch.inference_mode():
        expected = end(rest(embedder(to_torch(pictures)))).numpy()
    ours = execute(graph, {input_name(CAMERA): pictures})
    assert ours.shape == (5, actions)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_several_sensors_stand_side_by_side_in_the_order_given() -> None:
    torch.manual_seed(3)
    rng = np.random.default_rng(4)
    eyes, eye_layers = tower(((8, 8, 4), (16, 4, 4)), (), (120, 160, 2))  # ends in a picture: (16, 7, 9) in torch
    lidar, lidar_layers = tower((), (32, 16), (64,))
    rest, middleware, last = head(16 * 7 * 9 + 16, (24, 12), 7)
    pictures, scans = frames(rng, 120, 160, 2), rng.random((5, 64)).astype(np.float32)
    with torch.inference_mode():
        seen = eyes(to_torch(pictures)), lidar(torch.from_numpy(scans))
        expected = torch.softmax(rest(torch.cat(seen, 1)), 1).numpy()
    embedders = Embedder("STEREO_CAMERAS", eye_layers), Embedder("LIDAR", lidar_layers)
    graph = policy_graph(Policy(embedders, middleware, last, "softmax"))
    feeds = {input_name("STEREO_CAMERAS"): pictures, input_name("LIDAR"): scans}
    np.testing.assert_allclose(execute(graph, feeds), expected, atol=1e-5)


def test_a_head_may_stand_right_behind_the_pixels() -> None:
    rng = np.random.default_rng(5)
    weight, bias = rng.normal(size=(3, 4 * 5 * 2)).astype(np.float32), np.zeros(3, np.float32)
    policy = Policy((Embedder(CAMERA, (), (4, 5, 2)),), (), Dense(weight, bias), "identity")
    picture = rng.integers(0, 256, (1, 4, 5, 2)).astype(np.float32)
    expected = (picture / 255).transpose(0, 3, 1, 2).reshape(1, -1) @ weight.T
    np.testing.assert_allclose(execute(policy_graph(policy), {input_name(CAMERA): picture}), expected, atol=1e-5)


def test_a_layer_has_the_activation_it_says() -> None:
    torch.manual_seed(6)
    linear = nn.Linear(64, 4)
    scans = np.random.default_rng(7).normal(size=(3, 64)).astype(np.float32)
    ends = {
        "tanh": nn.Tanh(),
        "elu": nn.ELU(),
        "sigmoid": nn.Sigmoid(),
        "relu": nn.ReLU(),
        "identity": nn.Identity(),
    }
    for activation, end in ends.items():
        layers = (Dense(*weights(linear), activation),)
        last = Dense(np.eye(4, dtype=np.float32), np.zeros(4, np.float32))
        graph = policy_graph(Policy((Embedder("LIDAR", layers),), (), last, "identity"))
        with torch.inference_mode():
            expected = end(linear(torch.from_numpy(scans))).numpy()
        np.testing.assert_allclose(execute(graph, {input_name("LIDAR"): scans}), expected, atol=1e-6)


def shallow() -> Policy:
    _, layers = tower(SHALLOW, ())
    _, middleware, last = head(11264, (512,), 5)
    return Policy((Embedder(CAMERA, layers),), middleware, last, "softmax")


def test_nodes_have_the_names_that_coach_gives_them() -> None:
    graph = policy_graph(shallow())
    network = "main_level/agent/main/online/network_1"
    assert graph.sinks == (PPO_POLICY,) == (f"{network}/ppo_head_0/policy",)
    assert [node.name for node in graph.placeholders] == [f"main_level/agent/main/online/network_0/{CAMERA}/{CAMERA}"]
    assert graph.placeholders[0].shape == Shape((-1, 120, 160, 1))
    computed = [node.name.removeprefix(f"{network}/") for node in graph.nodes if node.op in ("Conv2D", "MatMul")]
    assert computed == [
        f"{CAMERA}/Conv2d_0/Conv2D",
        f"{CAMERA}/Conv2d_2/Conv2D",
        f"{CAMERA}/Conv2d_4/Conv2D",
        "middleware_fc_embedder/Dense_0/MatMul",
        "ppo_head_0/policy_fc/MatMul",
    ]
    before: set[str] = set()
    for node in graph.nodes:
        assert before.issuperset(node.sources), f"{node} comes before its inputs"
        before.add(node.name)


def test_the_same_policy_gives_the_same_bytes() -> None:
    policy = shallow()
    assert encode(policy_graph(policy)) == encode(policy_graph(policy))


def test_numpy_runs_the_shallow_network_in_well_under_a_tenth_of_a_second() -> None:
    graph = policy_graph(shallow())
    feeds = {input_name(CAMERA): np.zeros((1, 120, 160, 1), np.float32)}
    execute(graph, feeds)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        execute(graph, feeds)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1


ROW = Dense(np.zeros((4, 8), np.float32), np.zeros(4, np.float32))
LAST = Dense(np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
FILTER = Convolution(np.zeros((2, 1, 3, 3), np.float32), np.zeros(2, np.float32))


def lidar_policy(*layers: Convolution | Dense, sensor: str = "LIDAR", shape: tuple[int, ...] = (8,)) -> Policy:
    return Policy((Embedder(sensor, layers, shape),), (), LAST, "identity")


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (Policy((), (), LAST, "identity"), "one embedder for each sensor"),
        (Policy((Embedder(CAMERA), Embedder(CAMERA)), (), LAST, "identity"), "one embedder for each sensor"),
        (Policy((Embedder("LIDAR"),), (), LAST, "gaussian"), "output of a policy cannot be 'gaussian'"),
        (lidar_policy(ROW, sensor="STATE"), "the car has no sensor 'STATE'"),
        (lidar_policy(FILTER), "needs a picture"),
        (lidar_policy(FILTER, shape=(2, 9, 1)), "does not fit"),
        (lidar_policy(FILTER, shape=(9, 9, 3)), r"they must be \(out, 3, height, width\)"),
        (lidar_policy(Convolution(FILTER.weight, FILTER.bias, 0), shape=(9, 9, 1)), "does not fit"),
        (lidar_policy(Convolution(FILTER.weight, np.zeros(3)), shape=(9, 9, 1)), "bias"),
        (lidar_policy(ROW, shape=(9,)), r"behind 9 numbers they must be \(out, 9\)"),
        (lidar_policy(Dense(ROW.weight, np.zeros(5))), "bias"),
        (lidar_policy(Dense(ROW.weight, ROW.bias, "swish")), "cannot have the activation 'swish'"),
        (lidar_policy(), "behind 8 numbers"),
    ],
)
def test_layers_that_do_not_fit_are_refused_with_one_sentence(policy: Policy, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        policy_graph(policy)


def graph_of(*sinks: str, also: tuple[Node, ...] = ()) -> Graph:
    one = Node("one", "Const", (), {"value": np.ones(1, np.float32)})
    return Graph((one, *(Node(name, "Identity", ("one",)) for name in sinks), *also))


def test_the_policy_is_the_only_sink_or_the_one_with_coachs_name() -> None:
    assert policy_output(graph_of("anything")) == "anything"
    assert policy_output(graph_of("value", PPO_POLICY)) == PPO_POLICY
    assert policy_output(graph_of("value", SAC_POLICY)) == SAC_POLICY
    assert policy_output(graph_of(SAC_POLICY, also=(Node("alias", "Identity", (SAC_POLICY,)),))) == "alias"
    for sinks in (("a", "b"), (PPO_POLICY, SAC_POLICY)):
        with pytest.raises(BundleError, match="2 outputs"):
            policy_output(graph_of(*sinks))


def test_two_inputs_for_one_sensor_are_refused() -> None:
    names = [input_name(CAMERA), input_name(CAMERA, "sac")]
    assert names[1] == f"main_level/agent/policy/online/network_0/{CAMERA}/{CAMERA}"
    graph = Graph((*(Node(name, "Placeholder") for name in names), Node("y", "Add", tuple(names))))
    with pytest.raises(BundleError, match="the same sensor"):
        inputs(graph, "y")
