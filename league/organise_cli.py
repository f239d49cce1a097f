"""``racer league``: what an organiser does with races, submissions and racers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from league.output_cli import HERE, AsJson, Folder, Number, OnlyRace, RaceName, Reason, moment, race_line, show

if TYPE_CHECKING:
    from league.races import RaceSettings
    from league.service.boards import AuditView

app = typer.Typer()

ToName = Annotated[str, typer.Argument(help="The race.")]
Track = Annotated[str | None, typer.Option(help="A track's name (racer tracks list) or its .npy file.")]
Preset = Annotated[
    str | None,
    typer.Option(
        help="time_trial_2024, open_2021, object_avoidance, head_to_bot, live_finale, head_to_head, grand_prix or "
        "community."
    ),
]
File = Annotated[Path | None, typer.Option("--file", help="A race as TOML or JSON; racer league show writes one.")]
Laps = Annotated[int | None, typer.Option(help="Laps to drive, 1 to 20.")]
MinimumLaps = Annotated[int | None, typer.Option("--min-laps", help="Laps in a row that qualify, and are averaged.")]
Ranking = Annotated[str | None, typer.Option(help="best_lap, total_time or average_lap.")]
RaceType = Annotated[
    str | None, typer.Option("--type", help="time_trial, object_avoidance, head_to_bot, head_to_head or grid.")
]
Runs = Annotated[int | None, typer.Option(help="Runs of a submission, each under its own seed; the median counts.")]
Randomisation = Annotated[str | None, typer.Option(help="What differs between runs: none, original, mild, strong.")]
More = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, such as resets=3 or obstacles.count=4."),
]
OpensAt = Annotated[str | None, typer.Option(help="When it opens, such as 2026-05-01T18:00+02:00 (UTC if not said).")]
ClosesAt = Annotated[str | None, typer.Option(help="When it closes.")]


@app.command()
def init(
    folder: Folder = HERE,
    track: Track = None,
    preset: Preset = None,
    file: File = None,
    database: Annotated[str, typer.Option(help="postgresql://user@host/name; else a file.")] = "sqlite:///league.db",
) -> None:
    """Make a league with one open race: if not said otherwise a time trial of three laps whose best lap counts."""
    from league.service import League

    made = League.create(folder, settings_from(preset, file, track=track), url=database)
    typer.echo(f"{folder}: a league with the race {race_line(made.races.one())}")


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="What the race is called.")],
    folder: Folder = HERE,
    preset: Preset = None,
    file: File = None,
    race_type: RaceType = None,
    track: Track = None,
    reverse: Annotated[bool | None, typer.Option(help="Drive the track the other way.")] = None,
    laps: Laps = None,
    minimum_laps: MinimumLaps = None,
    ranking: Ranking = None,
    runs: Runs = None,
    randomisation: Randomisation = None,
    opens_at: OpensAt = None,
    closes_at: ClosesAt = None,
    more: More = None,
) -> None:
    """Add a race, as a draft: from a preset or a file, and what else is said."""
    from league.service import League

    said: dict[str, Any] = {
        "race_type": race_type,
        "track": track,
        "reverse": reverse,
        "laps": laps,
        "minimum_laps": minimum_laps,
    }
    said |= {"ranking": ranking, "runs": runs, "randomisation": randomisation}
    settings = settings_from(preset, file, more, opens_at=_time(opens_at), closes_at=_time(closes_at), **said)
    race = League(folder).races.create(name, settings)
    opens = f"opens {moment(race.opens_at)} UTC" if race.opens_at else f"open it with: racer league open '{race.name}'"
    invite = f"; its invite code: racer league invite '{race.name}'" if race.settings.private else ""
    typer.echo(f"created the race {race_line(race)}; {opens}{invite}")


@app.command()
def edit(
    *,
    name: ToName,
    folder: Folder = HERE,
    rename: Annotated[str | None, typer.Option(help="Another name.")] = None,
    preset: Preset = None,
    file: File = None,
    race_type: RaceType = None,
    track: Track = None,
    reverse: Annotated[bool | None, typer.Option(help="Drive the track the other way.")] = None,
    laps: Laps = None,
    minimum_laps: MinimumLaps = None,
    ranking: Ranking = None,
    runs: Runs = None,
    randomisation: Randomisation = None,
    opens_at: OpensAt = None,
    closes_at: ClosesAt = None,
    more: More = None,
) -> None:
    """Change what is said of a draft; everything else stays."""
    from league.service import League

    races = League(folder).races
    said: dict[str, Any] = {
        "race_type": race_type,
        "track": track,
        "reverse": reverse,
        "laps": laps,
        "minimum_laps": minimum_laps,
    }
    said |= {"ranking": ranking, "runs": runs, "randomisation": randomisation}
    said |= {"opens_at": _time(opens_at), "closes_at": _time(closes_at)}
    base = None if preset or file else races.one(name).settings
    typer.echo(
        f"changed the race {race_line(races.edit(name, settings_from(preset, file, more, base, **said), rename))}"
    )


@app.command("open")
def open_race(
    name: ToName,
    at: Annotated[str | None, typer.Option(help="When; now if not said.")] = None,
    until: Annotated[str | None, typer.Option(help="When it closes; when you close it, if not said.")] = None,
    folder: Folder = HERE,
) -> None:
    """Open a draft for submissions; its seeds are fixed, and their hash is shown."""
    from league.service import League

    race = League(folder).races.open(name, _time(at), _time(until))
    closes = f", closes {moment(race.closes_at)} UTC" if race.closes_at else ""
    typer.echo(f"{race.name} opens {moment(race.opens_at)} UTC{closes}; hash of race and seeds: {race.seeds_sha256}")


@app.command()
def invite(
    name: ToName,
    reset: Annotated[bool, typer.Option("--reset", help="Draw another one; who is in stays.")] = False,
    code: Annotated[str | None, typer.Option(help="Or take this one: 1 to 32 of a-z, A-Z, 0-9, - and _.")] = None,
    folder: Folder = HERE,
) -> None:
    """Show the invite code of a private race, or give it another one, after which the old one lets nobody in."""
    from league.service import League

    if reset and code is not None:
        raise typer.BadParameter("--reset and --code exclude each other")
    races = League(folder).races
    shown = races.change_invite(name, code) if reset or code is not None else races.invite(name)
    typer.echo(shown)
    typer.echo(f"to race: racer league submit DRIVER.tar.gz --race '{name}' --racer NAME --invite {shown}", err=True)


@app.command()
def extend(
    name: ToName, until: Annotated[str, typer.Option(help="When it closes now.")], reason: Reason, folder: Folder = HERE
) -> None:
    """Let an open race close later."""
    from league.service import League

    race = League(folder).races.extend(name, _needed_time(until), reason)
    typer.echo(f"{race.name} closes {moment(race.closes_at)} UTC")


@app.command()
def close(name: ToName, reason: Annotated[str | None, typer.Option(help="Why.")] = None, folder: Folder = HERE) -> None:
    """Close an open race now; its seeds are shown."""
    from league.service import League

    race = League(folder).races.close(name, reason)
    typer.echo(f"{race.name} is closed; its seeds were {', '.join(map(str, race.seeds or ()))}")


@app.command()
def finalise(name: ToName, folder: Folder = HERE) -> None:
    """Make the result of a closed race final."""
    from league.service import League

    typer.echo(f"{League(folder).races.finalise(name).name} is final")


@app.command()
def cancel(name: ToName, reason: Reason, folder: Folder = HERE) -> None:
    """Call a race off."""
    from league.service import League

    typer.echo(f"{League(folder).races.cancel(name, reason).name} is cancelled")


@app.command()
def disqualify(number: Number, reason: Reason, folder: Folder = HERE) -> None:
    """Let a submission count no more."""
    from league.service import League

    done = League(folder).submissions.disqualify(number, reason)
    typer.echo(f"submission {done.id} of {done.racer} in {done.race} is disqualified")


@app.command()
def reinstate(number: Number, reason: Reason, folder: Folder = HERE) -> None:
    """Let a disqualified submission count again."""
    from league.service import League

    done = League(folder).submissions.reinstate(number, reason)
    typer.echo(f"submission {done.id} of {done.racer} in {done.race} counts again")


@app.command()
def remove(
    racer: Annotated[str, typer.Argument(help="The racer.")],
    reason: Reason,
    race: RaceName = None,
    folder: Folder = HERE,
) -> None:
    """Remove a racer from a race."""
    from league.service import League

    League(folder).submissions.remove(racer, race, reason)
    typer.echo(f"{racer} is removed")


@app.command()
def readmit(
    racer: Annotated[str, typer.Argument(help="The racer.")],
    reason: Reason,
    race: RaceName = None,
    folder: Folder = HERE,
) -> None:
    """Let a removed racer take part again."""
    from league.service import League

    League(folder).submissions.readmit(racer, race, reason)
    typer.echo(f"{racer} takes part again")


@app.command()
def audit(race: OnlyRace = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List what organisers did, and why."""
    from dataclasses import asdict

    from league.service import League

    def about(entry: AuditView) -> str:
        number = entry.submission and f"submission {entry.submission}"
        return ", ".join(part for part in (entry.race, entry.racer, number) if part)

    show(
        League(folder).boards.audit(race),
        as_json,
        asdict,
        ">No.|When (UTC)|Who|What|About|Why",
        lambda e: (e.id, moment(e.at), e.actor, e.action, about(e), e.reason),
    )


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A .csv or .json file.")],
    race: RaceName = None,
    submissions: Annotated[bool, typer.Option("--submissions", help="All submissions, not the board.")] = False,
    folder: Folder = HERE,
) -> None:
    """Write a race's board, or all its submissions, as CSV or JSON."""
    from league.rows import standing_row, submission_row, to_csv, to_json
    from league.service import League
    from league.store import write

    if out.suffix not in (".csv", ".json"):
        raise typer.BadParameter(f"{out} must end with .csv or .json")
    league = League(folder)
    name = league.races.one(race).name
    rows: list[dict[str, Any]] = (
        [submission_row(s) for s in league.submissions.all(name)]
        if submissions
        else [standing_row(s) for s in league.boards.standings(name)]
    )
    write(out, (to_csv(rows) if out.suffix == ".csv" else to_json(rows) + "\n").encode())
    typer.echo(f"{out}: {len(rows)} rows of {name}")


def settings_from(
    preset: str | None, file: Path | None, more: list[str] | None = None, base: RaceSettings | None = None, **said: Any
) -> RaceSettings:
    """A race from a preset or a file or another race, with what was said besides."""
    import json

    from league.race_file import race_of, race_to_json, read_race
    from league.races import default_minimum_laps

    if preset and file:
        raise typer.BadParameter("--preset and --file exclude each other")
    base = read_race(file) if file else base
    raw: dict[str, Any] = json.loads(race_to_json(base)) if base else {"preset": preset} if preset else {}
    given = {key: value for key, value in said.items() if value is not None} | _more(more or [])
    if base and ("ranking" in given or base.minimum_laps == default_minimum_laps(base.ranking, base.laps)):
        del raw["minimum_laps"]
    for key, value in given.items():
        part, _, of_it = key.partition(".")
        table = raw[part] if isinstance(raw.get(part), dict) else {}
        raw[part] = {**table, of_it: value} if of_it else value
    return race_of(raw)


def _more(pairs: list[str]) -> dict[str, Any]:
    """Settings written as KEY=VALUE; a value is TOML, or a text if it is not."""
    import tomllib

    out = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--set")
        try:
            out[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            out[key.strip()] = value
    return out


def _time(text: str | None) -> datetime | None:
    """A time of the user's; UTC if it says no zone."""
    return None if text is None else _needed_time(text)


def _needed_time(text: str) -> datetime:
    from datetime import UTC

    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time, such as 2026-05-01T18:00 or 2026-05-01T18:00+02:00") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
