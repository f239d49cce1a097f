"""What a run recorded is what DeepRacer's tools expect, as it is and exported, and an export changes nothing."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from racer_env import trace
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import TIME_TRIAL, Race
from tests.training.conftest import CONTINUOUS, RECORDED_PER_FILE, recorded_run, write_model
from tests.training.log_guru import imported
from training import evaluation
from training.log_export import LAYOUTS, export, export_text
from training.log_text import training_log
from training.records import read_metrics
from training.run_folder import RunFolder
from training.start import started

Shown = Callable[..., str]


@pytest.fixture
def run(recorded: RunFolder, tmp_path: Path) -> RunFolder:
    """The same in a folder of its own."""
    return RunFolder(shutil.copytree(recorded.path, tmp_path / "run"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_a_log_says_what_was_trained(recorded: RunFolder) -> None:
    log, made = imported("".join(training_log(recorded))), recorded.made.astimezone()
    assert (log.model, log.date) == ("run", f"{made:%d/%m/%Y}")
    assert (log.parameters["JOB_TYPE"], log.parameters["RACE_TYPE"]) == ("TRAINING", "TIME_TRIAL")
    assert log.world["WORLD_NAME"] == log.parameters["WORLD_NAME"] == "oval"
    assert (log.world["JOB_TYPE"], log.world["CAR_COLOR"]) == ("TRAINING", ["Black"])
    assert log.sensors == ["STATE"]
    assert "network DEEP_CONVOLUTIONAL_NETWORK_SHALLOW, simapp_version 5.0, training_algorithm" in log.agent
    assert "action_space_type discrete lidar_config {" in log.agent
    assert log.actions == [{"steering_angle": a, "speed": 1.0} for a in (-25.0, 0.0, 25.0)]
    written = recorded.model.hyperparameters.model_dump()
    assert {key: value.strip('"') for key, value in log.hyperparameters.items()} == {
        k: str(v) for k, v in written.items()
    }


def test_a_log_holds_every_step_in_the_originals_formats(recorded: RunFolder) -> None:
    text = "".join(training_log(recorded))
    log, known = imported(text), trace.read(recorded.path / "training-simtrace").rows
    steps = trace.parse(text, Path("log")).rows
    assert [len(episode) for episode in log.episodes] == np.bincount(known.episode).tolist()
    for name, decimals in (("x", 4), ("yaw", 4), ("steer", 2), ("reward", 4), ("track_len", 2), ("wall_clock", 4)):
        assert np.array_equal(steps[name], [float(f"{v:.{decimals}f}") for v in known[name].tolist()]), name
    for name in ("episode", "steps", "action", "done", "closest_waypoint", "tstamp", "status"):
        assert np.array_equal(steps[name], known[name]), name
    numbers = r"\d+,\d+(,-?\d+\.\d{4}){3}(,-?\d+\.\d\d){2},\d+,-?\d+\.\d{4},(True|False),(True|False),-?\d+\.\d{4},\d+"
    line = re.compile(rf"SIM_TRACE_LOG:{numbers},\d+\.\d\d,\d+\.\d+,\w+,\d+\.\d\d,\d+,\d+\.\d{{4}}")
    assert all(line.fullmatch(row) for row in text.splitlines() if row.startswith("SIM"))


def test_evaluations_stand_in_the_log_after_the_episodes_before_them(recorded: RunFolder) -> None:
    log = imported("".join(training_log(recorded)))
    laps = [row for row in read_metrics(recorded) if row["phase"] == "evaluation"]
    expected = [(episodes, list(some)) for episodes, some in groupby(laps, key=lambda row: row["episode"])]
    assert len(expected) >= 2
    assert [(after, progresses) for after, _, progresses in log.evaluations] == [
        (episodes, [lap["completion_percentage"] for lap in some]) for episodes, some in expected
    ]


def test_a_log_of_continuous_actions_can_be_imported(tmp_path: Path) -> None:
    run = recorded_run(tmp_path, steps=1, actions=CONTINUOUS)
    log = imported("".join(training_log(run)))
    assert "action_space_type continuous" in log.agent
    assert log.actions == {"steering_angle": {"low": -30.0, "high": 30.0}, "speed": {"low": 0.5, "high": 1.5}}
    assert re.fullmatch(r"\[-?\d+\.\d+ \d+\.\d+\]", log.episodes[0][1][7])
    assert all(len(values) == 16 for episode in log.episodes for values in episode)


PLACES = ((0.25, 1), (0.5, -1))


@pytest.mark.parametrize(
    ("race", "said"),
    [
        (
            replace(TIME_TRIAL, obstacles=Obstacles(3, random=True)),
            {"RACE_TYPE": "OBJECT_AVOIDANCE", "NUMBER_OF_OBSTACLES": "3", "RANDOMIZE_OBSTACLE_LOCATIONS": "True"},
        ),
        (
            replace(TIME_TRIAL, obstacles=Obstacles(positions=PLACES, shape="bot_car")),
            {"NUMBER_OF_OBSTACLES": "2", "IS_OBSTACLE_BOT_CAR": "True", "OBJECT_POSITIONS": ["0.25,1", "0.5,-1"]},
        ),
        (
            replace(TIME_TRIAL, bots=Bots(2, 1.5, lane_changes=True)),
            {"RACE_TYPE": "HEAD_TO_BOT", "NUMBER_OF_BOT_CARS": "2", "BOT_CAR_SPEED": "1.5", "IS_LANE_CHANGE": "True"},
        ),
    ],
)
def test_a_log_says_what_was_on_the_track(
    recorded: RunFolder, tmp_path: Path, race: Race, said: dict[str, Any]
) -> None:
    run, _ = started(write_model(tmp_path / "model"), "oval", tmp_path / "it's mine", race=race)
    shutil.copytree(recorded.path / "training-simtrace", run.path / "training-simtrace", dirs_exist_ok=True)
    log = imported("".join(training_log(run)))
    assert log.world.items() >= said.items()
    assert ("OBSTACLE_TYPE" in log.world) != ("IS_OBSTACLE_BOT_CAR" in log.world or race.obstacles is None)
    assert log.model == "it_s_mine"


def test_the_episode_of_an_evaluation_counts_laps_and_its_reward_is_the_originals(recorded: RunFolder) -> None:
    (file,) = recorded.path.glob("evaluation-*/evaluation-simtrace/0-iteration.csv")
    steps = rows(file)
    assert [float(row["steps"]) for row in steps] == list(range(1, len(steps) + 1))
    changes = [before for before, row in pairwise(steps) if row["episode"] != before["episode"]]
    assert [(row["episode"], row["progress"], row["episode_status"]) for row in changes] == [
        ("0", "100", "in_progress")
    ]
    assert (steps[-1]["episode"], steps[-1]["progress"], steps[-1]["done"]) == ("1", "100", "True")
    assert steps[0]["reward"] == "0.0"
    assert {row["reward"] for row in steps[1:]} <= {"1.0", "0.5", "0.1", "0.001"}
    assert [evaluation.centre_bands({"track_width": 1.0, "distance_from_center": d}) for d in (0.1, 0.2, 0.5, 0.6)] == [
        *(1.0, 0.5, 0.1, 0.001)
    ]


def test_trials_count_the_episodes_of_a_simtrace_file(recorded: RunFolder) -> None:
    """deepracer-utils takes the most trials for the number of episodes in an iteration."""
    training = [row for row in read_metrics(recorded) if row["phase"] == "training"]
    for row in training:
        file = recorded.path / "training-simtrace" / f"{(row['episode'] - 1) // RECORDED_PER_FILE}-iteration.csv"
        first = int(rows(file)[0]["episode"])
        assert row["trial"] == row["episode"] - first
    assert max(row["trial"] for row in training) == RECORDED_PER_FILE


JOB = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z-deepracerindy-(training|evaluation)-[A-Za-z0-9]{15}"


def test_exported_layouts_hold_the_files_of_the_run(recorded: RunFolder, tmp_path: Path) -> None:
    (folder,) = recorded.path.glob("evaluation-*")
    own = files(recorded.path)
    for layout in LAYOUTS:
        done = export(recorded, tmp_path / layout, layout)
        assert (done.iterations, done.evaluations) == (len(list(recorded.path.glob("training-simtrace/*.csv"))), 1)
    drfc, droa = files(tmp_path / "drfc"), files(tmp_path / "droa")
    ours = r"\.lock|settings.json|provenance.json|track.npy|(checkpoints|tensorboard|logs)/.*"
    assert drfc == {name: content for name, content in own.items() if not re.fullmatch(ours, name)}
    plain = {re.sub(JOB, r"\1", name): content for name, content in droa.items()}
    moved = {
        **{name: name for name in ("reward_function.py", "model/model_metadata.json", "ip/hyperparameters.json")},
        **{f: f"sim-trace/training/training/{f}" for f in own if f.startswith("training-simtrace/")},
        f"{folder.name}/evaluation-simtrace/0-iteration.csv": (
            "sim-trace/evaluation/evaluation/evaluation-simtrace/0-iteration.csv"
        ),
        "metrics/TrainingMetrics.json": "metrics/training/training.json",
        f"metrics/EvaluationMetrics-{folder.name[11:]}.json": "metrics/evaluation/evaluation.json",
    }
    logs = {"logs/training/training-simulation.log", "logs/evaluation/evaluation-simulation.log"}
    assert plain.items() >= {theirs: own[ours] for ours, theirs in moved.items()}.items()
    assert set(plain) == set(moved.values()) | logs
    assert plain["logs/training/training-simulation.log"].decode() == "".join(training_log(recorded))
    assert files(recorded.path) == own


def test_an_export_is_the_same_every_time(recorded: RunFolder, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(recorded, tmp_path / name, "droa")
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_folder_in_the_way_is_replaced_only_when_asked_and_only_an_export(
    run: RunFolder, shown: Shown, refused: Shown, tmp_path: Path
) -> None:
    words = ("logs", "export", run.path, "--layout", "drfc", "-o", tmp_path / "out")
    assert "simtrace files and 1 race" in shown(*words)
    (tmp_path / "out" / "training-simtrace" / "99-iteration.csv").write_text("old")
    assert "exists already; choose another --output, or replace it with --force" in refused(*words)
    assert (tmp_path / "out" / "training-simtrace" / "99-iteration.csv").exists()
    shown(*words, "--force")
    assert not (tmp_path / "out" / "training-simtrace" / "99-iteration.csv").exists()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert "out is not replaced: it holds thesis.txt, which no exported log has" in refused(*words, "--force")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["out", "run"]


def test_a_text_in_the_way_is_replaced_only_when_asked(
    run: RunFolder, shown: Shown, refused: Shown, tmp_path: Path
) -> None:
    words, file = ("logs", "export", run.path, "--text", "-o", tmp_path / "a.log"), tmp_path / "a.log"
    file.write_text("mine")
    assert "a.log exists already" in refused(*words)
    assert file.read_text() == "mine"
    shown(*words, "--force")
    assert file.read_text() == "".join(training_log(run))
    assert "is a folder; name the file to write" in refused(*words[:-1], tmp_path, "--force")


@pytest.mark.parametrize("where", ["run", "run/logs", "run/new", "."])
def test_a_run_is_never_written_over(run: RunFolder, refused: Shown, tmp_path: Path, where: str) -> None:
    before = files(run.path)
    words = ("logs", "export", run.path, "--layout", "droa", "--force", "-o", tmp_path / where)
    assert "must not lie one in the other" in refused(*words)
    assert files(run.path) == before


def test_what_cannot_be_exported_is_one_sentence_and_leaves_nothing(
    run: RunFolder, refused: Shown, racer: Callable[..., Result], tmp_path: Path
) -> None:
    out, simtrace = tmp_path / "out", run.path / "training-simtrace"
    assert "did you mean 'drfc'" in refused("logs", "export", run.path, "-o", out, "--layout", "drcf")
    for words in ((), ("--text", "--layout", "droa")):
        wrong = racer("logs", "export", run.path, "-o", out, *words)
        assert (wrong.exit_code, "give either --layout droa" in wrong.output) == (2, True)
    assert "is not a run folder" in refused("logs", "export", tmp_path, "-o", out, "--text")
    assert "no such file or directory" in refused("logs", "export", run.path, "-o", out / "deep", "--layout", "drfc")
    (simtrace / "1-iteration.csv").write_text(trace.HEADER + "1,2,3\n")
    assert "1-iteration.csv, line 2: 3 fields" in refused("logs", "export", run.path, "-o", out, "--layout", "droa")
    (simtrace / "1-iteration.csv").unlink()
    for layout in LAYOUTS:
        assert "1-iteration.csv is missing" in refused("logs", "export", run.path, "-o", out, "--layout", layout)
    for file in simtrace.iterdir():
        file.unlink()
    for asked in (("--text",), ("--layout", "droa"), ("--layout", "drfc")):
        assert "has no log yet: no episode is over" in refused("logs", "export", run.path, "-o", out, *asked)
    assert [f.name for f in tmp_path.iterdir()] == ["run"]


def test_a_run_without_races_or_metrics_is_exported_as_far_as_it_got(
    run: RunFolder, shown: Shown, tmp_path: Path
) -> None:
    (folder,) = run.path.glob("evaluation-*")
    (folder / "evaluation-simtrace" / "0-iteration.csv").unlink()  # interrupted before it was written
    (run.path / "metrics" / "TrainingMetrics.json").unlink()  # killed before the first checkpoint
    assert "no race yet (racer evaluate" in shown(
        "logs", "export", run.path, "--layout", "droa", "-o", tmp_path / "out"
    )
    assert not list((tmp_path / "out").rglob("*evaluation*"))
    assert imported("".join(training_log(run))).evaluations == []


def test_an_interrupted_export_leaves_what_was_there(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(run, tmp_path / "out", "drfc")
    before = files(tmp_path / "out")

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "out", "droa", force=True, bar=interrupted)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)  # when what was there has been moved aside
        with pytest.raises(KeyboardInterrupt):
            export(run, tmp_path / "out", "droa", force=True)
    assert files(tmp_path / "out") == before
    with pytest.raises(KeyboardInterrupt):
        export_text(run, tmp_path / "log", bar=interrupted)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["out", "run"]
