"""A season: months of qualifiers in divisions, finales, and the championship that they lead to.

Every month each division has a qualifier. Its board moves racers between the divisions from the next month on, gives
points, and, in one division, fills a finale, whose best win seats in the championship. What a season has is a value,
`Season`; what has happened in it is a sequence of `Month`; everything else follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from league import finals
from league.brackets import Bracket, Elimination
from league.divisions import Division, Roster
from league.errors import LeagueError
from league.points import ByPosition, Row, Scale, season_table
from league.rules import Standing

Board = Sequence[Standing]


class Won(StrEnum):
    """How a seat in the championship was won."""

    FINALE = "finale"
    WILDCARD = "wildcard"
    INVITED = "invited"


@dataclass(frozen=True)
class Seat:
    """A seat in the championship."""

    racer: str
    won: Won
    month: int | None = None  #: whose finale it was won in, from 0


@dataclass(frozen=True)
class Month:
    """What has been raced in a month."""

    boards: Mapping[str, Board]  #: of the qualifiers, by division
    finale: Board = ()


@dataclass(frozen=True)
class Season:
    """What a season consists of; the defaults are those of the AWS League of 2021.

    Raises:
        LeagueError: there is no such division to qualify in, or a number is less than it can be.
    """

    divisions: tuple[Division, ...] = (Division("Open", promoted=10.0), Division("Pro"))  #: lowest first
    qualifying: str = "Pro"  #: the division whose boards fill the finales
    finale: int = 16  #: racers in a month's finale
    seats: int = 3  #: that a finale gives
    wildcards: int = 5  #: seats that the last race before the championship gives
    groups: int = 4  #: of the championship
    each: int = 4  #: racers of each group that go on to the bracket
    elimination: Elimination = Elimination.SINGLE
    scale: Scale = field(default_factory=ByPosition)  #: what a round is worth
    best: int | None = None  #: rounds of each racer that count; None: all
    placed: tuple[tuple[str, str, int], ...] = ()  #: by the organiser: racer, division, the first month

    def __post_init__(self) -> None:
        self.roster(())
        names = [division.name for division in self.divisions]
        if self.qualifying not in names:
            raise LeagueError(f"qualifying is {self.qualifying!r}, but the divisions are {', '.join(names)}")
        for name, least in (("finale", 1), ("seats", 0), ("wildcards", 0), ("groups", 1), ("each", 1), ("best", 1)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise LeagueError(f"{name} is {getattr(self, name)}, but must be at least {least}")

    def roster(self, months: Sequence[Month]) -> Roster:
        """Who is in which division, after these months and in each of them."""
        roster = Roster(self.divisions)
        placed = sorted(self.placed, key=lambda placed: placed[2])
        for number, month in enumerate(months):
            while placed and placed[0][2] <= number:
                roster = roster.placed(*placed.pop(0))
            roster = roster.after(number, month.boards)
        for racer, division, since in placed:
            roster = roster.placed(racer, division, since)
        return roster

    def finalists(self, months: Sequence[Month]) -> tuple[Seat, ...]:
        """The seats that the finales have given: each to who has none yet, or else to the next."""
        seats: list[Seat] = []
        for number, month in enumerate(months):
            taken = {seat.racer for seat in seats}
            seats += [Seat(r, Won.FINALE, number) for r in finals.roll_down(month.finale, self.seats, taken)]
        return tuple(seats)

    def finale_field(self, months: Sequence[Month]) -> tuple[str, ...]:
        """Who races the finale of the last of these months: its best who have no seat from a month before."""
        *before, last = months
        taken = {seat.racer for seat in self.finalists(before)}
        return finals.roll_down(last.boards.get(self.qualifying, ()), self.finale, taken)

    def championship(self, months: Sequence[Month], wildcard: Board, invited: Sequence[str] = ()) -> tuple[Seat, ...]:
        """Every seat: the finalists, then the best of the last race who have none, then who is invited besides."""
        seats = list(self.finalists(months))
        taken = {seat.racer for seat in seats}
        seats += [Seat(racer, Won.WILDCARD) for racer in finals.roll_down(wildcard, self.wildcards, taken)]
        taken = {seat.racer for seat in seats}
        return (*seats, *(Seat(racer, Won.INVITED) for racer in invited if racer not in taken))

    def knockouts(self, seats: Sequence[Seat]) -> tuple[tuple[str, ...], ...]:
        """The groups of a championship, if its organiser does not make them: earlier seats are better seeds."""
        return finals.groups([seat.racer for seat in seats], self.groups)

    def bracket(self, knockouts: Sequence[Board]) -> Bracket:
        """The bracket of who goes through from the boards of the groups."""
        return Bracket(finals.through(knockouts, self.each), self.elimination)

    def table(self, months: Sequence[Month], division: str | None = None) -> tuple[Row, ...]:
        """The points of a division's racers, of the qualifying one if none is named."""
        return season_table([m.boards.get(division or self.qualifying, ()) for m in months], self.scale, self.best)
