"""Seasons: made, filled with races, looked at; racers placed in divisions, regions and teams."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from league.brackets import Bracket
from league.errors import LeagueError
from league.finals import Part
from league.lifecycle import State
from league.models import KeptSeason, Member, Race, Round
from league.points import Row
from league.races import kept_name, same_name
from league.seasons import Season
from league.service.desk import Desk, enrolled, find_named, find_race, must_be, new_name
from league.service.races import needed_reason
from league.service.season_record import SeasonRecord, record_of
from league.settings_file import to_json
from league.teams import Team, team_table
from racer_env.errors import nearest

_MOST_MONTHS = 10_000  #: of a season that does not say how many it has


@dataclass(frozen=True)
class Seasons(Desk):
    """The seasons of a league."""

    def all(self) -> tuple[SeasonRecord, ...]:
        """Every season with what has happened in it, oldest first."""
        with self.store.database.reading() as session:
            kept = session.scalars(select(KeptSeason).order_by(KeptSeason.id)).all()
            return tuple(record_of(session, one, self.clock()) for one in kept)

    def one(self, name: str | None = None) -> SeasonRecord:
        """The season of this name, or the only one. Raises `LeagueError` if that is not one season."""
        with self.store.database.reading() as session:
            return record_of(session, find_season(session, name), self.clock())

    def create(self, name: str, season: Season) -> SeasonRecord:
        """Add a season without races. Raises `LeagueError` if the name is taken or impossible."""
        with self.store.database.writing() as session:
            kept = KeptSeason(**new_name(session, KeptSeason, name, "season", self.clock()), settings=season)
            session.add(kept)
            session.flush()
            self.note(session, "create season", season=kept.name, settings=json.loads(to_json(season)))
            return record_of(session, kept, self.clock())

    def add(
        self,
        season: str | None,
        race: str,
        part: Part = Part.QUALIFIER,
        month: int | None = None,
        division: str | None = None,
        group: int | None = None,
    ) -> SeasonRecord:
        """Make a draft, or a race that is open already, a race of a season.

        Args:
            season: its name; None: the only one.
            race: its name.
            part: what it is in the season.
            month: from 0, of a qualifier or finale; the first that has none yet if not given.
            division: of a qualifier; that of the race's settings, or else the qualifying one, if not given.
            group: from 0, of a knockout; the first that has no race yet if not given.

        Raises:
            LeagueError: there is no such season, race, division or month, the race is in a season or over, or the
                place is taken.
        """
        with self.store.database.writing() as session:
            kept, found = find_season(session, season, lock=True), find_race(session, race, lock="write")
            must_be(found, self.clock(), State.DRAFT, State.OPEN, to="to be in a season")
            self._must_be_free(session, found)
            record = record_of(session, kept, self.clock())
            place = _place(record, found, part, month, division, group)
            session.add(Round(race_id=found.id, season_id=kept.id, part=part, **place))
            session.flush()
            self.note(session, "add to season", race=found.name, season=kept.name, part=part.value, **place)
            return record_of(session, kept, self.clock())

    def drop(self, race: str, reason: str) -> None:
        """Take a race out of its season again. Raises `LeagueError` if it is in none or final."""
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            found = find_race(session, race, lock="write")
            must_be(
                found, self.clock(), *(state for state in State if state is not State.FINAL), to="to leave a season"
            )
            place = session.get(Round, found.id)
            if place is None:
                raise LeagueError(f"race {found.name!r} is in no season")
            session.delete(place)
            self.note(session, "drop from season", reason, race=found.name)

    def place(self, season: str | None, racer: str, division: str, month: int, reason: str) -> SeasonRecord:
        """Put a racer into a division from a month on, counted from 0.

        Raises:
            LeagueError: there is no such season, division or month, or no reason.
        """
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            kept = find_season(session, season, lock=True)
            name = enrolled(session, racer, self.clock()).name
            settings = kept.settings
            kept.settings = replace(settings, placed=(*settings.placed, (name, division, month)))
            session.flush()
            self.note(session, "place", reason, racer=name, season=kept.name, division=division, month=month)
            return record_of(session, kept, self.clock())

    def join(self, season: str | None, racer: str, region: str | None = None, team: str | None = None) -> None:
        """Say where a racer comes from or for which team they race; what is not given stays.

        Raises:
            LeagueError: there is no such season, a name is impossible, or nothing is said.
        """
        said = {"region": region, "team": team}
        values = {what: kept_name(what, name) for what, name in said.items() if name is not None}
        if not values:
            raise LeagueError("say a region, a team, or both")
        with self.store.database.writing() as session:
            kept = find_season(session, season, lock=True)
            who = enrolled(session, racer, self.clock())
            member = session.get(Member, (kept.id, who.id))
            if member is None:
                member = Member(season_id=kept.id, racer_id=who.id)
                session.add(member)
            for what, name in values.items():
                setattr(member, what, name)
            self.note(session, "join", racer=who.name, season=kept.name, **values)

    def table(self, season: str | None = None, division: str | None = None) -> tuple[Row, ...]:
        """The points of a division's racers. Raises `LeagueError` if there is no such season or division."""
        record = self.one(season)
        return record.table(division_of(record.season, division))

    def teams(self, season: str | None = None, division: str | None = None, count: int = 4) -> tuple[Team, ...]:
        """The teams by the points of their best `count` members. Raises as `table` does."""
        record = self.one(season)
        return team_table(record.table(division_of(record.season, division)), record.team_of, count)

    def bracket(self, season: str | None = None) -> Bracket:
        """Who meets whom in the end. Raises `LeagueError` while any of the season's groups is not raced."""
        record = self.one(season)
        raced = {stage.group for stage in record.stages if stage.part is Part.KNOCKOUT and stage.decided}
        left = [str(group + 1) for group in range(record.season.groups) if group not in raced]
        if left:
            of = f"of the {record.season.groups} groups of season {record.name!r}"
            raise LeagueError(f"{of}, these have not been raced yet: {', '.join(left)}")
        return record.season.bracket(record.knockouts())

    def _must_be_free(self, session: Session, race: Race) -> None:
        taken = session.get(Round, race.id)
        if taken:
            name = session.get_one(KeptSeason, taken.season_id).name
            raise LeagueError(f"race {race.name!r} is in season {name!r} already")


def find_season(session: Session, name: str | None, *, lock: bool = False) -> KeptSeason:
    """The season of this name, or the only one. Raises `LeagueError` if there is none, or none named and several."""
    make = "racer league season create NAME"
    return find_named(session, KeptSeason, name, "season", make, lock="write" if lock else None)


def division_of(season: Season, name: str | None) -> str:
    """A division's name as the season has it. Raises `LeagueError` if there is none."""
    names = {same_name(division.name): division.name for division in season.divisions}
    if name is None:
        return season.qualifying
    if same_name(name) not in names:
        raise LeagueError(f"there is no division {name!r}; {nearest(name, list(names.values()))}")
    return names[same_name(name)]


def _place(
    record: SeasonRecord, race: Race, part: Part, month: int | None, division: str | None, group: int | None
) -> dict[str, Any]:
    """Where a race stands in a season, with what was not said; raises `LeagueError` if that cannot be."""
    of_month, qualifies = part in (Part.QUALIFIER, Part.FINALE), part is Part.QUALIFIER
    for what, value, fits in (("month", month, of_month), ("division", division, qualifies)):
        if value is not None and not fits:
            raise LeagueError(f"a {part} has no {what}")
    if group is not None and part is not Part.KNOCKOUT:
        raise LeagueError(f"a {part} is of no group")
    if part is Part.FINALE and record.season.finale is None:
        raise LeagueError(f"season {record.name!r} has no finales: its qualifiers give the seats")
    if qualifies:
        division = division_of(record.season, division or race.settings.division)
    taken = [s for s in record.stages if (s.part, s.division) == (part, division)]
    if of_month:
        month = _free("month", month, [s.month for s in taken], record.season.months or _MOST_MONTHS)
    elif part is Part.KNOCKOUT:
        group = _free("group", group, [s.group for s in taken], record.season.groups)
    elif taken:
        raise LeagueError(f"season {record.name!r} has its wildcard race already: {taken[0].race!r}")
    return {"month": month, "division": division, "group_number": group}


def _free(what: str, wanted: int | None, taken: list[int | None], count: int) -> int:
    """The number that is wanted, or the first that is free."""
    number = next((n for n in range(count) if n not in taken), None) if wanted is None else wanted
    if number is None:
        raise LeagueError(f"each {what} from 1 to {count} has its race already")
    if not 0 <= number < count:
        raise LeagueError(f"{what} {number + 1} does not exist: it is from 1 to {count}")
    if number in taken:
        raise LeagueError(f"{what} {number + 1} has its race already")
    return number
