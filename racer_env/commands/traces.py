"""``racer traces``: does the simulator agree with what the original recorded, and a car made from recordings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from racer_env.agreement import Agreement
    from racer_env.recording import Recording

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Compare with the original's recordings.")

Paths = Annotated[list[Path], typer.Argument(help="Simtrace CSV files, logs, or folders of them.", show_default=False)]
Routes = Annotated[Path, typer.Option("--tracks", help="Folder of the tracks' routes (.npy).", show_default=False)]
CarName = Annotated[
    str | None,
    typer.Option("--car", help="The car that drove; found by the recordings if not given.", show_default=False),
]


@app.command()
def check(
    paths: Paths,
    routes: Routes,
    reward: Annotated[
        Path | None,
        typer.Option(help="The reward_function.py that was trained with, to compare rewards.", show_default=False),
    ] = None,
    car: CarName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare the simulator with recordings of the original, step by step.

    Semantics: from each recorded pose, is the reward function told what the original told it? Dynamics: from
    each recorded state, does the car drive where it drove, 1, 5 and 15 steps later?
    """
    recordings = _open(paths, routes, car)
    agreements = _compare(recordings, reward)
    generations = sorted({recording.version for recording in recordings})
    report = {f"v{v}": _report(recordings, agreements, v) for v in generations}
    if as_json:
        typer.echo(json.dumps(report if len(report) > 1 else next(iter(report.values())), indent=2))
    else:
        _show(recordings, agreements, report)


@app.command()
def fit(
    paths: Paths,
    routes: Routes,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .toml file to write.", show_default=False)],
    car: CarName = None,
) -> None:
    """Identify a car from recordings: the parameters with which it drives as they did."""
    from racer_env import identify

    identify.fit(_open(paths, routes, car), output)


def _open(paths: list[Path], routes: Path, car: str | None) -> list[Recording]:
    from racer_env.car import find_car
    from racer_env.recording import open_recordings

    return open_recordings(paths, routes, find_car(car) if car else None, lambda found: _bar("Reading", found))


def _compare(recordings: list[Recording], file: Path | None) -> list[Agreement]:
    from racer_env.agreement import compare
    from racer_env.reward import RewardFunction

    reward = RewardFunction.load(file) if file else None
    return [compare(r.trace, r.track, r.car, reward) for r in _bar("Comparing", recordings)]


def _bar(what: str, things: Iterable[Any]) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    return track(things, f"{what} recordings", console=Console(stderr=True), transient=True)


def _report(recordings: list[Recording], agreements: list[Agreement], version: int) -> dict[str, Any]:
    from racer_env import identify
    from racer_env.agreement import summary

    chosen = [(r, a) for r, a in zip(recordings, agreements, strict=True) if r.version == version]
    return {
        "semantics": summary([agreement for _, agreement in chosen]),
        "dynamics": identify.evaluate([recording for recording, _ in chosen]),
    }


def _show(recordings: list[Recording], agreements: list[Agreement], report: Mapping[str, Mapping[str, Any]]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_semantics(recordings, agreements))
    for line in _remarks(agreements):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if any(part["dynamics"] for part in report.values()):
        console.print(_dynamics(report))


def _semantics(recordings: list[Recording], agreements: list[Agreement]) -> Any:
    from rich.table import Table

    from racer_env.agreement import QUANTITIES

    table = Table("recording", "car", "track", "steps", title="Semantics: % of steps that agree")
    for quantity in QUANTITIES:
        table.add_column(quantity.replace("_", " "), justify="right")
    for r, a in zip(recordings, agreements, strict=True):
        place = f"{r.track.name}, reversed" if r.track.is_reversed else r.track.name
        table.add_row(r.name, f"v{r.version}", place, str(a.steps), *(_per_cent(a.share(q)) for q in QUANTITIES))
    return table


def _per_cent(share: float | None) -> str:
    return "" if share is None else f"{100.0 * share:.3f}"


def _remarks(agreements: list[Agreement]) -> list[str]:
    """What disagrees and why, and what rounded logs cannot decide, one sentence for each recording."""
    lines = []
    for a in agreements:
        why = [f"{n} {q} ({cause})" for q, causes in a.causes.items() for cause, n in causes.items()]
        open_steps = [f"{n} {q}" for q, n in a.undecidable.items() if n]
        if why:
            lines.append(f"{a.name}: steps that disagree: {', '.join(why)}.")
        if open_steps:
            lines.append(f"{a.name}: steps that 4 decimals leave open: {', '.join(open_steps)}.")
    return lines


def _dynamics(report: Mapping[str, Mapping[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("car", "steps ahead", "windows", title="Dynamics: error after driving without feedback")
    for heading in ("cm, median", "cm, 90 %", "°, median", "°, 90 %"):
        table.add_column(heading, justify="right")
    for name, part in report.items():
        for steps, error in (part["dynamics"] or {}).items():
            numbers = [error[kind][rank] for kind in ("position_cm", "yaw_deg") for rank in ("median", "p90")]
            table.add_row(name, steps, str(error["windows"]), *(f"{number:.1f}" for number in numbers))
    return table
