"""Speed of driving: physics, track, rules, params and reward of a batch, and single steps behind Gymnasium."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import racer_env  # noqa: F401 (which registers its environments)
from benchmarks.fidelity import roll_all
from benchmarks.measure import Measure, Peer, Row, one_core, rate
from racer_env.car import COMMAND, DEEPRACER_V4, car_records
from racer_env.dynamics import CONTROL_RATE, MOTION, SUBSTEPS, TIME_STEP, advance
from racer_env.kernel import Records, records
from racer_env.reward import RewardFunction
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track
from reward_functions import EXAMPLES

CARS = 256  #: of a batch
TRACK = "technical"
REAL = "no_zigzag"  #: a reward function of 30 lines, of whose fellows five of seven cost less
CAMERA = "FRONT_FACING_CAMERA"

#: Steps a second: the original's control rate, which one of its workers cannot exceed.
ORIGINAL = Peer("the original", 15.0)

#: Physics, and 160 x 120 pictures, as genesis-deepracer publishes them for an RTX 4060 Ti.
GENESIS, GENESIS_CAMERA = Peer("genesis on an RTX 4060 Ti", 690_000.0), Peer("genesis on an RTX 4060 Ti", 27_500.0)

Reward = Callable[[dict[str, Any]], float] | Path | None


def one_line(params: dict[str, Any]) -> float:
    """The shortest reward that reads something."""
    return params["progress"]  # type: ignore[no-any-return]


def one(_: dict[str, Any]) -> float:
    """The shortest reward."""
    return 1.0


def batch(reward: Reward = None, n: int = CARS, sensors: tuple[str, ...] = (), track: Track | None = None) -> Simulator:
    """A batch of cars at their starts."""
    function = RewardFunction.load(reward, n) if isinstance(reward, Path) else reward and RewardFunction.of(reward, n)
    where = track or find_track(TRACK)
    simulator = Simulator(where, DEEPRACER_V4, sensors=find_sensors(sensors), reward=function or None, n=n)
    simulator.reset()
    return simulator


def steps(simulator: Simulator, speed: float = 2.0) -> Callable[[], int]:
    """Steps of a whole batch, straight ahead at a speed (m/s); cars whose episode ends start again."""
    actions = records(simulator.n, COMMAND)
    actions.speed = speed

    def work() -> int:
        step = simulator.step(actions)
        if step.done.any():
            simulator.reset(step.done)
        return simulator.n

    return work


def car_steps(reward: Reward = None, n: int = CARS, sensors: tuple[str, ...] = ()) -> Measure:
    """Steps a second of all cars of a batch, on one core."""
    return one_core(partial(rate, steps(batch(reward, n, sensors))))


def real_reward(n: int, sensors: tuple[str, ...] = ()) -> Measure:
    """Speed with `REAL` in per cent of that with `one`, measured in turns."""
    real, plain = (steps(batch(reward, n, sensors)) for reward in (EXAMPLES[REAL] / "reward_function.py", one))

    def measure() -> float:
        turns = [(rate(real, 0.1), rate(plain, 0.1)) for _ in range(5)]
        return 100.0 * float(np.median([a / b for a, b in turns]))

    return one_core(measure)


def _slalom() -> tuple[Records, Records, Records]:
    """Motion, commands and constants of cars that all steer another way at another speed."""
    command = records(CARS, COMMAND)
    command.steering_degrees, command.speed = np.linspace(-30.0, 30.0, CARS), np.linspace(1.0, 3.0, CARS)
    return records(CARS, MOTION), command, car_records([DEEPRACER_V4] * CARS)


def car_motion() -> Measure:
    """Control periods of cars in motion, and nothing else."""
    motion, command, cars = _slalom()
    held, periods = np.zeros(CARS, np.bool_), np.full(CARS, TIME_STEP)

    def work() -> int:
        advance(motion, command, cars, held, periods, SUBSTEPS)
        return CARS

    return one_core(partial(rate, work))


def bicycle_motion() -> Measure:
    """The same for kinematic bicycles, the cheapest model there is."""
    motion, command, _ = _slalom()

    def work() -> int:
        roll_all(motion, command, DEEPRACER_V4.wheelbase, 1.0 / CONTROL_RATE)
        return CARS

    return one_core(partial(rate, work))


def single_steps() -> Measure:
    """Steps of one environment with a picture, driven by chance; resets included."""
    env: gymnasium.Env[Any, Any] = gymnasium.make("racer_env/TimeTrial-v0", track=TRACK)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(100)]

    def work() -> int:
        for action in actions:
            if any(env.step(action)[2:4]):
                env.reset()
        return len(actions)

    return one_core(partial(rate, work))


def rows(peers: tuple[Peer, ...]) -> list[Row]:
    """All figures of driving; `peers` are other simulators' single steps."""
    bicycle = Peer("a kinematic bicycle", bicycle_motion())
    with_camera = f"the same with the camera, {CARS // 4} cars"
    return [
        Row(
            f"physics, track, params, one-line reward; {CARS} cars, one core",
            "car-steps/s",
            car_steps(one_line),
            150_000.0,
            300_000.0,
            peers=[ORIGINAL],
        ),
        Row("the same without a reward", "car-steps/s", car_steps(), 250_000.0, 1_000_000.0, peers=[GENESIS]),
        Row("motion alone", "car-steps/s", car_motion(), peers=[bicycle]),
        Row("one `env.step` with camera", "steps/s", single_steps(), 4_000.0, 10_000.0, peers=[ORIGINAL, *peers]),
        Row(f"reward `{REAL}` against `return 1.0`, {CARS} cars", "%", real_reward(CARS)),
        Row(with_camera, "%", real_reward(CARS // 4, (CAMERA,)), 95.0),
    ]
