"""One board by region and by team."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import LeagueError
from league.regions import regional, team_standings
from tests.league.boards import NAMES, Board, board, boards, dnf, finished, racers, times

belonging = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["EU", "NA", "APAC"]))


def test_a_region_has_its_own_positions_and_gaps() -> None:
    made = regional(times(ann=10, bob=20, cy=30, di=30), {"bob": "EU", "ann": "NA", "cy": "EU", "di": "EU"})
    assert list(made) == ["EU", "NA"]
    assert [(s.place, s.racer, s.gap_ms) for s in made["EU"]] == [("1", "bob", 0), ("=2", "cy", 10), ("=2", "di", 10)]
    assert [(s.place, s.racer, s.gap_ms) for s in made["NA"]] == [("1", "ann", 0)]


@given(boards, belonging)
def test_every_racer_with_a_region_is_on_its_board_in_the_same_order(made: Board, of: dict[str, str]) -> None:
    by_region = regional(made, of)
    assert sorted(racer for b in by_region.values() for racer in racers(b)) == sorted(set(of) & set(racers(made)))
    for region, b in by_region.items():
        assert racers(b) == [racer for racer in racers(made) if of.get(racer) == region]


def test_a_teams_score_is_the_sum_of_its_best() -> None:
    made = times(ann=10, bob=20, cy=30, di=31, eve=40)
    team_of = {"ann": "red", "eve": "red", "bob": "blue", "cy": "blue", "di": "blue"}
    standings = team_standings(made, team_of, members=2)
    assert [(s.place, s.team, s.time_ms, s.members) for s in standings] == [
        ("=1", "blue", 50, ("bob", "cy")),
        ("=1", "red", 50, ("ann", "eve")),
    ]


def test_a_team_with_too_few_finishers_stands_below() -> None:
    made = board(("ann", finished(10)), ("bob", finished(20)), ("cy", finished(99)), ("di", dnf(50.0)))
    team_of = {"ann": "red", "di": "red", "bob": "blue", "cy": "blue", "zoe": "green"}
    standings = team_standings(made, team_of, members=2)
    assert [(s.place, s.team, s.time_ms) for s in standings] == [("1", "blue", 119), ("2", "red", None)]


@given(boards, belonging, st.integers(1, 4))
def test_a_team_gains_nothing_by_leaving_somebody_out(made: Board, of: dict[str, str], members: int) -> None:
    whole = {s.team: s for s in team_standings(made, of, members)}
    for racer in of:
        for s in team_standings(made, {r: t for r, t in of.items() if r != racer}, members):
            before = whole[s.team]
            assert len(before.members) >= len(s.members)
            if s.time_ms is not None:
                assert before.time_ms is not None
                assert before.time_ms <= s.time_ms


def test_somebody_of_a_team_must_count() -> None:
    with pytest.raises(LeagueError, match="at least 1 member"):
        team_standings((), {}, 0)
