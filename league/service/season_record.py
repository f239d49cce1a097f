"""What has happened in a season, read from its races; and who may race in which of them.

Nothing of it is kept: divisions, seats and tables follow from the season's settings and the boards of its races. A
board moves racers and gives seats once its race is over: closed and driven, its heats too if they decide it, final, or
cancelled, which counts as raced by nobody. Months are numbers from 0, and named from 1 in what is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from league.divisions import Roster
from league.errors import LeagueError
from league.finals import Part
from league.lifecycle import State
from league.models import IN_FLIGHT, KeptSeason, Member, Race, Racer, Round, Submission
from league.points import Row, season_table
from league.seasons import Board, Month, Season, Seat
from league.service.boards import heats_left, standings_of
from league.service.desk import times_of


@dataclass(frozen=True)
class Stage:
    """A race of a season."""

    race: str
    state: State
    over: bool  #: its board is what it will be, but for the organiser's decisions
    part: Part
    month: int | None  #: from 0
    division: str | None
    group: int | None  #: from 0
    board: Board

    @property
    def decided(self) -> Board:
        """Its board, once it is over."""
        return self.board if self.over else ()


@dataclass(frozen=True)
class SeasonRecord:
    """A season and what its races have brought so far."""

    name: str
    season: Season
    created_at: datetime
    stages: tuple[Stage, ...]  #: by month, then those without one
    region_of: Mapping[str, str]
    team_of: Mapping[str, str]

    @cached_property
    def months(self) -> tuple[Month, ...]:
        """What is decided of every month that has a race."""
        return tuple(self._month(number) for number in range(self.count))

    @property
    def count(self) -> int:
        """How many months have a race, or come before one that has."""
        return 1 + max((stage.month for stage in self.stages if stage.month is not None), default=-1)

    @cached_property
    def roster(self) -> Roster:
        """Who is in which division when."""
        return self.season.roster(self.months)

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """The seats in the championship that are decided; those by points once all months are over."""
        seats = self.season.championship(self.months, self.board_of(Part.WILDCARD), region_of=self._regions)
        return tuple(seat for seat in seats if seat.won != "points" or self._all_over())

    def table(self, division: str | None = None) -> tuple[Row, ...]:
        """The points so far, those of open races among them; of the qualifying division if none is named."""
        name = division or self.season.qualifying
        boards = {stage.month: stage.board for stage in self._qualifiers() if stage.division == name}
        return season_table([boards.get(n, ()) for n in range(self.count)], self.season.scale, self.season.best)

    def board_of(self, part: Part, month: int | None = None) -> Board:
        """The board of the finale or the wildcard race, once it is over."""
        found = [stage.decided for stage in self.stages if stage.part is part and stage.month == month]
        return found[0] if found else ()

    def knockouts(self) -> tuple[Board, ...]:
        """The boards of the groups, once they are over."""
        groups = sorted((s for s in self.stages if s.part is Part.KNOCKOUT), key=lambda s: s.group or 0)
        return tuple(stage.decided for stage in groups)

    def rounds_left(self, division: str | None = None) -> int:
        """The division's races that are still to be raced: those that are there, and those that are only planned.

        A month that has no race, but comes before one whose race is over, is not raced any more.
        """
        name = division or self.season.qualifying
        over = {stage.month or 0: stage.over for stage in self._qualifiers() if stage.division == name}
        last = max((month for month, is_over in over.items() if is_over), default=-1)
        planned = sum(month not in over for month in range(last + 1, self.season.months or 0))
        return planned + sum(not is_over for is_over in over.values())

    def refusal(self, stage: Stage, racer: str) -> str | None:
        """Why a racer may not race in a race of the season; None if they may."""
        why = {
            Part.QUALIFIER: self._not_in_division,
            Part.FINALE: self._not_in_finale,
            Part.WILDCARD: self._has_a_seat,
            Part.KNOCKOUT: self._not_in_group,
        }
        return why[stage.part](stage, racer)

    def finale_field(self, month: int) -> tuple[str, ...]:
        """Who races the finale of a month."""
        return self.season.finale_field(self.months[: month + 1], self._regions)

    @property
    def _regions(self) -> Mapping[str, str] | None:
        return self.region_of or None

    def _qualifiers(self) -> list[Stage]:
        return [stage for stage in self.stages if stage.part is Part.QUALIFIER]

    def _all_over(self) -> bool:
        return not self.rounds_left() and all(stage.over for stage in self.stages if stage.month is not None)

    def _month(self, number: int) -> Month:
        boards = {s.division: s.decided for s in self._qualifiers() if s.month == number and s.division}
        return Month(boards, self.board_of(Part.FINALE, number))

    def _not_in_division(self, stage: Stage, racer: str) -> str | None:
        month = stage.month or 0
        waits = [s.race for s in self._qualifiers() if (s.month or 0) < month and not s.over]
        if len(self.season.divisions) > 1 and waits:
            return f"who is in which division in month {month + 1} is known once {waits[0]!r} is over"
        division = self.roster.division(racer, month)
        return None if division == stage.division else f"it is for {stage.division}, and they are in {division}"

    def _not_in_finale(self, stage: Stage, racer: str) -> str | None:
        field = self.finale_field(stage.month or 0)
        return None if racer in field else f"it is for the best {self.season.finale} of the month without a seat"

    def _has_a_seat(self, _: Stage, racer: str) -> str | None:
        has = racer in {seat.racer for seat in self.season.finalists(self.months, self._regions)}
        return "they have a seat in the championship" if has else None

    def _not_in_group(self, stage: Stage, racer: str) -> str | None:
        if len(self.seats) < self.season.groups:
            return f"the championship has {len(self.seats)} seats yet, and needs one in each of its groups"
        group = self.season.knockouts(self.seats)[stage.group or 0]
        return None if racer in group else f"it is for {', '.join(group)}"


def record_of(session: Session, kept: KeptSeason, now: datetime) -> SeasonRecord:
    """Read what has happened in a season."""
    query = select(Round).where(Round.season_id == kept.id).options(joinedload(Round.race, innerjoin=True))
    rounds = sorted(session.scalars(query), key=lambda r: (r.month is None, r.month or 0, r.race_id))
    waiting = _waiting(session, [one.race_id for one in rounds])
    members = session.execute(
        select(Racer.name, Member.region, Member.team)
        .join(Member, Member.racer_id == Racer.id)
        .where(Member.season_id == kept.id)
    ).all()
    return SeasonRecord(
        kept.name,
        kept.settings,
        kept.created_at,
        tuple(_stage(session, one, now, waiting=one.race_id in waiting) for one in rounds),
        {name: region for name, region, _ in members if region},
        {name: team for name, _, team in members if team},
    )


def check_may_race(session: Session, race: Race, racer: Racer, now: datetime) -> None:
    """Raise `LeagueError` if a race is not for a racer: of another division, region, or part of its season."""
    settings, found = race.settings, session.get(Round, race.id)
    if found is None:
        if settings.division or settings.region:
            whom = settings.division or settings.region
            raise LeagueError(f"race {race.name!r} is for {whom} of a season, but is in none: racer league season add")
        return
    record = record_of(session, session.get_one(KeptSeason, found.season_id), now)
    stage = next(stage for stage in record.stages if stage.race == race.name)
    refused, region = record.refusal(stage, racer.name), record.region_of.get(racer.name)
    if not refused and settings.region and settings.region != region:
        refused = f"it is for {settings.region}, not {region}"
    if refused:
        raise LeagueError(f"racer {racer.name!r} cannot race in {race.name!r}: {refused}")


def _waiting(session: Session, races: Collection[int]) -> set[int]:
    """Which of some races have submissions without a result."""
    waits = exists().where(Submission.race_id == Race.id, Submission.status.in_(IN_FLIGHT))
    return set(session.scalars(select(Race.id).where(Race.id.in_(races), waits)))


def _stage(session: Session, found: Round, now: datetime, *, waiting: bool) -> Stage:
    state = times_of(found.race).state(now)
    raced = state in (State.CLOSED, State.FINAL) and not waiting and heats_left(session, found.race) is None
    board = () if state is State.CANCELLED else standings_of(session, found.race)
    over = raced or state is State.CANCELLED
    return Stage(found.race.name, state, over, found.part, found.month, found.division, found.group_number, board)
