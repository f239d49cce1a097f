"""What a training achieved, and by which of it candidates are compared.

| objective       | what | better |
|-----------------|------|--------|
| `completion`    | progress in per cent, mean of all evaluations: how soon and how surely laps are completed | higher |
| `lap_time`      | seconds, mean of the laps of the best evaluation, if it completed all of them             | lower  |
| `steps_to_laps` | training steps until so many evaluation laps in a row were complete                       | lower  |

A training that completed no lap has no lap time, and one that ended before enough laps has no steps. So that it can
still be compared, it counts as worse than any that has: with the longest time that an evaluation lap can take, or with
all the steps that were allowed, once and again for the share of the lap that its evaluations lacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from training.course import Course
from training.policy_driver import SLOWEST


@dataclass(frozen=True)
class Result:
    """What a training has achieved up to now."""

    seed: int
    steps: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    completion: float = 0.0  #: per cent, mean of all evaluations
    best_completion: float = 0.0  #: per cent, of the best evaluation
    lap_ms: float | None = None  #: mean of the best evaluation, if all its laps were complete
    laps_steps: int | None = None  #: when enough laps in a row were complete

    def after(self, course: Course, completion: float, laps: int) -> Result:
        """The result after one more evaluation with that completion; `laps` in a row are enough."""
        n = self.evaluations + 1
        best = course.best_completion or 0.0
        reached = course.steps if course.laps_in_a_row >= laps else None
        return replace(
            self,
            steps=course.steps,
            seconds=course.seconds,
            evaluations=n,
            completion=self.completion + (completion - self.completion) / n,
            best_completion=best,
            lap_ms=course.best_lap_ms if best >= 100.0 else None,
            laps_steps=reached if self.laps_steps is None else self.laps_steps,
        )

    @property
    def lacking(self) -> float:
        """Share of the lap that the best evaluation did not complete."""
        return 1.0 - self.best_completion / 100.0


@dataclass(frozen=True)
class Objective:
    """By what candidates are compared.

    Attributes:
        value: of a result, given the steps that it was allowed and the length of the track in metres.
    """

    name: str
    unit: str
    maximise: bool
    value: Callable[[Result, int, float], float]

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """As Optuna calls it."""
        return "maximize" if self.maximise else "minimize"


def _completion(result: Result, steps: int, length: float) -> float:  # noqa: ARG001
    return result.completion


def _lap_time(result: Result, steps: int, length: float) -> float:  # noqa: ARG001
    return result.lap_ms / 1000.0 if result.lap_ms is not None else length / SLOWEST * (1.0 + result.lacking)


def _steps_to_laps(result: Result, steps: int, length: float) -> float:  # noqa: ARG001
    return float(result.laps_steps) if result.laps_steps is not None else steps * (1.0 + result.lacking)


OBJECTIVES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("completion", "%", True, _completion),
        Objective("lap_time", "s", False, _lap_time),
        Objective("steps_to_laps", "steps", False, _steps_to_laps),
    )
}
