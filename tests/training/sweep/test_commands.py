"""`racer sweep` as a user types it."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from training.run_folder import RunFolder
from training.sweep.reward_constants import constants_of

MakeSweep = Callable[..., Path]
Shown = Callable[..., str]
Outcomes = Callable[[Path], list[dict[str, Any]]]
Written = Callable[[Path], Path]


def test_every_training_of_a_sweep_is_a_run_like_any_other(
    done: Path, outcomes: Outcomes, shown: Shown, tmp_path: Path
) -> None:
    trials = outcomes(done)
    assert [trial["state"] for trial in trials] == ["complete", "complete"]
    assert trials[0]["values"] == {"lr": 3e-4, "SPEED_WEIGHT": 0.5}
    for trial in trials:
        for seed in (0, 1):
            run = RunFolder.open(done / f"trial-{trial['number']}" / f"seed-{seed}")
            assert run.settings.seed == seed
            assert run.model.hyperparameters.lr == trial["values"]["lr"]
            assert constants_of(run.path / "reward_function.py")["SPEED_WEIGHT"] == trial["values"]["SPEED_WEIGHT"]
            assert run.course().steps == trial["results"][seed]["steps"] == 256
    shown("train", done / "trial-1" / "model", "--track", "oval", "--cars", 4, "--steps", 1, "--run", tmp_path / "run")


def test_the_comparison_is_shown_as_a_table_as_json_and_as_csv(done: Path, shown: Shown, tmp_path: Path) -> None:
    table = shown("sweep", "show", done)
    assert "±" in table
    told = json.loads(shown("sweep", "show", done, "--json", "--csv", tmp_path / "table.csv"))
    best = told["trials"][0]
    assert f"best: {done}/trial-{best['trial']}/model" in table
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == [trial["trial"] for trial in told["trials"]]
    results = [result["completion"] for result in best["results"]]
    assert float(rows[0]["completion"]) == pytest.approx(sum(results) / 2)
    assert float(rows[0]["completion_high"]) == pytest.approx(
        best["completion"]["mean"] + best["completion"]["half_width"]
    )


def test_a_sweep_whose_trials_are_done_does_not_go_on(done: Path, outcomes: Outcomes, shown: Shown) -> None:
    assert "2 of them done" in shown("sweep", "run", "--resume", done, "--trials", 2)
    assert len(outcomes(done)) == 2


def test_a_sweep_that_ctrl_c_ended_goes_on_as_if_nothing_had_been(
    done: Path, outcomes: Outcomes, written: Written, racer: Callable[..., Result], shown: Shown, tmp_path: Path
) -> None:
    """The reward function is the Ctrl-C: in the first training, of which nothing is kept."""
    plan = written(tmp_path / "w")
    (tmp_path / "w" / "interrupt").touch()
    result = racer("sweep", "run", plan, "-o", tmp_path / "sweep")
    assert result.exit_code == 130
    assert f"go on with: racer sweep run --resume {tmp_path / 'sweep'}" in result.output
    assert [trial["state"] for trial in outcomes(tmp_path / "sweep")] == ["running"]
    (tmp_path / "w" / "interrupt").unlink()
    shown("sweep", "run", "--resume", tmp_path / "sweep")
    assert outcomes(tmp_path / "sweep") == outcomes(done)


def test_a_trial_that_fails_is_told_and_the_others_go_on(
    sweep: MakeSweep, outcomes: Outcomes, shown: Shown, tmp_path: Path
) -> None:
    plan = sweep(SPEED_WEIGHT="SPEED_WEIGHT = [0.5, 9.0]", seeds="seeds = 1", trials="trials = 3", lr="lr = 1e-3")
    text = shown("sweep", "run", plan, "-o", tmp_path / "sweep")
    trials = outcomes(tmp_path / "sweep")
    failed = [trial for trial in trials if trial["values"]["SPEED_WEIGHT"] == 9.0]
    assert trials[0]["state"] == "complete"
    assert [trial["state"] for trial in failed] == ["failed"] * len(failed)
    for trial in failed:
        assert f"trial {trial['number']} failed: " in text
        assert "too much" in trial["sentence"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "a sweep needs a sweep.toml"),
        (("nowhere.toml",), "nowhere.toml cannot be read: No such file"),
        (("--resume", "nowhere"), "nowhere is not the folder of a sweep"),
        (("x.toml", "--resume", "nowhere"), "leave out the file and --output"),
    ],
)
def test_what_cannot_be_run_is_refused(refused: Shown, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("sweep", "run", *words)


def test_engines_have_names_and_only_ray_has_an_address(done: Path, racer: Callable[..., Result]) -> None:
    for words, hint in ((("--engine", "rai"), "local or ray"), (("--ray-address", "here:1"), "needs --engine ray")):
        result = racer("sweep", "run", "--resume", done, *words)
        assert (result.exit_code, hint in result.output) == (2, True)


@pytest.mark.slow
def test_kill_9_at_any_moment_changes_nothing_of_what_comes_out(
    done: Path, outcomes: Outcomes, written: Written, shown: Shown, tmp_path: Path
) -> None:
    plan, folder = written(tmp_path / "w"), tmp_path / "sweep"
    command = [sys.executable, "-m", "racer_env.cli", "sweep", "run", str(plan), "-o", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (folder / "trial-0" / "model").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 1.0))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    shown("sweep", "run", "--resume", folder)
    assert outcomes(folder) == outcomes(done)
