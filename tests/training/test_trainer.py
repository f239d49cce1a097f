"""A training counts on, keeps its best, repeats itself exactly, and leaves records without gap or duplicate."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from racer_env.errors import RacerError, RewardError
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from training.policy_driver import Evaluation, evaluate, load_driver
from training.run_folder import RunFolder
from training.start import started
from training.trainer import Report, Stop, Trainer

MakeModel = Callable[..., Path]
MakeTrainer = Callable[..., Trainer]

CENTRE = """
def reward_function(params):
    return max(1.0 - 2.0 * params["distance_from_center"] / params["track_width"], 0.001)
"""


def run_simulator(run: RunFolder) -> Simulator:
    return Simulator(run.track, sensors=find_sensors(["STATE"]))


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.ppo.policy.parameters()])


def trace(run: RunFolder) -> dict[int, list[dict[str, str]]]:
    """Rows of every simtrace file by its number."""
    files = (run.path / "training-simtrace").glob("*-iteration.csv")
    return {int(f.name.split("-")[0]): list(csv.DictReader(f.read_text().splitlines())) for f in sorted(files)}


def metrics(run: RunFolder) -> list[dict[str, Any]]:
    content = json.loads((run.path / "metrics" / "TrainingMetrics.json").read_text())
    assert (content["version"], content["best_model_metric"]) == (2.0, "progress")
    rows: list[dict[str, Any]] = content["metrics"]
    return rows


def require_whole_records(run: RunFolder, per_file: int) -> None:
    """Episodes are numbered without gap, stand whole and in order, and `per_file` of them in every full file."""
    files, course = trace(run), run.course()
    assert sorted(files) == list(range(len(files)))
    for number, rows in files.items():
        expected = range(number * per_file, min((number + 1) * per_file, course.episodes))
        assert list(dict.fromkeys(row["episode"] for row in rows)) == [str(episode) for episode in expected]
    for rows in files.values():
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            if row["done"] == "True":
                assert following is None or (following["steps"], following["episode_status"]) == ("1.0", "prepare")
            else:
                assert following is not None
                assert float(following["steps"]) == float(row["steps"]) + 1
    rows = metrics(run)
    numbers = [int(row["episode"]) for row in rows if row["phase"] == "training"]
    assert numbers == list(range(1, course.episodes + 1))
    assert len(rows) == course.metric_rows


@pytest.mark.parametrize("sensor", ["STATE", "FRONT_FACING_CAMERA"])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path, sensor: str
) -> None:
    folder = model(CENTRE, sensor=sensor)
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        made = trainer(folder, tmp_path / name, seed=seed)
        made.train(Stop(steps=128))
        found.append(weights(made))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_it_counts_steps_in_whole_iterations(model: MakeModel, trainer: MakeTrainer, tmp_path: Path) -> None:
    reports: list[Report] = []
    course = trainer(model(), tmp_path / "run").train(Stop(steps=300), reports.append)
    assert (course.steps, course.iterations) == (384, 3)
    assert [report.course is course for report in reports] == [True] * 3
    assert [report.evaluation is not None for report in reports] == [True] * 3
    assert [entry["steps"] for entry in course.history] == [128, 256, 384]
    assert reports[-1].share == 1.0
    assert all(report.steps_per_second > 0 for report in reports)


@pytest.mark.parametrize("stop", [Stop(steps=1), Stop(minutes=1e-6), Stop(steps=1, minutes=60.0)])
def test_even_the_shortest_training_is_evaluated_and_saved(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path, stop: Stop
) -> None:
    course = trainer(model(), tmp_path / "run").train(stop)
    run = RunFolder.open(tmp_path / "run")
    assert len(course.history) == 1
    assert run.course("last") == course
    assert run.course("best").best_completion == course.best_completion
    assert load_driver(run, "best").act(run_simulator(run).reset()).shape == (1,)


def test_it_stops_after_complete_laps_in_a_row(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evaluations are put in place of the driver's own, which would have to learn first."""
    driven = iter([[100, 100, 40, 100, 100], [100, 100, 100, 100, 100], [100] * 5])
    others = np.full(5, 9000), np.full(5, 2), np.zeros(5)
    monkeypatch.setattr("training.trainer.evaluate", lambda *_: Evaluation(np.array(next(driven), np.float64), *others))
    course = trainer(model(), tmp_path / "run").train(Stop(laps=6))
    assert [entry["completion"] for entry in course.history] == [88.0, 100.0]
    assert course.laps_in_a_row == 7
    assert course.first_lap_steps == 128
    assert (course.best_completion, course.best_lap_ms, course.best_steps) == (100.0, 9000.0, 256)


def test_laps_count_when_they_are_as_good_as_is_wanted() -> None:
    progress, milliseconds = np.array([100.0, 100.0, 95.0, 40.0]), np.array([9000, 12_000, 8000, 3000])
    evaluation = Evaluation(progress, milliseconds, np.zeros(4, np.int64), np.zeros(4))
    assert Stop(laps=2).met_by(evaluation).tolist() == [True, True, False, False]
    assert Stop(laps=2, progress=90.0).met_by(evaluation).tolist() == [True, True, True, False]
    assert Stop(laps=2, lap_seconds=9.0).met_by(evaluation).tolist() == [True, False, False, False]


def test_an_evaluation_tells_what_the_reward_function_paid_for_each_lap(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    """Copies of their own count the calls: the first lap of each car, from its first step to its end, and no more."""
    counting = """
calls = 0
def reward_function(params):
    global calls
    calls = 1 if params["steps"] == 2 else calls + 1
    return 1.0 if calls == params["steps"] - 1 else -1000.0
"""
    made = trainer(model(counting), tmp_path / "run", best="reward")
    result = made.evaluate()
    assert np.array_equal(result.rewards, np.round(result.milliseconds * 15 / 1000))
    assert made.course.history[0]["reward"] == result.rewards.mean()
    rows = [row["reward_score"] for row in made_rows(made)]
    assert rows == result.rewards.tolist()


def made_rows(trainer: Trainer) -> list[dict[str, Any]]:
    """What its evaluations have left in the metrics."""
    trainer.save("last")
    content = json.loads((trainer.run.path / "metrics" / "TrainingMetrics.json").read_text())
    assert content["best_model_metric"] == "reward"
    return [row for row in content["metrics"] if row["phase"] == "evaluation"]


def test_evaluations_cover_every_track_in_both_directions_in_turn(model: MakeModel, tmp_path: Path) -> None:
    run, _ = started(model(), ["oval", "kidney"], tmp_path / "run", cars=4, both_directions=True)
    made = Trainer(run)
    ways = [(track.name, track.is_reversed) for track in run.tracks]
    assert ways == [("oval", False), ("oval", True), ("kidney", False), ("kidney", True)]
    assert [world.track.name for world in made.evaluators] == [name for name, _ in ways]
    together = made.evaluate()
    alone = [evaluate(made.driver, [world]) for world in made.evaluators]
    assert np.array_equal(together.progress, np.stack([laps.progress for laps in alone], axis=1).ravel())
    assert len(together.progress) == 20
    assert [(track.name, track.is_reversed) for track in made.simulator.tracks] == ways


def test_the_last_checkpoint_holds_the_weights_that_were_evaluated(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    made = trainer(model(), tmp_path / "run")
    made.train(Stop(steps=256))
    loaded = load_driver(made.run, "last").policy.parameters()
    assert torch.equal(torch.nn.utils.parameters_to_vector(loaded), weights(made))


def test_stop_rules_say_how_far_they_are() -> None:
    assert Stop(laps=3).share(10, 10.0) is None
    assert Stop(steps=100).share(25, 1.0) == 0.25
    assert Stop(steps=100, minutes=1.0).share(25, 30.0) == 0.5
    assert Stop(steps=100).share(200, 1.0) == 1.0
    assert Stop(steps=100, laps=2).reached(0, 0.0, 2)
    assert not Stop(steps=100, minutes=1.0, laps=2).reached(99, 59.0, 1)


def test_records_are_whole(model: MakeModel, trainer: MakeTrainer, tmp_path: Path) -> None:
    made = trainer(model(num_episodes_between_training=3), tmp_path / "run", cars=6)
    made.train(Stop(steps=1200))
    assert made.course.episodes > 7
    require_whole_records(made.run, 3)


def test_metrics_say_what_the_trace_says(model: MakeModel, trainer: MakeTrainer, tmp_path: Path) -> None:
    made = trainer(model(CENTRE), tmp_path / "run")
    made.train(Stop(steps=512))
    rows = [row for row in metrics(made.run) if row["phase"] == "training"]
    for row, (_, steps) in zip(rows, sorted(trace(made.run).items()), strict=True):  # one episode in a file here
        assert row["reward_score"] == round(sum(float(step["reward"]) for step in steps))
        assert row["completion_percentage"] == int(float(steps[-1]["progress"]))
        assert row["start_time"] == round(float(steps[0]["tstamp"]) * 1000)
        assert row["metric_time"] == round(float(steps[-1]["tstamp"]) * 1000)
        assert row["elapsed_time_in_milliseconds"] == pytest.approx(row["metric_time"] - row["start_time"], abs=1)
        assert row["episode_status"].lower().replace(" ", "_") == steps[-1]["episode_status"]
        assert set(row) == {
            *("reward_score", "metric_time", "start_time", "elapsed_time_in_milliseconds", "episode", "trial"),
            *("phase", "completion_percentage", "episode_status"),
        }


def test_evaluation_rows_repeat_the_counters_of_the_training(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    made = trainer(model(), tmp_path / "run")
    made.train(Stop(steps=512))
    rows = metrics(made.run)
    assert sum(row["phase"] == "evaluation" for row in rows) == 20
    for before, row in pairwise(rows):
        if row["phase"] == "evaluation" == before["phase"]:
            assert (row["episode"], row["trial"]) == (before["episode"], before["trial"])


def test_a_resumed_run_has_the_records_of_one_that_was_never_stopped(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    folder = model(CENTRE, num_episodes_between_training=3)
    whole = trainer(folder, tmp_path / "whole")
    whole.train(Stop(steps=1536))
    trainer(folder, tmp_path / "parts").train(Stop(steps=768))
    parts = RunFolder.open(tmp_path / "parts")
    first = parts.course()
    resumed = Trainer(parts, resume=True)
    resumed.train(Stop(steps=768))
    for run in (whole.run, parts):
        require_whole_records(run, 3)
    assert resumed.course.steps == whole.course.steps == 1536
    assert resumed.course.iterations == whole.course.iterations
    assert [entry["steps"] for entry in resumed.course.history] == [entry["steps"] for entry in whole.course.history]
    assert resumed.course.seconds > first.seconds
    times = [row["metric_time"] for row in metrics(parts) if row["phase"] == "training"]
    assert min(times[first.episodes :]) > first.ticks / 15 * 1000  # the clock goes on too


def test_a_resumed_run_goes_on_with_its_weights_and_other_random_numbers(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    made = trainer(model(), tmp_path / "run")
    made.train(Stop(steps=128))
    first = made.ppo.rollout_buffer.actions.copy()
    resumed = Trainer(made.run, resume=True)
    assert torch.equal(weights(resumed), weights(made))
    moments = [list(ppo.policy.optimizer.state_dict()["state"].values()) for ppo in (resumed.ppo, made.ppo)]
    assert len(moments[0]) == len(moments[1]) > 0
    for restored, saved in zip(*moments, strict=True):
        assert all(torch.equal(restored[name], saved[name]) for name in ("step", "exp_avg", "exp_avg_sq"))
    resumed.train(Stop(steps=128))
    assert not np.array_equal(resumed.ppo.rollout_buffer.actions, first)


def test_what_was_written_after_the_last_checkpoint_is_dropped_on_resume(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    """As after kill -9: simtrace files and metrics are ahead of the checkpoint."""
    made = trainer(model(num_episodes_between_training=2), tmp_path / "run")
    made.train(Stop(steps=512))
    checkpoint = made.run.checkpoint("last").read_bytes()
    made.train(Stop(steps=2048))
    made.run.checkpoint("last").write_bytes(checkpoint)
    assert len(trace(made.run)) * 2 > made.run.course().episodes + 4
    Trainer(made.run, resume=True).train(Stop(steps=1))
    require_whole_records(made.run, 2)


def test_a_run_killed_before_its_first_checkpoint_begins_anew(model: MakeModel, tmp_path: Path) -> None:
    run, _ = started(model(), "oval", tmp_path / "run", cars=4)
    (run.path / "training-simtrace" / "0-iteration.csv").write_text("left behind\n")
    (run.path / "metrics" / "TrainingMetrics.json").write_text("{")
    Trainer(run, resume=True).train(Stop(steps=128))
    require_whole_records(run, 1)


@pytest.mark.parametrize("part", ["value_net", "action_net"])
def test_losses_that_are_no_numbers_end_the_training_and_keep_the_checkpoint(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path, part: str
) -> None:
    """Of the optimiser: a gradient beyond all floats, as a loss beyond them has, after the cars have driven."""
    made = trainer(model(), tmp_path / "run")
    made.train(Stop(steps=128))
    before = made.run.checkpoint("last").read_bytes()
    weight = getattr(made.ppo.policy, part).weight
    hook = weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(RacerError, match="not finite numbers any more; lower lr") as caught:
        made.train(Stop(steps=128))
    assert "\n" not in str(caught.value)
    assert made.run.checkpoint("last").read_bytes() == before
    hook.remove()
    resumed = Trainer(made.run, resume=True)
    assert resumed.train(Stop(steps=128)).steps == 256


def test_a_reward_function_that_fails_leaves_a_run_that_goes_on(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    late = (
        "n = 0\ndef reward_function(params):\n    global n\n    n += 1\n    print('call', n)\n    return 1 / (n < 90)\n"
    )
    made = trainer(model(late), tmp_path / "run")
    with pytest.raises(RewardError, match=r"run/reward_function\.py:6: .*ZeroDivisionError"):
        made.train(Stop(steps=9999))
    assert made.run.course().iterations == 2
    assert (made.run.path / "logs" / "reward.log").read_text().splitlines()[-1] == "call 90"
    assert made.records.newest_printed[-1] == "call 90"
    require_whole_records(made.run, 1)
    Trainer(made.run, resume=True).train(Stop(steps=128))
    assert made.run.course().iterations == 3


def test_what_is_logged_can_be_seen_in_tensorboard(model: MakeModel, trainer: MakeTrainer, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    trainer(model(), tmp_path / "run").train(Stop(steps=256))
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert tags >= {"train/value_loss", "train/entropy", "evaluation/progress", "time/steps_per_second"}
    assert [event.step for event in events.Scalars("train/value_loss")] == [128, 256]


@pytest.mark.parametrize("kind", ["continuous", "camera critic", "mean squared error"])
def test_every_way_to_train_trains(model: MakeModel, trainer: MakeTrainer, tmp_path: Path, kind: str) -> None:
    from racer_env.car import ContinuousActions

    ways: dict[str, dict[str, Any]] = {
        "continuous": {"actions": ContinuousActions((-30.0, 30.0), (0.5, 1.5))},
        "camera critic": {"sensor": "FRONT_FACING_CAMERA"},
        "mean squared error": {"loss_type": "mean squared error", "discount_factor": 0.9},
    }
    made = trainer(model(**ways[kind]), tmp_path / "run", critic="SENSORS" if kind == "camera critic" else "STATE")
    before = weights(made)
    made.train(Stop(steps=128))
    assert torch.isfinite(weights(made)).all()
    assert not torch.equal(before, weights(made))
    assert load_driver(made.run).act(made.evaluators[0].reset()).shape[0] == 5
