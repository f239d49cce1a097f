"""A contact sheet: what every sensor tells in every type of race, a row for each sensor and a column for each race."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from PIL import Image, ImageDraw

from racer_env.obstacles import Bots, Obstacles
from racer_env.race import TIME_TRIAL, Race
from racer_env.render import palette
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS
from racer_env.render.lettering import font, write
from racer_env.render.scene import draw_close_up
from racer_env.render.sensor_picture import draw_observation
from racer_env.render.track_map import TrackMap
from racer_env.sensors import Sensor, find_sensors
from racer_env.sensors.camera import FRONT_FACING_CAMERA, WIDE_CAMERA
from racer_env.simulator import Simulator
from racer_env.track import Track

CELL = (240, 180)  #: px
_GAP, _SIDE, _HEAD, _TITLE = 12, 20, 74, 34  #: px
_SCALE = 75.0  #: px/m, of the views from above


class Column(NamedTuple):
    """One type of race, and who is looked at in it, when."""

    title: str
    about: str
    race: Race
    steps: int  #: control periods since the start
    car: int = 0


COLUMNS = (
    Column("time trial", "alone", replace(TIME_TRIAL, start=0.42), 10),
    Column("object avoidance", "among boxes", replace(TIME_TRIAL, obstacles=Obstacles(14), start=0.4), 6),
    Column("head-to-bot", "among bot cars", replace(TIME_TRIAL, bots=Bots(14, least_gap=0.9), start=0.4), 4),
    Column("head-to-head", "third of four", replace(TIME_TRIAL, cars=4, start=0.58), 3, car=2),
)


class Row(NamedTuple):
    """One sensor."""

    name: str
    about: str
    sensor: Sensor


def rows() -> tuple[Row, ...]:
    """The sensors that are drawn."""
    names = ("FRONT_FACING_CAMERA", "STEREO_CAMERAS", "LIDAR", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR", "STATE")
    front, stereo, lidar, sectors, steps, state, objects = find_sensors((*names, "OBJECTS"))
    return (
        Row(front.name, "160 x 120 in grey; observation is its old name, and LEFT_CAMERA is 3 cm to its left", front),
        Row(front.name, "in colour", replace(FRONT_FACING_CAMERA, name="colour", colour=True)),
        Row(front.name, "through the physical car's lens of 120 degrees", replace(WIDE_CAMERA, name="wide")),
        Row(stereo.name, "two grey pictures, the left one in red, the right one in cyan", stereo),
        Row(lidar.name, "64 lengths up to 1 m, not ahead; red where they meet something", lidar),
        Row(sectors.name, "which of 8 sectors have something within 0.5 m", sectors),
        Row(steps.name, "8 steps of 0.25 m in each of 8 sectors", steps),
        Row(state.name, "26 numbers: six here as bars, and ten points of the road ahead", state),
        Row(objects.name, "the next three things on the track, up to 4 m; the line is their speed", objects),
    )


def draw_sensor_sheet(track: Track, columns: tuple[Column, ...] = COLUMNS) -> Image.Image:
    """Drive each race a little on a track, and draw what one car sees of it through every sensor."""
    sensors = rows()
    size = (
        2 * _SIDE + len(columns) * (CELL[0] + _GAP) - _GAP,
        _HEAD + (len(sensors) + 1) * (CELL[1] + _TITLE) + _SIDE - 8,
    )
    sheet = Image.new("RGB", size, palette.NIGHT)
    draw = ImageDraw.Draw(sheet)
    for k, (name, about) in enumerate([("from above", "the same moment"), *((row.name, row.about) for row in sensors)]):
        y = _HEAD + k * (CELL[1] + _TITLE) + _TITLE - 10
        write(draw, (_SIDE, y), name, 15)
        write(draw, (_SIDE + draw.textlength(name, font(15)) + 12, y), about, 13, palette.QUIET)
    for i, column in enumerate(columns):
        left = _SIDE + i * (CELL[0] + _GAP)
        write(draw, (left, 36), column.title, 20)
        write(draw, (left, 58), column.about, 13, palette.QUIET)
        for k, picture in enumerate(_pictures(track, column, [row.sensor for row in sensors])):
            sheet.paste(picture, (left, _HEAD + k * (CELL[1] + _TITLE) + _TITLE))
    return sheet


def _pictures(track: Track, column: Column, sensors: list[Sensor]) -> Iterator[Image.Image]:
    """Draw one car from above, and what it sees."""
    simulator = Simulator(track, race=column.race, sensors=sensors, actions=ACTIONS)
    simulator.reset()
    driver = Autopilot(track)
    for _ in range(column.steps):
        simulator.step(driver.commands(simulator))
    yield draw_close_up(simulator, column.car, TrackMap(track, CELL, "", ""), CELL, _SCALE)
    for sensor in sensors:
        yield draw_observation(sensor, simulator.observations[sensor.name][column.car], CELL)
