"""The states of a race, which follow from its times: pure, no clock, no database.

DRAFT until it opens, OPEN until it closes, CLOSED until the organiser makes it FINAL; CANCELLED at any time before.
So that nobody has to be there when a race opens or closes, no state is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a race is."""

    DRAFT = "DRAFT"  #: its settings may change
    OPEN = "OPEN"  #: takes submissions; its settings and seeds are fixed
    CLOSED = "CLOSED"  #: takes none; its seeds are known
    FINAL = "FINAL"  #: nothing changes any more
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Times:
    """The times of a race, UTC."""

    opens_at: datetime | None = None  #: None: not yet decided
    closes_at: datetime | None = None  #: None: when the organiser closes it
    final_at: datetime | None = None
    cancelled_at: datetime | None = None

    def state(self, now: datetime) -> State:
        """The state at a time."""
        if self.cancelled_at:
            return State.CANCELLED
        if self.final_at:
            return State.FINAL
        if self.opens_at is None or now < self.opens_at:
            return State.DRAFT
        return State.OPEN if self.closes_at is None or now < self.closes_at else State.CLOSED
