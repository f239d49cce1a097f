"""``racer traces``: does the simulator agree with what the original recorded, and a car made from recordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from racer_env.agreement import Agreement
    from racer_env.identify import Identified
    from racer_env.laps import Lap
    from racer_env.recording import Recording

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Compare with the original's recordings.")

Paths = Annotated[list[Path], typer.Argument(help="Simtrace CSV files, logs, or folders of them.", show_default=False)]
Routes = Annotated[Path, typer.Option("--tracks", help="Folder of the tracks' routes (.npy).", show_default=False)]
CarName = Annotated[
    str | None,
    typer.Option(
        "--car",
        help="The car that drove, by name or as a .toml file; found by the recordings if not given.",
        show_default=False,
    ),
]

#: Quantities that the table shows, and how it calls them; the others show only where they disagree.
_HEADINGS = {
    "closest_waypoint": "way-\npoint",
    "all_wheels_on_track": "\nwheels",
    "progress": "pro-\ngress",
    "reward": "\nreward",
    "status": "\nstatus",
}


@dataclass(frozen=True)
class _Compared:
    """A recording and what came of it."""

    recording: Recording
    agreement: Agreement
    laps: list[Lap]

    @property
    def version(self) -> int:
        """The generation of the simulator."""
        return self.recording.version


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
    each recorded state, does the car drive where it drove, 1, 5 and 15 steps later? Laps: along a recorded lap, with
    its speeds, is our car as quick?
    """
    compared = sorted(_compare(_open(paths, routes, car), reward), key=lambda c: c.version)
    report = {f"v{version}": _report(list(some)) for version, some in groupby(compared, key=lambda c: c.version)}
    if as_json:
        typer.echo(json.dumps(report if len(report) > 1 else next(iter(report.values())), indent=2))
    else:
        _show(compared, report)


@app.command()
def fit(
    paths: Paths,
    routes: Routes,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .toml file to write.", show_default=False)],
    car: CarName = None,
) -> None:
    """Identify a car from recordings: the parameters with which it drives as they did.

    The search begins at the car that the recordings name. Afterwards, every command's --car takes the file.
    """
    from racer_env import identify
    from racer_env.errors import RacerError

    _check_output(output)
    recordings = _open(paths, routes, car)
    with _search_bar() as progress:
        try:
            found = identify.fit(recordings, output, progress=progress)
        except OSError as error:
            raise RacerError(f"{output}: cannot be written ({error.strerror})") from error
    _show_car(found)
    typer.echo(f"{output}: written; --car {output} drives it.")


def _check_output(output: Path) -> None:
    """Refuse a file that cannot be written or would not be found, before minutes are spent on it."""
    from racer_env.errors import RacerError

    if output.suffix.lower() != ".toml":
        raise RacerError(f"{output}: a car is written to a .toml file")
    if output.is_dir():
        raise RacerError(f"{output}: is a folder; name the .toml file to write")
    if not output.parent.is_dir():
        raise RacerError(f"{output}: there is no folder {output.parent} to write it to")


@contextmanager
def _search_bar() -> Iterator[Callable[[float, float], None]]:
    """A bar of how much of a search is done, with its cost."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Searching", total=1.0)
        yield lambda share, cost: bar.update(task, completed=share, description=f"Searching, error {cost:.3f}")


def _show_car(found: Identified) -> None:
    from rich.console import Console

    from racer_env.identify import FREE, describe

    table = _table(f"{found.car.name}, from version {found.car.version}")
    table.add_column("parameter")
    for heading in ("value", "±"):
        table.add_column(heading, justify="right")
    for name, value, deviation in describe(found):
        low, high = FREE[name]
        inside = min(value - low, high - value) > 1e-3 * (high - low)
        table.add_row(name, f"{value:.4g}", f"{deviation:.2g}" if inside else "at its limit")
    Console().print(table)


def _open(paths: list[Path], routes: Path, car: str | None) -> list[Recording]:
    from racer_env.car import find_car
    from racer_env.recording import open_recordings

    return open_recordings(paths, routes, find_car(car) if car else None, lambda found: _bar("Reading", found))


def _compare(recordings: list[Recording], file: Path | None) -> list[_Compared]:
    from racer_env.agreement import compare
    from racer_env.laps import drive_again
    from racer_env.reward import RewardFunction

    reward = RewardFunction.load(file) if file else None
    return [
        _Compared(r, compare(r.trace, r.track, r.car, reward), drive_again(r)) for r in _bar("Comparing", recordings)
    ]


def _bar(what: str, things: Iterable[Any]) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    return track(things, f"{what} recordings", console=Console(stderr=True), transient=True)


def _report(compared: list[_Compared]) -> dict[str, Any]:
    """What JSON says of a generation; speed bands and laps only if there are any."""
    from racer_env import identify, laps
    from racer_env.agreement import summary

    bands = identify.evaluate_bands([c.recording for c in compared])
    report = {
        "semantics": summary([c.agreement for c in compared]),
        "dynamics": bands.pop(identify.ALL_SPEEDS, {}),
        "bands": bands,
        "laps": laps.summary([lap for c in compared for lap in c.laps]),
    }
    return {name: part for name, part in report.items() if part or name in ("semantics", "dynamics")}


def _show(compared: list[_Compared], report: Mapping[str, Mapping[str, Any]]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_semantics(compared))
    for line in _remarks([c.agreement for c in compared]):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if any(part["dynamics"] for part in report.values()):
        console.print()
        console.print(_dynamics(report))
    if any(c.laps for c in compared):
        console.print()
        console.print(_laps(compared))


def _table(title: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _semantics(compared: list[_Compared]) -> Any:
    table = _table("Semantics: % of steps that agree")
    table.add_column("recording", overflow="fold")
    for heading in ("steps", *_HEADINGS.values()):
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for c in compared:
        shares = (_per_cent(c.agreement.share(quantity)) for quantity in _HEADINGS)
        table.add_row(_recording(c.recording), str(c.agreement.steps), *shares)
    return table


def _recording(recording: Recording) -> str:
    """Name, and below it car and track."""
    from rich.markup import escape

    back = ", reversed" if recording.track.is_reversed else ""
    return escape(f"{recording.name}\n  v{recording.version}, {recording.track.name}{back}")


def _per_cent(share: float | None) -> str:
    """Never 100 for what is not all."""
    if share is None:
        return ""
    return "100" if share == 1.0 else f"{min(100.0 * share, 99.999):.3f}"


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
    table = _table("Dynamics: error without feedback, on episodes that no fit used")
    for heading in ("car", "speed"):
        table.add_column(heading, no_wrap=True, vertical="bottom")
    for heading in ("steps\nahead", "windows", "cm\nmedian", "cm\n90 %", "°\nmedian", "°\n90 %"):
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    for name, part in report.items():
        for band, errors in {"all": part["dynamics"], **part.get("bands", {})}.items():
            for steps, error in errors.items():
                numbers = [error[kind][rank] for kind in ("position_cm", "yaw_deg") for rank in ("median", "p90")]
                table.add_row(name, band, steps, str(error["windows"]), *(f"{number:.1f}" for number in numbers))
    return table


def _laps(compared: list[_Compared]) -> Any:
    from racer_env.laps import summary

    table = _table("Laps: recorded, and driven anew on the same line at the same speeds")
    table.add_column("recording", overflow="fold", vertical="bottom")
    for heading in ("laps", "recorded\ns", "ratio\nmedian", "\nleast", "\nmost", "\nway"):
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    for c in compared:
        if c.laps:
            found = summary(c.laps)
            ratios = (f"{found['ratio'][rank]:.3f}" for rank in ("median", "least", "most"))
            numbers = (str(found["laps"]), f"{found['recorded_s']:.2f}", *ratios, f"{found['way']:.3f}")
            table.add_row(_recording(c.recording), *numbers)
    return table
