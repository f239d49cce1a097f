"""`racer train`, `evaluate` and `export` as a user types them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from racer_env.bundle import Bundle
from racer_env.errors import BundleError
from racer_env.obstacles import Bots, Obstacles
from racer_env.replay_file import read as read_replay
from training import export as exporting
from training.policy_driver import load_driver
from training.run_folder import RunFolder

MakeModel = Callable[..., Path]
Racer = Callable[..., Result]
Shown = Callable[..., str]

STAMP = re.compile(r"evaluation-\d{14}")


@pytest.fixture
def trained(model: MakeModel, train: Shown, tmp_path: Path) -> Path:
    train(model(), tmp_path / "run", "--steps", 1)
    return tmp_path / "run"


def laps(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(text)["laps"]
    return rows


def test_training_tells_what_it_does_and_what_comes_next(model: MakeModel, train: Shown, tmp_path: Path) -> None:
    text = train(model(num_epochs=2), tmp_path / "run", "--steps", 200)
    assert "note: num_epochs is 2; the DeepRacer console allowed 3 to 10\n" in text
    assert f"training {tmp_path / 'run'}: compact on oval with deepracer_v5, until 200 steps\n" in text
    assert "256 steps" in text
    assert f"next: racer evaluate {tmp_path / 'run'}, " in text


def test_a_run_is_named_after_its_model(
    model: MakeModel, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "mine-2"):
        shown("train", model(name="mine"), "--track", "oval", "--steps", 1, "--cars", 4)
        assert RunFolder.open(tmp_path / "runs" / name).course().steps > 0


def test_a_run_goes_on_with_what_it_was_started_with(trained: Path, shown: Shown, refused: Shown) -> None:
    shown("train", "--resume", trained, "--steps", 1)
    assert RunFolder.open(trained).course().steps == 256
    sentence = refused("train", trained, "--resume", trained, "--track", "oval", "--cars", 8, "--seed", 1)
    assert "leave out the model folder, --track, --seed, --cars" in sentence
    assert "is not a run folder" in refused("train", "--resume", trained.parent)


def test_stop_rules_count_from_the_resumption(trained: Path, shown: Shown) -> None:
    shown("train", "--resume", trained, "--steps", 200, "--until-laps", 99)
    assert RunFolder.open(trained).course().steps == 128 + 256


@pytest.mark.parametrize(
    "words",
    [
        *(("--steps", 0), ("--minutes", "nan"), ("--minutes", -1), ("--until-laps", 0), ("--cars", 0), ("--seed", -1)),
        *(("--until-lap-time", "inf"), ("--until-progress", 101), ("--evaluate-every", 0)),
        ("--until-lap-time", 9, "--until-progress", 90),
    ],
)
def test_a_number_out_of_range_is_a_usage_error(model: MakeModel, racer: Racer, words: tuple[object, ...]) -> None:
    result = racer("train", model(), "--track", "oval", *words)
    assert result.exit_code == 2
    assert str(words[0]) in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a new run needs a model folder and --track"),
        (("--track", "ovall"), "did you mean 'oval'?"),
        (("--track", "oval", "--car", "deepracer_v7"), "did you mean 'deepracer_v"),
        (("--track", "oval", "--network", "compct"), "did you mean 'compact'?"),
        (("--track", "oval", "--critic", "ALL"), "must be one of STATE, SENSORS"),
        (("--track", "oval", "--best", "speed"), "must be one of progress, reward, lap-time"),
        (("--track", "oval", "--reverse", "--both-directions"), "exclude each other"),
    ],
)
def test_what_a_new_run_cannot_use_is_refused_and_nothing_is_written(
    model: MakeModel, refused: Shown, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    folder = model()
    assert said in refused("train", folder, "--run", tmp_path / "run", *words)
    assert [f.name for f in tmp_path.iterdir()] == ["model"]


def test_a_sensor_that_no_car_has_is_refused_before_anything_is_written(
    model: MakeModel, refused: Shown, tmp_path: Path
) -> None:
    folder = model()
    (folder / "model_metadata.json").write_text((folder / "model_metadata.json").read_text().replace("STATE", "SONAR"))
    assert "SONAR" in refused("train", folder, "--track", "oval", "--run", tmp_path / "run")
    assert [f.name for f in tmp_path.iterdir()] == ["model"]


def test_what_the_reward_function_printed_is_shown_when_it_fails(
    model: MakeModel, racer: Racer, tmp_path: Path
) -> None:
    late = (
        "n = 0\ndef reward_function(params):\n    global n\n    n += 1\n    print('call', n)\n    return 1 / (n < 50)\n"
    )
    result = racer("train", model(late), "--track", "oval", "--cars", 4, "--run", tmp_path / "run")
    assert "ZeroDivisionError" in str(result.exception)
    assert f"reward_function printed, at last (all of it: {tmp_path / 'run' / 'logs' / 'reward.log'}):" in result.output
    assert result.output.endswith("  call 50\n")
    assert RunFolder.open(tmp_path / "run").course().steps == 128


def test_a_training_can_wait_for_a_lap_time_in_both_directions(model: MakeModel, train: Shown, tmp_path: Path) -> None:
    words = ("--both-directions", "--best", "lap-time", "--until-lap-time", 12.5, "--evaluate-every", 2)
    text = train(model(), tmp_path / "run", *words, "--steps", 256)
    assert "on oval in both directions with" in text
    assert "until 5 evaluation laps in a row of at most 12.5 s or 256 steps\n" in text
    assert "0 of 10 laps, 0 of 5 in a row of at most 12.5 s\n" in text
    run = RunFolder.open(tmp_path / "run")
    assert [entry["laps"] for entry in run.course().history] == [10]
    assert (run.settings.best, run.settings.evaluate_every) == ("lap-time", 2)


def test_evaluation_tells_laps_in_whole_milliseconds(follower: RunFolder, shown: Shown) -> None:
    rows = laps(shown("evaluate", follower.path, "--laps", 2, "--json"))
    assert [row["trial"] for row in rows] == [1, 2]
    for row in rows:
        assert isinstance(row["time_ms"], int)
        assert row["status"] == "lap_complete"
        assert row["completion_percentage"] == 100.0
        assert row["off_track_count"] == row["reset_count"] == 0
        assert 8_000 < row["time_ms"] < 30_000
    table = shown("evaluate", follower.path, "--laps", 2)
    assert all(f"{row['time_ms'] / 1000:.3f}" in table for row in rows)


def test_off_tracks_are_counted_and_paid_for(trained: Path, shown: Shown) -> None:
    words = ("evaluate", trained, "--laps", 1, "--json", "--resets", 2, "--off-track-penalty")
    cheap, dear = (laps(shown(*words, seconds))[0] for seconds in (1, 3))
    assert cheap["off_track_count"] == dear["off_track_count"] == 3
    assert dear["time_ms"] - cheap["time_ms"] == 2 * 2000


def test_a_bundle_drives_the_same_laps_to_the_millisecond(follower: RunFolder, shown: Shown, tmp_path: Path) -> None:
    bundle = tmp_path / "driver.tar.gz"
    assert "checked against the run's network" in shown("export", follower.path, "-o", bundle)
    ours = laps(shown("evaluate", follower.path, "--json"))
    theirs = laps(shown("evaluate", bundle, "--track", "oval", "--car", follower.settings.car, "--json"))
    assert len(ours) == 3
    assert theirs == ours


def test_every_evaluation_of_a_run_is_kept(trained: Path, shown: Shown) -> None:
    for _ in range(3):  # within the same second or not
        shown("evaluate", trained, "--laps", 1, "--resets", 0)
    folders = sorted(f.name for f in trained.iterdir() if f.name.startswith("evaluation-"))
    assert len(folders) == 3
    for folder in folders:
        assert STAMP.fullmatch(folder)
        rows = (trained / folder / "evaluation-simtrace" / "0-iteration.csv").read_text().splitlines()
        assert rows[0].startswith("episode,steps,X,Y")
        content = json.loads((trained / "metrics" / f"EvaluationMetrics-{folder[11:]}.json").read_text())
        (row,) = content["metrics"]
        assert row["episode_status"] == "Off track"
        assert row["elapsed_time_in_milliseconds"] == row["metric_time"] - row["start_time"] > 0
        assert (row["off_track_count"], row["reset_count"], row["trial"]) == (1, 1, 1)


def test_a_picture_of_the_drive_is_written(follower: RunFolder, shown: Shown, refused: Shown, tmp_path: Path) -> None:
    shown("evaluate", follower.path, "--laps", 1, "--picture", tmp_path / "lap.png")
    assert (tmp_path / "lap.png").read_bytes().startswith(b"\x89PNG")
    kept = len(list(follower.path.glob("evaluation-*")))
    assert "end in .mp4, .gif or .png" in refused(
        "evaluate", follower.path, "--laps", 1, "--picture", tmp_path / "lap.jpg", "--replay", tmp_path / "lap.replay"
    )
    assert not (tmp_path / "lap.replay").exists()
    assert len(list(follower.path.glob("evaluation-*"))) == kept


def test_a_replay_of_the_drive_is_kept(follower: RunFolder, shown: Shown, tmp_path: Path) -> None:
    words = ("evaluate", follower.path, "--laps", 1, "--replay", tmp_path / "lap.replay", "--json")
    (lap,) = json.loads(shown(*words))["laps"]
    replay = read_replay(tmp_path / "lap.replay")
    assert replay.names == (follower.path.name,)
    assert [one.time_ms for one in replay.laps()] == [lap["time_ms"]]


def test_what_cannot_be_evaluated_is_refused(
    trained: Path, model: MakeModel, refused: Shown, racer: Racer, tmp_path: Path
) -> None:
    (tmp_path / "text.tar.gz").write_text("no archive")
    assert "nowhere.tar.gz cannot be read" in refused("evaluate", tmp_path / "nowhere.tar.gz", "--track", "oval")
    assert "text.tar.gz" in refused("evaluate", tmp_path / "text.tar.gz", "--track", "oval")
    assert "is not a run folder" in refused("evaluate", model(name="a-model"), "--track", "oval")
    trained_bundle = racer("evaluate", trained, "--which", "newest")
    assert trained_bundle.exit_code == 2
    (trained / "checkpoints" / "best.zip").unlink()
    assert "has no checkpoint 'best' yet" in refused("evaluate", trained)


def test_a_bundle_needs_to_be_told_the_track(follower: RunFolder, shown: Shown, racer: Racer, tmp_path: Path) -> None:
    shown("export", follower.path, "-o", tmp_path / "driver.tar.gz")
    result = racer("evaluate", tmp_path / "driver.tar.gz")
    assert result.exit_code == 2
    assert "--track" in result.output


@pytest.mark.parametrize("network", ["compact", "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"])
@pytest.mark.parametrize("kind", ["discrete", "continuous"])
def test_an_exported_driver_passes_the_cars_checks(
    model: MakeModel, shown: Shown, tmp_path: Path, network: str, kind: str
) -> None:
    from racer_env.car import ContinuousActions, DiscreteActions

    actions: Any = ContinuousActions((-30.0, 30.0), (0.5, 1.5))
    if kind == "discrete":
        actions = DiscreteActions((-20.0, 0.0, 20.0), (1.0, 1.0, 1.0))
    folder = model(sensor="FRONT_FACING_CAMERA", actions=actions)
    from training.start import started
    from training.trainer import Trainer

    run, _ = started(folder, "oval", tmp_path / "run", cars=2, network=network)
    Trainer(run).save("best")
    shown("export", run.path, "-o", tmp_path / "driver.tar.gz")
    bundle = Bundle.open(tmp_path / "driver.tar.gz")
    bundle.check()
    assert bundle.metadata.actions == actions
    assert bundle.metadata.neural_network == "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"
    policy = load_driver(run).policy
    assert exporting.compare(policy, bundle, bundle.blank(3)) <= 1e-5


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    trained: Path, follower: RunFolder, refused: Shown, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    assert "sees STATE" in refused("export", trained, "-o", tmp_path / "driver.tar.gz")
    assert ".tar.gz" in refused("export", follower.path, "-o", tmp_path / "driver.zip")
    assert "cannot be written" in refused("export", follower.path, "-o", tmp_path / "nowhere" / "driver.tar.gz")
    assert "is not a run folder" in refused("export", tmp_path, "-o", tmp_path / "driver.tar.gz")
    assert sorted(tmp_path.iterdir()) == before


def test_a_graph_that_does_not_agree_with_torch_is_not_written(
    follower: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "answers_of", lambda *_: np.full((8, 3), 0.5))
    with pytest.raises(BundleError, match="differs from torch by"):
        exporting.export(follower, tmp_path / "driver.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(
    follower: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        exporting.export(follower, tmp_path / "driver.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_run_can_be_moved(trained: Path, shown: Shown, tmp_path: Path) -> None:
    shutil.move(trained, tmp_path / "elsewhere")
    shown("train", "--resume", tmp_path / "elsewhere", "--steps", 1)
    shown("evaluate", tmp_path / "elsewhere", "--laps", 1, "--resets", 0)


def test_a_run_remembers_what_was_on_its_tracks(model: MakeModel, shown: Shown, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shown(
        *("train", model(), "--track", "oval", "--track", "kidney", "--run", run, "--steps", 1, "--cars", 4),
        *("--race", "object_avoidance", "--obstacles", 2, "--random-places", "--bots", 1, "--bot-speed", 0.4),
        *("--randomise", "mild", "--jitter"),
    )
    opened = RunFolder.open(run)
    assert [track.name for track in opened.tracks] == ["oval", "kidney"]
    assert opened.race.obstacles == Obstacles(2, random=True)
    assert opened.race.bots == Bots(1, speed=0.4, random=True)
    assert (opened.settings.randomise, opened.settings.jitter) == ("mild", True)
    shown("train", "--resume", run, "--steps", 1)
    rows = laps(shown("evaluate", run, "--laps", 1, "--json", "--track", "kidney", "--seed", 3))
    assert rows[0]["crash_count"] + rows[0]["off_track_count"] > 0  # it has learned nothing yet
    assert laps(shown("evaluate", run, "--laps", 1, "--json", "--race", "time_trial"))[0]["crash_count"] == 0


def test_a_driver_with_two_cameras_and_a_lidar_trains_and_drives_from_its_bundle(
    model: MakeModel, train: Shown, shown: Shown, refused: Shown, tmp_path: Path
) -> None:
    for name, second in (("good", "SECTOR_LIDAR"), ("bad", "DISCRETIZED_SECTOR_LIDAR")):
        folder = model(name=name, sensor="STEREO_CAMERAS")
        text = (folder / "model_metadata.json").read_text()
        (folder / "model_metadata.json").write_text(text.replace('"STEREO_CAMERAS"', f'"STEREO_CAMERAS", "{second}"'))
        train(folder, tmp_path / f"run-{name}", "--steps", 1, "--race", "object_avoidance")
    shown("export", tmp_path / "run-good", "-o", tmp_path / "good.tar.gz", "--which", "last")
    options = ("--track", "oval", "--race", "object_avoidance", "--laps", 1, "--resets", 0, "--json")
    driven = laps(shown("evaluate", tmp_path / "good.tar.gz", *options))
    assert driven == laps(shown("evaluate", tmp_path / "run-good", "--which", "last", *options))
    sentence = refused("export", tmp_path / "run-bad", "-o", tmp_path / "bad.tar.gz", "--which", "last")
    assert sentence.endswith("sees DISCRETIZED_SECTOR_LIDAR cannot run on a car; train with SECTOR_LIDAR instead")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--race", "head_to_bots"], "no race is called 'head_to_bots'; did you mean 'head_to_bot'?"),
        (["--bot-speed", "1"], "--bot-speed and --lane-changes need bot cars: add --bots N or --race head_to_bot"),
        (["--random-places"], "--random-places needs something to place"),
        (["--bots", "60"], "60 objects at least 2.00 m apart do not fit on a track of"),
        (["--bots", "1", "--bot-speed", "nan"], "bot cars drive 0 to 4 m/s, not nan"),
        (["--track", "straight"], "oval and straight cannot be mixed"),
        (["--randomise", "mldi"], "no randomisation is called 'mldi'; did you mean 'mild'"),
    ],
)
def test_what_cannot_be_on_a_track_is_refused_with_one_sentence(
    model: MakeModel, refused: Shown, tmp_path: Path, options: list[str], sentence: str
) -> None:
    assert sentence in refused("train", model(), "--track", "oval", "--run", tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


def test_drivers_race_each_other_and_the_one_that_got_farther_stands_first(
    model: MakeModel, train: Shown, shown: Shown, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        train(model(name=f"model-{name}"), tmp_path / name, "--steps", 1)
    words = ("heat", tmp_path / "a", tmp_path / "b", "--track", "oval", "--laps", 1, "--resets", 1)
    results = json.loads(shown(*words, "--json"))["results"]
    assert {row["driver"] for row in results} == {str(tmp_path / "a"), str(tmp_path / "b")}
    assert results[0]["distance"] >= results[1]["distance"]
    assert json.loads(shown(*words, "--json", "--replay", tmp_path / "heat.replay"))["results"] == results
    assert read_replay(tmp_path / "heat.replay").names == ("a", "b")
    assert "place" in shown(*words)


def test_a_heat_of_one_is_refused(trained: Path, racer: Racer) -> None:
    result = racer("heat", trained, "--track", "oval")
    assert result.exit_code == 2
    assert "two drivers or more" in result.output
