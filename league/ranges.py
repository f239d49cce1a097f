"""What numbers a setting may have, and the sentence for one that it may not: a `LeagueError`."""

from __future__ import annotations

import math

from league.errors import LeagueError


def whole(what: str, value: int, least: int, most: int) -> None:
    """A count within its bounds."""
    if not least <= value <= most:
        raise LeagueError(f"{what} is {value}, but must be from {least} to {most}")


def between(what: str, value: float, least: float, most: float, unit: str) -> None:
    """A measure within its bounds."""
    if not least <= value <= most:
        raise LeagueError(f"{what} is {value} {unit}, but must be from {least:g} to {most:g}")


def seconds(what: str, value: float, *, above_zero: bool = False) -> None:
    """A time without a bound above."""
    if not math.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise LeagueError(f"{what} is {value} s, but must be {'more than' if above_zero else 'at least'} 0 s")
