"""The exact places of other things on the track."""

import math
from dataclasses import replace

import numpy as np
import pytest

from racer_env.driver import PurePursuit
from racer_env.obstacles import INNER, OUTER, Bots, Obstacles
from racer_env.race import TIME_TRIAL
from racer_env.sensors.objects import BODIES, OBJECTS, RANGE
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track


@pytest.fixture(scope="module")
def kidney() -> Track:
    return find_track("kidney")


def test_it_tells_where_the_next_bodies_are_in_the_frame_of_the_car(kidney: Track) -> None:
    where = ((0.2, INNER), (0.24, OUTER), (0.6, INNER))
    world = Simulator(kidney, race=replace(TIME_TRIAL, obstacles=Obstacles(positions=where)), sensors=[OBJECTS])
    world.reset()
    x, y, yaw = kidney.poses(np.array([0.15 * kidney.length]))[0]
    world.place(0, x, y, yaw + 0.2)
    seen = world.observations["OBJECTS"][0].reshape(BODIES, 5)
    front = world.state.situation[0]
    for k in (0, 1):
        body = world.state.bodies[0, 1 + k]
        away = complex(body.x - front.x, body.y - front.y) * np.exp(-1j * (yaw + 0.2)) / RANGE
        np.testing.assert_allclose(seen[k], [1.0, away.real, away.imag, 0.0, 1.0], atol=1e-6)
    assert seen[2].tolist() == [0.0] * 5  # beyond the range


def test_what_was_passed_is_no_longer_told_and_on_a_loop_the_first_comes_after_the_last(kidney: Track) -> None:
    race = replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.05, INNER), (0.9, OUTER))))
    world = Simulator(kidney, race=race, sensors=[OBJECTS])
    world.reset()
    x, y, yaw = kidney.poses(np.array([0.97 * kidney.length]))[0]
    world.place(0, x, y, yaw)
    seen = world.observations["OBJECTS"][0].reshape(BODIES, 5)
    assert seen[:, 0].tolist() == [1.0, 0.0, 0.0]
    ahead = math.hypot(*(seen[0, 1:3] * RANGE))
    assert ahead == pytest.approx(0.08 * kidney.length, rel=0.2)


def test_bot_cars_and_rivals_are_told_with_their_speed(kidney: Track) -> None:
    race = replace(TIME_TRIAL, bots=Bots(1, speed=0.8), cars=2)
    world = Simulator(kidney, race=race, sensors=[OBJECTS], actions=PurePursuit.actions)
    world.reset()
    for _ in range(10):
        world.step(np.tile([[0.0, -0.5]], (2, 1)))
    behind = world.observations["OBJECTS"][1].reshape(BODIES, 5)
    assert behind[0, 0] == 1.0
    assert behind[0, 3] == pytest.approx(world.state.motion.speed[0] / 4.0)
    assert behind[1, 3] == pytest.approx(0.2)
