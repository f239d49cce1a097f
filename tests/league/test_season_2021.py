"""The AWS League's season of 2021, made again from its published boards by the rules of `Season()`.

What does not come out is told by number. Nothing in the boards says how racers were spread over the knockout groups,
why seven of them who had won no seat were there, or who met whom in the bracket.
"""

from __future__ import annotations

import pytest

from league.divisions import promoted
from league.finals import through
from league.seasons import Month, Season, Seat, Won
from tests.league.boards import needs_published, published_board, published_index, racers

pytestmark = needs_published

MONTHS = ("March", "April", "May", "June", "July", "August", "September", "October")
SEASON = Season()


def of(name: str, race_type: str, division: str) -> list[str]:
    """The files of races, in the order of the index."""
    return [
        race["file"]
        for race in published_index()
        if (race["name"], race["race_type"], race["division"]) == (name, race_type, division)
    ]


def month(name: str) -> Month:
    """One of the eight months in which both divisions raced."""
    (opened,) = of(f"{name} Qualifier", "TIME_TRIAL", "OPEN")
    (pro,) = of(f"{name} Qualifier", "HEAD_TO_HEAD_RACING", "PRO")
    (finale,) = of(f"{name} Qualifier", "OBJECT_AVOIDANCE", "PRO")
    return Month({"Open": published_board(opened), "Pro": published_board(pro)}, published_board(finale))


@pytest.fixture(scope="module")
def months() -> list[Month]:
    """The season: the qualifier before it, in which everybody was in the Open Division, and the eight months."""
    (before,) = of("2021 pre-season qualifier", "TIME_TRIAL", "")
    return [Month({"Open": published_board(before)}), *map(month, MONTHS)]


@pytest.fixture(scope="module")
def seats(months: list[Month]) -> tuple[Seat, ...]:
    (wildcard,) = of("Wildcard", "TIME_TRIAL", "")
    return SEASON.championship(months, published_board(wildcard))


def newcomers(months: list[Month]) -> list[list[str]]:
    """Who was on the Pro board of each month for the first time."""
    seen: set[str] = set()
    out = []
    for made in months[1:]:
        out.append([s.racer for s in made.boards["Pro"] if s.racer not in seen])
        seen.update(out[-1])
    return out


def test_who_came_from_open_to_pro_was_in_the_best_tenth_of_the_month_before(months: list[Month]) -> None:
    """448 of 451; the three others are of the first month, when AWS may have counted what it did not publish."""
    came = [
        [racer for racer in new if any(s.racer == racer for s in before.boards["Open"])]
        for new, before in zip(newcomers(months), months, strict=False)
    ]
    up = [promoted(made.boards["Open"], 10.0) for made in months]
    others = [[racer for racer in new if racer not in best] for new, best in zip(came, up, strict=False)]
    assert [len(new) for new in came] == [66, 61, 43, 25, 37, 92, 58, 69]
    assert [len(new) for new in others] == [3, 0, 0, 0, 0, 0, 0, 0]


def test_the_tenth_is_rounded_up(months: list[Month]) -> None:
    """The 108th of April's 1075 was Pro in May."""
    april, may = months[2].boards["Open"], months[3].boards["Pro"]
    (last,) = [s.racer for s in april if s.position == 108]
    assert len(april) == 1075
    assert last in [s.racer for s in may]


def test_the_roster_knows_who_was_pro(months: list[Month]) -> None:
    """476 of the 492 on the Pro boards; of the others eight had raced no qualifier before, and eight too slowly."""
    roster = SEASON.roster(months)
    pros = {racer: number for number, new in enumerate(newcomers(months), start=1) for racer in new}
    others = {racer: number for racer, number in pros.items() if roster.division(racer, number) != "Pro"}
    strangers = [
        racer
        for racer, number in others.items()
        if not any(s.racer == racer for made in months[:number] for s in made.boards["Open"])
    ]
    assert (len(pros), len(others), len(strangers)) == (492, 16, 8)


def test_some_who_moved_up_are_on_the_next_open_board_all_the_same(months: list[Month]) -> None:
    """65 of 1,056: AWS let them race, so that a board does not say who was in a division; a roster must."""
    up = [promoted(made.boards["Open"], 10.0) for made in months]
    stayed = [
        len(set(best) & {s.racer for s in after.boards["Open"]}) for best, after in zip(up, months[1:], strict=False)
    ]
    assert stayed == [1, 1, 1, 0, 0, 3, 21, 38]
    assert sum(map(len, up[:-1])) == 1056


def test_every_racer_of_every_finale_was_in_its_field(months: list[Month]) -> None:
    """All 123; five who were in a field did not race."""
    fields = [SEASON.finale_field(months[: number + 1]) for number in range(1, len(months))]
    raced = [[s.racer for s in made.finale] for made in months[1:]]
    assert [len(field) for field in fields] == [16] * 8
    assert [len(made) for made in raced] == [16, 16, 16, 16, 15, 14, 16, 14]
    assert all(set(made) <= set(field) for made, field in zip(raced, fields, strict=True))


def test_without_roll_down_the_fields_would_be_others(months: list[Month]) -> None:
    """From April on, two to eight of the best 16 had a seat already."""
    best = [[s.racer for s in made.boards["Pro"]][:16] for made in months[1:]]
    fields = [SEASON.finale_field(months[: number + 1]) for number in range(1, len(months))]
    assert [16 - len(set(b) & set(f)) for b, f in zip(best, fields, strict=True)] == [0, 2, 3, 3, 4, 4, 8, 8]


def test_eight_finales_gave_24_seats(months: list[Month]) -> None:
    finalists = SEASON.finalists(months)
    assert len({seat.racer for seat in finalists}) == len(finalists) == 24
    assert [sum(seat.month == number for seat in finalists) for number in range(9)] == [0, *[3] * 8]


def test_five_wildcards_roll_down_past_four_finalists(seats: tuple[Seat, ...]) -> None:
    (wildcard,) = of("Wildcard", "TIME_TRIAL", "")
    won = [seat.racer for seat in seats if seat.won is Won.WILDCARD]
    order = [s.racer for s in published_board(wildcard)]
    assert [order.index(racer) + 1 for racer in won] == [3, 4, 6, 8, 9]


def test_all_29_raced_in_the_knockout_groups(seats: tuple[Seat, ...]) -> None:
    groups = [racers(published_board(file)) for file in of("Knockouts", "OBJECT_AVOIDANCE", "")]
    there = [racer for group in groups for racer in group]
    assert [len(group) for group in groups] == [9, 10, 9, 8]
    assert len(set(there)) == len(there) == 36
    assert {seat.racer for seat in seats} <= set(there)
    assert len(seats) == 29


def test_the_best_four_of_each_group_were_the_bracket_of_16() -> None:
    boards = [published_board(file) for file in of("Knockouts", "OBJECT_AVOIDANCE", "")]
    (bracket,) = of("Bracket of 16", "HEAD_TO_HEAD_RACING", "")
    assert set(through(boards, SEASON.each)) == set(racers(published_board(bracket)))
    made = SEASON.bracket(boards)
    assert len(made.ready) == 8
    assert set(made.racers[:4]) == {board[0].racer for board in boards}
