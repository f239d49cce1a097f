"""Laws of the way from torch to the car: every network comes out the same, and what no car runs is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import BundleError
from racer_env.inspection import LIDAR_AS_SIMULATED
from racer_env.metadata import ModelMetadata
from racer_env.model_files import ModelFiles
from racer_env.network import NetworkDriver
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_graph
from training.export import bundle_of, compare, layers_of, observed
from training.networks import ARCHITECTURES
from training.policy_driver import load_driver, untrained
from training.run_folder import RunFolder
from training.start import started

LIST = DiscreteActions((-30.0, 0.0, 15.0, 30.0), (1.0, 2.0, 1.5, 1.0))
BOX = ContinuousActions((-30.0, 30.0), (0.5, 3.0))
CAMERA, STEREO = ("FRONT_FACING_CAMERA",), ("STEREO_CAMERAS",)
CAMERA_AND_LIDAR, STEREO_AND_SECTORS = ("FRONT_FACING_CAMERA", "LIDAR"), ("STEREO_CAMERAS", "SECTOR_LIDAR")

#: Two pictures make the two deep networks the largest of all: 57 million weights.
LARGE = pytest.mark.slow


def run_of(folder: Path, network: str, sensors: tuple[str, ...], actions: Any) -> RunFolder:
    folder.mkdir()
    (folder / "reward_function.py").write_text("def reward_function(params):\n    return 1.0\n")
    (folder / "model_metadata.json").write_text(ModelMetadata(actions, sensors).to_json())
    return started(folder, "oval", folder / "run", network=network, cars=2)[0]


def cases() -> list[Any]:
    out = []
    for network, architecture in ARCHITECTURES.items():
        stereo = [(STEREO_AND_SECTORS, LIST)] if architecture.middleware[0] == 512 else [(STEREO, BOX)]
        for sensors, actions in ((CAMERA, LIST), (CAMERA_AND_LIDAR, BOX), *stereo):
            large = "STEREO_CAMERAS" in sensors and architecture.stereo is not None
            name = f"{network.removeprefix('DEEP_CONVOLUTIONAL_')}-{'+'.join(sensors)}"
            out.append(pytest.param(network, sensors, actions, id=name, marks=[LARGE] if large else []))
    return out


@pytest.mark.parametrize(("network", "sensors", "actions"), cases())
def test_every_network_with_every_set_of_sensors_comes_out_the_same(
    network: str, sensors: tuple[str, ...], actions: Any, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    run = run_of(tmp_path / "model", network, sensors, actions)
    policy = untrained(run)
    with torch.no_grad():
        policy.action_net.bias.uniform_(-1.0, 1.0)  # type: ignore[operator]
    bundle = bundle_of(policy, run, "racer")
    remarks = [remark for remark in bundle.check() if "LiDAR" in remark]
    assert remarks == []
    read = Bundle.of(ModelFiles("racer", bundle.model, bundle.metadata.to_json().encode()))
    for seen in observed(run):
        one = {name: values[3:4] for name, values in seen.items()}
        assert compare(policy, read, one) <= 1e-5
    assert read.metadata.lidar == next((LIDAR_AS_SIMULATED[s] for s in sensors if s in LIDAR_AS_SIMULATED), {})


def test_the_bundle_chooses_the_actions_that_the_policy_predicts(follower: RunFolder) -> None:
    policy = load_driver(follower).policy
    bundle = bundle_of(policy, follower, "racer")
    for seen in observed(follower):
        turned = {name: np.moveaxis(values, -1, 1) for name, values in seen.items()}
        chosen, _ = policy.predict(turned, deterministic=True)
        np.testing.assert_array_equal(bundle.actions(bundle.decide(seen)), chosen)
        np.testing.assert_array_equal(NetworkDriver(bundle).act(seen), chosen)


def test_what_a_driver_sees_is_drawn_from_the_track_and_from_chance(tmp_path: Path) -> None:
    run = run_of(tmp_path / "model", "compact", CAMERA_AND_LIDAR, LIST)
    rendered, noise = observed(run)
    assert rendered["FRONT_FACING_CAMERA"].shape == noise["FRONT_FACING_CAMERA"].shape == (8, 120, 160, 1)
    assert len(np.unique(rendered["FRONT_FACING_CAMERA"].reshape(8, -1), axis=0)) == 8
    assert noise["FRONT_FACING_CAMERA"].dtype == np.uint8
    assert noise["LIDAR"].min() >= 0.15
    assert noise["LIDAR"].max() <= 1.0
    assert noise["LIDAR"].std() > 0.1
    again = list(observed(run))[1]
    np.testing.assert_array_equal(again["LIDAR"], noise["LIDAR"])


def test_layers_of_a_network_of_ones_own_are_exported() -> None:
    torch.manual_seed(4)
    eyes = nn.Sequential(nn.Conv2d(1, 4, 24, (24, 16), bias=False), nn.ELU(), nn.Flatten(), nn.Dropout())
    rest = nn.Sequential(nn.Linear(4 * 5 * 9, 9), nn.Tanh(), nn.Linear(9, 6), nn.Sigmoid(), nn.Linear(6, 2))
    seen, (first, second, head) = layers_of(eyes), layers_of(rest)
    assert isinstance(seen[0], Convolution)
    assert isinstance(first, Dense)
    assert isinstance(second, Dense)
    assert isinstance(head, Dense)
    policy = Policy((Embedder("FRONT_FACING_CAMERA", tuple(seen)),), (first, second), head, "tanh")
    bundle = Bundle(ModelMetadata(BOX), policy_graph(policy), "racer")
    frames = np.random.default_rng(1).integers(0, 256, (3, 120, 160, 1)).astype(np.uint8)
    with torch.inference_mode():
        expected = torch.tanh(rest(eyes.eval()(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255.0))).numpy()
    np.testing.assert_allclose(bundle.decide({"FRONT_FACING_CAMERA": frames}), expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3


@pytest.mark.parametrize(
    ("modules", "sentence"),
    [
        ([nn.Conv2d(1, 2, 3, padding=1)], r"padding \(1, 1\), which the car computes otherwise; train with \(0, 0\)"),
        ([nn.Conv2d(1, 2, 3, padding="same")], "padding same"),
        ([nn.Conv2d(1, 2, 3, dilation=2)], r"dilation \(2, 2\)"),
        ([nn.Conv2d(2, 2, 3, groups=2)], "groups 2"),
        ([nn.LSTM(3, 3)], "LSTM cannot be exported: the car keeps nothing .* train without recurrence"),
        ([nn.GRUCell(3, 3)], "GRUCell cannot be exported: .* train without recurrence"),
        ([nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)], "BatchNorm2d cannot be exported: train without batch normalisation"),
        ([nn.Linear(2, 2), nn.LayerNorm(2)], "LayerNorm cannot be exported: train without normalisation"),
        ([nn.MaxPool2d(2)], "MaxPool2d cannot be exported: let convolutions have larger strides"),
        ([nn.ZeroPad2d(1)], "ZeroPad2d cannot be exported: use convolutions without padding"),
        ([nn.Linear(2, 2), nn.GELU()], "GELU cannot be exported: use convolutions, dense layers, and ReLU"),
        ([nn.ReLU()], "does not follow a layer"),
        ([nn.Linear(2, 2), nn.ReLU(), nn.Tanh()], "does not follow a layer"),
    ],
)
def test_what_the_car_cannot_run_is_refused_with_what_to_do_instead(modules: list[nn.Module], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        layers_of(modules)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sensors", "actions", "sentence"),
    [
        (("STATE",), LIST, "sees STATE cannot run on a car; train with FRONT_FACING_CAMERA instead"),
        (("FRONT_FACING_CAMERA", "DISCRETIZED_SECTOR_LIDAR"), LIST, "train with SECTOR_LIDAR instead"),
        (CAMERA, ContinuousActions((-30.0, 20.0), (1.0, 2.0)), "make high at least 30"),
        (CAMERA, DiscreteActions((0.0, 0.0), (1.0, 2.0)), "go straight, which the car refuses; let one of them steer"),
        (CAMERA, DiscreteActions((-9.0, 9.0), (0.0, 0.0)), "no action moves the car; speed must be above 0"),
    ],
)
def test_a_run_that_no_car_can_drive_is_refused_with_what_to_do_instead(
    sensors: tuple[str, ...], actions: Any, sentence: str, tmp_path: Path
) -> None:
    run = run_of(tmp_path / "model", "compact", sensors, actions)
    with pytest.raises(BundleError, match=sentence):
        bundle_of(untrained(run), run, "racer").write(tmp_path / "racer.tar.gz")
    assert not (tmp_path / "racer.tar.gz").exists()
