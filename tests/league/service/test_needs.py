"""What a racer needs, in a league with real boards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from league.errors import LeagueError
from league.races import RaceSettings
from league.service import League
from tests.league.conftest import drain, laps
from tests.league.service.test_seasons import ONE, TWO, race

Bundles = Callable[[int], Path]


def test_times_are_the_next_place_the_lead_and_a_promotion(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", TWO)
    league.races.create("May", RaceSettings(runs=1))
    league.seasons.add(None, "May", division="Open")
    league.races.open("May")
    for number, (racer, time) in enumerate((("Ada", 10_000), ("Bob", 11_000), ("Cy", 12_000), ("Di", 13_000))):
        league.submissions.submit(bundle(number), "May", racer)
        drain(league, laps(time))
    needs = {need.what: (need.time_ms, need.has) for need in league.needs.times("Di", "May")}
    assert needs == {"position 1": (10_000, False), "position 3": (12_000, False), "promotion": (11_000, False)}
    (second,) = [need for need in league.needs.times("Bob", "May", 2) if need.what.startswith("position")]
    assert (second.time_ms, second.has) == (12_000, True)
    assert second.chance == pytest.approx(2 / 3)


def test_a_race_of_another_division_is_not_told_of(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", TWO)
    league.seasons.add(None, "community", division="Pro")
    with pytest.raises(LeagueError, match="it is for Pro, and they are in Open"):
        league.submissions.submit(bundle(1), "community", "Ada")
    league.seasons.join(None, "Ada", team="Blue")
    assert league.needs.times("Ada") == ()
    league.seasons.place(None, "Ada", "Pro", 0, "a test")
    assert {need.race for need in league.needs.times("Ada")} == {"community"}


def test_of_an_empty_board_any_time_leads(league: League, bundle: Bundles) -> None:
    league.submissions.submit(bundle(1), None, "Ada")
    (lead,) = league.needs.times("Ada")
    assert (lead.race, lead.what, lead.time_ms, lead.has, lead.chance) == ("community", "position 1", None, False, None)


def test_points_tell_what_makes_the_title_sure(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", ONE)
    race(league, "May", {"Ada": 10_000, "Bob": 11_000}, bundle)
    league.races.create("June", RaceSettings())
    league.seasons.add(None, "June")
    (ada,) = league.needs.points("ada")
    assert (ada.rounds_left, ada.outlook.points, ada.outlook.best, ada.outlook.worst) == (1, 5, 1, 2)
    assert (ada.outlook.needed, ada.outlook.sure) == (4, False)
    league.seasons.join(None, "Cy", team="Blue")
    with pytest.raises(LeagueError, match="has no points in season '2026' yet"):
        league.needs.points("Cy", "2026")


def test_a_closed_race_cannot_be_improved(league: League, bundle: Bundles) -> None:
    league.submissions.submit(bundle(1), None, "Ada")
    league.races.close("community")
    with pytest.raises(LeagueError, match="to improve it takes one that is OPEN"):
        league.needs.times("Ada", "community")
    assert league.needs.times("Ada") == ()
