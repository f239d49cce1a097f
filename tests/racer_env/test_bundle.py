"""Laws of a driver's file: what the car takes is taken, what would break it or us is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import BundleError
from racer_env.graph import DType, Graph, Node, Shape
from racer_env.graphdef import encode
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import (
    PPO_POLICY,
    SAC_POLICY,
    Convolution,
    Dense,
    Embedder,
    Policy,
    input_name,
    policy_graph,
)

CAMERA = "FRONT_FACING_CAMERA"
ACTIONS = DiscreteActions((-30.0, 0.0, 30.0), (1.0, 2.0, 1.0))
BOX = ContinuousActions((-30.0, 30.0), (0.5, 4.0))


def metadata(**changes: Any) -> ModelMetadata:
    return replace(ModelMetadata(ACTIONS, neural_network="DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"), **changes)


def small_policy(outputs: int = 3, output: str = "softmax", scale: float = 0.1) -> Policy:
    """Give a policy of one wide convolution, 2 x 3 x 4 numbers, and a head."""
    rng = np.random.default_rng(8)
    filters = Convolution(rng.normal(size=(4, 1, 40, 40)) * scale, np.zeros(4), 50)
    return Policy((Embedder(CAMERA, (filters,)),), (), Dense(rng.normal(size=(outputs, 24)), np.zeros(outputs)), output)


def bundle(graph: Graph | None = None, **changes: Any) -> Bundle:
    return Bundle(metadata(**changes), graph or policy_graph(small_policy()), "racer-1")


@pytest.fixture(scope="module")
def model() -> bytes:
    return bundle().model


def read(*files: tuple[str, bytes]) -> Bundle:
    """Read a bundle of files that anybody's tar packed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return Bundle.read(io.BytesIO(out.getvalue()), "racer.tar.gz")


def as_the_car_loads(path: Path) -> tuple[str, bytes, bytes]:
    """Follow the rules of the car's own loader: give the installed name, the model and the metadata."""
    name = path.name.split(".")[0].replace(" ", "_")
    with tarfile.TarFile(fileobj=io.BytesIO(gzip.decompress(path.read_bytes())), mode="r") as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}  # type: ignore[union-attr]
    models = [data for file, data in files.items() if os.path.splitext(file)[1] in ".pb"]  # noqa: PTH122
    assert len(models) == 1, "more than one models found ... ignoring all of them"
    return name, models[0], files["model_metadata.json"]


def test_the_car_loads_exactly_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "my_racer-7.tar.gz"
    written = bundle()
    written.write(path)
    name, model, text = as_the_car_loads(path)
    assert (name, model, text.decode()) == ("my_racer-7", written.model, written.metadata.to_json())


def test_a_bundle_reads_back_and_decides_the_same(tmp_path: Path) -> None:
    written = bundle()
    written.write(tmp_path / "racer.tar.gz")
    back = Bundle.open(tmp_path / "racer.tar.gz")
    assert (back.name, back.metadata, back.sha256) == ("racer", written.metadata, written.sha256)
    picture = {CAMERA: np.random.default_rng(9).integers(0, 256, (4, 120, 160, 1)).astype(np.uint8)}
    np.testing.assert_array_equal(back.decide(picture), written.decide(picture))
    assert back.check() == []


def test_the_same_driver_gives_the_same_file_whenever_and_wherever(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    bundle().write(first)
    os.utime(first, (0, 0))
    bundle().write(second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[4:8] == b"\0\0\0\0"  # gzip's time
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz", "b.tar.gz"]


def test_the_hash_is_of_the_driver_and_not_of_the_archive(model: bytes) -> None:
    text = metadata().to_json().encode()
    straight, other_way = read(("agent/model.pb", model), ("model_metadata.json", text)), bundle()
    loose = read(("model_metadata.json", text), ("notes.csv", b"1,2"), ("deep/in/here.pb", model))
    assert straight.sha256 == loose.sha256 == other_way.sha256
    assert bundle(actions=replace(ACTIONS, speed=(1.0, 3.0, 1.0))).sha256 != straight.sha256


@pytest.mark.parametrize("file_name", ["racer.tgz", "my racer.tar.gz", "v1.2.tar.gz", ".tar.gz", "é.tar.gz"])
def test_a_name_that_the_car_would_change_is_not_written(tmp_path: Path, file_name: str) -> None:
    with pytest.raises(BundleError, match="letters, digits"):
        bundle().write(tmp_path / file_name)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken.tar.gz").mkdir()
    for path in (tmp_path / "missing" / "racer.tar.gz", tmp_path / "taken.tar.gz"):
        with pytest.raises(BundleError, match="cannot be written"):
            bundle().write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["taken.tar.gz"]


def test_a_driver_that_the_car_cannot_run_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="go straight"):
        bundle(actions=replace(ACTIONS, steering_degrees=(0.0, 0.0, 0.0))).write(tmp_path / "racer.tar.gz")
    assert not list(tmp_path.iterdir())


META = ("model_metadata.json", metadata().to_json().encode())
PB = ("agent/model.pb", b"\x0a\x00")


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ((PB,), "no 'model_metadata.json' at its root"),
        ((PB, META), "not a usable frozen graph"),
        ((PB, (META[0], b"{")), "model_metadata.json is not JSON"),
        ((PB, (META[0], b"[" * 100_000)), "model_metadata.json"),
        ((PB, (META[0], b'{"action_space": [{"steering_angle": 1' + b"0" * 999 + b"}]}")), "model_metadata"),
        ((PB, (META[0], b"{}")), "action_space is missing"),
    ],
)
def test_a_bundle_that_cannot_be_understood_is_refused_by_its_file_name(members: Any, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        read(*members)
    assert str(error.value).startswith("racer.tar.gz: ")
    assert "\n" not in str(error.value)


def test_a_name_is_read_as_the_car_reads_it(tmp_path: Path) -> None:
    bundle().write(tmp_path / "racer.tar.gz")
    data = (tmp_path / "racer.tar.gz").read_bytes()
    for file_name, name in {"v1.2.tar.gz": "v1", "my racer.tar.gz": "my_racer"}.items():
        (tmp_path / file_name).write_bytes(data)
        assert Bundle.open(tmp_path / file_name).name == name
    for file_name, sentence in {"racer.tgz": "a driver is a '.tar.gz' of a car", ".tar.gz": "no name before"}.items():
        (tmp_path / file_name).write_bytes(data)
        with pytest.raises(BundleError, match=sentence):
            Bundle.open(tmp_path / file_name)


def test_a_file_that_is_not_there_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"racer\.tar\.gz cannot be read: No such file"):
        Bundle.open(tmp_path / "racer.tar.gz")


def changed(graph: Graph, **nodes: dict[str, Any]) -> Graph:
    """Replace fields of the nodes whose names end as the keyword says."""
    out = []
    for node in graph.nodes:
        change = next((c for end, c in nodes.items() if node.name.endswith(end)), {})
        out.append(replace(node, **change))
    return Graph(tuple(out))


def with_sink(graph: Graph, name: str, source: str) -> Graph:
    return Graph((*graph.nodes, Node(name, "Identity", (source,), {"T": DType.FLOAT})))


GOOD = policy_graph(small_policy())
CAMERA_IN = input_name(CAMERA)


def coach_graph(policy: str = SAC_POLICY, algorithm: str = "sac") -> Graph:
    """Give a graph whose policy is the mean of SAC, under the names of Coach's SAC."""
    graph = policy_graph(small_policy(2, "identity"))
    names = {CAMERA_IN: input_name(CAMERA, algorithm), PPO_POLICY: policy}
    return Graph(
        tuple(
            replace(n, name=names.get(n.name, n.name), inputs=tuple(names.get(i, i) for i in n.inputs))
            for n in graph.nodes
        )
    )


def test_a_driver_that_only_some_cars_run_drives_here() -> None:
    text = metadata(actions=ContinuousActions((-30.0, 20.0), (1.0, 2.0)), training_algorithm="sac").to_json().encode()
    opened = read((META[0], text), ("model.pb", encode(coach_graph())))
    assert opened.output == SAC_POLICY
    with pytest.raises(BundleError, match="turns less to the left"):
        opened.check()


def test_a_driver_of_sac_drives_with_its_mean_squashed_and_is_not_written(tmp_path: Path) -> None:
    opened = read(
        (META[0], metadata(actions=BOX, training_algorithm="sac").to_json().encode()), ("m.pb", encode(coach_graph()))
    )
    mean = opened.decide(opened.blank(2))
    np.testing.assert_allclose(opened.actions(mean), np.tanh(mean))
    assert np.abs(mean).max() > 0.1
    assert [remark.partition(" do")[0] for remark in opened.check()] == ["Graphs of SAC"]
    with pytest.raises(BundleError, match="'clipped_ppo' only; export it as that"):
        opened.write(tmp_path / "sac.tar.gz")
    assert not list(tmp_path.iterdir())


def test_a_value_head_beside_the_policy_does_not_drive() -> None:
    graph = with_sink(GOOD, "main_level/agent/main/online/network_0/v_head_0/output", PPO_POLICY + "_fc/BiasAdd")
    opened = read(META, ("model.pb", encode(graph)))
    assert opened.output == PPO_POLICY


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (policy_graph(small_policy(outputs=4)), "has 3 actions"),
        (
            changed(GOOD, **{"policy_fc/bias": {"attributes": {"value": np.full(3, np.nan, np.float32)}}}),
            "not a number",
        ),
        (with_sink(with_sink(coach_graph("a", "ppo"), "b", "a"), "c", "a"), "2 outputs"),
        (Graph((Node("y", "Const", (), {"value": np.ones((1, 3), np.float32)}),)), "sees nothing"),
        (
            changed(GOOD, **{CAMERA: {"attributes": {"shape": Shape((-1, 60, 80, 1))}}}),
            r"is fed \(2, 120, 160, 1\)",
        ),
    ],
)
def test_a_graph_that_cannot_drive_here_is_not_opened(graph: Graph, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        read(META, ("agent/model.pb", encode(graph)))


def test_a_graph_that_mixes_the_frames_of_a_crowd_is_not_opened() -> None:
    flat = changed(GOOD, **{"flatten/shape": {"attributes": {"value": np.array([1, 24], np.int32)}}})
    bundle(flat).check()  # the car feeds one frame at a time
    with pytest.raises(BundleError, match="cannot be computed"):
        read(META, ("agent/model.pb", encode(flat)))


def test_observations_that_do_not_fit_the_sensors_are_refused() -> None:
    driver = bundle(GOOD)
    for observations, sentence in (
        ({"LIDAR": np.zeros((1, 64))}, f"needs {CAMERA}, but sees LIDAR only"),
        ({CAMERA: np.zeros((1, 160, 120, 1))}, r"\(n, 120, 160, 1\)"),
        ({CAMERA: np.zeros((120, 160, 1))}, r"\(n, 120, 160, 1\)"),
    ):
        with pytest.raises(BundleError, match=sentence):
            driver.decide(observations)


def test_metadata_come_back_as_json_that_the_car_reads() -> None:
    raw = json.loads(bundle().metadata.to_json())
    assert raw["training_algorithm"] == "clipped_ppo"
    assert raw["sensor"] == [CAMERA]
    assert raw["action_space_type"] == "discrete"
