"""The README's pictures: ``python -m racer_env.render.gallery`` draws them anew.

The autopilot drives a race, seen three ways; then a window on a race among boxes, and what every sensor tells.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.obstacles import Obstacles
from racer_env.race import EVALUATION
from racer_env.render import save_picture
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS, Run
from racer_env.render.lap_picture import Recorder, draw_camera_sheet, draw_lap
from racer_env.render.scene import Scene
from racer_env.render.sensor_sheet import draw_sensor_sheet
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

FOLDER = Path(__file__).parent / "pictures"
TRACK, SHEET_TRACK = "technical", "oval"
COLOURS = 256
CAMERA = "FRONT_FACING_CAMERA"
VIEWS = (3, 17, 26, 40, 49, 73)  #: per cent of the first lap
WINDOW = 97  #: per cent of the second lap


def draw_gallery(folder: Path = FOLDER) -> None:
    """Drive and draw ``lap.png``, ``camera.png``, ``window.png`` and ``sensors.png``."""
    track = find_track(TRACK)
    lap, camera = draw_race(track)
    save_picture(lap, folder / "lap.png", COLOURS)
    save_picture(camera, folder / "camera.png", COLOURS)
    save_picture(draw_window(track), folder / "window.png", COLOURS)
    save_picture(draw_sensor_sheet(find_track(SHEET_TRACK)), folder / "sensors.png")  # 256 colours would be too few


def draw_race(track: Track) -> tuple[Image.Image, Image.Image]:
    """Drive a race; gives its laps from above, and what the camera saw during the first."""
    simulator = Simulator(track, race=EVALUATION, sensors=find_sensors([CAMERA]), actions=ACTIONS)
    run, driver, recorder = Run(simulator), Autopilot(track), Recorder()
    frames: list[npt.NDArray[np.uint8]] = []
    captions = []
    while not run.over:
        run.step(driver.commands(simulator))
        recorder(simulator, None)
        progress = simulator.state.episode[0].progress
        if not run.laps and len(frames) < len(VIEWS) and progress >= VIEWS[len(frames)]:
            frames.append(simulator.observations[CAMERA][0].copy())
            captions.append(f"{progress:.0f} % of the lap, {simulator.state.motion[0].speed:.1f} m/s")
    laps = [lap.time_ms for lap in run.laps]
    lap = draw_lap(track, recorder.path, recorder.speed, "A driver that slows down in bends", laps)
    return lap, draw_camera_sheet(np.array(frames), captions)


def draw_window(track: Track) -> Image.Image:
    """Drive a race among boxes into its second lap; gives the window as it is then."""
    race = replace(EVALUATION, obstacles=Obstacles())
    simulator = Simulator(track, race=race, sensors=find_sensors([CAMERA, "LIDAR"]), actions=ACTIONS)
    run, driver, scene = Run(simulator), Autopilot(track), Scene(simulator)
    while not run.laps or simulator.state.episode[0].progress < WINDOW or simulator.state.episode[0].progress == 100.0:
        run.step(driver.commands(simulator))
        window = scene.draw()
    return Image.fromarray(window)


if __name__ == "__main__":
    draw_gallery()
