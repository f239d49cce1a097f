"""Which candidate is better, and how sure that is: means over seeds with confidence intervals.

An interval is Student's: with 95 % confidence, the mean over all seeds that there are lies within it, if the results of
single seeds are distributed normally. It needs two seeds. Results of a pruned trial are what its trainings had achieved
when it was pruned.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from training.sweep.domain import Value
from training.sweep.folder import SweepFolder
from training.sweep.objective import Objective
from training.sweep.trials import Trial

CONFIDENCE = 0.95
ORDER = ("complete", "pruned", "running", "failed")


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: of the seeds that have the number.
        half_width: of the confidence interval, None below two seeds.
        seeds: how many have the number.
    """

    mean: float
    half_width: float | None
    seeds: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Estimate | None:
        """Estimate the mean; None if there are no numbers."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        half = (
            float(stdtrit(len(known) - 1, 0.5 + CONFIDENCE / 2)) * stdev(known) / math.sqrt(len(known))
            if len(known) > 1
            else None
        )
        return cls(fmean(known), half, len(known))


@dataclass(frozen=True)
class Row:
    """A trial in the comparison."""

    trial: Trial
    completion: Estimate | None  #: per cent, mean of all evaluations
    best_completion: Estimate | None  #: per cent, of the best evaluation
    lap_seconds: Estimate | None  #: of the seeds whose best evaluation completed all laps
    steps_to_laps: Estimate | None  #: of the seeds that got so far

    @classmethod
    def of(cls, trial: Trial) -> Row:
        """Compare a trial."""
        results = trial.results
        return cls(
            trial,
            Estimate.of(r.completion for r in results),
            Estimate.of(r.best_completion for r in results),
            Estimate.of(r.lap_ms / 1000.0 if r.lap_ms is not None else None for r in results),
            Estimate.of(r.laps_steps for r in results),
        )


@dataclass(frozen=True)
class Comparison:
    """All trials of a sweep, the best first."""

    objective: Objective
    laps: int  #: in a row, of which `Row.steps_to_laps` speaks
    swept: Sequence[str]
    rows: Sequence[Row]
    importances: Mapping[str, float]

    @classmethod
    def of(cls, folder: SweepFolder) -> Comparison:
        """Compare the trials of a sweep. Raises `SweepError` if it cannot be read."""
        plan, objective, trials = folder.plan, folder.objective, folder.trials
        rows = sorted(map(Row.of, trials.all()), key=lambda row: _rank(row, objective))
        return cls(objective, plan.laps, plan.swept, rows, trials.importances())

    @property
    def best(self) -> Trial | None:
        """The best of the complete trials."""
        complete = [row.trial for row in self.rows if row.trial.state == "complete"]
        return complete[0] if complete else None

    def best_seed(self) -> tuple[int, int] | None:
        """The best trial, and the seed of its training that made the best driver: the farthest, then the fastest."""
        if self.best is None:
            return None
        best = max(self.best.results, key=lambda r: (r.best_completion, -(r.lap_ms or math.inf)))
        return self.best.number, best.seed

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "objective": self.objective.name,
            "confidence": CONFIDENCE,
            "trials": [_plain(row) for row in self.rows],
            "importances": dict(self.importances),
        }

    def to_csv(self) -> str:
        """As a table with a line a trial."""
        rows = [_flat(row) for row in self.rows]
        names = list(dict.fromkeys(name for row in rows for name in row))
        out = io.StringIO()
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()


def _rank(row: Row, objective: Objective) -> tuple[int, float, int]:
    value = row.trial.value
    if value is None:
        value = row.completion.mean if row.completion else -math.inf
        return ORDER.index(row.trial.state), -value, row.trial.number
    return ORDER.index(row.trial.state), -value if objective.maximise else value, row.trial.number


MEASURES = ("completion", "best_completion", "lap_seconds", "steps_to_laps")


def _plain(row: Row) -> dict[str, Any]:
    trial = row.trial
    measures = {name: vars(e) if (e := getattr(row, name)) else None for name in MEASURES}
    out = {"trial": trial.number, "state": trial.state, "value": trial.value, "values": dict(trial.values)}
    failure = {"failure": trial.sentence} if trial.sentence else {}
    return {**out, **measures, "results": [vars(result) for result in trial.results], **failure}


def _flat(row: Row) -> dict[str, Value | None]:
    trial, out = row.trial, {}
    out = {"trial": trial.number, "state": trial.state, "value": trial.value, **trial.values}
    for name in MEASURES:
        estimate: Estimate | None = getattr(row, name)
        half = estimate.half_width if estimate else None
        out[name] = estimate.mean if estimate else None
        out[f"{name}_low"] = estimate.mean - half if estimate and half is not None else None
        out[f"{name}_high"] = estimate.mean + half if estimate and half is not None else None
        out[f"{name}_seeds"] = estimate.seeds if estimate else 0
    return out
