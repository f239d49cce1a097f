"""Trainings on a Ray cluster of this machine come back as the runs that they would have been here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.cluster import packed, unpack
from training.run_folder import RunError, RunFolder

Shown = Callable[..., str]
Outcomes = Callable[[Path], list[dict[str, Any]]]


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_trial_comes_out_the_same_on_a_cluster(
    done: Path, outcomes: Outcomes, written: Callable[[Path], Path], shown: Shown, tmp_path: Path
) -> None:
    shown("sweep", "run", written(tmp_path / "w"), "-o", tmp_path / "sweep", "--engine", "ray")
    here, there = outcomes(done), outcomes(tmp_path / "sweep")
    assert {trial["state"] for trial in there} == {"complete"}
    assert there[0] == here[0]
    run = RunFolder.open(tmp_path / "sweep" / "trial-0" / "seed-1")
    assert run.course().steps == 256
    metrics = [
        json.loads((f / "trial-0/seed-1/metrics/TrainingMetrics.json").read_text()) for f in (done, tmp_path / "sweep")
    ]
    assert metrics[0] == metrics[1]
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_training_that_fails_on_a_cluster_says_why(
    sweep: Callable[..., Path], outcomes: Outcomes, shown: Shown, tmp_path: Path
) -> None:
    plan = sweep(SPEED_WEIGHT="SPEED_WEIGHT = [8.0, 9.0]", trials="trials = 1")
    text = shown("sweep", "run", plan, "-o", tmp_path / "sweep", "--engine", "ray")
    assert "trial 0 failed: reward_function.py:12: reward_function failed with ValueError: too much" in text
    assert [trial["state"] for trial in outcomes(tmp_path / "sweep")] == ["failed"]


def test_a_folder_that_is_packed_and_unpacked_is_the_same_and_replaces_another(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"\x00\x01")
    archive = packed(tmp_path / "a")
    (tmp_path / "a" / "other").touch()
    unpack(archive, tmp_path / "a")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["a", "a/b", "a/b/file"]
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"\x00\x01"
    with pytest.raises(RunError, match="cannot be written"):
        unpack(archive, tmp_path / "a" / "b" / "file" / "a")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1: Connection refused"),
        ("nowhere", "is no address of a Ray"),
    ],
)
def test_a_cluster_that_does_not_answer_is_refused_before_anything_is_written(
    done: Path, refused: Shown, tmp_path: Path, address: str, sentence: str
) -> None:
    words = ("--engine", "ray", "--ray-address", address)
    assert sentence in refused("sweep", "run", done.parent / "w" / "sweep.toml", "-o", tmp_path / "sweep", *words)
    model = done.parent / "w" / "model"
    assert sentence in refused("train", model, "--track", "oval", "--run", tmp_path / "run", *words)
    assert list(tmp_path.iterdir()) == []
