"""The batch as stable-baselines3 expects its environments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from racer_env.kernel import Ints
from racer_env.metadata import DEFAULT_ACTIONS
from racer_env.race import TIME_TRIAL, Race
from racer_env.reward import RewardFunction
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator, Step
from racer_env.track import find_track
from training.vec_env import RacerVecEnv, channel_first

CAMERA = "FRONT_FACING_CAMERA"
LEFT = 4  #: of the default actions


class Watcher:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.begun_cars: list[list[int]] = []
        self.done: list[list[bool]] = []
        self.last_states: list[npt.NDArray[np.float32]] = []

    def begun(self, cars: Ints) -> None:
        self.begun_cars.append(cars.tolist())

    def stepped(self, step: Step, _: npt.NDArray[Any]) -> None:
        self.done.append(step.done.tolist())
        self.last_states.append(step.observations["STATE"].copy())


def make(
    n: int = 3, sensors: tuple[str, ...] = ("STATE",), race: Race = TIME_TRIAL, watcher: Watcher | None = None
) -> RacerVecEnv:
    reward = RewardFunction.of(lambda params: params["progress"], n)
    simulator = Simulator(
        find_track("oval"), race=race, sensors=find_sensors(sensors), reward=reward, n=n, actions=DEFAULT_ACTIONS
    )
    return RacerVecEnv(simulator, watcher)


def drive_until_done(env: VecEnv, action: int = LEFT) -> tuple[dict[str, Any], npt.NDArray[Any], list[dict[str, Any]]]:
    env.reset()
    for _ in range(500):
        observations, _, done, infos = env.step(np.full(env.num_envs, action))
        if done.any():
            assert isinstance(observations, dict)
            return observations, done, infos
    raise AssertionError("no episode ended")


def test_observations_lie_in_the_space() -> None:
    env = make(2, (CAMERA, "STATE"))
    assert isinstance(env.observation_space, spaces.Dict)
    for observations in (env.reset(), env.step(np.zeros(2, np.int64))[0]):
        assert isinstance(observations, dict)
        for i in range(2):
            assert env.observation_space.contains({name: values[i] for name, values in observations.items()})


def test_pictures_come_channel_first_and_show_the_same() -> None:
    env = make(2, (CAMERA, "STATE"))
    observations = env.reset()
    assert isinstance(observations, dict)
    picture = observations[CAMERA]
    assert picture.shape == (2, 1, 120, 160)
    assert picture.std() > 0
    assert np.array_equal(picture[:, 0], env.simulator.observations[CAMERA][..., 0])


def test_channels_are_moved_not_mixed() -> None:
    pictures = np.arange(2 * 3 * 4 * 2).reshape(2, 3, 4, 2)
    assert np.array_equal(channel_first(pictures)[1, 0], pictures[1, ..., 0])
    assert np.shares_memory(channel_first(pictures), pictures)


def test_what_was_handed_over_does_not_change_afterwards() -> None:
    env = make()
    before = env.reset()
    assert isinstance(before, dict)
    kept = before["STATE"].copy()
    env.step(np.full(3, LEFT))
    assert np.array_equal(before["STATE"], kept)


def test_without_copies_what_is_handed_over_is_what_the_simulator_sees() -> None:
    env = RacerVecEnv(make().simulator, copy=False)
    before = env.reset()
    assert isinstance(before, dict)
    kept = before["STATE"].copy()
    env.step(np.full(3, LEFT))
    assert np.array_equal(before["STATE"], env.simulator.observations["STATE"])
    assert not np.array_equal(before["STATE"], kept)


def test_rewards_are_float32_and_done_is_bool() -> None:
    env = make()
    env.reset()
    _, rewards, done, infos = env.step(np.zeros(3, np.int64))
    assert (str(rewards.dtype), str(done.dtype), len(infos)) == ("float32", "bool", 3)


def test_a_car_that_leaves_the_track_starts_anew_in_the_same_step() -> None:
    watcher = Watcher()
    env = make(watcher=watcher)
    observations, done, infos = drive_until_done(env)
    car = int(np.flatnonzero(done)[0])
    assert watcher.begun_cars[-1] == np.flatnonzero(done).tolist()
    assert env.simulator.state.episode.steps[car] == 1
    last, first = infos[car]["terminal_observation"]["STATE"], observations["STATE"][car]
    assert last.shape == (26,)
    assert np.array_equal(last, watcher.last_states[-1][car])
    assert abs(first[3]) < 1e-6 < abs(last[3])  # it stands, where it was driving
    assert infos[car]["TimeLimit.truncated"] is False


def test_a_car_whose_steps_run_out_was_truncated() -> None:
    env = make(race=Race(max_steps=5))
    _, done, infos = drive_until_done(env)
    assert done.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [True] * 3


def test_cars_that_drive_on_have_no_last_observation() -> None:
    _, done, infos = drive_until_done(make(4))
    for car in np.flatnonzero(~done):
        assert infos[car] == {}


def test_the_observer_sees_every_step_whole_before_cars_are_reset() -> None:
    watcher = Watcher()
    drive_until_done(make(watcher=watcher))
    assert watcher.begun_cars[0] == [0, 1, 2]
    assert any(watcher.done[-1])
    assert not any(any(done) for done in watcher.done[:-1])


def test_the_same_seed_gives_the_same_drive() -> None:
    env = make()
    runs = []
    for _ in range(2):
        env.seed(7)
        observations, done, _ = drive_until_done(env)
        runs.append((observations["STATE"], done))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1], runs[1][1])


def test_attributes_are_those_of_the_simulator_once_for_each_car() -> None:
    env = make()
    assert env.get_attr("n") == [3, 3, 3]
    assert env.get_attr("render_mode", indices=[0]) == [None]
    assert env.env_is_wrapped(Monitor) == [False] * 3
    for refused in (lambda: env.set_attr("n", 4), lambda: env.env_method("reset")):
        with pytest.raises(NotImplementedError, match="share one simulator"):
            refused()


def test_stable_baselines3_trains_on_it_as_on_any_other() -> None:
    env = VecMonitor(make(2))
    ppo = PPO("MultiInputPolicy", env, n_steps=64, batch_size=32, n_epochs=1, device="cpu", seed=0)
    ppo.learn(256)
    assert ppo.num_timesteps == 256
    assert ppo.ep_info_buffer is not None
    assert len(ppo.ep_info_buffer) > 0
    observations = env.reset()
    assert isinstance(observations, dict)
    actions, _ = ppo.predict(observations, deterministic=True)
    assert actions.shape == (2,)
