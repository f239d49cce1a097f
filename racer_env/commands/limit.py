"""``racer limit``: the fastest line around a track, and how fast a car could be on it at most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from racer_env.minimum_time import Limits, Line
    from racer_env.track import Track


def limit(
    track: Annotated[str, typer.Argument(help="A track's name, a .npy or .toml file, or random:SEED.")],
    car: Annotated[
        str | None,
        typer.Option(
            help="A car's name or .toml file, for its grips, top speed, turning radius, and a margin that keeps its "
            "wheels on the road. Without: a point of friction 0.5 at up to 4 m/s that may touch the borders.",
            show_default=False,
        ),
    ] = None,
    grip: Annotated[
        float | None, typer.Option(help="Friction coefficient; inf for the shortest way.", show_default=False)
    ] = None,
    top_speed: Annotated[float | None, typer.Option(help="m/s.", show_default=False)] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="m from the car's middle to the borders at least; negative: beyond them.", show_default=False
        ),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive the track the other way round.")] = False,
    smoothest: Annotated[
        bool, typer.Option("--smoothest", help="Stop at the line of minimum curvature, and drive that.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write rows of x, y, speed, time from the point before: .npy, .csv, or .py to paste into a reward "
            "function.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the line in the colours of its speed, as PNG.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the line.")] = False,
) -> None:
    """Compute the minimum-time line and lap of a track for a car.

    A loop is driven with a flying start, an open track from rest. Nobody reaches the limit: steering and motors have no
    lag in it.
    """
    from racer_env.minimum_time import minimum_curvature_line, minimum_time_line
    from racer_env.minimum_time.line_file import check_name, write_line
    from racer_env.track import find_track

    if output is not None:
        check_name(output)
    where, limits = find_track(track, reverse=reverse), _limits(car, grip, top_speed, margin)
    line = (minimum_curvature_line if smoothest else minimum_time_line)(where, limits)
    about = f"{'Smoothest' if smoothest else 'Minimum-time'} line of {where.name}{', reversed' if reverse else ''}"
    about += f" for {car or 'a point mass'}: {line.seconds:.3f} s"
    if picture is not None:
        _draw(where, line, about, picture)
    if output is not None:
        write_line(line, output, about)
    _print(_report(where, limits, line, car, output, picture), line, as_json)


def _limits(car: str | None, grip: float | None, top_speed: float | None, margin: float | None) -> Limits:
    """The limits of a car or a point, with what is said otherwise."""
    from dataclasses import replace

    from racer_env.car import find_car
    from racer_env.minimum_time import Limits
    from racer_env.minimum_time.limits import GRAVITY

    limits = Limits.of_car(find_car(car)) if car else Limits()
    if grip is not None:
        limits = replace(limits, grip_across=grip * GRAVITY, grip_along=grip * GRAVITY)
    if top_speed is not None:
        limits = replace(limits, top_speed=top_speed)
    return limits if margin is None else replace(limits, margin=margin)


def _draw(track: Track, line: Line, about: str, picture: Path) -> None:
    """Draw a line from a point on the road back to it; an open one ends before the road does."""
    import numpy as np

    from racer_env.render import save_picture
    from racer_env.render.lap_picture import draw_lap

    count = len(line.speed)
    first = int(np.argmax(track.contains(line.points))) if line.closed else 0
    order = np.arange(first, first + count + 1) % count if line.closed else np.arange(count - 1)
    lap = (round(1000.0 * line.seconds),)
    save_picture(draw_lap(track, line.points[order], line.speed[order], about.rpartition(":")[0], lap), picture)


def _report(
    track: Track, limits: Limits, line: Line, car: str | None, output: Path | None, picture: Path | None
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "track": track.name,
        "car": car,
        "limits": {name: value if abs(value) < float("inf") else None for name, value in asdict(limits).items()},
        "seconds": line.seconds,
        "length": line.length,
        "track_length": track.length,
        "slowest": float(line.speed.min()),
        "fastest": float(line.speed.max()),
        "line": str(output) if output else None,
        "picture": str(picture) if picture else None,
    }


def _print(report: dict[str, Any], line: Line, as_json: bool) -> None:
    import json

    from racer_env.minimum_time.line_file import rows

    if as_json:
        typer.echo(json.dumps({**report, "rows": rows(line).round(5).tolist()}, indent=None))
        return
    limits = report["limits"]
    grips = [limits[name] for name in ("grip_across", "grip_along")]
    said = {
        "lap" if line.closed else "time": f"{report['seconds']:.3f} s",
        "length": f"{report['length']:.2f} m (centre line {report['track_length']:.2f} m)",
        "speed": f"{report['slowest']:.2f} to {report['fastest']:.2f} m/s",
        "car": f"{report['car'] or 'point mass'}, up to {limits['top_speed']:g} m/s",
        "grip": ", ".join(_grip(g, which) for g, which in zip(grips, ("across", "along"), strict=True)),
        "margin": f"{limits['margin']:.3f} m to the borders",
        "turns on": f"{_radius(limits, 1.0):.2f} m at 1 m/s, {_radius(limits, 3.0):.2f} m at 3 m/s"
        if limits["turning_radius"]
        else "",
        "line": report["line"],
        "picture": report["picture"],
    }
    for label, text in said.items():
        if text:
            typer.echo(f"{label:<10} {text}")


def _radius(limits: dict[str, float], speed: float) -> float:
    return limits["turning_radius"] + limits["understeer"] * speed**2


def _grip(acceleration: float | None, which: str) -> str:
    return f"{'no limit' if acceleration is None else f'{acceleration:.2f} m/s²'} {which}"
