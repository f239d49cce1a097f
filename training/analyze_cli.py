"""The command ``racer analyze``: what a training did, what is wrong with it, and what to try."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from training.analysis.analysis import Analysis
    from training.analysis.case import Finding
    from training.analysis.section import Section


def analyze(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run folder, a DeepRacer-for-cloud or console folder, or a simtrace.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder of the pictures and the report; by default RUN/analysis.", show_default=False
        ),
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Another run to compare with; may be given several times.")
    ] = None,
    routes: Annotated[
        Path | None,
        typer.Option(
            "--tracks",
            help="Folder of routes (.npy) to find the track in; by default the run's own, or those known.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what a training did: completion, reward, laps, exits, actions, learning; and what to try if it is stuck.

    Tables are shown here; pictures, and one HTML report with everything, are written to a folder.
    """
    from rich.console import Console
    from rich.progress import Progress

    from training.analysis.analysis import analyse
    from training.analysis.evidence import gather
    from training.analysis.report import write_report

    folder = output or (run if run.is_dir() else run.parent) / "analysis"
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)
        evidence = gather(run, routes)
        analysis = analyse(evidence, [gather(other, routes) for other in against or []])
        bar.update(task, description="Drawing", total=len(analysis.sections))
        files = write_report(analysis, folder, lambda _: bar.advance(task))
    if as_json:
        import json

        typer.echo(json.dumps({**analysis.as_dict(), "files": list(map(str, files))}, indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    _show(console, analysis)
    console.print(f"wrote {files[0]} and {len(files) - 1} pictures", markup=False, soft_wrap=True)


def _show(console: Console, analysis: Analysis) -> None:
    from rich.text import Text

    for name, text in analysis.facts.items():
        console.print(Text.assemble((f"{name}: ", "dim"), text))
    for section in analysis.sections:
        console.print()
        console.print(_table(section))
    console.print()
    for text in analysis.evidence.missing:
        console.print(Text.assemble(("missing: ", "yellow"), text))
    console.print(Text(analysis.verdict, style="bold"))
    for finding in analysis.findings:
        console.print(_finding(finding))


def _table(section: Section) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=section.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column, numeric in zip(section.table.columns, section.table.numeric, strict=True):
        heading = f"{column.name}\n{column.unit}" if column.unit else column.name
        table.add_column(escape(heading), justify="right" if numeric else "left", vertical="top")
    for row in section.table.written():
        table.add_row(*map(escape, row))
    if not section.table.rows:
        table.caption = "none"
    return table


def _finding(finding: Finding) -> Any:
    from rich.text import Text

    colour = "red" if finding.is_problem else "cyan"
    text = Text.assemble(("\n• ", colour), (finding.says, colour))
    for advice in finding.advice:
        text.append(f"\n  try: {advice}")
    return text
