from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from racer_env.driver import PurePursuit
from racer_env.errors import RacerError
from racer_env.race import Race, Status
from racer_env.render import palette, save_picture
from racer_env.render.driving import ACTIONS, Run
from racer_env.render.gallery import FOLDER
from racer_env.render.lap_picture import (
    SIZE,
    Recorder,
    draw_camera_sheet,
    draw_lap,
    off_track_places,
    speed_range,
)
from racer_env.render.palette import ramp_colour
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def drive(track: Track, speed: float) -> tuple[Run, Recorder]:
    run, recorder, driver = (
        Run(Simulator(track, race=Race(resets=4), actions=ACTIONS)),
        Recorder(),
        PurePursuit(track, speed),
    )
    while not run.over:
        run.step(driver.commands(run.simulator))
        recorder(run.simulator, None)
    return run, recorder


def line(
    track: Track, speed: float | npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    path = track.poses(np.linspace(0.0, track.length, 200))[:, :2]
    return path, np.broadcast_to(np.asarray(speed, np.float64), 200)


def near(picture: Image.Image, colour: palette.Colour) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.abs(np.asarray(picture).astype(int) - colour).max(axis=2) < 12
    return found


def test_the_line_has_the_colour_of_its_speed(oval: Track) -> None:
    half = np.where(np.arange(200) < 100, 1.0, 3.0)
    picture = draw_lap(oval, *line(oval, half))
    assert picture.size == SIZE
    for colour in (ramp_colour(0.0), ramp_colour(1.0)):
        assert near(picture, colour)[:-60].sum() > 500
    assert near(picture, ramp_colour(0.5))[:-60].sum() < 100


def test_the_legend_spans_the_speeds_of_the_moving_car() -> None:
    assert speed_range(np.r_[np.zeros(50), np.linspace(1.0, 2.46, 100)]) == pytest.approx((1.0, 2.5))
    assert speed_range(np.full(10, 1.5)) == pytest.approx((1.5, 1.7))
    assert speed_range(np.zeros(10)) == (0.0, 1.0)


def test_the_title_is_the_track_unless_said_otherwise(oval: Track) -> None:
    path, speed = line(oval, 1.0)
    named = np.asarray(draw_lap(oval, path, speed))
    other = np.asarray(draw_lap(oval, path, speed, "Mine"))
    again = np.asarray(draw_lap(oval, path, speed, "oval"))
    assert np.array_equal(named[:80, :500], again[:80, :500])
    assert not np.array_equal(named[:80], other[:80])
    assert np.array_equal(named[80:], other[80:])


def test_the_best_lap_time_is_green(oval: Track) -> None:
    path, speed = line(oval, 1.0)
    for laps, best in (([9000, 8400, 9100], 1), ([8400, 9000, 9100], 0)):
        green = near(draw_lap(oval, path, speed, laps=laps), palette.GOOD)
        columns = np.flatnonzero(green.any(axis=0))
        assert 44 + 160 * best < columns.min() < columns.max() < 44 + 165 * (best + 1)
    assert not near(draw_lap(oval, path, speed), palette.GOOD).any()


def test_more_laps_than_there_is_room_for_are_counted(oval: Track) -> None:
    path, speed = line(oval, 1.0)
    many = np.asarray(draw_lap(oval, path, speed, laps=[8000] * 20))
    legend = np.asarray(draw_lap(oval, path, speed))[-60:, 755:]
    assert np.array_equal(many[-60:, 755:], legend)


def test_every_place_where_the_car_left_the_track_is_crossed() -> None:
    track = find_track("technical")
    run, recorder = drive(track, 3.4)
    places = off_track_places(track, recorder.path, recorder.speed)
    e = run.simulator.state.episode[0]
    assert (int(e.status), int(e.resets)) == (Status.OFF_TRACK, 4)
    assert len(places) == 5
    assert not track.contains(places).any()
    shown = near(draw_lap(track, recorder.path, recorder.speed), palette.BAD)
    assert shown.sum() > 50 * len(places) / 2


def test_a_clean_run_has_no_crosses(oval: Track) -> None:
    run, recorder = drive(oval, 1.8)
    assert run.simulator.state.episode[0].resets == 0
    assert len(off_track_places(oval, recorder.path, recorder.speed)) == 0
    assert not near(draw_lap(oval, recorder.path, recorder.speed), palette.BAD).any()


def test_a_run_that_ends_beside_the_track_is_crossed_there(oval: Track) -> None:
    ((x, y, yaw),) = oval.poses(np.array([1.0]))
    ahead = np.linspace(0.0, 2.0, 40)
    away = np.array([x, y]) + ahead[:, None] * [np.sin(yaw), -np.cos(yaw)]
    assert off_track_places(oval, away, np.full(40, 1.0)) == pytest.approx(away[-1:])


def test_nothing_driven_is_an_empty_track(oval: Track) -> None:
    for k in (0, 1):
        path = oval.poses(np.zeros(k))[:, :2]
        assert draw_lap(oval, path, np.zeros(k)).size == SIZE


def test_an_open_track_can_be_drawn() -> None:
    track = find_track("straight")
    assert draw_lap(track, *line(track, 2.0), laps=[4321]).size == SIZE


def test_path_and_speed_must_belong_together(oval: Track) -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(4,\)"):
        draw_lap(oval, np.zeros((3, 2)), np.zeros(4))


def test_a_recorder_notes_the_pose_after_every_step(oval: Track) -> None:
    world = Simulator(oval, actions=ACTIONS)
    world.reset()
    recorder, driver = Recorder(), PurePursuit(oval)
    recorder(world, None)
    for _ in range(3):
        recorder(world, world.step(driver.commands(world)))
    m = world.state.motion[0]
    assert recorder.path.shape == (4, 2)
    assert recorder.path[-1].tolist() == [m.x, m.y]
    assert recorder.speed[-1] == m.speed > recorder.speed[0] == 0.0
    assert Recorder().path.shape == (0, 2)


@pytest.mark.parametrize("shape", [(5, 120, 160), (5, 120, 160, 1)])
def test_a_sheet_shows_every_frame_twice_as_large(shape: tuple[int, ...]) -> None:
    frames = np.repeat(np.arange(40, 240, 40, dtype=np.uint8), 120 * 160).reshape(shape)
    sheet = np.asarray(draw_camera_sheet(frames, [f"frame {i}" for i in range(5)]))
    assert sheet.shape == (16 + 2 * 270 + 8, 16 + 3 * 336, 3)
    for i in range(5):
        row, column = divmod(i, 3)
        top, left = 16 + row * 270, 16 + column * 336
        assert (sheet[top : top + 240, left : left + 320] == 40 * (i + 1)).all()
    titled = draw_camera_sheet(frames, [""] * 5, "What it saw", columns=5)
    assert titled.size == (16 + 5 * 336, 58 + 16 + 270 + 8)


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 120, 160), np.uint8), np.zeros((1, 120, 160)), np.zeros((1, 120), np.uint8)]
)
def test_a_sheet_refuses_what_are_not_captioned_frames(frames: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="1 captions for frames"):
        draw_camera_sheet(frames, ["one"])


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    picture = Image.new("RGB", (20, 10), palette.ROAD)
    save_picture(picture, tmp_path / "a.png")
    save_picture(picture, tmp_path / "b.png", colours=4)
    with Image.open(tmp_path / "b.png") as read:
        assert (read.size, read.mode) == ((20, 10), "P")
    with pytest.raises(RacerError, match=r"no.c\.png cannot be written: No such file or directory"):
        save_picture(picture, tmp_path / "no" / "c.png")
    with pytest.raises(RacerError, match=r"c\.jpg must end in \.png"):
        save_picture(picture, tmp_path / "c.jpg")
    (tmp_path / "d.png").mkdir()
    with pytest.raises(RacerError, match="Is a directory"):
        save_picture(picture, tmp_path / "d.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "d.png"]


@pytest.mark.parametrize("name", ["camera.png", "lap.png", "window.png", "sensors.png"])
def test_the_pictures_of_the_readme_are_there_and_small(name: str) -> None:
    assert (FOLDER / name).stat().st_size < (400_000 if name == "sensors.png" else 150_000)
    with Image.open(FOLDER / name) as picture:
        assert min(picture.size) > 500
