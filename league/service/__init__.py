"""The league's interface: what its command calls, and what a web site would.

Everything that comes back is a plain value. Errors of organisers and racers are `LeagueError`, or the
`BundleError` or `TrackError` of the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from league.evaluation import check_drivable
from league.races import RaceSettings
from league.service.boards import Boards, Drive, Meeting
from league.service.bracket_view import BracketView, HeatView
from league.service.brackets import Brackets
from league.service.desk import now
from league.service.live import Live, LiveView
from league.service.needs import Need, Needs, SeasonNeed
from league.service.queue import LEASE, Claim, Queue
from league.service.races import Races, RaceView
from league.service.season_record import SeasonRecord, Stage
from league.service.seasons import Seasons
from league.service.submission_view import SubmissionView
from league.service.submissions import Submissions
from league.store import SQLITE_URL, Store

__all__ = [
    "FIRST_RACE",
    "BracketView",
    "Claim",
    "Drive",
    "HeatView",
    "League",
    "LiveView",
    "Meeting",
    "Need",
    "RaceView",
    "SeasonNeed",
    "SeasonRecord",
    "Stage",
    "SubmissionView",
]

#: The race that a new league has.
FIRST_RACE = "community"


class League:
    """A league in a folder.

    Args:
        folder: that `create` has made.
        clock: gives the time.
        actor: in whose name the audit log writes; the system's user if not given.
        lease: how long a worker may be silent before another one takes over.

    Raises:
        LeagueError: there is no league.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], datetime] = now, actor: str | None = None, lease: timedelta = LEASE
    ) -> None:
        self.store = Store(folder)
        self._common: dict[str, Any] = {"clock": clock} | ({"actor": actor} if actor else {})
        self._lease = lease

    @classmethod
    def create(
        cls, folder: Path, settings: RaceSettings, clock: Callable[[], datetime] = now, url: str = SQLITE_URL
    ) -> Self:
        """Make a league whose first race has these settings and is open.

        Raises:
            LeagueError: there already is one, or the folder or the database cannot be written.
            TrackError: the race's track does not exist.
        """
        check_drivable(settings)
        Store.create(folder, url)
        league = cls(folder, clock)
        league.races.create(FIRST_RACE, settings)
        league.races.open(FIRST_RACE)
        return league

    @cached_property
    def races(self) -> Races:
        """What organisers do with races."""
        return Races(self.store, **self._common)

    @cached_property
    def submissions(self) -> Submissions:
        """What racers do, and organisers with what they did."""
        return Submissions(self.store, **self._common)

    @cached_property
    def boards(self) -> Boards:
        """What can be seen."""
        return Boards(self.store, **self._common)

    @cached_property
    def seasons(self) -> Seasons:
        """Races that belong together."""
        return Seasons(self.store, **self._common)

    @cached_property
    def brackets(self) -> Brackets:
        """Heats from which the best go on."""
        return Brackets(self.store, **self._common)

    @cached_property
    def needs(self) -> Needs:
        """What racers need."""
        return Needs(self.store, **self._common)

    @cached_property
    def live(self) -> Live:
        """What organisers do with live races."""
        return Live(self.store, **self._common)

    @cached_property
    def queue(self) -> Queue:
        """What workers do."""
        return Queue(self.store, **self._common, lease=self._lease)

    def close(self) -> None:
        """Let go of the database."""
        self.store.database.close()
