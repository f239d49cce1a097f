import numpy as np
import pytest
from gymnasium import spaces

from racer_env.kernel import COMPILED
from racer_env.race import TIME_TRIAL
from racer_env.render import palette
from racer_env.render.observation import is_camera, newest, unwrapped
from racer_env.render.sensor_picture import draw_frame, draw_observation
from racer_env.render.sensor_sheet import CELL, Column, draw_sensor_sheet, rows
from racer_env.sensors import Reader, find_sensors
from racer_env.sensors.imperfections import Noisy
from racer_env.sensors.memories import Stacked
from racer_env.track import Track, find_track

SIZE = (120, 90)


def test_grey_is_grey_colours_are_colours_and_two_cameras_are_red_and_cyan() -> None:
    frame = np.zeros((12, 16, 3), np.uint8)
    frame[..., 0], frame[..., 1], frame[..., 2] = 200, 100, 50
    assert np.asarray(draw_frame(frame, SIZE))[40, 60].tolist() == [200, 100, 50]
    assert np.asarray(draw_frame(frame[..., :2], SIZE))[40, 60].tolist() == [200, 100, 100]
    assert np.asarray(draw_frame(frame[..., :1], SIZE))[40, 60].tolist() == [200, 200, 200]


def test_of_stacked_pictures_the_newest_is_drawn() -> None:
    (camera,) = find_sensors(["FRONT_FACING_CAMERA"])
    stacked = Stacked(Noisy(camera, 1.0), 3)
    values = np.zeros(stacked.space().shape, np.uint8)
    values[..., 2] = 90
    assert unwrapped(stacked) == camera
    assert is_camera(stacked)
    assert newest(stacked, values).shape == camera.space().shape
    assert np.asarray(draw_observation(stacked, values, SIZE))[40, 60].tolist() == [90, 90, 90]


def test_a_number_of_the_state_is_a_bar_to_its_side() -> None:
    (state,) = find_sensors(["STATE"])
    lengths = []
    for value in (-1.0, 0.0, 0.5, 1.0):
        values = np.zeros(26, np.float32)
        values[3] = value
        bars = np.asarray(draw_observation(state, values, CELL)).astype(int)[:, : CELL[0] - 84]
        orange = np.abs(bars - palette.ACCENT).max(axis=2) < 20
        columns = np.nonzero(orange)[1] - 115
        lengths.append(int(columns[np.abs(columns).argmax()]) if columns.size else 0)
    assert lengths[0] < -30
    assert abs(lengths[1]) <= 1
    assert lengths[3] == pytest.approx(-lengths[0], abs=2) == pytest.approx(2 * lengths[2], abs=3)


def red_places(values: np.ndarray) -> np.ndarray:
    (objects,) = find_sensors(["OBJECTS"])
    picture = np.asarray(draw_observation(objects, values.astype(np.float32), CELL)).astype(int)
    return np.argwhere(np.abs(picture - palette.BAD).max(axis=2) < 20) - [0.86 * CELL[1], 0.5 * CELL[0]]


def test_an_object_is_drawn_ahead_and_to_the_side_where_it_is() -> None:
    values = np.zeros(15)
    assert len(red_places(values)) == 0
    values[:5] = 1.0, 0.5, 0.25, 0.0, 1.0
    down, right = red_places(values).mean(axis=0)
    assert (down, right) == pytest.approx((-0.4 * CELL[1], -0.2 * CELL[1]), abs=2.0)
    still = len(red_places(values))
    values[3] = 0.2
    assert len(red_places(values)) > still
    values[4] = 0.0
    assert len(red_places(values)) == 0


def test_unknown_numbers_are_plain_bars() -> None:
    class Odd:
        name = "ODD"

        def space(self) -> spaces.Box:
            return spaces.Box(-5.0, 5.0, (3,), np.float32)

        def on(self, track: Track) -> Reader:
            raise NotImplementedError

    picture = np.asarray(draw_observation(Odd(), np.array([1.0, -2.0, 0.0]), (120, 90))).astype(int)
    bars = np.abs(picture - palette.ACCENT).max(axis=2) < 20
    heights = bars[:, [20, 60, 100]].sum(axis=0)
    assert heights.tolist() == pytest.approx([19, 38, 1], abs=1.5)
    assert bars[:44, 20].any()
    assert bars[47:, 60].any()


@pytest.mark.skipif(not COMPILED, reason="cameras are slow as plain Python")
def test_the_sheet_has_a_row_for_every_sensor_and_a_column_for_every_race() -> None:
    column = Column("time trial", "alone", TIME_TRIAL, 1)
    one, two = (draw_sensor_sheet(find_track("oval"), (column,) * k) for k in (1, 2))
    assert two.width - one.width == CELL[0] + 12
    assert one.height == two.height > (len(rows()) + 1) * CELL[1]
    left, right = np.asarray(two)[80:, : one.width - 20], np.asarray(two)[80:, CELL[0] + 12 : -20]
    cells = [slice(34 + k * 214, 34 + k * 214 + 170) for k in range(len(rows()) + 1)]
    assert all(np.array_equal(left[cell, 20:260], right[cell, 20:260]) for cell in cells)
    assert {row.sensor.name for row in rows()} >= {"FRONT_FACING_CAMERA", "STEREO_CAMERAS", "LIDAR", "STATE"}
