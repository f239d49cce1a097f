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
EngineName = Annotated[str, typer.Option("--engine", help="local, or ray for a Ray cluster.")]
RayAddress = Annotated[
    str | None,
    typer.Option(help="Of a running cluster; by default one is started on this machine.", show_default=False),
]
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


def check_engine(name: str, address: str | None) -> str:
    """Refuse what is no engine's name, and the address of a cluster that is not used."""
    if name not in ("local", "ray"):
        raise typer.BadParameter(f"{name!r}, but must be local or ray", param_hint="--engine")
    if name == "local" and address is not None:
        raise typer.BadParameter("needs --engine ray", param_hint="--ray-address")
    return name
