"""Heats: the order of one run, of several, who starts where, and real drivers in one world."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import LeagueError
from league.heat_evaluation import DrivenHeat, race_heat
from league.heats import Finish, HeatResult, HeatRun, rotated, split, starting_grid
from league.races import RaceSettings, RaceType
from racer_env.bundle import Bundle
from racer_env.errors import BundleError
from racer_env.replay_file import digest, encode


def finish(time_ms: int | None, progress: float = 300.0) -> Finish:
    return Finish(time_ms, progress, None, 0, 0, 0, "lap_complete" if time_ms else "off_track")


def run(*finishes: Finish, seed: int = 0) -> HeatRun:
    return HeatRun(seed, tuple(range(len(finishes))), finishes)


def heat(*runs: HeatRun) -> HeatResult:
    return HeatResult(tuple("abcdefgh"[: len(runs[0].finishes)]), runs)


def board(result: HeatResult) -> list[tuple[int, str]]:
    return [(s.position, s.racer) for s in result.standings]


def test_finishers_stand_by_time_and_the_others_below_them_by_how_far_they_came() -> None:
    one = run(finish(None, 120.0), finish(30_000), finish(None, 250.0), finish(29_999))
    assert one.places == (4, 2, 3, 1)
    assert board(heat(one)) == [(1, "d"), (2, "b"), (3, "c"), (4, "a")]


def test_equal_milliseconds_share_a_place_and_the_grid_says_who_is_listed_first() -> None:
    result = heat(run(finish(30_000), finish(30_000), finish(31_000)))
    assert result.runs[0].places == (1, 1, 3)
    assert board(result) == [(1, "a"), (1, "b"), (3, "c")]
    assert result.winner == "a"
    assert [s.place for s in result.standings] == ["=1", "=1", "3"]


def test_of_two_racers_who_wins_the_majority_of_runs_wins_however_far_ahead_the_other_was() -> None:
    won, lost = run(finish(30_000), finish(30_001)), run(finish(None, 10.0), finish(20_000))
    result = heat(won, lost, won)
    assert board(result) == [(1, "a"), (2, "b")]
    assert [s.wins for s in result.standings] == [2, 1]
    assert result.shown == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=7).filter(lambda r: len(r) % 2))
def test_the_median_place_of_two_is_the_majority(times: list[tuple[int, int]]) -> None:
    result = heat(*(run(finish(a), finish(b)) for a, b in times))
    wins = sum(a < b for a, b in times), sum(b < a for a, b in times)
    if max(wins) > len(times) / 2:
        assert result.winner == "ab"[wins.index(max(wins))]


def test_equal_medians_are_decided_by_all_places_then_by_the_median_result() -> None:
    by_places = heat(
        run(finish(1), finish(2), finish(3)), run(finish(2), finish(1), finish(3)), run(finish(3), finish(2), finish(1))
    )
    assert [s.median_place for s in by_places.standings] == [2.0, 2.0, 3.0]
    assert board(by_places) == [(1, "b"), (2, "a"), (3, "c")]
    by_result = heat(run(finish(20), finish(21)), run(finish(30), finish(22)))
    assert board(by_result) == [(1, "b"), (2, "a")]


def test_a_racer_of_a_heat_is_in_every_run() -> None:
    with pytest.raises(LeagueError, match="all of them in each"):
        HeatResult(("a", "b"), (run(finish(1)),))
    with pytest.raises(LeagueError, match="at least one run"):
        HeatResult(("a", "b"), ())


def test_the_run_that_is_shown_has_the_winner_in_front() -> None:
    a_wins, b_wins = run(finish(1), finish(2)), run(finish(2), finish(1))
    assert heat(b_wins, a_wins, a_wins).shown == 1
    assert heat(b_wins, a_wins, b_wins).shown == 0


def test_the_grid_is_the_order_of_the_qualification_as_far_as_there_is_room() -> None:
    assert starting_grid("abcdef", 4) == ("a", "b", "c", "d")
    assert starting_grid("ab", 8) == ("a", "b")
    with pytest.raises(LeagueError, match="two racers or more, not 1"):
        starting_grid("a", 8)
    with pytest.raises(LeagueError, match="'b' twice"):
        starting_grid("abb", 8)


@given(st.integers(2, 40), st.integers(2, 8))
def test_more_racers_than_a_race_holds_are_shared_evenly(racers: int, cars: int) -> None:
    names = [f"r{k}" for k in range(racers)]
    if racers < 2 * -(-racers // cars):  # such as three for two: one would be alone
        return
    races = split(names, cars)
    assert sorted(name for race in races for name in race) == sorted(names)
    assert len(races) == -(-racers // cars)
    assert max(map(len, races)) - min(map(len, races)) <= 1
    assert [race[0] for race in races] == names[: len(races)]
    assert all(list(race) == sorted(race, key=names.index) for race in races)


def test_in_a_rotated_grid_everybody_starts_from_everywhere() -> None:
    assert [rotated(3, k) for k in range(4)] == [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)]


DUEL = RaceSettings(race_type=RaceType.HEAD_TO_HEAD, laps=1, time_limit=20.0, collision_penalty=1.0)


def bundles(follower: Callable[[float], Path], **speeds: float) -> dict[str, Bundle]:
    return {name: Bundle.open(follower(speed)) for name, speed in speeds.items()}


@pytest.fixture(scope="module")
def duel(road_follower: Callable[[float], Path]) -> DrivenHeat:
    return race_heat(bundles(road_follower, quick=1.2, slow=1.0), DUEL, (1, 2, 3))


def test_who_wins_most_runs_of_a_head_to_head_wins_and_the_front_of_the_grid_changes(duel: DrivenHeat) -> None:
    assert duel.result.winner == "quick"  # behind the slow one it runs into it and waits, in front it drives away
    assert [s.wins for s in duel.result.standings] == [2, 1]
    assert duel.result.runs[1].finishes[0].crash_count > duel.result.runs[0].finishes[0].crash_count == 0
    assert [one.grid for one in duel.result.runs] == [(0, 1), (1, 0), (0, 1)]
    assert [replay.names for replay in duel.replays] == [("quick", "slow"), ("slow", "quick"), ("quick", "slow")]
    assert duel.shown in duel.replays
    for one, replay in zip(duel.result.runs, duel.replays, strict=True):
        for slot, racer in enumerate(one.grid):
            assert sum(lap.time_ms for lap in replay.laps(slot)) == one.finishes[racer].time_ms
        assert one.replay_sha256 == digest(replay)
        assert len(one.trace_sha256) == 64


def test_the_same_heat_gives_the_same_result_and_the_same_replay(
    duel: DrivenHeat, road_follower: Callable[[float], Path]
) -> None:
    again = race_heat(bundles(road_follower, quick=1.2, slow=1.0), DUEL, (1, 2))
    assert again.result.runs == duel.result.runs[:2]
    assert [encode(replay) for replay in again.replays] == [encode(replay) for replay in duel.replays[:2]]


def test_a_grid_race_starts_in_the_order_of_the_qualification_in_every_run(
    road_follower: Callable[[float], Path],
) -> None:
    grid = replace(DUEL, race_type=RaceType.GRID, cars=3, time_limit=4.0, randomisation="mild")
    driven = race_heat(bundles(road_follower, pole=1.6, second=1.3, last=1.0), grid, (5, 6))
    assert [one.grid for one in driven.result.runs] == [(0, 1, 2)] * 2
    for one in driven.result.runs:
        came = [f.progress_percentage for f in one.finishes]
        assert all(f.time_ms is None and f.status == "time_up" for f in one.finishes)
        assert min(came) > 0.0
        assert [came[k] for k in sorted(range(3), key=one.places.__getitem__)] == sorted(came, reverse=True)
    assert [replay.names for replay in driven.replays] == [("pole", "second", "last")] * 2
    assert driven.result.runs[0].finishes != driven.result.runs[1].finishes  # the seeds draw other cars


def test_what_cannot_be_a_heat_is_said(road_follower: Callable[[float], Path]) -> None:
    two = bundles(road_follower, quick=1.2, slow=1.0)
    with pytest.raises(LeagueError, match="type head_to_head or grid, not time_trial"):
        race_heat(two, RaceSettings(), (1,))
    with pytest.raises(LeagueError, match="needs two racers, not 3"):
        race_heat({**two, "third": two["slow"]}, DUEL, (1,))
    with pytest.raises(LeagueError, match="at least one seed"):
        race_heat(two, DUEL, ())


def test_drivers_whose_lidars_differ_are_named(road_follower: Callable[[float], Path]) -> None:
    plain = bundles(road_follower, quick=1.2)["quick"]

    def with_sectors(count: int) -> Bundle:
        lidar = {"num_sectors": float(count), "num_values_per_sector": 1.0, "clipping_dist": 2.0}
        return replace(plain, metadata=replace(plain.metadata, sensors=("DISCRETIZED_SECTOR_LIDAR",), lidar=lidar))

    racers = {"eight": with_sectors(8), "again": with_sectors(8), "four": with_sectors(4)}
    with pytest.raises(BundleError, match=r"^four: its lidar_config is another than that of eight"):
        race_heat(racers, replace(DUEL, race_type=RaceType.GRID), (1,))


def test_a_driver_that_breaks_is_named(road_follower: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    two = bundles(road_follower, quick=1.2, slow=1.0)
    checked = Bundle.check_policy

    def broken(self: Bundle, policy: object, frames: int) -> None:
        if self is two["quick"]:
            raise BundleError("the graph answers with what is not a number")
        checked(self, policy, frames)  # type: ignore[arg-type]

    monkeypatch.setattr(Bundle, "check_policy", broken)
    with pytest.raises(BundleError, match=r"^quick: the graph answers"):
        race_heat(two, DUEL, (1,))
