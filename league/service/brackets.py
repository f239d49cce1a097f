"""Brackets: made from a board, a season or by hand; their heats written down once; looked at.

Who races with which driver, under which seeds and rules is fixed when a bracket is made. Its heats are of two, or a
grid of more (`league.brackets`, `league.grids`). A heat's result is a signed receipt (`league.heat_receipts`), written
once; the best go on, of an exact tie who started ahead. A race of several cars has one bracket that decides it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from league.brackets import Bracket, Elimination
from league.errors import LeagueError
from league.evaluation import as_kept, check_drivable
from league.grids import Grid
from league.heat_job import HeatJob
from league.heat_receipts import HeatReceipt
from league.heats import HeatResult, HeatRun
from league.lifecycle import State
from league.models import Entrant, KeptBracket, KeptBundle, KeptHeat, Race, Scratch
from league.race_file import race_from_json
from league.races import RaceSettings, RaceType
from league.receipts import engine
from league.service.boards import must_be_driven, qualification_of
from league.service.bracket_record import BracketRecord, bracket_of, driver_of, find_bracket, new_bracket, read_bracket
from league.service.bracket_view import BracketView, HeatView, bracket_view
from league.service.desk import Desk, find_race, find_racer, must_be, new_name
from league.service.races import drawn_seeds, needed_reason
from league.settings_file import to_json

#: How many race in a knockout if nobody says; in a grid as many as it has room for.
FIELD = 8


@dataclass(frozen=True)
class Brackets(Desk):
    """The brackets of a league."""

    def all(self) -> tuple[BracketView, ...]:
        """Every bracket, oldest first."""
        with self.store.database.reading() as session:
            kept = session.scalars(select(KeptBracket).order_by(KeptBracket.id)).all()
            return tuple(self._view(session, one) for one in kept)

    def one(self, name: str | None = None) -> BracketView:
        """The bracket of this name, or the only one. Raises `LeagueError` if that is not one bracket."""
        with self.store.database.reading() as session:
            return self._view(session, find_bracket(session, name))

    def of_race(self, race: str | None) -> BracketView | None:
        """The bracket whose heats decide a race, if it has been made. Raises `LeagueError` if there is no such race."""
        with self.store.database.reading() as session:
            record = bracket_of(session, find_race(session, race).id)
            return None if record is None else bracket_view(session, record, self.store)

    def create(
        self,
        name: str,
        settings: RaceSettings,
        racers: Sequence[str],
        race: str | None = None,
        elimination: Elimination = Elimination.SINGLE,
        *,
        third_place: bool = False,
    ) -> BracketView:
        """Make a bracket.

        Args:
            name: of it.
            settings: of every heat, of the type ``head_to_head`` or ``grid``.
            racers: best seed first.
            race: in which their best drivers are those that race here; None: their newest one that counts anywhere.
            elimination: after how many lost heats of two a racer is out.
            third_place: whether there is a heat for it in a single elimination of heats of two.

        Raises:
            LeagueError: the name is taken, the settings are not those of heats, or somebody cannot race.
            TrackError: there is no such track.
        """
        if settings.grid == 1:
            raise LeagueError(
                f"a bracket's heats are of type {RaceType.HEAD_TO_HEAD} or {RaceType.GRID}, not {settings.race_type}"
            )
        track = check_drivable(settings)
        stored = race_from_json(to_json(as_kept(settings, track)))
        with self.store.database.writing() as session:
            of = None if race is None else find_race(session, race)
            kept = self._new(session, name, stored, self.store.keep_route(track.route))
            return self._fill(session, kept, racers, of, elimination, third_place=third_place)

    def create_of_race(
        self,
        name: str,
        race: str | None,
        top: int | None = None,
        elimination: Elimination = Elimination.SINGLE,
        *,
        third_place: bool = False,
    ) -> BracketView:
        """Make the bracket that decides a race of several cars: its settings are the heats', its board the seeding.

        Args:
            name: of the bracket.
            race: closed and driven.
            top: how many of those who finished the qualification; None: one full grid, or eight in heats of two.
            elimination: after how many lost heats of two a racer is out.
            third_place: whether there is a heat for it in a single elimination of heats of two.

        Raises:
            LeagueError: the name is taken, the race is not of this kind, not driven, or has its bracket already.
        """
        with self.store.database.writing() as session:
            found = find_race(session, race, lock="write")
            if found.settings.grid == 1:
                raise LeagueError(f"race {found.name!r} is a {found.settings.race_type}: no heats decide it")
            must_be(found, self.clock(), State.CLOSED, to="to race its heats")
            must_be_driven(session, found)
            made = bracket_of(session, found.id)
            if made is not None:
                raise LeagueError(f"race {found.name!r} has its bracket already: {made.kept.name!r}")
            board = [s.racer for s in qualification_of(session, found.id) if s.finished]
            if len(board) < 2:
                raise LeagueError(f"heats take two, but {len(board)} finished the qualification of {found.name!r}")
            kept = self._new(session, name, found.settings, found.route_sha256)
            kept.race_id = found.id
            racers = board[: top or found.settings.cars or FIELD]
            return self._fill(session, kept, racers, found, elimination, third_place=third_place)

    def job(self, bracket: str | None, heat: str) -> HeatJob:
        """What it takes to drive a heat.

        Raises:
            LeagueError: there is no such bracket or heat, it cannot be raced now, or a file is gone.
        """
        with self.store.database.reading() as session:
            kept = find_bracket(session, bracket)
            self._must_be_open(session, kept, lock=False)
            record = read_bracket(session, kept)
            drivers = {}
            for racer in record.bracket.starters(heat):
                bundle = session.get_one(KeptBundle, record.entrants[racer].bundle_sha256)
                drivers[racer] = self.store.bundle(bundle.sha256, bundle.archive_sha256)
            route = self.store.route(kept.route_sha256)
            return HeatJob(drivers, kept.settings, route, tuple(kept.seeds))

    def score(self, bracket: str | None, heat: str, runs: Sequence[HeatRun]) -> HeatView:
        """Write down what came out of a heat, once; if it is decided already, give what that says.

        Raises:
            LeagueError: there is no such bracket or heat, or it cannot be raced now.
            ValueError: these are no runs of it.
        """
        with self.store.database.writing() as session:
            kept = find_bracket(session, bracket, lock=True)
            if session.get(KeptHeat, (kept.id, heat)) is None:
                self._must_be_open(session, kept)
                record = read_bracket(session, kept)
                starters = record.bracket.starters(heat)
                if any(len(run.finishes) != len(starters) for run in runs):
                    raise LeagueError(f"who starts in heat {heat} has changed while it was driven: race it again")
                result = HeatResult(starters, tuple(runs))
                if [run.seed for run in runs] != kept.seeds:
                    raise ValueError("the runs are not under the bracket's seeds")
                self._decide(session, kept, heat, result.winner, receipt=self._receipt(record, heat, result))
            return self._heat_view(session, kept, heat)

    def award(self, bracket: str | None, heat: str, winner: str, reason: str) -> HeatView:
        """Decide a heat of two without driving it: the other racer cannot or may not race.

        Raises:
            LeagueError: there is no such bracket or heat, it cannot be raced now, the racer is not in it, or no reason.
        """
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            kept = find_bracket(session, bracket, lock=True)
            name = find_racer(session, winner).name
            made = self._undecided(session, kept)
            if isinstance(made, Grid):
                raise LeagueError(f"heat {heat} is of a grid; say who cannot race: racer league bracket scratch {heat}")
            made.won(heat, name)  # raises if it cannot be
            self._decide(session, kept, heat, name, reason=reason)
            self.note(session, "award heat", reason, racer=name, bracket=kept.name, heat=heat)
            return self._heat_view(session, kept, heat)

    def scratch(self, bracket: str | None, heat: str, racer: str, reason: str) -> HeatView:
        """Leave a racer out of a heat who cannot or may not race; who is left alone in it has won it.

        Raises:
            LeagueError: there is no such bracket or heat, it cannot be raced now, the racer is not in it, or no reason.
        """
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            kept, who = find_bracket(session, bracket, lock=True), find_racer(session, racer)
            made = self._undecided(session, kept)
            if isinstance(made, Grid):
                made.without(heat, who.name)  # raises if it cannot be
                session.add(Scratch(bracket_id=kept.id, heat=heat, racer_id=who.id, reason=reason))
            else:
                made.won(heat, who.name)  # raises if they are not in it
                (other,) = (name for name in made.starters(heat) if name != who.name)
                self._decide(session, kept, heat, other, reason=reason)
            self.note(session, "scratch from heat", reason, racer=who.name, bracket=kept.name, heat=heat)
            session.flush()
            return self._heat_view(session, kept, heat)

    def release(self, bracket: str | None, reason: str) -> BracketView:
        """Let a race be decided by another bracket, as long as no heat of this one is.

        Raises:
            LeagueError: there is no such bracket, it decides no race, one of its heats is decided, or no reason.
        """
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            kept = find_bracket(session, bracket, lock=True)
            view = self._view(session, kept)
            if view.race is None:
                raise LeagueError(f"bracket {kept.name!r} decides no race")
            self._must_be_open(session, kept)
            decided = [heat.name for heat in view.bracket.heats if heat.decided and not heat.bye]
            if decided:
                raise LeagueError(f"heat {decided[0]} of {kept.name!r} is decided: it stays what decides {view.race!r}")
            kept.race_id = None
            self.note(session, "release race", reason, race=view.race, bracket=kept.name)
            session.flush()
            return self._view(session, kept)

    def receipt(self, bracket: str | None, heat: str) -> str:
        """The signed receipt of a heat, as text. Raises `LeagueError` if it has not been driven."""
        with self.store.database.reading() as session:
            kept = find_bracket(session, bracket)
            read_bracket(session, kept).bracket.heat(heat)
            found = session.get(KeptHeat, (kept.id, heat))
            if found is None or found.receipt is None:
                raise LeagueError(f"heat {heat} of {kept.name!r} has no receipt: it has not been driven")
            return found.receipt

    def _new(self, session: Session, name: str, settings: RaceSettings, route_sha256: str) -> KeptBracket:
        """A bracket without racers. Raises `LeagueError` if its name is taken or impossible."""
        return KeptBracket(
            **new_name(session, KeptBracket, name, "bracket", self.clock()),
            settings=settings,
            route_sha256=route_sha256,
            seeds=drawn_seeds(settings.runs),
        )

    def _fill(
        self,
        session: Session,
        kept: KeptBracket,
        racers: Sequence[str],
        race: Race | None,
        elimination: Elimination,
        *,
        third_place: bool,
    ) -> BracketView:
        """Give a new bracket its racers, with their drivers in a race or anywhere."""
        who = [find_racer(session, racer) for racer in racers]
        names = [racer.name for racer in who]
        new_bracket(kept.settings, tuple(names), elimination, third_place=third_place)  # raises if it cannot be
        kept.elimination, kept.third_place = elimination, third_place
        session.add(kept)
        session.flush()
        for seed, racer in enumerate(who, start=1):
            sha256 = driver_of(session, racer, race)
            session.add(Entrant(bracket_id=kept.id, seed=seed, racer_id=racer.id, bundle_sha256=sha256))
        about = {"race": race.name} if race is not None and kept.race_id == race.id else {}
        settings = json.loads(to_json(kept.settings))
        self.note(session, "create bracket", bracket=kept.name, racers=names, settings=settings, **about)
        session.flush()
        return self._view(session, kept)

    def _undecided(self, session: Session, kept: KeptBracket) -> Bracket | Grid:
        self._must_be_open(session, kept)
        return read_bracket(session, kept).bracket

    def _must_be_open(self, session: Session, kept: KeptBracket, *, lock: bool = True) -> None:
        """Raise `LeagueError` if a bracket decides a race that is final or cancelled."""
        if kept.race_id is not None:
            race = session.get_one(Race, kept.race_id, with_for_update={"read": True} if lock else None)
            must_be(race, self.clock(), State.CLOSED, to="to race its heats")

    def _decide(self, session: Session, kept: KeptBracket, heat: str, winner: str, **how: Any) -> None:
        session.add(
            KeptHeat(
                bracket_id=kept.id,
                name=heat,
                winner_id=find_racer(session, winner).id,
                decided_at=self.clock(),
                **how,
            )
        )
        session.flush()

    def _receipt(self, record: BracketRecord, heat: str, result: HeatResult) -> str:
        kept = record.kept
        receipt = HeatReceipt(
            league=self.store.public_key,
            bracket=kept.name,
            heat=heat,
            racers=result.racers,
            bundles_sha256=tuple(record.entrants[racer].bundle_sha256 for racer in result.racers),
            settings=kept.settings,
            route_sha256=kept.route_sha256,
            engine=engine(),
            runs=result.runs,
        )
        return receipt.to_json(self.store.key)

    def _heat_view(self, session: Session, kept: KeptBracket, heat: str) -> HeatView:
        return next(view for view in self._view(session, kept).heats if view.heat.name == heat)

    def _view(self, session: Session, kept: KeptBracket) -> BracketView:
        return bracket_view(session, read_bracket(session, kept), self.store)
