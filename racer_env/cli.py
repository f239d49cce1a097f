"""``racer``: one command, whose sub-commands every installed package may add.

A package names its commands in the entry-point group ``racer.commands``: each entry is a Typer application or a
function. They are loaded when they are asked for, so a command costs only what it needs.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from racer_env.errors import RacerError, nearest

GROUP = "racer.commands"

#: In the order in which a newcomer needs them; commands of other packages follow.
ORDER = ("new", "reward", "train", "evaluate", "export", "league", "tracks", "drive")


def _commands() -> dict[str, EntryPoint]:
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    return {name: found[name] for name in sorted(found, key=lambda n: (n not in ORDER, _place(n), n))}


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else 0


class EntryPointGroup(TyperGroup):
    """A group whose commands are entry points, loaded on demand."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Names of all installed commands."""
        return list(_commands())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Load one command."""
        entry = _commands().get(cmd_name)
        return None if entry is None else _as_click(entry.load(), cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command, or say which one was probably meant."""
        if args and not args[0].startswith("-") and args[0] not in _commands():
            raise RacerError(f"no command is called {args[0]!r}; {nearest(args[0], _commands())}")
        return super().resolve_command(ctx, args)


def _as_click(loaded: Any, name: str) -> Any:
    if not isinstance(loaded, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(loaded)
        loaded = app
    command = typer.main.get_command(loaded)
    command.name = name
    return command


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"racer {version('racer18')}")
        raise typer.Exit


app = typer.Typer(cls=EntryPointGroup, no_args_is_help=True, add_completion=False, rich_markup_mode="rich")


@app.callback()
def racer(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """DeepRacer on your own computer: write a reward function, train a driver, race it, export it."""


def main() -> None:
    """Run the command line; what the user did wrong is one sentence and exit code 2."""
    try:
        app()
    except RacerError as error:
        typer.echo(f"racer: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
