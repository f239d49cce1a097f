"""Comparing laps: what one lap is against itself, against a slower one, and with a penalty in it."""

from dataclasses import replace

import numpy as np
import pytest

from racer_env.comparison import compare, lap_trace
from racer_env.driver import race
from racer_env.errors import ReplayError
from racer_env.race import EVALUATION, Race
from racer_env.render.comparison_picture import FIRST, SECOND, SIZE, draw_comparison
from racer_env.replay import Replay
from racer_env.replay_file import decode, encode
from racer_env.replay_recorder import ReplayRecorder
from racer_env.track import Track, find_track
from tests.racer_env.test_driver import METADATA, FollowState, Sleepy


def drive(track: Track, driver: FollowState, laps: int = 2) -> Replay:
    recorder = ReplayRecorder()
    race(driver, track, METADATA, replace(EVALUATION, laps=laps, time_limit=60.0), watch=recorder)
    return decode(encode(recorder.replays()[0]))


@pytest.fixture(scope="module")
def quick(oval: Track) -> Replay:
    return drive(oval, FollowState(2.0))


@pytest.fixture(scope="module")
def slow(oval: Track) -> Replay:
    return drive(oval, FollowState(1.6))


@pytest.fixture(scope="module")
def sleepy(oval: Track) -> Replay:
    return drive(oval, Sleepy(2.0), laps=1)


def test_a_lap_against_itself_has_no_difference(quick: Replay) -> None:
    lap = lap_trace(quick)
    same = compare(lap, lap)
    assert same.delta_ms == 0
    assert not same.delta.any()
    assert all(sector.delta_ms == 0 for sector in same.sectors)
    assert np.array_equal(same.speed[:, 0], same.speed[:, 1])
    assert np.ptp(same.steering) > 1.0


def test_a_lap_begins_and_ends_on_the_line_and_takes_its_time(quick: Replay) -> None:
    for number, lap in ((lap.number, lap) for lap in quick.laps()):
        trace = lap_trace(quick, number=number)
        assert (trace.share[0], trace.share[-1]) == (0.0, 1.0)
        assert (trace.time[0], trace.time[-1]) == (0.0, 0.001 * lap.time_ms)
        assert (np.diff(trace.share) > 0.0).all()
        assert (np.diff(trace.time) >= 0.0).all()


def test_a_flying_lap_passes_places_when_speed_and_way_say(quick: Replay, oval: Track) -> None:
    lap = lap_trace(quick, number=2)
    on_centre_line = np.gradient(lap.share * oval.length, lap.time)[5:-5]
    assert np.median(on_centre_line) == pytest.approx(np.median(lap.speed), rel=0.1)
    assert np.ptp(np.diff(lap.time)[1:-1]) < 1e-6


def test_the_difference_is_the_time_between_passing_a_place(quick: Replay, slow: Replay) -> None:
    compared = compare(lap_trace(quick, number=2), lap_trace(slow, number=2))
    assert compared.delta[0] == 0.0
    assert compared.delta[-1] == pytest.approx(0.001 * compared.delta_ms, abs=1e-9)
    assert compared.delta_ms > 0
    assert (np.diff(compared.delta) > -0.02).all()
    back = compare(compared.laps[1], compared.laps[0])
    assert np.allclose(back.delta, -compared.delta)
    assert [s.delta_ms for s in back.sectors] == [-s.delta_ms for s in compared.sectors]


@pytest.mark.parametrize("sectors", [1, 3, 7, (0.2, 0.5, 0.55)])
def test_sectors_add_up_to_the_lap(quick: Replay, slow: Replay, sectors: int | tuple[float, ...]) -> None:
    compared = compare(lap_trace(quick), lap_trace(slow), sectors)
    for which, lap in enumerate(compared.laps):
        assert sum(sector.times_ms[which] for sector in compared.sectors) == lap.time_ms
    assert compared.sectors[0].start == 0.0
    assert compared.sectors[-1].end == pytest.approx(float(compared.station[-1]))
    for sector in compared.sectors:
        assert all(low <= high for low, high in zip(sector.slowest, sector.fastest, strict=True))


def test_a_penalty_is_lost_where_the_car_left_the_track(quick: Replay, sleepy: Replay) -> None:
    lap = lap_trace(sleepy)
    assert lap.off_tracks == sum(event.kind == "off_track" for event in sleepy.events()) > 0
    compared = compare(lap_trace(quick, number=1), lap)
    lost = np.convolve(np.diff(compared.delta), np.ones(5), "same")
    assert lost.max() > 4.9  # s, within a hundredth of the lap
    frame = next(event.frame for event in sleepy.events() if event.kind == "off_track")
    share = 0.01 * float(sleepy.driven.progress[:frame, 0].max())
    assert np.argmax(lost > 1.0) / len(lost) == pytest.approx(share, abs=0.02)


def test_laps_of_different_tracks_or_directions_are_not_compared(quick: Replay) -> None:
    other = drive(find_track("oval", reverse=True), FollowState(2.0), laps=1)
    with pytest.raises(ReplayError, match=r"on oval, but .* on oval \(reversed\)"):
        compare(lap_trace(quick), lap_trace(other))


def test_what_is_not_there_is_said(quick: Replay, oval: Track) -> None:
    with pytest.raises(ReplayError, match="the cars 1 to 1, but no car 2"):
        lap_trace(quick, car=1)
    with pytest.raises(ReplayError, match="completed the laps 1, 2, but not 5"):
        lap_trace(quick, number=5)
    recorder = ReplayRecorder()
    race(FollowState(2.0), oval, METADATA, Race(time_limit=1.0), watch=recorder)
    with pytest.raises(ReplayError, match="completed no lap"):
        lap_trace(recorder.replays()[0])
    lap = lap_trace(quick)
    for sectors in (0, 21, (0.5, 0.4), (0.0,), (1.0,), (float("nan"),)):
        with pytest.raises(ReplayError, match="sectors"):
            compare(lap, lap, sectors)


def test_the_picture_has_both_colours_and_the_title_both_times(quick: Replay, slow: Replay) -> None:
    picture = draw_comparison(compare(lap_trace(quick), lap_trace(slow)))
    assert picture.size == SIZE
    pixels = np.asarray(picture).astype(int)
    for colour in (FIRST, SECOND):
        assert (np.abs(pixels - colour).max(axis=2) < 30).sum() > 500
    swapped = np.asarray(draw_comparison(compare(lap_trace(slow), lap_trace(quick)))).astype(int)
    assert not np.array_equal(pixels, swapped)
    draw_comparison(compare(lap_trace(quick), lap_trace(quick), 20))  # no difference, and many sectors
