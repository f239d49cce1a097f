"""The batch simulator: n cars, each alone on its track, moved together one control period (1/15 s) at a time.

One step follows the original's order of events (spec/simulator.md 1.2): the rules and the reward judge the pose from
which the action was chosen, together with that action; then the car moves; then the sensors see where it got to. The
original's first step of an episode, in which nothing is rewarded and nothing moves, is part of `Simulator.reset`, so
the first `Simulator.step` is DeepRacer's step 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env import dynamics, params, race
from racer_env.bodies import BODY
from racer_env.car import COMMAND, DEEPRACER_V6, ActionSpace, Car, car_records
from racer_env.dynamics import MOTION
from racer_env.errors import RacerError
from racer_env.kernel import Bools, Floats, Ints, Records, records
from racer_env.metadata import DEFAULT_ACTIONS
from racer_env.params import SITUATION
from racer_env.race import EPISODE, TIME_TRIAL, Race, Status
from racer_env.reward import RewardFunction
from racer_env.sensors import Sensor, View
from racer_env.track import Track

Observations = Mapping[str, npt.NDArray[Any]]


class Step(NamedTuple):
    """What a step gave. Arrays belong to the simulator and are overwritten by the next step or reset."""

    observations: Observations  #: sensor name -> (n, ...)
    rewards: Floats  #: (n,) 0 where the original does not call the reward function
    done: Bools  #: (n,) the episode is over; reset the car before its next step
    judged: Records  #: `SITUATION` (n,) that the rules and the reward judged
    episode: Records  #: `EPISODE` (n,) after judging
    command: Records  #: `COMMAND` (n,) that was chosen


@dataclass
class State:
    """Everything that changes from step to step; a copy restores it exactly."""

    motion: Records
    situation: Records
    episode: Records
    bodies: Records  #: `BODY` (w, b)
    ticks: Ints  #: (n,) control periods since the simulator began

    def copy(self) -> State:
        """An independent copy."""
        return State(*(getattr(self, part.name).copy() for part in fields(self)))


class Simulator:
    """n cars on one track.

    Args:
        track: where.
        car: the car of every world.
        race: the rules of an episode.
        sensors: what is observed.
        reward: what is rewarded; without one, rewards are 0 and no params are built.
        n: how many cars.
        actions: what an action means.
        seed: of each car's own stream of random numbers, ``seed + index``; nothing is random yet.
    """

    def __init__(
        self,
        track: Track,
        car: Car = DEEPRACER_V6,
        race: Race = TIME_TRIAL,
        sensors: Sequence[Sensor] = (),
        reward: RewardFunction | None = None,
        n: int = 1,
        seed: int = 0,
        actions: ActionSpace = DEFAULT_ACTIONS,
    ) -> None:
        if n < 1:
            raise RacerError(f"a simulator needs at least 1 car, not {n}")
        if reward and len(reward.functions) != n:
            raise RacerError(f"the reward function was loaded for {len(reward.functions)} cars, but there are {n}")
        if race.start and not track.closed:
            raise RacerError(f"{track.name} is an open track, so that a race starts at 0, not at {race.start}")
        self.track, self.car, self.race, self.reward = track, car, race, reward
        self.n, self.actions, self.sensors = n, actions, tuple(sensors)
        self._advance = race.advance if track.closed else 0.0  # a lap that starts further on would have no end
        self.cars = car_records([car] * n)
        self.everyone: Ints = np.arange(n)
        self.command = records(n, COMMAND)
        self.chosen: npt.NDArray[Any] = np.zeros(n, np.int64)  #: actions of the last step
        self.judged = records(n, SITUATION)
        self.rewards = np.zeros(n)
        self.observations = {s.name: np.zeros((n, *s.space().shape), s.space().dtype) for s in self.sensors}
        self._geometry, self._rules = track.geometry, race.rules
        self._readers = [sensor.on(track) for sensor in self.sensors]
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Begin anew, as if just made with this seed; `reset` must follow."""
        self.seed = seed
        self.state = State(
            records(self.n, MOTION),
            records(self.n, SITUATION),
            records(self.n, EPISODE),
            records((self.n, 1), BODY),
            np.zeros(self.n, np.int64),
        )
        self.state.episode.start = (self.race.start + self._advance * self.everyone) % 1.0
        self.state.episode.number = -1

    @property
    def time(self) -> Floats:
        """Simulated seconds (n,) of the poses that are seen now."""
        return self.state.ticks / dynamics.CONTROL_RATE

    def reset(self, cars: npt.ArrayLike | None = None) -> Observations:
        """Start a new episode for some cars (indices or a mask; all if not given), prepare step included."""
        which = self.everyone if cars is None else self.everyone[np.asarray(cars)]
        race.begin(self.state.motion, self.state.episode, which, self._geometry, self._advance)
        self._look(which)
        race.first_progress(self.state.episode, self.state.situation, which)
        self.judged[which] = self.state.situation[which]
        self.command[which] = 0
        self.rewards[which] = 0.0
        self.state.ticks[which] += 1
        self._read_sensors(which)
        return self.observations

    def step(self, actions: npt.NDArray[Any]) -> Step:
        """Judge and reward every car where it stands, with its action (n,) or (n, 2), then move it."""
        state = self.state
        self.command, self.chosen = self._commands(actions), actions
        self.judged = state.situation.copy()
        race.judge(state.motion, state.episode, state.situation, self._rules, self._geometry)
        self._call_reward()
        self._move()
        self._look(self.everyone)
        state.ticks += 1
        self._read_sensors(self.everyone)
        return Step(self.observations, self.rewards, state.episode.done, self.judged, state.episode, self.command)

    def params(self, cars: Sequence[int] | Ints | None = None) -> list[dict[str, Any]]:
        """Build the params of some cars (all if not given) as last judged."""
        which = self.everyone if cars is None else np.asarray(cars)
        return params.build(self.track, self.judged, self.state.episode, self.command, which, self.judged_time)

    def place(self, car: int, x: float, y: float, yaw: float, speed: float = 0.0) -> None:
        """Put one car's middle at (x, y) m, heading `yaw` rad, rolling at `speed` m/s, its episode going on."""
        m = self.state.motion[car]
        m.x, m.y, m.yaw, m.speed, m.steering, m.yaw_rate = x, y, yaw, speed, 0.0, 0.0
        which = self.everyone[car : car + 1]
        self._look(which)
        self._read_sensors(which)

    @property
    def judged_time(self) -> Floats:
        """Simulated seconds (n,) of the poses last judged, one control period before those seen now."""
        return (self.state.ticks - 1) / dynamics.CONTROL_RATE

    def restore(self, state: State) -> Observations:
        """Go back to a state that was copied before; gives what is seen there."""
        self.state = state.copy()
        self._read_sensors(self.everyone)
        return self.observations

    def _commands(self, actions: npt.NDArray[Any]) -> Records:
        if len(actions) != self.n:
            raise RacerError(f"{self.n} cars need {self.n} actions, not {len(actions)}")
        return self.actions.commands(actions)

    def _call_reward(self) -> None:
        self.rewards[:] = 0.0
        if self.reward is None:
            return
        called = np.flatnonzero(self.state.episode.status != Status.PAUSE)
        if called.size == 0:
            return
        seen = (self.track, self.judged, self.state.episode, self.command, called, self.time)
        if self.reward.batched:
            self.rewards[called] = self.reward.batch(params.columns(*seen))
        else:
            self.rewards[called] = self.reward(params.build(*seen), called)

    def _move(self) -> None:
        held = self.state.episode.pause > 0
        dynamics.advance(self.state.motion, self.command, self.cars, held, dynamics.TIME_STEP, dynamics.SUBSTEPS)
        race.serve(self.state.episode)

    def _look(self, which: Ints) -> None:
        params.look(self.state.motion, self.cars, which, self._geometry, self.state.situation)

    def _read_sensors(self, which: Ints) -> None:
        view = View(self.state.motion, self.state.situation, self.cars, self.state.bodies)
        for sensor, reader in zip(self.sensors, self._readers, strict=True):
            reader.read(view, which, self.observations[sensor.name])
