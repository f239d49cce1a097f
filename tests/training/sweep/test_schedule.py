"""What is tried, pruned and given up; the trainings are told, not done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from training.sweep.comparison import Comparison
from training.sweep.folder import SweepFolder
from training.sweep.objective import Result
from training.sweep.plan import SweepError
from training.sweep.schedule import Schedule, Training
from training.sweep.trials import MOMENTS, STARTUP_TRIALS, WARM_UP, Trial

MakeFolder = Callable[..., SweepFolder]


class Silent:
    """Shows nothing, keeps what ended."""

    def __init__(self) -> None:
        self.over: list[Trial] = []

    def began(self, training: Training) -> None: ...

    def stands(self, training: Training, result: Result, share: float) -> None: ...

    def ended(self, trial: Trial) -> None:
        self.over.append(trial)


def learn(schedule: Schedule, training: Training, completion: float) -> bool:
    """Tell the schedule of a training that completes so much at each of its ten evaluations; whether to the end."""
    for k in range(1, MOMENTS + 1):
        result = Result(training.seed, steps=k, evaluations=k, completion=completion, best_completion=completion)
        if not schedule.stands(training, result, k / MOMENTS):
            schedule.ended(training, result)
            assert k >= WARM_UP
            return False
    schedule.ended(training, result)
    return True


def test_a_trial_that_is_worse_than_the_median_is_pruned_in_its_first_training(folder: MakeFolder) -> None:
    watch = Silent()
    schedule = Schedule(folder(), STARTUP_TRIALS + 2, watch)
    for trial, completion in enumerate([50.0, 60.0, 70.0, 40.0, 80.0, 30.0, 90.0]):
        training = schedule.next()
        assert training is not None
        assert (training.trial, training.seed) == (trial, 0)
        if learn(schedule, training, completion):
            second = schedule.next()
            assert second is not None
            assert (second.trial, second.seed) == (trial, 1)
            assert learn(schedule, second, completion)
    assert schedule.next() is None
    assert [trial.state for trial in watch.over] == ["complete"] * 5 + ["pruned", "complete"]
    comparison = Comparison.of(schedule.folder)
    assert [row.trial.number for row in comparison.rows] == [6, 4, 2, 1, 0, 3, 5]
    assert comparison.best_seed() == (6, 0)


def test_trainings_of_one_trial_follow_each_other_and_those_of_several_go_side_by_side(folder: MakeFolder) -> None:
    schedule = Schedule(folder(), 2, Silent())
    first, second = schedule.next(), schedule.next()
    assert first is not None
    assert second is not None
    assert (first.trial, second.trial) == (0, 1)
    assert schedule.next() is None
    assert learn(schedule, second, 50.0)
    third = schedule.next()
    assert third is not None
    assert (third.trial, third.seed) == (1, 1)


def test_a_sweep_whose_trials_all_fail_ends_with_the_reason(folder: MakeFolder) -> None:
    schedule = Schedule(folder(), 10, Silent())
    for _ in range(2):
        training = schedule.next()
        assert training is not None
        schedule.failed(training, "the losses are no numbers")
    training = schedule.next()
    assert training is not None
    with pytest.raises(SweepError, match="all of 3 trials failed, the last one because the losses are no numbers"):
        schedule.failed(training, "the losses are no numbers")


def test_one_process_at_a_time_runs_a_sweep(folder: MakeFolder) -> None:
    made = folder()
    with made.locked(), pytest.raises(SweepError, match="is being run by another process"), made.locked():
        pass
    with made.locked():
        pass


def test_a_damaged_study_is_one_sentence(folder: MakeFolder, tmp_path: Path) -> None:
    made = folder()
    (made.path / "study.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(SweepError, match=r"study\.db cannot be used: .*file is not a database"):
        _ = made.trials
    (made.path / "study.db").unlink()
    with pytest.raises(SweepError, match=r"has no study\.db"):
        _ = made.trials
    with pytest.raises(SweepError, match="is not the folder of a sweep"):
        SweepFolder.open(tmp_path)
