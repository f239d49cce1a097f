"""What it costs to run into something, who is at fault, and where a car is put afterwards."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from racer_env.bodies import Kind
from racer_env.obstacles import INNER, OUTER, Bots, Obstacles
from racer_env.race import EVALUATION, OBJECT_AVOIDANCE, TIME_TRIAL, Status
from racer_env.simulator import Simulator
from racer_env.track import Track
from tests.racer_env.conftest import lane_of, world_of


def drive_into(world: Simulator, body: int, behind: float = 0.8, speed: float = 1.0) -> Any:
    """Put car 0 behind a body, drive straight on; gives the step in which something happens."""
    b = world.state.bodies[0, body]
    world.place(0, b.x - behind * math.cos(b.yaw), b.y - behind * math.sin(b.yaw), b.yaw, speed)
    share = (speed - 0.1) / 3.9 * 2.0 - 1.0
    for _ in range(30):
        step = world.step(np.tile([[0.0, share]], (world.n, 1)))
        if step.episode.status[0] != Status.IN_PROGRESS:
            return step
    raise AssertionError("nothing happened")


def test_running_into_a_box_ends_a_training_episode(kidney: Track) -> None:
    world = world_of(kidney, OBJECT_AVOIDANCE)
    step = drive_into(world, 2)
    assert step.done[0]
    assert step.episode.status[0] == Status.CRASHED
    assert world.params()[0]["is_crashed"] is True


def test_a_crash_is_told_when_a_corner_of_the_car_is_inside_the_rectangle(kidney: Track) -> None:
    world = world_of(kidney, OBJECT_AVOIDANCE)
    b = world.state.bodies[0, 2]
    c, s = math.cos(b.yaw), math.sin(b.yaw)
    reach = 0.25 + 0.5 * 0.32352
    for off, crashed in ((-1e-3, True), (1e-3, False)):
        world.place(0, b.x - (reach + off) * c, b.y - (reach + off) * s, b.yaw)
        assert world.state.situation[0].is_crashed == crashed


def test_after_a_crash_the_car_stands_a_metre_behind_the_box_on_the_other_lane(kidney: Track) -> None:
    race = replace(EVALUATION, obstacles=Obstacles(), collision_penalty=3.0)
    world = world_of(kidney, race)
    box, lane = world.state.bodies[0, 2].station, lane_of(world, kidney, 2)
    step = drive_into(world, 2)
    assert not step.done[0]
    assert step.episode.crash_count[0] == 1
    m = world.state.motion[0]
    station, distance = kidney.project(np.array([[m.x, m.y]]))[0, :2]
    assert (box - station) == pytest.approx(1.0, abs=0.1)
    assert distance == pytest.approx(0.25 * kidney.width, abs=0.05)
    assert lane_of(world, kidney, 0) == -lane
    pauses = 0
    while world.step(np.zeros((1, 2))).episode.status[0] == Status.PAUSE:
        pauses += 1
        assert not world.state.bodies[0, 0].solid
    assert pauses == pytest.approx(45, abs=1)


def test_a_put_back_behind_a_box_looks_for_the_box_before_it(kidney: Track) -> None:
    where = ((0.5, OUTER), (0.54, INNER))
    world = world_of(kidney, replace(EVALUATION, obstacles=Obstacles(positions=where)))
    first = world.state.bodies.station[0, 1]
    drive_into(world, 2, behind=0.5)
    m = world.state.motion[0]
    assert kidney.project(np.array([[m.x, m.y]]))[0, 0] == pytest.approx(first - 1.0, abs=0.1)
    assert lane_of(world, kidney, 0) == INNER


def test_mercy_puts_a_car_ahead_of_a_box_that_it_hit_three_times(kidney: Track) -> None:
    race = replace(EVALUATION, obstacles=Obstacles(), collision_penalty=0.0, mercy_resets=3)
    world = world_of(kidney, race)
    box = world.state.bodies[0, 2].station
    for hits in (1, 2, 3):
        drive_into(world, 2)
        m = world.state.motion[0]
        station = kidney.project(np.array([[m.x, m.y]]))[0, 0]
        assert station - box == pytest.approx(1.0 if hits == 3 else -1.0, abs=0.1)


def test_a_car_that_left_the_track_beside_a_box_is_put_behind_it_on_the_other_lane(kidney: Track) -> None:
    world = world_of(kidney, replace(EVALUATION, obstacles=Obstacles(positions=((0.1, OUTER),))))
    box = world.state.bodies[0, 1].station
    x, y, yaw = kidney.poses(np.array([box - 0.5]))[0]
    world.place(0, x, y, yaw, 0.5)
    world.step(np.zeros((1, 2)))
    world.step(np.zeros((1, 2)))
    left = kidney.width
    world.place(0, x - left * math.sin(yaw), y + left * math.cos(yaw), yaw, 0.5)
    step = world.step(np.zeros((1, 2)))
    assert step.episode.status[0] == Status.OFF_TRACK
    m = world.state.motion[0]
    assert kidney.project(np.array([[m.x, m.y]]))[0, 0] == pytest.approx(box - 1.0, abs=0.1)
    assert lane_of(world, kidney, 0) == INNER


def test_a_start_near_a_box_is_on_the_other_lane(kidney: Track) -> None:
    for lane in (INNER, OUTER):
        world = world_of(kidney, replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.03, lane),))))
        assert world.state.situation.distance_from_center[0] == pytest.approx(0.25 * kidney.width, abs=0.03)
        assert lane_of(world, kidney, 0) == -lane


def test_running_into_a_bot_car_from_behind_is_a_crash_and_the_car_stays_where_it_is(kidney: Track) -> None:
    world = world_of(kidney, replace(EVALUATION, bots=Bots(2, speed=0.2), collision_penalty=2.0))
    step = drive_into(world, 1)
    assert step.episode.status[0] == Status.CRASHED
    m = world.state.motion[0]
    where = (float(m.x), float(m.y))
    bot = world.state.bodies.station[0, 1]
    for _ in range(20):
        world.step(np.zeros((1, 2)))
        assert (float(m.x), float(m.y)) == where
    assert world.state.bodies.station[0, 1] > bot  # it drives on
    assert world.state.episode.crash_count[0] == 1


def test_a_bot_car_that_runs_into_a_car_ahead_stops_with_all_others_and_the_car_is_not_punished(kidney: Track) -> None:
    world = world_of(kidney, replace(EVALUATION, bots=Bots(2, speed=1.0), collision_penalty=2.0))
    b = world.state.bodies[0, 1]
    world.place(0, b.x + 0.28 * math.cos(b.yaw), b.y + 0.28 * math.sin(b.yaw), b.yaw)
    assert world.state.situation.bumped[0]
    step = world.step(np.array([[0.0, 1.0]]))
    assert step.episode.status[0] == Status.IN_PROGRESS
    assert world.params()[0]["is_crashed"] is False
    before = world.state.bodies.station[0, 1:].copy()
    for _ in range(20):
        world.step(np.array([[0.0, 1.0]]))
    np.testing.assert_array_equal(world.state.bodies.station[0, 1:], before)
    for _ in range(20):
        world.step(np.array([[0.0, 1.0]]))
    assert (world.state.bodies.station[0, 1:] > before).all()


def test_of_two_race_cars_the_one_behind_is_at_fault(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, cars=2))
    x, y, yaw = kidney.poses(np.array([2.0]))[0]
    world.place(0, x, y, yaw)
    world.place(1, x - 0.3 * math.cos(yaw), y - 0.3 * math.sin(yaw), yaw)
    assert world.state.situation.is_crashed.tolist() == [False, True]
    step = world.step(np.zeros((2, 2)))
    assert step.done.tolist() == [False, True]
    assert world.state.bodies.kind[0].tolist() == [Kind.CAR, Kind.NONE]  # who is out is not in the way


def test_of_two_cars_side_by_side_that_touch_the_one_behind_is_at_fault_however_little(kidney: Track) -> None:
    x, y, yaw = kidney.poses(np.array([2.0]))[0]
    c, s = math.cos(yaw), math.sin(yaw)
    for lag in (0.02, 0.1, 0.13):
        world = world_of(kidney, replace(TIME_TRIAL, cars=2))
        world.place(0, x - 0.09 * s, y + 0.09 * c, yaw)
        world.place(1, x - lag * c + 0.09 * s, y - lag * s - 0.09 * c, yaw)
        world.place(0, x - 0.09 * s, y + 0.09 * c, yaw)
        assert world.state.situation.is_crashed.tolist() == [False, True]


def one_is_out(track: Track, **more: Any) -> Simulator:
    """A world of two cars, of which the first has just left the track."""
    world = world_of(track, replace(TIME_TRIAL, cars=2, **more))
    x, y, yaw = track.poses(np.array([2.0]))[0]
    world.place(0, x + 2.0 * math.sin(yaw), y - 2.0 * math.cos(yaw), yaw)
    assert world.step(np.zeros((2, 2))).done.tolist() == [True, False]
    return world


def test_a_car_that_is_out_is_gone_at_once_and_back_after_the_reset(kidney: Track) -> None:
    world = one_is_out(kidney)
    assert world.state.bodies.kind[0].tolist() == [Kind.NONE, Kind.CAR]
    assert not world.state.situation.object_in_camera[1]
    world.reset()
    assert world.state.bodies.kind[0].tolist() == [Kind.CAR, Kind.CAR]
    assert world.state.bodies.solid[0].tolist() == [True, True]
    again, fresh = world.state.bodies[0], world_of(kidney, replace(TIME_TRIAL, cars=2, start=0.05)).state.bodies[0]
    np.testing.assert_allclose(again.station, fresh.station, atol=1e-9)


def test_a_car_that_is_out_stops_no_bot_car(kidney: Track) -> None:
    world = one_is_out(kidney, bots=Bots(1, speed=0.5))
    bot = world.state.bodies[0, 2]
    world.state.motion[0].x, world.state.motion[0].y, world.state.motion[0].yaw = bot.x, bot.y, bot.yaw
    rails = []
    for _ in range(10):
        world.step(np.zeros((2, 2)))
        rails.append(float(world.state.bodies.rail[0, 2]))
    assert (np.diff(rails) > 0.0).all()
