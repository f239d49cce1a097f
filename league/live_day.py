"""Race a live race: what its organiser launches is driven here, one submission after the other, each in its process."""

from __future__ import annotations

import time
from collections.abc import Generator

from league.errors import LeagueError
from league.models import IN_FLIGHT
from league.service import League
from league.workers import POLL, Engine, Event, Local, work


def race_live(
    league: League,
    race: str | None = None,
    number: int | None = None,
    engine: Engine | None = None,
    *,
    everyone: bool = False,
) -> Generator[Event, None, None]:
    """Launch the next in the running order of a race, or a submission of it, or all that are left.

    Args:
        league: whose race.
        race: its name; None: the only one.
        number: a submission, whatever the order.
        engine: what drives; None: this machine.
        everyone: go on until nobody waits.

    Yields:
        Every start and every result. What another process has on the track already is waited for, and taken over if
        that one is gone. When the generator is closed, what was being driven is back at its place in the running order.

    Raises:
        LeagueError: there is no such race, it cannot be raced now, or the submission or nobody waits.
    """
    launched = league.live.up_next(race, number)
    if launched is None and not everyone:
        raise LeagueError(f"nobody waits in {league.live.show(race).race!r}")
    engine = engine or Local()
    while launched is not None:
        yield from _drive(league, engine, launched.id)
        launched = league.live.up_next(race) if everyone else None


def _drive(league: League, engine: Engine, number: int) -> Generator[Event, None, None]:
    """Drive a submission, or wait for who does already."""
    told = False
    while True:
        for event in work(league, engine, drain=True, only=number):
            told = event.submission.status not in IN_FLIGHT
            yield event
        now = league.submissions.one(number)
        if now.status not in IN_FLIGHT:
            if not told:
                yield Event(now, started=False)
            return
        yield Event(now, started=True)
        time.sleep(POLL)
