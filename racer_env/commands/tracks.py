"""``racer tracks``: what tracks there are, what they look like, whether a user's own is sound, and new random ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tracks import Problem

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show, import, check and make tracks.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Name = Annotated[str, typer.Argument(help="A track's name, or a .npy or .toml file.")]


@app.command("list")
def list_tracks(as_json: AsJson = False) -> None:
    """List the shipped tracks and those you imported."""
    import tracks

    kept = {name: file for name, file in tracks.imported().items() if name not in tracks.CATALOGUE}
    rows = [{"source": "shipped", **_numbers(file)} for file in tracks.CATALOGUE.values()]
    rows += [{"source": "imported", **_numbers(file)} for file in kept.values()]
    if as_json:
        _print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("Name", "Kind", box=None, pad_edge=False)
    for heading in ("Length (m)", "Width (m)", "Sharpest (m)"):
        table.add_column(heading, justify="right")
    table.add_column("Description")
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)


@app.command()
def show(
    name: Name,
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture of the track to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the numbers of a track and, with --png, draw it."""
    row = _numbers(name)
    if "problem" in row:
        from racer_env.errors import TrackError

        raise TrackError(f"track {name}: {row['problem']}")
    if png is not None:
        _draw(name, png)
    if as_json:
        _print_json(row)
        return
    lines = {
        "track": f"{row['title']} ({row['name']})" if row["title"] else row["name"],
        "description": row["description"],
        "kind": row["kind"],
        "direction": row["direction"] if row["kind"] == "loop" else "",
        "length": f"{row['length']:.2f} m",
        "width": f"{row['width']:.3f} m ({row['narrowest']:.3f} to {row['widest']:.3f})",
        "sharpest": f"{row['sharpest_radius']:.2f} m" if row["sharpest_radius"] else "no bend",
        "waypoints": str(row["waypoints"]),
        "file": row["file"],
        "picture": str(png) if png else "",
    }
    for label, text in lines.items():
        if text:
            typer.echo(f"{label:<12} {text}")


@app.command("import")
def import_tracks(
    paths: Annotated[list[Path], typer.Argument(help="Route files (.npy) in DeepRacer's format.")],
    force: Annotated[bool, typer.Option("--force", help="Replace imported tracks of the same name.")] = False,
) -> None:
    """Check route files and copy them to your tracks: all of them, or none if one has an error."""
    import tracks

    with _as_track_errors():
        for target in tracks.import_routes(paths, force=force):
            typer.echo(f"imported {target.stem} ({target})")


@app.command()
def check(path: Name, as_json: AsJson = False) -> None:
    """Say what is wrong with a track, and where. Exits with 2 if a car could not drive on it."""
    import tracks

    with _as_track_errors():
        found = tracks.problems(tracks.route(path))
    failed = any(problem.is_error for problem in found)
    if as_json:
        _print_json({"track": path, "ok": not failed, "problems": [_problem(problem) for problem in found]})
    else:
        for problem in found:
            typer.echo(f"{'error' if problem.is_error else 'remark'}: {problem}")
        typer.echo(f"{path}: {'not usable' if failed else 'fine'}")
    if failed:
        raise typer.Exit(2)


@app.command("random")
def make_random(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Route file (.npy) to write.", show_default=False)],
    length: Annotated[float, typer.Option(help="Length of the centre line in m.")] = 25.0,
    width: Annotated[float, typer.Option(help="Width between the borders in m.")] = 0.9,
    difficulty: Annotated[float, typer.Option(help="From 0, a smooth loop, to 1, as tight as a car can drive.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Another one gives another track.")] = 0,
    picture: Annotated[
        Path | None, typer.Option(help="Write a picture of the track to this PNG file.", show_default=False)
    ] = None,
) -> None:
    """Make a random track and write its route, for everything that takes a track."""
    from racer_env.errors import TrackError
    from racer_env.random_tracks import random_track

    if output.suffix != ".npy":
        raise TrackError(f"a route is a .npy file, so {output} must end in .npy")
    track = random_track(length, width, difficulty, seed)
    if picture is not None:
        from racer_env.render import save_picture
        from racer_env.render.track_picture import track_picture

        save_picture(track_picture(track.route), picture, colours=48)
    _write_route(track.route, output)
    around = "counter-clockwise" if track.counter_clockwise else "clockwise"
    typer.echo(f"{output}: {track.length:.2f} m, {width:g} m wide, {around}")


def _write_route(route: Any, path: Path) -> None:
    """Write a route whole or not at all."""
    import numpy as np

    from racer_env.errors import TrackError

    temporary = path.with_name(f".{path.name}.part.npy")
    try:
        np.save(temporary, route, allow_pickle=False)
        temporary.replace(path)
    except OSError as error:
        raise TrackError(f"the track {path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _numbers(name: str | Path) -> dict[str, Any]:
    """Describe a track in plain values; one with errors has a ``problem`` instead of numbers."""
    import math

    import tracks

    with _as_track_errors():
        file = tracks.find(name)
        layout = tracks.read(name) if file.suffix == ".toml" else None
        known = {
            "name": file.stem,
            "title": layout.title if layout else "",
            "description": layout.description if layout else "",
            "file": str(file),
        }
        try:
            route = tracks.route(name)
        except tracks.BadTrack as error:
            return {**known, "problem": str(error)}
    wrong = tracks.errors(route)
    if wrong:
        return {**known, "problem": str(wrong[0])}
    measured = tracks.measure(route)
    radius = measured.sharpest_radius
    return {
        **known,
        "kind": "loop" if measured.loop else "open",
        "direction": measured.direction,
        "length": round(measured.length, 3),
        "width": round(measured.width, 3),
        "narrowest": round(measured.narrowest, 3),
        "widest": round(measured.widest, 3),
        "sharpest_radius": round(radius, 3) if math.isfinite(radius) else None,
        "waypoints": measured.rows,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    """A row of the table; the direction says that it is a loop."""
    if "problem" in row:
        return [row["name"], "unusable", "", "", "", row["problem"]]
    sharpest = f"{row['sharpest_radius']:.2f}" if row["sharpest_radius"] else ""
    said = row["description"] or row["source"]
    return [row["name"], row["direction"], f"{row['length']:.2f}", f"{row['width']:.2f}", sharpest, said]


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "severity": "error" if problem.is_error else "remark",
        "kind": problem.kind,
        "message": problem.message,
        "row": problem.row,
        "x": problem.x,
        "y": problem.y,
    }


def _draw(name: str, png: Path) -> None:
    import tracks
    from racer_env.errors import TrackError
    from racer_env.render.track_picture import save_track_picture

    try:
        save_track_picture(tracks.route(name), png)
    except OSError as error:
        raise TrackError(f"the picture {png} cannot be written: {error.strerror}") from error


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def _as_track_errors() -> Iterator[None]:
    """Turn the errors of `tracks` into the one that commands print as a sentence."""
    import tracks
    from racer_env.errors import TrackError

    try:
        yield
    except (tracks.TrackNotFound, tracks.BadTrack) as error:
        raise TrackError(str(error)) from error
