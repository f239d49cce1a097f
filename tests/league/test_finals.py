"""Seats that roll down, the order of a finale, and knockout groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import LeagueError
from league.finals import groups, roll_down, running_order, through
from tests.league.boards import NAMES, Board, board, boards, dnf, finished, racers, times


def test_a_seat_of_who_has_one_goes_to_the_next() -> None:
    made = times(ann=1, bob=2, cy=3, di=4)
    assert roll_down(made, 2) == ("ann", "bob")
    assert roll_down(made, 2, {"ann"}) == ("bob", "cy")
    assert roll_down(made, 9, {"bob"}) == ("ann", "cy", "di")


def test_a_seat_is_for_finishers_and_of_equal_ones_for_the_earlier() -> None:
    made = board(("ann", finished(2)), ("bob", finished(1)), ("cy", finished(2)), ("di", dnf(99.0)))
    assert roll_down(made, 2) == ("bob", "ann")
    assert len(roll_down(made, 4)) == 3


@given(boards, st.integers(0, 9), st.sets(st.sampled_from(NAMES)))
def test_seats_roll_down_to_the_best_without_one(made: Board, seats: int, taken: set[str]) -> None:
    won = roll_down(made, seats, taken)
    free = [s.racer for s in made if s.finished and s.racer not in taken]
    assert list(won) == free[:seats]
    assert roll_down(made, seats + 1, taken)[: len(won)] == won


@given(boards, st.integers(1, 9), st.sets(st.sampled_from(NAMES)))
def test_a_seat_taken_by_a_stranger_changes_nothing_and_by_a_winner_moves_one_up(
    made: Board, seats: int, taken: set[str]
) -> None:
    won = roll_down(made, seats, taken)
    assert roll_down(made, seats, taken | {"stranger"}) == won
    if won:
        assert roll_down(made, seats, taken | {won[0]})[: len(won) - 1] == won[1:]


def test_the_slowest_starts_first() -> None:
    assert running_order(times(ann=1, bob=2, cy=3), {"ann", "cy"}) == ("cy", "ann")


def test_groups_are_filled_to_and_fro() -> None:
    assert groups("abcdefghij", 4) == (("a", "h", "i"), ("b", "g", "j"), ("c", "f"), ("d", "e"))


@given(st.integers(1, 60), st.integers(1, 9))
def test_groups_are_as_equal_as_can_be(count: int, into: int) -> None:
    seeds = [str(i) for i in range(count)]
    if into > count:
        with pytest.raises(LeagueError, match="a group needs at least one racer"):
            groups(seeds, into)
        return
    made = groups(seeds, into)
    assert sorted(racer for group in made for racer in group) == sorted(seeds)
    assert max(map(len, made)) - min(map(len, made)) <= 1
    for k in range(count // into):
        pot = set(seeds[k * into : (k + 1) * into])
        assert all(len(pot & set(group)) == 1 for group in made)


def test_group_winners_are_the_best_seeds_by_their_times() -> None:
    first, second = times(ann=5, bob=6, cy=7), times(di=1, eve=9)
    assert through([first, second], 2) == ("di", "ann", "bob", "eve")
    assert through([first, second], 3) == ("di", "ann", "bob", "eve", "cy")


@given(st.lists(boards, min_size=1, max_size=4), st.integers(1, 5))
def test_the_best_of_each_group_go_through(made: list[Board], each: int) -> None:
    named = [times(**{f"{i}{s.racer}": n for n, s in enumerate(group, start=1)}) for i, group in enumerate(made)]
    won = through(named, each)
    assert sorted(won) == sorted(racer for group in named for racer in racers(group)[:each])
    assert [won.index(racer) for racer in racers(named[0])[:each]] == sorted(
        won.index(racer) for racer in racers(named[0])[:each]
    )


def test_racers_need_a_group() -> None:
    with pytest.raises(LeagueError, match="3 racers cannot be in 0 groups"):
        groups("abc", 0)
