"""What a racer needs, in a league with real boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from league.errors import LeagueError
from league.finals import Part
from league.races import RaceSettings
from league.service import League
from tests.league.conftest import drain, laps
from tests.league.service.test_seasons import ONE, TWO, drive, race

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
    assert ada.months is None
    assert (ada.rounds_left, ada.outlook.points, ada.outlook.best, ada.outlook.worst) == (1, 5, 1, 2)
    assert (ada.outlook.needed, ada.outlook.sure) == (4, False)
    league.seasons.join(None, "Cy", team="Blue")
    with pytest.raises(LeagueError, match="has no points in season '2026' yet"):
        league.needs.points("Cy", "2026")


def test_in_a_season_with_regions_a_seat_takes_the_time_of_ones_own_region(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", replace(ONE, wildcards=1))
    for racer, region in (("Ada", "EU"), ("Bob", "EU"), ("Cy", "NA"), ("Di", "NA"), ("Eve", "Asia")):
        league.seasons.join(None, racer, region=region)
    race(league, "May", {"Cy": 10_000}, bundle)
    league.races.create("June", RaceSettings(runs=1))
    league.seasons.add(None, "June")
    league.races.open("June")
    drive(league, "June", {"Ada": 9_000, "Cy": 10_000, "Bob": 11_000, "Di": 12_000, "Zoe": 8_000}, bundle)
    told = {who: _seat(league, who, "June") for who in ("Ada", "Bob", "Cy", "Di", "Eve", "Zoe")}
    assert told == {
        "Ada": (10_999, True),  # of Europe, who has no seat but would lose it to Bob
        "Bob": (8_999, False),
        "Cy": None,  # has a seat of May
        "Di": (None, True),  # as Cy has one, nobody of America is ahead
        "Eve": (None, False),
        "Zoe": None,  # is of no region
    }


def test_wildcards_are_for_all_regions(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", replace(ONE, wildcards=1))
    for racer, region in (("Ada", "EU"), ("Cy", "NA")):
        league.seasons.join(None, racer, region=region)
    league.races.create("Last", RaceSettings(runs=1))
    league.seasons.add(None, "Last", Part.WILDCARD)
    league.races.open("Last")
    drive(league, "Last", {"Ada": 9_000, "Cy": 10_000}, bundle)
    assert _seat(league, "Cy", "Last") == (8_999, False)


def _seat(league: League, racer: str, race: str) -> tuple[int | None, bool] | None:
    found = [need for need in league.needs.times(racer, race) if need.what == "a seat in the championship"]
    return (found[0].time_ms, found[0].has) if found else None


def test_planned_races_count_although_they_do_not_exist_yet(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", replace(ONE, months=4, best=None))
    race(league, "May", {"Ada": 10_000, "Bob": 11_000, "Cy": 12_000}, bundle)
    (cy,) = league.needs.points("Cy")
    assert (cy.rounds_left, cy.months, cy.outlook.most, cy.outlook.best, cy.outlook.worst) == (3, 4, 16, 1, 3)
    league.races.create("June", RaceSettings(runs=1))
    league.seasons.add(None, "June")
    assert league.needs.points("Cy")[0].rounds_left == 3
    league.races.create("July", RaceSettings(runs=1))
    league.seasons.add(None, "July", month=2)
    league.races.cancel("July", "the track was wrong")
    assert league.needs.points("Cy")[0].rounds_left == 2  # June, which is there, and August, which is not


def test_a_month_without_a_race_is_over_once_a_later_one_is(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", replace(ONE, months=3))
    league.races.create("July", RaceSettings(runs=1))
    league.seasons.add(None, "July", month=1)
    league.races.open("July")
    drive(league, "July", {"Ada": 10_000}, bundle)
    assert league.needs.points("Ada")[0].rounds_left == 3
    league.races.close("July")
    assert league.needs.points("Ada")[0].rounds_left == 1


def test_a_closed_race_cannot_be_improved(league: League, bundle: Bundles) -> None:
    league.submissions.submit(bundle(1), None, "Ada")
    league.races.close("community")
    with pytest.raises(LeagueError, match="to improve it takes one that is OPEN"):
        league.needs.times("Ada", "community")
    assert league.needs.times("Ada") == ()
