"""What a sweep shows: a bar for the trials and one for each training under way, a line a trial, and the table."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from training.sweep.comparison import Comparison, Estimate, Row
from training.sweep.domain import Value
from training.sweep.objective import Objective, Result
from training.sweep.schedule import Training
from training.sweep.trials import Trial


class SweepProgress:
    """Shows how a sweep comes on; a context manager, and the `Watch` of a schedule.

    Args:
        console: where to; without a terminal there are no bars.
        objective: by which trials are compared.
        limit: how many trials there will be.
        done: how many are over already.
    """

    def __init__(self, console: Console, objective: Objective, limit: int, done: int):
        self._console, self._objective = console, objective
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._limit, self._done = limit, done
        self._trials = self._bars.add_task("trials", total=limit, completed=done, note=f"{done} of {limit}")
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def began(self, training: Training) -> None:
        """A training begins."""
        self._remove(training.trial)
        title = f"trial {training.trial}, seed {training.seed}"
        self._tasks[training.trial] = self._bars.add_task(title, total=1.0, note="no evaluation yet")

    def stands(self, training: Training, result: Result, share: float) -> None:
        """An evaluation was driven."""
        note = f"{result.steps:,} steps, best evaluation {result.best_completion:.0f} %"
        self._bars.update(self._tasks[training.trial], completed=share, note=note)

    def ended(self, trial: Trial) -> None:
        """A trial is over."""
        self._remove(trial.number)
        self._done += 1
        self._bars.update(self._trials, completed=self._done, note=f"{self._done} of {self._limit}")
        self._console.print(line(trial, self._objective), markup=False)

    def _remove(self, number: int) -> None:
        if number in self._tasks:
            self._bars.remove_task(self._tasks.pop(number))


def line(trial: Trial, objective: Objective) -> str:
    """One line about a trial that is over."""
    row = Row.of(trial)
    said = trial.sentence if trial.sentence else f"completion {estimated(row.completion)} %"
    if row.lap_seconds:
        said += f", lap {estimated(row.lap_seconds, 2)} s"
    told = trial.value is None or objective.name == "completion"
    value = "" if told else f"{objective.name} {shown(trial.value)} {objective.unit}, "
    tried = ", ".join(f"{name} {shown(value)}" for name, value in trial.values.items())
    return f"trial {trial.number} {trial.state}: {value}{said}  ({tried})"


def table(comparison: Comparison) -> Table:
    """The comparison, the best trial first; as wide as it must be."""
    out = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("trial", "state", *comparison.swept):
        out.add_column(name.replace("_", "_\n"), no_wrap=True)
    headings = ("completion, %", "best, %", "lap, s", f"steps to\n{comparison.laps} laps", "seeds")
    for name in headings:
        out.add_column(name, justify="right", no_wrap=True)
    for row in comparison.rows:
        values = [shown(row.trial.values[name]) if name in row.trial.values else "" for name in comparison.swept]
        out.add_row(str(row.trial.number), row.trial.state, *values, *_measures(row))
    return out


def _measures(row: Row) -> tuple[str, ...]:
    seeds = len(row.trial.results)
    of = [
        f" ({estimate.seeds} of {seeds})" if estimate and estimate.seeds < seeds else ""
        for estimate in (row.lap_seconds, row.steps_to_laps)
    ]
    return (
        estimated(row.completion),
        estimated(row.best_completion),
        estimated(row.lap_seconds, 2) + of[0],
        estimated(row.steps_to_laps, 0) + of[1],
        str(seeds),
    )


def estimated(estimate: Estimate | None, decimals: int = 1) -> str:
    """A mean and, if there is one, half the width of its confidence interval."""
    if estimate is None:
        return "-"
    half = f" ± {estimate.half_width:,.{decimals}f}" if estimate.half_width is not None else ""
    return f"{estimate.mean:,.{decimals}f}{half}"


def shown(value: Value | None) -> str:
    """A value in a few digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
