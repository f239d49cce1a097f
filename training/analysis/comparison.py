"""Several trainings side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from racer_env.kernel import Floats
from training.analysis import style
from training.analysis.case import Case
from training.analysis.evidence import Evidence
from training.analysis.section import Section
from training.analysis.stages import WINDOW, running_mean
from training.analysis.table import Column, Table


def comparison(every: Sequence[Evidence]) -> Section:
    """Compare trainings: completion against steps, and figures of each."""
    columns = (
        Column("run"),
        Column("steps", "thousand", ".1f"),
        Column("first lap", "thousand steps", ".1f"),
        Column("laps, last quarter", "%", ".0f"),
        Column("mean, last quarter", "%", ".1f"),
        Column("best lap", "s", ".2f"),
        Column("late lap", "s, median", ".2f"),
        Column("entropy left", "%", ".0f"),
    )
    rows = tuple(_row(evidence) for evidence in every)

    def draw(figure: style.Figure) -> None:
        upper, lower = style.stacked(figure, "training steps (thousand)", "lap completed (%)", "best lap (s)")
        for name, evidence, colour in zip(names(every), every, style.SERIES * len(every), strict=False):
            episodes, complete = evidence.training.episodes, evidence.training.complete
            upper.plot(episodes.trained / 1000.0, running_mean(episodes.progress), color=colour, label=name)
            if complete.any():
                laps = episodes[complete]
                best = np.minimum.accumulate(laps.seconds)
                lower.step(
                    _ending(laps.trained, episodes.trained[-1]), np.append(best, best[-1]), where="post", color=colour
                )
        upper.set_ylim(-3, 106)
        style.legend(upper)

    text = f"Completion is the mean of {WINDOW} episodes; the best lap is that of the training until then."
    return Section("comparison", "Comparison", text, Table(columns, rows), draw, (9.0, 5.0))


def names(every: Sequence[Evidence]) -> list[str]:
    """The runs' names, or their paths where two have the same."""
    short = [evidence.name for evidence in every]
    return short if len(set(short)) == len(short) else [str(evidence.path) for evidence in every]


def _ending(steps: Floats, last: int) -> Floats:
    thousands: Floats = np.append(steps, last) / 1000.0
    return thousands


def _row(evidence: Evidence) -> tuple[object, ...]:
    case, episodes, complete = Case.of(evidence), evidence.training.episodes, evidence.training.complete
    late = case.last.seconds[case.last.progress >= 100.0]
    left = case.entropy_left
    return (
        evidence.name,
        float(episodes.trained[-1]) / 1000.0,
        float(episodes.trained[complete][0]) / 1000.0 if complete.any() else None,
        100.0 * case.laps,
        float(case.last.progress.mean()),
        float(episodes.seconds[complete].min()) if complete.any() else None,
        float(np.median(late)) if len(late) else None,
        None if left is None else 100.0 * left,
    )
