"""What do I need? The time for a position, a promotion or a seat; the points for a place; and how likely it is.

A time is the slowest that would do if nobody else improved. A position and a promotion are shared by equal scores; a
seat is not, and of equal scores the earlier submission has it. All of this is arithmetic on boards and tables:
nobody's next race is foretold but by what they have driven.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from fractions import Fraction

from league.divisions import seats_up
from league.errors import LeagueError
from league.points import Row
from league.rules import Score, Standing

#: Any time is enough, as long as one finishes.
ANY_TIME = 2**62


def time_for_position(board: Sequence[Standing], racer: str, position: int) -> int:
    """The slowest score, ms, with which a racer would stand at a position or better.

    What the racer has is left out of account, so that whoever stands there already is told what keeps the place.

    Raises:
        LeagueError: there is no such position.
    """
    if position < 1:
        raise LeagueError(f"the best position is 1, not {position}")
    times = _times(board, racer)
    return times[position - 1] if len(times) >= position else ANY_TIME


def time_for_promotion(board: Sequence[Standing], racer: str, per_cent: float) -> int | None:
    """The slowest score, ms, with which a racer would be among the best per cent; None if nobody moves up."""
    seats = seats_up(len(_times(board, racer)) + 1, per_cent)
    return time_for_position(board, racer, seats) if seats else None


def time_for_seat(board: Sequence[Standing], racer: str, seats: int, taken: Container[str] = ()) -> int | None:
    """The slowest score, ms, of a submission from now on that gives a seat, which roll down past `taken`.

    None if there is no seat, or the racer is in `taken`.
    """
    if racer in taken or seats < 1:
        return None
    times = _times([s for s in board if s.racer not in taken], racer)
    return times[seats - 1] - 1 if len(times) >= seats else ANY_TIME


def _times(board: Sequence[Standing], racer: str) -> list[int]:
    """The scores of the others, best first."""
    return [s.entry.score.time_ms for s in board if s.entry.score.time_ms is not None and s.racer != racer]


@dataclass(frozen=True)
class Outlook:
    """Where a racer can still end in a season's table, if a round can give a racer anything up to a winner's points.

    Racers who are not in the table yet are left out, so that who is last in it may fall further.
    """

    racer: str
    position: int  #: that is asked for
    points: int  #: now
    most: int  #: points in the end, if every round left is won
    best: int  #: no better position can be reached
    worst: int  #: no worse one can become of it
    needed: int | None  #: points more that make the position sure whatever others do; None: so many cannot be had

    @property
    def sure(self) -> bool:
        """Whether the position cannot be lost any more."""
        return self.worst <= self.position

    @property
    def possible(self) -> bool:
        """Whether the position can still be reached, be it with the others' help."""
        return self.best <= self.position


def outlook(
    table: Sequence[Row], racer: str, position: int, rounds_left: int, most: int, best: int | None = None
) -> Outlook:
    """What a racer needs for a position in the table of a season.

    Args:
        table: after the rounds so far.
        racer: who asks.
        position: that they want, 1 for the title.
        rounds_left: still to come.
        most: the points of a winner of a round.
        best: how many rounds of a racer count; None: all.

    Raises:
        LeagueError: the racer is not in the table, or there is no such position.
    """
    mine = next((row for row in table if row.racer == racer), None)
    if mine is None:
        raise LeagueError(f"racer {racer!r} is not in the table")
    if position < 1:
        raise LeagueError(f"the best position is 1, not {position}")
    others = [row for row in table if row.racer != racer]
    highest = sorted((ceiling(row, rounds_left, most, best) for row in others), reverse=True)
    top = ceiling(mine, rounds_left, most, best)
    needed = _needed(mine.points, highest, position)
    return Outlook(
        racer,
        position,
        mine.points,
        top,
        best=1 + sum(row.points > top for row in others),
        worst=1 + sum(other >= mine.points for other in highest),
        needed=needed if mine.points + needed <= top else None,
    )


def ceiling(row: Row, rounds_left: int, most: int, best: int | None = None) -> int:
    """The points a racer can still end with: every round left is won, and the worst that counted drop out."""
    made = sorted([*(points or 0 for points in row.rounds), *[most] * rounds_left], reverse=True)
    return sum(made[:best])


def _needed(points: int, highest: Sequence[int], position: int) -> int:
    """Points more that put one above everybody's most but the best position - 1 of them; a draw is not sure."""
    if len(highest) < position:
        return 0
    return max(0, highest[position - 1] + 1 - points)


def chance(driven: Sequence[Score], time_ms: int, runs: int = 1) -> float:
    """How likely the next submission of a driver is to score `time_ms` or better, judged by runs it has driven.

    One run does with the probability (s + 1) / (n + 2) after s of n have (Laplace's rule of succession); the median
    does if more than half of the runs do. It takes runs for independent and alike: the same driver, the same race.

    Raises:
        LeagueError: a submission needs a run.
    """
    if runs < 1:
        raise LeagueError(f"a submission is driven at least once, not {runs} times")
    fast = sum(score.time_ms is not None and score.time_ms <= time_ms for score in driven)
    p = Fraction(fast + 1, len(driven) + 2)
    enough = range(runs // 2 + 1, runs + 1)
    return float(sum(math.comb(runs, k) * p**k * (1 - p) ** (runs - k) for k in enough))
