"""``racer camera``: does our camera see what the original's saw?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from racer_env.camera_check import CameraReport
    from racer_env.camera_recording import Recording
    from racer_env.track import Track

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Compare the camera with the original's.")

COLOURS = 96  #: of the contact sheet


@app.callback()
def camera() -> None:
    """Compare the camera with the original's."""


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Recorded pictures with their poses.csv.", show_default=False)],
    *,
    track: Annotated[str, typer.Option(help="Name or file of the track they were taken on.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet, the original above ours.", show_default=False)
    ] = None,
) -> None:
    """Render what a recorded camera saw from each pose and say how much the pictures differ.

    Shows the differences at the recorded pose, after the delay that fits best, and at the ticks of the camera's clock.
    """
    from racer_env.camera_recording import read_recording
    from racer_env.track import find_track

    road = find_track(track)
    recording = read_recording(folder)
    report = _check(recording, road)
    if sheet is not None:
        from racer_env.render import save_picture
        from racer_env.render.check_sheet import draw_check_sheet

        save_picture(draw_check_sheet(recording, road, report.delayed), sheet, COLOURS)
    if as_json:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps({"folder": str(folder), **asdict(report)}, indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(_summary(report))
    console.print()
    console.print(_remainder(report))
    if sheet is not None:
        console.print(f"sheet: {sheet}", highlight=False, soft_wrap=True)


def _check(recording: Recording, track: Track) -> CameraReport:
    from rich.console import Console
    from rich.progress import Progress

    from racer_env.camera_check import check_camera

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("painting the track", total=1.0)
        return check_camera(
            recording, track, progress=lambda what, share: progress.update(task, description=what, completed=share)
        )


def _summary(report: CameraReport) -> RenderableType:
    from rich.table import Table

    all_three = (report.recorded, report.delayed, report.clocked)
    later = f"{1000 * report.delayed.delay_s:.0f} ms later"
    table = Table("", "at the recorded pose", later, "at the camera's ticks", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("pictures", *(str(a.pictures) for a in all_three))
    table.add_row("mean grey difference, of 255", *(f"{a.grey_difference:.2f}" for a in all_three))
    table.add_row("structural similarity", *(f"{a.similarity:.3f}" for a in all_three))
    for name in report.recorded.overlap:
        table.add_row(f"overlap of {name}", *(_number(a.overlap[name]) for a in all_three))
    table.add_row("grey difference by JPEG alone", *(f"{a.compression:.2f}" for a in all_three))
    return table


def _remainder(report: CameraReport) -> RenderableType:
    from rich.table import Table

    table = Table(
        "left at the ticks", "pixels", "difference", "misplaced", "light", "texture", box=None, pad_edge=False
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, left in report.clocked.remainder.items():
        numbers = (left.difference, left.misplaced, left.light, left.texture)
        table.add_row(name, f"{100 * left.pixels:.0f} %", *(f"{n:.1f}" for n in numbers))
    return table


def _number(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"
