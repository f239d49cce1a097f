"""What is read from a training's files, and what is said of those that are missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from racer_env import trace
from racer_env.errors import RacerError
from training.analysis.analysis import analyse
from training.analysis.curves import read_events, read_logged
from training.analysis.evidence import NO_CURVES, NO_METRICS, NO_TRACE, gather
from training.analysis.stages import stages
from training.run_folder import RunFolder
from training.tensorboard import logger

LINES = (
    "Policy training> Surrogate loss=-0.02, KL divergence=0.001, Entropy=2.3, training epoch=0, learning_rate=0.0003\n"
    "  Policy training> Surrogate loss=-0.02, KL divergence=0.002, Entropy=2.2, training epoch=1, learning_rate=3e-4\n"
    "Policy training> Surrogate loss=-0.02, KL divergence=3e-05, Entropy=1.9, training epoch=0, learning_rate=0.0003\n"
)


def test_episodes_are_those_of_the_metrics(run: RunFolder) -> None:
    evidence = gather(run.path)
    metrics = json.loads((run.path / "metrics" / "TrainingMetrics.json").read_text())["metrics"]
    trained = [row for row in metrics if row["phase"] == "training"]
    episodes = evidence.training.episodes
    assert evidence.missing == ()
    assert len(episodes) == len(trained) > 5
    assert episodes.progress.astype(int).tolist() == [row["completion_percentage"] for row in trained]
    assert np.round(episodes.reward).tolist() == [row["reward_score"] for row in trained]
    assert np.round(episodes.seconds * 1000).tolist() == [row["elapsed_time_in_milliseconds"] for row in trained]
    assert evidence.evaluations.attempts.sum() == len(metrics) - len(trained)


def test_actions_are_counted_without_the_prepare_step(run: RunFolder) -> None:
    evidence = gather(run.path)
    rows = evidence.training.rows
    assert (
        (evidence.action_index >= 0).sum() == (rows.status != "prepare").sum() == evidence.training.episodes.steps.sum()
    )
    assert not (rows.status == "prepare")[evidence.action_index >= 0].any()


def test_ends_lie_where_the_car_was(run: RunFolder) -> None:
    drives = gather(run.path).training
    ends = drives.rows[drives.episodes.last - 1]
    x, y, _ = run.track.poses(drives.episodes.station).T
    assert np.hypot(x - ends.x, y - ends.y).max() < run.track.width
    assert drives.places[0].name == "oval"


def test_a_folder_of_simtrace_alone_says_what_is_missing(run: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(run.path / "training-simtrace", tmp_path / "traces")
    evidence = gather(tmp_path / "traces")
    assert evidence.missing == (NO_METRICS, NO_CURVES)
    assert evidence.training.places[0].name == "oval", "found among the shipped tracks"
    assert evidence.discrete
    names = [section.name for section in analyse(evidence).sections]
    assert names == ["completion", "reward", "lap_times", "exits", "actions", "best_laps"]


def test_a_track_that_is_unknown_is_said_and_places_are_those_of_waypoints(run: RunFolder, tmp_path: Path) -> None:
    whole = trace.read(run.path / "training-simtrace")
    whole.rows.track_len[:] = 12.34
    (tmp_path / "0-iteration.csv").write_text(whole.text())
    evidence = gather(tmp_path)
    assert any("no route is known for the track of 12.3 m" in text for text in evidence.missing)
    assert 0.0 <= evidence.training.stations.min() <= evidence.training.stations.max() <= 12.34


def test_metrics_alone_give_completion_and_reward(run: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(run.path / "metrics", tmp_path / "metrics")
    evidence = gather(tmp_path)
    assert NO_TRACE in evidence.missing
    assert [section.name for section in analyse(evidence).sections] == ["completion", "reward", "lap_times"]
    assert evidence.training.episodes.progress.mean() == pytest.approx(
        np.floor(gather(run.path).training.episodes.progress).mean()
    )


def test_continuous_actions_are_seen_by_how_they_are_written(run: RunFolder, tmp_path: Path) -> None:
    whole = trace.read(run.path / "training-simtrace")
    whole.rows.action[:] = [f"[{r.steer} {r.throttle}]" for r in whole.rows]
    (tmp_path / "0-iteration.csv").write_text(whole.text())
    evidence = gather(tmp_path)
    assert not evidence.discrete
    (actions,) = (section for section in analyse(evidence).sections if section.name == "actions")
    assert [row[0] for row in actions.table.rows] == ["first quarter", "last quarter"]


def test_learning_curves_are_those_that_were_logged(run: RunFolder) -> None:
    curves = read_events(run.path / "tensorboard")
    assert {"train/entropy", "train/approx_kl", "train/value_loss"} <= set(curves)
    assert curves["train/entropy"].steps.tolist() == [128.0 * k for k in range(1, 7)]
    assert 0.0 < curves["train/entropy"].values.max() <= np.log(3) + 1e-6


def test_what_a_killed_session_logged_beyond_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    for session in ([(1, 0.1), (2, 0.2), (3, 0.3)], [(2, 0.5), (3, 0.6)]):
        log = logger(tmp_path)
        for step, value in session:
            log.record("train/entropy", value)
            log.dump(step)
    curve = read_events(tmp_path)["train/entropy"]
    assert curve.steps.tolist() == [1.0, 2.0, 3.0]
    assert curve.values.tolist() == pytest.approx([0.1, 0.5, 0.6])


def test_log_lines_of_the_original_give_the_last_epoch_of_each_iteration(tmp_path: Path) -> None:
    (tmp_path / "sagemaker.log").write_text(LINES)
    curves = read_logged([tmp_path / "sagemaker.log"])
    assert curves["train/entropy"].values.tolist() == [2.2, 1.9]
    assert curves["train/approx_kl"].values.tolist() == [0.002, 3e-05]
    assert read_logged([]) == {}


def test_stages_have_every_episode_once(run: RunFolder) -> None:
    episodes = gather(run.path).training.episodes
    cut = stages(episodes)
    assert [number for stage in cut for number in stage.number.tolist()] == episodes.number.tolist()
    assert 1 <= len(cut) <= 8


def test_what_cannot_be_read_is_one_sentence(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RacerError, match="there is no such file or folder"):
        gather(tmp_path / "nowhere")
    with pytest.raises(RacerError, match="no finished episode"):
        gather(tmp_path)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "TrainingMetrics.json").write_text('{"metrics": [{"episode": "x"}]}')
    with pytest.raises(RacerError, match=r"TrainingMetrics\.json is not a metrics file"):
        gather(tmp_path)
    with pytest.raises(RacerError, match="no route file"):
        gather(run.path, tmp_path)


def test_recordings_of_the_original_are_analysed(shared: Path) -> None:
    traces = shared / "data" / "traces"
    evidence = gather(traces / "v6_continuous_train", shared / "data" / "tracks")
    assert (len(evidence.training), int(evidence.training.complete.sum())) == (300, 2)
    assert evidence.training.places[0].name == "reInvent2019_wide_cw"
    assert evidence.training.episodes.seconds[evidence.training.complete].min() == pytest.approx(9.57, abs=0.01)
    laps = gather(traces / "v4_drfc_eval_0", shared / "data" / "tracks").training
    assert laps.complete.tolist() == [True, True, True]
    assert laps.episodes.seconds == pytest.approx([14.746, 13.801, 14.731])
