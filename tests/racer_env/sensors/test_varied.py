"""Cameras that differ: each car has one of those that the level says, and sees with it what that one sees."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.kernel import Floats
from racer_env.randomisation import MILD, NONE, ORIGINAL, PICTURE, STRONG, Randomisation
from racer_env.sensors import Sensor, View, find_sensors
from racer_env.sensors.camera import LUMA, PALETTE, SUNLIGHT, Camera, CameraReader, make_scene
from racer_env.sensors.ground import lay_out
from racer_env.sensors.imperfections import Compressed, Noisy, Wrapper
from racer_env.sensors.memories import Stacked
from racer_env.sensors.stereo import Stereo, StereoReader
from racer_env.sensors.varied import (
    TILE,
    Graded,
    Varied,
    VariedReader,
    pattern,
    repainted,
    under,
    variants,
    vary,
    with_pattern,
    with_width,
)
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track
from tracks import errors

SMALL = Camera(width=32, height=24)
CLEAR: dict[str, Any] = dict.fromkeys(PICTURE)  #: nothing happens to pictures
FEW = replace(STRONG, worlds=2, cameras=2)


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


paint = Varied.painted


def world_of(track: Track, n: int, level: Randomisation, sensor: Sensor = SMALL, seed: int = 0) -> Simulator:
    made = Simulator(track, sensors=[sensor], n=n, seed=seed, randomisation=level)
    made.reset()
    return made


def seen_by(world: Simulator) -> npt.NDArray[Any]:
    return world.observations[world.sensors[0].name].copy()


def cameras_of(sensor: Sensor) -> tuple[Camera | Stereo, ...]:
    while isinstance(sensor, Wrapper):
        sensor = sensor.sensor
    assert isinstance(sensor, Varied)
    return sensor.cameras


def test_a_car_sees_what_one_of_the_cameras_of_its_world_sees(oval: Track) -> None:
    level = replace(STRONG, worlds=1, cameras=3, texture=None, **CLEAR)
    world = world_of(oval, 12, level)
    ((_, (sensor,)),) = variants(level, [oval], [SMALL])
    alone = []
    for camera in cameras_of(sensor):
        assert isinstance(camera, Camera)
        out = np.zeros((12, 24, 32, 1), np.uint8)
        state = world.state
        view = View(state.motion, state.situation, state.cars, state.bodies, state.ticks, state.streams)
        camera.on(oval).read(view, world.everyone, out)
        alone.append(out)
    found = [[bool((mine == other[i]).all()) for other in alone] for i, mine in enumerate(seen_by(world))]
    assert all(sum(which) == 1 for which in found)
    assert np.any(found, axis=0).all()


def test_a_car_keeps_its_camera_for_an_episode_and_takes_another_in_a_later_one(oval: Track) -> None:
    world = world_of(oval, 10, replace(STRONG, worlds=1, cameras=4, **CLEAR))
    first = seen_by(world)
    world.restore(world.state)
    np.testing.assert_array_equal(seen_by(world), first)
    there = world.state.motion.copy()
    world.reset()
    for i in range(10):
        world.place(i, there.x[i], there.y[i], there.yaw[i])
    changed = (seen_by(world) != first).any(axis=(1, 2, 3))
    assert 2 <= changed.sum() <= 9  # one in four takes the same again


def test_what_a_car_sees_does_not_depend_on_how_many_there_are(oval: Track) -> None:
    few, many = (world_of(oval, n, FEW) for n in (3, 6))
    np.testing.assert_array_equal(seen_by(few), seen_by(many)[:3])
    assert len(np.unique(seen_by(many).reshape(6, -1), axis=0)) == 6
    many.reset([1, 2])
    few.reset([1, 2])
    np.testing.assert_array_equal(seen_by(few), seen_by(many)[:3])


def test_the_same_seed_shows_the_same_world_and_a_restored_state_too(oval: Track) -> None:
    world, again, other = (world_of(oval, 4, FEW, seed=seed) for seed in (3, 3, 4))
    first = seen_by(world)
    np.testing.assert_array_equal(first, seen_by(again))
    assert (first != seen_by(other)).any()
    kept = world.state.copy()
    world.step(np.zeros(4, np.int64))
    world.reset()
    assert (seen_by(world) != first).any()
    world.restore(kept)
    np.testing.assert_array_equal(seen_by(world), first)


def test_none_leaves_sensors_as_they_are(oval: Track) -> None:
    world = Simulator(oval, sensors=[SMALL], n=2)
    assert isinstance(world._places[0].readers[0], CameraReader)
    assert len(world.tracks) == 1
    np.testing.assert_array_equal(seen_by(world_of(oval, 2, NONE)), seen_by(world_of(oval, 2, Randomisation("same"))))


def test_a_level_that_draws_only_neutral_numbers_shows_what_none_shows(oval: Track) -> None:
    neutral = Randomisation(
        "neutral",
        worlds=2,
        cameras=2,
        paint=(1.0, 1.0),
        repaint=(0.0, 0.0),
        camera_above=(0.0, 0.0),
        field_of_view=(1.0, 1.0),
        gradient=(0.0, 0.0),
        contrast=(1.0, 1.0),
        blur=(0.0, 0.0),
        noise=(0.0, 0.0),
    )
    np.testing.assert_array_equal(seen_by(world_of(oval, 4, neutral)), seen_by(world_of(oval, 4, NONE)))


@pytest.mark.parametrize("level", [MILD, STRONG], ids=lambda level: level.name)
def test_every_camera_of_every_world_is_within_the_ranges_and_no_two_are_equal(level: Randomisation) -> None:
    cameras = [camera for number in range(40) for camera in cameras_of(vary(Camera(), level, number))]
    plain = Camera()
    assert len(set(cameras)) == len(cameras) == 40 * level.cameras
    for name, of in (("above", "camera_above"), ("ahead", "camera_ahead"), ("left", "camera_left")):
        fills(np.array([getattr(camera, name) - getattr(plain, name) for camera in cameras]), level.ranges[of])
    tilted = np.array([math.degrees(c.pitch - plain.pitch) for c in cameras if isinstance(c, Camera)])
    fills(tilted, level.ranges["camera_pitch"])
    wide = np.array([c.field_of_view / plain.field_of_view for c in cameras if isinstance(c, Camera)])
    fills(wide, level.ranges["field_of_view"])


def fills(drawn: Floats, bounds: tuple[float, float]) -> None:
    least, most = bounds
    assert least - 1e-9 <= drawn.min() < least + 0.1 * (most - least)
    assert most - 0.1 * (most - least) < drawn.max() <= most + 1e-9


@pytest.mark.parametrize("level", [MILD, STRONG], ids=lambda level: level.name)
def test_colours_of_the_road_are_within_the_range(level: Randomisation) -> None:
    paint, rng = level.ranges["paint"], np.random.default_rng(0)
    drawn = [repainted(PALETTE, paint, level.ranges["repaint"], rng) for _ in range(300)]
    for name in ("road", "border", "dash"):
        factors = np.array([getattr(palette, name) for palette in drawn]) / getattr(PALETTE, name)
        assert factors.min() >= paint[0] - 1e-9
        assert factors.max() <= paint[1] + 1e-9
    everything = np.array([[*p.floor(), *p.walls, p.sky, p.glare] for p in drawn])
    assert everything.min() >= 0.0
    assert everything.max() <= 255.0
    assert {p.glare for p in drawn} == {PALETTE.glare}


def test_sun_noise_and_jpeg_of_every_world_are_within_the_ranges() -> None:
    worlds = [vary(Camera(), STRONG, number) for number in range(60)]
    suns = [camera.sunlight for world in worlds for camera in cameras_of(world)[:1] if isinstance(camera, Camera)]
    fills(np.degrees([sun.azimuth - SUNLIGHT.azimuth for sun in suns]), STRONG.ranges["sun_azimuth"])
    fills(np.array([sun.strength / SUNLIGHT.strength for sun in suns]), STRONG.ranges["sun_glare"])
    assert {sun.elevation for sun in suns} == {SUNLIGHT.elevation}
    packed = [world for world in worlds if isinstance(world, Compressed)]
    fills(np.array([sensor.quality[0] for sensor in packed]), STRONG.ranges["jpeg"])
    noisy = [sensor.sensor for sensor in packed if isinstance(sensor.sensor, Noisy)]
    fills(np.array([sensor.deviation for sensor in noisy]), STRONG.ranges["noise"])


def test_the_cameras_of_a_pair_are_moved_and_lit_alike() -> None:
    plain = Stereo()
    for camera in cameras_of(vary(plain, STRONG, 5)):
        assert isinstance(camera, Stereo)
        assert camera.left.left - camera.right.left == pytest.approx(plain.left.left - plain.right.left)
        assert replace(camera.left, left=0.0) == replace(camera.right, left=0.0)
        assert camera.left.above != plain.left.above


def test_the_cameras_of_a_world_share_its_floor(oval: Track) -> None:
    for sensor in (SMALL, Stereo(replace(SMALL, left=0.03), replace(SMALL, left=-0.03))):
        mounted = Varied(cameras_of(vary(sensor, FEW, 1))).on(oval)
        assert isinstance(mounted, VariedReader)
        each = [mounted.camera(number) for number in range(FEW.cameras)]
        readers = [one for r in each for one in (r.readers if isinstance(r, StereoReader) else (r,))]
        assert len({id(reader.scenes[0].texels) for reader in readers if isinstance(reader, CameraReader)}) == 1


def test_a_floor_that_no_car_is_on_is_not_painted(oval: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []

    def noted(varied: Varied, track: Track) -> CameraReader:
        painted.append(varied.world)
        return paint(varied, track)

    monkeypatch.setattr(Varied, "painted", noted)
    world = world_of(oval, 2, replace(STRONG, worlds=64))
    assert sorted(painted) == sorted(set(world.state.places.tolist()))
    for _ in range(40):
        world.reset()
    assert len(set(painted)) == len(painted) > 20


def test_pairs_and_wrapped_cameras_are_varied_too_and_other_sensors_are_not(oval: Track) -> None:
    pair = Stereo(replace(SMALL, left=0.03), replace(SMALL, left=-0.03))
    for sensor in (pair, Stacked(SMALL, 2)):
        plain, varied = world_of(oval, 2, NONE, sensor), world_of(oval, 2, FEW, sensor)
        assert seen_by(varied).shape == seen_by(plain).shape
        assert (seen_by(varied) != seen_by(plain)).any(axis=(1, 2, 3)).all()
    (state,) = find_sensors(["STATE"])
    assert vary(state, STRONG, 0) is state


def test_the_worlds_of_a_level_are_the_same_in_every_run_and_shared_by_tracks(oval: Track) -> None:
    kidney = find_track("kidney")
    once, again = (variants(STRONG, [oval, kidney], [SMALL]) for _ in range(2))
    assert [sensors for _, sensors in once] == [sensors for _, sensors in again]
    assert len({sensors for _, sensors in once}) == len(once) == STRONG.worlds
    assert [track.name for track, _ in once] == ["oval"] * 4 + ["kidney"] * 4
    assert once[0][0] is oval
    assert once[4][0] is kidney
    assert len(variants(STRONG, [oval] * 20, [SMALL])) == 20


def test_roads_are_as_wide_as_drawn_and_stay_valid(oval: Track) -> None:
    for level in (MILD, STRONG):
        widths = [track.width / oval.width for track, _ in variants(replace(level, worlds=16), [oval], [])]
        assert widths[0] == 1.0
        assert len(set(widths)) == 16
        assert all(level.ranges["road_width"][0] <= w <= level.ranges["road_width"][1] for w in np.round(widths, 3))
    wide = with_width(oval, 1.2)
    np.testing.assert_array_equal(wide.centre, oval.centre)
    assert wide.width == pytest.approx(1.2 * oval.width, rel=0.01)


def test_a_road_gets_no_narrower_than_the_rules_of_tracks_allow(oval: Track) -> None:
    narrow = with_width(oval, 0.4)
    assert not errors(narrow.route)
    assert 0.45 * oval.width < narrow.width < oval.width


def test_under_the_light_as_it_was_colours_are_as_they_were_and_without_it_a_third_is_left() -> None:
    np.testing.assert_allclose(under(np.ones(3), PALETTE).floor(), PALETTE.floor())
    np.testing.assert_allclose(under(np.ones(3), PALETTE).walls, PALETTE.walls)
    dark = under(np.zeros(3), PALETTE)
    np.testing.assert_allclose(dark.floor(), 0.35 * np.array(PALETTE.floor()))
    np.testing.assert_allclose(dark.walls, [PALETTE.walls[2]] * 4)
    assert dark.sky == PALETTE.sky
    red = under(np.array([1.0, 0.0, 0.0]), PALETTE)
    assert red.border[0] == pytest.approx(PALETTE.border[0])
    assert red.border[1] < 0.5 * PALETTE.border[1]


def test_original_changes_what_the_sun_lights_and_nothing_else() -> None:
    for number in range(ORIGINAL.worlds):
        (camera,) = cameras_of(vary(Camera(), ORIGINAL, number))
        assert isinstance(camera, Camera)
        assert replace(camera, palette=PALETTE, sunlight=SUNLIGHT) == Camera()
        assert camera.palette != PALETTE
        assert camera.palette.sky == PALETTE.sky


def test_a_pattern_is_as_strong_as_asked_and_has_no_seams() -> None:
    tile = pattern(5.0, np.random.default_rng(1))
    assert tile.shape == (TILE, TILE)
    assert tile.std() == pytest.approx(5.0)
    assert tile.mean() == pytest.approx(0.0, abs=1e-9)
    inside = np.abs(np.diff(tile, axis=1)).mean()
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() == pytest.approx(inside, rel=0.1)


def test_a_pattern_lies_on_the_floor_and_every_texel_still_knows_its_neighbours(oval: Track) -> None:
    scene = make_scene(lay_out(oval), PALETTE, SUNLIGHT, LUMA)
    laid = with_pattern(scene, pattern(5.0, np.random.default_rng(1)))
    for first, (rows, columns) in zip(scene.first, scene.size, strict=True):
        plain, now = (
            s.texels[first : first + rows * columns].view(np.uint8).reshape(rows, columns, 4) for s in (scene, laid)
        )
        np.testing.assert_array_equal(now[:, :-1, 1], now[:, 1:, 0])
        np.testing.assert_array_equal(now[:-1, :, 2], now[1:, :, 0])
        np.testing.assert_array_equal(now[:-1, :-1, 3], now[1:, 1:, 0])
        assert abs(float(now[..., 0].mean()) - float(plain[..., 0].mean())) < 1.0
    finest = (laid.texels[: 10**6] & 255).astype(float) - (scene.texels[: 10**6] & 255)
    assert finest.std() == pytest.approx(5.0, rel=0.1)


def test_light_rises_across_the_picture_around_its_middle(oval: Track) -> None:
    rise = world_of(oval, 5, NONE, Graded(SMALL, (0.5, 0.5)))
    plain = seen_by(world_of(oval, 5, NONE)).astype(float)[..., 0]
    times = (seen_by(rise)[..., 0] + 0.25) / np.maximum(plain, 1.0)
    for ratio, shades in zip(times, plain, strict=True):
        lit = (shades > 30.0) & (ratio * shades < 250.0)
        r, k = np.nonzero(lit)
        fit = np.linalg.lstsq(np.stack([np.ones(len(r)), r / 12.0 - 1.0, k / 16.0 - 1.0], 1), ratio[lit], rcond=None)[0]
        assert fit[0] == pytest.approx(1.0, abs=0.06)
        assert math.hypot(fit[1], fit[2]) == pytest.approx(0.5, abs=0.05)
