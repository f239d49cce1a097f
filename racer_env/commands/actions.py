"""``racer actions``: propose a discrete action space for a track and a car, and look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from racer_env.car import ActionSpace, Car, DiscreteActions

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Propose an action space, or draw one.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Picture = Annotated[Path | None, typer.Option(help="Draw the actions as a polar plot, as PNG.", show_default=False)]


@app.command()
def suggest(
    track: Annotated[str, typer.Option(help="A track's name, a .npy or .toml file, or random:SEED.")] = "oval",
    car: Annotated[str, typer.Option(help="A car's name, or its .toml file.")] = "deepracer_v5",
    count: Annotated[int, typer.Option("-n", "--count", help="How many actions, 3 to 30.")] = 12,
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive the track the other way round.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write a model_metadata.json. One that exists keeps its sensors and network, and gets the actions.",
            show_default=False,
        ),
    ] = None,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Propose actions from the minimum-time line of a track.

    What the car must command along the line is gathered into groups; two actions, and two gentle ones from 8 on, lead
    back to it from either side.
    """
    from racer_env.car import find_car
    from racer_env.suggested_actions import suggest_actions
    from racer_env.track import find_track

    who = find_car(car)
    found = suggest_actions(find_track(track, reverse=reverse), who, count)
    if picture is not None:
        _draw(found.actions, f"{len(found.actions)} actions for {who.name} on {Path(track).stem}", picture)
    if output is not None:
        _write(found.actions, who, output)
    _print(found.actions, found.share, as_json)
    if not as_json:
        for label, path in (("actions", output), ("picture", picture)):
            if path is not None:
                typer.echo(f"{label:<8} {path}")


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A model_metadata.json, or a folder of a model or a run.")],
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Print an action space and, with --picture, draw it."""
    from racer_env.metadata import ModelMetadata

    file = _metadata_of(path)
    actions = ModelMetadata.read(file).actions
    if picture is not None:
        _draw(actions, str(path), picture)
    _print(actions, None, as_json)


def _metadata_of(path: Path) -> Path:
    """The metadata file of a path that the user gave."""
    from racer_env.errors import MetadataError

    if not path.is_dir():
        return path
    inside = [path / "model_metadata.json", path / "model" / "model_metadata.json"]
    for file in inside:
        if file.is_file():
            return file
    raise MetadataError(f"the folder {path} holds no model_metadata.json, neither itself nor in model/")


def _draw(actions: ActionSpace, title: str, picture: Path) -> None:
    from racer_env.render import save_picture
    from racer_env.render.action_plot import draw_actions

    save_picture(draw_actions(actions, title), picture)


def _write(actions: DiscreteActions, car: Car, output: Path) -> None:
    """Write a metadata file whole or not at all; what else one that exists says stays."""
    import os
    from dataclasses import replace

    from racer_env.errors import MetadataError
    from racer_env.metadata import ModelMetadata

    before = ModelMetadata.read(output) if output.exists() else ModelMetadata()
    text = replace(before, actions=actions, version=float(car.version)).to_json()
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(output)
    except OSError as error:
        raise MetadataError(f"{output} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _print(actions: ActionSpace, shares: tuple[float, ...] | None, as_json: bool) -> None:
    import json

    from rich.console import Console
    from rich.table import Table

    from racer_env.car import ContinuousActions

    rows = _rows(actions)
    if as_json:
        extra = [{"share": round(share, 4)} for share in shares] if shares else [{}] * len(rows)
        typer.echo(json.dumps([{**row, **more} for row, more in zip(rows, extra, strict=True)], indent=2))
        return
    first = "end" if isinstance(actions, ContinuousActions) else "action"
    table = Table(first, "steering (°)", "speed (m/s)", box=None, pad_edge=False)
    if shares:
        table.add_column("share of the lap")
    for column in table.columns:
        column.justify = "right"
    for i, row in enumerate(rows):
        name = ("low", "high")[i] if first == "end" else str(i)
        cells = [name, f"{row['steering_angle']:g}", f"{row['speed']:g}"]
        table.add_row(*cells, *([f"{100.0 * shares[i]:.0f} %"] if shares else []))
    Console().print(table)


def _rows(actions: ActionSpace) -> list[dict[str, Any]]:
    """Each action, or both ends of a continuous space."""
    pairs = zip(actions.steering_degrees, actions.speed, strict=True)
    return [{"steering_angle": angle, "speed": speed} for angle, speed in pairs]
