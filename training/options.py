"""Options that several of training's commands have."""

from __future__ import annotations

from typing import Annotated

import typer

CarName = Annotated[
    str | None,
    typer.Option(help="A car's name or file; by default what version in model_metadata.json says.", show_default=False),
]
Seed = Annotated[int, typer.Option(help="Of everything random.", min=0)]
Reverse = Annotated[bool, typer.Option("--reverse", help="Drive the track in reverse.")]
Which = Annotated[str, typer.Option(help="Which checkpoint of a run: best or last.")]


def finite(value: float | None) -> float | None:
    """Refuse infinite numbers and those that are none."""
    if value is not None and not abs(value) < float("inf"):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


def checkpoint(which: str) -> str:
    """Refuse what is no checkpoint's name."""
    if which not in ("best", "last"):
        raise typer.BadParameter(f"{which!r}, but must be best or last", param_hint="--which")
    return which
