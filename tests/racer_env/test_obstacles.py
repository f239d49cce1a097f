"""What is in the way: where it stands, how it drives, and what it costs to run into it."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from racer_env.bodies import Kind
from racer_env.driver import PurePursuit
from racer_env.errors import RacerError
from racer_env.obstacles import INNER, OUTER, Bots, Obstacles
from racer_env.race import HEAD_TO_BOT, OBJECT_AVOIDANCE, TIME_TRIAL, Race
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track
from tests.racer_env.conftest import lane_of, world_of


def test_obstacles_are_evenly_spaced_and_lanes_take_turns_from_the_inner_one(kidney: Track) -> None:
    world = world_of(kidney, OBJECT_AVOIDANCE)
    boxes = world.state.bodies[0, 1:]
    assert (boxes.kind == Kind.BOX).all()
    np.testing.assert_allclose(np.diff(boxes.rail), (kidney.length - 1.0 - 0.02 * kidney.length) / 5)
    assert [lane_of(world, kidney, j) for j in range(1, 7)] == [INNER, OUTER] * 3


def test_a_list_of_positions_is_followed(kidney: Track) -> None:
    where = ((0.2, OUTER), (0.25, OUTER), (0.7, INNER))
    world = world_of(kidney, replace(TIME_TRIAL, obstacles=Obstacles(positions=where)))
    np.testing.assert_allclose(world.state.bodies.station[0, 1:] / kidney.length, [0.2, 0.25, 0.7], atol=0.005)
    assert [lane_of(world, kidney, j) for j in (1, 2, 3)] == [OUTER, OUTER, INNER]


def test_obstacles_stand_in_the_middle_of_a_lane_and_head_along_it(kidney: Track) -> None:
    boxes = world_of(kidney, OBJECT_AVOIDANCE).state.bodies[0, 1:]
    np.testing.assert_allclose(boxes.distance_from_center, 0.25 * kidney.width, atol=0.02)
    there = kidney.poses(boxes.station)
    assert np.abs(np.sin(boxes.yaw - there[:, 2])).max() < 0.25  # the polyline of the centre bends at its vertices


def test_random_obstacles_keep_their_distance_and_are_drawn_anew_at_each_reset(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, obstacles=Obstacles(5, random=True, least_gap=0.1)), 4)
    seen = []
    for _ in range(5):
        stations = np.sort(world.state.bodies.station[:, 1:], axis=1)
        assert np.diff(stations, axis=1).min() >= 0.1 * kidney.length - 0.05
        assert stations.max() <= kidney.length - 1.0 + 0.05
        seen.append(stations)
        world.reset()
    assert len({str(s) for s in seen}) == 5
    assert len({str(s) for s in seen[0]}) == 4
    lanes = world.state.bodies.lane[:, 1:]
    assert set(np.unique(lanes)) == {INNER, OUTER}


def test_car_seven_meets_the_same_obstacles_however_many_cars_there_are(kidney: Track) -> None:
    race = replace(TIME_TRIAL, obstacles=Obstacles(5, random=True))
    few, many = world_of(kidney, race, 8, seed=3), world_of(kidney, race, 20, seed=3)
    assert few.state.bodies[7].tolist() == many.state.bodies[7].tolist()
    assert few.state.bodies[7].tolist() != world_of(kidney, race, 8, seed=4).state.bodies[7].tolist()


def test_a_bot_car_drives_at_its_speed_and_never_leaves_its_lane(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, bots=Bots(2, speed=1.0), immobilized_steps=10**6))
    lanes, before = [lane_of(world, kidney, j) for j in (1, 2)], world.state.bodies[0, 1:].copy()
    still = np.tile([[0.0, -1.0]], (1, 1))
    for _ in range(150):
        world.step(still)
        assert [lane_of(world, kidney, j) for j in (1, 2)] == lanes
        now = world.state.bodies[0, 1:].copy()
        assert (now.distance_from_center < 0.3 * kidney.width).all()
        np.testing.assert_allclose(np.hypot(now.x - before.x, now.y - before.y) * 15, 1.0, atol=0.03)
        before = now


def test_a_bot_car_changes_lanes_within_a_metre_and_goes_on_there(kidney: Track) -> None:
    bots = Bots(1, speed=0.5, lane_changes=True, lane_time=(3.0, 5.0))
    world = world_of(kidney, replace(TIME_TRIAL, bots=bots, immobilized_steps=10**6))
    lanes = []
    for _ in range(900):
        world.step(np.array([[0.0, -1.0]]))
        lanes.append(float(world.state.bodies.lane[0, 1]))
    changing = [abs(lane) < 1.0 for lane in lanes]
    starts = [k for k in range(1, 900) if changing[k] and not changing[k - 1]]
    ends = [k for k in range(1, 900) if not changing[k] and changing[k - 1]]
    assert len(starts) >= 6
    for begin, end in zip(starts, ends, strict=False):
        assert abs((end - begin) - 1.0 / 0.5 * 15) <= 2  # a metre at 0.5 m/s
        assert lanes[end] == -lanes[begin - 1]
    waits = [(b - e) / 15 for e, b in zip(ends, starts[1:], strict=False)]
    assert 2.9 <= min(waits) <= max(waits) <= 5.1
    assert len(set(waits)) > 1


def test_a_lane_change_has_no_jump(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, bots=Bots(1, speed=1.5, lane_changes=True), immobilized_steps=10**6))
    before = None
    for _ in range(300):
        world.step(np.array([[0.0, -1.0]]))
        body = world.state.bodies[0, 1]
        if before is not None:
            assert math.hypot(body.x - before[0], body.y - before[1]) < 1.8 * 1.5 / 15
            assert abs(math.sin(body.yaw - before[2])) < 0.45
        before = (float(body.x), float(body.y), float(body.yaw))


def test_params_after_a_reset_are_those_of_the_new_episode(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, obstacles=Obstacles(4, random=True)))
    world.step(np.zeros((1, 2)))
    world.reset()
    assert world.params()[0]["objects_distance"] == world.state.bodies.station[0, 1:].tolist()


def test_on_an_open_track_no_car_starts_in_another() -> None:
    world = world_of(find_track("straight"), replace(TIME_TRIAL, cars=4, advance=0.0))
    np.testing.assert_allclose(world.state.bodies.station[0], [2.25, 1.5, 0.75, 0.0], atol=1e-6)
    assert not world.state.situation.is_crashed.any()


def test_race_cars_start_in_two_rows_one_behind_the_other(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, cars=4))
    behind = (kidney.length - world.state.bodies.station[0]) % kidney.length
    np.testing.assert_allclose(behind, [0.0, 0.75, 1.5, 2.25], atol=0.1)
    assert [lane_of(world, kidney, j) for j in range(4)] == [OUTER, INNER, OUTER, INNER]
    world.step(np.zeros((4, 2)))
    assert (world.state.episode.progress < 1.0).all()


def test_a_reset_of_one_car_resets_its_world(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, cars=2), 3)
    for _ in range(5):
        world.step(np.tile([[0.0, 0.0]], (6, 1)))
    world.reset([3])
    assert world.state.episode.number.tolist() == [0, 0, 1, 1, 0, 0]


def objects(world: Simulator) -> dict[str, Any]:
    return {key: value for key, value in world.params()[0].items() if "object" in key}


def test_the_objects_of_params_are_what_shapely_measures(kidney: Track) -> None:
    from shapely import LineString, Point, Polygon

    world = world_of(kidney, replace(OBJECT_AVOIDANCE, bots=Bots(2, speed=0.7)))
    centre, left_half = LineString(kidney.centre), Polygon(kidney.centre, [kidney.inner])
    pursuit = PurePursuit(kidney)
    for _ in range(25):
        world.step(pursuit.commands(world))
        told, bodies = objects(world), world.judged_bodies[0, 1:]
        for j, body in enumerate(bodies):
            point = Point(body.x, body.y)
            assert told["objects_location"][j] == [body.x, body.y]
            assert told["objects_distance"][j] == pytest.approx(centre.project(point), abs=1e-9)
            assert told["objects_distance_from_center"][j] == pytest.approx(centre.distance(point), abs=1e-9)
            assert told["objects_left_of_center"][j] == (left_half.contains(point) == kidney.counter_clockwise)
        assert told["objects_speed"] == [0.0] * 6 + [0.7] * 2
        assert told["objects_heading"][:6] == [0.0] * 6
        np.testing.assert_allclose(np.radians(told["objects_heading"][6:]), bodies.yaw[6:], atol=1e-9)


def test_the_closest_objects_are_found_as_the_original_finds_them(kidney: Track) -> None:
    from bisect import bisect_right

    world = world_of(kidney, OBJECT_AVOIDANCE)
    for station in np.linspace(0.05, kidney.length - 0.05, 40):
        x, y, yaw = kidney.poses(np.array([station]))[0]
        world.place(0, x, y, yaw)
        s = world.state.situation[0]
        stations = world.state.bodies.station[0, 1:].tolist()
        order = sorted(range(6), key=stations.__getitem__)
        after = bisect_right([stations[j] for j in order], s.projection_distance)
        assert [s.previous_object, s.next_object] == [order[(after - 1) % 6], order[after % 6]]


def test_the_next_object_is_in_camera_when_a_pinhole_sees_it(kidney: Track) -> None:
    world = world_of(kidney, replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.5, INNER),))))
    body = world.state.bodies[0, 1]
    found = set()
    for ahead, left, turn in [(1.0, 0.0, 0.0), (1.0, 0.0, math.pi), (0.6, 0.8, 0.0), (2.0, 1.0, 0.0), (0.1, 0.0, 0.0)]:
        yaw = body.yaw + turn
        world.place(
            0,
            body.x - ahead * math.cos(yaw) + left * math.sin(yaw),
            body.y - ahead * math.sin(yaw) - left * math.cos(yaw),
            yaw,
        )
        expected = any(_seen_by_pinhole(world.state.motion[0], p) for p in _corners(body))
        assert world.state.situation[0].object_in_camera == expected
        found.add(expected)
    assert found == {True, False}


def _corners(body: Any) -> list[tuple[float, float]]:
    around = [(0.0, 0.0)] + [(a * 0.25, b * 0.2) for a in (-1, 1) for b in (-1, 1)]
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    return [(body.x + c * a - s * b, body.y + s * a + c * b) for a, b in around]


def _seen_by_pinhole(motion: Any, point: tuple[float, float]) -> bool:
    """A point of the floor through a 640 x 480 camera by matrices."""
    yaw, pitch = motion.yaw, 0.2618
    turn = np.array([[math.cos(yaw), math.sin(yaw), 0], [-math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    local = turn @ np.array([point[0] - motion.x, point[1] - motion.y, 0.0]) - [0.14529379, 0.0, 0.13032555]
    tilt = np.array([[math.cos(pitch), 0, -math.sin(pitch)], [0, 1, 0], [math.sin(pitch), 0, math.cos(pitch)]])
    depth, left, up = tilt @ local
    focal = 320.0 / math.tan(0.565)
    return bool(depth >= 0.2 and abs(left * focal / depth) <= 320.0 and abs(up * focal / depth) <= 240.0)


def test_worlds_with_obstacles_and_bots_go_on_alike_alone_and_in_a_batch(kidney: Track) -> None:
    race = replace(HEAD_TO_BOT, obstacles=Obstacles(2, random=True), bots=Bots(2, lane_changes=True, random=True))
    crowd, alone = world_of(kidney, race, 5), world_of(kidney, race, 1)
    alone.restore(type(crowd.state)(**{
        name: getattr(crowd.state, name)[3:4].copy() for name in crowd.state.__dataclass_fields__ if name != "memory"
    }, memory={}))  # fmt: skip
    pursuit = PurePursuit(kidney)
    for _ in range(60):
        ours, theirs = crowd.step(pursuit.commands(crowd)), alone.step(pursuit.commands(alone))
        assert crowd.state.motion[3].tolist() == alone.state.motion[0].tolist()
        assert crowd.state.bodies[3].tolist() == alone.state.bodies[0].tolist()
        assert ours.episode[3].tolist() == theirs.episode[0].tolist()
        if theirs.done[0]:
            break


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Obstacles(101), "0 to 100 obstacles, not 101"),
        (lambda: Obstacles(shape="box"), "no obstacle is called 'box'; there are: amazon_box_obstacle"),
        (lambda: Obstacles(positions=((1.2, 1),)), r"a share of the lap.*not \(1.2, 1\)"),
        (lambda: Obstacles(least_gap=1.0), "least_gap is a share of the lap.*not 1.0"),
        (lambda: Obstacles(positions=((0.5, 1),), random=True), "not both"),
        (lambda: Bots(speed=5.0), "0 to 4 m/s, not 5.0"),
        (lambda: Bots(lane_time=(5.0, 3.0)), "two rising times"),
        (lambda: Bots(least_gap=-1.0), "0 m or more, not -1.0"),
        (lambda: Race(cars=9), "1 to 8 race cars, not 9"),
        (lambda: Race(mercy_resets=0), "mercy_resets must be 1 or more"),
        (
            lambda: Simulator(find_track("oval"), race=replace(TIME_TRIAL, bots=Bots(40))),
            "40 objects at least 2.00 m apart do not fit on a track of .* m; at most",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(RacerError, match=sentence):
        make()
