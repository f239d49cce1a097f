"""``racer league``: make a league and its races, submit drivers, drive them, see who leads."""

from __future__ import annotations

import typer

from league import bracket_cli, demo_cli, live_cli, operate_cli, organise_cli, replay_cli, season_cli, see_cli

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Race trained drivers against each other.")
PARTS = (organise_cli.app, see_cli.app, season_cli.needs_app, replay_cli.app, operate_cli.app, demo_cli.app)
GROUPS = {"season": season_cli.app, "bracket": bracket_cli.app, "live": live_cli.app}
for part in PARTS:
    app.add_typer(part)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)
