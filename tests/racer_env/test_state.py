"""The ``STATE`` vector is what its table says, computed anew with shapely."""

import math

import numpy as np
import pytest
import shapely

from racer_env.car import DEEPRACER_V4
from racer_env.driver import PurePursuit
from racer_env.kernel import Floats, Records
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track


def expected(track: Track, m: Records) -> Floats:
    """The table of `racer_env.sensors.state`, for one car."""
    line = shapely.LineString(track.centre)
    x, y = m.x + 0.14 * math.cos(m.yaw), m.y + 0.14 * math.sin(m.yaw)
    front = shapely.Point(x, y)
    station = line.project(front)
    vertices = np.append(0.0, np.cumsum(np.hypot(*np.diff(track.centre, axis=0).T)))
    i = min(int(np.searchsorted(vertices, station, side="right")), len(vertices) - 1)
    dx, dy = track.centre[i] - track.centre[i - 1]
    yaw = math.atan2(dy, dx)
    foot, inner, outer = line.interpolate(station), *map(shapely.LineString, (track.inner, track.outer))
    width = inner.interpolate(inner.project(foot)).distance(outer.interpolate(outer.project(foot)))
    left = dx * (y - foot.y) - dy * (x - foot.x)
    out = [math.copysign(foot.distance(front), left) / (0.5 * width), math.sin(m.yaw - yaw), math.cos(m.yaw - yaw)]
    out += [m.speed / 4.0, math.degrees(m.steering) / 30.0, m.yaw_rate / 5.0]
    for k in range(1, 11):
        s = station + 0.3 * k
        p = line.interpolate(s % line.length if track.closed else min(s, line.length))
        ahead = math.cos(m.yaw) * (p.x - x) + math.sin(m.yaw) * (p.y - y)
        out += [ahead / 3.0, (math.cos(m.yaw) * (p.y - y) - math.sin(m.yaw) * (p.x - x)) / 3.0]
    return np.asarray(np.clip(out, -1.0, 1.0))


@pytest.mark.parametrize("name", ["oval", "boomerang", "chicane", "straight"])
def test_the_vector_is_what_its_table_says(name: str) -> None:
    track = find_track(name)
    world = Simulator(track, DEEPRACER_V4, sensors=find_sensors(["STATE"]), n=3, actions=PurePursuit.actions)
    world.reset()
    rows = []
    for actions in np.random.default_rng(4).uniform(-1.0, 1.0, (12, 3, 2)).repeat(3, axis=0):
        step = world.step(actions)
        for m, row in zip(world.state.motion, step.observations["STATE"], strict=True):
            np.testing.assert_allclose(row, expected(track, m), atol=1e-6)
        rows.append(step.observations["STATE"].copy())
        world.reset(step.done)
    assert np.ptp(rows, axis=0).max() > 0.5


def test_the_vector_stays_within_its_space_wherever_a_car_is() -> None:
    track = find_track("oval")
    (sensor,) = find_sensors(["STATE"])
    world = Simulator(track, sensors=[sensor])
    world.reset()
    for x, y, yaw, speed in np.random.default_rng(6).uniform(-30.0, 30.0, (40, 4)):
        world.place(0, x, y, yaw, speed)
        assert sensor.space().contains(world.observations["STATE"][0])


def test_left_of_the_centre_line_is_positive() -> None:
    track = find_track("boomerang")
    world = Simulator(track, sensors=find_sensors(["STATE"]))
    world.reset()
    for station in np.linspace(0.1, 0.9, 9) * track.length:
        x, y, yaw = track.poses(np.array([station]))[0]
        for left in (0.2, 0.01, -0.01, -0.2):
            middle = (x - left * math.sin(yaw) - 0.14 * math.cos(yaw), y + left * math.cos(yaw) - 0.14 * math.sin(yaw))
            world.place(0, *middle, yaw)
            assert world.observations["STATE"][0, 0] == pytest.approx(left / (0.5 * track.width), rel=0.1)
