"""A user's three files: every key, default and range of the original; what is wrong is said in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from racer_env.errors import MetadataError, RacerError, RewardError
from racer_env.metadata import DEFAULT_ACTIONS, ModelMetadata
from racer_env.reward import RewardFunction
from reward_functions import EXAMPLES
from training.model_folder import Hyperparameters, ModelFolder
from training.start import started
from training.starter import make_model_folder

MakeModel = Callable[..., Path]

#: Of the console; the rest as in deepracer-for-cloud.
DEFAULTS = {
    "batch_size": 64,
    "num_epochs": 10,
    "lr": 3e-4,
    "beta_entropy": 0.01,
    "discount_factor": 0.99,
    "loss_type": "huber",
    "num_episodes_between_training": 20,
    "exploration_type": "categorical",
    "e_greedy_value": 0.05,
    "epsilon_steps": 10000,
    "stack_size": 1,
    "term_cond_max_episodes": 100_000,
    "term_cond_avg_score": 100_000,
    "sac_alpha": 0.2,
}


def read(tmp_path: Path, content: Any) -> Hyperparameters:
    file = tmp_path / "hyperparameters.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return Hyperparameters.read(file)


def refused(tmp_path: Path, content: Any) -> str:
    with pytest.raises(MetadataError) as caught:
        read(tmp_path, content)
    sentence = str(caught.value)
    assert sentence.startswith(str(tmp_path / "hyperparameters.json"))
    assert "\n" not in sentence
    return sentence


def test_keys_and_defaults_are_those_of_the_console() -> None:
    assert Hyperparameters().model_dump() == DEFAULTS


def test_deepracer_for_clouds_file_is_read_as_it_is(tmp_path: Path) -> None:
    theirs = DEFAULTS | {"num_epochs": 5, "term_cond_max_episodes": 1000, "term_cond_avg_score": 350.0}
    assert read(tmp_path, theirs).model_dump() == theirs
    assert read(tmp_path, theirs).remarks() == []


def test_missing_keys_have_their_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, {"lr": 0.001}).model_dump() == DEFAULTS | {"lr": 0.001}


def test_an_unknown_key_is_answered_with_the_nearest(tmp_path: Path) -> None:
    assert "unknown key 'learning_rat'; there are" in refused(tmp_path, {"learning_rat": 1})
    assert "unknown key 'batchsize'; did you mean 'batch_size'?" in refused(tmp_path, {"batchsize": 64})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch_size", 0),
        ("batch_size", "many"),
        ("num_epochs", 2.5),
        ("lr", 0),
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("lr", None),
        ("beta_entropy", -0.1),
        ("discount_factor", 1.01),
        ("loss_type", "hubert"),
        ("exploration_type", "greedy"),
        ("e_greedy_value", 2),
        ("num_episodes_between_training", 0),
        ("sac_alpha", 2),
        ("stack_size", [1]),
    ],
)
def test_an_impossible_value_is_refused_by_name(tmp_path: Path, key: str, value: Any) -> None:
    assert f"hyperparameters.json: {key} is " in refused(tmp_path, {key: value})


@pytest.mark.parametrize("content", ["", "{", "[1]", "7", "null", '{"lr": 1e}', "\xff\x00", "[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: str) -> None:
    assert "JSON" in refused(tmp_path, content)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("num_epochs", 2, "3 to 10"),
        ("num_epochs", 11, "3 to 10"),
        ("lr", 0.01, "1e-08 to 0.001"),
        ("num_episodes_between_training", 101, "5 to 100"),
        ("batch_size", 48, "32, 64, 128, 256 and 512"),
        ("batch_size", 1024, "32, 64, 128, 256 and 512"),
        ("stack_size", 4, "no effect"),
        ("exploration_type", "e-greedy", "no effect"),
        ("term_cond_max_episodes", 500, "no effect"),
        ("term_cond_avg_score", 99, "no effect"),
    ],
)
def test_what_the_console_would_not_have_allowed_is_remarked_on(key: str, value: Any, allowed: str) -> None:
    (remark,) = Hyperparameters(**{key: value}).remarks()
    assert key in remark
    assert allowed in remark


@pytest.mark.parametrize(("key", "value"), [("num_epochs", 3), ("num_epochs", 10), ("lr", 1e-3), ("batch_size", 512)])
def test_the_ends_of_a_range_are_no_reason_for_a_remark(key: str, value: Any) -> None:
    assert Hyperparameters(**{key: value}).remarks() == []


def test_a_folder_without_the_two_json_files_has_defaults(model: MakeModel) -> None:
    folder = model()
    for name in ("model_metadata.json", "hyperparameters.json"):
        (folder / name).unlink()
    read = ModelFolder.read(folder)
    assert read.metadata == ModelMetadata()
    assert read.hyperparameters == Hyperparameters()


def test_a_folder_without_a_reward_function_is_refused(model: MakeModel, tmp_path: Path) -> None:
    folder = model()
    (folder / "reward_function.py").unlink()
    for missing in (folder, tmp_path / "nowhere", folder / "model_metadata.json"):
        with pytest.raises(RewardError, match=r"a model folder holds reward_function\.py"):
            ModelFolder.read(missing)


@pytest.mark.parametrize("name", ["model_metadata.json", "hyperparameters.json"])
def test_a_file_that_cannot_be_read_is_named(model: MakeModel, name: str) -> None:
    folder = model()
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(MetadataError, match=f"{name} cannot be read"):
        ModelFolder.read(folder)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_new_model_folder_can_be_trained(example: str, tmp_path: Path) -> None:
    files = make_model_folder(tmp_path / "mine", example)
    assert [file.name for file in files] == ["reward_function.py", "model_metadata.json", "hyperparameters.json"]
    folder = ModelFolder.read(tmp_path / "mine")
    assert folder.hyperparameters.remarks() == []
    RewardFunction.load(folder.reward)


def test_a_new_model_folder_has_every_hyperparameter_to_edit(tmp_path: Path) -> None:
    make_model_folder(tmp_path / "mine", "centre_line")
    written = json.loads((tmp_path / "mine" / "hyperparameters.json").read_text())
    assert set(written) == set(DEFAULTS)
    assert {key for key in DEFAULTS if written[key] != DEFAULTS[key]} == {
        "batch_size",
        "num_epochs",
        "lr",
        "num_episodes_between_training",
    }
    assert not Hyperparameters.read(tmp_path / "mine" / "hyperparameters.json").remarks()
    assert ModelFolder.read(tmp_path / "mine").metadata.actions == DEFAULT_ACTIONS


def test_a_new_model_folder_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for taken in (tmp_path / "file", tmp_path / "full"):
        with pytest.raises(RacerError, match="exists already"):
            make_model_folder(taken, "centre_line")
    assert [f.name for f in (tmp_path / "full").iterdir()] == ["file"]
    with pytest.raises(RacerError, match="cannot be written"):
        make_model_folder(tmp_path / "file" / "below", "centre_line")


def test_a_new_run_remarks_on_what_does_not_take_effect(model: MakeModel, tmp_path: Path) -> None:
    folder = model(num_epochs=1, num_episodes_between_training=5)
    metadata = json.loads((folder / "model_metadata.json").read_text()) | {"training_algorithm": "sac"}
    (folder / "model_metadata.json").write_text(json.dumps(metadata))
    _, remarks = started(folder, "oval", tmp_path / "run")
    assert [remark.split()[0] for remark in remarks] == ["num_epochs", "model_metadata.json"]


def test_the_network_that_is_named_but_not_trained_is_remarked_on(model: MakeModel, tmp_path: Path) -> None:
    folder = model(sensor="FRONT_FACING_CAMERA", num_epochs=3, num_episodes_between_training=5)
    shallow = "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"
    _, remarks = started(folder, "oval", tmp_path / "compact")
    assert len(remarks) == 1
    assert f"--network {shallow}" in remarks[0]
    run, remarks = started(folder, "oval", tmp_path / "shallow", network=shallow.lower())
    assert remarks == []
    assert run.settings.network == shallow
