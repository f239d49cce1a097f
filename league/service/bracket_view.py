"""Brackets and heats as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from league.bracket_heats import Heat
from league.brackets import Bracket
from league.grids import Grid
from league.heats import HeatResult
from league.models import Race
from league.races import RaceSettings
from league.receipts import race_hash
from league.service.bracket_record import BracketRecord
from league.store import Store


@dataclass(frozen=True)
class HeatView:
    """A heat as it is now."""

    heat: Heat
    result: HeatResult | None  #: once it has been driven
    awarded: str | None  #: why it was decided without a drive
    scratched: Mapping[str, str]  #: who does not start, and why
    decided_at: datetime | None
    replay: Path | None  #: of the run to show


@dataclass(frozen=True)
class BracketView:
    """A bracket as it is now."""

    name: str
    race: str | None  #: which its heats decide
    created_at: datetime
    settings: RaceSettings
    seeds_sha256: str  #: of race, track and seeds
    bracket: Bracket | Grid
    heats: tuple[HeatView, ...]  #: in an order in which they can be raced


def bracket_view(session: Session, record: BracketRecord, store: Store) -> BracketView:
    """A bracket as a value."""
    kept = record.kept
    return BracketView(
        kept.name,
        None if kept.race_id is None else session.get_one(Race, kept.race_id).name,
        kept.created_at,
        kept.settings,
        race_hash(kept.settings, kept.route_sha256, kept.seeds),
        record.bracket,
        tuple(_heat(heat, record, store) for heat in record.bracket.heats),
    )


def _heat(heat: Heat, record: BracketRecord, store: Store) -> HeatView:
    decided, result = record.heats.get(heat.name), record.results.get(heat.name)
    replay = store.replay_path(result.runs[result.shown].replay_sha256) if result else None
    scratched = record.scratched.get(heat.name, {})
    if decided is None:
        return HeatView(heat, None, None, scratched, None, None)
    return HeatView(heat, result, decided.reason, scratched, decided.decided_at, replay)
