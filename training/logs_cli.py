"""``racer logs``: what a run recorded, for the tools that read DeepRacer's logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def logs() -> None:
    """Hand a run's log to DeepRacer's tools."""


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder; it is only read.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to make, or with --text the file.", show_default=False)
    ],
    layout: Annotated[
        str | None,
        typer.Option(help="droa for DeepRacer on AWS, or drfc for deepracer-for-cloud.", show_default=False),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Write the training as one log, which deepracer-log-guru imports.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an exported log that is there already.")] = False,
) -> None:
    """Write a run's log in the layout of DeepRacer on AWS or deepracer-for-cloud, or as one text.

    deepracer-utils reads both layouts, and a run folder as it is.
    """
    from training import log_export
    from training.run_folder import RunFolder

    if text == (layout is not None):
        raise typer.BadParameter("give either --layout droa, --layout drfc or --text", param_hint="--layout")
    opened = RunFolder.open(run)
    if layout is None:
        done = log_export.export_text(opened, output, force, _bar)
    else:
        done = log_export.export(opened, output, layout, force, _bar)
    typer.echo(f"wrote {output}: {_count(done.iterations, 'simtrace file')}{_raced(done.evaluations, run, text)}")


def _raced(evaluations: int, run: Path, text: bool) -> str:
    if text:
        return ""
    return f" and {_count(evaluations, 'race')}" if evaluations else f", no race yet (racer evaluate {run} drives one)"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _bar(files: Sequence[Path]) -> Iterable[Path]:
    from rich.console import Console
    from rich.progress import track

    return track(files, "Writing the log", console=Console(stderr=True), transient=True)
