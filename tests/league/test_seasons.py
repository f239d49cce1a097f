"""A season from its first qualifier to its bracket."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.brackets import Elimination
from league.divisions import Division
from league.errors import LeagueError
from league.points import ByPosition, ByTime
from league.seasons import Month, Season, Seat, Won, read_season, write_season
from tests.league.boards import Board, boards, racers, times

SMALL = Season(
    divisions=(Division("Open", promoted=25.0), Division("Pro", relegated=50.0)),
    finale=3,
    seats=1,
    wildcards=1,
    groups=2,
    each=2,
    scale=ByPosition((3, 2, 1)),
    best=1,
    placed=(("p1", "Pro", 0), ("p2", "Pro", 0), ("late", "Pro", 7)),
)
MONTHS = (
    Month({"Open": times(o1=1, o2=2, o3=3, o4=4), "Pro": times(p1=1, p2=2)}, finale=times(p2=1, p1=2)),
    Month({"Open": times(o2=1, p2=9), "Pro": times(o1=1, p2=2, p1=3, p9=4)}, finale=times(p2=1, o1=2)),
)

months = st.lists(st.builds(lambda o, p, f: Month({"Open": o, "Pro": p}, f), boards, boards, boards), max_size=4)


def test_the_defaults_are_the_season_of_2021() -> None:
    season = Season()
    assert (season.finale, season.seats, season.wildcards, season.groups, season.each) == (16, 3, 5, 4, 4)
    assert season.divisions == (Division("Open", promoted=10.0), Division("Pro"))


def test_who_moves_and_who_was_placed_is_told_for_every_month() -> None:
    roster = SMALL.roster(MONTHS)
    told = {
        racer: [roster.division(racer, month) for month in (0, 1, 2, 7)] for racer in ("o1", "o2", "p1", "p2", "late")
    }
    assert told == {
        "o1": ["Open", "Pro", "Pro", "Pro"],
        "o2": ["Open", "Open", "Pro", "Pro"],
        "p1": ["Pro", "Pro", "Open", "Open"],
        "p2": ["Pro", "Open", "Open", "Open"],
        "late": ["Open", "Open", "Open", "Pro"],
    }


def test_a_finale_has_the_best_who_have_no_seat_and_gives_seats_to_its_best_who_have_none() -> None:
    assert SMALL.finale_field(()) == ()
    assert SMALL.finale_field(MONTHS[:1]) == ("p1", "p2")
    assert SMALL.finale_field(MONTHS) == ("o1", "p1", "p9")
    assert SMALL.finalists(MONTHS) == (Seat("p2", Won.MONTH, 0), Seat("o1", Won.MONTH, 1))


def test_a_championship_adds_wildcards_and_who_is_invited() -> None:
    seats = SMALL.championship(MONTHS, times(p2=1, o1=2, o3=3, o4=4), invited=["o3", "guest", "guest"])
    assert seats[2:] == (Seat("o3", Won.WILDCARD), Seat("guest", Won.INVITED))
    assert SMALL.knockouts(seats) == (("p2", "guest"), ("o1", "o3"))


def test_the_best_of_the_groups_make_the_bracket() -> None:
    bracket = SMALL.bracket([times(p2=5, guest=6), times(o1=1, o3=2, o4=3)])
    assert bracket.racers == ("o1", "p2", "o3", "guest")
    assert bracket.elimination is Elimination.SINGLE


def test_the_table_is_that_of_the_qualifying_division_unless_another_is_named() -> None:
    assert [(row.racer, row.points, row.rounds) for row in SMALL.table(MONTHS)] == [
        ("p1", 3, (3, 1)),
        ("o1", 3, (None, 3)),
        ("p2", 2, (2, 2)),
        ("p9", 0, (None, 0)),
    ]
    assert [row.racer for row in SMALL.table(MONTHS, "Open")][:2] == ["o2", "o1"]


def test_a_season_may_have_regions_and_seats_by_points_and_no_finales() -> None:
    season = Season(
        divisions=(Division("All"),),
        qualifying="All",
        finale=None,
        seats=1,
        points_seats=1,
        wildcards=0,
        elimination=Elimination.DOUBLE,
    )
    region_of = {"e1": "EU", "e2": "EU", "n1": "NA", "n2": "NA", "e3": "EU"}
    months = [Month({"All": times(e1=1, e2=2, e3=3, n1=4, n2=5)}), Month({"All": times(e1=1, n2=2, n1=3, e2=4, e3=5)})]
    assert season.championship(months, region_of=region_of) == (
        Seat("e1", Won.MONTH, 0),
        Seat("n1", Won.MONTH, 0),
        Seat("e2", Won.MONTH, 1),
        Seat("n2", Won.MONTH, 1),
        Seat("e3", Won.POINTS),
    )
    assert [seat.racer for seat in season.finalists(months)] == ["e1", "n2"]
    assert season.finale_field(months) == ()
    with_finale = replace(season, finale=2)
    raced = [replace(month, finale=month.boards["All"]) for month in months]
    assert with_finale.finale_field(raced, region_of) == ("n2", "e2")
    assert season.bracket([times(e1=1, n1=2, n2=3)]).elimination is Elimination.DOUBLE


@given(months, boards)
def test_nobody_has_two_seats_and_who_has_one_races_no_finale_any_more(made: list[Month], wildcard: Board) -> None:
    season = Season(finale=6, seats=2, wildcards=2)
    seats = season.championship(made, wildcard)
    assert len({seat.racer for seat in seats}) == len(seats)
    assert all(sum(s.month == number for s in seats) <= 2 for number in range(len(made)))
    for number in range(1, len(made) + 1):
        before = {seat.racer for seat in season.finalists(made[: number - 1])}
        field = season.finale_field(made[:number])
        assert not before & set(field)
        assert len(field) <= 6
        assert set(field) <= set(racers(tuple(made[number - 1].boards["Pro"])))


@given(months)
def test_what_comes_later_changes_nothing_that_was(made: list[Month]) -> None:
    season = Season(finale=6, seats=2)
    for number in range(len(made)):
        earlier, later = season.roster(made[:number]), season.roster(made)
        assert season.finalists(made)[: len(season.finalists(made[:number]))] == season.finalists(made[:number])
        assert all(earlier.division(r, m) == later.division(r, m) for r in "abcdef" for m in range(number + 1))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"qualifying": "Elite"}, "qualifying is 'Elite', but the divisions are Open, Pro"),
        ({"divisions": ()}, "need different names"),
        ({"finale": 0}, "finale is 0, but must be at least 1"),
        ({"seats": -1}, "seats is -1, but must be at least 0"),
        ({"groups": 0}, "groups is 0"),
        ({"each": 0}, "each is 0"),
        ({"best": 0}, "best is 0"),
        ({"placed": (("ann", "Masters", 0),)}, "there is no division 'Masters'"),
    ],
)
def test_a_season_that_cannot_be_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(LeagueError, match=says):
        Season(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["season.toml", "season.json"])
@pytest.mark.parametrize(
    "season", [Season(), SMALL, Season(finale=None, scale=ByTime(500), elimination=Elimination.DOUBLE)]
)
def test_a_season_that_is_written_is_read_again(tmp_path: Path, name: str, season: Season) -> None:
    write_season(tmp_path / name, season)
    assert read_season(tmp_path / name) == season


def test_a_file_says_only_what_differs_from_2021(tmp_path: Path) -> None:
    text = """
        seats = 1
        finale = "none"
        best = 3
        scale = {most = 100}
        [[divisions]]
        name = "Open"
        promoted = 20
        [[divisions]]
        name = "Pro"
        relegated = 10.5
    """
    (tmp_path / "season.toml").write_text(text)
    divisions = (Division("Open", promoted=20.0), Division("Pro", relegated=10.5))
    expected = Season(divisions, seats=1, finale=None, best=3, scale=ByTime(100))
    assert read_season(tmp_path / "season.toml") == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("finals = 16", "there is no 'finals'; did you mean 'finale'"),
        ("[[divisions]]\nname = 'Open'\npromotes = 10", "there is no 'divisions.0.promotes'; did you mean 'promoted'"),
        ("[[divisions]]\npromoted = 10", "divisions.0.name is missing"),
        ("[scale]\ntabel = [3, 2, 1]", "there is no 'scale.tabel'; did you mean 'table'"),
        ("[scale]\ntable = [1, 2]", "points must be whole numbers that fall"),
        ("elimination = 'doubel'", "elimination is 'doubel'; did you mean 'double'"),
        ("qualifying = 'pro'", "qualifying is 'pro', but the divisions are Open, Pro"),
        ("best = 0", "best is 0, but must be at least 1"),
        ("groups = 'four'", "groups is 'four'; input should be a valid integer"),
        ("placed = [['ann', 'Pro']]", "placed.0.2 is missing"),
    ],
)
def test_what_a_file_may_not_say_is_answered_with_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "season.toml").write_text(text)
    with pytest.raises(LeagueError) as refused:
        read_season(tmp_path / "season.toml")
    assert str(refused.value).startswith(f"{tmp_path / 'season.toml'}: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
