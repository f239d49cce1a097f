"""A lap and its ghost: both at their own pace, from the same moment on."""

from dataclasses import replace

import numpy as np
import pytest

from racer_env.comparison import lap_trace
from racer_env.errors import ReplayError
from racer_env.ghost import Choice, side_by_side
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import EVALUATION
from racer_env.render.replay_scene import ReplayScene
from racer_env.render.timing_tower import standings
from racer_env.replay import Replay
from racer_env.replay_file import decode, encode
from racer_env.track import Track, find_track
from tests.racer_env.test_comparison import drive
from tests.racer_env.test_driver import FollowState, Sleepy
from tests.racer_env.test_replay import drive as drive_autopilot


@pytest.fixture(scope="module")
def quick(oval: Track) -> Replay:
    return drive(oval, FollowState(2.0))


@pytest.fixture(scope="module")
def slow(oval: Track) -> Replay:
    return drive(oval, FollowState(1.6))


@pytest.mark.parametrize("lap", [1, 2])
def test_both_take_the_time_of_their_laps(quick: Replay, slow: Replay, lap: int) -> None:
    both = side_by_side(Choice(slow, 0, lap), Choice(quick, 0, lap))
    for car, of in enumerate((slow, quick)):
        (driven,) = both.laps(car)
        assert (driven.complete, driven.time_ms) == (True, of.laps()[lap - 1].time_ms)
        assert [event.kind for event in both.events(car)] == ["finish"]
    assert both.names == (f"car 1, lap {lap}",) * 2
    assert [line.car for line in standings(both, len(both) - 1)] == [1, 0]
    assert decode(encode(both)).header == both.header


@pytest.mark.parametrize("lap", [1, 2])
def test_each_is_where_it_was_at_that_time_of_its_lap(quick: Replay, slow: Replay, lap: int) -> None:
    both = side_by_side(Choice(slow, 0, lap), Choice(quick, 0, lap))
    now = np.arange(len(both)) / 15.0
    for car, of in enumerate((slow, quick)):
        trace = lap_trace(of, 0, lap)
        there = 100.0 * np.interp(now, trace.time, trace.share)
        present = both.driven.present[:, car]
        assert (
            np.abs(both.driven.progress[present, car] - there[present]).max() < 1.0
        )  # a lap from rest begins ahead of the line
    step = np.hypot(np.diff(both.driven.x, axis=0), np.diff(both.driven.y, axis=0))
    assert step.max() < 2.3 / 15.0
    assert step[:, 1].max() > 1.8 / 15.0


def test_a_lap_against_itself_is_one_car_twice(quick: Replay) -> None:
    both = side_by_side(Choice(quick, 0, 2), Choice(quick, 0, 2))
    for name in both.driven.dtype.names or ():
        assert np.array_equal(both.driven[name][:, 0], both.driven[name][:, 1])


def test_a_penalty_is_seen(oval: Track, quick: Replay) -> None:
    sleepy = drive(oval, Sleepy(2.0), laps=1)
    both = side_by_side(Choice(sleepy, name="Sleepy"), Choice(quick))
    assert both.names[0] == "Sleepy, lap 1"
    kinds = [event.kind for event in both.events(0)]
    assert kinds == [event.kind for event in sleepy.events()]
    assert both.driven.pause[:, 0].max() == sleepy.driven.pause.max() > 0
    ReplayScene(both, camera=False).draw(len(both) - 1)


def test_boxes_are_shown_and_bot_cars_are_not(oval: Track) -> None:
    (among,) = drive_autopilot(oval, replace(EVALUATION, laps=1, obstacles=Obstacles(2), bots=Bots(1)))
    both = side_by_side(Choice(among), Choice(among))
    assert [thing.kind for thing in both.header.things] == [3, 3]
    assert np.array_equal(both.things.x[0], among.things.x[0, :2])


def test_laps_that_do_not_go_together_are_refused(quick: Replay) -> None:
    other = drive(find_track("oval", reverse=True), FollowState(2.0), laps=1)
    with pytest.raises(ReplayError, match="was driven on oval, but"):
        side_by_side(Choice(quick), Choice(other))
    with pytest.raises(ReplayError, match="but not 7"):
        side_by_side(Choice(quick), Choice(quick, lap=7))
