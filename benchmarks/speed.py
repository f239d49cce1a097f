"""How fast Racer is on this machine: `make bench`, or ``python -m benchmarks.speed``.

Every figure is the median of five runs in one go; ratios compare with a peer or a limit named in the row. Nothing
else should run on the machine meanwhile.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

os.environ.setdefault("NUMBA_NUM_THREADS", str(os.cpu_count() or 1))

import gymnasium
import numba
import numpy as np
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from benchmarks.fidelity import roll_all
from racer_env.car import COMMAND, DEEPRACER_V4, car_records
from racer_env.dynamics import CONTROL_RATE, MOTION, SUBSTEPS, TIME_STEP, advance
from racer_env.env import RacerEnv
from racer_env.kernel import Records, records
from racer_env.reward import RewardFunction
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import find_track

RUNS = 5
CARS = 256  #: of a batch
ORIGINAL = 15.0  #: steps a second: the original's control rate, which its simulator cannot exceed for each worker

Measure = Callable[[], float]


class Row(NamedTuple):
    """A figure to measure."""

    what: str
    unit: str
    measure: Measure
    peer: str = ""
    peer_value: float | Measure | None = None


def rate(work: Callable[[], int], seconds: float = 0.4) -> float:
    """How often a second `work` does what it counts."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += work()
    return done / (time.perf_counter() - began)


def car_steps(reward: bool) -> Measure:
    """Steps of 256 cars, with or without a one-line Python reward."""
    function = RewardFunction.of(lambda params: params["progress"], 256) if reward else None
    simulator = Simulator(find_track("technical"), DEEPRACER_V4, reward=function, n=256)
    simulator.reset()
    actions = np.full(256, 2)

    def work() -> int:
        step = simulator.step(actions)
        if step.done.any():
            simulator.reset(step.done)
        return simulator.n

    return partial(rate, work)


def car_motion() -> Measure:
    """Control periods of 256 cars in motion, and nothing else."""
    motion, command, cars = _slalom()
    held = np.zeros(CARS, np.bool_)

    def work() -> int:
        advance(motion, command, cars, held, np.full(len(motion), TIME_STEP), SUBSTEPS)
        return CARS

    return partial(rate, work)


def bicycle_motion() -> Measure:
    """The same for kinematic bicycles, the cheapest model there is."""
    motion, command, _ = _slalom()

    def work() -> int:
        roll_all(motion, command, DEEPRACER_V4.wheelbase, 1.0 / CONTROL_RATE)
        return CARS

    return partial(rate, work)


def _slalom() -> tuple[Records, Records, Records]:
    """Motion, commands and constants of cars that all steer another way at another speed."""
    command = records(CARS, COMMAND)
    command.steering_degrees, command.speed = np.linspace(-30.0, 30.0, CARS), np.linspace(1.0, 3.0, CARS)
    return records(CARS, MOTION), command, car_records([DEEPRACER_V4] * CARS)


def frames(threads: int) -> Measure:
    """Camera pictures of 64 cars."""
    simulator = Simulator(find_track("technical"), sensors=find_sensors(["FRONT_FACING_CAMERA"]), n=64)
    simulator.reset()

    def work() -> int:
        simulator._read_sensors(simulator.everyone)
        return simulator.n

    def measure() -> float:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            return rate(work)
        finally:
            numba.set_num_threads(before)

    return measure


def single_steps(env: gymnasium.Env[object, object]) -> Measure:
    """Steps of one Gymnasium environment with a picture."""
    env.reset(seed=0)

    def work() -> int:
        done = any(env.step(env.action_space.sample())[2:4])
        if done:
            env.reset()
        return 1

    return partial(rate, work)


def car_racing() -> Measure | str:
    """The same for Gymnasium's CarRacing, or why it cannot be measured."""
    try:
        return single_steps(gymnasium.make("CarRacing-v3"))
    except gymnasium.error.DependencyNotInstalled:
        return "CarRacing-v3 needs the package box2d"


def training(sensor: str) -> Measure:
    """Steps of the whole training loop: simulate, see, decide, learn, log."""
    from benchmarks.training_loop import steps_per_second  # noqa: PLC0415 (torch only here)

    return partial(steps_per_second, sensor)


def command_seconds(*command: str) -> Measure:
    """Seconds that a command takes once everything it reads is in memory."""

    def measure() -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - began

    return measure


def rows() -> list[Row]:
    """All figures."""
    cores = os.cpu_count() or 1
    peer = car_racing()
    racing = (peer, None) if isinstance(peer, str) else ("CarRacing-v3", peer)
    racer = str(os.path.join(os.path.dirname(sys.executable), "racer"))  # noqa: PTH118, PTH120
    return [
        Row("physics, track, params, one-line reward; 256 cars", "car-steps/s", car_steps(True), "original", ORIGINAL),
        Row("the same without a reward", "car-steps/s", car_steps(False), "original", ORIGINAL),
        Row("motion alone, 256 cars, one core", "car-steps/s", car_motion(), "goal", 250_000.0),
        Row("the same", "car-steps/s", car_motion(), "kinematic bicycle", bicycle_motion()),
        Row("camera 160 x 120, one core", "frames/s", frames(1), "original", ORIGINAL),
        Row(f"camera 160 x 120, {cores} cores", "frames/s", frames(cores), "one core", frames(1)),
        Row("one env.step with camera", "steps/s", single_steps(RacerEnv("technical")), *racing),  # type: ignore[arg-type]
        Row("training from the camera, compact network", "steps/s", training("FRONT_FACING_CAMERA"), "original", 13.0),
        Row("training from STATE", "steps/s", training("STATE"), "original", 13.0),
        Row("import racer_env", "s", command_seconds(sys.executable, "-c", "import racer_env"), "limit", 1.0),
        Row("racer --help", "s", command_seconds(racer, "--help"), "limit", 0.7),
    ]


def main() -> None:
    """Measure and print everything."""
    console = Console()
    console.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    table = Table("what", "median", "unit", "ratio", "to")
    for row in progress(rows(), description="measuring", console=console, transient=True):
        value = statistics.median(row.measure() for _ in range(RUNS))
        peer = row.peer_value
        if callable(peer):
            peer = statistics.median(peer() for _ in range(RUNS))
        ratio = "" if peer is None else f"{value / peer:,.2f}" if value / peer < 100 else f"{value / peer:,.0f}"
        shown = f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        against = row.peer if peer is None else f"{row.peer} ({peer:,.1f})"
        table.add_row(row.what, shown, row.unit, ratio, against)
    console.print(table)


if __name__ == "__main__":
    main()
