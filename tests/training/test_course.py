"""Which evaluation is the best, by each of the three measures."""

from __future__ import annotations

import pytest

from training.course import RANKS, Course, Entry


def entry(completion: float, complete: int = 0, lap_ms: float | None = None, reward: float = 0.0) -> Entry:
    return Entry(
        steps=0, seconds=0.0, completion=completion, laps=5, laps_complete=complete, lap_ms=lap_ms, reward=reward
    )


#: Evaluations in the order in which they come, and whether each is the best so far.
CASES: dict[str, list[tuple[Entry, bool]]] = {
    "progress": [
        (entry(40.0), True),
        (entry(39.0), False),
        (entry(80.0, 1, 9000.0), True),
        (entry(80.0), True),  # of equals the newer; the time of some laps does not count yet
        (entry(100.0, 5, 14_000.0), True),
        (entry(100.0, 5, 15_000.0), False),
        (entry(100.0, 5, 14_000.0), True),
        (entry(100.0, 5, 13_000.0), True),
        (entry(99.0, 4, 1000.0), False),
    ],
    "reward": [
        (entry(40.0, reward=-2.0), True),
        (entry(30.0, reward=-1.0), True),
        (entry(100.0, 5, 9000.0, reward=-1.5), False),
        (entry(20.0, reward=-1.0), True),
        (entry(20.0, reward=7.0), True),
    ],
    "lap-time": [
        (entry(40.0), True),
        (entry(30.0), False),
        (entry(60.0), True),
        (entry(50.0, 1, 12_000.0), True),
        (entry(90.0, 1, 13_000.0), False),
        (entry(90.0, 4, 20_000.0), True),
        (entry(85.0, 3, 8000.0), False),  # one lap that is missing costs more than any time gained
        (entry(100.0, 5, 19_000.0), True),
        (entry(100.0, 5, 18_000.0), True),
        (entry(100.0, 5, 18_500.0), False),
    ],
}


@pytest.mark.parametrize("metric", RANKS)
def test_what_is_worse_never_takes_the_place_of_the_best(metric: str) -> None:
    course = Course()
    for number, (one, better) in enumerate(CASES[metric]):
        before = course.best
        assert course.improved_by(one, metric) is better, number
        assert course.best is (one if better else before)


def test_before_any_evaluation_there_is_no_best() -> None:
    course = Course()
    assert (course.best_completion, course.best_lap_ms, course.best_steps) == (None, None, 0)
