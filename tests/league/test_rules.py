"""The laws of score and rank, and the published boards of the 2021 season."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.rules import Entry, Lap, Ranking, Score, Standing, among, median_run, score, standings
from tests.league.boards import (
    NOT_FINISHED,
    START,
    board,
    dnf,
    finished,
    needs_published,
    published_board,
    published_index,
    published_laps,
    published_rows,
    scores,
)

lap_values = st.builds(
    Lap,
    trial=st.just(1),
    time_ms=st.integers(1, 100_000),
    completion_percentage=st.sampled_from([100.0, 100.0, 100.0, 62.5, 0.0]),
    off_track_count=st.integers(0, 5),
)
lap_lists = st.lists(lap_values, max_size=8)


def driven(*times: int, off_tracks: Sequence[int] = ()) -> list[Lap]:
    """Valid laps; a negative time is that of an unfinished lap at 40 %."""
    counts = [*off_tracks, *[0] * (len(times) - len(off_tracks))]
    return [
        Lap(i + 1, abs(t), 100.0 if t >= 0 else 40.0, off_track_count=n)
        for i, (t, n) in enumerate(zip(times, counts, strict=True))
    ]


def places(made: Sequence[Standing]) -> list[tuple[str, str]]:
    return [(s.place, s.entry.racer) for s in made]


def test_the_best_lap_is_the_fastest_valid_lap() -> None:
    assert score(driven(9000, 8000, 8500), Ranking.BEST_LAP, 1).time_ms == 8000


def test_an_unfinished_lap_is_never_the_best_lap() -> None:
    assert score(driven(9000, -100), Ranking.BEST_LAP, 1).time_ms == 9000


def test_the_total_adds_up_valid_laps_only() -> None:
    assert score(driven(9000, 8000, 7000, -500), Ranking.TOTAL_TIME, 3).time_ms == 24000


def test_the_average_is_of_the_best_window_and_rounded_down() -> None:
    assert score(driven(9000, 8000, 8001, 9500), Ranking.AVERAGE_LAP, 2).time_ms == 8000


def test_a_window_does_not_reach_across_an_unfinished_lap() -> None:
    assert score(driven(9000, 9001, -10, 1000), Ranking.AVERAGE_LAP, 2).time_ms == 9000


@pytest.mark.parametrize("ranking", Ranking)
def test_a_drive_qualifies_by_valid_laps_in_a_row(ranking: Ranking) -> None:
    assert score(driven(9000, -10, 9000), ranking, 2).time_ms is None
    assert score(driven(-10, 9000, 9000), ranking, 2).time_ms is not None


@pytest.mark.parametrize("ranking", Ranking)
def test_nothing_driven_is_a_dnf_without_progress(ranking: Ranking) -> None:
    assert score([], ranking, 1) == Score(None, 0.0, 0, 0)


def test_a_dnf_keeps_its_progress_over_the_laps_it_completed() -> None:
    assert score(driven(9000, -9000), Ranking.TOTAL_TIME, 3) == Score(None, 140.0, 1, 0)
    assert score(driven(-9000), Ranking.TOTAL_TIME, 3).progress_percentage == 40.0


def test_off_tracks_are_those_of_the_laps_that_count() -> None:
    laps = driven(9000, 8000, 8500, off_tracks=[4, 1, 2])
    assert score(laps, Ranking.BEST_LAP, 1).off_track_count == 1
    assert score(laps, Ranking.AVERAGE_LAP, 2).off_track_count == 3
    assert score(laps, Ranking.TOTAL_TIME, 3).off_track_count == 7
    assert score(driven(-9000, off_tracks=[3]), Ranking.BEST_LAP, 1).off_track_count == 3


def test_with_a_flying_start_the_lap_before_the_line_counts_for_nothing_but_a_dnfs_distance() -> None:
    laps = driven(7000, 9000, 8000, off_tracks=[2, 1, 0])
    assert score(laps, Ranking.TOTAL_TIME, 2, flying_start=True) == Score(17_000, 200.0, 2, 1)
    assert score(laps, Ranking.BEST_LAP, 3, flying_start=True) == Score(None, 300.0, 2, 3)
    assert score(driven(-7000), Ranking.BEST_LAP, 1, flying_start=True) == Score(None, 40.0, 0, 0)
    assert score([], Ranking.BEST_LAP, 1, flying_start=True) == Score(None, 0.0, 0, 0)


@given(lap_lists, st.integers(1, 4))
def test_best_is_at_most_average_is_at_most_total(laps: list[Lap], minimum: int) -> None:
    order = (Ranking.BEST_LAP, Ranking.AVERAGE_LAP, Ranking.TOTAL_TIME)
    times = [score(laps, ranking, minimum).time_ms for ranking in order]
    finishes = [time for time in times if time is not None]
    assert len(finishes) in (0, 3)
    assert finishes == sorted(finishes)


@given(lap_lists.filter(bool), st.sampled_from(Ranking), st.integers(1, 3), st.data())
def test_a_slower_lap_never_improves_a_score(
    laps: list[Lap], ranking: Ranking, minimum: int, data: st.DataObject
) -> None:
    i = data.draw(st.integers(0, len(laps) - 1))
    slower = [*laps]
    slower[i] = Lap(1, laps[i].time_ms + 5000, laps[i].completion_percentage)
    assert score(laps, ranking, minimum).order <= score(slower, ranking, minimum).order


def test_of_an_odd_number_of_runs_the_middle_one_counts() -> None:
    assert median_run([finished(9000), finished(7000), finished(8000)]) == 2
    assert median_run([finished(9000)]) == 0


def test_of_an_even_number_of_runs_the_worse_of_the_middle_two_counts() -> None:
    assert median_run([finished(9000), finished(7000), finished(8000), finished(6000)]) == 2


def test_who_does_not_finish_half_of_the_runs_does_not_finish() -> None:
    assert median_run([finished(9000), dnf(50.0), finished(8000)]) == 0
    assert median_run([dnf(60.0), dnf(50.0), finished(8000)]) == 0
    assert median_run([finished(8000), dnf(90.0)]) == 1


def test_of_equal_runs_the_first_counts() -> None:
    assert median_run([finished(9000), finished(8000), finished(8000)]) == 1


runs = st.lists(st.one_of(st.integers(1, 20).map(finished), st.integers(0, 20).map(dnf)), min_size=1, max_size=9)


@given(runs)
def test_more_than_half_of_the_runs_are_as_good_as_the_one_that_counts(made: list[Score]) -> None:
    counted = made[median_run(made)]
    assert sum(s.order <= counted.order for s in made) * 2 > len(made)
    assert sum(s.order < counted.order for s in made) * 2 <= len(made)


@given(runs, st.data())
def test_a_better_run_never_makes_a_submission_worse(made: list[Score], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(made) - 1))
    better = [*made[:i], finished(0), *made[i + 1 :]]
    assert better[median_run(better)].order <= made[median_run(made)].order


def test_a_lap_counts_every_way_of_being_put_back() -> None:
    assert Lap(1, 9000, 100.0, "", 1, 2, 3, 4).reset_count == 10


def test_the_lower_score_stands_higher_and_gaps_count_from_the_winner() -> None:
    made = board(("ann", finished(9000)), ("bob", finished(8000)))
    assert places(made) == [("1", "bob"), ("2", "ann")]
    assert [s.gap_ms for s in made] == [0, 1000]


def test_a_racer_stands_with_the_best_submission_and_all_are_counted() -> None:
    made = board(("ann", finished(9000)), ("ann", dnf(50.0)), ("ann", finished(8000)), ("ann", finished(8500)))
    assert [(s.entry.submission, s.submissions) for s in made] == [(2, 4)]


def test_an_equal_score_does_not_replace_the_earlier_submission() -> None:
    made = board(("ann", finished(9000)), ("bob", finished(9000)), ("ann", finished(9000)))
    assert [(s.entry.racer, s.entry.submission) for s in made] == [("ann", 0), ("bob", 1)]


def test_equal_scores_share_the_position_earlier_submission_first_and_the_next_is_left_out() -> None:
    made = board(("ann", finished(9000)), ("bob", finished(8000)), ("cy", finished(9000)), ("di", finished(9500)))
    assert places(made) == [("1", "bob"), ("=2", "ann"), ("=2", "cy"), ("4", "di")]


def test_it_is_the_moment_that_orders_equal_scores_and_not_the_number() -> None:
    entries = [Entry("bob", 1, START + timedelta(seconds=9), finished(9000)), Entry("ann", 2, START, finished(9000))]
    assert places(standings(entries)) == [("=1", "ann"), ("=1", "bob")]


def test_at_the_same_moment_the_lower_submission_number_is_first() -> None:
    made = standings([Entry("bob", 2, START, finished(9000)), Entry("ann", 1, START, finished(9000))])
    assert places(made) == [("=1", "ann"), ("=1", "bob")]


def test_dnfs_stand_below_every_finisher_further_progress_first_and_have_no_gap() -> None:
    made = board(("ann", dnf(250.0)), ("bob", dnf(97.0)), ("cy", finished(999_999)), ("di", dnf(97.0)))
    assert places(made) == [("1", "cy"), ("2", "ann"), ("=3", "bob"), ("=3", "di")]
    assert [s.gap_ms for s in made] == [0, None, None, None]


def test_an_empty_race_has_an_empty_board() -> None:
    assert standings([]) == ()


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), scores), max_size=30), st.randoms())
def test_a_board_does_not_depend_on_the_order_it_is_made_from(made: list[tuple[str, Score]], random: Random) -> None:
    entries = [Entry(racer, i, START + timedelta(seconds=i), s) for i, (racer, s) in enumerate(made)]
    mixed = random.sample(entries, len(entries))
    assert standings(mixed) == standings(entries)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), scores), max_size=30))
def test_racers_share_a_position_exactly_if_their_scores_are_equal(made: list[tuple[str, Score]]) -> None:
    ranked = board(*made)
    assert len({s.entry.racer for s in ranked}) == len(ranked) == len({racer for racer, _ in made})
    for i, s in enumerate(ranked):
        better = [o for o in ranked if o.entry.score.order < s.entry.score.order]
        equal = [o for o in ranked if o.entry.score.order == s.entry.score.order]
        assert s.position == len(better) + 1 <= i + 1
        assert s.tied == (len(equal) > 1)


def test_some_of_a_board_are_ranked_among_themselves() -> None:
    made = board(("ann", finished(8000)), ("bob", finished(9000)), ("cy", finished(9000)), ("bob", finished(9500)))
    chosen = among(made, {"bob", "cy"})
    assert [(s.place, s.racer, s.gap_ms, s.submissions) for s in chosen] == [("=1", "bob", 0, 2), ("=1", "cy", 0, 1)]


def test_a_finisher_may_be_as_slow_as_a_day_is_long() -> None:
    made = board(("ann", dnf(299.9)), ("bob", finished(86_400_000)), ("cy", finished(86_000_000)))
    assert places(made) == [("1", "cy"), ("2", "bob"), ("3", "ann")]


def test_the_average_of_all_laps_is_the_total_over_their_number_rounded_down() -> None:
    laps = driven(9000, 8000, 8001)
    total, average = (score(laps, ranking, 3).time_ms for ranking in (Ranking.TOTAL_TIME, Ranking.AVERAGE_LAP))
    assert (total, average) == (25_001, 8333)


def test_each_submission_of_a_racer_is_scored_alone() -> None:
    first, second = driven(9000, -10, 9000), driven(8000, 9500, 9500)
    made = board(("ann", score(first, Ranking.AVERAGE_LAP, 2)), ("ann", score(second, Ranking.AVERAGE_LAP, 2)))
    assert made[0].entry.score.time_ms == 8750


@needs_published
@pytest.mark.parametrize("race", published_index(), ids=lambda race: race["file"][:10])
def test_a_published_board_comes_out_with_its_scores_and_its_order(race: dict[str, str]) -> None:
    rows, made = published_rows(race["file"]), published_board(race["file"])
    assert len(made) == len(rows) == int(race["entrants"])
    published = {row["Racer"]: row for row in rows}
    for s in made:
        said = int(published[s.racer]["RankingScore"])
        finished = int(published[s.racer]["LapCount"]) > 0
        assert s.finished == finished
        assert s.entry.score.time_ms == said if finished else s.entry.score.progress_percentage == NOT_FINISHED - said
    for position, equals in groupby(made, key=lambda s: s.position):
        ranks = sorted(int(published[s.racer]["Rank"]) for s in equals)
        assert ranks == list(range(position, position + len(ranks)))


@needs_published
@pytest.mark.parametrize("race", published_index(), ids=lambda race: race["file"][:10])
def test_the_published_averages_come_out_of_the_laps(race: dict[str, str]) -> None:
    for row in published_rows(race["file"]):
        laps = published_laps(row)
        average = score(laps, Ranking.AVERAGE_LAP, max(int(row["LapCount"]), 1)).time_ms
        assert average == (int(float(row["AvgLapTime"])) if int(row["LapCount"]) else None)


@needs_published
def test_every_published_row_of_the_season_is_checked() -> None:
    made = [published_board(race["file"]) for race in published_index()]
    assert (len(made), sum(map(len, made)), sum(not s.finished for b in made for s in b)) == (34, 17361, 6)
