"""Random tracks: valid whatever is asked, as asked, repeatable, and the harder the more they turn."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import tracks
from racer_env.car import DEEPRACER_V6
from racer_env.driver import PurePursuit
from racer_env.errors import TrackError
from racer_env.race import EVALUATION
from racer_env.random_tracks import GAP, INSIDE_RADIUS, LONGEST, RandomTracks, named_track, random_track, shortest
from racer_env.simulator import Simulator
from racer_env.track import Track

SEEDS = st.integers(0, 2**32)


def turning(track: Track) -> float:
    """How far around all bends go, to either side, rad."""
    steps = np.diff(track.centre, axis=0)
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    return float(np.abs(np.angle(np.exp(1j * np.diff(headings)))).sum())


@settings(max_examples=25, deadline=None)
@given(st.floats(0.55, 2.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0), SEEDS)
def test_every_track_is_valid_and_as_long_and_wide_as_asked(
    width: float, share: float, difficulty: float, seed: int
) -> None:
    least = shortest(width) + 0.1
    length = least + share**2 * (60.0 - least)
    track = random_track(length, width, difficulty, seed)
    assert tracks.problems(track.route) == []
    assert track.closed
    assert track.length == pytest.approx(length, rel=0.01)
    measured = tracks.measure(track.route)
    assert measured.narrowest == pytest.approx(width, rel=0.005)
    assert measured.widest == pytest.approx(width, rel=0.005)
    assert measured.sharpest_radius > INSIDE_RADIUS + 0.5 * width - 0.03
    assert np.hypot(*np.diff(track.centre, axis=0).T).max() < 0.151


@pytest.mark.parametrize("seed", range(8))
def test_the_road_never_comes_near_itself(seed: int) -> None:
    track = random_track(30.0, 0.7, 1.0, seed)
    ring = shapely.LinearRing(track.centre)
    wider = ring.buffer(0.5 * (0.7 + GAP) - 0.01)
    assert isinstance(wider, shapely.Polygon)
    assert len(wider.interiors) == 1
    assert wider.area == pytest.approx(track.length * (0.7 + GAP - 0.02), rel=0.02)


def test_the_same_seed_gives_the_same_track_in_another_process() -> None:
    code = (
        "from racer_env.random_tracks import RandomTracks\n"
        "import hashlib; print(hashlib.sha256(RandomTracks().track(5, 2).route.tobytes()).hexdigest())"
    )
    said = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert said[0].stdout == said[1].stdout
    assert np.array_equal(random_track(20.0, 0.8, 0.6, 3).route, random_track(20.0, 0.8, 0.6, 3).route)


def test_other_seeds_and_indices_give_other_tracks_of_the_ranges() -> None:
    asked = RandomTracks(length=(18.0, 22.0), width=(0.7, 0.8), difficulty=(0.3, 0.4))
    made = [asked.track(seed, index) for seed in range(4) for index in range(4)]
    assert len({track.route.tobytes() for track in made}) == len(made)
    assert all(17.9 < track.length < 22.1 and 0.69 < track.width < 0.81 for track in made)
    assert {track.counter_clockwise for track in made} == {True, False}


def test_a_track_does_not_depend_on_those_drawn_before_it() -> None:
    first = RandomTracks().track(1, 5)
    for index in range(3):
        RandomTracks().track(1, index)
    assert np.array_equal(RandomTracks().track(1, 5).route, first.route)


def test_difficulty_turns_more_and_sharper() -> None:
    made = {d: [random_track(28.0, 0.8, d, seed) for seed in range(15)] for d in (0.0, 0.5, 1.0)}
    turns = [float(np.mean([turning(track) for track in some])) for some in made.values()]
    sharpest = [float(np.mean([tracks.measure(t.route).sharpest_radius for t in some])) for some in made.values()]
    assert turns[0] == pytest.approx(2.0 * math.pi, rel=0.03)
    assert turns[0] + 1.0 < turns[1] < turns[2] - 2.0
    assert sharpest[0] > 1.2 * sharpest[1] > 1.4 * sharpest[2]


def test_the_first_row_lies_in_the_middle_of_a_straight() -> None:
    for seed in range(5):
        centre = random_track(25.0, 0.9, 0.5, seed).centre
        before, after = centre[0] - centre[-3], centre[2] - centre[0]
        assert abs(before[0] * after[1] - before[1] * after[0]) < 1e-9


@pytest.mark.jit
@pytest.mark.parametrize("index", range(6))
def test_a_simple_driver_completes_a_lap(index: int) -> None:
    track = RandomTracks().track(11, index)
    rules = replace(EVALUATION, laps=1)
    simulator = Simulator(track, DEEPRACER_V6, rules, [], seed=0, actions=PurePursuit.actions)
    driver, done = PurePursuit(track, 1.0), False
    simulator.reset()
    while not done:
        step = simulator.step(driver.commands(simulator))
        done = bool(step.done[0] or step.episode[0].lap_milliseconds)
    assert step.episode[0].lap_milliseconds
    assert step.episode[0].off_track_count == 0


def test_a_name_is_a_seed_and_an_index() -> None:
    assert np.array_equal(named_track("random:4:2").route, RandomTracks().track(4, 2).route)
    assert named_track("random:4:2").name == "random:4:2"
    assert named_track("random:4").name == "random:4"
    backwards = named_track("random:4", reverse=True)
    assert np.array_equal(backwards.route, named_track("random:4").route[::-1])
    assert backwards.is_reversed


@pytest.mark.parametrize("name", ["random:", "random:x", "random:-1", "random:1:2:3", "random:1:", "random:²"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(TrackError, match="one is called like random:42"):
        named_track(name)


@pytest.mark.parametrize(
    ("length", "width", "difficulty", "seed", "sentence"),
    [
        (7.0, 1.0, 0.5, 0, "1 m wide cannot be 7 m long; 8.1 to 100 m are allowed"),
        (LONGEST + 1, 1.0, 0.5, 0, "cannot be 101 m long"),
        (math.nan, 1.0, 0.5, 0, "cannot be nan m long"),
        (25.0, 0.5, 0.5, 0, "cannot be 0.5 m wide; 0.55 to 2 m are allowed"),
        (25.0, 3.0, 0.5, 0, "cannot be 3 m wide"),
        (25.0, 1.0, 1.5, 0, "cannot have difficulty 1.5; 0 to 1 is allowed"),
        (25.0, 1.0, 0.5, -1, "the seed of a random track is -1, but must be 0 or more"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    length: float, width: float, difficulty: float, seed: int, sentence: str
) -> None:
    with pytest.raises(TrackError, match=sentence):
        random_track(length, width, difficulty, seed)


def test_ranges_are_checked_when_they_are_made() -> None:
    with pytest.raises(TrackError, match=r"length = .* but the least comes first"):
        RandomTracks(length=(30.0, 20.0))
    with pytest.raises(TrackError, match=r"1\.9 m wide cannot be 9 m long"):
        RandomTracks(length=(9.0, 20.0), width=(0.6, 1.9))
    with pytest.raises(TrackError, match="difficulty 2"):
        RandomTracks(difficulty=(0.0, 2.0))
