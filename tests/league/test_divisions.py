"""Who moves between divisions, how many, and from when on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.divisions import Division, Roster, promoted, relegated, seats_up
from league.errors import LeagueError
from tests.league.boards import Board, board, boards, dnf, finished, racers, times

LADDER = (
    Division("Open", promoted=10.0),
    Division("Pro", promoted=5.0, relegated=20.0),
    Division("Elite", relegated=50.0),
)
shares = st.sampled_from([0.0, 0.1, 10.0, 12.5, 33.3, 50.0, 100.0])


def field(count: int) -> Board:
    """So many racers, r1 the fastest."""
    return times(**{f"r{i}": 1000 + i for i in range(1, count + 1)})


@pytest.mark.parametrize(
    ("racers", "per_cent", "up"),
    [
        (1075, 10.0, 108),
        (1070, 10.0, 107),
        (750, 4.4, 33),
        (1, 10.0, 1),
        (0, 10.0, 0),
        (1000, 0.1, 1),
        (1001, 0.1, 2),
        (9, 100.0, 9),
    ],
)
def test_the_share_that_moves_up_is_exact_and_rounded_up(racers: int, per_cent: float, up: int) -> None:
    assert seats_up(racers, per_cent) == up


def test_the_best_move_up_and_the_last_move_down() -> None:
    assert promoted(field(25), 10.0) == ("r1", "r2", "r3")
    assert relegated(field(25), 10.0) == ("r24", "r25")


def test_who_ties_with_the_last_that_moves_up_moves_up_and_with_the_last_that_stays_stays() -> None:
    made = times(ann=1000, bob=2000, cy=2000, di=3000)
    assert promoted(made, 50.0) == ("ann", "bob", "cy")
    assert relegated(made, 50.0) == ("di",)


def test_a_dnf_never_moves_up_and_moves_down_first() -> None:
    made = board(("ann", finished(1000)), ("bob", dnf(50.0)), ("cy", dnf(60.0)))
    assert promoted(made, 100.0) == ("ann",)
    assert relegated(made, 34.0) == ("bob",)


@given(boards, shares)
def test_nobody_moves_up_before_who_is_better_and_nobody_down_before_who_is_worse(made: Board, share: float) -> None:
    up, down = promoted(made, share), relegated(made, share)
    assert list(up) == racers(made)[: len(up)]
    assert list(down) == racers(made)[len(made) - len(down) :]
    assert len(up) >= seats_up(sum(s.finished for s in made), share)
    assert len(down) <= share * len(made) / 100 + 1e-9


@given(boards, st.sampled_from([(10.0, 90.0), (33.3, 66.7), (50.0, 50.0), (0.0, 100.0)]))
def test_nobody_of_one_division_moves_up_and_down(made: Board, share: tuple[float, float]) -> None:
    middle = (Division("C", promoted=0.0), Division("B", *share), Division("A"))
    start = Roster(middle)
    for s in made:
        start = start.placed(s.racer, "B", 0)
    after = start.after(0, {"B": made})
    for racer in racers(made):
        assert sum(move.racer == racer and move.month == 1 for move in after.moves) <= 1
        if racer in promoted(made, share[0]):
            assert after.division(racer, 1) == "A"


def test_everybody_begins_in_the_lowest_division() -> None:
    assert Roster(LADDER).division("ann", 0) == "Open"


def test_a_move_holds_from_the_next_month_on() -> None:
    roster = Roster(LADDER).after(2, {"Open": field(20)})
    assert [roster.division("r2", month) for month in (1, 2, 3, 9)] == ["Open", "Open", "Pro", "Pro"]
    assert roster.division("r3", 3) == "Open"


def test_who_does_not_race_stays() -> None:
    roster = Roster(LADDER).after(0, {"Open": field(10)}).after(1, {}).after(2, {"Pro": times(bob=1)})
    assert roster.division("r1", 3) == "Pro"


def test_moves_go_through_the_divisions_in_both_directions() -> None:
    roster = Roster(LADDER)
    for racer in ("r1", "r2", "r3", "r4", "r5"):
        roster = roster.placed(racer, "Pro", 0)
    roster = roster.placed("top", "Elite", 0)
    roster = roster.after(0, {"Pro": field(5), "Elite": times(top=1, other=2)})
    assert [roster.division(racer, 1) for racer in ("r1", "r4", "r5", "top")] == ["Elite", "Pro", "Open", "Elite"]


def test_a_result_in_a_division_that_is_not_ones_own_moves_nobody() -> None:
    roster = Roster(LADDER).placed("r1", "Pro", 0).after(0, {"Open": field(10)})
    assert roster.division("r1", 1) == "Pro"
    roster = Roster(LADDER).after(0, {"Elite": field(4)})
    assert roster.division("r4", 1) == "Open"


def test_a_placement_for_later_does_not_undo_what_comes_before_it() -> None:
    roster = Roster(LADDER).placed("r1", "Elite", 5).after(0, {"Open": field(10)})
    assert [roster.division("r1", month) for month in (0, 1, 4, 5)] == ["Open", "Pro", "Pro", "Elite"]


def test_what_divisions_cannot_be_is_refused_with_one_sentence() -> None:
    with pytest.raises(LeagueError, match=r"promoted of Open is 101\.0 %"):
        Division("Open", promoted=101.0)
    with pytest.raises(LeagueError, match="relegated of Open is nan %"):
        Division("Open", relegated=float("nan"))
    with pytest.raises(LeagueError, match=r"cannot promote 60\.0 % and relegate 50\.0 %"):
        Division("Open", 60.0, 50.0)
    with pytest.raises(LeagueError, match="need different names"):
        Roster((Division("Open"), Division("Open")))
    with pytest.raises(LeagueError, match="need different names"):
        Roster(())
    with pytest.raises(LeagueError, match="there is no division 'pro'; did you mean 'Pro'"):
        Roster(LADDER).after(0, {"pro": ()})
    with pytest.raises(LeagueError, match="there is no division"):
        Roster(LADDER).placed("ann", "Masters", 0)
