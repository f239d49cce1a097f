"""The LiDAR measures what geometry says, where the original's looks, and as often."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from shapely import affinity
from shapely.geometry import LineString, MultiLineString, Point, Polygon, box
from shapely.ops import unary_union

from racer_env.bodies import BODY, Kind
from racer_env.car import DEEPRACER_V6, car_records
from racer_env.dynamics import MOTION
from racer_env.errors import MetadataError
from racer_env.kernel import COMPILED, Floats, records
from racer_env.params import SITUATION
from racer_env.randomness import streams_of
from racer_env.sensors import Sensor, View, find_sensors, memory_of
from racer_env.sensors.ground import WALL_DISTANCE
from racer_env.sensors.lidar import AHEAD, FARTHEST, LIDAR, NEAREST, RAYS, SECTOR_LIDAR, Lengths, Lidar, Scanner, Steps
from racer_env.track import Track, find_track

EXACT = Scanner(noise=0.0, resolution=0.0)
Observation = npt.NDArray[np.float32]


class Far(Lengths):
    """The lengths as the scanner gives them."""

    def of(self, ranges: Floats) -> Floats:
        return ranges


@pytest.fixture(scope="module")
def track() -> Track:
    return find_track("oval")


def view_of(bodies: int, cars: int = 1, worlds: int = 1, seed: int = 3, tick: int = 0) -> View:
    """Cars at the origin that are the first bodies of their worlds, then places for others."""
    n = worlds * cars
    world = records((worlds, cars + bodies), BODY)
    world.kind[:, :cars], world.height = Kind.CAR, 0.195
    world.length, world.width = 0.324, 0.188
    every = np.arange(n)
    return View(
        records(n, MOTION),
        records(n, SITUATION),
        car_records([DEEPRACER_V6] * n),
        world,
        np.full(n, tick),
        streams_of(seed, every, np.zeros(n, np.int64)),
    )


def put(body: Any, x: float, y: float, yaw: float = 0.0, height: float = 0.25) -> None:
    body.kind, body.x, body.y, body.yaw, body.length, body.width, body.height = Kind.BOX, x, y, yaw, 0.4, 0.3, height


def put_post(body: Any, degrees: float, distance: float) -> None:
    """A thin post at a direction and distance from the scanner of a car at the origin."""
    angle = math.radians(degrees)
    put(body, AHEAD + distance * math.cos(angle), distance * math.sin(angle), angle)
    body.length, body.width = 0.02, 0.02


def scan(sensor: Sensor, view: View, track: Track) -> Observation:
    reader, n = sensor.on(track), len(view.motion)
    space = sensor.space()
    out = np.zeros((n, *space.shape), np.float32)
    reader.read(view._replace(memory=memory_of(reader, n)), np.arange(n), out)
    return out


def rectangle(body: Any) -> Polygon:
    length, width = 0.5 * body.length, 0.5 * body.width
    return affinity.translate(
        affinity.rotate(box(-length, -width, length, width), body.yaw, origin=(0, 0), use_radians=True), body.x, body.y
    )


def measured_by_shapely(pose: Floats, shapes: list[Any]) -> Floats:
    """Lengths of rays whose directions are those of the original's files, turned by pi."""
    x, y, yaw = pose
    middle = Point(x + AHEAD * math.cos(yaw), y + AHEAD * math.sin(yaw))
    everything, lengths = unary_union(shapes), np.full(RAYS, np.inf)
    for ray in range(RAYS):
        angle = yaw + math.pi - 2.61799 + ray * 2 * 2.61799 / 63
        far = (middle.x + FARTHEST * math.cos(angle), middle.y + FARTHEST * math.sin(angle))
        met = LineString([middle, far]).intersection(everything)
        if not met.is_empty:
            lengths[ray] = max(middle.distance(met), NEAREST)
    return lengths


@pytest.mark.parametrize("walls", [False, True])
def test_lengths_are_those_of_shapely_on_random_worlds(track: Track, walls: bool) -> None:
    draw, found = np.random.default_rng(4), 0
    left, bottom, right, top = np.array(track.bounds) + np.array([-1, -1, 1, 1]) * WALL_DISTANCE
    for _ in range(30 if COMPILED else 4):
        view = view_of(bodies=6)
        m, world = view.motion[0], view.bodies[0]
        m.x, m.y, m.yaw = draw.uniform(left, right), draw.uniform(bottom, top), draw.uniform(-9, 9)
        world[0].x, world[0].y, world[0].yaw = m.x, m.y, m.yaw
        for body in world[1:]:
            x, y = draw.normal((m.x, m.y), 2.0)
            put(body, x, y, draw.uniform(-4, 4))
            body.length, body.width = draw.uniform(0.1, 1.0, 2)
        shapes = [rectangle(body) for body in world[1:]]
        if walls:
            shapes.append(MultiLineString([box(left, bottom, right, top).exterior.coords]))
        expected = measured_by_shapely(np.array([m.x, m.y, m.yaw]), shapes)
        got = scan(Lidar("LIDAR", Far(), Scanner(0.0, 0.0, walls)), view, track)[0]
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(expected))
        np.testing.assert_allclose(got, expected, atol=1e-3)
        found += np.isfinite(got).sum()
    assert found > 50


@pytest.mark.parametrize(("degrees", "rays"), [(30, {0}), (130, {21}), (230, {42}), (330, {63})])
def test_rays_go_from_ahead_left_over_the_rear_to_ahead_right(track: Track, degrees: float, rays: set[int]) -> None:
    view = view_of(bodies=1)
    put_post(view.bodies[0, 1], degrees, 0.5)
    assert set(np.flatnonzero(scan(LIDAR, view, track)[0] < 1.0)) == rays


def test_straight_ahead_is_blind(track: Track) -> None:
    view = view_of(bodies=1)
    put(view.bodies[0, 1], 0.7, 0.0)
    assert (scan(LIDAR, view, track) == 1.0).all()


def test_only_what_reaches_into_the_plane_of_the_scan_is_seen(track: Track) -> None:
    for height, seen in ((0.18, False), (0.19, True)):
        view = view_of(bodies=1)
        put(view.bodies[0, 1], -0.6, 0.0, height=height)
        assert (scan(LIDAR, view, track) < 1.0).any() == seen
        view.bodies[0, 1].kind = Kind.NONE
        assert (scan(LIDAR, view, track) == 1.0).all()


def test_cars_see_each_other_but_not_themselves_nor_other_worlds(track: Track) -> None:
    view = view_of(bodies=0, cars=2, worlds=2)
    view.motion.x[:] = view.bodies.x.reshape(-1)[:] = [0.0, 0.0, 0.0, 9.0]
    view.motion.y[:] = view.bodies.y.reshape(-1)[:] = [0.25, -0.25, 0.0, 9.0]
    seen = scan(Lidar(scanner=EXACT), view, track)
    assert (seen[2:] == 1.0).all()
    assert (seen[:2] < 1.0).any(axis=1).all()
    np.testing.assert_allclose(seen[0], seen[1][::-1], atol=1e-6)


def test_sectors_say_whether_something_is_near(track: Track) -> None:
    view = view_of(bodies=2)
    put_post(view.bodies[0, 1], 87.0, 0.4)
    put_post(view.bodies[0, 2], 273.0, 0.52)
    assert scan(SECTOR_LIDAR, view, track)[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_steps_count_how_far_it_is_in_each_sector(track: Track) -> None:
    view = view_of(bodies=2)
    put_post(view.bodies[0, 1], 87.0, 0.3)
    put_post(view.bodies[0, 2], 273.0, 0.5)
    (sensor,) = find_sensors(
        ["DISCRETIZED_SECTOR_LIDAR"], {"num_sectors": 4.0, "num_values_per_sector": 5.0, "clipping_dist": 1.0}
    )
    seen = scan(sensor, view, track)[0].reshape(4, 5)
    assert [row.tolist().index(1.0) if row.any() else None for row in seen] == [1, None, None, 2]
    assert seen.sum() == 2.0
    assert find_sensors(["DISCRETIZED_SECTOR_LIDAR"])[0].space().shape == (64,)


def test_the_last_step_ends_where_it_says() -> None:
    ranges = np.repeat([[0.15, 0.2499, 0.25, 1.9999, 2.0, 12.0, np.inf, 0.5]], 8, axis=1).reshape(1, 64)
    steps = Steps().of(ranges).reshape(8, 8)
    assert [row.tolist().index(1.0) if row.any() else None for row in steps] == [0, 0, 1, 7, None, None, None, 2]


def test_noise_has_its_size_and_belongs_to_the_car_and_the_tick(track: Track) -> None:
    n = 200 if COMPILED else 20
    view = view_of(bodies=1, worlds=n)
    for world in view.bodies:
        put(world[1], 0.0, 0.0)
        world[1].length = world[1].width = 1.0
    view.bodies[:, 1].x = -0.7 + AHEAD
    seen = scan(Lidar("LIDAR", Far(), Scanner(noise=0.01, resolution=0.0)), view, track)
    exact = scan(Lidar("LIDAR", Far(), EXACT), view, track)
    errors = seen[np.isfinite(exact)] - exact[np.isfinite(exact)]
    assert abs(errors.mean()) < 0.001
    assert 0.0085 < errors.std() < 0.0115
    again = scan(Lidar("LIDAR", Far(), Scanner(noise=0.01, resolution=0.0)), view, track)
    np.testing.assert_array_equal(seen, again)
    later = scan(Lidar("LIDAR", Far(), Scanner(noise=0.01, resolution=0.0)), view._replace(ticks=view.ticks + 2), track)
    assert len({row.tobytes() for row in (*seen, *later)}) == 2 * n


def test_two_of_three_observations_are_new_scans(track: Track) -> None:
    reader = Lidar(scanner=EXACT).on(track)
    view = view_of(bodies=1)._replace(memory=memory_of(reader, 1))
    put(view.bodies[0, 1], -0.6, 0.0)
    out, seen = np.zeros((1, RAYS), np.float32), []
    for tick in range(10):
        view.ticks[0] = tick
        view.bodies[0, 1].x = -0.6 - 0.01 * tick
        for _ in range(2):  # looking again changes nothing
            reader.read(view, np.arange(1), out)
        seen.append(out[0, 31])
    changed = np.diff(seen) > 0.001
    assert changed.tolist() == [False, True, True] * 3


def test_a_new_episode_begins_with_a_scan_of_its_own(track: Track) -> None:
    reader = LIDAR.on(track)
    view = view_of(bodies=1)._replace(memory=memory_of(reader, 1))
    put(view.bodies[0, 1], -0.6, 0.0)
    out = np.zeros((1, RAYS), np.float32)
    for tick, stream, seen in ((0, 1, True), (1, 1, True), (1, 2, False)):
        view.ticks[0], view.streams[0] = tick, stream
        reader.read(view, np.arange(1), out)
        assert (out < 1.0).any() == seen
        view.bodies[0, 1].kind = Kind.NONE


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"num_sectors": 0}, "num_sectors is 0, but must be 1, 2, 4, 8, 16, 32 or 64"),
        ({"num_sectors": 5}, "num_sectors is 5, but must"),
        ({"num_values_per_sector": 0.5}, "num_values_per_sector is 0.5, but must be a whole number, at least 1"),
        ({"clipping_dist": 12.5}, r"clipping_dist is 12.5, but must be 0.15 to 12 \(metres\)"),
    ],
)
def test_a_reading_that_cannot_be_made_is_refused(config: dict[str, float], sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence):
        find_sensors(["DISCRETIZED_SECTOR_LIDAR"], config)
