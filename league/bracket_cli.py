"""``racer league bracket``: knockout brackets of heats between two racers' cars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from league.organise_cli import File, Preset, Randomisation, settings_from
from league.output_cli import HERE, AsJson, Folder, Reason, choice, milliseconds, print_json, print_table, show

if TYPE_CHECKING:
    from league.brackets import Elimination
    from league.service import BracketView, HeatView, League

app = typer.Typer(no_args_is_help=True, help="Knockout brackets of heats between two.")

Which = Annotated[str | None, typer.Argument(help="The bracket; needed when there are several.")]
Of = Annotated[str | None, typer.Option("--bracket", help="Which bracket; needed when there are several.")]
Heat = Annotated[str, typer.Argument(help="The heat, such as W1.2.")]


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="What the bracket is called.")],
    race: Annotated[str | None, typer.Option(help="The best of this race, with their drivers there.")] = None,
    season: Annotated[str | None, typer.Option(help="The best of this season's table, or of its knockouts.")] = None,
    racers: Annotated[list[str] | None, typer.Option("--racer", help="Or these, best seed first.")] = None,
    top: Annotated[int, typer.Option(help="How many of a race or a season's table.", min=2)] = 8,
    elimination: Annotated[str | None, typer.Option(help="single, or double: out after two lost heats.")] = None,
    third_place: Annotated[bool, typer.Option("--third-place", help="Race for it in a single elimination.")] = False,
    preset: Preset = None,
    file: File = None,
    track: Annotated[str | None, typer.Option(help="A track's name (racer tracks list) or its .npy file.")] = None,
    laps: Annotated[int | None, typer.Option(help="Laps of a heat.")] = None,
    runs: Annotated[int | None, typer.Option(help="Runs of a heat; who wins most of them goes on.")] = None,
    randomisation: Randomisation = None,
    more: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of a race.")
    ] = None,
    folder: Folder = HERE,
) -> None:
    """Make a bracket: of the best of a race, of a season, or of whom you name."""
    from league.brackets import Elimination
    from league.service import League

    how = choice(Elimination, elimination, "--elimination") if elimination else None
    said: dict[str, Any] = {"track": track, "laps": laps, "runs": runs, "randomisation": randomisation}
    settings = settings_from(preset, file, more, race_type="head_to_head", **said)
    league = League(folder)
    seeds, found = _seeds(league, race, season, racers or [], top)
    made = league.brackets.create(
        name, settings, seeds, race, how or found or Elimination.SINGLE, third_place=third_place
    )
    typer.echo(f"{made.name}: {len(seeds)} racers, {made.bracket.elimination} elimination; racer league bracket run")
    _print(made)


@app.command("list")
def list_brackets(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the brackets."""
    from league.rows import bracket_row
    from league.service import League

    show(
        League(folder).brackets.all(),
        as_json,
        bracket_row,
        "Bracket|Elimination|Track|>Racers|Champion",
        lambda b: (b.name, b.bracket.elimination, b.settings.track, len(b.bracket.racers), b.bracket.champion),
    )


@app.command("show")
def show_bracket(
    bracket: Which = None,
    out: Annotated[Path | None, typer.Option("-o", help="Draw it into this .png file.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show who met whom, and who goes on."""
    from league.rows import bracket_row
    from league.service import League

    shown = League(folder).brackets.one(bracket)
    if out:
        from league.bracket_picture import draw_bracket
        from racer_env.render import save_picture

        save_picture(draw_bracket(shown), out)
        typer.echo(f"wrote {out}", err=as_json)
    if as_json:
        print_json(bracket_row(shown))
    elif not out:
        _print(shown)


@app.command()
def run(
    bracket: Which = None,
    heat: Annotated[str | None, typer.Option(help="Only this heat.")] = None,
    folder: Folder = HERE,
) -> None:
    """Race what is to be raced; Ctrl-C stops, and the next run goes on."""
    from league.service import League

    league = League(folder)
    name = league.brackets.one(bracket).name
    try:
        race_heats(league, name, heat)
    except KeyboardInterrupt:
        typer.echo("stopped; racer league bracket run goes on where it was", err=True)
        raise typer.Exit(130) from None
    champion = league.brackets.one(name).bracket.champion
    if champion:
        typer.echo(f"{champion} has won {name}")


@app.command()
def award(
    heat: Heat,
    racer: Annotated[str, typer.Option(help="Who goes on.")],
    reason: Reason,
    bracket: Of = None,
    folder: Folder = HERE,
) -> None:
    """Decide a heat without racing it."""
    from league.service import League

    done = League(folder).brackets.award(bracket, heat, racer, reason)
    typer.echo(f"heat {done.heat.name} goes to {done.heat.winner}")


@app.command()
def receipt(
    heat: Heat,
    out: Annotated[Path | None, typer.Option("-o", help="Write it to this file.")] = None,
    bracket: Of = None,
    folder: Folder = HERE,
) -> None:
    """Print the signed receipt of a heat."""
    from league.service import League
    from league.store import write

    text = League(folder).brackets.receipt(bracket, heat) + "\n"
    if out:
        write(out, text.encode())
        typer.echo(f"{out}: check it with: racer league verify {out}")
    else:
        typer.echo(text, nl=False)


def race_heats(league: League, bracket: str, heat: str | None = None) -> None:
    """Race a bracket's heats, one line for each."""
    from rich.console import Console
    from rich.text import Text

    from league.bracket_day import race_bracket

    console = Console(highlight=False)
    with console.status("loading the simulator ...") as progress:
        for event in race_bracket(league, bracket, heat):
            if event.started:
                progress.update(Text(f"{line_of(event.heat)}  on the track ..."))
            else:
                console.print(Text(line_of(event.heat)), soft_wrap=True)


def line_of(view: HeatView) -> str:
    """A heat in one line."""
    first, second = view.heat.sides
    result = "" if view.result is None else f"  {view.heat.winner} wins {_wins(view)}"
    return f"{view.heat.name:>5}  {first} - {second}{result}"


def _seeds(
    league: League, race: str | None, season: str | None, racers: list[str], top: int
) -> tuple[list[str], Elimination | None]:
    """Who races, best seed first, and how, if a season says it."""
    if sum(map(bool, (race and not racers, season, racers))) != 1:
        raise typer.BadParameter("say --race, --season, or --racer several times")
    if racers:
        return racers, None
    if season:
        record = league.seasons.one(season)
        if record.knockouts():
            through = league.seasons.bracket(season)
            return list(through.racers), through.elimination
        typer.echo(f"no group of season {record.name!r} has a race: of the best of its table", err=True)
        return [row.racer for row in record.table()][:top], record.season.elimination
    board = league.boards.standings(race)
    return [s.entry.racer for s in board if s.finished][:top], None


def _print(view: BracketView) -> None:
    rows = [(heat.heat.name, *map(_name, heat.heat.sides), _name(heat.heat.winner), *_how(heat)) for heat in view.heats]
    print_table("Heat|First|Second|Winner|>Runs|>Winner's time|>Loser's", rows)
    if view.bracket.places:
        typer.echo("  ".join(f"{place}. {racer}" for racer, place in view.bracket.places.items()))


def _how(view: HeatView) -> tuple[str, str, str]:
    """Runs won, and the median times of winner and loser."""
    if view.awarded is not None:
        return f"awarded: {view.awarded}", "", ""
    if view.result is None:
        return "bye" if view.heat.bye else "to be raced" if view.heat.ready else "", "", ""
    finishes = [s.finish for s in view.result.standings]
    times = ["DNF" if finish.time_ms is None else milliseconds(finish.time_ms) for finish in finishes]
    return _wins(view), times[0], times[1]


def _wins(view: HeatView) -> str:
    assert view.result is not None
    return ":".join(str(s.wins) for s in view.result.standings)


def _name(side: object) -> str:
    return side if isinstance(side, str) else ""
