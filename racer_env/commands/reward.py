"""``racer reward``: try a reward function before training with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from racer_env.commands.reward_lab import lab

if TYPE_CHECKING:
    from rich.console import RenderableType

    from racer_env.reward_check import Range, RewardReport

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Try a reward function before training with it.")

SHOWN = 10  #: lines that the function printed


@app.callback()
def reward() -> None:
    """Try a reward function before training with it."""


app.command()(lab)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A reward_function.py.", show_default=False)],
    track: Annotated[str, typer.Option(help="Name or file of the track to drive on.")] = "oval",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run a reward function over a driven lap, off the track, the wrong way and among objects.

    Shows the range of rewards, the cost of a call, and what AWS's console would not accept. The exit code is
    2 if a call failed.
    """
    from racer_env.reward_check import check_reward, situations_on
    from racer_env.track import find_track

    report = check_reward(file, situations_on(find_track(track)))
    if as_json:
        typer.echo(_json(report))
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(2)


def _json(report: RewardReport) -> str:
    from dataclasses import asdict

    return json.dumps({"ok": report.ok, **asdict(report)}, indent=2)


def _show(report: RewardReport) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    console.print(_table(report.ranges))
    for r in report.ranges:
        if r.error:
            console.print(f"[red]{r.situation}:[/red] {escape(r.error)}", highlight=False, soft_wrap=True)
    if report.call_us is not None:
        console.print(f"A call takes {report.call_us:.1f} µs, the first one {report.first_call_us:.0f} µs.")
    for advice in report.advice:
        console.print(f"{report.path}:{advice.line}: {advice.text}", markup=False, highlight=False, soft_wrap=True)
    if report.printed:
        console.print(f"It printed {len(report.printed)} lines; the last ones:")
        for line in report.printed[-SHOWN:]:
            console.print("  " + line, markup=False, highlight=False, soft_wrap=True)


def _table(ranges: tuple[Range, ...]) -> RenderableType:
    from rich.table import Table

    table = Table("situation", "calls", "min", "mean", "max")
    for column in table.columns[1:]:
        column.justify = "right"
    for r in ranges:
        numbers = ["failed" if v is None else f"{v:.4g}" for v in (r.minimum, r.mean, r.maximum)]
        table.add_row(r.situation, str(r.calls), *numbers)
    return table
