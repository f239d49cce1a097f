"""How the league's commands print: tables, JSON, and times as racers read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from league.races import RaceSettings
    from league.rules import Score
    from league.service import RaceView, SubmissionView

HERE = Path("league-data")
Kind = TypeVar("Kind", bound=StrEnum)

Folder = Annotated[Path, typer.Option("--league", envvar="RACER_LEAGUE", help="The league's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RaceName = Annotated[str | None, typer.Option("--race", help="Which race; needed when there are several.")]
OnlyRace = Annotated[str | None, typer.Option("--race", help="Only of this race.")]
Reason = Annotated[str, typer.Option(help="Why; everybody can read it in the audit log.")]
Number = Annotated[int, typer.Argument(help="A submission's number.")]


def show(
    values: Sequence[Any], as_json: bool, row: Callable[[Any], dict[str, Any]], header: str, cells: Callable[[Any], Any]
) -> None:
    """Print a list as JSON or as a table; a column whose name begins with ``>`` is set to the right."""
    if as_json:
        print_json([row(value) for value in values])
        return
    print_table(header, [cells(value) for value in values])


def print_json(value: Any) -> None:
    """Print rows as JSON."""
    from league.rows import to_json

    typer.echo(to_json(value))


def print_table(header: str, rows: Sequence[Sequence[Any]]) -> None:
    """Print a table of plain texts; None is an empty cell."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in header.split("|"):
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console().print(table)


def choice(kind: type[Kind], said: str, option: str) -> Kind:
    """One of a few words that a user may say."""
    words = [str(word) for word in kind]
    if said not in words:
        raise typer.BadParameter(f"{said!r}, but must be one of {', '.join(words)}", param_hint=option)
    return kind(said)


def time_of(score: Score) -> str:
    """Minutes, seconds and milliseconds, or how far a driver came who did not finish."""
    if score.time_ms is None:
        return f"DNF after {int(score.progress_percentage) / 100:.2f} laps"
    return milliseconds(score.time_ms)


def milliseconds(time: int) -> str:
    """Minutes, seconds and milliseconds."""
    seconds, rest = divmod(time, 1000)
    return f"{seconds // 60:02d}:{seconds % 60:02d}.{rest:03d}"


def outcome(submission: SubmissionView) -> str:
    """What became of a submission."""
    copies = "" if submission.copy_of is None else f"  (drives like submission {submission.copy_of})"
    if submission.disqualified is not None:
        return f"disqualified: {submission.disqualified}{copies}"
    if submission.score is not None:
        return time_of(submission.score).removeprefix("DNF ") + copies
    waits = f"place {submission.position} in the queue" if submission.position else ""
    if submission.turn:
        waits = f"place {submission.turn} in the running order; the organiser launches it"
    return (submission.reason or waits) + copies


def moment(time: datetime | None) -> str:
    """A time, UTC."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def race_line(race: RaceView) -> str:
    """A race in one line."""
    track, ranking, laps, penalty, resets, limit = summary(race.settings)
    runs = f", median of {race.settings.runs} runs" if race.settings.runs > 1 else ""
    cars = race.settings.grid
    several = f", grid of {cars}" if cars > 2 else ", head to head" if cars == 2 else ""
    kind = several + ", live" * (race.settings.format == "live") + ", private" * race.settings.private
    said = f"{race.name} ({race.state}{kind}): {track}, {ranking} of {laps} laps{runs}, off track {penalty}"
    return f"{said}, {resets} resets, limit {limit}"


def summary(settings: RaceSettings) -> tuple[str, str, str, str, str, str]:
    """The settings that a racer asks for first."""
    track = settings.track + (" (reverse)" if settings.reverse else "")
    ranking = settings.ranking.replace("_", " ")
    if settings.ranking == "average_lap" and settings.minimum_laps != settings.laps:
        ranking = f"average of {settings.minimum_laps} in a row"
    limit = f"{settings.ends_after:g} s"
    penalty = f"+{settings.off_track_penalty:g} s"
    return track, ranking, str(settings.laps), penalty, str(settings.resets), limit
