"""What a training shows while it runs: one live panel on a terminal, one line an evaluation elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from training.policy_driver import Evaluation
from training.trainer import Report, Stop


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
            self._live.update(self._framed("getting ready, then the first iteration ..."))
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
            self.console.print(line(report), markup=False)

    def show_printed(self, lines: list[str], log: Path) -> None:
        """Show the newest lines that the reward function printed, and where all of them are."""
        if lines:
            self.console.print(f"reward_function printed, at last (all of it: {log}):", markup=False)
            for text in lines:
                self.console.print(f"  {text}", markup=False)

    def _panel(self, report: Report) -> Panel:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(style="dim", width=18)
        table.add_column()
        course = report.course
        table.add_row("steps", f"{course.steps:,}  ({report.steps_per_second:,.0f} a second)")
        table.add_row("episodes", f"{course.episodes:,}")
        table.add_row("training", _episodes(report))
        table.add_row("evaluation", _laps(self._evaluation) + _held(report))
        table.add_row("best so far", f"{course.best_completion or 0.0:.0f} % after {course.best_steps:,} steps")
        table.add_row(
            "entropy, KL",
            f"{report.losses.get('entropy', 0.0):.2f}, {report.losses.get('approx_kl', 0.0):.4f}",
        )
        left = f", about {_clock(report.seconds_left)} left" if report.seconds_left is not None else ""
        table.add_row("time", f"{_clock(course.seconds)}{left}")
        if report.share is not None:
            table.add_row("", ProgressBar(total=1.0, completed=report.share))
        if report.printed:
            table.add_row("printed", Text("\n".join(report.printed), overflow="ellipsis", no_wrap=True))
        return self._framed(table)

    def _framed(self, content: RenderableType) -> Panel:
        return Panel(content, title=escape(self.title), subtitle="Ctrl-C saves and leaves", border_style="cyan")


def line(report: Report) -> str:
    """One line about an evaluation."""
    course = report.course
    return (
        f"{course.steps:>9,} steps  {_clock(course.seconds)}  {report.steps_per_second:5,.0f}/s  "
        f"training {_episodes(report)}  evaluation {_laps(report.evaluation)}{_held(report)}"
    )


def note(remark: str) -> Text:
    """A remark on what the user gave."""
    return Text.assemble(("note: ", "yellow"), remark)


def describe(stop: Stop) -> str:
    """Say when a training stops."""
    parts = []
    if stop.laps is not None:
        parts.append(f"{stop.laps} evaluation laps in a row{_target(stop)}")
    if stop.steps is not None:
        parts.append(f"{stop.steps:,} steps")
    if stop.minutes is not None:
        parts.append(f"{stop.minutes:g} minutes")
    return " or ".join(parts)


def _target(stop: Stop) -> str:
    """How good a lap must be to count, if being complete is not enough or not needed."""
    if stop.lap_seconds is not None:
        return f" of at most {stop.lap_seconds:g} s"
    return f" of at least {stop.progress:g} %" if stop.progress < 100.0 else ""


def _held(report: Report) -> str:
    laps = report.stop.laps
    return f", {min(report.course.laps_in_a_row, laps)} of {laps} in a row{_target(report.stop)}" if laps else ""


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
    text = f"{evaluation.completion:3.0f} %, {laps} of {len(evaluation.progress)} laps"
    return text + (f", {evaluation.lap_ms / 1000:.1f} s" if evaluation.lap_ms is not None else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
