"""``racer league replay`` and ``racer league compare``: look at a drive, and at two laps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from league.output_cli import HERE, Folder

if TYPE_CHECKING:
    from racer_env.comparison import Comparison, LapTrace
    from racer_env.ghost import Choice
    from racer_env.replay import Replay

app = typer.Typer(add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Sectors = Annotated[int, typer.Option(help="Equally long sectors, 1 to 20.")]


@app.command()
def replay(
    *,
    what: Annotated[str, typer.Argument(help="A replay's file, or a submission's number.", show_default=False)],
    run: Annotated[
        int | None, typer.Option(help="Of a submission's runs, from 1; the one that counts by default.")
    ] = None,
    folder: Folder = HERE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Draw it into this file: .mp4, .gif or .png.", show_default=False),
    ] = None,
    car: Annotated[int, typer.Option(help="The car to follow, from 1.")] = 1,
    at: Annotated[float | None, typer.Option(help="A .png of this moment, in seconds.", show_default=False)] = None,
    pace: Annotated[float, typer.Option(help="How many times as fast as it was driven.")] = 1.0,
    camera: Annotated[bool, typer.Option(help="Show what the driver saw, or the road around the car.")] = True,
    as_json: AsJson = False,
) -> None:
    """Tell what happened in a drive, and draw it as a video, a GIF or a picture."""
    shown = _read(what, folder, run)
    if output is not None:
        _draw(shown, output, car - 1, camera=camera, at=at, pace=pace)
        typer.echo(f"wrote {output}", err=as_json)
    if as_json:
        _print_json(_summary(shown))
    elif output is None:
        _print_replay(shown)


@app.command()
def compare(
    *,
    first: Annotated[str, typer.Argument(help="A replay's file, or a submission's number.", show_default=False)],
    second: Annotated[
        str | None, typer.Argument(help="The same of the other lap, if it is in another.", show_default=False)
    ] = None,
    lap: Annotated[
        int | None, typer.Option(help="The lap, from 1; the fastest by default.", show_default=False)
    ] = None,
    other_lap: Annotated[
        int | None, typer.Option(help="The other lap, from 1; the fastest by default.", show_default=False)
    ] = None,
    car: Annotated[int, typer.Option(help="Whose lap, from 1.")] = 1,
    other_car: Annotated[int, typer.Option(help="Whose lap the other is, from 1.")] = 1,
    sectors: Sectors = 3,
    folder: Folder = HERE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Draw it: .png for plots, .mp4 or .gif for both.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two laps: where the time was won and lost, speed, steering and sectors."""
    from racer_env.comparison import compare as compared
    from racer_env.comparison import lap_trace
    from racer_env.ghost import Choice

    if second is None and (car, lap) == (other_car, other_lap):
        raise typer.BadParameter("give another replay, or --other-lap, or --other-car", param_hint="SECOND")
    files = (first, second or first)
    one, other = (_read(what, folder) for what in files)
    choices = [
        Choice(shown, whose - 1, which, _name(files, k, shown, whose - 1))
        for k, (shown, whose, which) in enumerate(((one, car, lap), (other, other_car, other_lap)))
    ]
    traces = [lap_trace(*choice) for choice in choices]
    comparison = compared(traces[0], traces[1], sectors)
    if output is not None:
        _draw_comparison(comparison, choices, output)
        typer.echo(f"wrote {output}", err=as_json)
    if as_json:
        _print_json(_comparison(comparison))
    else:
        _print_comparison(comparison)


def _read(what: str, folder: Path, run: int | None = None) -> Replay:
    """A replay's file, or what a league keeps of the submission with a number."""
    if what.isdecimal() and not Path(what).exists():
        from league.service import League

        return League(folder).submissions.replay(int(what), run)
    if run is not None:
        raise typer.BadParameter("needs the number of a submission, not a file", param_hint="--run")
    from racer_env.replay_file import read

    return read(Path(what))


def _name(files: tuple[str, str], k: int, shown: Replay, car: int) -> str | None:
    """A racer's name with that of the file, when there are two."""
    if files[0] == files[1] or not 0 <= car < len(shown.names):
        return None
    return f"{shown.names[car]} ({Path(files[k]).stem})"


def _draw_comparison(comparison: Comparison, laps: Sequence[Choice], output: Path) -> None:
    """Plots as a picture, or both cars on the track as a video."""
    if output.suffix.lower() in (".mp4", ".gif"):
        from racer_env.ghost import side_by_side

        _draw(side_by_side(*laps), output, 0, camera=False)
        return
    from racer_env.render import save_picture
    from racer_env.render.comparison_picture import draw_comparison

    save_picture(draw_comparison(comparison), output)


def _draw(shown: Replay, output: Path, car: int, **options: Any) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from racer_env.render.replay_export import export

    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("drawing", total=None)
        export(
            shown, output, car, progress=lambda done, count: bar.update(task, completed=done, total=count), **options
        )


def _summary(shown: Replay) -> dict[str, Any]:
    header = shown.header
    return {
        "engine": header.engine,
        "track": header.course.name,
        "reverse": header.course.is_reversed,
        "race_laps": header.race_laps,
        "frames": len(shown),
        "runs": len(header.runs),
        "racers": [
            {
                "name": name,
                "laps": [
                    {"number": lap.number, "time_ms": lap.time_ms, "complete": lap.complete} for lap in shown.laps(car)
                ],
                "events": [{**vars(event), "time_ms": event.milliseconds} for event in shown.events(car)],
            }
            for car, name in enumerate(shown.names)
        ],
        "things": [thing.kind for thing in header.things],
    }


def _print_replay(shown: Replay) -> None:
    from bisect import bisect_right

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    header, console = shown.header, Console(highlight=False)
    direction = ", reversed" if header.course.is_reversed else ""
    laps = f"{header.race_laps} lap{'s' * (header.race_laps > 1)}"
    console.print(Text(f"{header.course.name}{direction}, {laps}, simulator {header.engine}"))
    table = Table("racer", "lap", "time (s)", "ended", "events")
    for car, name in enumerate(shown.names):
        events = shown.events(car)
        frames = [event.frame for event in events]
        for lap in shown.laps(car):
            inside = events[bisect_right(frames, lap.first) : bisect_right(frames, lap.last)]
            ended = "complete" if lap.complete else inside[-1].kind.replace("_", " ")
            said = [f"{e.kind.replace('_', ' ')} at {e.milliseconds / 1000:.1f} s" for e in inside if e.put_back]
            table.add_row(Text(name), str(lap.number), f"{lap.time_ms / 1000:.3f}", ended, ", ".join(said))
    console.print(table)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    laps = [{"label": lap.label, "time_ms": lap.time_ms} for lap in comparison.laps]
    along = {
        "station_m": comparison.station,
        "delta_s": comparison.delta,
        "speed_mps": comparison.speed.T,
        "steering_degrees": comparison.steering.T,
    }
    return {
        "laps": laps,
        "delta_ms": comparison.delta_ms,
        "sectors": [{**vars(sector), "delta_ms": sector.delta_ms} for sector in comparison.sectors],
        **{name: values.round(4).tolist() for name, values in along.items()},
    }


def _print_comparison(comparison: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for which, lap in zip(("first ", "second"), comparison.laps, strict=True):
        console.print(Text(f"{which}  {lap.label}: {lap.time_ms / 1000:.3f} s, {_faults(lap)}"))
    table = Table()
    for name in ("sector", "metres", "first (s)", "second (s)", "difference", "slowest (m/s)"):
        table.add_column(name, justify="right")
    for number, sector in enumerate(comparison.sectors, 1):
        slowest = " / ".join(f"{speed:.2f}" for speed in sector.slowest)
        ends = f"{sector.start:.1f} to {sector.end:.1f}"
        table.add_row(str(number), ends, *_times(sector.times_ms, sector.delta_ms), slowest)
    table.add_section()
    first, second = (lap.time_ms for lap in comparison.laps)
    table.add_row("lap", "", *_times((first, second), comparison.delta_ms), "")
    console.print(table)


def _faults(lap: LapTrace) -> str:
    return f"{lap.off_tracks} off-tracks, {lap.crashes} crashes"


def _times(times_ms: tuple[int, int], delta_ms: int) -> tuple[str, str, str]:
    return f"{times_ms[0] / 1000:.3f}", f"{times_ms[1] / 1000:.3f}", f"{delta_ms / 1000:+.3f}"


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
