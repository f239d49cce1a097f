"""Race a bracket: its heats one after the other, each in a process of its own, its replays kept."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from league import sandbox
from league.confinement import Limits
from league.drives import driven_of
from league.errors import LeagueError
from league.heat_job import drive_heat
from league.heats import HeatRun
from league.service import HeatView, League


@dataclass(frozen=True)
class HeatEvent:
    """A heat that begins, or is over."""

    heat: HeatView
    started: bool


def race_bracket(
    league: League,
    bracket: str | None = None,
    heat: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is frozen)
) -> Generator[HeatEvent, None, None]:
    """Race every heat of a bracket that is still to be raced, or one.

    Args:
        league: whose bracket.
        bracket: its name; None: the only one.
        heat: the only one to race.
        limits: of each heat; its memory is that of each driver.

    Yields:
        Every start and every result. What is broken off in between leaves no trace, and is raced again by the next.

    Raises:
        LeagueError: there is no such bracket or heat, or a heat cannot be driven; an organiser may scratch who cannot.
    """
    sandbox.prepare()
    name = league.brackets.one(bracket).name
    while True:
        shown = league.brackets.one(name)
        ready = [view for view in shown.heats if view.heat.name == heat or (heat is None and view.heat.ready)]
        if not ready:
            if heat is not None:
                shown.bracket.heat(heat)  # raises: there is none
            return
        yield HeatEvent(ready[0], started=True)
        yield HeatEvent(_drive(league, name, ready[0].heat.name, limits), started=False)
        if heat is not None:
            return


def _drive(league: League, bracket: str, heat: str, limits: Limits) -> HeatView:
    """Drive a heat, keep its replays, and write its result down."""
    job = league.brackets.job(bracket, heat)
    outcome = sandbox.run(drive_heat, job, limits.driving(job.simulated, len(job.drivers)))
    if outcome.refused is not None or outcome.failed is not None:
        reason = outcome.refused or outcome.failed
        raise LeagueError(
            f"heat {heat} cannot be driven: {reason}; to leave a racer out of it: racer league bracket scratch"
        )
    try:
        made = driven_of(HeatRun, outcome.value)
        made.keep(league.store)
        return league.brackets.score(bracket, heat, made.runs)
    except ValueError as error:
        raise LeagueError(f"heat {heat} cannot be driven: its process answered nonsense: {error}") from error
