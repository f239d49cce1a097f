"""Races: made, edited, opened, extended, closed, made final or cancelled."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from league.errors import LeagueError
from league.evaluation import as_kept, check_drivable
from league.lifecycle import State
from league.models import IN_FLIGHT, Participant, Race, Status, Submission
from league.race_file import race_from_json, race_to_json
from league.races import RaceSettings, race_name, same_name
from league.receipts import race_hash
from league.service.boards import heats_left, must_be_driven
from league.service.desk import Desk, find_race, must_be, new_name, times_of
from league.service.invites import chosen_code, drawn_code

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class RaceView:
    """A race as it is now."""

    name: str
    state: State
    settings: RaceSettings
    created_at: datetime
    opens_at: datetime | None
    closes_at: datetime | None
    final_at: datetime | None
    race_sha256: str  #: of its settings and its track
    seeds_sha256: str | None  #: of these and its seeds, known from the opening on
    seeds: tuple[int, ...] | None  #: known from the close on
    racers: int
    submissions: int
    waiting: int  #: submissions without a result yet


@dataclass(frozen=True)
class Races(Desk):
    """The races of a league."""

    def all(self) -> tuple[RaceView, ...]:
        """Every race, oldest first."""
        with self.store.database.reading() as session:
            counts = _counts(session)
            return tuple(self._view(race, counts) for race in session.scalars(select(Race).order_by(Race.id)))

    def one(self, name: str | None = None) -> RaceView:
        """The race with this name, or the only one there is. Raises `LeagueError` if that is not one race."""
        with self.store.database.reading() as session:
            race = find_race(session, name)
            return self._view(race, _counts(session, race.id))

    def create(self, name: str, settings: RaceSettings) -> RaceView:
        """Add a race, as a draft that opens by itself if its settings say when.

        Raises:
            LeagueError: the name is taken or impossible, or it would close before it opens.
            TrackError: there is no such track.
        """
        name, (stored, route_sha256) = race_name(name), self._stored(settings)
        with self.store.database.writing() as session:
            race = Race(
                **new_name(session, Race, name, "race", self.clock()),
                settings=stored,
                route_sha256=route_sha256,
                invite=drawn_code() if settings.private else None,
            )
            session.add(race)
            self._schedule(race, settings.opens_at, settings.closes_at)
            session.flush()
            self.note(session, "create race", race=race.name, settings=json.loads(race_to_json(stored)))
            return self._view(race, {})

    def edit(self, name: str | None, settings: RaceSettings, new_name: str | None = None) -> RaceView:
        """Give a draft other settings. Raises as `create` does, and `LeagueError` if it is no draft any more."""
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            must_be(race, self.clock(), State.DRAFT, to="to edit")
            race.settings, race.route_sha256 = self._stored(settings, race)
            race.invite = (race.invite or drawn_code()) if settings.private else None
            if new_name is not None:
                _rename(session, race, race_name(new_name))
            self._schedule(race, settings.opens_at, settings.closes_at)
            self.note(session, "edit race", race=race.name, settings=json.loads(race_to_json(race.settings)))
            return self._view(race, _counts(session, race.id))

    def open(self, name: str | None, at: datetime | None = None, until: datetime | None = None) -> RaceView:
        """Open a draft, now or at a time. Its seeds are drawn here and their hash is known from now on."""
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            must_be(race, self.clock(), State.DRAFT, to="to open")
            self._schedule(race, at, until or race.closes_at, now=at is None)
            self.note(
                session, "open race", race=race.name, opens_at=_iso(race.opens_at), closes_at=_iso(race.closes_at)
            )
            return self._view(race, _counts(session, race.id))

    def invite(self, name: str | None) -> str:
        """The code with which racers come into a private race.

        Raises:
            LeagueError: the race is not private, or it has closed and takes nobody any more.
        """
        with self.store.database.reading() as session:
            return self._invite(find_race(session, name))

    def change_invite(self, name: str | None, code: str | None = None) -> str:
        """Give a private race another code, drawn or this one: the old one lets nobody in, who is in stays.

        Raises:
            LeagueError: as `invite` does, or the code is none.
        """
        new = drawn_code() if code is None else chosen_code(code)
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            self._invite(race)
            race.invite = new
            self.note(session, "change invite code", race=race.name)
            return new

    def extend(self, name: str | None, until: datetime, reason: str) -> RaceView:
        """Let an open race close later, or at some time. One that is closed stays so: its seeds are known."""
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            must_be(race, self.clock(), State.OPEN, to="to extend")
            least = race.closes_at or self.clock()
            if until <= least:
                raise LeagueError(
                    f"race {race.name!r} can be extended to a time later than {least:%Y-%m-%d %H:%M:%S} UTC only"
                )
            self.note(session, "extend race", reason, race=race.name, was=_iso(race.closes_at), closes_at=_iso(until))
            race.closes_at = until
            return self._view(race, _counts(session, race.id))

    def close(self, name: str | None, reason: str | None = None) -> RaceView:
        """Close an open race now. What was submitted is still driven."""
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            must_be(race, self.clock(), State.OPEN, to="to close")
            self.note(session, "close race", reason, race=race.name, was=_iso(race.closes_at))
            race.closes_at = self.clock()
            return self._view(race, _counts(session, race.id))

    def finalise(self, name: str | None) -> RaceView:
        """Make the result of a closed race final. Raises `LeagueError` while submissions wait for theirs, or heats."""
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            must_be(race, self.clock(), State.CLOSED, to="to make final")
            must_be_driven(session, race)
            if left := heats_left(session, race):
                raise LeagueError(f"race {race.name!r} is decided by heats that are still to be raced: {left}")
            race.final_at = self.clock()
            self.note(session, "finalise race", race=race.name)
            return self._view(race, _counts(session, race.id))

    def cancel(self, name: str | None, reason: str) -> RaceView:
        """Call a race off. What still waits is withdrawn; what was driven stays readable."""
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            race = find_race(session, name, lock="write")
            must_be(race, self.clock(), State.DRAFT, State.OPEN, State.CLOSED, to="to cancel")
            race.cancelled_at = self.clock()
            waits = (Submission.race_id == race.id, Submission.status.in_(IN_FLIGHT))
            in_turn = select(Submission.id).where(*waits).order_by(Submission.id)  # in which workers renew theirs
            session.scalars(in_turn.with_for_update()).all()
            gone = {"status": Status.WITHDRAWN, "reason": "the race was cancelled", "lease": None}
            session.execute(update(Submission).where(*waits).values(**gone, finished_at=self.clock()))
            self.note(session, "cancel race", reason, race=race.name)
            return self._view(race, _counts(session, race.id))

    def _stored(self, settings: RaceSettings, race: Race | None = None) -> tuple[RaceSettings, str]:
        """Settings as they are stored, and the hash of their track, kept as it is now or as a race has it already."""
        from racer_env.track import Track  # noqa: PLC0415 (loads the simulator)

        has = race is not None and race.settings.track == settings.track
        kept = Track.from_route(self.store.route(race.route_sha256), settings.track) if race and has else None
        track = check_drivable(settings, kept)
        return race_from_json(race_to_json(as_kept(settings, track))), self.store.keep_route(track.route)

    def _invite(self, race: Race) -> str:
        if not race.settings.private or race.invite is None:
            raise LeagueError(f"race {race.name!r} is not private: whoever it is for may race without an invite code")
        must_be(race, self.clock(), State.DRAFT, State.OPEN, to="for an invite code, which ends with the close,")
        return race.invite

    def _schedule(
        self, race: Race, opens_at: datetime | None, closes_at: datetime | None, *, now: bool = False
    ) -> None:
        """Set the times of a draft, which may open right now; with a time to open it gets its seeds."""
        clock = self.clock()
        opens_at = clock if now else opens_at
        if opens_at and opens_at < clock:
            raise LeagueError(f"race {race.name!r} cannot open {_said(opens_at)}, which is past")
        if opens_at and closes_at and closes_at <= opens_at:
            raise LeagueError(f"race {race.name!r} cannot close {_said(closes_at)} when it opens {_said(opens_at)}")
        if closes_at and closes_at <= clock:
            raise LeagueError(f"race {race.name!r} cannot close {_said(closes_at)}, which is past")
        race.opens_at, race.closes_at = opens_at, closes_at
        race.seeds = drawn_seeds(race.settings.runs) if opens_at else None

    def _view(self, race: Race, counts: Mapping[int, tuple[int, int, int]]) -> RaceView:
        state = times_of(race).state(self.clock())
        racers, submissions, waiting = counts.get(race.id, (0, 0, 0))
        known = race.seeds is not None and state in (State.CLOSED, State.FINAL)
        return RaceView(
            race.name,
            state,
            replace(race.settings, opens_at=race.opens_at, closes_at=race.closes_at),
            race.created_at,
            race.opens_at,
            race.closes_at,
            race.final_at,
            race_hash(race.settings, race.route_sha256),
            race_hash(race.settings, race.route_sha256, race.seeds) if race.seeds else None,
            tuple(race.seeds or ()) if known else None,
            racers,
            submissions,
            waiting,
        )


def _counts(session: Session, race: int | None = None) -> dict[int, tuple[int, int, int]]:
    """Racers, submissions, and those of them that wait, by race."""
    racers = select(Participant.race_id, func.count()).group_by(Participant.race_id)
    made = select(Submission.race_id, Submission.status, func.count()).group_by(Submission.race_id, Submission.status)
    if race is not None:
        racers, made = racers.where(Participant.race_id == race), made.where(Submission.race_id == race)
    out = {} if race is None else {race: (0, 0, 0)}
    out |= {number: (count, 0, 0) for number, count in session.execute(racers)}
    for number, status, count in session.execute(made):
        people, all_of_them, waiting = out.get(number, (0, 0, 0))
        out[number] = people, all_of_them + count, waiting + (count if status in IN_FLIGHT else 0)
    return out


def _rename(session: Session, race: Race, name: str) -> None:
    other = session.scalar(select(Race).where(Race.key == same_name(name), Race.id != race.id))
    if other:
        raise LeagueError(f"race {other.name!r} already exists")
    race.name, race.key = name, same_name(name)


def drawn_seeds(runs: int) -> list[int]:
    """A seed for each run that nobody can foresee."""
    return [secrets.randbelow(LARGEST_SEED + 1) for _ in range(runs)]


def needed_reason(reason: str) -> str:
    """A reason that an administrative action has. Raises `LeagueError` if there is none."""
    if not reason.strip():
        raise LeagueError("say why: --reason TEXT; it is written to the audit log")
    return reason.strip()


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _said(time: datetime) -> str:
    return f"at {time:%Y-%m-%d %H:%M:%S} UTC"
