"""A training whose experience is gathered by workers on a Ray cluster of this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import ray
import torch
from typer.testing import Result

from racer_env.cluster import ClusterError
from racer_env.errors import RewardError
from training.cluster_trainer import ClusterTrainer, on_cluster
from training.rollout import Rollout
from training.start import started
from training.trainer import Stop

MakeModel = Callable[..., Path]
OnTwo = Callable[..., AbstractContextManager[ClusterTrainer]]

PRINTS = """
def reward_function(params):
    if params["steps"] == 2:
        print("begin")
    return params["speed"]
"""
FAILS = """
calls = 0

def reward_function(params):
    global calls
    calls += 1
    if calls > 100:
        return 1 / 0
    return 1.0
"""


@pytest.fixture
def on_two(
    cluster: None,  # noqa: ARG001
    model: MakeModel,
    tmp_path: Path,
) -> Callable[..., AbstractContextManager[ClusterTrainer]]:
    """Makes the trainer of a new run of five cars with two workers."""

    def make(name: str = "run", reward: str = PRINTS) -> AbstractContextManager[ClusterTrainer]:
        run, _ = started(model(reward, name=f"model-{name}"), "oval", tmp_path / name, cars=5)
        return on_cluster(run, workers=2)

    return make


@pytest.mark.slow
def test_the_same_seed_and_workers_give_the_same_weights_and_records(on_two: OnTwo, tmp_path: Path) -> None:
    weights, rows = [], []
    for name in ("a", "b"):
        with on_two(name) as trainer:
            course = trainer.train(Stop(steps=200))
        weights.append(list(trainer.ppo.policy.parameters()))
        rows.append(json.loads((tmp_path / name / "metrics" / "TrainingMetrics.json").read_text())["metrics"])
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))
    assert rows[0] == rows[1]
    assert (course.steps, course.iterations) == (260, 2)
    assert sum(row["phase"] == "training" for row in rows[0]) == course.episodes > 0
    assert (tmp_path / "a" / "logs" / "reward.log").read_text().count("begin") >= course.episodes


@pytest.mark.slow
def test_workers_act_with_the_learners_policy_and_what_goes_wrong_there_is_one_sentence(on_two: OnTwo) -> None:
    with on_two(reward=FAILS) as trainer:
        trainer.train(Stop(steps=130))
        assert trainer._gather()
        buffer = trainer.ppo.rollout_buffer
        assert isinstance(buffer, Rollout)
        everything = buffer.samples(torch.arange(buffer.buffer_size * buffer.n_envs))
        with torch.no_grad():
            values, log_prob, _ = trainer.ppo.policy.evaluate_actions(
                everything.observations, everything.actions.flatten()
            )
        torch.testing.assert_close(values.flatten(), everything.old_values)
        torch.testing.assert_close(log_prob, everything.old_log_prob)
        torch.testing.assert_close(everything.returns, everything.advantages + everything.old_values)
        seen = buffer.observations["STATE"]
        assert len({seen[:, car].tobytes() for car in range(5)}) == 5

        with pytest.raises(RewardError, match=rf"^{trainer.run.path}/reward_function\.py:8: .*ZeroDivisionError"):
            trainer.train(Stop(steps=1000))
        ray.kill(trainer._workers[1])
        with pytest.raises(ClusterError, match=r"a worker of the cluster is gone.*go on with: racer train --resume"):
            trainer.train(Stop(steps=1000))
        assert trainer.run.course().steps >= 130


@pytest.mark.slow
def test_a_run_goes_on_with_other_workers_than_before(
    cluster: None,  # noqa: ARG001
    model: MakeModel,
    train: Callable[..., str],
    shown: Callable[..., str],
    refused: Callable[..., str],
    racer: Callable[..., Result],
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    train(model(PRINTS), run, "--steps", 1)
    assert "256 steps" in shown("train", "--resume", run, "--steps", 1, "--engine", "ray", "--workers", 1)
    assert "the cluster has 2 CPUs, and the run 4 cars" in refused(
        "train", "--resume", run, "--engine", "ray", "--workers", 3
    )
    assert "needs --engine ray" in racer("train", "--resume", run, "--workers", 3).output
