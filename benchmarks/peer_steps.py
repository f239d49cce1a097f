"""Single steps of another simulator, run by its own Python: ``python peer_steps.py NAME RUNS``.

Prints one number a line: steps a second, resets included. It stands alone: nothing of ours is installed there.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from typing import Any

SECONDS = 2.0  #: of one run


def car_racing() -> Any:
    """Gymnasium's CarRacing: 96 x 96 pixels in colour."""
    import gymnasium  # noqa: PLC0415

    return gymnasium.make("CarRacing-v3")


def f1tenth() -> Any:
    """F1TENTH's gym: LIDAR, no camera."""
    import gymnasium  # noqa: PLC0415

    return gymnasium.make("f1tenth_gym:f1tenth-v0")


def duckietown() -> Any:
    """Duckietown's gym with pictures of our size, in colour; without a screen it draws in software."""
    import pyglet  # noqa: PLC0415

    pyglet.options["headless"] = not os.environ.get("DISPLAY")
    from gym_duckietown.envs import DuckietownEnv  # noqa: PLC0415

    return DuckietownEnv(camera_width=160, camera_height=120, max_steps=10**9)


def steps_per_second(env: Any, actions: list[Any]) -> float:
    """How fast an environment steps."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        result = env.step(actions[done % len(actions)])
        done += 1
        if any(result[2:-1]):  # gym ends with one flag, Gymnasium with two
            env.reset()
    return done / (time.perf_counter() - began)


def main() -> None:
    """Measure."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    name, runs = sys.argv[1], int(sys.argv[2])
    env = {"CarRacing-v3": car_racing, "f1tenth_gym": f1tenth, "gym-duckietown": duckietown}[name]()
    env.reset()
    actions = [env.action_space.sample() for _ in range(100)]
    for action in actions[:10]:
        env.step(action)
    env.reset()
    for _ in range(runs):
        print(steps_per_second(env, actions), flush=True)


if __name__ == "__main__":
    main()
