"""Objectives and estimates are what their definitions say."""

from __future__ import annotations

import pytest

from training.course import Course, Entry
from training.sweep.comparison import Estimate
from training.sweep.objective import OBJECTIVES, Result


def test_an_interval_is_students() -> None:
    estimate = Estimate.of([10.0, 12.0, 14.0, None])
    assert estimate is not None
    assert (estimate.mean, estimate.seeds) == (12.0, 3)
    assert estimate.half_width == pytest.approx(4.302653 * 2.0 / 3**0.5)
    assert Estimate.of([5]) == Estimate(5.0, None, 1)
    assert Estimate.of([None]) is None


def test_completion_is_the_mean_of_all_evaluations_and_laps_count_once() -> None:
    result, course = Result(seed=3), Course()
    for steps, completion, row in ((100, 20.0, 0), (200, 100.0, 5), (300, 60.0, 0), (400, 100.0, 5)):
        entry = Entry(
            steps=steps, seconds=1.0, completion=completion, laps=5, laps_complete=row, lap_ms=None, reward=0.0
        )
        course.steps, course.laps_in_a_row = steps, row
        course.improved_by(entry)
        result = result.after(course, completion, laps=5)
    assert result.completion == pytest.approx(70.0)
    assert (result.steps, result.evaluations, result.best_completion, result.laps_steps) == (400, 4, 100.0, 200)


@pytest.mark.parametrize(("name", "better"), [("lap_time", 24.0), ("steps_to_laps", 900.0)])
def test_who_got_there_is_always_better_than_who_did_not_and_farther_is_better(name: str, better: float) -> None:
    value = OBJECTIVES[name].value
    reached = Result(0, best_completion=100.0, lap_ms=24_000.0, laps_steps=900)
    almost, hardly = Result(0, best_completion=99.0), Result(0, best_completion=5.0)
    values = [value(result, 1000, 17.0) for result in (reached, almost, hardly)]
    assert values[0] == better
    assert values == sorted(values)
    assert values[1] < values[2]
