"""Real driver files for the league: small, made by hand, no training."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.car import DiscreteActions
from racer_env.graph import DType, Graph, Node, Shape
from racer_env.graphdef import encode
from racer_env.metadata import ModelMetadata

Weights = npt.NDArray[np.float32]
OUTPUT = "main_level/agent/main/online/network_1/ppo_head_0/policy"
PIXELS = 120 * 160
ACTIONS = DiscreteActions((-20.0, 0.0, 20.0), (1.0, 1.0, 1.0))


def linear_driver(weights: Weights, sensor: str) -> Graph:
    """A driver whose liking for each of k actions is a weighted sum of the pixels: weights (pixels, k)."""
    camera = f"main_level/agent/main/online/network_0/{sensor}/{sensor}"
    frame = Shape((-1, 120, 160, len(weights) // PIXELS))
    size = np.array([-1, len(weights)], np.int32)
    kind = {"T": DType.FLOAT}
    nodes = (
        Node(
            camera,
            "Placeholder",
            (),
            {"dtype": DType.FLOAT, "shape": frame},
        ),
        Node("size", "Const", (), {"dtype": DType.INT32, "value": size}),
        Node("flat", "Reshape", (camera, "size"), {**kind, "Tshape": DType.INT32}),
        Node("weights", "Const", (), {"dtype": DType.FLOAT, "value": weights}),
        Node("preference", "MatMul", ("flat", "weights"), kind),
        Node(OUTPUT, "Softmax", ("preference",), kind),
    )
    return Graph(nodes)


def write_bundle(
    file: Path, weights: Weights, actions: DiscreteActions = ACTIONS, sensor: str = "FRONT_FACING_CAMERA"
) -> Path:
    """Write a driver as a DeepRacer's ``.tar.gz``."""
    metadata = ModelMetadata(actions=actions, sensors=(sensor,))
    members = {
        "agent/model.pb": encode(linear_driver(weights, sensor)),
        "model_metadata.json": metadata.to_json().encode(),
    }
    with tarfile.open(file, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Makes driver files: the same number is the same driver."""
    folder = tmp_path_factory.mktemp("drivers")

    def make(number: int) -> Path:
        file = folder / f"driver-{number}.tar.gz"
        if not file.exists():
            weights = np.random.default_rng(number).normal(size=(PIXELS, 3)).astype(np.float32)
            write_bundle(file, weights)
        return file

    return make


@pytest.fixture(scope="session")
def road_follower(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """Makes drivers of a speed, m/s, that complete laps: they steer away from the brighter side."""
    folder = tmp_path_factory.mktemp("followers")
    below_horizon = np.linspace(0.0, 1.0, 120)[:, None] > 0.4
    right = (below_horizon * np.linspace(-1.0, 1.0, 160)).reshape(-1)
    weights = np.stack((-right, 0.0 * right, right), axis=1).astype(np.float32)

    def make(speed: float) -> Path:
        actions = DiscreteActions((-20.0, 0.0, 20.0), (speed, speed, speed))
        return write_bundle(folder / f"follower-{speed}.tar.gz", weights, actions)

    return make


@pytest.fixture(scope="session")
def stereo_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver with two cameras."""
    weights = np.zeros((2 * PIXELS, 3), np.float32)
    return write_bundle(tmp_path_factory.mktemp("stereo") / "stereo.tar.gz", weights, sensor="STEREO_CAMERAS")
