"""Graphs built as Coach builds them drive here as TensorFlow runs them, and can be taken apart."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.conversion import for_car
from racer_env.errors import BundleError
from racer_env.metadata import ModelMetadata
from racer_env.model_files import ModelFiles
from racer_env.network import NetworkDriver
from racer_env.policy_graph import PPO_POLICY, policy_graph
from racer_env.policy_layers import policy_layers
from tests.racer_env.coach.make_coach_graphs import CASES, LARGE, Case, frames

HERE = Path(__file__).parent
EXPECTED: dict[str, list[list[float]]] = json.loads((HERE / "expected.json").read_text())


def metadata_of(case: Case) -> ModelMetadata:
    actions: Any = ContinuousActions((-30.0, 30.0), (0.5, 3.0))
    if case.actions:
        actions = DiscreteActions(tuple(np.linspace(-30, 30, case.actions).tolist()), (1.0,) * case.actions)
    return ModelMetadata(actions, case.sensors, training_algorithm=case.algorithm)


def bundle_of(name: str, case: Case, folder: Path = HERE) -> Bundle:
    text = metadata_of(case).to_json().encode()
    return Bundle.of(ModelFiles(name, (folder / f"{name}.pb").read_bytes(), text))


@pytest.mark.parametrize("name", CASES)
def test_a_graph_of_coach_answers_as_in_tensorflow_in_numpy_and_torch(name: str) -> None:
    case = CASES[name]
    bundle, seen, expected = bundle_of(name, case), frames(case), np.array(EXPECTED[name])
    np.testing.assert_allclose(bundle.decide(seen), expected, atol=1e-5)
    driver = NetworkDriver(bundle)
    np.testing.assert_allclose(driver.policy(seen), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.01
    actions = driver.act(seen)
    if case.actions:
        np.testing.assert_array_equal(actions, expected.argmax(axis=1))
    else:
        driven = np.tanh(expected) if case.algorithm == "sac" else expected.clip(-1, 1)
        np.testing.assert_allclose(actions, driven, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_driver_of_coach_becomes_one_that_every_car_takes_and_does_the_same(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    before, seen = bundle_of(name, case), frames(case)
    for_car(before, name).write(tmp_path / f"{name}.tar.gz")
    after = Bundle.open(tmp_path / f"{name}.tar.gz")
    assert after.graph.sinks == (PPO_POLICY,)
    assert after.metadata.training_algorithm == "clipped_ppo"
    assert [remark for remark in after.check() if "SAC" in remark] == []
    np.testing.assert_allclose(after.actions(after.decide(seen)), before.actions(before.decide(seen)), atol=1e-5)
    if case.algorithm == "sac":
        np.testing.assert_allclose(after.decide(seen), np.tanh(EXPECTED[name]), atol=1e-5)
    else:
        np.testing.assert_allclose(after.decide(seen), EXPECTED[name], atol=1e-5)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Give a graph of Coach with a few bytes changed, most of them where names, operations and shapes begin."""
    data = bytearray((HERE / f"{draw(st.sampled_from(sorted(CASES)))}.pb").read_bytes())
    marks = [i for i, byte in enumerate(data) if byte in b"\x0a\x12\x2a"]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1) | st.sampled_from(marks))
        data[at] = draw(st.sampled_from(b"\x00\x01\x02\x7f\x80\xff") | st.integers(0, 255))
    return bytes(data)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=changed(), name=st.sampled_from(sorted(CASES)))
def test_a_changed_graph_drives_in_numpy_and_torch_or_is_one_sentence(model: bytes, name: str) -> None:
    try:
        bundle = Bundle.of(ModelFiles("changed", model, metadata_of(CASES[name]).to_json().encode()))
        with suppress(BundleError):
            policy_layers(bundle.graph)
        seen = bundle.blank(2)
        assert NetworkDriver(bundle).policy(seen).shape == bundle.decide(seen).shape
    except BundleError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_the_fixtures_are_small() -> None:
    assert {file.stem for file in HERE.glob("*.pb")} == set(CASES)
    for file in HERE.iterdir():
        assert file.is_dir() or file.stat().st_size < 200_000


def python_with_tensorflow() -> str:
    """The interpreter that has TensorFlow, which cannot share an environment with us."""
    if not (python := os.environ.get("RACER_TENSORFLOW", "")):
        pytest.skip("RACER_TENSORFLOW does not name a Python that has TensorFlow")
    return python


def tensorflow(*words: object) -> None:
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [python_with_tensorflow(), str(HERE / "make_coach_graphs.py"), *map(str, words)]
    subprocess.run(command, check=True, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.tensorflow
def test_the_fixtures_are_what_the_script_makes(tmp_path: Path) -> None:
    tensorflow("make", tmp_path)
    made = json.loads((tmp_path / "expected.json").read_text())
    for name in CASES:
        np.testing.assert_allclose(made[name], EXPECTED[name], atol=1e-6)
        answers = bundle_of(name, CASES[name], tmp_path).decide(frames(CASES[name]))
        np.testing.assert_allclose(answers, EXPECTED[name], atol=1e-5)


@pytest.mark.tensorflow
def test_networks_as_large_as_the_originals_answer_as_in_tensorflow(tmp_path: Path) -> None:
    tensorflow("large", tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_text())
    for name, case in LARGE.items():
        bundle = bundle_of(name, case, tmp_path)
        np.testing.assert_allclose(bundle.decide(frames(case)), expected[name], atol=1e-5)
        np.testing.assert_allclose(NetworkDriver(bundle).policy(frames(case)), expected[name], atol=1e-5)


def tensorflow_runs(
    bundle: Bundle, seen: dict[str, npt.NDArray[Any]], folder: Path, how: str = "run"
) -> npt.NDArray[np.float32]:
    (folder / "model.pb").write_bytes(bundle.model)
    feeds: dict[str, Any] = {node.name: seen[sensor] for sensor, node in bundle.inputs.items()}
    np.savez(folder / "frames.npz", **feeds)
    tensorflow(how, folder / "model.pb", folder / "frames.npz", folder / "answers.npy")
    answers: npt.NDArray[np.float32] = np.load(folder / "answers.npy")
    return answers


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["ppo_discrete", "ppo_continuous", "ppo_stereo_sectors"])
def test_what_we_write_is_run_by_tensorflow_as_by_us(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    theirs = bundle_of(name, case)
    ours = Bundle(theirs.metadata, policy_graph(policy_layers(theirs.graph)), name)
    answers = tensorflow_runs(ours, frames(case), tmp_path)
    np.testing.assert_allclose(answers, ours.decide(frames(case)), atol=1e-5)
    np.testing.assert_allclose(answers, EXPECTED[name], atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["ppo_discrete", "ppo_continuous", "ppo_lidar"])
def test_what_we_write_is_run_by_a_car_with_tensorflow_lite(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    theirs = bundle_of(name, case)
    ours = Bundle(theirs.metadata, policy_graph(policy_layers(theirs.graph)), name)
    answers = tensorflow_runs(ours, frames(case), tmp_path, "tflite")
    np.testing.assert_allclose(answers, EXPECTED[name], atol=5e-3)
    assert np.abs(answers - EXPECTED[name]).max() > 1e-6  # half precision was really used
