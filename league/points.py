"""Points: what a round is worth, and the table of a season.

Racers with equal scores get the same points. A season adds up the best `best` rounds of each racer; equal totals are
ordered by the better finishes (most first places, then most second places, and so on), and share a position if these
are equal, too. What a position is worth is the organiser's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from league.errors import LeagueError
from league.rules import Standing, place, positions

Points = Mapping[str, int]  #: of each racer, in one round


@dataclass(frozen=True)
class ByPosition:
    """Points by position: the first number is the winner's.

    Raises:
        LeagueError: there are none, some are negative, or a worse position is worth more than a better one.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    table: tuple[int, ...] = (25, 18, 15, 12, 10, 8, 6, 4, 2, 1)
    finished: int = 0  #: for every position after those
    started: int = 0  #: for a DNF

    def __post_init__(self) -> None:
        worth = (*self.table, self.finished, self.started)
        if not self.table or self.started < 0 or list(worth) != sorted(worth, reverse=True):
            raise LeagueError(f"points must be whole numbers that fall from the winner's to a DNF's, not {worth}")

    @property
    def most(self) -> int:
        """What a winner gets."""
        return self.table[0]

    def points(self, board: Sequence[Standing]) -> dict[str, int]:
        """The points of everybody on a board."""
        return {s.racer: self._of(s) for s in board}

    def _of(self, standing: Standing) -> int:
        if not standing.finished:
            return self.started
        return self.table[standing.position - 1] if standing.position <= len(self.table) else self.finished


@dataclass(frozen=True)
class ByTime:
    """Points by how near to the winner's time: `most` times winner's over own, rounded down; a DNF gets none."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    most: int = 1000

    def __post_init__(self) -> None:
        if self.most < 1:
            raise LeagueError(f"a winner must get at least 1 point, not {self.most}")

    def points(self, board: Sequence[Standing]) -> dict[str, int]:
        """The points of everybody on a board."""
        times = {s.racer: s.entry.score.time_ms for s in board}
        winner = min((time for time in times.values() if time is not None), default=0)
        return {racer: 0 if time is None else self._of(winner, time) for racer, time in times.items()}

    def _of(self, winner: int, time: int) -> int:
        return self.most * winner // time if time else self.most


#: What a round may be worth.
Scale = ByPosition | ByTime

#: Points as in motor racing.
CHAMPIONSHIP = ByPosition()


@dataclass(frozen=True)
class Row:
    """A racer's place in the table of a season."""

    position: int
    tied: bool
    racer: str
    points: int  #: of the rounds that count
    rounds: tuple[int | None, ...]  #: points of each round; None: not there
    counts: tuple[bool, ...]  #: which of them are added up

    @property
    def place(self) -> str:
        """The position as a table shows it."""
        return place(self.position, tied=self.tied)


def season_table(
    boards: Sequence[Sequence[Standing]], scale: Scale = CHAMPIONSHIP, best: int | None = None
) -> tuple[Row, ...]:
    """The table after some rounds.

    Args:
        boards: of each round.
        scale: what a round is worth.
        best: how many rounds of a racer are added up; None: all.

    Raises:
        LeagueError: `best` is less than 1.
    """
    if best is not None and best < 1:
        raise LeagueError(f"at least the best 1 of a racer's rounds must count, not {best}")
    rounds = [scale.points(board) for board in boards]
    rows = [_row(racer, rounds, best) for racer in sorted({racer for points in rounds for racer in points})]
    finishes = _finishes(boards)

    def order(row: Row) -> tuple[int, list[int]]:
        return -row.points, finishes[row.racer]

    return tuple(replace(row, position=p, tied=t) for p, t, row in positions(sorted(rows, key=order), order))


def _finishes(boards: Sequence[Sequence[Standing]]) -> dict[str, list[int]]:
    """The positions of everybody's finishes, best first, and one that is worse than all for what is missing."""
    worst = max(map(len, boards), default=0) + 1
    made: dict[str, list[int]] = {s.racer: [] for board in boards for s in board}
    for s in (s for board in boards for s in board if s.finished):
        made[s.racer].append(s.position)
    return {racer: [*sorted(places), worst] for racer, places in made.items()}


def _row(racer: str, rounds: Sequence[Points], best: int | None) -> Row:
    """A racer's row before it has a position."""
    points = tuple(of.get(racer) for of in rounds)
    raced = [i for i, made in enumerate(points) if made is not None]
    counted = sorted(raced, key=lambda i: (-(points[i] or 0), i))[:best]
    counts = tuple(i in counted for i in range(len(points)))
    return Row(0, False, racer, sum(points[i] or 0 for i in counted), points, counts)
