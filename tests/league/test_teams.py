"""What the members of a team have driven, added up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import LeagueError
from league.points import ByPosition, season_table
from league.teams import team_standings, team_table
from tests.league.boards import NAMES, Board, board, boards, dnf, finished, times

belonging = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["red", "blue", "green"]))


def test_a_teams_score_is_the_sum_of_its_best() -> None:
    made = times(ann=10, bob=20, cy=30, di=31, eve=40)
    team_of = {"ann": "red", "eve": "red", "bob": "blue", "cy": "blue", "di": "blue"}
    standings = team_standings(made, team_of, count=2)
    assert [(s.place, s.name, s.result, s.members) for s in standings] == [
        ("=1", "blue", 50, ("bob", "cy")),
        ("=1", "red", 50, ("ann", "eve")),
    ]


def test_a_team_with_too_few_finishers_stands_below() -> None:
    made = board(("ann", finished(10)), ("bob", finished(20)), ("cy", finished(99)), ("di", dnf(50.0)))
    team_of = {"ann": "red", "di": "red", "bob": "blue", "cy": "blue", "zoe": "green"}
    standings = team_standings(made, team_of, count=2)
    assert [(s.place, s.name, s.result) for s in standings] == [("1", "blue", 119), ("2", "red", None)]


@given(boards, belonging, st.integers(1, 4))
def test_a_team_gains_nothing_by_leaving_somebody_out(made: Board, of: dict[str, str], count: int) -> None:
    whole = {s.name: s for s in team_standings(made, of, count)}
    for racer in of:
        for s in team_standings(made, {r: t for r, t in of.items() if r != racer}, count):
            before = whole[s.name]
            assert len(before.members) >= len(s.members)
            if s.result is not None:
                assert before.result is not None
                assert before.result <= s.result


def test_in_a_season_the_points_of_a_teams_best_add_up() -> None:
    table = season_table([times(ann=1, bob=2, cy=3, di=4)], ByPosition((9, 6, 3, 1)))
    teams = team_table(table, {"ann": "red", "di": "red", "bob": "blue", "cy": "blue", "zoe": "green"}, count=2)
    assert [(t.place, t.name, t.result, t.members) for t in teams] == [
        ("1", "red", 10, ("ann", "di")),
        ("2", "blue", 9, ("bob", "cy")),
    ]
    assert [t.place for t in team_table(table[:0], {}, 1)] == []


@given(st.lists(boards, max_size=3), belonging, st.integers(1, 4))
def test_a_team_has_the_points_of_its_best_members_and_of_no_others(
    rounds: list[Board], of: dict[str, str], count: int
) -> None:
    table = season_table(rounds)
    points = {row.racer: row.points for row in table}
    for team in team_table(table, of, count):
        mine = sorted((points[racer] for racer in points if of.get(racer) == team.name), reverse=True)
        assert team.result == sum(mine[:count])
        assert len(team.members) == min(count, len(mine))


def test_somebody_of_a_team_must_count() -> None:
    with pytest.raises(LeagueError, match="at least 1 member"):
        team_standings((), {}, 0)
    with pytest.raises(LeagueError, match="at least 1 member"):
        team_table((), {}, 0)
