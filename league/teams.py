"""Teams: what their members have driven, added up.

A team's score in a race is the sum of its best members' scores, as in the AWS League's team races of 2020, where four
counted; a team with fewer finishers stands below, more of them first. In a season its best members' points add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from league.errors import LeagueError
from league.points import Row
from league.regions import members
from league.rules import Standing, place, positions


@dataclass(frozen=True)
class Team:
    """A team's place. Teams that are equal share a position, and the next one is left out."""

    position: int
    tied: bool
    name: str
    result: int | None  #: ms or points, added up; None for a team with too few finishers
    members: tuple[str, ...]  #: who counts, best first

    @property
    def place(self) -> str:
        """The position as a board shows it."""
        return place(self.position, tied=self.tied)


def team_standings(board: Sequence[Standing], team_of: Mapping[str, str], count: int = 4) -> tuple[Team, ...]:
    """Rank the teams by the sum of their best `count` scores, in ms.

    Raises:
        LeagueError: nobody's score would count.
    """
    _check(count)
    best = {
        name: [s for s in board if s.racer in racers and s.finished][:count]
        for name, racers in members(board, team_of).items()
    }
    sums = {name: sum(s.entry.score.time_ms or 0 for s in counted) for name, counted in best.items()}

    def order(name: str) -> tuple[int, int]:
        return -len(best[name]), sums[name]

    return tuple(
        Team(p, t, name, sums[name] if len(best[name]) == count else None, tuple(s.racer for s in best[name]))
        for p, t, name in positions(sorted(sorted(best), key=order), order)
    )


def team_table(table: Sequence[Row], team_of: Mapping[str, str], count: int = 4) -> tuple[Team, ...]:
    """Rank the teams by the points of their best `count` members in the table of a season.

    Raises:
        LeagueError: nobody's points would count.
    """
    _check(count)
    best: defaultdict[str, list[Row]] = defaultdict(list)
    for row in table:
        if row.racer in team_of and len(best[team_of[row.racer]]) < count:
            best[team_of[row.racer]].append(row)
    points = {name: sum(row.points for row in rows) for name, rows in best.items()}

    def order(name: str) -> int:
        return -points[name]

    return tuple(
        Team(p, t, name, points[name], tuple(row.racer for row in best[name]))
        for p, t, name in positions(sorted(sorted(best), key=order), order)
    )


def _check(count: int) -> None:
    if count < 1:
        raise LeagueError(f"at least 1 member of a team must count, not {count}")
