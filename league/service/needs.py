"""What a racer needs: times in the races that are open, points in the seasons, and how likely the times are."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from league.errors import LeagueError
from league.finals import Part
from league.lifecycle import State
from league.models import KeptSeason, Participant, Race, Racer, Result
from league.projections import ANY_TIME, Outlook, chance, outlook, time_for_position, time_for_promotion, time_for_seat
from league.receipts import Receipt
from league.regions import regional
from league.rules import Standing
from league.service.boards import standings_of
from league.service.desk import Desk, find_race, find_racer, must_be, times_of
from league.service.season_record import SeasonRecord, Stage, record_of
from league.service.seasons import find_season


@dataclass(frozen=True)
class Need:
    """The slowest time that would do for something in a race, if nobody else improved."""

    race: str
    what: str
    time_ms: int | None  #: None: any time, as long as one finishes
    has: bool  #: what the racer has driven does already
    chance: float | None  #: that the next submission of the same driver does; None: it has not driven here


@dataclass(frozen=True)
class SeasonNeed:
    """Where a racer can still end in the table of a season."""

    season: str
    division: str
    rounds_left: int  #: races to come: those that the season has been given, and those that it plans
    months: int | None  #: that the season plans; None: it does not say, so that more races may come
    outlook: Outlook


@dataclass(frozen=True)
class Needs(Desk):
    """Projections of a league."""

    def times(self, racer: str, race: str | None = None, position: int | None = None) -> tuple[Need, ...]:
        """What it takes in a race, or in every open one.

        Args:
            racer: who asks.
            race: its name; None: all that are open to the racer.
            position: that is wanted; None: the next better one and the lead.

        Raises:
            LeagueError: there is no such racer, race or position, or the race is not open.
        """
        with self.store.database.reading() as session:
            who = find_racer(session, racer)
            name = who.name
            seasons = session.scalars(select(KeptSeason).order_by(KeptSeason.id)).all()
            records = [record_of(session, one, self.clock()) for one in seasons]
            if race is not None:
                found = [find_race(session, race)]
                must_be(found[0], self.clock(), State.OPEN, to="to improve")
            else:
                found = [one for one in self._open(session, who) if not _refused(records, one.name, name)]
            return tuple(need for one in found for need in _times(session, one, name, records, position))

    def _open(self, session: Session, racer: Racer) -> list[Race]:
        """The races that are open, private ones only if a racer is in them."""
        races = session.scalars(select(Race).order_by(Race.id)).all()
        into = set(session.scalars(select(Participant.race_id).where(Participant.racer_id == racer.id)))
        invited = [one for one in races if not one.settings.private or one.id in into]
        return [one for one in invited if times_of(one).state(self.clock()) is State.OPEN]

    def points(self, racer: str, season: str | None = None, position: int = 1) -> tuple[SeasonNeed, ...]:
        """What it takes for a place in a season's table, or in that of every season that the racer is in.

        Raises:
            LeagueError: there is no such racer, season or position, or the racer is not in the season's table.
        """
        with self.store.database.reading() as session:
            name = find_racer(session, racer).name
            if season is not None:
                kept = [find_season(session, season)]
            else:
                kept = list(session.scalars(select(KeptSeason).order_by(KeptSeason.id)))
            records = [record_of(session, one, self.clock()) for one in kept]
        needs = [_points(record, name, position) for record in records]
        found = tuple(need for need in needs if need)
        if season is not None and not found:
            raise LeagueError(f"racer {name!r} has no points in season {records[0].name!r} yet")
        return found


def _refused(records: Sequence[SeasonRecord], race: str, racer: str) -> bool:
    """Whether a race is part of a season and not for a racer."""
    return any(stage.race == race and record.refusal(stage, racer) for record in records for stage in record.stages)


def _times(
    session: Session, race: Race, racer: str, records: Sequence[SeasonRecord], position: int | None
) -> Iterator[Need]:
    """What a racer needs in a race, with what they have driven there."""
    board, settings = standings_of(session, race), race.settings
    mine = next((s for s in board if s.racer == racer), None)
    result = session.get(Result, mine.entry.submission) if mine else None
    driven = [settings.score(run.laps) for run in Receipt.parse(result.receipt).runs] if result else []
    scored = mine.entry.score.time_ms if mine else None
    prizes = _of_season(records, race.name, board, racer) if settings.grid == 1 else ()  # which heats give otherwise
    for what, time in (*_positions(board, mine, racer, position), *prizes):
        if time is not None:
            likely = chance(driven, time, settings.runs) if driven else None
            has = scored is not None and scored <= time
            yield Need(race.name, what, None if time == ANY_TIME else time, has, likely)


def _positions(
    board: Sequence[Standing], mine: Standing | None, racer: str, wanted: int | None
) -> Iterator[tuple[str, int | None]]:
    ahead = mine.position - 1 if mine else len(board) + 1
    for position in [wanted] if wanted is not None else sorted({1, max(ahead, 1)}):
        yield f"position {position}", time_for_position(board, racer, position)


def _of_season(
    records: Sequence[SeasonRecord], race: str, board: Sequence[Standing], racer: str
) -> Iterator[tuple[str, int | None]]:
    """What the race is worth in its season, if it has one."""
    for record in records:
        for stage in (stage for stage in record.stages if stage.race == race):
            yield from _prizes(record, stage, board, racer)


def _prizes(
    record: SeasonRecord, stage: Stage, board: Sequence[Standing], racer: str
) -> Iterator[tuple[str, int | None]]:
    season, taken = record.season, {seat.racer for seat in record.seats}
    if stage.part is Part.QUALIFIER:
        division = next(division for division in season.divisions if division.name == stage.division)
        if division is not season.divisions[-1]:
            yield "promotion", time_for_promotion(board, racer, division.promoted)
        if division.name == season.qualifying and season.finale is not None:
            yield "a place in the finale", time_for_seat(board, racer, season.finale, taken)
    yield "a seat in the championship", _seat(record, stage, board, racer, taken)


def _seat(
    record: SeasonRecord, stage: Stage, board: Sequence[Standing], racer: str, taken: Container[str]
) -> int | None:
    """The time for a seat: of a month's among the racer's region, if the season has regions; None if there is none."""
    season, region_of = record.season, record.region_of
    if stage.part is Part.WILDCARD:
        return time_for_seat(board, racer, season.wildcards, taken)
    fills = stage.part is Part.QUALIFIER and stage.division == season.qualifying and season.finale is None
    if not fills and stage.part is not Part.FINALE:
        return None
    if not region_of:
        return time_for_seat(board, racer, season.seats, taken)
    region = region_of.get(racer)
    return time_for_seat(regional(board, region_of).get(region, ()), racer, season.seats, taken) if region else None


def _points(record: SeasonRecord, racer: str, position: int) -> SeasonNeed | None:
    """The outlook in the table that the racer is in now."""
    division = record.roster.division(racer, record.count)
    table = record.table(division)
    if racer not in {row.racer for row in table}:
        return None
    left, season = record.rounds_left(division), record.season
    seen = outlook(table, racer, position, left, season.scale.most, season.best)
    return SeasonNeed(record.name, division, left, season.months, seen)
