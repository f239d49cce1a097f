"""``racer league demo``: a whole season in a few minutes, to look at and to play with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from league import bracket_cli, season_cli

app = typer.Typer()


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to; a league that the other commands take, too.")] = Path(
        "league-demo"
    ),
    workers: Annotated[int, typer.Option(help="Submissions that are driven at a time.", min=1)] = 2,
) -> None:
    """Race a season: 12 drivers, three rounds, a table, a bracket; with replays, pictures and a film of the final."""
    from rich.console import Console
    from rich.text import Text

    from league.demo import BRACKET, SEASON, demonstrate

    console = Console(highlight=False)
    try:
        with console.status("beginning ...") as progress:
            for told in demonstrate(folder, workers):
                if told.lasting:
                    console.print(Text(told.text), soft_wrap=True)
                else:
                    progress.update(Text(told.text))
    except KeyboardInterrupt:
        typer.echo(f"stopped; racer league demo {folder} goes on where it was", err=True)
        raise typer.Exit(130) from None
    season_cli.table(SEASON, folder=folder)
    season_cli.teams(SEASON, count=2, folder=folder)
    bracket_cli.show_bracket(BRACKET, folder=folder)
    typer.echo(f"look around with: racer league standings --race 'Round 1' --league {folder}")
