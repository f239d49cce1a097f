"""What replays cost: ``python -m benchmarks.replays`` prints bytes a lap and how fast they are written, read and drawn.

The drives are those of the driver without learning, who slows down in bends, on three shipped tracks of 17 to 60 m.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from racer_env.obstacles import Bots, Obstacles
from racer_env.race import EVALUATION, MOST_CARS, Race
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS
from racer_env.render.replay_scene import ReplayScene
from racer_env.replay import Replay
from racer_env.replay_file import decode, encode
from racer_env.replay_recorder import ReplayRecorder
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

MOST = 40_000  #: bytes of a lap that there may be
TRACKS = ("oval", "technical", "grand_prix")
DRAWN = 60  #: frames, for the speed of drawing

RACES: Mapping[str, Race] = {
    "time trial": EVALUATION,
    "object avoidance": replace(EVALUATION, obstacles=Obstacles()),
    "head-to-bot": replace(EVALUATION, bots=Bots()),
    "grid of eight": replace(EVALUATION, cars=MOST_CARS),
}


class Cost(NamedTuple):
    """What one replay costs."""

    laps: int
    seconds: float  #: driven in a lap
    bytes_a_lap: float
    write: float  #: ms for the whole replay
    read: float
    draw: float  #: frames a second


def measure(track: Track, race: Race) -> Cost:
    """Drive a race, and write, read and draw its replay."""
    replay = _drive(track, race)
    data, write = _timed(lambda: encode(replay))
    _, read = _timed(lambda: decode(data))
    laps = [lap for car in range(len(replay.names)) for lap in replay.laps(car)]
    scene = ReplayScene(replay)
    scene.draw(0)
    _, draw = _timed(lambda: [scene.draw(frame) for frame in range(1, DRAWN + 1)])
    seconds = float(np.mean([lap.time_ms for lap in laps])) / 1000.0
    return Cost(len(laps), seconds, len(data) / len(laps), 1000.0 * write, 1000.0 * read, DRAWN / draw)


def _drive(track: Track, race: Race) -> Replay:
    simulator = Simulator(track, race=race, sensors=find_sensors(["FRONT_FACING_CAMERA"]), actions=ACTIONS)
    recorder, pilot, over = ReplayRecorder(), Autopilot(track), np.zeros(simulator.n, np.bool_)
    simulator.reset()
    recorder(simulator, None)
    while not over.all():
        step = simulator.step(pilot.commands(simulator))
        recorder(simulator, step)
        over |= step.done
    return recorder.replays()[0]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def main() -> None:
    """Print a row for each track and race."""
    table = Table(box=MARKDOWN)
    for name in ("track", "race", "laps", "s a lap", f"bytes a lap (at most {MOST})", "write", "read", "frames/s"):
        table.add_column(name, justify="left" if name in ("track", "race") else "right")
    for name in TRACKS:
        for kind, race in RACES.items():
            c = measure(find_track(name), race)
            numbers = (f"{c.laps}", f"{c.seconds:.1f}", f"{c.bytes_a_lap:.0f}", f"{c.write:.0f} ms", f"{c.read:.0f} ms")
            table.add_row(name, kind, *numbers, f"{c.draw:.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
