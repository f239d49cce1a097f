"""Regions and teams: one board, looked at by where or for whom its racers race.

A region's board is that of its racers alone. A team's score is the sum of its best members' scores, as in the AWS
League's team races of 2020, where four counted; a team with fewer finishers stands below, more of them first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from league.errors import LeagueError
from league.rules import Standing, among


def regional(board: Sequence[Standing], region_of: Mapping[str, str]) -> dict[str, tuple[Standing, ...]]:
    """The board of every region by its name; who has no region is on none."""
    return {region: among(board, members) for region, members in sorted(_members(board, region_of).items())}


@dataclass(frozen=True)
class TeamStanding:
    """A team's place. Teams with equal scores share a position, and the next one is left out."""

    position: int
    tied: bool
    team: str
    time_ms: int | None  #: the sum; None for a team with too few finishers
    members: tuple[str, ...]  #: whose scores count, best first

    @property
    def place(self) -> str:
        """The position as a board shows it: ``3``, or ``=3`` for a tie."""
        return f"={self.position}" if self.tied else str(self.position)


def team_standings(board: Sequence[Standing], team_of: Mapping[str, str], members: int = 4) -> tuple[TeamStanding, ...]:
    """Rank the teams by the sum of their best `members` scores.

    Raises:
        LeagueError: nobody's score would count.
    """
    if members < 1:
        raise LeagueError(f"at least 1 member of a team must count, not {members}")
    teams = {team: _best(board, racers, members) for team, racers in _members(board, team_of).items()}

    def order(team: str) -> tuple[int, int]:
        return -len(teams[team]), _sum(teams[team])

    made: list[TeamStanding] = []
    for _, equals in groupby(sorted(teams, key=lambda team: (order(team), team)), key=order):
        group, position = list(equals), len(made) + 1
        for team in group:
            time = _sum(teams[team]) if len(teams[team]) == members else None
            made.append(TeamStanding(position, len(group) > 1, team, time, tuple(s.racer for s in teams[team])))
    return tuple(made)


def _members(board: Sequence[Standing], of: Mapping[str, str]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for s in board:
        if s.racer in of:
            found[of[s.racer]].add(s.racer)
    return found


def _best(board: Sequence[Standing], racers: set[str], members: int) -> list[Standing]:
    return [s for s in board if s.racer in racers and s.finished][:members]


def _sum(standings: Sequence[Standing]) -> int:
    return sum(s.entry.score.time_ms or 0 for s in standings)
