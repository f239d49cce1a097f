"""What a round is worth, and the table that rounds add up to."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import LeagueError
from league.points import ByPosition, ByTime, Row, Scale, season_table
from tests.league.boards import Board, board, boards, dnf, finished, times

seasons = st.lists(boards, max_size=5)
scales: st.SearchStrategy[Scale] = st.sampled_from([ByPosition(), ByPosition((10, 5), finished=2, started=1), ByTime()])


def lines(table: tuple[Row, ...]) -> list[tuple[str, str, int]]:
    return [(row.place, row.racer, row.points) for row in table]


def test_a_position_is_worth_what_the_table_says() -> None:
    made = board(("ann", finished(1)), ("bob", finished(2)), ("cy", finished(3)), ("di", finished(4)), ("eve", dnf(5)))
    scale = ByPosition((10, 6), finished=2, started=1)
    assert scale.points(made) == {"ann": 10, "bob": 6, "cy": 2, "di": 2, "eve": 1}


def test_equal_scores_are_worth_the_same() -> None:
    assert ByPosition((10, 6, 4)).points(times(ann=1, bob=1, cy=2)) == {"ann": 10, "bob": 10, "cy": 4}


def test_points_by_time_are_the_winners_time_over_ones_own_rounded_down() -> None:
    made = board(("ann", finished(9000)), ("bob", finished(9001)), ("cy", finished(18_000)), ("di", dnf(99.0)))
    assert ByTime(1000).points(made) == {"ann": 1000, "bob": 999, "cy": 500, "di": 0}
    assert ByTime().points(board(("ann", dnf(5.0)))) == {"ann": 0}
    assert ByTime().points(()) == {}


@given(boards, scales)
def test_a_better_score_is_never_worth_less_and_an_equal_one_the_same(made: Board, scale: Scale) -> None:
    points = [scale.points(made)[s.racer] for s in made]
    assert points == sorted(points, reverse=True)
    assert len({(s.position, p) for s, p in zip(made, points, strict=True)}) == len({s.position for s in made})
    assert all(0 <= p <= scale.most for p in points)


def test_the_table_adds_up_the_best_rounds_and_says_which() -> None:
    rounds = [times(ann=1, bob=2), times(bob=1, ann=2), times(ann=1), times(bob=1, ann=2)]
    scale = ByPosition((10, 6))
    ann, bob = season_table(rounds, scale, best=2)
    assert (ann.racer, ann.points, ann.rounds, ann.counts) == ("ann", 20, (10, 6, 10, 6), (True, False, True, False))
    assert (bob.points, bob.rounds, bob.counts) == (20, (6, 10, None, 10), (False, True, False, True))
    assert [row.points for row in season_table(rounds, scale)] == [32, 26]


def test_equal_points_are_ordered_by_the_better_finishes() -> None:
    scale = ByPosition((9, 6, 3))
    rounds = [times(ann=1, bob=2, cy=3), times(x=1, bob=2, ann=3), times(y=1, cy=2)]
    assert lines(season_table(rounds, scale))[:4] == [
        ("1", "ann", 12),
        ("2", "bob", 12),
        ("=3", "x", 9),
        ("=3", "y", 9),
    ]


def test_who_cannot_be_told_apart_shares_a_position_and_the_next_is_left_out() -> None:
    rounds = [times(ann=1, bob=2, cy=3), times(bob=1, ann=2, di=3)]
    assert [place for place, *_ in lines(season_table(rounds))] == ["=1", "=1", "=3", "=3"]


def test_an_empty_season_has_an_empty_table() -> None:
    assert season_table([]) == season_table([(), ()]) == ()


@given(seasons, scales, st.none() | st.integers(1, 4))
def test_the_points_are_those_of_the_rounds_that_count_and_no_choice_is_better(
    rounds: list[Board], scale: Scale, best: int | None
) -> None:
    for row in season_table(rounds, scale, best):
        counted = [points or 0 for points, counts in zip(row.rounds, row.counts, strict=True) if counts]
        assert sum(counted) == row.points
        assert len(counted) == min(len([p for p in row.rounds if p is not None]), best or len(rounds))
        assert row.points == sum(sorted((p or 0 for p in row.rounds), reverse=True)[:best])


@given(seasons, scales)
def test_more_rounds_that_count_never_cost_points(rounds: list[Board], scale: Scale) -> None:
    few, many = ({row.racer: row.points for row in season_table(rounds, scale, best)} for best in (1, 3))
    assert all(few[racer] <= many[racer] for racer in many)


@given(seasons, st.randoms())
def test_the_order_of_rounds_changes_no_points_and_no_position(rounds: list[Board], random: Random) -> None:
    mixed = random.sample(rounds, len(rounds))
    assert lines(season_table(rounds, best=2)) == lines(season_table(mixed, best=2))


@given(seasons)
def test_everybody_who_raced_is_in_the_table_once_in_order_of_points(rounds: list[Board]) -> None:
    table = season_table(rounds)
    assert sorted(row.racer for row in table) == sorted({s.racer for made in rounds for s in made})
    assert [row.points for row in table] == sorted((row.points for row in table), reverse=True)
    assert [row.position for row in table] == sorted(row.position for row in table)
    for i, row in enumerate(table):
        assert row.position <= i + 1
        assert row.tied == (sum(other.position == row.position for other in table) > 1)


@pytest.mark.parametrize("table", [(), (5, 10), (5, -1)])
def test_a_table_of_points_falls(table: tuple[int, ...]) -> None:
    with pytest.raises(LeagueError, match="points must be whole numbers that fall"):
        ByPosition(table)


def test_a_table_that_pays_a_dnf_more_than_a_finish_or_nothing_counts_is_refused() -> None:
    with pytest.raises(LeagueError, match="that fall from the winner's to a DNF's"):
        ByPosition((3, 2), finished=1, started=2)
    with pytest.raises(LeagueError, match="at least 1 point"):
        ByTime(0)
    with pytest.raises(LeagueError, match="at least the best 1"):
        season_table([], best=0)
