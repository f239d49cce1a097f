"""Many cars behind Gymnasium's vector interface, on the batch simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from racer_env.car import ActionSpace, Car
from racer_env.dynamics import CONTROL_RATE
from racer_env.env import Place, Reward, action_space_of, check_render_mode, make_simulator, observation_space_of
from racer_env.kernel import Bools, Floats
from racer_env.race import Race, Status, truncated
from racer_env.randomisation import Randomisation
from racer_env.sensors import Sensor
from racer_env.simulator import Observations


class RacerVectorEnv(VectorEnv[Observations, Any, npt.NDArray[Any]]):
    """`num_envs` cars; arguments as `racer_env.env.RacerEnv`.

    A car whose episode ends is reset in the same step (``AutoresetMode.SAME_STEP``): the observation is that of its
    next episode. ``infos["final_obs"]``, an array (n,) of single observations or None, and ``infos["final_info"]``
    then hold the last of the old one, in the rows where ``infos["_final_obs"]`` is true. What the reward function
    printed is kept: ``simulator.reward.take_printed()``.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "render_fps": CONTROL_RATE,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        track: Place | Sequence[Place] = "oval",
        reward_function: Reward = None,
        sensors: Sequence[str | Sensor] = ("FRONT_FACING_CAMERA",),
        car: str | Car = "deepracer_v6",
        action_space: str | Path | ActionSpace | None = None,
        race: str | Race = "time_trial",
        render_mode: str | None = None,
        randomisation: str | Randomisation = "none",
    ):
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.simulator = make_simulator(
            track, reward_function, sensors, car, action_space, race, num_envs, randomisation=randomisation
        )
        self.num_envs, self.render_mode = num_envs, render_mode
        self.single_action_space = action_space_of(self.simulator.actions)
        self.single_observation_space = observation_space_of(self.simulator.sensors)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._scenes: list[Any] = []

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start every car's episode, or those of ``options["reset_mask"]``; with a `seed`, all begin anew."""
        if seed is not None:
            self.simulator.restart((seed[0] or 0) if isinstance(seed, list) else seed)
        mask = options.get("reset_mask") if options and seed is None else None
        return _copied(self.simulator.reset(mask)), self._infos()

    def step(self, actions: Any) -> tuple[Observations, Floats, Bools, Bools, dict[str, Any]]:
        """Drive one control period, 1/15 s."""
        step = self.simulator.step(np.asarray(actions))
        done, cut, rewards = step.done.copy(), truncated(step.episode), step.rewards.copy()
        last: dict[str, Any] = {}
        if done.any():
            last = {"final_obs": _rows(step.observations, done), "_final_obs": done}
            last |= {"final_info": self._infos(), "_final_info": done}
            self.simulator.reset(done)
        return _copied(step.observations), rewards, done & ~cut, cut, self._infos() | last

    def _infos(self) -> dict[str, Any]:
        """Every car's values (n,), and as Gymnasium has it, under ``_key`` whether it has one."""
        e = self.simulator.state.episode
        infos = {
            "status": np.array([Status(s).label for s in e.status.tolist()], dtype=object),
            "progress": e.progress.copy(),
            "steps": e.steps.copy(),
        }
        infos |= {f"_{key}": np.ones(self.num_envs, np.bool_) for key in infos}
        if e.lap_milliseconds.any():
            infos |= {"lap_ms": e.lap_milliseconds.copy(), "_lap_ms": e.lap_milliseconds > 0}
        return infos

    def render(self) -> tuple[Any, ...] | None:
        """Give a picture (h, w, 3) of every car."""
        if self.render_mode is None:
            return None
        from racer_env.render.scene import Scene  # noqa: PLC0415

        self._scenes = self._scenes or [Scene(self.simulator, car) for car in range(self.num_envs)]
        return tuple(scene.draw() for scene in self._scenes)


def _rows(observations: Observations, which: Bools) -> npt.NDArray[Any]:
    """The observations of some cars, one by one, as objects (n,); None for the others."""
    out = np.full(len(which), None, dtype=object)
    for i in np.flatnonzero(which):
        out[i] = {name: values[i].copy() for name, values in observations.items()}
    return out


def _copied(observations: Observations) -> Observations:
    return {name: values.copy() for name, values in observations.items()}
