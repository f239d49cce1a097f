"""``racer league season``: races that belong together, their points, divisions, teams and seats; and what one needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from league.output_cli import HERE, AsJson, Folder, Reason, choice, milliseconds, moment, print_json, print_table, show

if TYPE_CHECKING:
    from league.service import SeasonNeed, SeasonRecord

app = typer.Typer(no_args_is_help=True, help="Races that belong together: points, divisions, teams, seats.")
needs_app = typer.Typer()

Name = Annotated[str | None, typer.Option("--season", help="Which season; needed when there are several.")]
Racer = Annotated[str, typer.Argument(help="The racer.")]
Month = Annotated[int | None, typer.Option(help="The month, from 1; the next one if not said.", min=1)]
Division = Annotated[str | None, typer.Option(help="The division; the highest that counts if not said.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the season is called.")],
    file: Annotated[Path | None, typer.Option("--file", help="A season as TOML or JSON.")] = None,
    folder: Folder = HERE,
) -> None:
    """Add a season, as a file says, or else as that of 2021: two divisions, finales, wildcards, a bracket."""
    from league.seasons import Season, read_season
    from league.service import League

    made = League(folder).seasons.create(name, read_season(file) if file else Season())
    divisions = ", ".join(division.name for division in made.season.divisions)
    typer.echo(f"created the season {made.name} ({divisions}); give it races with: racer league season add RACE")


@app.command()
def add(
    race: Annotated[str, typer.Argument(help="The race.")],
    season: Name = None,
    part: Annotated[str, typer.Option(help="qualifier, finale, wildcard or knockout.")] = "qualifier",
    month: Month = None,
    division: Annotated[str | None, typer.Option(help="Of a qualifier.")] = None,
    group: Annotated[int | None, typer.Option(help="Of a knockout, from 1.", min=1)] = None,
    folder: Folder = HERE,
) -> None:
    """Make a race one of a season."""
    from league.finals import Part
    from league.races import same_name
    from league.service import League

    record = League(folder).seasons.add(
        season, race, choice(Part, part, "--part"), _from_0(month), division, _from_0(group)
    )
    stage = next(stage for stage in record.stages if same_name(stage.race) == same_name(race))
    when = "" if stage.month is None else f" of month {stage.month + 1}"
    whose = "" if stage.division is None else f" for {stage.division}"
    which = "" if stage.group is None else f" of group {stage.group + 1}"
    typer.echo(f"{stage.race} is the {stage.part}{when}{which}{whose} in {record.name}")


@app.command()
def drop(race: Annotated[str, typer.Argument(help="The race.")], reason: Reason, folder: Folder = HERE) -> None:
    """Take a race out of its season."""
    from league.service import League

    League(folder).seasons.drop(race, reason)
    typer.echo(f"{race} is in no season")


@app.command()
def place(
    racer: Racer,
    division: Annotated[str, typer.Option(help="Where to.")],
    reason: Reason,
    month: Annotated[int, typer.Option(help="From this month on, from 1.", min=1)] = 1,
    season: Name = None,
    folder: Folder = HERE,
) -> None:
    """Put a racer into a division."""
    from league.service import League

    record = League(folder).seasons.place(season, racer, division, month - 1, reason)
    typer.echo(f"{racer} is in {division} from month {month} of {record.name} on")


@app.command()
def join(
    racer: Racer,
    region: Annotated[str | None, typer.Option(help="Where they come from.")] = None,
    team: Annotated[str | None, typer.Option(help="For whom they race.")] = None,
    season: Name = None,
    folder: Folder = HERE,
) -> None:
    """Say where a racer comes from, or for which team they race."""
    from league.service import League

    League(folder).seasons.join(season, racer, region, team)
    typer.echo(f"{racer}: {', '.join(name for name in (region, team) if name)}")


@app.command("list")
def list_seasons(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the seasons."""
    from league.rows import season_row
    from league.service import League

    show(
        League(folder).seasons.all(),
        as_json,
        season_row,
        "Season|Divisions|>Races|>Over",
        lambda s: (
            s.name,
            ", ".join(division.name for division in s.season.divisions),
            len(s.stages),
            sum(stage.over for stage in s.stages),
        ),
    )


@app.command("show")
def show_season(
    season: Annotated[str | None, typer.Argument(help="The season; needed when there are several.")] = None,
    out: Annotated[Path | None, typer.Option("-o", help="Write its settings to this .toml or .json file.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List the races of a season, or write its settings to a file for --file."""
    from league.rows import season_row
    from league.seasons import write_season
    from league.service import League

    record = League(folder).seasons.one(season)
    if out:
        write_season(out, record.season)
        typer.echo(f"{out}: the settings of {record.name}")
    elif as_json:
        print_json(season_row(record))
    else:
        _print_races(record)


@app.command()
def table(
    season: Annotated[str | None, typer.Argument(help="The season; needed when there are several.")] = None,
    division: Division = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show the points, those of races that are still open among them; in brackets what does not count."""
    from league.rows import table_row
    from league.service import League

    rows = League(folder).seasons.table(season, division)
    months = len(rows[0].rounds) if rows else 0

    def rounds(points: tuple[int | None, ...], counts: tuple[bool, ...]) -> list[str]:
        both = zip(points, counts, strict=True)
        return ["" if made is None else str(made) if counted else f"({made})" for made, counted in both]

    header = "|".join([">Rank", "Racer", ">Points", *(f">{month + 1}" for month in range(months))])
    show(rows, as_json, table_row, header, lambda r: (r.place, r.racer, r.points, *rounds(r.rounds, r.counts)))


@app.command()
def teams(
    season: Annotated[str | None, typer.Argument(help="The season; needed when there are several.")] = None,
    division: Division = None,
    count: Annotated[int, typer.Option(help="Members of a team that count.", min=1)] = 4,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show the teams by their best members' points."""
    from league.rows import team_row
    from league.service import League

    rows = League(folder).seasons.teams(season, division, count)
    header = ">Rank|Team|>Points|Who counts"
    show(rows, as_json, team_row, header, lambda t: (t.place, t.name, t.result, ", ".join(t.members)))


@app.command()
def moves(
    season: Annotated[str | None, typer.Argument(help="The season; needed when there are several.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List who changed the division, and from which month on."""
    from league.rows import move_row
    from league.service import League

    rows = sorted(League(folder).seasons.one(season).roster.moves, key=lambda move: move.month)
    show(rows, as_json, move_row, ">From month|Racer|From|To", lambda m: (m.month + 1, m.racer, m.came, m.to))


@app.command()
def seats(
    season: Annotated[str | None, typer.Argument(help="The season; needed when there are several.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List who has a seat in the championship."""
    from league.rows import seat_row
    from league.service import League

    rows = League(folder).seasons.one(season).seats
    show(
        rows,
        as_json,
        seat_row,
        "Racer|Won|>Month",
        lambda s: (s.racer, s.won, None if s.month is None else s.month + 1),
    )


@needs_app.command()
def needs(
    racer: Racer,
    race: Annotated[str | None, typer.Option("--race", help="Only in this race.")] = None,
    season: Annotated[str | None, typer.Option("--season", help="Only in this season.")] = None,
    position: Annotated[int | None, typer.Option(help="The place that is wanted.", min=1)] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what a racer needs: times in the open races, points in the seasons."""
    from dataclasses import asdict

    from league.rows import season_need_row
    from league.service import League

    asked = League(folder).needs
    times = asked.times(racer, race, position) if race or not season else ()
    points = asked.points(racer, season, position or 1) if season or not race else ()
    if as_json:
        print_json({"times": [asdict(need) for need in times], "points": [season_need_row(need) for need in points]})
        return
    if times:
        chances = ["" if need.chance is None else f"{need.chance:.0%}" for need in times]
        rows = [
            (n.race, n.what, milliseconds(n.time_ms) if n.time_ms else "any time", "yes" if n.has else "", likely)
            for n, likely in zip(times, chances, strict=True)
        ]
        print_table("Race|For|>Time|Has it|>Likely next time", rows)
    for need in points:
        typer.echo(_outlook_said(need))
    if not times and not points:
        typer.echo("no race is open, and no season has points yet")


def _outlook_said(need: SeasonNeed) -> str:
    """Where a racer can end in a season, and if what."""
    o, left = need.outlook, need.rounds_left
    to_go = f", {left} {'race' if left == 1 else 'races'} to go" if left or need.months else ""
    other = "no other race" if left else "no race"
    unless = "" if need.months else f"; if {other} is added (how many months the season has is not said)"
    places = f"place {o.best}" if o.best == o.worst else f"place {o.best} to {o.worst}"
    said = "is sure" if o.sure else f"is sure with {o.needed} points more" if o.needed else "cannot be made sure alone"
    said = said if o.possible else "cannot be reached"
    of = f"{need.season}, {need.division}: {o.points} points{to_go}{unless}"
    return f"{of}, in the end {places} of those in the table; place {o.position} {said}"


def _print_races(record: SeasonRecord) -> None:
    rows = [
        (
            stage.part,
            None if stage.month is None else stage.month + 1,
            stage.division if stage.group is None else f"group {stage.group + 1}",
            stage.race,
            stage.state if stage.over or stage.state in ("DRAFT", "OPEN") else f"{stage.state}, not over yet",
            len(stage.board),
            stage.board[0].racer if stage.board else None,
        )
        for stage in record.stages
    ]
    of = f"{record.season.months} months, " if record.season.months else ""
    typer.echo(f"{record.name}, {of}made {moment(record.created_at)} UTC")
    print_table("Part|>Month|For|Race|State|>Racers|Leads", rows)


def _from_0(number: int | None) -> int | None:
    return None if number is None else number - 1
