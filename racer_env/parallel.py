"""Several cars on one track behind PettingZoo's parallel interface: head-to-head, or a grid of up to eight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.car import ActionSpace, Car
from racer_env.dynamics import CONTROL_RATE
from racer_env.env import Place, Reward, action_space_of, check_render_mode, make_simulator, observation_space_of
from racer_env.race import Race, Status, truncated
from racer_env.randomisation import Randomisation
from racer_env.sensors import Sensor
from racer_env.simulator import Observations

try:
    from pettingzoo import ParallelEnv
except ImportError as error:
    raise ImportError("racer_env.parallel needs PettingZoo: pip install 'racer18[multi-agent]'") from error


class RacerParallelEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo has no types
    """Cars that race each other; they see each other, and who runs into another from behind has crashed.

    Agents are called ``car_0``, ``car_1`` and so on. They start in two rows, 0.75 m one behind the other. An agent
    whose episode is over (a lap, off track, a crash ...) leaves the track; the others drive on. Everything else, and
    the arguments, are as in `racer_env.env.RacerEnv`.

    Args:
        cars: how many, 1 to 8.
        track: name of a track, path of a ``.npy`` route, ``random:SEED``, or a `Track`; or several.
        reward_function: path of a ``reward_function.py``, or a Python function of one dict; every car has its own copy.
        sensors: names as in ``model_metadata.json``, or sensors.
        car: the car that all drive.
        action_space: path of a ``model_metadata.json``, or an action space; five actions by default.
        race: rules of an episode; with obstacles and bot cars too, if it has them.
        render_mode: ``rgb_array`` gives pictures (h, w, 3), seen with the first car.
        randomisation: what differs from episode to episode.

    Raises:
        RacerError: an argument cannot be used; one sentence says why.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "name": "racer_env/HeadToHead-v0",
        "render_modes": ["rgb_array"],
        "render_fps": CONTROL_RATE,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        cars: int = 2,
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
            track, reward_function, sensors, car, action_space, race, 1, cars, randomisation
        )
        self.render_mode = render_mode
        self.possible_agents = [f"car_{i}" for i in range(cars)]
        self.agents: list[str] = []
        self.action_spaces = {agent: action_space_of(self.simulator.actions) for agent in self.possible_agents}
        self.observation_spaces = {
            agent: observation_space_of(self.simulator.sensors) for agent in self.possible_agents
        }
        self._scene: Any = None

    def observation_space(self, agent: str) -> spaces.Dict:
        """What an agent sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent can do."""
        return self.action_spaces[agent]

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[dict[str, Observations], dict[str, dict[str, Any]]]:
        """Start an episode of all; with a `seed`, everything begins anew."""
        if seed is not None:
            self.simulator.restart(seed)
        self.agents = list(self.possible_agents)
        observations = self.simulator.reset()
        return {agent: self._row(observations, agent) for agent in self.agents}, self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Observations],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Drive one control period, 1/15 s, with an action for each agent that is still there."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        idle = np.zeros_like(np.asarray(actions[self.agents[0]]))
        step = self.simulator.step(np.stack([np.asarray(actions.get(a, idle)) for a in self.possible_agents]))
        done, cut = step.done, truncated(step.episode)
        here = {agent: self.possible_agents.index(agent) for agent in self.agents}
        infos = self._infos()
        self.agents = [agent for agent, i in here.items() if not done[i]]
        return (
            {agent: self._row(step.observations, agent) for agent in here},
            {agent: float(step.rewards[i]) for agent, i in here.items()},
            {agent: bool(done[i] and not cut[i]) for agent, i in here.items()},
            {agent: bool(cut[i]) for agent, i in here.items()},
            infos,
        )

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Give a picture (h, w, 3)."""
        if self.render_mode is None:
            return None
        from racer_env.render.scene import Scene  # noqa: PLC0415 (drawing only when asked for)

        self._scene = self._scene or Scene(self.simulator)
        picture: npt.NDArray[np.uint8] = self._scene.draw()
        return picture

    def _row(self, observations: Observations, agent: str) -> Observations:
        i = self.possible_agents.index(agent)
        return {name: values[i].copy() for name, values in observations.items()}

    def _infos(self) -> dict[str, dict[str, Any]]:
        infos: dict[str, dict[str, Any]] = {}
        for agent in self.agents:
            e = self.simulator.state.episode[self.possible_agents.index(agent)]
            infos[agent] = {
                "status": Status(int(e.status)).label,
                "progress": float(e.progress),
                "steps": int(e.steps),
            }
            if e.lap_milliseconds:
                infos[agent]["lap_ms"] = int(e.lap_milliseconds)
            if self.simulator.reward and (printed := self.simulator.reward.take_printed()):
                infos[agent]["printed"] = printed
        return infos
