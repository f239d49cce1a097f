"""The README's pictures: ``python -m racer_env.render.gallery`` draws them anew.

A lap by a driver that follows the centre line and slows down in bends, seen three ways.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.car import MAX_SPEED, MIN_SPEED
from racer_env.driver import PurePursuit
from racer_env.kernel import Floats
from racer_env.race import EVALUATION
from racer_env.render import save_picture
from racer_env.render.driving import ACTIONS, Run
from racer_env.render.lap_picture import Recorder, draw_camera_sheet, draw_lap
from racer_env.render.scene import Scene
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import find_track

FOLDER = Path(__file__).parent / "pictures"
TRACK = "technical"
COLOURS = 256
CAMERA = "FRONT_FACING_CAMERA"
FASTEST, SLOWEST = 2.8, 1.1  #: m/s
VIEWS = (3, 17, 26, 40, 49, 73)  #: per cent of the first lap
WINDOW = 62  #: per cent of the second lap


class BendDriver(PurePursuit):
    """Slower the more the road ahead turns."""

    def commands(self, simulator: Simulator) -> Floats:
        """Choose actions (n, 2) of `ACTIONS`."""
        station = simulator.state.situation.projection_distance
        yaw = [self.track.poses(station + ahead)[:, 2] for ahead in (0.1, 1.2)]
        bend = np.abs(np.angle(np.exp(1j * (yaw[1] - yaw[0]))))
        speed = np.maximum(FASTEST - 1.8 * bend, SLOWEST)
        actions = super().commands(simulator)
        actions[:, 1] = 2.0 * (speed - MIN_SPEED) / (MAX_SPEED - MIN_SPEED) - 1.0
        return actions


def draw_gallery(folder: Path = FOLDER) -> None:
    """Drive and draw ``camera.png``, ``lap.png`` and ``window.png``."""
    track = find_track(TRACK)
    simulator = Simulator(track, race=EVALUATION, sensors=find_sensors([CAMERA]), actions=ACTIONS)
    run, driver, scene, recorder = (
        Run(simulator),
        BendDriver(track, look_ahead=0.9),
        Scene(simulator),
        Recorder(),
    )
    frames: list[npt.NDArray[np.uint8]] = []
    captions, window = [], scene.draw()
    while not run.over:
        run.step(driver.commands(simulator))
        recorder(simulator, None)
        progress = simulator.state.episode[0].progress
        if not run.laps and len(frames) < len(VIEWS) and progress >= VIEWS[len(frames)]:
            frames.append(simulator.observations[CAMERA][0].copy())
            captions.append(f"{progress:.0f} % of the lap, {simulator.state.motion[0].speed:.1f} m/s")
        if len(run.laps) == 1 and progress <= WINDOW:
            window = scene.draw()
    laps = [lap.time_ms for lap in run.laps]
    lap = draw_lap(track, recorder.path, recorder.speed, "A driver that slows down in bends", laps)
    save_picture(lap, folder / "lap.png", COLOURS)
    save_picture(draw_camera_sheet(np.array(frames), captions), folder / "camera.png", COLOURS)
    save_picture(Image.fromarray(window), folder / "window.png", COLOURS)


if __name__ == "__main__":
    draw_gallery()
