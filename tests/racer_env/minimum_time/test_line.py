"""The minimum-time line obeys its limits, beats every other line, and is as fast as independent computations say."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from racer_env.car import CARS, DEEPRACER_V4
from racer_env.errors import RacerError, TrackError
from racer_env.minimum_time import Limits, Line, minimum_curvature_line, minimum_time_line
from racer_env.minimum_time.limits import GRAVITY
from racer_env.track import Track, find_track

pytestmark = pytest.mark.jit


def friction(mu: float, beyond: float = 0.0) -> Limits:
    return Limits(4.0, mu * GRAVITY, mu * GRAVITY, -beyond)


#: The published computation's names of its assumptions.
ASSUMPTIONS = {
    "t_inf": friction(math.inf),
    "t_mu05": friction(0.5),
    "t_mu05_plus8cm": friction(0.5, 0.08),
    "t_mu07": friction(0.7),
    "t_mu10": friction(1.0),
}


def circle(radius: float, width: float = 0.6) -> Track:
    turn = np.linspace(0.0, 2.0 * math.pi, 201)[:, None]
    around = np.hstack((np.cos(turn), np.sin(turn)))
    route = np.hstack([r * around for r in (radius, radius - width / 2, radius + width / 2)])
    route[-1] = route[0]
    return Track.from_route(route, "circle")


@pytest.fixture(scope="module")
def kidney() -> Track:
    return find_track("kidney")


@pytest.fixture(scope="module")
def fastest(kidney: Track) -> Line:
    return minimum_time_line(kidney)


def test_a_circle_is_driven_on_its_inside_at_the_speed_of_its_grip() -> None:
    line = minimum_time_line(circle(1.5))
    inside = 1.2
    assert line.seconds == pytest.approx(2.0 * math.pi * math.sqrt(inside / (0.5 * GRAVITY)), rel=2e-3)
    np.testing.assert_allclose(np.hypot(*line.points.T), inside, atol=2e-3)
    np.testing.assert_allclose(line.curvature, 1.0 / inside, rtol=0.01)


def test_a_straight_is_driven_from_rest_at_full_acceleration() -> None:
    track, push = find_track("straight"), 0.5 * GRAVITY
    line = minimum_time_line(track, Limits(top_speed=3.0))
    reached = 3.0 / push
    assert line.seconds == pytest.approx(reached + (track.length - 0.5 * push * reached**2) / 3.0, rel=2e-3)
    assert (line.speed[0], line.speed[-1]) == (0.0, pytest.approx(3.0, rel=1e-3))


def test_the_line_keeps_to_the_road_and_inside_its_limits(kidney: Track, fastest: Line) -> None:
    assert kidney.contains(fastest.points).all()
    assert fastest.speed.max() <= 4.0
    seconds = np.append(np.diff(fastest.time), fastest.seconds - fastest.time[-1])
    velocity = (np.roll(fastest.points, -1, axis=0) - fastest.points) / seconds[:, None]
    push = (velocity - np.roll(velocity, 1, axis=0)) / (0.5 * (seconds + np.roll(seconds, 1)))[:, None]
    assert np.hypot(*push.T).max() <= 0.5 * GRAVITY * 1.001
    assert np.percentile(np.hypot(*push.T), 40) > 0.45 * GRAVITY  # and uses them
    assert fastest.seconds == pytest.approx(float(seconds.sum()))


def test_no_other_line_is_faster(kidney: Track, fastest: Line) -> None:
    smooth, short = minimum_curvature_line(kidney), minimum_time_line(kidney, friction(math.inf))
    assert short.length < fastest.length < smooth.length * 1.02
    assert fastest.seconds < smooth.seconds < 1.1 * fastest.seconds
    narrower = [minimum_time_line(kidney, replace(Limits(), margin=m)).seconds for m in (0.1, 0.3, 0.5)]
    assert [fastest.seconds, *narrower] == sorted([fastest.seconds, *narrower])
    assert minimum_time_line(kidney, friction(0.7)).seconds < fastest.seconds


def test_the_other_way_round_takes_as_long(fastest: Line) -> None:
    back = minimum_time_line(find_track("kidney", reverse=True))
    assert back.seconds == pytest.approx(fastest.seconds, rel=1e-3)
    assert np.sign(back.curvature.sum()) == -np.sign(fastest.curvature.sum())


def test_half_the_spacing_changes_hardly_anything(kidney: Track, fastest: Line) -> None:
    assert minimum_time_line(kidney, spacing=0.05).seconds == pytest.approx(fastest.seconds, rel=2e-3)


@pytest.mark.parametrize("name", ["deepracer_v4", "deepracer_v6"])
def test_a_cars_line_keeps_its_wheels_on_the_road_and_bends_no_sharper_than_it_can(name: str, kidney: Track) -> None:
    limits = Limits.of_car(CARS[name])
    line = minimum_time_line(kidney, limits)
    sideways = np.abs(line.curvature) * line.speed**2
    assert sideways.max() <= limits.grip_across * 1.02
    radius = limits.turning_radius + limits.understeer * line.speed**2
    assert (np.abs(line.curvature) * radius).max() <= 1.02
    apart = kidney.project(line.points)[:, 1]
    assert apart.max() <= 0.5 * kidney.width - limits.margin + 0.01


def test_turning_is_what_the_car_does_at_full_lock() -> None:
    limits = Limits.of_car(DEEPRACER_V4)
    assert limits.turning_radius + limits.understeer * 2.0**2 == pytest.approx(1.6, rel=0.1)  # measured at 2.03 m/s


def test_a_road_that_is_too_narrow_or_too_tight_and_limits_that_are_none_are_refused(kidney: Track) -> None:
    with pytest.raises(TrackError, match=r"1\.07 m wide at .* no room for a line 0\.6 m"):
        minimum_time_line(kidney, Limits(margin=0.6))
    with pytest.raises(TrackError, match=r"bend of .* turns on 5\.00 m"):
        minimum_time_line(kidney, Limits(turning_radius=5.0))
    with pytest.raises(RacerError, match="top_speed is nan"):
        Limits(top_speed=math.nan)


@pytest.mark.parametrize("name", ["slalom", "random:1"])
def test_open_and_random_tracks_have_one_too(name: str) -> None:
    track = find_track(name)
    line = minimum_time_line(track, Limits(margin=0.05))
    assert track.contains(line.points[1:-1]).all()
    assert line.length < track.length


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("reinvent_base", (*ASSUMPTIONS, "mincurv_mu05")),
        ("reInvent2019_track", ("t_mu05",)),
        ("Oval_track", ("t_mu05", "mincurv_mu05")),
    ],
)
def test_laps_agree_with_an_independent_computation(name: str, keys: tuple[str, ...], shared: Path) -> None:
    known = json.loads((shared / "data/lap_limits.json").read_text())[name]
    track = find_track(shared / f"data/tracks/{name}.npy")
    for key in keys:
        smooth = key == "mincurv_mu05"
        line = minimum_curvature_line(track) if smooth else minimum_time_line(track, ASSUMPTIONS[key])
        assert line.seconds == pytest.approx(known[key], rel=0.02), key
