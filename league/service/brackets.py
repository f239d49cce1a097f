"""Brackets: made from a board, a season or by hand; their heats written down once; looked at.

Who races with which driver, under which seeds and rules is fixed when a bracket is made. A heat's result is a signed
receipt (`league.heat_receipts`), written once; who came first in it goes on, of an exact tie the better seed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from league.brackets import Bracket, Elimination, Heat
from league.errors import LeagueError
from league.evaluation import as_kept, check_drivable
from league.heat_job import HeatJob
from league.heat_receipts import HeatReceipt
from league.heats import HeatResult, HeatRun
from league.models import Entrant, KeptBracket, KeptBundle, KeptHeat, Participant, Race, Racer, Submission
from league.race_file import race_from_json
from league.races import RaceSettings, RaceType, kept_name, same_name
from league.receipts import engine, race_hash
from league.service.desk import Desk, find_named, find_race, find_racer
from league.service.races import LARGEST_SEED, needed_reason
from league.settings_file import to_json


@dataclass(frozen=True)
class HeatView:
    """A heat as it is now."""

    heat: Heat
    result: HeatResult | None  #: once it has been driven
    awarded: str | None  #: why it was decided without a drive
    decided_at: datetime | None
    replay: Path | None  #: of the run to show


@dataclass(frozen=True)
class BracketView:
    """A bracket as it is now."""

    name: str
    created_at: datetime
    settings: RaceSettings
    seeds_sha256: str  #: of race, track and seeds
    bracket: Bracket
    heats: tuple[HeatView, ...]  #: in an order in which they can be raced


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
            settings: of every heat, of the type ``head_to_head``.
            racers: best seed first.
            race: in which their best drivers are those that race here; None: their newest one that counts anywhere.
            elimination: after how many lost heats a racer is out.
            third_place: whether there is a heat for it in a single elimination.

        Raises:
            LeagueError: the name is taken, the settings are not those of heats, or somebody cannot race.
            TrackError: there is no such track.
        """
        name = kept_name("bracket", name)
        if settings.race_type is not RaceType.HEAD_TO_HEAD:
            raise LeagueError(f"a bracket's heats are of type {RaceType.HEAD_TO_HEAD}, not {settings.race_type}")
        track = check_drivable(settings)
        stored = race_from_json(to_json(as_kept(settings, track)))
        with self.store.database.writing() as session:
            if session.scalar(select(KeptBracket).where(KeptBracket.key == same_name(name))):
                raise LeagueError(f"bracket {name!r} already exists")
            of = None if race is None else find_race(session, race)
            who = [find_racer(session, racer) for racer in racers]
            Bracket(tuple(racer.name for racer in who), elimination, third_place)  # raises if it cannot be
            kept = KeptBracket(
                name=name,
                key=same_name(name),
                created_at=self.clock(),
                settings=stored,
                route_sha256=self.store.keep_route(track.route),
                seeds=[secrets.randbelow(LARGEST_SEED + 1) for _ in range(stored.runs)],
                elimination=elimination,
                third_place=third_place,
            )
            session.add(kept)
            session.flush()
            for seed, racer in enumerate(who, start=1):
                sha256 = _driver_of(session, racer, of)
                session.add(Entrant(bracket_id=kept.id, seed=seed, racer_id=racer.id, bundle_sha256=sha256))
            names = [racer.name for racer in who]
            self.note(session, "create bracket", bracket=name, racers=names, settings=json.loads(to_json(stored)))
            session.flush()
            return self._view(session, kept)

    def job(self, bracket: str | None, heat: str) -> HeatJob:
        """What it takes to drive a heat.

        Raises:
            LeagueError: there is no such bracket or heat, it cannot be raced now, or a file is gone.
        """
        with self.store.database.reading() as session:
            kept = find_bracket(session, bracket)
            found = self._raceable(session, kept, heat)
            drivers = {}
            for entrant in _entrants(session, kept):
                if entrant.racer.name in found.sides:
                    bundle = session.get_one(KeptBundle, entrant.bundle_sha256)
                    drivers[entrant.racer.name] = self.store.bundle(bundle.sha256, bundle.archive_sha256)
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
                racers = [
                    e for e in _entrants(session, kept) if e.racer.name in self._raceable(session, kept, heat).sides
                ]
                result = HeatResult(tuple(entrant.racer.name for entrant in racers), tuple(runs))
                if [run.seed for run in runs] != kept.seeds:
                    raise ValueError("the runs are not under the bracket's seeds")
                receipt = self._receipt(kept, heat, result, racers)
                self._decide(session, kept, heat, result.winner, receipt=receipt)
            return next(view for view in self._view(session, kept).heats if view.heat.name == heat)

    def award(self, bracket: str | None, heat: str, winner: str, reason: str) -> HeatView:
        """Decide a heat without driving it: the other racer cannot or may not race.

        Raises:
            LeagueError: there is no such bracket or heat, it cannot be raced now, the racer is not in it, or no reason.
        """
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            kept = find_bracket(session, bracket, lock=True)
            name = find_racer(session, winner).name
            self._bracket(session, kept).won(heat, name)  # raises if it cannot be
            self._decide(session, kept, heat, name, reason=reason)
            self.note(session, "award heat", reason, racer=name, bracket=kept.name, heat=heat)
            return next(view for view in self._view(session, kept).heats if view.heat.name == heat)

    def receipt(self, bracket: str | None, heat: str) -> str:
        """The signed receipt of a heat, as text. Raises `LeagueError` if it has not been driven."""
        with self.store.database.reading() as session:
            kept = find_bracket(session, bracket)
            self._bracket(session, kept).heat(heat)
            found = session.get(KeptHeat, (kept.id, heat))
            if found is None or found.receipt is None:
                raise LeagueError(f"heat {heat} of {kept.name!r} has no receipt: it has not been driven")
            return found.receipt

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

    def _receipt(self, kept: KeptBracket, heat: str, result: HeatResult, racers: Sequence[Entrant]) -> str:
        receipt = HeatReceipt(
            league=self.store.public_key,
            bracket=kept.name,
            heat=heat,
            racers=result.racers,
            bundles_sha256=tuple(entrant.bundle_sha256 for entrant in racers),
            settings=kept.settings,
            route_sha256=kept.route_sha256,
            engine=engine(),
            runs=result.runs,
        )
        return receipt.to_json(self.store.key)

    def _raceable(self, session: Session, kept: KeptBracket, heat: str) -> Heat:
        """A heat that can be raced now; raises `LeagueError` if it cannot."""
        bracket = self._bracket(session, kept)
        found = bracket.heat(heat)
        bracket.won(heat, next((side for side in found.sides if isinstance(side, str)), ""))
        return found

    def _bracket(self, session: Session, kept: KeptBracket) -> Bracket:
        racers = tuple(entrant.racer.name for entrant in _entrants(session, kept))
        winners = {heat.name: heat.winner.name for heat in _heats(session, kept)}
        return Bracket(racers, kept.elimination, kept.third_place, winners)

    def _view(self, session: Session, kept: KeptBracket) -> BracketView:
        bracket = self._bracket(session, kept)
        decided = {heat.name: heat for heat in _heats(session, kept)}
        heats = tuple(self._heat(heat, decided.get(heat.name)) for heat in bracket.heats)
        seeds_sha256 = race_hash(kept.settings, kept.route_sha256, kept.seeds)
        return BracketView(kept.name, kept.created_at, kept.settings, seeds_sha256, bracket, heats)

    def _heat(self, heat: Heat, decided: KeptHeat | None) -> HeatView:
        if decided is None:
            return HeatView(heat, None, None, None, None)
        result = HeatReceipt.parse(decided.receipt).result if decided.receipt else None
        replay = self.store.replay_path(result.runs[result.shown].replay_sha256) if result else None
        return HeatView(heat, result, decided.reason, decided.decided_at, replay)


def find_bracket(session: Session, name: str | None, *, lock: bool = False) -> KeptBracket:
    """The bracket of this name, or the only one. Raises `LeagueError` if there is none, or none named and several."""
    make = "racer league bracket create NAME"
    return find_named(session, KeptBracket, name, "bracket", make, lock="write" if lock else None)


def _entrants(session: Session, kept: KeptBracket) -> Sequence[Entrant]:
    """Who races, best seed first."""
    query = select(Entrant).where(Entrant.bracket_id == kept.id).order_by(Entrant.seed)
    return session.scalars(query.options(joinedload(Entrant.racer, innerjoin=True))).all()


def _heats(session: Session, kept: KeptBracket) -> Sequence[KeptHeat]:
    query = select(KeptHeat).where(KeptHeat.bracket_id == kept.id)
    return session.scalars(query.options(joinedload(KeptHeat.winner, innerjoin=True))).all()


def _driver_of(session: Session, racer: Racer, race: Race | None) -> str:
    """The hash of the bundle that a racer races with. Raises `LeagueError` if none of theirs counts."""
    query = (
        select(Submission.bundle_sha256)
        .join(Participant, Participant.best_id == Submission.id)
        .where(Participant.racer_id == racer.id, Participant.removed.is_(None))
        .order_by(Submission.id.desc())
    )
    if race is not None:
        query = query.where(Participant.race_id == race.id)
    found = session.scalar(query.limit(1))
    if found is None:
        where = f"in {race.name!r}" if race else "anywhere"
        raise LeagueError(f"racer {racer.name!r} has no driver for a bracket: none of theirs counts {where}")
    return found
