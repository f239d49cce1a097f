"""What an organiser or a racer can do wrong: one sentence each, as every error of the project."""

from __future__ import annotations

from racer_env.errors import RacerError


class LeagueError(RacerError):
    """A league, race, racer or submission that does not exist, is not allowed or cannot be stored."""


class UnreachableError(LeagueError):
    """A league's database that cannot be reached now, but may be soon."""
