"""``racer league``: what racers do, and what anybody can see."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from league.output_cli import (
    HERE,
    AsJson,
    Folder,
    Number,
    OnlyRace,
    RaceName,
    moment,
    outcome,
    print_json,
    race_line,
    show,
    time_of,
    track_of,
    type_of,
)

if TYPE_CHECKING:
    from league.service import BracketView

app = typer.Typer()


@app.command()
def submit(
    bundle: Annotated[Path, typer.Argument(help="A driver's .tar.gz, as racer export and the AWS console write it.")],
    racer: Annotated[str, typer.Option(help="Who submits.")],
    race: RaceName = None,
    invite: Annotated[str | None, typer.Option(help="The code of a private race; the first time only.")] = None,
    folder: Folder = HERE,
) -> None:
    """Check a driver and put it in a race's queue."""
    from league.service import League

    queued = League(folder).submissions.submit(bundle, race, racer, invite)
    drives = "the organiser launches it" if queued.turn else "racer league work drives it"
    place = f"place {queued.turn} in the running order" if queued.turn else f"place {queued.position} in the queue"
    typer.echo(f"submission {queued.id}: {queued.racer} in {queued.race}, {place}; {drives}")
    if queued.copy_of is not None:
        typer.echo(
            f"this driver was submitted before, by another racer (submission {queued.copy_of}); organisers see that"
        )


@app.command()
def status(number: Number, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Show where a submission is: its place in the queue, or what it drove."""
    from league.rows import run_row, submission_row
    from league.service import League

    league = League(folder)
    shown, runs = league.submissions.one(number), league.submissions.runs(number)
    if as_json:
        print_json(submission_row(shown) | {"runs": [run_row(run) for run in runs]})
        return
    typer.echo(f"submission {shown.id}: {shown.racer} in {shown.race}, {shown.status}  {outcome(shown)}")
    for count, run in enumerate(runs, start=1):
        laps = ", ".join(f"{lap.time_ms / 1000:.3f}" if lap.valid else lap.status for lap in run.laps)
        typer.echo(f"  run {count}: {laps}")


@app.command()
def withdraw(
    number: Number,
    racer: Annotated[str | None, typer.Option(help="Whose it must be.")] = None,
    folder: Folder = HERE,
) -> None:
    """Take a submission back, as long as its race is open."""
    from league.service import League

    done = League(folder).submissions.withdraw(number, racer)
    typer.echo(f"submission {done.id} of {done.racer} in {done.race} is withdrawn")


@app.command()
def submissions(
    race: OnlyRace = None,
    racer: Annotated[str | None, typer.Option(help="Only of this racer.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List the submissions and what became of them."""
    from league.rows import submission_row
    from league.service import League

    show(
        League(folder).submissions.all(race, racer),
        as_json,
        submission_row,
        ">No.|Race|Racer|Submitted (UTC)|Status|Result",
        lambda s: (s.id, s.race, s.racer, moment(s.submitted_at), s.status, outcome(s)),
    )


@app.command()
def races(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the races."""
    from league.rows import race_row
    from league.service import League

    show(
        League(folder).races.all(),
        as_json,
        race_row,
        "Race|Type|State|Closes (UTC)|Track|>Racers|>Submissions",
        lambda r: (
            r.name,
            type_of(r.settings),
            r.state,
            moment(r.closes_at),
            track_of(r.settings),
            r.racers,
            r.submissions,
        ),
    )


@app.command("show")
def show_race(
    race: Annotated[str | None, typer.Argument(help="The race; needed when there are several.")] = None,
    out: Annotated[Path | None, typer.Option("-o", help="Write its settings to this .toml or .json file.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a race with all its settings and its hashes, or write them, without past times, to a file for --file."""
    from league.race_file import WORDS, write_race
    from league.rows import race_row
    from league.service import League

    shown = League(folder).races.one(race)
    if out:
        write_race(out, shown.settings.again(datetime.now(UTC)))
        typer.echo(f"{out}: the settings of {shown.name}")
        return
    if as_json:
        print_json(race_row(shown))
        return
    typer.echo(race_line(shown))
    for name, value in race_row(shown).items():
        word, none = WORDS.get(name, ("", None))
        said = word if value == none else _said(value)
        if said != "":
            typer.echo(f"  {name.replace('_', ' ')}: {said}")


def _said(value: Any) -> Any:
    """A setting for people to read."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(
            f"{name.replace('_', ' ')} {_said(item)}" for name, item in value.items() if item not in (None, ())
        )
    if isinstance(value, tuple):
        return ", ".join(f"({_said(item)})" if isinstance(item, tuple) else str(_said(item)) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return f"{moment(value)} UTC" if isinstance(value, datetime) else value


@app.command()
def standings(race: RaceName = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Show who leads a race."""
    from league.rows import standing_row
    from league.service import League

    league = League(folder)
    shown = league.races.one(race)
    board = league.boards.standings(shown.name)
    if not as_json:
        typer.echo(race_line(shown))
        if shown.settings.grid > 1:
            typer.echo(_decided_by(league.brackets.of_race(shown.name)))
    show(
        board,
        as_json,
        standing_row,
        ">Rank|Racer|>Time|>Gap|>Laps|>Off-tracks|>Submissions",
        lambda s: (
            s.place,
            s.entry.racer,
            time_of(s.entry.score),
            f"+{s.gap_ms / 1000:.3f}" if s.gap_ms else "",
            s.entry.score.laps,
            s.entry.score.off_track_count,
            s.submissions,
        ),
    )


@app.command()
def history(
    racer: Annotated[str, typer.Argument(help="The racer.")],
    race: OnlyRace = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List what a racer has driven, and where they stand with it."""
    from league.rows import drive_row
    from league.service import League

    show(
        League(folder).boards.history(racer, race),
        as_json,
        drive_row,
        ">No.|Race|Submitted (UTC)|>Time|Best so far|>Rank now",
        lambda d: (
            d.submission,
            d.race,
            moment(d.submitted_at),
            time_of(d.score),
            "yes" if d.best else "",
            d.position,
        ),
    )


@app.command()
def versus(
    first: Annotated[str, typer.Argument(help="A racer.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show the record of two racers against each other."""
    from league.rows import meeting_row
    from league.service import League

    meetings = League(folder).boards.meetings(first, second)
    show(
        meetings,
        as_json,
        meeting_row,
        f"Race|>{first}|>{second}|Ahead",
        lambda m: (
            m.race,
            f"{m.first.place}  {time_of(m.first.entry.score)}",
            f"{m.second.place}  {time_of(m.second.entry.score)}",
            m.winner or "tied",
        ),
    )
    if not as_json:
        won = [m.winner for m in meetings]
        names = [(m.first.entry.racer, m.second.entry.racer) for m in meetings[:1]] or [(first, second)]
        typer.echo(f"{names[0][0]} {won.count(names[0][0])} : {won.count(names[0][1])} {names[0][1]}")


def _decided_by(heats: BracketView | None) -> str:
    """What the board of a race of several cars is."""
    if heats is None:
        return "the qualification, driven alone: who starts where in the heats that decide it (racer league bracket)"
    if heats.bracket.ready:
        return f"the qualification; the heats that decide it are being raced: racer league bracket show '{heats.name}'"
    return f"places are those of the heats (racer league bracket show '{heats.name}'), times of the qualification"
