"""What one needs: the time is the slowest that will do, and the points are enough whatever others do."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.divisions import promoted
from league.errors import LeagueError
from league.finals import roll_down
from league.points import ByPosition, season_table
from league.projections import (
    ANY_TIME,
    ceiling,
    chance,
    outlook,
    time_for_position,
    time_for_promotion,
    time_for_seat,
)
from league.rules import Entry, Score, median_run, standings
from tests.league.boards import NAMES, START, Board, board, boards, dnf, finished, times

LATER = START + timedelta(days=1)


def with_time(made: Board, racer: str, time_ms: int) -> Board:
    """The board once a racer, who had nothing before, has driven this time, later than everybody."""
    return standings([*(s.entry for s in made if s.racer != racer), Entry(racer, 999, LATER, finished(time_ms))])


def position(made: Board, racer: str) -> int:
    return next(s.position for s in made if s.racer == racer)


@given(boards, st.integers(1, 20))
def test_the_time_for_a_position_gives_it_and_a_millisecond_more_does_not(made: Board, wanted: int) -> None:
    needed = time_for_position(made, "a", wanted)
    if needed == ANY_TIME:
        assert position(with_time(made, "a", 10**9), "a") <= wanted
    else:
        assert position(with_time(made, "a", needed), "a") <= wanted
        assert position(with_time(made, "a", needed + 1), "a") > wanted


@given(boards, st.sampled_from([10.0, 33.3, 50.0, 100.0]))
def test_the_time_for_a_promotion_gives_it_and_a_millisecond_more_does_not(made: Board, share: float) -> None:
    needed = time_for_promotion(made, "a", share)
    assert needed is not None
    if needed == ANY_TIME:
        assert "a" in promoted(with_time(made, "a", 10**9), share)
    else:
        assert "a" in promoted(with_time(made, "a", needed), share)
        assert "a" not in promoted(with_time(made, "a", needed + 1), share)


@given(boards, st.integers(1, 9), st.sets(st.sampled_from(NAMES[1:])))
def test_the_time_for_a_seat_gives_it_and_a_millisecond_more_does_not(made: Board, seats: int, taken: set[str]) -> None:
    needed = time_for_seat(made, "a", seats, taken)
    assert needed is not None
    if needed == ANY_TIME:
        assert "a" in roll_down(with_time(made, "a", 10**9), seats, taken)
    else:
        assert "a" in roll_down(with_time(made, "a", needed), seats, taken)
        assert "a" not in roll_down(with_time(made, "a", needed + 1), seats, taken)


def test_what_cannot_be_had_has_no_time() -> None:
    assert time_for_promotion(times(ann=1), "bob", 0.0) is None
    assert time_for_seat(times(ann=1), "ann", 3, {"ann"}) is None
    assert time_for_seat(times(ann=1), "bob", 0) is None
    with pytest.raises(LeagueError, match="the best position is 1, not 0"):
        time_for_position((), "ann", 0)


def test_a_dnf_is_beaten_by_any_finish() -> None:
    assert time_for_position(board(("ann", finished(9)), ("bob", dnf(99.0))), "cy", 2) == ANY_TIME


SCALE = ByPosition((3, 2))
ROUND = st.permutations(("ann", "bob", "cy"))


def boards_of(rounds: list[tuple[str, ...]]) -> list[Board]:
    return [times(**{racer: i for i, racer in enumerate(order, start=1)}) for order in rounds]


@given(st.lists(ROUND.map(tuple), max_size=3), st.integers(1, 2), st.none() | st.integers(1, 3), st.integers(1, 3))
def test_no_end_of_a_season_is_outside_of_the_outlook(
    rounds: list[tuple[str, ...]], left: int, best: int | None, wanted: int
) -> None:
    start = [times(ann=1, bob=1, cy=1), *boards_of(rounds)]
    seen = outlook(season_table(start, SCALE, best), "ann", wanted, left, SCALE.most, best)
    ends = []
    orders = [
        ("ann", "bob", "cy"),
        ("ann", "cy", "bob"),
        ("bob", "ann", "cy"),
        ("cy", "ann", "bob"),
        ("bob", "cy", "ann"),
    ]
    for rest in product(orders, repeat=left):
        table = season_table([*start, *boards_of(list(rest))], SCALE, best)
        row = next(row for row in table if row.racer == "ann")
        ends.append(row.position)
        assert seen.best <= row.position <= seen.worst
        assert row.points <= seen.most
        if seen.needed is not None and row.points >= seen.points + seen.needed:
            assert row.position <= wanted
    if seen.sure:
        assert max(ends) <= wanted
        assert seen.needed == 0
    if not seen.possible:
        assert min(ends) > wanted
        assert seen.needed is None


def test_the_points_to_the_title_count_what_others_can_still_have() -> None:
    table = season_table(boards_of([("ann", "bob", "cy"), ("ann", "bob", "cy")]), SCALE)
    seen = outlook(table, "ann", 1, 1, SCALE.most)
    assert (seen.points, seen.most, seen.best, seen.worst, seen.needed) == (6, 9, 1, 2, 2)
    assert (seen.sure, seen.possible) == (False, True)
    assert outlook(table, "ann", 2, 1, SCALE.most).sure
    assert not outlook(table, "cy", 1, 1, SCALE.most).possible
    assert outlook(table, "bob", 1, 1, SCALE.most).needed is None
    assert outlook(table, "bob", 3, 1, SCALE.most).needed == 0
    with pytest.raises(LeagueError, match="racer 'zoe' is not in the table"):
        outlook(table, "zoe", 1, 1, SCALE.most)
    with pytest.raises(LeagueError, match="the best position is 1"):
        outlook(table, "ann", 0, 1, SCALE.most)


def test_where_only_the_best_rounds_count_the_worst_drops_out() -> None:
    (row, *_) = season_table(boards_of([("ann", "bob", "cy"), ("bob", "ann", "cy")]), SCALE, best=2)
    assert row.points == 5
    assert ceiling(row, 1, SCALE.most, best=2) == 6
    assert ceiling(row, 1, SCALE.most) == 8


runs = st.lists(st.one_of(st.integers(1, 20).map(finished), st.integers(0, 20).map(dnf)), max_size=9)


@given(runs, st.integers(0, 21), st.integers(1, 9))
def test_a_chance_is_never_nothing_and_never_certain_and_grows_with_the_time(
    driven: list[Score], time: int, count: int
) -> None:
    likely = chance(driven, time, count)
    assert 0.0 < likely < 1.0
    assert likely <= chance(driven, time + 1, count)


def test_the_chance_of_a_submission_is_that_of_its_median_run() -> None:
    driven = [finished(9), finished(10), finished(11), dnf(50.0)]
    one = chance(driven, 10)
    assert one == pytest.approx(3 / 6)
    outcomes = list(product([True, False], repeat=5))
    middle = [[finished(1) if fast else finished(99) for fast in runs] for runs in outcomes]
    expected = sum(m[median_run(m)].time_ms == 1 for m in middle) / len(outcomes)
    assert chance(driven, 10, runs=5) == pytest.approx(expected)
    assert chance([], 10) == pytest.approx(0.5)
    with pytest.raises(LeagueError, match="driven at least once"):
        chance(driven, 10, 0)
