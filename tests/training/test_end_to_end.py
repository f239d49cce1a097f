"""A model folder becomes a driver: the commands, as a user types them, on a run small enough for a test."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from racer_env.bundle import Bundle
from racer_env.metadata import ModelMetadata
from training.run_folder import RunFolder

REWARD = """
def reward_function(params):
    print("step", params["steps"])
    return max(1.0 - 2.0 * params["distance_from_center"] / params["track_width"], 0.001)
"""


def racer(*words: object, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "racer_env.cli", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)


def make_model(folder: Path, reward: str = REWARD, sensor: str = "FRONT_FACING_CAMERA") -> Path:
    folder.mkdir()
    (folder / "reward_function.py").write_text(reward)
    (folder / "model_metadata.json").write_text(ModelMetadata(sensors=(sensor,)).to_json())
    few = {"num_episodes_between_training": 5, "num_epochs": 3}
    (folder / "hyperparameters.json").write_text(json.dumps(few))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    done = racer(
        "train", make_model(folder / "model"), "--track", "oval", "--run", folder / "run", "--steps", 1500, "--cars", 8
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


def episodes(run: Path) -> list[int]:
    """Episode numbers of all simtrace rows, file by file."""
    files = sorted((run / "training-simtrace").glob("*.csv"), key=lambda f: int(f.name.split("-")[0]))
    return [int(row["episode"]) for file in files for row in csv.DictReader(file.read_text().splitlines())]


@pytest.mark.slow
def test_a_run_has_the_files_that_deepracer_tools_expect(run: Path) -> None:
    numbers = episodes(run)
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))
    first = list(csv.DictReader((run / "training-simtrace" / "0-iteration.csv").read_text().splitlines()))
    assert len({row["episode"] for row in first}) == 5
    assert first[0]["episode_status"] == "prepare"
    metrics = json.loads((run / "metrics" / "TrainingMetrics.json").read_text())
    assert {row["phase"] for row in metrics["metrics"]} == {"training", "evaluation"}
    assert json.loads((run / "ip" / "hyperparameters.json").read_text())["num_epochs"] == 3
    assert ModelMetadata.read(run / "model" / "model_metadata.json").sensors == ("FRONT_FACING_CAMERA",)
    assert "step 2" in (run / "logs" / "reward.log").read_text()
    assert json.loads((run / "provenance.json").read_text())["packages"]["torch"]


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(run: Path) -> None:
    before, count = RunFolder.open(run).course(), len(set(episodes(run)))
    done = racer("train", "--resume", run, "--steps", 700)
    assert done.returncode == 0, done.stderr
    after = RunFolder.open(run).course()
    assert after.steps >= before.steps + 640
    assert after.episodes > before.episodes
    numbers = sorted(set(episodes(run)))
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > count


@pytest.mark.slow
def test_the_bundle_drives_the_very_laps_of_its_run(run: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "driver.tar.gz"
    assert racer("export", run, "-o", bundle).returncode == 0
    assert Bundle.open(bundle).check() is not None
    assert "is good: the car loads it and drives" in racer("car", "check", bundle).stdout
    picture = tmp_path / "lap.png"
    laps = ["--laps", "1", "--resets", "2", "--json"]
    ours = racer("evaluate", run, "--picture", picture, *laps)
    theirs = racer("evaluate", bundle, "--track", "oval", "--car", "deepracer_v5", *laps)
    assert json.loads(ours.stdout)["laps"] == json.loads(theirs.stdout)["laps"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(run.glob("evaluation-" + "[0-9]" * 14 + "*/evaluation-simtrace/0-iteration.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_survives_being_stopped(tmp_path: Path, how: signal.Signals) -> None:
    run = tmp_path / "run"
    words = ["train", make_model(tmp_path / "model", sensor="STATE"), "--track", "oval", "--run", run, "--minutes", 3]
    process = subprocess.Popen(
        [sys.executable, "-m", "racer_env.cli", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 90
    while not (run / "checkpoints" / "last.zip").exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -9)
    steps = RunFolder.open(run).course().steps
    done = racer("train", "--resume", run, "--steps", 640)
    assert done.returncode == 0, done.stderr
    assert RunFolder.open(run).course().steps > steps


@pytest.mark.slow
def test_training_from_the_state_learns_to_drive(tmp_path: Path) -> None:
    run = tmp_path / "run"
    model = make_model(tmp_path / "model", REWARD.replace('print("step", params["steps"])', "pass"), "STATE")
    done = racer("train", model, "--track", "oval", "--run", run, "--steps", 16000, "--until-laps", 5)
    assert done.returncode == 0, done.stderr
    history = RunFolder.open(run).course().history
    assert max(entry["completion"] for entry in history) > 60.0
    assert np.isfinite([entry["seconds"] for entry in history]).all()


@pytest.mark.slow
def test_a_driver_that_sees_the_state_is_not_exported(tmp_path: Path) -> None:
    run = tmp_path / "run"
    model = make_model(tmp_path / "model", sensor="STATE")
    assert racer("train", model, "--track", "oval", "--run", run, "--steps", 64, "--cars", 4).returncode == 0
    refused = racer("export", run, "-o", tmp_path / "driver.tar.gz")
    assert refused.returncode == 2
    assert "STATE" in refused.stderr
    assert not list(tmp_path.glob("*.tar.gz*"))


@pytest.mark.slow
def test_a_reward_that_fails_in_the_middle_is_blamed_by_line_and_the_run_is_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    late = "calls = 0\ndef reward_function(params):\n    global calls\n    calls += 1\n    return 1 / (calls < 60)\n"
    model = make_model(tmp_path / "model", late, "STATE")
    failed = racer("train", model, "--track", "oval", "--run", run, "--steps", 5000, "--cars", 4)
    assert failed.returncode == 2
    assert "reward_function.py:5" in failed.stderr
    assert "ZeroDivisionError" in failed.stderr
    assert RunFolder.open(run).settings.cars == 4


def test_what_cannot_be_trained_or_driven_is_one_sentence(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    for words, said in (
        (("train", model), "--track"),
        (("evaluate", tmp_path / "no.tar.gz", "--track", "oval"), "no.tar.gz"),
    ):
        done = racer(*words)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
