"""Seasons in a league: their tables, divisions, teams and seats follow from their races."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from league.divisions import Division
from league.errors import LeagueError
from league.finals import Part
from league.points import ByPosition
from league.races import RaceSettings
from league.seasons import Season, Won
from league.service import League
from tests.league.conftest import drain, laps

Bundles = Callable[[int], Path]

TWO = Season(
    divisions=(Division("Open", promoted=50.0), Division("Pro", relegated=50.0)), finale=None, seats=1, wildcards=1
)
ONE = Season(divisions=(Division("All"),), qualifying="All", finale=None, seats=1, scale=ByPosition((5, 3, 1)), best=2)


def race(league: League, name: str, times: dict[str, int], bundle: Bundles, division: str | None = None) -> None:
    """Make a qualifier and race it: a lap time of each racer."""
    league.races.create(name, RaceSettings(runs=1))
    league.seasons.add(None, name, division=division)
    league.races.open(name)
    drive(league, name, times, bundle)
    league.races.close(name)


def drive(league: League, name: str, times: dict[str, int], bundle: Bundles) -> None:
    for number, (racer, time) in enumerate(times.items()):
        league.submissions.submit(bundle(number), name, racer)
        drain(league, laps(time))


def test_the_table_adds_up_the_best_rounds_of_every_racer(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", ONE)
    race(league, "May", {"Ada": 10_000, "Bob": 11_000, "Cy": 12_000}, bundle)
    race(league, "June", {"Bob": 10_000, "Ada": 11_000}, bundle)
    race(league, "July", {"Cy": 10_000, "Bob": 11_000, "Ada": 12_000}, bundle)
    rows = [(row.place, row.racer, row.points, row.rounds) for row in league.seasons.table()]
    assert rows == [
        ("1", "Bob", 8, (3, 5, 3)),  # as many points, but two second places
        ("2", "Ada", 8, (5, 3, 1)),
        ("3", "Cy", 6, (1, None, 5)),
    ]


def test_points_are_shown_while_a_race_is_open_but_nobody_moves_before_it_is_over(
    league: League, bundle: Bundles
) -> None:
    league.seasons.create("2026", TWO)
    league.races.create("May", RaceSettings(runs=1))
    league.seasons.add("2026", "May", division="open")
    league.races.open("May")
    drive(league, "May", {"Ada": 10_000, "Bob": 11_000}, bundle)
    assert [row.racer for row in league.seasons.table("2026", "Open")] == ["Ada", "Bob"]
    assert league.seasons.one().roster.moves == ()
    league.races.close("May")
    (move,) = league.seasons.one().roster.moves
    assert (move.racer, move.to, move.month) == ("Ada", "Pro", 1)


def test_a_race_takes_only_who_is_in_its_division_that_month(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", TWO)
    race(league, "May", {"Ada": 10_000, "Bob": 11_000}, bundle, "Open")
    for name, division in (("June", "Open"), ("June Pro", "Pro")):
        league.races.create(name, RaceSettings(runs=1))
        league.seasons.add(None, name, month=1, division=division)
        league.races.open(name)
    league.submissions.submit(bundle(1), "June Pro", "Ada")
    league.submissions.submit(bundle(2), "June", "Newcomer")
    with pytest.raises(LeagueError, match=r"'Bob' cannot race in 'June Pro': it is for Pro, and they are in Open"):
        league.submissions.submit(bundle(3), "June Pro", "Bob")
    with pytest.raises(LeagueError, match="it is for Open, and they are in Pro"):
        league.submissions.submit(bundle(3), "June", "Ada")


def test_who_is_in_which_division_is_known_once_the_month_before_is_over(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", TWO)
    for name in ("May", "June"):
        league.races.create(name, RaceSettings(runs=1))
        league.seasons.add(None, name, division="Open")
        league.races.open(name)
    league.submissions.submit(bundle(1), "May", "Ada")
    league.races.close("May")
    with pytest.raises(LeagueError, match="in month 2 is known once 'May' is over"):
        league.submissions.submit(bundle(1), "June", "Ada")  # May is closed, but not driven yet
    drain(league, laps(10_000))
    with pytest.raises(LeagueError, match="they are in Pro"):
        league.submissions.submit(bundle(1), "June", "Ada")


def test_an_organiser_places_racers_and_the_audit_log_says_why(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", TWO)
    league.seasons.place(None, "Ada", "Pro", 0, "won last year")
    race(league, "May", {"Ada": 10_000}, bundle, "Pro")
    assert [row.racer for row in league.seasons.table()] == ["Ada"]
    entry = next(entry for entry in league.boards.audit() if entry.action == "place")
    assert (entry.racer, entry.reason, entry.details) == (
        "Ada",
        "won last year",
        {"season": "2026", "division": "Pro", "month": 0},
    )
    with pytest.raises(LeagueError, match="there is no division 'Prro'; did you mean 'Pro'"):
        league.seasons.place(None, "Ada", "Prro", 0, "why not")


def test_a_cancelled_race_gives_no_points_and_holds_nobody_up(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", TWO)
    for name in ("May", "June"):
        league.races.create(name, RaceSettings(runs=1))
        league.seasons.add(None, name, division="Open")
        league.races.open(name)
    drive(league, "May", {"Ada": 10_000}, bundle)
    league.races.cancel("May", "the track was wrong")
    assert league.seasons.table("2026", "Open") == ()
    league.submissions.submit(bundle(1), "June", "Ada")


def test_seats_go_to_who_has_none_and_the_last_race_gives_wildcards(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", ONE)
    race(league, "May", {"Ada": 10_000, "Bob": 11_000}, bundle)
    race(league, "June", {"Ada": 10_000, "Bob": 11_000, "Cy": 12_000}, bundle)
    league.races.create("Last", RaceSettings(runs=1))
    league.seasons.add(None, "Last", Part.WILDCARD)
    league.races.open("Last")
    with pytest.raises(LeagueError, match="they have a seat in the championship"):
        league.submissions.submit(bundle(1), "Last", "Ada")
    drive(league, "Last", {"Cy": 10_000}, bundle)
    assert [(seat.racer, seat.won) for seat in league.seasons.one().seats] == [("Ada", Won.MONTH), ("Bob", Won.MONTH)]
    league.races.close("Last")
    assert league.seasons.one().seats[-1].won is Won.WILDCARD


def test_a_season_has_no_race_beyond_its_months_and_gives_seats_by_points_after_the_last(
    league: League, bundle: Bundles
) -> None:
    league.seasons.create("2026", replace(ONE, seats=0, points_seats=1, months=2))
    race(league, "May", {"Ada": 10_000}, bundle)
    assert league.seasons.one().seats == ()
    league.races.create("July", RaceSettings(runs=1))
    with pytest.raises(LeagueError, match="month 3 does not exist: it is from 1 to 2"):
        league.seasons.add(None, "July", month=2)
    race(league, "June", {"Ada": 10_000}, bundle)
    assert [(seat.racer, seat.won) for seat in league.seasons.one().seats] == [("Ada", Won.POINTS)]
    with pytest.raises(LeagueError, match="each month from 1 to 2 has its race already"):
        league.seasons.add(None, "July")
    with pytest.raises(LeagueError, match="'Ada' cannot be placed from month 3 on: the last one is 2"):
        league.seasons.place(None, "Ada", "All", 2, "a test")


def test_a_finale_is_for_the_best_of_its_month_and_knockouts_for_who_has_a_seat(
    league: League, bundle: Bundles
) -> None:
    season = Season((Division("All"),), "All", finale=2, seats=1, wildcards=0, points_seats=1, groups=2, each=1)
    league.seasons.create("2026", season)
    race(league, "May", {"Ada": 10_000, "Bob": 11_000, "Cy": 12_000}, bundle)
    league.races.create("Finale", RaceSettings(runs=1))
    league.seasons.add(None, "Finale", Part.FINALE)
    league.races.open("Finale")
    with pytest.raises(LeagueError, match="'Cy' cannot race in 'Finale': it is for the best 2 of the month"):
        league.submissions.submit(bundle(1), "Finale", "Cy")
    drive(league, "Finale", {"Bob": 10_000, "Ada": 11_000}, bundle)
    assert league.seasons.one().seats == ()
    league.races.close("Finale")
    assert [(s.racer, s.won) for s in league.seasons.one().seats] == [("Bob", Won.MONTH), ("Ada", Won.POINTS)]
    for group, racer in enumerate(("Bob", "Ada")):
        league.races.create(f"Group {group}", RaceSettings(runs=1))
        league.seasons.add(None, f"Group {group}", Part.KNOCKOUT)
        league.races.open(f"Group {group}")
        with pytest.raises(LeagueError, match=f"it is for {racer}"):
            league.submissions.submit(bundle(1), f"Group {group}", "Cy")
        with pytest.raises(LeagueError, match="have not been raced yet"):
            league.seasons.bracket()
        drive(league, f"Group {group}", {racer: 9_000 + group}, bundle)
        league.races.close(f"Group {group}")
        if group == 0:
            with pytest.raises(LeagueError, match=r"of the 2 groups of season '2026', these .* yet: 2$"):
                league.seasons.bracket()
    assert league.seasons.bracket().racers == ("Bob", "Ada")


def test_teams_add_up_their_members(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", ONE)
    race(league, "May", {"Ada": 10_000, "Bob": 11_000, "Cy": 12_000}, bundle)
    for racer, team in (("Ada", "Blue"), ("Bob", "Red"), ("Cy", "Red")):
        league.seasons.join(None, racer, team=team)
    assert [(t.name, t.result, t.members) for t in league.seasons.teams(count=2)] == [
        ("Blue", 5, ("Ada",)),
        ("Red", 4, ("Bob", "Cy")),
    ]


def test_a_race_of_a_region_takes_who_is_from_there(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", ONE)
    league.races.create("Europe", RaceSettings(runs=1, region="EU"))
    league.races.open("Europe")
    with pytest.raises(LeagueError, match="is for EU of a season, but is in none"):
        league.submissions.submit(bundle(1), "Europe", "Ada")
    league.seasons.add(None, "Europe")
    with pytest.raises(LeagueError, match="it is for EU, not None"):
        league.submissions.submit(bundle(1), "Europe", "Ada")
    league.seasons.join(None, "Ada", region="EU")
    league.submissions.submit(bundle(1), "Europe", "Ada")


def test_a_race_has_one_place_in_one_season_and_a_place_one_race(league: League) -> None:
    league.seasons.create("2026", ONE)
    league.seasons.create("2027", ONE)
    league.races.create("May", RaceSettings())
    league.races.create("Late", RaceSettings())
    league.seasons.add("2026", "May")
    with pytest.raises(LeagueError, match="'May' is in season '2026' already"):
        league.seasons.add("2027", "May")
    with pytest.raises(LeagueError, match="month 1 has its race already"):
        league.seasons.add("2026", "Late", month=0)
    with pytest.raises(LeagueError, match="a finale has no division"):
        league.seasons.add("2026", "Late", Part.FINALE, division="All")
    with pytest.raises(LeagueError, match="'2026' has no finales: its qualifiers give the seats"):
        league.seasons.add("2026", "Late", Part.FINALE)
    with pytest.raises(LeagueError, match="say which season; there are: 2026, 2027"):
        league.seasons.table()
    league.seasons.drop("May", "wrong year")
    assert league.seasons.one("2026").stages == ()
    assert [stage.month for stage in league.seasons.add("2027", "May").stages] == [0]
