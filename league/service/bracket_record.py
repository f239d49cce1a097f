"""Brackets found, and read from their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from league.brackets import Bracket, Elimination
from league.errors import LeagueError
from league.grids import Grid
from league.heat_receipts import HeatReceipt
from league.heats import HeatResult
from league.models import Entrant, KeptBracket, KeptHeat, Participant, Race, Racer, Scratch, Submission
from league.races import RaceSettings
from league.service.desk import find_named


@dataclass(frozen=True)
class BracketRecord:
    """What is kept of a bracket."""

    kept: KeptBracket
    entrants: Mapping[str, Entrant]  #: by racer, best seed first
    heats: Mapping[str, KeptHeat]  #: that are decided, by name
    scratched: Mapping[str, Mapping[str, str]]  #: why racers do not start, by heat

    @cached_property
    def results(self) -> Mapping[str, HeatResult]:
        """What came out of the heats that were driven."""
        return {name: HeatReceipt.parse(heat.receipt).result for name, heat in self.heats.items() if heat.receipt}

    @cached_property
    def bracket(self) -> Bracket | Grid:
        """The bracket as a value."""
        made = new_bracket(
            self.kept.settings, tuple(self.entrants), self.kept.elimination, third_place=self.kept.third_place
        )
        if isinstance(made, Bracket):
            return replace(made, winners={name: heat.winner.name for name, heat in self.heats.items()})
        places = {name: {s.racer: s.position for s in result.standings} for name, result in self.results.items()}
        scratched = {name: frozenset(racers) for name, racers in self.scratched.items()}
        return replace(made, results=places, scratched=scratched)


def new_bracket(
    settings: RaceSettings,
    racers: tuple[str, ...],
    elimination: Elimination = Elimination.SINGLE,
    *,
    third_place: bool = False,
) -> Bracket | Grid:
    """A bracket of heats of two, or of a grid of more.

    Args:
        settings: of its heats.
        racers: best seed first.
        elimination: after how many lost heats of two a racer is out.
        third_place: whether there is a heat of two for it.

    Raises:
        LeagueError: there are too few racers, or something is asked for that such heats do not have.
    """
    if settings.grid == 2:
        return Bracket(racers, elimination, third_place)
    if elimination is not Elimination.SINGLE or third_place:
        what = "a heat for the third place" if third_place else f"a {elimination} elimination"
        raise LeagueError(f"{what} is for heats of two, not for a grid of {settings.grid}")
    return Grid(racers, settings.grid)


def read_bracket(session: Session, kept: KeptBracket) -> BracketRecord:
    """Read everything that belongs to a bracket."""
    entrants = select(Entrant).where(Entrant.bracket_id == kept.id).order_by(Entrant.seed)
    heats = select(KeptHeat).where(KeptHeat.bracket_id == kept.id)
    scratched: dict[str, dict[str, str]] = {}
    scratches = select(Scratch).where(Scratch.bracket_id == kept.id).options(joinedload(Scratch.racer, innerjoin=True))
    for scratch in session.scalars(scratches):
        scratched.setdefault(scratch.heat, {})[scratch.racer.name] = scratch.reason
    return BracketRecord(
        kept,
        {e.racer.name: e for e in session.scalars(entrants.options(joinedload(Entrant.racer, innerjoin=True)))},
        {h.name: h for h in session.scalars(heats.options(joinedload(KeptHeat.winner, innerjoin=True)))},
        scratched,
    )


def bracket_of(session: Session, race: int) -> BracketRecord | None:
    """The bracket whose heats decide a race, if it has been made."""
    kept = session.scalar(select(KeptBracket).where(KeptBracket.race_id == race))
    return None if kept is None else read_bracket(session, kept)


def find_bracket(session: Session, name: str | None, *, lock: bool = False) -> KeptBracket:
    """The bracket of this name, or the only one. Raises `LeagueError` if there is none, or none named and several."""
    make = "racer league bracket create NAME"
    return find_named(session, KeptBracket, name, "bracket", make, lock="write" if lock else None)


def driver_of(session: Session, racer: Racer, race: Race | None) -> str:
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
