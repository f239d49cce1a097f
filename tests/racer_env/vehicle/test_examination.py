"""Laws of the examination: it does with a file what the car does, and OpenVINO loads it as the car does."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.archive import pack
from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Node
from racer_env.graphdef import encode
from racer_env.inspection import LIDAR_AS_SIMULATED
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_graph
from racer_env.vehicle import engines
from racer_env.vehicle.engines import EXACT, HALF
from racer_env.vehicle.examination import examine, frames
from racer_env.vehicle.optimizer import optimizer_command
from tests.racer_env.coach.make_coach_graphs import CASES
from tests.racer_env.coach.test_coach_graphs import bundle_of

CAMERA = "FRONT_FACING_CAMERA"
FIVE = DiscreteActions((-30.0, -15.0, 0.0, 15.0, 25.0), (1.0, 2.0, 4.0, 2.0, 1.0))
BOX = ContinuousActions((-30.0, 30.0), (1.0, 4.0))

needs_openvino = pytest.mark.skipif(not engines.installed(), reason="OpenVINO is not installed")


def weights(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    scale = 1.4 / np.sqrt(np.prod(shape[1:]))
    return np.asarray(np.random.default_rng(seed).normal(size=shape) * scale, np.float32)


def driver(actions: Any = FIVE, sensors: tuple[str, ...] = (CAMERA,), output: str = "softmax") -> Bundle:
    """Give a driver of a small network, whose pictures need turning between torch's order and TensorFlow's."""
    embedders, width = [], 0
    for sensor in sensors:
        if "LIDAR" in sensor:
            count = 64 if sensor == "LIDAR" else 8
            embedders.append(Embedder(sensor, (Dense(weights(6, count), np.zeros(6)),)))
            width += 6
        else:
            channels = 2 if sensor == "STEREO_CAMERAS" else 1
            layer = Convolution(weights(4, channels, 40, 40), weights(4, 1)[:, 0], 40)
            embedders.append(Embedder(sensor, (layer,)))
            width += 3 * 4 * 4
    count = len(actions) if isinstance(actions, DiscreteActions) else 2
    head = Dense(weights(count, width), np.zeros(count))
    lidar = next((dict(LIDAR_AS_SIMULATED[sensor]) for sensor in sensors if "LIDAR" in sensor), {})
    metadata = ModelMetadata(actions, sensors, lidar=lidar)
    return Bundle(metadata, policy_graph(Policy(tuple(embedders), (), head, output)), "racer")


def written(path: Path, bundle: Bundle, **changes: Any) -> Path:
    """Pack a driver without asking whether the car takes it."""
    raw = json.loads(bundle.metadata.to_json()) | changes
    path.write_bytes(pack(bundle.model, json.dumps(raw).encode()))
    return path


@needs_openvino
@pytest.mark.parametrize(
    ("actions", "sensors", "output"),
    [
        (FIVE, (CAMERA,), "softmax"),
        (BOX, ("LEFT_CAMERA",), "identity"),
        (BOX, (CAMERA,), "tanh"),
        (FIVE, ("STEREO_CAMERAS",), "softmax"),
        (FIVE, (CAMERA, "LIDAR"), "softmax"),
        (FIVE, ("SECTOR_LIDAR", "STEREO_CAMERAS"), "softmax"),
    ],
)
def test_what_we_export_is_loaded_by_every_recipe_and_answers_alike(
    tmp_path: Path, actions: Any, sensors: tuple[str, ...], output: str
) -> None:
    bundle = driver(actions, sensors, output)
    bundle.write(tmp_path / "racer.tar.gz")
    found = examine(tmp_path / "racer.tar.gz")
    assert found.agreements is not None
    assert [agreement.recipe for agreement in found.agreements] == ["plain", "stock", "custom"]
    for agreement, most in zip(found.agreements, (EXACT, HALF, HALF), strict=True):
        assert agreement.difference <= agreement.allowed == most
    assert found.agreements[1].difference > found.agreements[0].difference  # half precision was really used
    assert found.checksum == hashlib.md5(bundle.model).hexdigest()


@needs_openvino
@pytest.mark.parametrize("name", CASES)
def test_graphs_of_coach_are_loaded_by_every_recipe(name: str) -> None:
    bundle = bundle_of(name, CASES[name])
    if name == "ppo_value_head":
        with pytest.raises(BundleError, match=r"loaded as plain, the driver answers \(1,\) numbers, not \(4,\)"):
            engines.compare(bundle.model, bundle, frames(bundle))
        return
    for agreement in engines.compare(bundle.model, bundle, frames(bundle)):
        assert agreement.difference <= agreement.allowed


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("actions", "sensors", "output"),
    [
        (FIVE, (CAMERA,), "softmax"),
        (BOX, ("LEFT_CAMERA",), "tanh"),
        (FIVE, ("SECTOR_LIDAR", "STEREO_CAMERAS"), "softmax"),
    ],
)
def test_what_we_export_is_run_by_the_stock_cars_own_tools(
    tmp_path: Path, actions: Any, sensors: tuple[str, ...], output: str
) -> None:
    if not (python := os.environ.get("RACER_STOCK_CAR", "")):
        pytest.skip("RACER_STOCK_CAR does not name a Python 3.8 that has the car's tools (run_stock_car.py)")
    bundle = driver(actions, sensors, output)
    seen = frames(bundle)
    (tmp_path / "model.pb").write_bytes(bundle.model)
    feeds: dict[str, Any] = {node.name: seen[sensor] for sensor, node in bundle.inputs.items()}
    np.savez(tmp_path / "frames.npz", **feeds)
    script = Path(__file__).with_name("run_stock_car.py")
    files = (tmp_path / name for name in ("model.pb", "frames.npz", "answers.npy"))
    subprocess.run([python, script, *files], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), bundle.decide(seen), atol=HALF)


@needs_openvino
def test_weights_in_another_order_are_noticed() -> None:
    """The mistake that is made most easily: dense weights behind a picture in torch's order."""
    right = driver()
    kernel = next(node for node in right.graph.nodes if node.name.endswith("policy_fc/kernel"))
    turned = kernel.attributes["value"].reshape(3, 4, 4, 5).transpose(2, 0, 1, 3).reshape(48, 5)  # type: ignore[union-attr]
    nodes = [replace(n, attributes={**n.attributes, "value": turned}) if n is kernel else n for n in right.graph.nodes]
    wrong = Bundle(right.metadata, Graph(tuple(nodes)), "racer")
    with pytest.raises(BundleError, match="loaded as plain, the driver differs by"):
        engines.compare(wrong.model, right, frames(right))


@needs_openvino
def test_a_graph_that_openvino_cannot_read_is_one_sentence() -> None:
    with pytest.raises(BundleError, match="OpenVINO cannot load it") as error:
        engines.compare(b"\x0a\x02\x0a\x00", driver(), frames(driver()))
    assert "\n" not in str(error.value)


def test_without_openvino_everything_else_is_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "installed", lambda: False)
    found = examine(written(tmp_path / "racer.tar.gz", driver()))
    assert found.agreements is None
    assert [tuple(action.motion) for action in found.actions] == [
        pytest.approx(expected, abs=1e-4)
        for expected in [(-1.0, 0.475), (-0.5, 0.8), (0.0, 1.0), (0.5, 0.8), (0.8333, 0.475)]
    ]
    assert [(action.steering_degrees, action.speed) for action in found.actions][4] == (25.0, 1.0)
    half = examine(written(tmp_path / "racer.tar.gz", driver()), max_speed=0.5)
    assert [action.motion.throttle for action in half.actions] == [a.motion.throttle / 2 for a in found.actions]


def test_the_stock_car_converts_with_the_command_of_its_own_node() -> None:
    command = (
        "python3 $INTEL_CVSDK_DIR/deployment_tools/model_optimizer/mo_tf.py --input_model "
        "/opt/aws/deepracer/artifacts/racer/model.pb --output_dir /opt/aws/deepracer/artifacts "
        "--input_shape [1,120,160,1] --data_type FP16 --disable_fusing --disable_gfusing --scale 1 --input "
        "main_level/agent/main/online/network_0/FRONT_FACING_CAMERA/FRONT_FACING_CAMERA --model_name racer/model"
    )
    assert " ".join(optimizer_command(driver())) == command
    both = optimizer_command(driver(sensors=("STEREO_CAMERAS", "SECTOR_LIDAR")))
    assert both[both.index("--input_shape") + 1] == "[1,120,160,2],[1,8]"
    assert "agent/policy/" in optimizer_command(bundle_of("sac", CASES["sac"]))[-3]


def test_of_a_range_the_corners_and_the_middle_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "installed", lambda: False)
    found = examine(written(tmp_path / "racer.tar.gz", driver(BOX, output="tanh")))
    by_answer = {action.answer: action for action in found.actions}
    assert len(by_answer) == 9
    assert by_answer["+0, +0"].motion == pytest.approx((0.0, 0.90625))
    assert by_answer["+1, -1"].motion == pytest.approx((1.0, 0.475))
    assert (by_answer["-1, +1"].steering_degrees, by_answer["-1, +1"].speed) == (-30.0, 4.0)


def test_names_that_the_car_changes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "installed", lambda: False)
    (remark,) = examine(written(tmp_path / "v1.2 new.tar.gz", driver())).remarks
    assert "installs it as 'v1'" in remark
    assert examine(written(tmp_path / "v1.tar.gz", driver())).remarks == ()


def as_tar(path: Path, *files: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


PB, META = ("agent/model.pb", driver().model), ("model_metadata.json", driver().metadata.to_json().encode())
NESTED = ("agent/model_metadata.json", META[1])


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([PB, META, ("README", b"")], "two models"),
        ([PB, META, ("agent/._model.pb", b"")], "two models"),
        ([PB, META, ("other.pb", PB[1])], "two models"),
        ([PB, NESTED], "no 'model_metadata.json' at its root"),
        ([META], "no model"),
    ],
)
def test_what_the_cars_loader_ignores_in_silence_is_said(
    files: list[tuple[str, bytes]], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        examine(as_tar(tmp_path / "racer.tar.gz", *files))
    assert str(error.value).startswith(str(tmp_path / "racer.tar.gz"))


@pytest.mark.parametrize("file_name", ["racer.tgz", "racer.zip", "racer"])
def test_what_the_cars_page_does_not_take_is_said(file_name: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"name ends with '\.tar\.gz'"):
        examine(written(tmp_path / file_name, driver()))
    with pytest.raises(BundleError, match="cannot be read: No such file"):
        examine(tmp_path / "missing.tar.gz")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"action_space": [{"steering_angle": "10", "speed": 1}] * 5}, "without quotes"),
        ({"action_space": [{"steering_angle": 0, "speed": 1}] * 5}, "all actions go straight"),
        ({"action_space": [{"steering_angle": 10, "speed": 1}] * 4}, "has 4 actions"),
        ({"sensor": ["LEFT_CAMERA"]}, "the graph sees FRONT_FACING_CAMERA"),
        ({"training_algorithm": "sac"}, "the car feeds main_level/agent/policy"),
        ({"action_space_type": "DISCRETE"}, "the car knows discrete and continuous only"),
    ],
)
def test_metadata_that_the_car_does_not_take_are_said(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=sentence):
        examine(written(tmp_path / "racer.tar.gz", driver(), **changes))


def test_a_value_head_that_the_car_would_take_for_the_policy_is_said(tmp_path: Path) -> None:
    bundle = driver()
    head = Node(
        "main_level/agent/main/online/network_0/v_head_0/value", "Identity", (bundle.output,), {"T": DType.FLOAT}
    )
    graph = Graph((*bundle.graph.nodes, Node("other", "Identity", (bundle.output,), {"T": DType.FLOAT}), head))
    files = ("agent/model.pb", encode(graph)), META
    with pytest.raises(BundleError, match="the car takes the first one that it finds, so there must be one"):
        examine(as_tar(tmp_path / "racer.tar.gz", *files))
