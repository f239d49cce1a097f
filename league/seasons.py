"""A season: months of qualifiers in divisions, finales, and the championship that they lead to.

Every month each division has a qualifier. Its board moves racers between the divisions from the next month on, gives
points, and, in one division, fills a finale, whose best win seats in the championship. What a season has is a value,
`Season`; what has happened in it is a sequence of `Month`; everything else follows. `read_season` and `write_season`
are for organisers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from league import finals
from league.brackets import Bracket, Elimination
from league.divisions import Division, Roster
from league.errors import LeagueError
from league.points import CHAMPIONSHIP, Row, Scale, season_table
from league.regions import regional
from league.rules import Standing
from league.settings_file import Words, read_table, settings_of, write_table

Board = Sequence[Standing]

_WORDS: Words = {"finale": ("none", None), "best": ("all", None)}


class Won(StrEnum):
    """How a seat in the championship was won."""

    MONTH = "month"  #: in a month's finale, or its qualifier where there is no finale
    WILDCARD = "wildcard"  #: in the last race before the championship
    POINTS = "points"
    INVITED = "invited"


@dataclass(frozen=True)
class Seat:
    """A seat in the championship."""

    racer: str
    won: Won
    month: int | None = None  #: that it was won in, from 0


@dataclass(frozen=True)
class Month:
    """What has been raced in a month."""

    boards: Mapping[str, Board]  #: of the qualifiers, by division
    finale: Board = ()


_LEAST = {"finale": 1, "seats": 0, "points_seats": 0, "wildcards": 0, "groups": 1, "each": 1, "best": 1, "months": 1}


@dataclass(frozen=True)
class Season:
    """What a season consists of; the defaults are those of the AWS League of 2021.

    Raises:
        LeagueError: there is no such division to qualify in, a number is less than it can be, or somebody is placed
            after the last month.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    divisions: tuple[Division, ...] = (Division("Open", promoted=10.0), Division("Pro"))  #: lowest first
    qualifying: str = "Pro"  #: the division whose boards fill the finales
    finale: int | None = 16  #: racers in a month's finale; None: there is none, and the qualifier gives the seats
    seats: int = 3  #: that a month gives, or in each region if the season has regions
    points_seats: int = 0  #: that the best of the table without a seat get in the end
    wildcards: int = 5  #: seats that the last race before the championship gives
    groups: int = 4  #: of the championship
    each: int = 4  #: racers of each group that go on to the bracket
    elimination: Elimination = Elimination.SINGLE
    scale: Scale = CHAMPIONSHIP  #: what a round is worth
    best: int | None = None  #: rounds of each racer that count; None: all
    months: int | None = None  #: that it is planned to have; None: it is not said
    placed: tuple[tuple[str, str, int], ...] = ()  #: by the organiser: racer, division, the first month

    def __post_init__(self) -> None:
        self.roster(())
        names = [division.name for division in self.divisions]
        if self.qualifying not in names:
            raise LeagueError(f"qualifying is {self.qualifying!r}, but the divisions are {', '.join(names)}")
        for name, least in _LEAST.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise LeagueError(f"{name} is {getattr(self, name)}, but must be at least {least}")
        for racer, _, since in self.placed:
            if self.months is not None and since >= self.months:
                raise LeagueError(
                    f"{racer!r} cannot be placed from month {since + 1} on: the last one is {self.months}"
                )

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

    def finalists(self, months: Sequence[Month], region_of: Mapping[str, str] | None = None) -> tuple[Seat, ...]:
        """The seats that the months have given: each to who has none yet, or else to the next.

        Args:
            months: so far.
            region_of: of every racer; None: the season has no regions.
        """
        seats: list[Seat] = []
        for number, month in enumerate(months):
            board = month.finale if self.finale is not None else month.boards.get(self.qualifying, ())
            taken = {seat.racer for seat in seats}
            for part in [board] if region_of is None else regional(board, region_of).values():
                seats += [Seat(racer, Won.MONTH, number) for racer in finals.roll_down(part, self.seats, taken)]
        return tuple(seats)

    def finale_field(self, months: Sequence[Month], region_of: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Who races the finale of the last of these months: its best who have no seat from a month before."""
        if not months:
            return ()
        taken = {seat.racer for seat in self.finalists(months[:-1], region_of)}
        return finals.roll_down(months[-1].boards.get(self.qualifying, ()), self.finale or 0, taken)

    def championship(
        self,
        months: Sequence[Month],
        wildcard: Board = (),
        invited: Sequence[str] = (),
        region_of: Mapping[str, str] | None = None,
    ) -> tuple[Seat, ...]:
        """Every seat: of the months, by points, of the last race, and who is invited; each to who has none before."""
        seats = list(self.finalists(months, region_of))

        def add(racers: Sequence[str], count: int, won: Won) -> None:
            taken = {seat.racer for seat in seats}
            seats.extend([Seat(racer, won) for racer in racers if racer not in taken][:count])

        add([row.racer for row in self.table(months)], self.points_seats, Won.POINTS)
        add([s.racer for s in wildcard if s.finished], self.wildcards, Won.WILDCARD)
        add(list(dict.fromkeys(invited)), len(invited), Won.INVITED)
        return tuple(seats)

    def knockouts(self, seats: Sequence[Seat]) -> tuple[tuple[str, ...], ...]:
        """The groups of a championship, if its organiser does not make them: earlier seats are better seeds."""
        return finals.groups([seat.racer for seat in seats], self.groups)

    def bracket(self, knockouts: Sequence[Board]) -> Bracket:
        """The bracket of who goes through from the boards of the groups."""
        return Bracket(finals.through(knockouts, self.each), self.elimination)

    def table(self, months: Sequence[Month], division: str | None = None) -> tuple[Row, ...]:
        """The points of a division's racers, of the qualifying one if none is named."""
        return season_table([m.boards.get(division or self.qualifying, ()) for m in months], self.scale, self.best)


def season_from_json(text: str) -> Season:
    """The season that `league.settings_file.to_json` made this from."""
    return settings_of(Season, json.loads(text), _WORDS)


def read_season(path: Path) -> Season:
    """Read a season's file; what it leaves out is as in 2021.

    Raises:
        LeagueError: it cannot be read, or a value in it is not allowed; the sentence names the file and the key.
    """
    raw = read_table(path)
    try:
        return settings_of(Season, raw, _WORDS)
    except LeagueError as error:
        raise LeagueError(f"{path}: {error}") from error


def write_season(path: Path, season: Season) -> None:
    """Write every setting, so that `read_season` gives an equal season. Raises `LeagueError` if it cannot."""
    write_table(path, season, _WORDS)
