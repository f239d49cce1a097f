"""The front camera shows what stands where, as a pinhole camera must, and as the original showed it."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from racer_env.car import FRONT_POINT
from racer_env.errors import MetadataError
from racer_env.kernel import COMPILED, Floats
from racer_env.sensors import find_sensors
from racer_env.sensors.camera import FRONT_FACING_CAMERA, PALETTE
from racer_env.sensors.ground import BORDER_WIDTH, DASH_LENGTH
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

NAME = "FRONT_FACING_CAMERA"
Picture = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def seen(track: Track, poses: Floats, camera: object = FRONT_FACING_CAMERA) -> Picture:
    """Pictures (n, h, w) from cars whose middles are at poses (n, 3)."""
    world = Simulator(track, sensors=[camera], n=len(poses))  # type: ignore[list-item]
    world.reset()
    for car, (x, y, yaw) in enumerate(poses):
        world.place(car, x, y, yaw)
    return world.observations[NAME][..., 0].astype(np.float64)


def pinhole(point: Floats, pose: Floats) -> tuple[float, float]:
    """Row and column at which a point of the floor (2,) appears: rotate into the camera, then divide by depth."""
    camera, focal = FRONT_FACING_CAMERA, 80.0 / math.tan(1.13 / 2.0)
    x, y, yaw = pose
    c, s = math.cos(yaw), math.sin(yaw)
    dx, dy = point[0] - x - camera.ahead * c, point[1] - y - camera.ahead * s
    ahead, left, up = c * dx + s * dy, c * dy - s * dx, -camera.above
    cp, sp = math.cos(camera.pitch), math.sin(camera.pitch)
    depth, down = cp * ahead - sp * up, -(sp * ahead + cp * up)
    return 60.0 + focal * down / depth - 0.5, 80.0 - focal * left / depth - 0.5


def beside(track: Track, station: float, left: float) -> Floats:
    x, y, yaw = track.poses(np.array([station]))[0]
    return np.array([x - left * math.sin(yaw), y + left * math.cos(yaw)])


def edges(line: Floats, threshold: float) -> Floats:
    """Where a row of pixels passes a shade, between pixels."""
    at = np.flatnonzero(np.diff(line > threshold))
    return np.asarray(at + (threshold - line[at]) / (line[at + 1] - line[at]))


@pytest.mark.parametrize("station", [0.3, 0.8, 5.0])
@pytest.mark.parametrize("ahead", [0.45, 0.6, 0.8])
def test_border_edges_appear_where_a_pinhole_shows_them(oval: Track, station: float, ahead: float) -> None:
    pose = oval.poses(np.array([station]))[0]
    picture = seen(oval, pose[None])[0]
    half, found_sides = 0.5 * oval.width, 0
    for left in (half - BORDER_WIDTH, -half + BORDER_WIDTH):
        along = np.linspace(station + 0.3, station + 2.5, 400)
        spots = np.array([pinhole(beside(oval, s, left), pose) for s in along])
        inside = (spots[:, 1] > 1.0) & (spots[:, 1] < 158.0) & (spots[:, 0] < 118.0)
        if not inside.any():  # beyond the bend
            continue
        found_sides += 1
        row = round(np.quantile(spots[inside, 0], ahead))
        column = float(np.interp(row, spots[::-1, 0], spots[::-1, 1]))
        found = edges(picture[row], 0.5 * (PALETTE.road + PALETTE.border))
        assert np.abs(found - column).min() < 1.0
    assert found_sides == (1 if station == 5.0 else 2)


def test_dashes_appear_where_a_pinhole_shows_them(oval: Track) -> None:
    station = 0.4
    pose = oval.poses(np.array([station]))[0]
    picture = seen(oval, pose[None])[0]
    first = 2 * DASH_LENGTH * math.ceil((station + 0.35) / (2 * DASH_LENGTH))
    for k in range(4):
        for along, is_dash in ((0.5, False), (1.5, True)):
            row, column = pinhole(beside(oval, first + (2 * k + along) * DASH_LENGTH, 0.0), pose)
            shade = picture[round(row), round(column)]
            assert (shade > 0.5 * (PALETTE.road + PALETTE.dash)) == is_dash


def test_field_walls_and_sky_have_their_shades_and_places(oval: Track) -> None:
    left, bottom, _, _ = oval.bounds
    picture = seen(oval, np.array([[left - 0.5, bottom - 0.5, -math.pi / 2]]))[0]
    assert (picture[100:] == PALETTE.field).all()  # 0.41 m before the wall there is only field
    wall = PALETTE.walls[2]
    foot = pinhole(np.array([left - 0.5, bottom - 0.91]), np.array([left - 0.5, bottom - 0.5, -math.pi / 2]))[0]
    column = picture[:, 80]
    assert (column[: math.floor(foot) - 1] == wall).all()
    assert (column[math.ceil(foot) + 1 :] == PALETTE.field).all()
    wide = find_track("grand_prix")
    left, bottom, _, top = wide.bounds
    column = seen(wide, np.array([[left, 0.5 * (bottom + top), 0.0]]))[0][:, 80]
    assert (column[0], PALETTE.walls[1] in column) == (PALETTE.sky, True)
    assert np.flatnonzero(column == PALETTE.sky).max() < np.flatnonzero(column == PALETTE.walls[1]).min()


@pytest.mark.parametrize(("name", "axis"), [("oval", 0), ("boomerang", 1)])
def test_a_mirrored_world_gives_a_mirrored_picture(name: str, axis: int) -> None:
    track, mirror = find_track(name), np.ones(2)
    mirror[axis] = -1.0
    mirrored = Track.from_route(track.route * np.tile(mirror, 3), "mirrored")
    left, right, bottom, top = PALETTE.walls
    walls = (right, left, bottom, top) if axis == 0 else (left, right, top, bottom)
    glass = replace(FRONT_FACING_CAMERA, palette=replace(PALETTE, walls=walls))
    poses = track.poses(np.linspace(0.0, 0.9, 6 if COMPILED else 2) * track.length)
    poses += np.random.default_rng(1).normal(0.0, 0.2, poses.shape)
    there = seen(track, poses)
    again = seen(
        mirrored, np.column_stack((poses[:, :2] * mirror, (math.pi if axis == 0 else 0.0) - poses[:, 2])), glass
    )
    apart = np.abs(there - again[:, :, ::-1])
    assert np.ptp(there) > 150
    assert apart.mean() < 1.0
    assert (apart > 60).mean() < 0.005


def test_a_picture_does_not_depend_on_the_batch(oval: Track) -> None:
    poses = oval.poses(np.linspace(0.0, 0.9, 5 if COMPILED else 2) * oval.length)
    crowd = seen(oval, poses)
    for pose, picture in zip(poses, crowd, strict=True):
        np.testing.assert_array_equal(seen(oval, pose[None])[0], picture)
    assert len({picture.tobytes() for picture in crowd}) == len(poses)


def test_pictures_are_written_in_place_and_only_those_asked_for(oval: Track) -> None:
    world = Simulator(oval, sensors=find_sensors([NAME]), n=3)
    pictures = world.reset()[NAME]
    before = pictures.copy()
    world.place(1, *oval.poses(np.array([3.0]))[0])
    assert world.observations[NAME] is pictures
    assert pictures.shape == (3, 120, 160, 1)
    assert pictures.dtype == np.uint8
    assert [np.array_equal(a, b) for a, b in zip(before, pictures, strict=True)] == [True, False, True]
    assert world.step(np.full(3, 2)).observations[NAME] is pictures


def test_a_car_outside_the_walls_still_sees_something(oval: Track) -> None:
    for place in ((-60.0, 3.0, 0.0), (0.0, 40.0, 2.0)):
        assert seen(oval, np.array([place])).std() >= 0.0


def test_the_original_saw_nearly_the_same(shared: Path) -> None:
    folder = shared / "data" / "camera" / "posed"
    with (folder / "poses.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["steps"]) > 0][:: 1 if COMPILED else 80]
    x, y, degrees = (np.array([float(row[key]) for row in rows]) for key in ("x", "y", "heading"))
    yaw = np.radians(degrees)
    poses = np.stack((x - FRONT_POINT * np.cos(yaw), y - FRONT_POINT * np.sin(yaw), yaw), axis=1)
    pictures = seen(find_track(shared / "data" / "tracks" / "reinvent_base.npy"), poses)
    apart = []
    for row, picture in zip(rows, pictures, strict=True):
        colours = np.asarray(Image.open(folder / row["img"]).convert("RGB"), np.float64)
        apart.append(float(np.abs(picture - colours @ [0.2989, 0.5870, 0.1140]).mean()))
    assert np.mean(apart) < 10.0  # of 255; about 8 when this was written


def test_an_unknown_sensor_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(MetadataError, match="no sensor is called 'FRONT_CAMERA'; did you mean 'FRONT_FACING_CAMERA'"):
        find_sensors(["STATE", "FRONT_CAMERA"])
