"""``racer league bracket``: heats between racers' cars from which the best go on, of two or on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from league.bracket_output_cli import kind_of, line_of, print_bracket
from league.organise_cli import File, Preset, Randomisation, settings_from
from league.output_cli import HERE, AsJson, Folder, Reason, choice, print_json, show

if TYPE_CHECKING:
    from league.brackets import Elimination
    from league.races import RaceSettings
    from league.service import League

app = typer.Typer(no_args_is_help=True, help="Heats from which the best go on: of two, or on a grid.")

Which = Annotated[str | None, typer.Argument(help="The bracket; needed when there are several.")]
Of = Annotated[str | None, typer.Option("--bracket", help="Which bracket; needed when there are several.")]
Heat = Annotated[str, typer.Argument(help="The heat, such as W1.2 or final.")]


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="What the bracket is called.")],
    race: Annotated[str | None, typer.Option(help="The best of this race, with their drivers there.")] = None,
    season: Annotated[str | None, typer.Option(help="The best of this season's table, or of its knockouts.")] = None,
    racers: Annotated[list[str] | None, typer.Option("--racer", help="Or these, best seed first.")] = None,
    top: Annotated[
        int | None,
        typer.Option(help="How many of a race or a season's table; one full grid, or 8, if not said.", min=2),
    ] = None,
    cars: Annotated[int | None, typer.Option(help="Cars in a heat: 2, or a grid of 3 to 8.", min=2, max=8)] = None,
    elimination: Annotated[
        str | None, typer.Option(help="Of heats of two: single, or double, out after two lost heats.")
    ] = None,
    third_place: Annotated[
        bool, typer.Option("--third-place", help="Race for it in a single elimination of heats of two.")
    ] = False,
    preset: Preset = None,
    file: File = None,
    track: Annotated[str | None, typer.Option(help="A track's name (racer tracks list) or its .npy file.")] = None,
    laps: Annotated[int | None, typer.Option(help="Laps of a heat.")] = None,
    runs: Annotated[int | None, typer.Option(help="Runs of a heat, whose median place counts.")] = None,
    randomisation: Randomisation = None,
    more: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of a race.")
    ] = None,
    folder: Folder = HERE,
) -> None:
    """Make a bracket: of the best of a race, of a season, or of whom you name.

    A race of type head_to_head or grid is decided by its bracket: --race is enough, once it is closed and driven.
    """
    from league.brackets import Elimination
    from league.service import League

    if sum(map(bool, (race and not racers, season, racers))) != 1:
        raise typer.BadParameter("say --race, --season, or --racer several times")
    how = choice(Elimination, elimination, "--elimination") if elimination else None
    said: dict[str, Any] = {"track": track, "laps": laps, "runs": runs, "randomisation": randomisation}
    league = League(folder)
    if race and not racers and league.races.one(race).settings.grid > 1:
        _say_nothing(race, said | {"cars": cars, "preset": preset, "file": file, "set": more})
        made = league.brackets.create_of_race(name, race, top, how or Elimination.SINGLE, third_place=third_place)
    else:
        settings = _heats(preset, file, more, cars, said)
        seeds, found = _seeds(league, race, season, racers or [], top or settings.cars or 8)
        how = how or (found if settings.grid == 2 else None) or Elimination.SINGLE
        made = league.brackets.create(name, settings, seeds, race, how, third_place=third_place)
    typer.echo(f"{made.name}: {len(made.bracket.racers)} racers, {kind_of(made)}; racer league bracket run")
    print_bracket(made)


@app.command("list")
def list_brackets(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the brackets."""
    from league.rows import bracket_row
    from league.service import League

    show(
        League(folder).brackets.all(),
        as_json,
        bracket_row,
        "Bracket|Heats|Track|>Racers|Champion|Decides",
        lambda b: (b.name, kind_of(b), b.settings.track, len(b.bracket.racers), b.bracket.champion, b.race),
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
        print_bracket(shown)


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
    """Decide a heat of two without racing it."""
    from league.service import League

    done = League(folder).brackets.award(bracket, heat, racer, reason)
    typer.echo(f"heat {done.heat.name} goes to {done.heat.winner}")


@app.command()
def scratch(
    heat: Heat,
    racer: Annotated[str, typer.Option(help="Who does not start.")],
    reason: Reason,
    bracket: Of = None,
    folder: Folder = HERE,
) -> None:
    """Leave a racer out of a heat who cannot or may not race: they lose it, and on a grid are out.

    Who is left alone in a heat has won it.
    """
    from league.service import League

    done = League(folder).brackets.scratch(bracket, heat, racer, reason)
    typer.echo(f"{racer} does not start in heat {done.heat.name}")
    if done.heat.decided:
        typer.echo(f"heat {done.heat.name} goes to {done.heat.winner}")


@app.command()
def release(
    reason: Reason,
    bracket: Which = None,
    folder: Folder = HERE,
) -> None:
    """Let a race be decided by another bracket than this, of which no heat is decided yet."""
    from league.service import League

    done = League(folder).brackets.release(bracket, reason)
    typer.echo(f"{done.name} decides no race any more; make another with: racer league bracket create NAME --race RACE")


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


def _seeds(
    league: League, race: str | None, season: str | None, racers: list[str], top: int
) -> tuple[list[str], Elimination | None]:
    """Who races, best seed first, and how, if a season says it."""
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


def _heats(
    preset: str | None, file: Path | None, more: list[str] | None, cars: int | None, said: dict[str, Any]
) -> RaceSettings:
    """The settings of heats: of as many cars as is said, or as the preset or the file has it, or of two."""
    from league.presets import find_preset
    from league.race_file import read_race
    from league.races import RaceType

    found = read_race(file) if file else find_preset(preset) if preset else None
    if found and (found.boxes or found.bot_cars):
        raise typer.BadParameter(f"nothing but racers' cars is in a heat, so that it cannot be a {found.race_type}")
    if cars is not None:
        kind = RaceType.HEAD_TO_HEAD if cars == 2 else RaceType.GRID
    else:
        kind = found.race_type if found and found.grid > 1 else RaceType.HEAD_TO_HEAD
    on_grid = cars if kind is RaceType.GRID else None
    return settings_from(preset, file, more, race_type=kind.value, cars=on_grid, **said)


def _say_nothing(race: str, said: dict[str, Any]) -> None:
    """Refuse what a race of several cars says itself."""
    given = [f"--{name}" for name, value in said.items() if value is not None]
    if given:
        raise typer.BadParameter(f"race {race!r} says itself how its heats are raced; leave out {', '.join(given)}")
