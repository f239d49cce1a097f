"""What cars see of each other and of what is around them, through the camera on a track."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.bodies import Kind
from racer_env.driver import PurePursuit
from racer_env.obstacles import INNER, OUTER, Obstacles
from racer_env.race import TIME_TRIAL
from racer_env.sensors.camera import FRONT_FACING_CAMERA, PALETTE, SUNLIGHT
from racer_env.sensors.stereo import STEREO_CAMERAS
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

#: A world in which left and right look alike.
EVEN = replace(
    FRONT_FACING_CAMERA,
    palette=replace(PALETTE, walls=(PALETTE.walls[0],) * 4),
    sunlight=replace(SUNLIGHT, strength=0.0),
)


@pytest.fixture(scope="module")
def straight() -> Track:
    return find_track("straight")


def two_cars(track: Track, poses: list[tuple[float, float, float]], sensor: Any = EVEN) -> list[npt.NDArray[np.int64]]:
    """What two cars see, each from a place along the track (m), to the left of its centre (m) and turned (rad)."""
    world = Simulator(track, race=replace(TIME_TRIAL, cars=2), sensors=[sensor], actions=PurePursuit.actions)
    world.reset()
    for name in ("red", "green", "blue"):
        world.state.bodies[name] = 0.6
    for car, (station, left, turned) in enumerate(poses):
        x, y, yaw = track.poses(np.array([station]))[0]
        world.place(car, x - left * np.sin(yaw), y + left * np.cos(yaw), yaw + turned)
    world.place(0, *(float(world.state.motion[0][key]) for key in ("x", "y", "yaw")))  # now that the other is there
    return [world.observations[sensor.name][car].astype(np.int64) for car in (0, 1)]


def test_two_cars_side_by_side_see_each_other_symmetrically(straight: Track) -> None:
    for turned in (1.0, 1.2, 1.4):
        poses = [(3.0, 0.17, -turned), (3.0, -0.17, turned)]
        pictures = two_cars(straight, poses)
        shapes = []
        for car in (0, 1):
            away = [*poses]
            away[1 - car] = (1.0, 0.0, 0.0)  # behind, out of sight
            shapes.append(np.abs(pictures[car] - two_cars(straight, away)[car]) > 5)
        mirrored = shapes[1][:, ::-1]
        assert shapes[0].sum() > 300
        assert (shapes[0] & mirrored).sum() >= 0.98 * (shapes[0] | mirrored).sum()
        assert np.abs(pictures[0] - pictures[1][:, ::-1])[shapes[0] & mirrored].mean() < 1.0


def test_a_car_ahead_is_seen_and_nearer_is_larger(straight: Track) -> None:
    empty = two_cars(straight, [(2.0, 0.0, 0.0), (1.0, 0.0, 0.0)])[0]
    covered = []
    for ahead in (0.6, 1.0, 2.0, 4.0):
        seen = two_cars(straight, [(2.0, 0.0, 0.0), (2.0 + ahead, 0.0, 0.0)])[0]
        covered.append(int(np.count_nonzero(np.abs(seen - empty) > 5)))
    assert covered == sorted(covered, reverse=True)
    assert covered[0] > 1500
    assert covered[-1] > 20


def test_a_box_left_of_the_middle_is_further_right_in_the_left_camera(straight: Track) -> None:
    race = replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.25, INNER),)))
    world = Simulator(straight, race=race, sensors=[STEREO_CAMERAS])
    world.reset()
    seen = world.observations["STEREO_CAMERAS"][0].astype(np.int64)
    world.state.bodies.kind[:, 1] = Kind.NONE
    x, y, yaw = (float(world.state.motion[0][key]) for key in ("x", "y", "yaw"))
    world.place(0, x, y, yaw)
    empty = world.observations["STEREO_CAMERAS"][0]
    columns = [np.flatnonzero((np.abs(seen[..., k] - empty[..., k]) > 8).any(axis=0)) for k in (0, 1)]
    assert columns[0].mean() > columns[1].mean() + 1.0


def test_boxes_of_either_lane_are_seen_on_either_side(straight: Track) -> None:
    middles = []
    for lane in (INNER, OUTER):
        race = replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.3, lane),)))
        world = Simulator(straight, race=race, sensors=[EVEN], actions=PurePursuit.actions)
        world.reset()
        seen = world.observations[EVEN.name][0, :, :, 0].astype(np.int64)
        world.state.bodies.kind[:, 1] = Kind.NONE
        m = world.state.motion[0]
        world.place(0, float(m.x), float(m.y), float(m.yaw))
        changed = np.abs(seen - world.observations[EVEN.name][0, :, :, 0]) > 8
        middles.append(float(np.flatnonzero(changed.any(axis=0)).mean()))
    assert (middles[0] < 79.5) == (straight.geometry.left_is_inner)
    assert middles[0] + middles[1] == pytest.approx(159.0, abs=2.0)
