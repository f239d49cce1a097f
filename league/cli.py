"""``racer league``: make a league and its races, submit drivers, drive them, see who leads."""

from __future__ import annotations

import typer

from league import operate_cli, organise_cli, replay_cli, see_cli

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Race trained drivers against each other.")
PARTS = (organise_cli.app, see_cli.app, replay_cli.app, operate_cli.app)
for part in PARTS:
    app.add_typer(part)
