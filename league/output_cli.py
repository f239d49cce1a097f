"""How the league's commands print: tables, JSON, and times as racers read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from league.races import RaceSettings
    from league.rules import Score
    from league.service import RaceView, SubmissionView

HERE = Path("league-data")
LONGEST_WORD = 24  #: that a table does not break
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
    """Print a table of plain texts; None is an empty cell. Where a line is short, texts break between words."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    names = header.split("|")
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    console, lines = Console(), 3 * len(names) + 1
    widths = _widths(names, cells, console.width - lines)
    console.width = max(console.width, sum(widths) + lines)
    table = Table()
    for name, width in zip(names, widths, strict=True):
        justify: Literal["left", "right"] = "right" if name.startswith(">") else "left"
        table.add_column(name.lstrip(">"), justify=justify, overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide the columns are: their words and numbers whole, and more as there is room, the narrow ones first."""
    from rich.cells import cell_len

    least, most = [], []
    for k, name in enumerate(names):
        cells = [name.lstrip(">"), *(row[k] for row in rows)]
        least.append(min(LONGEST_WORD, max(map(cell_len, " ".join(cells).split()))))
        most.append(max(map(cell_len, cells)))
    for _ in range(room - sum(least)):
        narrow = [k for k, width in enumerate(least) if width < most[k]]
        if narrow:
            least[min(narrow, key=least.__getitem__)] += 1
    return least


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
    """A time, in UTC whatever zone it was said in."""
    from datetime import UTC

    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else ""


def race_line(race: RaceView) -> str:
    """A race in one line: what a racer asks for first."""
    from league.races import UNLIMITED_RESETS

    settings = race.settings
    runs = f", median of {settings.runs} runs" if settings.runs > 1 else ""
    said = f"{race.name} ({', '.join([race.state, *_kind(settings)])}): {track_of(settings)}, {_counts(settings)}{runs}"
    resets = "unlimited" if settings.resets == UNLIMITED_RESETS else settings.resets
    return f"{said}, off track +{settings.off_track_penalty:g} s, {resets} resets, limit {settings.ends_after:g} s"


def type_of(settings: RaceSettings) -> str:
    """Of what type a race is, and whether it is live or private."""
    return ", ".join([settings.race_type.replace("_", " "), *_hosting(settings)])


def track_of(settings: RaceSettings) -> str:
    """A race's track, and whether it is driven the other way."""
    return settings.track + (" (reverse)" if settings.reverse else "")


def _kind(settings: RaceSettings) -> list[str]:
    """What makes a race another than a time trial in the queue that is open to all."""
    boxes, bots, cars = settings.boxes, settings.bot_cars, settings.grid
    return [
        *([f"{boxes.count} boxes" if boxes.count > 1 else "one box"] if boxes else []),
        *([f"{bots.count} bot cars" if bots.count > 1 else "one bot car"] if bots else []),
        *([f"grid of {cars}"] if cars > 2 else ["head to head"] if cars == 2 else []),
        *_hosting(settings),
    ]


def _hosting(settings: RaceSettings) -> list[str]:
    """What makes a race another than one in the queue that is open to all."""
    return ["live"] * (settings.format == "live") + ["private"] * settings.private


def _counts(settings: RaceSettings) -> str:
    """What counts, of how many laps."""
    ranking = settings.ranking.replace("_", " ")
    if settings.ranking == "average_lap" and settings.minimum_laps != settings.laps:
        ranking = f"average of {settings.minimum_laps} in a row"
    return f"{ranking} of {settings.laps} lap{'s' if settings.laps > 1 else ''}"
