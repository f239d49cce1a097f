"""kill -9 at any moment, also in the middle of saving, costs no more than what was done since the last checkpoint."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training.course import Course
from training.run_folder import RunFolder
from training.start import started
from training.trainer import Stop, Trainer

MakeModel = Callable[..., Path]

PER_FILE = 3  #: episodes in a simtrace file, and between trainings
INTERVAL = 128 * PER_FILE  #: steps from checkpoint to checkpoint
UPDATES = 2 * INTERVAL // 32  #: of the weights in that time: two epochs, minibatches of 32


@pytest.fixture
def run(model: MakeModel, tmp_path: Path) -> RunFolder:
    reward = "def reward_function(params):\n    return 2.0 - params['distance_from_center']\n"
    folder = model(reward, num_episodes_between_training=PER_FILE)
    return started(folder, "oval", tmp_path / "run", cars=4)[0]


@pytest.fixture
def victims(run: RunFolder) -> Iterator[Callable[[str, int], tuple[int, int]]]:
    """Trains the run and kills it; gives the signal that it died of, and the steps that it last told."""
    words = [sys.executable, str(Path(__file__).with_name("victims.py")), str(run.path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        orders, answers = process.stdin, process.stdout
        assert orders
        assert answers

        def kill(how: str, number: int) -> tuple[int, int]:
            print(how, number, file=orders, flush=True)
            died_of, steps = answers.readline().split()
            return int(died_of), int(steps)

        yield kill
        orders.close()


def moments(seed: int) -> list[tuple[str, int]]:
    """When to kill: at random times, at random changes of files, and in the middle of writing files of random sizes."""
    draw = random.Random(seed)
    found = []
    for _ in range(2):
        sizes = int(10 ** draw.uniform(2.0, 5.5))
        found += [("time", draw.randint(0, 300)), ("file", draw.randint(1, 50)), ("size", sizes)]
    draw.shuffle(found)
    return found


def course_of(run: RunFolder) -> Course:
    return run.course() if run.checkpoint("last").exists() else Course()


def require_one_learning_curve(run: RunFolder) -> None:
    """The records are those of a training that was never stopped, and the best checkpoint is the best of them."""
    course = run.course()
    assert [entry["steps"] for entry in course.history] == list(range(INTERVAL, course.steps + 1, INTERVAL))
    seconds = [entry["seconds"] for entry in course.history]
    assert seconds == sorted(set(seconds))
    assert course.best
    assert course.best["completion"] >= max(entry["completion"] for entry in course.history)
    assert run.course("best").best == course.best


def require_whole_records(run: RunFolder) -> None:
    """Every episode up to the checkpoint is there once, in order."""
    episodes, folder = run.course().episodes, run.path / "training-simtrace"
    for number in range(-(-episodes // PER_FILE)):
        rows = csv.DictReader((folder / f"{number}-iteration.csv").read_text().splitlines())
        expected = range(number * PER_FILE, min((number + 1) * PER_FILE, episodes))
        assert list(dict.fromkeys(int(row["episode"]) for row in rows)) == list(expected)
    assert len(list(folder.iterdir())) == -(-episodes // PER_FILE)
    rows = json.loads((run.path / "metrics" / "TrainingMetrics.json").read_text())["metrics"]
    assert [row["episode"] for row in rows if row["phase"] == "training"] == list(range(1, episodes + 1))
    assert sum(row["phase"] == "evaluation" for row in rows) == 5 * len(run.course().history)


@pytest.mark.slow
def test_a_training_that_is_killed_at_random_goes_on_as_if_nothing_had_happened(
    run: RunFolder, victims: Callable[[str, int], tuple[int, int]]
) -> None:
    done = 0
    for how, number in moments(seed=1):
        died_of, told = victims(how, number)
        assert died_of == (signal.SIGXFSZ if how == "size" else signal.SIGKILL), (how, number)
        course = course_of(run)
        assert course.steps >= max(done, told), (how, number)  # what was told had been saved
        assert course.steps % INTERVAL == 0
        done = course.steps
    assert done > 0
    resumed = Trainer(run, resume=True)
    assert resumed.course.steps == done
    resumed.train(Stop(steps=1))
    require_one_learning_curve(run)
    require_whole_records(run)
    (state, *_) = resumed.ppo.policy.optimizer.state.values()
    assert int(state["step"]) == UPDATES * (done // INTERVAL + 1)
