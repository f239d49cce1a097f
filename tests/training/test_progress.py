"""What is shown while a training runs: a live panel on a terminal, one line an evaluation elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from racer_env.race import Status
from training.course import Course, Entry
from training.policy_driver import Evaluation
from training.progress import Progress, describe, line, note
from training.records import Episode
from training.trainer import Report, Stop

EVALUATION = Evaluation(
    np.array([100.0, 100.0, 50.0, 25.0, 25.0]),
    np.array([10_000, 12_000, 5000, 1, 1]),
    np.array([2, 2, 4, 4, 4]),
    np.array([300.0, 300.0, 150.0, 75.0, 75.0]),
)
BEST = Entry(steps=10_240, seconds=90.0, completion=60.0, laps=5, laps_complete=2, lap_ms=11_000.0, reward=180.0)


def report(evaluation: Evaluation | None = EVALUATION, printed: list[str] | None = None) -> Report:
    course = Course(steps=12_800, seconds=125.0, episodes=40, best=BEST)
    episodes = [Episode(0, 30, 20.0, 40.0, Status.OFF_TRACK), Episode(1, 30, 40.0, 60.0, Status.OFF_TRACK)]
    losses = {"entropy": 1.5, "approx_kl": 0.01}
    return Report(course, 0.5, 125.0, 512.0, episodes, evaluation, losses, printed or [])


def shown(terminal: bool, *reports: Report) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, soft_wrap=True, _environ={"TERM": "xterm"})
    with Progress(console, "runs/[mine]") as progress:
        for one in reports:
            progress.show(one)
    return out.getvalue()


def test_a_pipe_gets_one_line_an_evaluation() -> None:
    text = shown(False, report(None), report(), report(None))
    assert text == line(report()) + "\n"
    for part in ("12,800 steps", "2:05", "512/s", "50 % of a lap, reward 30.0", "60 %, 2 of 5 laps, 11.0 s"):
        assert part in text


@pytest.mark.parametrize(
    "part", ["runs/[mine]", "512 a second", "reward 30.0", "2 of 5 laps", "about 2:05 left", "12,800", "60 % after"]
)
def test_a_terminal_shows_a_panel(part: str) -> None:
    assert part in shown(True, report())


def test_the_panel_is_there_before_the_first_report() -> None:
    assert "getting ready" in shown(True)


def test_the_panel_shows_what_the_reward_function_printed_as_it_is() -> None:
    text = shown(True, report(printed=["[bold]not markup[/bold]", "speed 1.0"]))
    assert "[bold]not markup[/bold]" in text
    assert "speed 1.0" in text


def test_what_was_printed_is_shown_at_the_end_with_its_file() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=40, soft_wrap=True), "run")
    progress.show_printed([], Path("log"))
    assert out.getvalue() == ""
    progress.show_printed(["one [red]", "two"], Path("run/logs/reward.log"))
    assert out.getvalue() == "reward_function printed, at last (all of it: run/logs/reward.log):\n  one [red]\n  two\n"


def test_stop_rules_are_told_in_words() -> None:
    assert describe(Stop(laps=5, minutes=30.0)) == "5 evaluation laps in a row or 30 minutes"
    assert describe(Stop(steps=10_000, minutes=0.5)) == "10,000 steps or 0.5 minutes"


def test_what_counts_as_a_lap_is_told_in_words() -> None:
    assert describe(Stop(laps=3, lap_seconds=12.5)) == "3 evaluation laps in a row of at most 12.5 s"
    assert describe(Stop(laps=3, progress=90.0)) == "3 evaluation laps in a row of at least 90 %"
    held = report()._replace(stop=Stop(laps=3, lap_seconds=12.5))
    held.course.laps_in_a_row = 2
    assert line(held).endswith("2 of 5 laps, 11.0 s, 2 of 3 in a row of at most 12.5 s")
    held.course.laps_in_a_row = 7
    assert "3 of 3 in a row" in line(held)


def test_a_note_keeps_its_brackets() -> None:
    assert note("lr [0.1]").plain == "note: lr [0.1]"
