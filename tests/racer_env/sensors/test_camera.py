"""The front camera shows what stands where, as a pinhole camera must, and as the original showed it."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.errors import MetadataError
from racer_env.kernel import COMPILED, Floats
from racer_env.sensors import Sensor, find_sensors
from racer_env.sensors.camera import (
    FRONT_FACING_CAMERA,
    LEFT_CAMERA,
    LUMA,
    OBSERVATION,
    PALETTE,
    WIDE_CAMERA,
    Camera,
    Colour,
    Sunlight,
)
from racer_env.sensors.ground import BORDER_WIDTH, DASH_LENGTH
from racer_env.sensors.stereo import STEREO_CAMERAS
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

NAME = "FRONT_FACING_CAMERA"
DULL = replace(FRONT_FACING_CAMERA, sunlight=Sunlight(0.0, 1.0, 0.0))  #: sees no reflection


def grey(colour: Colour) -> int:
    return int(sum(w * c for w, c in zip(LUMA, colour, strict=True)))


ROAD, BORDER, DASH, FIELD, SKY = (
    grey(c) for c in (PALETTE.road, PALETTE.border, PALETTE.dash, PALETTE.field, PALETTE.sky)
)
WALLS = [grey(wall) for wall in PALETTE.walls]
Picture = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def seen(track: Track, poses: Floats, camera: Camera = DULL) -> Picture:
    """Pictures (n, h, w) from cars whose middles are at poses (n, 3)."""
    return taken(track, poses, camera)[..., 0]


def taken(track: Track, poses: Floats, camera: Sensor) -> Picture:
    world = Simulator(track, sensors=[camera], n=len(poses))
    world.reset()
    for car, (x, y, yaw) in enumerate(poses):
        world.place(car, x, y, yaw)
    return world.observations[camera.name].astype(np.float64)


def pinhole(point: Floats, pose: Floats, camera: Camera = DULL) -> tuple[float, float]:
    """Row and column at which a point of the floor (2,) appears: rotate into the camera, then divide by depth."""
    focal = 80.0 / math.tan(0.5 * camera.field_of_view)
    x, y, yaw = pose
    c, s = math.cos(yaw), math.sin(yaw)
    dx, dy = point[0] - x - camera.ahead * c, point[1] - y - camera.ahead * s
    ahead, left, up = c * dx + s * dy, c * dy - s * dx - camera.left, -camera.above
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
        found = edges(picture[row], 0.5 * (ROAD + BORDER))
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
            assert (shade > 0.5 * (ROAD + DASH)) == is_dash


def test_field_walls_and_sky_have_their_shades_and_places(oval: Track) -> None:
    left, bottom, _, _ = oval.bounds
    picture = seen(oval, np.array([[left - 0.5, bottom - 0.5, -math.pi / 2]]))[0]
    assert (picture[100:] == FIELD).all()  # 0.41 m before the wall there is only field
    wall = WALLS[2]
    foot = pinhole(np.array([left - 0.5, bottom - 0.91]), np.array([left - 0.5, bottom - 0.5, -math.pi / 2]))[0]
    column = picture[:, 80]
    assert (column[: math.floor(foot) - 1] == wall).all()
    assert (column[math.ceil(foot) + 1 :] == FIELD).all()
    wide = find_track("grand_prix")
    left, bottom, _, top = wide.bounds
    column = seen(wide, np.array([[left, 0.5 * (bottom + top), 0.0]]))[0][:, 80]
    assert (column[0], WALLS[1] in column) == (SKY, True)
    assert np.flatnonzero(column == SKY).max() < np.flatnonzero(column == WALLS[1]).min()


@pytest.mark.parametrize(("name", "axis"), [("oval", 0), ("boomerang", 1)])
def test_a_mirrored_world_gives_a_mirrored_picture(name: str, axis: int) -> None:
    track, mirror = find_track(name), np.ones(2)
    mirror[axis] = -1.0
    mirrored = Track.from_route(track.route * np.tile(mirror, 3), "mirrored")
    left, right, bottom, top = PALETTE.walls
    walls = (right, left, bottom, top) if axis == 0 else (left, right, top, bottom)
    azimuth = FRONT_FACING_CAMERA.sunlight.azimuth
    sun = replace(FRONT_FACING_CAMERA.sunlight, azimuth=(math.pi if axis == 0 else 0.0) - azimuth)
    glass = replace(FRONT_FACING_CAMERA, palette=replace(PALETTE, walls=walls), sunlight=sun)
    poses = track.poses(np.linspace(0.0, 0.9, 6 if COMPILED else 2) * track.length)
    poses += np.random.default_rng(1).normal(0.0, 0.2, poses.shape)
    there = seen(track, poses, FRONT_FACING_CAMERA)
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


def test_a_pixel_is_shared_as_the_foot_of_a_wall_cuts_it(oval: Track) -> None:
    """Towards a corner the foot runs across the rows; the shades of its pixels add up to where it is."""
    left, bottom, _, _ = oval.bounds
    pose = np.array([left - 0.2, bottom - 0.5, -math.pi / 2 - 0.6])
    picture = seen(oval, pose[None])[0]
    wall, foots = oval.bounds[1] - 0.91, []
    for column in (90, 110, 130):
        spots = [pinhole(np.array([x, wall]), pose) for x in np.linspace(left - 0.8, left + 1.0, 4000)]
        row = min(spots, key=lambda spot: abs(spot[1] - column))[0] + 0.5
        dark = (FIELD - picture[:, column]) / (FIELD - WALLS[2])
        foots.append(float(dark[dark > 0.0].sum()) - row)
    assert np.abs(foots).max() < 0.35


def test_the_floor_mirrors_the_sun(oval: Track) -> None:
    """As Blinn has it: the ninth power of the cosine between the normal and the middle of ray and sun."""
    sun = FRONT_FACING_CAMERA.sunlight
    poses = np.array([[*oval.centre[0], sun.azimuth + turn] for turn in (0.0, math.pi / 2, math.pi)])
    gains = [a - b for a, b in zip(seen(oval, poses, FRONT_FACING_CAMERA), seen(oval, poses), strict=True)]
    assert gains[0][60:].mean() > gains[1][60:].mean() > gains[2][60:].mean() >= 0.0
    focal, row, glare = 80.0 / math.tan(0.5 * DULL.field_of_view), 100, grey(PALETTE.glare)
    dip = DULL.pitch + math.atan((row + 0.5 - 60.0) / focal)
    half = 0.5 * (math.pi - dip - sun.elevation) - (0.5 * math.pi - dip)  # from the normal, in the plane of both
    share = sun.strength * math.cos(half) ** 9
    before = seen(oval, poses[:1])[0, row, 79]
    assert gains[0][row, 79] == pytest.approx(share * (glare - before), abs=1.1)


def test_colour_pictures_are_grey_pictures_in_colour(oval: Track) -> None:
    poses = oval.poses(np.array([0.5, 5.0]))
    colour = taken(oval, poses, replace(FRONT_FACING_CAMERA, colour=True))
    assert colour.shape == (2, 120, 160, 3)
    assert np.abs(colour @ LUMA - seen(oval, poses, FRONT_FACING_CAMERA) - 0.5).max() < 2.0
    assert {tuple(c) for c in colour[0, 40:60, ::20].reshape(-1, 3).tolist()} > {PALETTE.walls[1]} or np.ptp(
        colour
    ) > 150


def test_observation_is_the_front_camera_by_its_first_name(oval: Track) -> None:
    poses = oval.poses(np.array([0.5]))
    np.testing.assert_array_equal(taken(oval, poses, OBSERVATION), taken(oval, poses, FRONT_FACING_CAMERA))
    assert [camera.name for camera in (OBSERVATION, LEFT_CAMERA)] == ["observation", "LEFT_CAMERA"]


def test_a_wide_lens_shows_edges_where_a_pinhole_shows_them(oval: Track) -> None:
    pose = oval.poses(np.array([0.5]))[0]
    camera = replace(WIDE_CAMERA, sunlight=DULL.sunlight, jpeg=None)
    picture = seen(oval, pose[None], camera)[0]
    for left in (0.5 * oval.width - BORDER_WIDTH, -0.5 * oval.width + BORDER_WIDTH):
        spots = np.array([pinhole(beside(oval, station, left), pose, camera) for station in np.linspace(0.8, 1.4, 400)])
        row = round(float(np.median(spots[:, 0])))
        column = float(np.interp(row, spots[::-1, 0], spots[::-1, 1]))
        assert np.abs(edges(picture[row], 0.5 * (ROAD + BORDER)) - column).min() < 1.0


def test_the_physical_car_sends_jpegs(oval: Track) -> None:
    poses = oval.poses(np.array([0.5, 3.0]))
    plain, sent = (taken(oval, poses, replace(WIDE_CAMERA, jpeg=jpeg)) for jpeg in (None, WIDE_CAMERA.jpeg))
    assert 0.1 < np.abs(plain - sent).mean() < 2.0
    assert np.abs(plain - sent).max() < 40.0


def test_opencv_only_looks_at_the_middle_of_a_pixel(oval: Track) -> None:
    poses = oval.poses(np.array([0.5, 3.0]))
    sharp, smooth = (seen(oval, poses, replace(DULL, antialiased=antialiased)) for antialiased in (False, True))
    assert np.abs(np.diff(sharp, axis=1)).max() >= np.abs(np.diff(smooth, axis=1)).max()
    assert 0.2 < np.abs(sharp - smooth).mean() < 5.0


def test_a_camera_on_the_left_sees_what_the_right_one_sees_farther_left(oval: Track) -> None:
    pose = oval.poses(np.array([0.5]))
    both = taken(oval, pose, STEREO_CAMERAS)[0]
    np.testing.assert_array_equal(both[..., 0], seen(oval, pose, LEFT_CAMERA)[0])
    np.testing.assert_array_equal(both[..., 1], seen(oval, pose, replace(FRONT_FACING_CAMERA, left=-0.03))[0])
    for row in (40, 50, 60):
        focal = 80.0 / math.tan(0.5 * DULL.field_of_view)
        depth = DULL.above / (math.sin(DULL.pitch) + (row + 0.5 - 60.0) / focal * math.cos(DULL.pitch))
        left, right = (edges(both[row, :, k], 0.5 * (ROAD + BORDER)).max() for k in (0, 1))
        assert left - right == pytest.approx(focal * 0.06 / depth, abs=1.0)


def test_an_unknown_sensor_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(MetadataError, match="no sensor is called 'FRONT_CAMERA'; did you mean 'LEFT_CAMERA'"):
        find_sensors(["STATE", "FRONT_CAMERA"])
