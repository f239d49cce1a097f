"""One car behind Gymnasium."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.car import ActionSpace, Car, DiscreteActions, find_car
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError
from racer_env.metadata import DEFAULT_ACTIONS, ModelMetadata
from racer_env.race import Race, Status, find_race, truncated
from racer_env.randomisation import Randomisation, find_level
from racer_env.reward import RewardFunction, try_reward
from racer_env.sensors import Sensor, find_sensors
from racer_env.simulator import Observations, Simulator
from racer_env.track import Track, find_track

Place = str | Path | Track
Reward = str | Path | Callable[[dict[str, Any]], float] | RewardFunction | None


def make_simulator(
    track: Place | Sequence[Place],
    reward_function: Reward,
    sensors: Sequence[str | Sensor],
    car: str | Car,
    action_space: str | Path | ActionSpace | None,
    race: str | Race,
    n: int,
    cars: int = 1,
    randomisation: str | Randomisation = "none",
) -> Simulator:
    """Make a simulator of `n` worlds of what a Gymnasium user writes, its reward function tried.

    Its arguments are those of `RacerEnv`; `cars` is how many cars are in each world.
    """
    if n < 1:
        raise RacerError(f"num_envs must be 1 or more, not {n}")
    rules = find_race(race) if isinstance(race, str) else race
    if rules.cars not in (1, cars):
        raise RacerError(f"the race has {rules.cars} cars in a world, but this environment has {cars}")
    simulator = Simulator(
        [_track(one) for one in ([track] if isinstance(track, str | Path | Track) else track)],
        find_car(car) if isinstance(car, str) else car,
        replace(rules, cars=cars),
        _sensors([sensors] if isinstance(sensors, str) else sensors),
        _reward(reward_function, n * cars),
        n,
        actions=_actions(action_space),
        randomisation=find_level(randomisation) if isinstance(randomisation, str) else randomisation,
    )
    if simulator.reward:
        from racer_env.situations import trial  # noqa: PLC0415

        try_reward(simulator.reward, trial(simulator.track))
    return simulator


def check_render_mode(render_mode: str | None, allowed: Sequence[str]) -> None:
    """Raise a `RacerError` for a mode that is not offered."""
    if render_mode not in (None, *allowed):
        raise RacerError(f"render_mode is {render_mode!r}, but must be one of {', '.join(allowed)}, or None")


def _track(given: Place) -> Track:
    return given if isinstance(given, Track) else find_track(given)


def _reward(reward: Reward, n: int) -> RewardFunction | None:
    if reward is None or isinstance(reward, RewardFunction):
        return reward
    return RewardFunction.load(reward, n) if isinstance(reward, str | Path) else RewardFunction.of(reward, n)


def _sensors(given: Sequence[str | Sensor]) -> tuple[Sensor, ...]:
    return tuple(find_sensors([one])[0] if isinstance(one, str) else one for one in given)


def _actions(given: str | Path | ActionSpace | None) -> ActionSpace:
    if given is None:
        return DEFAULT_ACTIONS
    return ModelMetadata.read(Path(given)).actions if isinstance(given, str | Path) else given


def action_space_of(actions: ActionSpace) -> spaces.Space[Any]:
    """Gymnasium's space of an action space: indices, or pairs in [-1, 1]."""
    if isinstance(actions, DiscreteActions):
        return spaces.Discrete(len(actions))
    return spaces.Box(-1.0, 1.0, (2,), np.float32)


def observation_space_of(sensors: Sequence[Sensor]) -> spaces.Dict:
    """Gymnasium's space of what these sensors see."""
    return spaces.Dict({sensor.name: sensor.space() for sensor in sensors})


class RacerEnv(gymnasium.Env[Observations, Any]):
    """One car drives around a track, seen through its camera: alone, past boxes, or among bot cars.

    ``racer_env/TimeTrial-v0``, ``racer_env/ObjectAvoidance-v0`` and ``racer_env/HeadToBot-v0`` differ in `race`.

    | | |
    |---|---|
    | Action | `Discrete(k)`: an entry of the action space; or `Box(-1, 1, (2,))`: steering and speed, scaled to it |
    | Observation | `Dict`, sensor name to array; by default `{"FRONT_FACING_CAMERA": uint8 (120, 160, 1)}` |
    | Reward | what `reward_function(params)` gives for the pose before the action, with the action; 0 without one |
    | Start | on the centre line; each reset 5 % of the lap further on, as in DeepRacer's training |
    | Objects | six boxes (object avoidance) or three bot cars at 0.2 m/s (head-to-bot); put down anew at each reset |
    | Terminated | off track, lap complete, crashed, or 15 steps (1 s) without motion or driving backwards |
    | Truncated | after 100,000 steps, or when the time limit of the race is over |
    | Info | `status`, `progress`, `steps`, `lap_ms` when a lap was completed, and what the reward function printed |

    Args:
        track: name of a track, path of a ``.npy`` route, ``random:SEED``, or a `Track`; or several, of which each
            reset draws one.
        reward_function: path of a ``reward_function.py``, or a Python function of one dict.
        sensors: names as in ``model_metadata.json``, or sensors.
        car: ``deepracer_v4``, ``deepracer_v6`` or a `Car`.
        action_space: path of a ``model_metadata.json``, or an action space; five actions by default.
        race: rules of an episode: ``time_trial``, ``object_avoidance``, ``head_to_bot``, or a `Race`.
        render_mode: ``human`` opens a window, ``rgb_array`` gives pictures (h, w, 3).
        randomisation: what differs from episode to episode: ``none``, ``original``, ``mild``, ``strong``, or a value.

    Raises:
        RacerError: an argument cannot be used; one sentence says why.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": CONTROL_RATE}  # noqa: RUF012

    def __init__(
        self,
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
            track, reward_function, sensors, car, action_space, race, 1, randomisation=randomisation
        )
        self.render_mode = render_mode
        self.action_space = action_space_of(self.simulator.actions)
        self.observation_space: spaces.Dict = observation_space_of(self.simulator.sensors)  # type: ignore[assignment]
        self._window: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start an episode; with a `seed`, everything begins anew."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self.simulator.restart(seed)
        observations = self.simulator.reset()
        if self.render_mode == "human":
            self.render()
        return _first(observations), self._info()

    def step(self, action: Any) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Drive one control period, 1/15 s."""
        step = self.simulator.step(np.asarray(action)[None])
        done, cut = bool(step.done[0]), bool(truncated(step.episode)[0])
        if self.render_mode == "human":
            self.render()
        return _first(step.observations), float(step.rewards[0]), done and not cut, cut, self._info()

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Show the window, or give a picture (h, w, 3)."""
        if self.render_mode is None:
            return None
        from racer_env.render.scene import Scene  # noqa: PLC0415 (drawing only when asked for)

        if self._window is None and self.render_mode == "human":
            from racer_env.render.window import Window  # noqa: PLC0415

            self._window = Window(self.simulator)
        elif self._window is None:
            self._window = Scene(self.simulator)
        if self.render_mode == "human":
            self._window.show()
            return None
        picture: npt.NDArray[np.uint8] = self._window.draw()
        return picture

    def close(self) -> None:
        """Close the window."""
        if self._window is not None and self.render_mode == "human":
            self._window.close()
        self._window = None

    def _info(self) -> dict[str, Any]:
        e = self.simulator.state.episode
        info: dict[str, Any] = {
            "status": Status(e.status.item(0)).label,
            "progress": e.progress.item(0),
            "steps": e.steps.item(0),
        }
        if lap := e.lap_milliseconds.item(0):
            info["lap_ms"] = lap
        if self.simulator.reward and (printed := self.simulator.reward.take_printed()):
            info["printed"] = printed
        return info


def _first(observations: Observations) -> Observations:
    return {name: values[0].copy() for name, values in observations.items()}
