"""Divisions: who moves up and down, and from when on.

A month (or whatever a season's rounds are) is a whole number. After it the best of a division's board move up and
the last move down, from the next month on; who does not race stays. In the AWS League of 2021 and 2022 the best
tenth of the Open Division moved up to the Pro Division for good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

from league.errors import LeagueError
from league.rules import Standing
from racer_env.errors import nearest


@dataclass(frozen=True)
class Division:
    """One division. Shares are per cent of its board, as written: 10 of 1075 racers are 107.5, that is 108 up."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    name: str
    promoted: float = 0.0  #: per cent of who finished, rounded up
    relegated: float = 0.0  #: per cent of who is on the board, rounded down

    def __post_init__(self) -> None:
        for what in ("promoted", "relegated"):
            if not 0.0 <= getattr(self, what) <= 100.0:
                raise LeagueError(f"{what} of {self.name} is {getattr(self, what)} %, but must be from 0 to 100")
        if self.promoted + self.relegated > 100.0:
            raise LeagueError(
                f"{self.name} cannot promote {self.promoted} % and relegate {self.relegated} % of a board"
            )


def promoted(board: Sequence[Standing], per_cent: float) -> tuple[str, ...]:
    """The best of a board, rounded up: whoever has a position up to the last that moves up. DNFs never do."""
    finished = [s for s in board if s.finished]
    seats = seats_up(len(finished), per_cent)
    return tuple(s.racer for s in finished if s.position <= seats)


def seats_up(finishers: int, per_cent: float) -> int:
    """How many positions of a board move up: 10 per cent of 1075 are 108."""
    return math.ceil(_share(finishers, per_cent))


def relegated(board: Sequence[Standing], per_cent: float) -> tuple[str, ...]:
    """The last of a board, rounded down; whoever shares a position with the last that stays, stays."""
    safe = len(board) - math.floor(_share(len(board), per_cent))
    return tuple(s.racer for s in board if s.position > safe)


@dataclass(frozen=True)
class Move:
    """A racer's change of division."""

    racer: str
    came: str  #: the division it was
    to: str
    month: int  #: the first in the new division


@dataclass(frozen=True)
class Roster:
    """Who is in which division when. Everybody begins in the lowest.

    Args:
        divisions: lowest first.
        moves: of everybody; of two from the same month on, the later one holds.

    Raises:
        LeagueError: there is no division, or two have the same name.
    """

    divisions: tuple[Division, ...]
    moves: tuple[Move, ...] = ()
    _of: Mapping[str, tuple[Move, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [division.name for division in self.divisions]
        if not names or len(set(names)) < len(names):
            raise LeagueError(f"divisions need different names, lowest first, not {names}")
        of: dict[str, tuple[Move, ...]] = {}
        for move in sorted(self.moves, key=lambda move: move.month):
            of[move.racer] = (*of.get(move.racer, ()), move)
        object.__setattr__(self, "_of", of)

    def division(self, racer: str, month: int) -> str:
        """Where a racer races in a month."""
        made = [move for move in self._of.get(racer, ()) if move.month <= month]
        return made[-1].to if made else self.divisions[0].name

    def placed(self, racer: str, to: str, month: int) -> Roster:
        """The same with a racer in a division from a month on, by the organiser's decision."""
        self._index(to)
        return self._after([Move(racer, self.division(racer, month), to, month)])

    def after(self, month: int, boards: Mapping[str, Sequence[Standing]]) -> Roster:
        """The same once a month is over: what its boards, by division, change from the next month on.

        Who stands on the board of a division that is not theirs takes a place there, but does not move.

        Raises:
            LeagueError: a board is of no division.
        """
        for name in boards:
            self._index(name)
        return self._after([*self._up(month, boards), *self._down(month, boards)])

    def _up(self, month: int, boards: Mapping[str, Sequence[Standing]]) -> Iterator[Move]:
        for division, above in pairwise(self.divisions):
            for racer in promoted(boards.get(division.name, ()), division.promoted):
                if self.division(racer, month) == division.name:
                    yield Move(racer, division.name, above.name, month + 1)

    def _down(self, month: int, boards: Mapping[str, Sequence[Standing]]) -> Iterator[Move]:
        for below, division in pairwise(self.divisions):
            for racer in relegated(boards.get(division.name, ()), division.relegated):
                if self.division(racer, month) == division.name:
                    yield Move(racer, division.name, below.name, month + 1)

    def _after(self, moves: Iterable[Move]) -> Roster:
        return Roster(self.divisions, (*self.moves, *(move for move in moves if move.came != move.to)))

    def _index(self, name: str) -> int:
        names = [division.name for division in self.divisions]
        if name not in names:
            raise LeagueError(f"there is no division {name!r}; {nearest(name, names)}")
        return names.index(name)


def _share(count: int, per_cent: float) -> Fraction:
    """Exactly: 4.4 % of 750 are 33, and not a little more."""
    return Fraction(str(per_cent)) * count / 100
