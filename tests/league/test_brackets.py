"""Single and double elimination: who meets whom, who goes on, who is out, and where everybody ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.bracket_heats import Heat, Vacant
from league.brackets import Bracket, Elimination, seeding
from league.errors import LeagueError
from tests.league.boards import dnf, finished

Referee = Callable[[Heat, Bracket], str]
SINGLE, DOUBLE = Elimination.SINGLE, Elimination.DOUBLE


def field(count: int) -> tuple[str, ...]:
    return tuple(f"r{i}" for i in range(1, count + 1))


def the_better_seed(heat: Heat, bracket: Bracket) -> str:
    return min((side for side in heat.sides if isinstance(side, str)), key=bracket.racers.index)


def raced(bracket: Bracket, referee: Referee) -> Bracket:
    """Race a bracket to its end."""
    while bracket.ready:
        heat = bracket.ready[0]
        bracket = bracket.won(heat.name, referee(heat, bracket))
    return bracket


def lost(bracket: Bracket) -> Counter[str]:
    """How many heats everybody has lost."""
    return Counter(heat.loser for heat in bracket.heats if isinstance(heat.loser, str))


@st.composite
def finished_brackets(draw: st.DrawFn, elimination: Elimination, third_place: bool = False) -> Bracket:
    made = Bracket(field(draw(st.integers(2, 20))), elimination, third_place)

    def any_side(heat: Heat, _: Bracket) -> str:
        return str(heat.sides[draw(st.integers(0, 1))])

    return raced(made, any_side)


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16, 32])
def test_the_seeds_of_every_pair_of_the_first_round_add_up_to_the_same(size: int) -> None:
    seeds = seeding(size)
    assert sorted(seeds) == list(range(1, size + 1))
    assert {a + b for a, b in zip(seeds[::2], seeds[1::2], strict=False)} <= {size + 1}


def test_eight_seeds_from_top_to_bottom() -> None:
    assert seeding(8) == (1, 8, 4, 5, 2, 7, 3, 6)


@pytest.mark.parametrize("count", range(2, 34))
@pytest.mark.parametrize("elimination", Elimination)
def test_if_the_better_seed_always_wins_everybody_ends_where_they_were_seeded(
    count: int, elimination: Elimination
) -> None:
    bracket = raced(Bracket(field(count), elimination), the_better_seed)
    assert bracket.champion == "r1"
    assert [bracket.places[racer] for racer in field(count)] == sorted(bracket.places.values())
    final = bracket.heat(f"W{(count - 1).bit_length()}.1")
    assert set(final.sides) == {"r1", "r2"}


@pytest.mark.parametrize("count", range(2, 20))
def test_the_best_seeds_have_the_byes(count: int) -> None:
    first = [heat for heat in Bracket(field(count)).heats if heat.name.startswith("W1.")]
    byes = {heat.winner for heat in first if heat.bye}
    assert byes == set(field(2 ** (count - 1).bit_length() - count))
    assert all(heat.ready for heat in first if not heat.bye)


@given(finished_brackets(SINGLE))
def test_in_a_single_elimination_everybody_but_the_champion_loses_once(bracket: Bracket) -> None:
    assert lost(bracket) == Counter(set(bracket.racers) - {bracket.champion})
    assert len(bracket.winners) == len(bracket.racers) - 1


@given(finished_brackets(DOUBLE))
def test_in_a_double_elimination_everybody_but_the_champion_loses_twice(bracket: Bracket) -> None:
    defeats = lost(bracket)
    assert bracket.champion is not None
    assert defeats.pop(bracket.champion, 0) <= 1
    assert defeats == Counter({racer: 2 for racer in bracket.racers if racer != bracket.champion})
    assert len(bracket.winners) in (2 * len(bracket.racers) - 2, 2 * len(bracket.racers) - 1)


@given(finished_brackets(DOUBLE))
def test_the_second_final_is_raced_only_if_it_is_needed(bracket: Bracket) -> None:
    first, second = bracket.heat("F1"), bracket.heat("F2")
    assert second.bye == (first.winner == first.sides[0])
    assert bracket.champion == (first.winner if second.bye else second.winner)


@given(st.one_of(finished_brackets(SINGLE), finished_brackets(DOUBLE), finished_brackets(SINGLE, third_place=True)))
def test_everybody_has_a_place_in_the_end_and_a_later_exit_is_a_better_one(bracket: Bracket) -> None:
    places = bracket.places
    assert set(places) == set(bracket.racers)
    assert list(places.values()) == sorted(places.values())
    assert places[str(bracket.champion)] == 1
    assert sorted(places.values())[1] == 2
    exits = {str(heat.loser): heat.round for heat in bracket.heats if heat.out}
    for a, b in zip(bracket.racers, bracket.racers[1:], strict=False):
        if a in exits and b in exits and exits[a] != exits[b]:
            assert (exits[a] > exits[b]) == (places[a] < places[b])
    for place, shared in Counter(places.values()).items():
        assert sum(other < place for other in places.values()) == place - 1
        assert shared >= 1


@given(st.data(), st.sampled_from(Elimination))
def test_a_place_once_known_never_changes(data: st.DataObject, elimination: Elimination) -> None:
    bracket = Bracket(field(data.draw(st.integers(2, 12))), elimination, elimination is SINGLE)
    known: dict[str, int] = {}
    while bracket.ready:
        heat = data.draw(st.sampled_from(bracket.ready))
        bracket = bracket.won(heat.name, str(data.draw(st.sampled_from(heat.sides))))
        assert known.items() <= bracket.places.items()
        known = bracket.places
    assert len(known) == len(bracket.racers)


@given(st.data(), st.sampled_from(Elimination))
def test_the_order_in_which_heats_are_raced_changes_nothing(data: st.DataObject, elimination: Elimination) -> None:
    strength = data.draw(st.permutations(field(data.draw(st.integers(2, 12)))))
    start = Bracket(field(len(strength)), elimination)

    def the_stronger(heat: Heat, _: Bracket) -> str:
        return min((str(side) for side in heat.sides), key=strength.index)

    bracket = start
    while bracket.ready:
        heat = data.draw(st.sampled_from(bracket.ready))
        bracket = bracket.won(heat.name, the_stronger(heat, bracket))
    assert bracket == raced(start, the_stronger)
    assert bracket.champion == strength[0]


@given(st.integers(5, 40), st.randoms())
def test_who_drops_to_the_losers_does_not_meet_at_once_whom_they_have_met(count: int, random: Random) -> None:
    bracket = raced(Bracket(field(count), DOUBLE), lambda heat, _: str(random.choice(heat.sides)))
    met = {frozenset(heat.sides) for heat in bracket.heats if heat.name.startswith("W") and not heat.bye}
    early = [heat for heat in bracket.heats if heat.name.startswith(("L1.", "L2.")) and not heat.bye]
    assert early
    assert all(frozenset(heat.sides) not in met for heat in early)


def test_the_losers_of_the_semifinals_race_for_the_third_place_if_asked() -> None:
    bracket = Bracket(field(4), third_place=True).won("W1.1", "r1").won("W1.2", "r2")
    assert {heat.name for heat in bracket.ready} == {"W2.1", "third"}
    assert bracket.places == {}
    bracket = bracket.won("W2.1", "r2")
    assert (bracket.champion, bracket.places) == ("r2", {"r2": 1, "r1": 2})
    assert bracket.won("third", "r4").places == {"r2": 1, "r1": 2, "r4": 3, "r3": 4}


def test_of_three_the_one_who_loses_the_semifinal_is_third() -> None:
    bracket = raced(Bracket(field(3), third_place=True), the_better_seed)
    assert bracket.places == {"r1": 1, "r2": 2, "r3": 3}


def test_two_may_meet_three_times_in_a_double_elimination() -> None:
    bracket = Bracket(field(2), DOUBLE).won("W1.1", "r1").won("F1", "r2")
    assert bracket.champion is None
    assert [heat.name for heat in bracket.ready] == ["F2"]
    assert bracket.won("F2", "r2").places == {"r2": 1, "r1": 2}


def test_the_better_score_wins_a_heat_and_of_equal_ones_the_better_seed() -> None:
    bracket = Bracket(field(4))
    assert bracket.scored("W1.1", {"r1": finished(9001), "r4": finished(9000)}).winners == {"W1.1": "r4"}
    assert bracket.scored("W1.1", {"r4": finished(9000), "r1": finished(9000)}).winners == {"W1.1": "r1"}
    assert bracket.scored("W1.1", {"r1": dnf(40.0), "r4": dnf(41.0)}).winners == {"W1.1": "r4"}
    assert bracket.scored("W1.1", {"r1": dnf(1.0), "r4": dnf(0.0), "r2": finished(1)}).winners == {"W1.1": "r1"}


def test_what_cannot_be_is_refused_with_one_sentence() -> None:
    bracket = Bracket(field(5))
    with pytest.raises(LeagueError, match="two or more different racers"):
        Bracket(("ann",))
    with pytest.raises(LeagueError, match="two or more different racers"):
        Bracket(("ann", "bob", "ann"))
    with pytest.raises(LeagueError, match="third place from the losers' bracket"):
        Bracket(field(4), DOUBLE, third_place=True)
    with pytest.raises(LeagueError, match=r"there is no heat 'w1\.2'; did you mean 'W1\.2'"):
        bracket.won("w1.2", "r4")
    with pytest.raises(LeagueError, match=r"heat W1\.1 is not raced; to be raced: W1\.2"):
        bracket.won("W1.1", "r1")
    with pytest.raises(LeagueError, match=r"heat W3\.1 has no racers yet"):
        bracket.won("W3.1", "r1")
    with pytest.raises(LeagueError, match=r"'r1' is not in heat W1\.2, but 'r4' and 'r5' are"):
        bracket.won("W1.2", "r1")
    with pytest.raises(LeagueError, match=r"heat W1\.2 has been won by r5"):
        bracket.won("W1.2", "r5").won("W1.2", "r4")
    with pytest.raises(LeagueError, match=r"'r5' is in heat W1\.2 and needs a score"):
        bracket.scored("W1.2", {"r4": finished(1)})
    with pytest.raises(LeagueError, match=r"heat W3\.1 has no racers yet"):
        bracket.scored("W3.1", {})
    with pytest.raises(LeagueError, match=r"heat W1\.2 of this bracket cannot have been won by 'r1'"):
        _ = Bracket(field(5), winners={"W1.2": "r1"}).heats
    with pytest.raises(LeagueError, match=r"heat W2\.1 of this bracket cannot have been won by 'r1'"):
        _ = Bracket(field(5), winners={"W2.1": "r1"}).heats
    with pytest.raises(LeagueError, match="heat W9 of this bracket"):
        _ = Bracket(field(5), winners={"W9": "r1"}).heats


def test_an_undecided_side_is_told_from_an_empty_one() -> None:
    bracket = Bracket(field(3))
    assert bracket.heat("W1.1").sides == ("r1", Vacant.NOBODY)
    assert bracket.heat("W2.1").sides == ("r1", Vacant.UNDECIDED)
