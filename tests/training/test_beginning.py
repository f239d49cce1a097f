"""Laws of going on from a driver: it drives on as it did, wherever it comes from, and what does not fit is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import BundleError, RacerError
from racer_env.metadata import ModelMetadata
from racer_env.obstacles import Obstacles
from racer_env.policy_graph import policy_graph
from racer_env.policy_layers import policy_layers
from tests.racer_env.coach.make_coach_graphs import CASES, LARGE
from tests.racer_env.coach.test_coach_graphs import HERE, metadata_of, tensorflow
from tests.training.conftest import CONTINUOUS, DISCRETE, MakeModel
from training.beginning import LOG_DEVIATION, fitting, from_bundle, from_run
from training.export import answers_of, bundle_of, export, observed
from training.networks import DriverPolicy
from training.policy_driver import load_driver, read_parameters, untrained
from training.run_folder import RunFolder
from training.start import started
from training.trainer import Trainer

CAMERA = "FRONT_FACING_CAMERA"
Shown = Callable[..., str]


@pytest.fixture(scope="module")
def exported(follower: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a driver that completes laps."""
    path = tmp_path_factory.mktemp("exported") / "driver.tar.gz"
    export(follower, path)
    return path


def policy_of(run: RunFolder) -> DriverPolicy:
    policy = Trainer(run).ppo.policy
    assert isinstance(policy, DriverPolicy)
    return policy


def test_a_run_from_a_bundle_begins_with_its_driver(
    exported: Path, follower: RunFolder, model: MakeModel, tmp_path: Path
) -> None:
    beginning = from_bundle(exported)
    assert (beginning.network, beginning.metadata.actions) == ("compact", DISCRETE)
    run, remarks = started(model(sensor=CAMERA), "oval", tmp_path / "run", cars=4, beginning=beginning)
    assert not [remark for remark in remarks if "network" in remark]
    assert run.settings.begun_from == str(exported)
    policy, old = policy_of(run), load_driver(follower).policy
    for seen in observed(run):
        np.testing.assert_allclose(answers_of(policy, seen), answers_of(old, seen), atol=1e-6)
    trainer = Trainer(run)
    assert trainer.evaluate().complete.all()  # without having learnt anything


def test_a_run_that_was_stopped_before_its_first_checkpoint_still_begins_with_the_driver(
    exported: Path, model: MakeModel, tmp_path: Path
) -> None:
    run, _ = started(model(sensor=CAMERA), "oval", tmp_path / "run", cars=4, beginning=from_bundle(exported))
    assert not run.checkpoint("last").exists()
    assert Trainer(run, resume=True).evaluate().complete.all()


def test_training_goes_on_and_is_resumed_from_its_own_weights(
    exported: Path, model: MakeModel, shown: Shown, tmp_path: Path
) -> None:
    words = ("train", model(sensor=CAMERA), "--track", "oval", "--cars", 4, "--run", tmp_path / "run")
    shown(*words, "--from", exported, "--steps", 1)
    run = RunFolder.open(tmp_path / "run")
    began, learnt = (read_parameters(run, which)["policy"]["action_net.weight"] for which in ("start", "last"))
    assert not torch.equal(began, learnt)
    shown("train", "--resume", tmp_path / "run", "--steps", 1)
    assert run.last_course().iterations == 2


def test_the_best_of_a_run_is_never_worse_than_what_it_began_with(
    exported: Path, model: MakeModel, shown: Shown, tmp_path: Path
) -> None:
    ruinous = model(sensor=CAMERA, lr=1.0)
    words = ("--track", "oval", "--cars", 4, "--run", tmp_path / "run", "--from", exported, "--steps", 300)
    assert "best evaluation 100 %" in shown("train", ruinous, *words)
    run = RunFolder.open(tmp_path / "run")
    before, *after = run.last_course().history
    assert (before["steps"], before["laps_complete"]) == (0, 5)
    assert max(entry["laps_complete"] for entry in after) < 5
    began, best = (read_parameters(run, which)["policy"]["action_net.weight"] for which in ("start", "best"))
    assert torch.equal(began, best)


def test_without_metadata_the_drivers_own_is_taken(exported: Path, model: MakeModel, tmp_path: Path) -> None:
    folder = model(sensor="STATE", actions=CONTINUOUS)
    (folder / "model_metadata.json").unlink()
    run, _ = started(folder, "oval", tmp_path / "run", cars=4, beginning=from_bundle(exported))
    assert run.model.metadata == from_bundle(exported).metadata
    assert run.model.metadata.sensors == (CAMERA,)


def test_a_driver_may_be_given_other_angles_and_speeds(exported: Path, model: MakeModel, tmp_path: Path) -> None:
    faster = DiscreteActions((-20.0, 0.0, 20.0), (2.0, 3.0, 2.0))
    run, _ = started(
        model(sensor=CAMERA, actions=faster), "oval", tmp_path / "run", cars=4, beginning=from_bundle(exported)
    )
    assert run.model.metadata.actions == faster


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sensor": "LEFT_CAMERA"}, "sees FRONT_FACING_CAMERA, but model_metadata.json says LEFT_CAMERA"),
        ({"actions": CONTINUOUS}, "has 3 actions, but model_metadata.json has continuous actions"),
        ({"actions": DiscreteActions((-1.0, 1.0), (1.0, 1.0))}, "has 3 actions, but model_metadata.json has 2 actions"),
    ],
)
def test_a_model_that_does_not_fit_the_driver_is_refused(
    exported: Path, model: MakeModel, refused: Shown, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    folder = model(**{"sensor": CAMERA, **changes})
    assert sentence in refused("train", folder, "--track", "oval", "--from", exported, "--run", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_begun_with_is_refused(
    exported: Path, follower: RunFolder, model: MakeModel, refused: Shown, racer: Callable[..., Any], tmp_path: Path
) -> None:
    words = ("train", model(sensor=CAMERA), "--run", tmp_path / "run")
    track = ("--track", "oval")
    assert "has the network compact, which stays" in refused(
        *words, *track, "--from", exported, "--network", "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"
    )
    assert "cannot be read: No such file" in refused(*words, *track, "--from", tmp_path / "none.tar.gz")
    assert "is not a run folder" in refused(*words, *track, "--clone", tmp_path)
    assert "needs a model folder and --track" in refused(*words, "--from", exported)
    assert "needs a model folder and --track" in refused("train", *track, "--from", exported)
    assert "--reverse needs --track" in refused(*words, "--clone", follower.path, "--reverse")
    both = racer(*words, *track, "--from", exported, "--clone", follower.path)
    assert (both.exit_code, "leave one" in both.output) == (2, True)
    assert "leave out --from" in refused("train", "--resume", follower.path, "--from", exported)
    assert not (tmp_path / "run").exists()


def test_a_clone_begins_with_everything_of_the_old_run(follower: RunFolder, shown: Shown, tmp_path: Path) -> None:
    shown("train", "--clone", follower.path, "--run", tmp_path / "run", "--cars", 4, "--steps", 1)
    run = RunFolder.open(tmp_path / "run")
    assert (run.model.metadata, run.settings.track, run.settings.car) == (
        follower.model.metadata,
        follower.settings.track,
        follower.settings.car,
    )
    assert run.model.reward.read_bytes() == follower.model.reward.read_bytes()
    assert run.settings.begun_from == str(follower.path)
    assert [entry["steps"] for entry in run.last_course().history] == [0, 128]
    new = load_driver(run, "start").policy
    for name, value in load_driver(follower).policy.state_dict().items():
        assert torch.equal(new.state_dict()[name], value), name  # the critic too


def test_a_clone_may_have_another_reward_track_and_race(
    follower: RunFolder, model: MakeModel, shown: Shown, tmp_path: Path
) -> None:
    folder = model("def reward_function(params):\n    return params['speed']\n", sensor=CAMERA)
    words = ("train", folder, "--clone", follower.path, "--cars", 4, "--steps", 1, "--track", "kidney")
    shown(*words, "--run", tmp_path / "run", "--race", "object_avoidance", "--obstacles", 2)
    run = RunFolder.open(tmp_path / "run")
    assert (run.settings.track, run.race.obstacles) == ("kidney", Obstacles(2))
    assert b"speed" in run.model.reward.read_bytes()
    shown("train", "--clone", tmp_path / "run", "--run", tmp_path / "again", "--cars", 4, "--steps", 1)
    again = RunFolder.open(tmp_path / "again")
    assert (again.settings.track, again.race.obstacles) == ("kidney", Obstacles(2))


def test_a_critic_that_sees_something_else_begins_anew_and_a_driver_never_does(follower: RunFolder) -> None:
    weights = from_run(follower.path).weights
    own = untrained(follower).state_dict()
    assert fitting(weights, own).keys() == own.keys()
    other = {**own, "vf_features_extractor.embedders.STATE.0.weight": torch.zeros(128, 41)}
    assert {name.split(".")[0] for name in fitting(weights, other)} == {"pi_features_extractor", "action_net"}
    with pytest.raises(KeyError):
        fitting({k: v for k, v in weights.items() if k != "action_net.bias"}, own)


def imported(run: RunFolder, folder: Path) -> tuple[DriverPolicy, Any]:
    """Export an untrained driver and take it back."""
    torch.manual_seed(6)
    policy = untrained(run)
    bundle_of(policy, run, "driver").write(folder / "driver.tar.gz")
    return policy, from_bundle(folder / "driver.tar.gz")


@pytest.mark.parametrize(
    ("network", "sensors"),
    [
        ("DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", (CAMERA,)),
        ("DEEP_CONVOLUTIONAL_NETWORK_DEEP", ("LEFT_CAMERA",)),
        ("compact", ("STEREO_CAMERAS", "SECTOR_LIDAR")),
    ],
)
def test_weights_come_back_as_they_went_out(
    network: str, sensors: tuple[str, ...], model: MakeModel, tmp_path: Path
) -> None:
    folder = model(sensor=CAMERA, actions=CONTINUOUS)
    (folder / "model_metadata.json").write_text(ModelMetadata(CONTINUOUS, sensors).to_json())
    run, _ = started(folder, "oval", tmp_path / "run", network=network, cars=2)
    policy, beginning = imported(run, tmp_path)
    assert beginning.network == network
    for name, value in policy.state_dict().items():
        if name == "log_std":
            assert torch.equal(beginning.weights[name], torch.full((2,), LOG_DEVIATION))
        elif name.startswith(("pi_", "action_net")):
            assert torch.equal(beginning.weights[name], value), name


def virtual(folder: Path, name: str, **changes: Any) -> Path:
    """Lay a graph of Coach as a virtual model."""
    (folder / "model").mkdir()
    (folder / "model" / "model_7.pb").write_bytes((HERE / f"{name}.pb").read_bytes())
    text = json.loads(metadata_of(CASES[name]).to_json()) | changes
    (folder / "model" / "model_metadata.json").write_text(json.dumps(text))
    checkpoint = {"name": "7_Step-900.ckpt"}
    lists = {"best_checkpoint": checkpoint, "last_checkpoint": checkpoint}
    (folder / "model" / "deepracer_checkpoints.json").write_text(json.dumps(lists))
    return folder


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "ppo_discrete",
            r"its layers \(4x1x8x8 4x4x4x4 16x60\) are those of none of DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
        ),
        ("sac", "are those of none of"),
    ],
)
def test_a_driver_of_another_network_is_refused(name: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"can drive here, but training cannot go on from it: .*{sentence}"):
        from_bundle(virtual(tmp_path, name))


@pytest.mark.tensorflow
def test_training_goes_on_from_a_driver_with_the_originals_network(tmp_path: Path) -> None:
    tensorflow("large", tmp_path)
    for name, case in LARGE.items():
        text = metadata_of(case).to_json()
        (tmp_path / "model_metadata.json").write_text(text)
        if case.algorithm == "sac":
            with pytest.raises(BundleError, match=r"512x11264 256x512. are those of none of"):
                from_bundle(tmp_path / f"{name}.pb")
        else:
            assert from_bundle(tmp_path / f"{name}.pb").network == "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"


def test_a_squashed_driver_is_refused(exported: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(exported)
    policy = policy_layers(bundle.graph)
    head = replace(policy.head, weight=policy.head.weight[:2], bias=policy.head.bias[:2])
    box = replace(bundle.metadata, actions=ContinuousActions((-30.0, 30.0), (0.5, 1.5)))
    Bundle(box, policy_graph(replace(policy, head=head, output="tanh")), "squashed").write(tmp_path / "squashed.tar.gz")
    with pytest.raises(BundleError, match="go through a tanh, which those of PPO do not"):
        from_bundle(tmp_path / "squashed.tar.gz")


def test_a_virtual_model_races_here_from_its_folder(tmp_path: Path, shown: Shown, refused: Shown) -> None:
    words = ("--track", "oval", "--laps", 1, "--resets", 0, "--json")
    folder = virtual(tmp_path, "ppo_continuous")
    driven = json.loads(shown("evaluate", folder, *words))["laps"]
    assert driven[0]["time_ms"] > 0
    assert json.loads(shown("evaluate", folder / "model" / "model_7.pb", *words))["laps"] == driven
    assert json.loads(shown("evaluate", folder, "--which", "last", *words))["laps"] == driven
    (folder / "model" / "model_7.pb").unlink()
    assert "is not a run folder, nor has it a driver" in refused("evaluate", folder, *words)


def test_a_virtual_model_becomes_a_cars_archive(
    tmp_path: Path, shown: Shown, refused: Shown, racer: Callable[..., Any]
) -> None:
    folder, output = virtual(tmp_path, "sac"), tmp_path / "sac.tar.gz"
    assert "checked against" in shown("export", folder, "-o", output)
    words = ("--track", "oval", "--laps", 1, "--resets", 0, "--json")
    driven = json.loads(shown("evaluate", output, *words))["laps"]
    assert driven == json.loads(shown("evaluate", folder, *words))["laps"]
    assert "is good: the car loads it and drives" in shown("car", "check", output)
    assert racer("export", folder, "-o", output, "--onnx").exit_code == 2
    assert "letters, digits" in refused("export", folder, "-o", tmp_path / "a b.tar.gz")
    (tmp_path / "empty").mkdir()
    assert "holds no model" in refused("export", tmp_path / "empty", "-o", output)


def test_a_start_that_was_damaged_is_one_sentence(exported: Path, model: MakeModel, tmp_path: Path) -> None:
    run, _ = started(model(sensor=CAMERA), "oval", tmp_path / "run", cars=4, beginning=from_bundle(exported))
    run.checkpoint("start").write_bytes(b"PK")
    with pytest.raises(RacerError, match=r"start\.zip is not a checkpoint that can be read"):
        Trainer(run)
