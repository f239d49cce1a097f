"""One board by region."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from league.regions import regional
from tests.league.boards import NAMES, Board, boards, racers, times

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
