"""How far a run has come: counters, the learning curve, and which of its evaluations was the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

#: What a lap that was not completed counts as when lap times are compared, ms (``BEST_MODEL_METRIC`` of the original).
INCOMPLETE_MS = 999_999.0


class Entry(TypedDict):
    """One evaluation: a point of the learning curve."""

    steps: int  #: of training, before it
    seconds: float  #: spent training, over all sessions, when it was over
    completion: float  #: per cent of a lap, mean
    laps: int  #: that were begun
    laps_complete: int
    lap_ms: float | None  #: mean of the complete laps; None if there is none
    reward: float  #: of a lap, mean


def _by_progress(entry: Entry) -> tuple[float, float]:
    """The most progress; once all laps are complete, the fastest."""
    complete = entry["laps_complete"] == entry["laps"] and entry["lap_ms"] is not None
    return entry["completion"], -(entry["lap_ms"] or 0.0) if complete else -INCOMPLETE_MS


def _by_reward(entry: Entry) -> tuple[float, float]:
    """The highest mean reward of a lap."""
    return entry["reward"], 0.0


def _by_lap_time(entry: Entry) -> tuple[float, float]:
    """The lowest mean lap time, in which an incomplete lap counts as `INCOMPLETE_MS`; before there is one, progress."""
    complete, missing = entry["laps_complete"], entry["laps"] - entry["laps_complete"]
    total = complete * (entry["lap_ms"] or 0.0) + missing * INCOMPLETE_MS
    return -total / entry["laps"], entry["completion"]


#: What makes an evaluation the best: a name for ``--best``, and a rank that is higher for what is better.
RANKS: Mapping[str, Callable[[Entry], tuple[float, float]]] = {
    "progress": _by_progress,
    "reward": _by_reward,
    "lap-time": _by_lap_time,
}


@dataclass
class Course:
    """How far a run has come."""

    steps: int = 0
    iterations: int = 0
    episodes: int = 0
    seconds: float = 0.0  #: spent training, over all sessions
    ticks: int = 0  #: control periods on the simulator's clock
    laps_in_a_row: int = 0  #: evaluation laps up to now that were as good as is wanted, since started or resumed
    first_lap_steps: int | None = None  #: when an evaluation lap was complete for the first time
    metric_rows: int = 0
    best: Entry | None = None  #: the evaluation of the best checkpoint
    history: list[Entry] = field(default_factory=list)  #: the learning curve

    def improved_by(self, entry: Entry, metric: str = "progress") -> bool:
        """Note an evaluation if it is the best by a name of `RANKS`; of equals the newer is."""
        rank = RANKS[metric]
        if self.best is not None and rank(entry) < rank(self.best):
            return False
        self.best = entry
        return True

    @property
    def best_completion(self) -> float | None:
        """Mean progress of the best evaluation, per cent."""
        return self.best["completion"] if self.best else None

    @property
    def best_lap_ms(self) -> float | None:
        """Mean time of the complete laps of the best evaluation, ms."""
        return self.best["lap_ms"] if self.best else None

    @property
    def best_steps(self) -> int:
        """When the best evaluation was."""
        return self.best["steps"] if self.best else 0
