"""A run folder is laid out as deepracer-for-cloud's, made whole or not at all, and what is broken in it is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from racer_env.errors import MetadataError, RacerError
from racer_env.track import find_track
from training.course import Entry
from training.run_folder import RunError, RunFolder, free_folder, unwritable, write
from training.start import started
from training.trainer import Trainer

MakeModel = Callable[..., Path]
MakeTrainer = Callable[..., Trainer]


def entry(completion: float) -> Entry:
    return Entry(steps=128, seconds=1.0, completion=completion, laps=5, laps_complete=0, lap_ms=None, reward=0.0)


@pytest.fixture
def run(model: MakeModel, tmp_path: Path) -> RunFolder:
    return started(model(), "oval", tmp_path / "run", seed=3, cars=4)[0]


@pytest.fixture
def saved(model: MakeModel, trainer: MakeTrainer, tmp_path: Path) -> RunFolder:
    made = trainer(model(), tmp_path / "run")
    made.save("last")
    made.save("best")
    return made.run


def test_it_is_laid_out_as_deepracer_for_cloud_lays_it_out(run: RunFolder) -> None:
    files = {str(f.relative_to(run.path)) for f in run.path.rglob("*") if f.is_file()}
    theirs = {"reward_function.py", "model/model_metadata.json", "ip/hyperparameters.json"}
    assert files == theirs | {"settings.json", "provenance.json", "track.npy"}
    assert {f.name for f in run.path.iterdir() if f.is_dir()} >= {"metrics", "training-simtrace", "logs", "checkpoints"}


def test_every_hyperparameter_is_written_out(run: RunFolder) -> None:
    written = json.loads((run.path / "ip" / "hyperparameters.json").read_text())
    assert len(written) == 14
    assert written["num_episodes_between_training"] == 1


def test_its_provenance_has_versions_seed_and_hashes(run: RunFolder) -> None:
    provenance = json.loads((run.path / "provenance.json").read_text())
    assert provenance["seed"] == 3
    assert {"racer18", "torch", "numpy"} <= set(provenance["packages"])
    for name in ("reward_function.py", "track.npy", "model/model_metadata.json", "ip/hyperparameters.json"):
        file = run.path / name
        assert provenance["sha256"][file.name] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_it_holds_the_very_track(model: MakeModel, tmp_path: Path) -> None:
    run, _ = started(model(), "oval", tmp_path / "run", reverse=True)
    track = find_track("oval", reverse=True)
    assert np.array_equal(run.track.route, track.route)
    assert (run.track.name, run.track.is_reversed) == ("oval", True)


def test_a_folder_that_holds_anything_is_not_touched(model: MakeModel, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"exists already; choose another --run$"):
        started(model(), "oval", taken)
    assert [f.name for f in taken.iterdir()] == ["mine.txt"]


def test_a_run_that_exists_can_be_gone_on_with(model: MakeModel, run: RunFolder) -> None:
    with pytest.raises(RunError, match=f"go on with: racer train --resume {run.path}$"):
        started(model("def reward_function(params): return 1.0"), "oval", run.path)


def test_an_empty_folder_is_taken(model: MakeModel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run, _ = started(model(), "oval", tmp_path / "empty")
    assert RunFolder.open(run.path) == run


def test_a_run_that_cannot_be_made_leaves_nothing(model: MakeModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="run cannot be written: not a directory"):
        started(model(), "oval", tmp_path / "file" / "run")
    broken = model("def reward_function(params): return None", name="broken")
    with pytest.raises(RacerError):
        started(broken, "oval", tmp_path / "run")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["broken", "file", "model"]


def test_runs_are_numbered_by_default(tmp_path: Path) -> None:
    assert free_folder(tmp_path, "mine") == tmp_path / "mine"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine-2").mkdir()
    assert free_folder(tmp_path, "mine") == tmp_path / "mine-3"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write(tmp_path / "a", "old")
    with pytest.raises(RunError, match="a cannot be written: is a directory"), unwritable(tmp_path / "a"):
        raise IsADirectoryError(21, "Is a directory")
    (tmp_path / "b").mkdir()
    with pytest.raises(RunError, match="b cannot be written"):
        write(tmp_path / "b", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_without_settings_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("settings.json", "{", "settings.json: "),
        ("settings.json", '{"track": "oval", "car": "x", "network": "y", "colour": 1}', "colour"),
        ("track.npy", "nothing", "track.npy cannot be read"),
        ("model/model_metadata.json", "{", "is not JSON"),
        ("ip/hyperparameters.json", '{"lr": 0}', "lr is 0"),
        ("reward_function.py", "def reward_function(:", "reward_function.py:1"),
    ],
)
def test_a_broken_file_is_named(run: RunFolder, file: str, content: str, said: str) -> None:
    (run.path / file).write_text(content)
    with pytest.raises((RunError, MetadataError, RacerError), match=said) as caught:
        Trainer(RunFolder.open(run.path))
    assert "\n" not in str(caught.value)


def test_a_run_without_a_checkpoint_says_how_to_get_one(run: RunFolder) -> None:
    with pytest.raises(
        RunError, match=f"has no checkpoint 'best' yet; train it first: racer train --resume {run.path}"
    ):
        run.existing_checkpoint("best")


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_checkpoint_is_named(saved: RunFolder, damage: bytes | None) -> None:
    file = saved.checkpoint("last")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if damage is None else damage)
    with pytest.raises(RunError, match=r"last\.zip is not a checkpoint that can be read"):
        Trainer(saved, resume=True)


def test_a_checkpoint_of_another_network_is_refused(
    saved: RunFolder, model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    other = trainer(model(name="seeing", sensor="FRONT_FACING_CAMERA"), tmp_path / "other")
    other.save("last")
    saved.checkpoint("last").write_bytes(other.run.checkpoint("last").read_bytes())
    with pytest.raises(RunError, match="holds another network than compact"):
        Trainer(saved, resume=True)


def test_a_run_killed_between_best_and_last_knows_which_is_the_best(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    made = trainer(model(), tmp_path / "run")
    made.course.improved_by(entry(10.0))
    made.save("last")
    made.course.improved_by(entry(90.0))
    made.save("best")
    course = made.run.last_course()
    assert course.best_completion == 90.0
    assert made.run.course("last").best_completion == 10.0
