"""The README's pictures: ``python -m racer_env.render.gallery`` draws them anew.

The autopilot drives a race, seen three ways; then a window on a race among boxes, and what every sensor tells; then the
replay of a race of four, and two laps side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.comparison import compare, lap_trace
from racer_env.obstacles import Obstacles
from racer_env.race import EVALUATION
from racer_env.render import save_picture
from racer_env.render.autopilot import Autopilot
from racer_env.render.comparison_picture import draw_comparison
from racer_env.render.driving import ACTIONS, Run
from racer_env.render.lap_picture import Recorder, draw_camera_sheet, draw_lap
from racer_env.render.replay_scene import ReplayScene
from racer_env.render.scene import Scene
from racer_env.render.sensor_sheet import draw_sensor_sheet
from racer_env.replay import Replay
from racer_env.replay_recorder import ReplayRecorder
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

FOLDER = Path(__file__).parent / "pictures"
TRACK, SHEET_TRACK = "technical", "oval"
COLOURS = 256
CAMERA = "FRONT_FACING_CAMERA"
VIEWS = (3, 17, 26, 40, 49, 73)  #: per cent of the first lap
WINDOW = 97  #: per cent of the second lap
RACERS = {"Ada": 2.8, "Bea": 3.0, "Cem": 2.5, "Dan": 3.2}  #: m/s on straights
MOMENT = 240  #: frame of their race


def draw_gallery(folder: Path = FOLDER) -> None:
    """Drive and draw all pictures that the README has of drives."""
    track = find_track(TRACK)
    lap, camera = draw_race(track)
    save_picture(lap, folder / "lap.png", COLOURS)
    save_picture(camera, folder / "camera.png", COLOURS)
    save_picture(draw_window(track), folder / "window.png", COLOURS)
    save_picture(draw_sensor_sheet(find_track(SHEET_TRACK)), folder / "sensors.png")  # 256 colours would be too few
    save_picture(draw_replay(track), folder / "replay.png", COLOURS)
    save_picture(draw_two_laps(track), folder / "laps.png", COLOURS)


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


def draw_replay(track: Track) -> Image.Image:
    """Let four autopilots race; gives a moment of the replay as a video has it."""
    scene = ReplayScene(record(track, RACERS), car=1)
    return Image.fromarray(scene.draw_at(MOMENT))


def draw_two_laps(track: Track) -> Image.Image:
    """Compare the flying laps of two autopilots who drove alone."""
    careful, bold = (lap_trace(record(track, {name: RACERS[name]}), number=2) for name in ("Ada", "Dan"))
    return draw_comparison(compare(careful, bold))


def record(track: Track, racers: Mapping[str, float]) -> Replay:
    """Let autopilots of some speeds race each other."""
    race = replace(EVALUATION, cars=len(racers))
    simulator = Simulator(track, race=race, sensors=find_sensors([CAMERA]), actions=ACTIONS)
    pilots, recorder = [Autopilot(track, speed) for speed in racers.values()], ReplayRecorder(tuple(racers))
    driving = np.ones(simulator.n, np.bool_)
    simulator.reset()
    recorder(simulator, None)
    while driving.any():
        step = simulator.step(np.stack([pilot.commands(simulator)[car] for car, pilot in enumerate(pilots)]))
        recorder(simulator, step)
        driving &= ~step.done
    return recorder.replays()[0]


if __name__ == "__main__":
    draw_gallery()
