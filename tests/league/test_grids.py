"""Grid races of any number of racers: who starts where, who goes on, who is out, and where everybody ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.bracket_heats import Heat
from league.errors import LeagueError
from league.grids import Grid

Judge = Callable[[Heat, tuple[str, ...]], Mapping[str, int]]


def field(count: int) -> tuple[str, ...]:
    return tuple(f"q{i}" for i in range(1, count + 1))


def as_they_start(_: Heat, starters: tuple[str, ...]) -> dict[str, int]:
    return {racer: place for place, racer in enumerate(starters, start=1)}


def raced(grid: Grid, judge: Judge) -> Grid:
    """Race a grid to its end."""
    while grid.ready:
        heat = grid.ready[0]
        grid = grid.raced(heat.name, judge(heat, grid.starters(heat.name)))
    return grid


@st.composite
def grids(draw: st.DrawFn, most: int = 100) -> Grid:
    return Grid(field(draw(st.integers(2, most))), draw(st.integers(3, 8)))


@st.composite
def finished_grids(draw: st.DrawFn, most: int = 60) -> Grid:
    """Grids in which anybody may come anywhere, several at once, and some do not start."""
    grid = draw(grids(most))
    while grid.ready:
        name = draw(st.sampled_from(grid.ready)).name
        starters = grid.starters(name)
        if draw(st.integers(0, 4)) == 0:
            grid = grid.without(name, draw(st.sampled_from(starters)))
            continue
        times = draw(st.lists(st.integers(1, 4), min_size=len(starters), max_size=len(starters)))
        grid = grid.raced(name, {r: 1 + sum(t < time for t in times) for r, time in zip(starters, times, strict=True)})
    return grid


@pytest.mark.parametrize("count", range(2, 101))
def test_with_no_surprises_the_order_of_the_qualification_comes_out(count: int) -> None:
    grid = raced(Grid(field(count), 8), as_they_start)
    assert list(grid.places.items()) == [(racer, place) for place, racer in enumerate(field(count), start=1)]
    assert grid.champion == "q1"


@pytest.mark.parametrize(
    ("count", "rounds"), [(2, [1]), (8, [1]), (9, [2, 1]), (20, [3, 1]), (64, [8, 1]), (65, [9, 2, 1])]
)
def test_as_few_heats_as_will_do_lead_to_a_final(count: int, rounds: list[int]) -> None:
    grid = Grid(field(count), 8)
    assert [len(heats) for heats in grid.rounds] == rounds
    assert grid.heats[-1].name == "final"


def test_twenty_racers_meet_in_three_heats_of_which_the_best_two_of_each_race_the_final() -> None:
    grid = Grid(field(20), 8)
    assert [heat.name for heat in grid.ready] == ["R1.1", "R1.2", "R1.3"]
    assert grid.starters("R1.1") == ("q1", "q6", "q7", "q12", "q13", "q18", "q19")
    grid = grid.raced("R1.1", {r: 7 - k for k, r in enumerate(grid.starters("R1.1"))})
    grid = grid.raced("R1.2", as_they_start(grid.heat("R1.2"), grid.starters("R1.2")))
    assert grid.places == {}
    grid = grid.raced("R1.3", as_they_start(grid.heat("R1.3"), grid.starters("R1.3")))
    assert grid.starters("final") == ("q2", "q3", "q19", "q4", "q5", "q18")
    assert list(grid.places)[:4] == ["q8", "q9", "q13", "q10"]
    assert grid.places["q1"] == 19
    assert grid.places["q8"] == 7


@given(grids())
def test_everybody_starts_once_in_the_first_round_and_heats_are_equally_full(grid: Grid) -> None:
    first = grid.rounds[0]
    assert Counter(racer for heat in first for racer in heat.sides) == Counter(grid.racers)
    sizes = [len(heat.sides) for heat in first]
    assert max(sizes) - min(sizes) <= 1
    assert 2 <= min(sizes) <= max(sizes) <= grid.cars
    if len(first) > 1:
        assert not any({"q1", "q2"} <= set(heat.sides) for heat in first)


@given(grids())
def test_every_round_sends_as_many_on_as_fill_one_heat_or_the_winner_of_each(grid: Grid) -> None:
    for heats, after in zip(grid.rounds, grid.rounds[1:], strict=False):
        onward = {len(heat.onward) for heat in heats}
        assert onward == {max(1, grid.cars // len(heats))}
        assert sum(len(heat.sides) for heat in after) == len(heats) * onward.pop()
    assert 2 <= len(grid.heats[-1].sides) <= grid.cars


@given(finished_grids())
def test_who_is_out_never_starts_again_and_who_is_not_starts_in_the_next_round(grid: Grid) -> None:
    for heats, after in zip(grid.rounds, grid.rounds[1:], strict=False):
        going = Counter(racer for heat in heats for racer in heat.onward)
        assert Counter(racer for heat in after for racer in heat.sides) == going
        assert not going.keys() & {r for heat in heats for r in grid.scratched.get(heat.name, ())}
    assert len(grid.heats[-1].sides) >= 2


@given(finished_grids())
def test_everybody_has_a_place_in_the_end_and_a_later_exit_is_a_better_one(grid: Grid) -> None:
    places = grid.places
    assert set(places) == set(grid.racers)
    assert list(places.values()) == sorted(places.values())
    assert places[str(grid.champion)] == 1
    for place in places.values():
        assert sum(other < place for other in places.values()) == place - 1
    last = {racer: heat.round for heat in grid.heats for racer in heat.sides}
    in_order = [last[racer] for racer in places]
    assert in_order == sorted(in_order, reverse=True)
    for heat in grid.heats:
        ends = [places[str(racer)] for racer in heat.order[len(heat.onward) :]]
        assert ends == sorted(ends)


@given(finished_grids())
def test_who_does_not_start_stands_behind_all_who_did(grid: Grid) -> None:
    for heat in grid.heats:
        away = grid.scratched.get(heat.name, frozenset())
        assert set(heat.order[len(heat.order) - len(away) :]) == away
        for racer in away:
            assert all(grid.places[racer] > grid.places[str(r)] for r in heat.order if r not in away)
    for heats in grid.rounds:
        scratched = {racer for heat in heats for racer in grid.scratched.get(heat.name, ())}
        started = {str(racer) for heat in heats for racer in heat.sides} - scratched
        assert all(grid.places[a] < grid.places[b] for a in started for b in scratched)


@given(st.data())
def test_a_place_once_known_never_changes(data: st.DataObject) -> None:
    grid = data.draw(grids(40))
    known: dict[str, int] = {}
    while grid.ready:
        name = data.draw(st.sampled_from(grid.ready)).name
        order = data.draw(st.permutations(grid.starters(name)))
        grid = grid.raced(name, {racer: place for place, racer in enumerate(order, start=1)})
        assert known.items() <= grid.places.items()
        known = grid.places
    assert len(known) == len(grid.racers)


@given(st.data())
def test_the_order_in_which_heats_are_raced_changes_nothing(data: st.DataObject) -> None:
    start = data.draw(grids(40))
    strength = data.draw(st.permutations(start.racers))

    def the_stronger(_: Heat, starters: tuple[str, ...]) -> dict[str, int]:
        return {racer: place for place, racer in enumerate(sorted(starters, key=strength.index), start=1)}

    grid = start
    while grid.ready:
        heat = data.draw(st.sampled_from(grid.ready))
        grid = grid.raced(heat.name, the_stronger(heat, grid.starters(heat.name)))
    assert grid == raced(start, the_stronger)
    assert grid.champion == strength[0]


def test_of_an_exact_tie_who_started_ahead_goes_on_and_in_the_final_both_share_the_position() -> None:
    grid = Grid(field(5), 4)
    grid = grid.raced("R1.1", dict.fromkeys(grid.starters("R1.1"), 1))
    assert grid.heat("R1.1").onward == ("q1", "q4")
    grid = grid.raced("R1.2", as_they_start(grid.heat("R1.2"), grid.starters("R1.2")))
    assert grid.starters("final") == ("q1", "q2", "q3", "q4")
    grid = grid.raced("final", {"q1": 3, "q2": 1, "q3": 1, "q4": 4})
    assert grid.places == {"q2": 1, "q3": 1, "q1": 3, "q4": 4, "q5": 5}
    assert grid.champion == "q2"


def test_who_is_left_alone_in_a_heat_has_won_it() -> None:
    grid = Grid(field(3), 8).without("final", "q1").without("final", "q3")
    assert (grid.champion, grid.places) == ("q2", {"q2": 1, "q1": 2, "q3": 2})
    assert grid.ready == ()


def test_who_is_scratched_is_out_even_where_there_is_room() -> None:
    grid = Grid(field(5), 8)
    assert [heat.name for heat in grid.heats] == ["final"]
    grid = Grid(field(9), 8).without("R1.2", "q7")
    grid = raced(grid, as_they_start)
    assert set(grid.heat("final").sides) == {"q1", "q2", "q3", "q4", "q5", "q6", "q8"}
    assert grid.places["q9"] == 8
    assert grid.places["q7"] == 9


def test_what_cannot_be_is_refused_with_one_sentence() -> None:
    grid = Grid(field(5), 4)
    with pytest.raises(LeagueError, match="two or more different racers"):
        Grid(("ann",), 8)
    with pytest.raises(LeagueError, match="two or more different racers"):
        Grid(("ann", "bob", "ann"), 8)
    with pytest.raises(LeagueError, match="room for three cars or more, not 2"):
        Grid(field(5), 2)
    with pytest.raises(LeagueError, match=r"there is no heat 'R1\.3'; did you mean 'R1"):
        grid.starters("R1.3")
    with pytest.raises(LeagueError, match=r"heat final has no racers yet; to be raced: R1\.1, R1\.2"):
        grid.raced("final", {"q1": 1})
    with pytest.raises(LeagueError, match=r"in heat R1\.2 start q2, q3, not q2"):
        grid.raced("R1.2", {"q2": 1})
    with pytest.raises(LeagueError, match=r"'q1' does not start in heat R1\.2, but q2, q3 do"):
        grid.without("R1.2", "q1")
    with pytest.raises(LeagueError, match=r"heat R1\.2 has been won by q3"):
        grid.without("R1.2", "q2").without("R1.2", "q3")
    with pytest.raises(LeagueError, match=r"heat R1\.2 of this grid cannot have been raced by q1"):
        _ = Grid(field(5), 4, results={"R1.2": {"q1": 1}}).heats
    with pytest.raises(LeagueError, match=r"this grid has no heat R9\.1"):
        _ = Grid(field(5), 4, results={"R9.1": {"q1": 1}}).heats
