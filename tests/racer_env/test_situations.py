"""Situations put together by hand are what the simulator would have measured."""

import pytest

from racer_env.params import PARAMS
from racer_env.situations import Object, situation, trial
from racer_env.track import Track, find_track


@pytest.fixture(scope="module", params=["oval", "straight"])
def track(request: pytest.FixtureRequest) -> Track:
    return find_track(request.param)


def test_a_situation_has_every_key_and_no_other(track: Track) -> None:
    assert list(situation(track, 0.5)) == list(PARAMS)
    assert list(situation(track, 0.5, objects=[Object(0.2)])) == list(PARAMS)


def test_the_front_of_the_car_is_where_it_was_asked_for(track: Track) -> None:
    found = situation(track, 0.4, left=0.3, turned=25.0, speed=2.5, steering=-10.0, steps=7)
    assert found["projection_distance"] == pytest.approx(0.4 * track.length, abs=0.02)
    assert found["distance_from_center"] == pytest.approx(0.3 * found["track_width"], abs=0.02)
    assert found["is_left_of_center"]
    assert (found["progress"], found["steps"]) == (pytest.approx(40.0), 7)
    assert (found["speed"], found["steering_angle"]) == (2.5, -10.0)


def test_a_car_far_aside_is_off_the_track_and_one_on_the_border_partly(track: Track) -> None:
    assert situation(track, 0.5, left=1.0)["is_offtrack"]
    on_border = situation(track, 0.5, left=-0.5)
    assert not on_border["is_offtrack"]
    assert not on_border["all_wheels_on_track"]
    assert situation(track, 0.5)["all_wheels_on_track"]


def test_objects_are_found_behind_and_ahead_and_around_the_line(track: Track) -> None:
    objects = [Object(0.7, left=0.25), Object(0.2, left=-0.25, speed=0.5)]
    assert situation(track, 0.5, objects=objects)["closest_objects"] == [1, 0]
    assert situation(track, 0.1, objects=objects)["closest_objects"] == [0, 1]
    assert situation(track, 0.9, objects=objects)["closest_objects"] == [0, 1]
    seen = situation(track, 0.5, objects=objects)
    assert seen["objects_distance"] == pytest.approx([0.7 * track.length, 0.2 * track.length])
    assert seen["objects_left_of_center"] == [True, False]
    assert seen["objects_speed"] == [0.0, 0.5]
    assert seen["objects_heading"][0] == 0.0


def test_an_object_close_ahead_is_seen_and_a_far_one_is_not(track: Track) -> None:
    ahead = 1.0 / track.length
    assert situation(track, 0.3, objects=[Object(0.3 + ahead)])["object_in_camera"]
    assert not situation(track, 0.3, objects=[Object(0.3 - ahead)])["object_in_camera"]


def test_a_trial_is_one_episode_from_the_start_to_the_line(track: Track) -> None:
    steps = trial(track)
    assert [s["steps"] for s in steps] == sorted({s["steps"] for s in steps})
    assert steps[0]["steps"] == 2
    assert steps[-1]["progress"] == 100.0
    assert any(s["is_offtrack"] for s in steps)
    assert {s["is_left_of_center"] for s in steps} == {True, False}
    assert all(s["objects_location"] == [] for s in steps)
    assert all(len(s["objects_location"]) == 1 for s in trial(track, [Object(0.5)]))
