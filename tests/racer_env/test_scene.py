import math
import subprocess
import sys
import time
from dataclasses import replace

import gymnasium
import numpy as np
import numpy.typing as npt
import pytest

import racer_env  # noqa: F401 (registers the environment)
from racer_env.driver import PurePursuit
from racer_env.kernel import COMPILED
from racer_env.obstacles import SHAPES, Bots, Obstacles
from racer_env.race import EVALUATION, TIME_TRIAL, Race, Status
from racer_env.render import palette, panel
from racer_env.render.lettering import clock, plain
from racer_env.render.palette import ramp
from racer_env.render.scene import SIZE, Scene
from racer_env.render.speed_line import jumps
from racer_env.render.stopwatch import Stopwatch
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

CAMERA = "FRONT_FACING_CAMERA"
MAP = (slice(50, SIZE[1] - 40), slice(0, SIZE[0] - panel.WIDTH))
INSET = (slice(16, 208), slice(SIZE[0] - panel.WIDTH + 16, SIZE[0] - panel.WIDTH + 272))


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def simulator(track: Track, race: Race = TIME_TRIAL, n: int = 1, *, camera: bool = False) -> Simulator:
    made = Simulator(
        track, race=race, n=n, sensors=find_sensors([CAMERA] if camera else []), actions=PurePursuit.actions
    )
    made.reset()
    return made


def like(picture: npt.NDArray[np.uint8], colour: palette.Colour) -> npt.NDArray[np.bool_]:
    """Tell which pixels are nearly of a colour."""
    near: npt.NDArray[np.bool_] = np.abs(picture.astype(int) - colour).max(axis=2) < 40
    return near


def colour_of(shape: str) -> palette.Colour:
    red, green, blue = (round(255 * share) for share in SHAPES[shape].colour)
    return red, green, blue


def middle_of(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def test_a_scene_is_a_picture_that_changes_when_the_car_moves(oval: Track) -> None:
    world = simulator(oval)
    scene, driver = Scene(world), PurePursuit(oval)
    before = scene.draw()
    assert before.shape == (SIZE[1], SIZE[0], 3)
    assert before.dtype == np.uint8
    assert np.array_equal(before, scene.draw())
    for _ in range(10):
        world.step(driver.commands(world))
    assert not np.array_equal(before, scene.draw())


def test_drawing_changes_nothing_in_the_world(oval: Track) -> None:
    world = simulator(oval, n=3, camera=True)
    before, seen = world.state.copy(), world.observations[CAMERA].copy()
    Scene(world).draw()
    assert np.array_equal(world.state.motion, before.motion)
    assert np.array_equal(world.state.episode, before.episode)
    assert np.array_equal(world.observations[CAMERA], seen)


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.85])
def test_the_followed_car_is_drawn_where_it_is(oval: Track, share: float) -> None:
    world = simulator(oval)
    ((x, y, yaw),) = oval.poses(np.array([share * oval.length])).tolist()
    world.place(0, x, y, yaw)
    scene = Scene(world)
    shown = like(scene.draw()[MAP], palette.ACCENT)
    assert 50 < shown.sum() < 1000
    column, row = middle_of(shown)
    expected = scene._map.view.pixels(np.array([[x, y]]))[0]
    assert (column, row + 50) == pytest.approx(expected, abs=4.0)


def test_a_car_that_turns_around_is_drawn_turned_around(oval: Track) -> None:
    world = simulator(oval)
    ((x, y, yaw),) = oval.poses(np.array([0.3 * oval.length])).tolist()
    pictures = []
    for turn in (0.0, math.pi):
        world.place(0, x, y, yaw + turn)
        shown = like(Scene(world).draw()[MAP], palette.ACCENT)
        pictures.append(shown)
    (a, b), (c, d) = middle_of(pictures[0]), middle_of(pictures[1])
    assert not np.array_equal(pictures[0], pictures[1])
    assert (a, b) == pytest.approx((c, d), abs=4.0)


def test_every_car_is_drawn_and_only_the_followed_one_is_bright(oval: Track) -> None:
    world = simulator(oval, n=4)
    for car in range(4):
        world.place(car, *oval.poses(np.array([(0.1 + 0.25 * car) * oval.length]))[0])
    scenes = [Scene(world, car) for car in (0, 2)]
    pictures = [scene.draw()[MAP] for scene in scenes]
    for picture, car in zip(pictures, (0, 2), strict=True):
        m = world.state.motion[car]
        expected = scenes[0]._map.view.pixels(np.array([[m.x, m.y]]))[0]
        column, row = middle_of(like(picture, palette.ACCENT))
        assert (column, row + 50) == pytest.approx(expected, abs=4.0)
        assert like(picture, palette.OTHER).sum() > 3 * 50


def test_everything_that_stands_or_drives_is_drawn_where_it_is(oval: Track) -> None:
    for shape, race in (
        ("box_obstacle", replace(TIME_TRIAL, obstacles=Obstacles(5))),
        ("bot_car", replace(TIME_TRIAL, bots=Bots(5))),
    ):
        world = simulator(oval, race)
        scene = Scene(world)
        shown = np.abs(scene.draw().astype(int) - colour_of(shape)).max(axis=2) < 20
        alone = np.abs(Scene(simulator(oval)).draw().astype(int) - colour_of(shape)).max(axis=2) < 20
        for body in world.state.bodies[0, 1:]:
            column, row = (round(at) for at in scene._map.view.pixels_of(body.x, body.y))
            here = (slice(row - 9, row + 10), slice(column - 9, column + 10))
            assert shown[here].sum() > 25 + alone[here].sum()


def test_the_followed_car_has_a_ring_where_there_are_others(oval: Track) -> None:
    rings = []
    for race in (TIME_TRIAL, replace(TIME_TRIAL, obstacles=Obstacles(1, least_gap=0.5))):
        world = simulator(oval, race)
        world.place(0, *oval.poses(np.array([0.9 * oval.length]))[0])
        scene, m = Scene(world), world.state.motion[0]
        column, row = (round(at) for at in scene._map.view.pixels_of(m.x, m.y))
        near = scene.draw()[row - 26 : row + 27, column - 26 : column + 27]
        rings.append(like(near, palette.TEXT).sum())
    assert rings[1] > rings[0] + 40


def test_cars_of_other_worlds_are_drawn_only_if_they_are_on_the_same_track(oval: Track) -> None:
    world = Simulator((oval, find_track("kidney")), n=12, actions=PurePursuit.actions)
    world.reset()
    tracks = [world.track_of(car).name for car in range(12)]
    car = tracks.index("kidney")
    assert 0 < tracks.count("oval") < 12
    drawn = list(Scene(world, car)._cars_of_other_worlds())
    assert drawn == [i for i in range(12) if i != car and tracks[i] == "kidney"]


def test_the_map_is_that_of_the_followed_car_even_after_it_changed(oval: Track) -> None:
    kidney = find_track("kidney")
    world = Simulator((oval, kidney), actions=PurePursuit.actions)
    world.reset()
    scene = Scene(world)
    seen = set()
    for _ in range(12):
        name = world.track_of(0).name
        if name not in seen:
            seen.add(name)
            alone = simulator(world.track_of(0))
            m = world.state.motion[0]
            alone.place(0, m.x, m.y, m.yaw)
            assert np.array_equal(scene.draw()[MAP], Scene(alone).draw()[MAP])
        world.reset()
    assert seen == {"oval", "kidney"}


def test_any_car_of_any_world_can_be_followed(oval: Track) -> None:
    world = simulator(oval, replace(TIME_TRIAL, cars=2, obstacles=Obstacles(2)), n=2)
    for car in range(4):
        x, y, yaw = oval.poses(np.array([(0.1 + 0.2 * car) * oval.length]))[0]
        world.place(car, x, y, yaw)
    for car in range(4):
        scene = Scene(world, car)
        m = world.state.motion[car]
        column, row = middle_of(np.abs(scene.draw()[MAP].astype(int) - palette.ACCENT).max(axis=2) < 20)
        assert (column, row + 50) == pytest.approx(scene._map.view.pixels_of(m.x, m.y), abs=4.0)


def test_a_penalty_makes_the_car_fade(oval: Track) -> None:
    world = simulator(oval, EVALUATION)
    solid = like(Scene(world).draw()[INSET], palette.ACCENT).sum()
    world.state.episode.pause[0] = 4
    faint = like(Scene(world).draw()[INSET], palette.ACCENT).sum()
    assert solid > 200 > faint


def test_the_close_up_shows_what_is_ahead_above_and_what_is_left_to_the_left(oval: Track) -> None:
    world = simulator(oval, replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.06, 1),))))
    box = world.state.bodies[0, 1]
    c, s = math.cos(box.yaw), math.sin(box.yaw)
    for ahead, left in ((0.6, 0.0), (0.3, 0.4), (-0.1, -0.5)):
        world.place(0, box.x - c * ahead + s * left, box.y - s * ahead - c * left, box.yaw)
        shown = np.abs(Scene(world).draw()[INSET].astype(int) - colour_of("box_obstacle")).max(axis=2) < 12
        column, row = middle_of(shown)
        assert (column, row) == pytest.approx((128 - 125 * left, 130.5 - 125 * ahead), abs=5.0)
        assert 0.6 * 50 * 37.5 < shown.sum() < 50 * 37.5  # all but rim and tape


def test_a_lidar_is_drawn_around_the_car_and_beside_the_camera(oval: Track) -> None:
    race = replace(TIME_TRIAL, obstacles=Obstacles(positions=((0.06, 1),)), start=0.06)
    pictures = []
    for names in ((CAMERA,), (CAMERA, "SECTOR_LIDAR")):
        world = Simulator(oval, race=race, sensors=find_sensors(names), actions=PurePursuit.actions)
        world.reset()
        scene = Scene(world)
        beside = scene.draw()[INSET].astype(int)
        scene.toggle_camera()
        pictures.append((beside, scene.draw()[INSET].astype(int)))
    (camera, close), (camera_and_lidar, close_and_lidar) = pictures
    assert not np.array_equal(camera[100:, 164:], camera_and_lidar[100:, 164:])
    assert np.array_equal(camera[:100], camera_and_lidar[:100])
    changed = np.abs(close - close_and_lidar).max(axis=2) > 40
    assert middle_of(changed)[0] < 128  # the box stands on the left


def test_the_camera_is_shown_if_there_is_one_and_the_close_up_else(oval: Track) -> None:
    world = simulator(oval, camera=True)
    scene = Scene(world)
    seen = world.observations[CAMERA][0, :, :, 0].astype(float)
    shown = scene.draw()[INSET]
    assert np.ptp(shown.astype(int)[20:-20, 20:-20], axis=2).max() == 0
    near = shown[4::8, 4::8, 0].astype(float)[2:-2, 2:-2]
    assert np.abs(near - seen[2::5, 2::5][2:-2, 2:-2]).mean() < 12.0
    scene.toggle_camera()
    close = scene.draw()[INSET]
    assert np.array_equal(close, Scene(simulator(oval)).draw()[INSET])
    scene.toggle_camera()
    assert np.array_equal(scene.draw()[INSET], shown)
    blind = Scene(simulator(oval))
    blind.toggle_camera()
    assert not blind.show_camera


@pytest.mark.parametrize("share", [0.05, 0.3, 0.55, 0.8])
def test_the_close_up_has_the_car_below_and_the_road_ahead_above(oval: Track, share: float) -> None:
    world = simulator(oval)
    ((x, y, yaw),) = oval.poses(np.array([share * oval.length]))
    world.place(0, x - 0.2 * math.sin(yaw), y + 0.2 * math.cos(yaw), yaw)
    shown = Scene(world).draw()[INSET]
    column, row = middle_of(like(shown, palette.ACCENT))
    assert (column, row) == pytest.approx((128, 130), abs=6.0)
    assert np.abs(shown[60, 128].astype(int) - palette.ROAD).max() < 12
    borders = np.flatnonzero(like(shown, palette.BORDER)[131])
    assert borders.size
    assert abs(128 - borders[borders < 128].max()) < abs(borders[borders > 128].min(initial=256) - 128)


@pytest.mark.skipif(not COMPILED, reason="the camera is slow as plain Python")
def test_a_long_track_is_still_drawn_faster_than_it_is_driven() -> None:
    world = simulator(find_track("grand_prix"), camera=True)
    scene, driver = Scene(world), PurePursuit(world.track, speed=2.0)
    scene.draw()
    fastest = math.inf
    for _ in range(20):
        world.step(driver.commands(world))
        began = time.perf_counter()
        scene.draw()
        fastest = min(fastest, time.perf_counter() - began)
    assert fastest < 1 / 15


def test_the_read_out_is_what_the_simulator_says(oval: Track) -> None:
    world = simulator(oval, EVALUATION)
    driver, watch = PurePursuit(oval, speed=2.0), Stopwatch()
    for _ in range(30):
        world.step(driver.commands(world))
    watch.look(world.state.episode[0])
    readings = panel.take_readings(world, 0, watch)
    e = world.state.episode[0]
    assert readings.asked_speed == pytest.approx(2.0)
    assert readings.speed == world.state.motion[0].speed
    assert (readings.steps, readings.lap, readings.laps, readings.episode) == (31, 1, 3, 1)
    assert (readings.progress, readings.status) == (e.progress, Status.IN_PROGRESS)
    assert readings.current_ms == 2000
    assert readings.reward is None


def test_the_read_out_counts_crashes_and_the_penalties_that_are_left(oval: Track) -> None:
    race = replace(EVALUATION, obstacles=Obstacles(positions=((0.1, 1),)))
    world = simulator(oval, race)
    driver = PurePursuit(oval, speed=1.5, offset=0.25)
    while not (step := world.step(driver.commands(world))).episode.crash_count[0]:
        assert not step.done[0]
    readings = panel.take_readings(world, 0, Stopwatch())
    assert (readings.crashes, readings.off_tracks, readings.resets, readings.resets_left) == (1, 0, 1, 14)
    assert 4.0 < readings.pause <= 5.0


@pytest.mark.parametrize("every", [1, 7])
def test_the_stopwatch_has_the_times_of_the_race(oval: Track, every: int) -> None:
    world = simulator(oval, EVALUATION)
    driver, watch = PurePursuit(oval, speed=2.5, look_ahead=0.8), Stopwatch()
    laps: list[int] = []
    shown: list[int] = []
    step = 0
    done = False
    while not done:
        step += 1
        taken = world.step(driver.commands(world))
        done = bool(taken.done[0])
        if taken.episode[0].lap_milliseconds:
            laps.append(int(taken.episode[0].lap_milliseconds))
        if step % every == 0 or done:
            watch.look(world.state.episode[0])
            if watch.last_ms is not None and [watch.last_ms] != shown[-1:]:
                shown.append(watch.last_ms)
    assert len(laps) == 3
    assert shown == [lap for i, lap in enumerate(laps) if i == 0 or lap != laps[i - 1]]
    assert (watch.best_ms, watch.current_ms) == (min(laps), laps[-1])


def test_the_best_lap_outlives_its_episode(oval: Track) -> None:
    world = simulator(oval)
    driver, watch = PurePursuit(oval, speed=2.0), Stopwatch()
    for _ in range(2):
        while not (step := world.step(driver.commands(world))).done[0]:
            watch.look(step.episode[0])
        watch.look(step.episode[0])
        best = watch.best_ms
        world.reset()
        watch.look(world.state.episode[0])
        assert best is not None
        assert watch.best_ms == best
        assert watch.current_ms == 0


def test_a_path_jumps_where_the_car_is_put_back_and_nowhere_else() -> None:
    track = find_track("technical")
    world = simulator(track, Race(laps=2, continuous=True, resets=20, off_track_penalty=0.2))
    driver = PurePursuit(track, speed=3.6)
    poses = []
    for _ in range(400):
        if world.step(driver.commands(world)).done[0]:
            break
        m = world.state.motion[0]
        poses.append((m.x, m.y, m.speed))
    run = np.array(poses)
    assert world.state.episode[0].resets >= 3
    assert jumps(run[:, :2], run[:, 2]).sum() == world.state.episode[0].resets


def test_the_colours_of_speed_grow_lighter() -> None:
    colours = ramp(np.linspace(0.0, 1.0, 101)) / 255.0
    linear = np.where(colours > 0.04045, ((colours + 0.055) / 1.055) ** 2.4, colours / 12.92)
    lightness = 116.0 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16.0
    assert np.all(np.diff(lightness) > 0.0)
    assert (lightness[0], lightness[-1]) == pytest.approx((46.0, 94.0), abs=2.0)
    assert np.array_equal(ramp(np.array([-1.0, 2.0])), ramp(np.array([0.0, 1.0])))


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(8_400, "00:08.400"), (61_007, "01:01.007"), (0, "00:00.000"), (None, "--:--.---")],
)
def test_times_are_minutes_seconds_and_milliseconds(milliseconds: int | None, shown: str) -> None:
    assert clock(milliseconds) == shown


def test_words_are_written_in_letters_that_the_font_has() -> None:
    assert plain("Österreich · 12° – é") == "Osterreich · 12° ? e"


def test_an_environment_gives_pictures() -> None:
    env = gymnasium.make("racer_env/TimeTrial-v0", track="oval", sensors=["STATE"], render_mode="rgb_array")
    env.reset(seed=0)
    first = np.asarray(env.render())
    for _ in range(5):
        env.step(2)
    second = np.asarray(env.render())
    env.close()
    assert first.shape == second.shape == (SIZE[1], SIZE[0], 3)
    assert not np.array_equal(first, second)


def test_drawing_a_scene_needs_no_pygame() -> None:
    code = "import sys, racer_env.render.scene, racer_env.render.lap_picture; print('pygame' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
