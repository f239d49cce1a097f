"""What a training shows while it runs: one live panel on a terminal, one line an evaluation elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from training.trainer import Evaluation, Report, Stop


class Progress:
    """Shows reports; a context manager.

    Args:
        console: where to.
        title: what is trained.
    """

    def __init__(self, console: Console, title: str):
        self.console, self.title = console, title
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._evaluation: Evaluation | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, report: Report) -> None:
        """Show how a training stands."""
        self._evaluation = report.evaluation or self._evaluation
        if self._live:
            self._live.update(self._panel(report))
        if report.evaluation is not None:
            self.console.print(line(report), highlight=False)

    def _panel(self, report: Report) -> Panel:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(style="dim", width=18)
        table.add_column()
        course = report.course
        table.add_row("steps", f"{course.steps:,}  ({report.steps_per_second:,.0f} a second)")
        table.add_row("episodes", f"{course.episodes:,}")
        table.add_row("training", _episodes(report))
        table.add_row("evaluation", _laps(self._evaluation))
        table.add_row("best so far", f"{max(course.best_completion, 0.0):.0f} % after {course.best_steps:,} steps")
        table.add_row(
            "entropy, KL",
            f"{report.losses.get('entropy', 0.0):.2f}, {report.losses.get('approx_kl', 0.0):.4f}",
        )
        share, left = progress(report)
        table.add_row("time", f"{_clock(course.seconds)}{f', about {_clock(left)} left' if left is not None else ''}")
        if share is not None:
            table.add_row("", ProgressBar(total=1.0, completed=share))
        return Panel(table, title=self.title, subtitle="Ctrl-C saves and leaves", border_style="cyan")


def line(report: Report) -> str:
    """One line about an evaluation."""
    course = report.course
    return (
        f"{course.steps:>9,} steps  {_clock(course.seconds)}  {report.steps_per_second:5,.0f}/s  "
        f"training {_episodes(report)}  evaluation {_laps(report.evaluation)}"
    )


def progress(report: Report) -> tuple[float | None, float | None]:
    """Share of the training that is done and seconds left, as far as the stop rules tell."""
    stop, course = report.stop, report.course
    shares = []
    if stop.steps:
        shares.append(course.steps / stop.steps)
    if stop.minutes:
        shares.append(course.seconds / (60.0 * stop.minutes))
    if not shares:
        return None, None
    share = min(max(shares), 1.0)
    return share, course.seconds * (1.0 - share) / share if share > 0.0 else None


def describe(stop: Stop) -> str:
    """Say when a training stops."""
    parts = []
    if stop.laps is not None:
        parts.append(f"{stop.laps} evaluation laps in a row")
    if stop.steps is not None:
        parts.append(f"{stop.steps:,} steps")
    if stop.minutes is not None:
        parts.append(f"{stop.minutes:g} minutes")
    return " or ".join(parts)


def _episodes(report: Report) -> str:
    if not report.episodes:
        return "no episode ended"
    progress = np.mean([e.progress for e in report.episodes])
    reward = np.mean([e.reward for e in report.episodes])
    return f"{progress:3.0f} % of a lap, reward {reward:.1f}"


def _laps(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return "not yet"
    laps = int(evaluation.complete.sum())
    text = f"{evaluation.progress.mean():3.0f} %, {laps} of {len(evaluation.progress)} laps"
    return text + (f", {evaluation.milliseconds[evaluation.complete].mean() / 1000:.1f} s" if laps else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
