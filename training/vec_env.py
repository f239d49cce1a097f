"""The batch simulator as a stable-baselines3 `VecEnv`.

Pictures are handed over channel first, (n, channels, h, w), which torch wants and which costs nothing for one
channel. A car whose episode ends is reset in the same step, as stable-baselines3 expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from racer_env.env import action_space_of
from racer_env.kernel import Ints
from racer_env.race import truncated
from racer_env.sensors import Sensor
from racer_env.simulator import Observations, Simulator, Step


def channel_first(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn pictures (n, h, w, c) to (n, c, h, w), which shares memory with them; leave other observations alone."""
    return values.transpose(0, 3, 1, 2) if values.ndim == 4 else values


def observation_space_of(sensors: Sequence[Sensor]) -> spaces.Dict:
    """Space of what these sensors see, channel first."""
    return spaces.Dict({sensor.name: _channel_first_space(sensor.space()) for sensor in sensors})


def _channel_first_space(space: spaces.Box) -> spaces.Box:
    if len(space.shape) != 3:
        return space
    return spaces.Box(0, 255, (space.shape[2], *space.shape[:2]), np.uint8)


class Observer(Protocol):
    """Watches every step while it can still be seen whole."""

    def begun(self, cars: Ints) -> None:
        """These cars have just been reset."""

    def stepped(self, step: Step, actions: npt.NDArray[Any]) -> None:
        """A step was made; the cars whose episode it ended are not yet reset."""


class RacerVecEnv(VecEnv):
    """All cars of a simulator as the environments of stable-baselines3.

    Args:
        simulator: with the sensors that the driver, and perhaps its critic, sees.
        observer: told of every step and reset.
        copy: hand over copies of the observations; without, arrays that the next step overwrites.
    """

    def __init__(self, simulator: Simulator, observer: Observer | None = None, copy: bool = True):
        observation_space = observation_space_of(simulator.sensors)
        self.simulator, self.observer, self._copy = simulator, observer, copy
        self.render_mode = None
        super().__init__(simulator.n, observation_space, action_space_of(simulator.actions))
        self._actions: npt.NDArray[Any] = np.zeros(simulator.n)

    def reset(self) -> VecEnvObs:
        """Start every car's episode."""
        observations = self.simulator.reset()
        if self.observer:
            self.observer.begun(self.simulator.everyone)
        return self._handed_over(observations)

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions (n,) or (n, 2) for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Drive one control period and reset the cars whose episode it ended."""
        step = self.simulator.step(self._actions)
        if self.observer:
            self.observer.stepped(step, self._actions)
        rewards, done = step.rewards.astype(np.float32), step.done.copy()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(done)
        if ended.size:
            cut_short = truncated(step.episode)
            last = {name: channel_first(values[ended]) for name, values in step.observations.items()}
            for k, car in enumerate(ended.tolist()):
                infos[car] = {
                    "terminal_observation": {name: values[k] for name, values in last.items()},
                    "TimeLimit.truncated": bool(cut_short[car]),
                }
            self.simulator.reset(ended)
            if self.observer:
                self.observer.begun(ended)
        return self._handed_over(step.observations), rewards, done, infos

    def _handed_over(self, observations: Observations) -> dict[str, npt.NDArray[Any]]:
        turned = {name: channel_first(values) for name, values in observations.items()}
        return {name: values.copy(order="C") for name, values in turned.items()} if self._copy else turned

    def close(self) -> None:
        """Nothing to close."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Begin anew with this seed."""
        self.simulator.restart(seed or 0)
        return [seed] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The simulator's attribute, once for each car."""
        value = getattr(self if hasattr(self, attr_name) else self.simulator, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not offered: a car has no attributes of its own."""
        raise NotImplementedError("the cars of a batch share one simulator; change that instead")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Not offered: a car has no methods of its own."""
        raise NotImplementedError("the cars of a batch share one simulator; call that instead")

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],  # noqa: ARG002
        indices: Any = None,
    ) -> list[bool]:
        """No car is wrapped."""
        return [False for _ in self._get_indices(indices)]
