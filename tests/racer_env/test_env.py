"""Gymnasium's interface to one car."""

import inspect
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_stable_baselines3

from racer_env.car import DEEPRACER_V4, ContinuousActions
from racer_env.env import RacerEnv
from racer_env.errors import RacerError
from racer_env.race import Race
from racer_env.sensors.state import STATE
from racer_env.track import find_track

ID = "racer_env/TimeTrial-v0"
CONTINUOUS = ContinuousActions((-30.0, 30.0), (0.5, 2.0))


@pytest.mark.parametrize("actions", [None, CONTINUOUS], ids=["discrete", "continuous"])
@pytest.mark.parametrize("sensor", ["FRONT_FACING_CAMERA", "STATE"])
def test_both_checkers_find_nothing_to_complain_about(sensor: str, actions: Any) -> None:
    env = RacerEnv(sensors=[sensor], action_space=actions, reward_function=lambda params: params["progress"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)
        check_env_of_stable_baselines3(env)


@pytest.mark.parametrize(("name", "objects"), [("TimeTrial", 0), ("ObjectAvoidance", 6), ("HeadToBot", 3)])
def test_every_race_type_has_an_id_and_puts_its_objects_into_params(name: str, objects: int) -> None:
    told: list[int] = []

    def reward(params: dict[str, Any]) -> float:
        told.append(len(params["objects_location"]))
        return 1.0

    env = gymnasium.make(
        f"racer_env/{name}-v0",
        track=["oval", "kidney"],
        sensors=("STATE",),
        reward_function=reward,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)
    told.clear()
    env.reset(seed=1)
    env.step(2)
    assert told == [objects]


def test_it_is_made_by_its_id_with_its_arguments() -> None:
    env = gymnasium.make(ID, track="hairpin", sensors=("STATE",), car="deepracer_v4", reward_function=lambda _: 1.0)
    assert isinstance(env.unwrapped, RacerEnv)
    world = env.unwrapped.simulator
    assert (world.track.name, world.car) == ("hairpin", DEEPRACER_V4)
    observation, info = env.reset(seed=3)
    assert observation["STATE"] in env.observation_space["STATE"]  # type: ignore[index]
    assert info == {"status": "prepare", "progress": pytest.approx(1.0, abs=1.0), "steps": 1}
    _, reward, terminated, truncated, info = env.step(2)
    assert (reward, terminated, truncated, info["steps"]) == (1.0, False, False, 2)


def test_the_same_seed_gives_the_same_episodes() -> None:
    env = RacerEnv(sensors=[STATE])

    def episodes() -> list[Any]:
        seen = []
        env.reset(seed=5)
        for action in [2, 2, 4, 4, 4, 4] * 15:
            observation, *rest = env.step(action)
            seen.append((observation["STATE"].tolist(), *rest))
            if rest[1] or rest[2]:
                seen.append((env.reset()[0]["STATE"].tolist(),))
        return seen

    first = episodes()
    assert first == episodes()
    assert any(len(record) == 1 for record in first)


def test_observations_are_the_users_to_keep() -> None:
    env = RacerEnv(sensors=["STATE"])
    before, _ = env.reset()
    kept = before["STATE"].copy()
    for _ in range(5):
        after, *_ = env.step(2)
    assert before["STATE"].tolist() == kept.tolist() != after["STATE"].tolist()


def test_leaving_the_road_terminates_and_running_out_of_steps_truncates() -> None:
    for race, flags, status in (
        (Race(), (True, False), "off_track"),
        (Race(max_steps=5), (False, True), "in_progress"),
        (Race(time_limit=0.2), (False, True), "time_up"),
    ):
        env = RacerEnv(sensors=["STATE"], race=race)
        env.reset()
        over = False
        while not over:
            _, _, terminated, truncated, info = env.step(4)
            over = terminated or truncated
        assert ((terminated, truncated), info["status"]) == (flags, status)


def test_a_lap_is_told_with_its_time() -> None:
    env = RacerEnv(sensors=["STATE"], track="straight")
    env.reset()
    info: dict[str, Any] = {}
    while "lap_ms" not in info:
        _, _, terminated, _, info = env.step(2)
    assert terminated
    assert (info["status"], info["progress"]) == ("lap_complete", 100.0)
    assert 1000 < info["lap_ms"] < 20000


def test_what_the_reward_function_prints_is_told(tmp_path: Path) -> None:
    (tmp_path / "reward_function.py").write_text(
        "def reward_function(params):\n    print(params['steps'])\n    return 1\n"
    )
    env = RacerEnv(sensors=["STATE"], reward_function=tmp_path / "reward_function.py")
    env.reset()
    assert [env.step(2)[4]["printed"] for _ in range(2)] == [["2.0"], ["3.0"]]


def test_a_picture_is_drawn_on_request() -> None:
    env = gymnasium.make(ID, sensors=["STATE"], render_mode="rgb_array")
    env.reset()
    first = np.asarray(env.render())
    assert first.ndim == 3
    assert (first.shape[2], first.dtype) == (3, np.dtype(np.uint8))
    for _ in range(10):
        env.step(2)
    assert not np.array_equal(first, np.asarray(env.render()))
    env.close()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"track": "ovel"}, "no track is called 'ovel'; did you mean 'oval'"),
        ({"track": "nowhere/to.npy"}, "there is no track file nowhere/to.npy"),
        ({"car": "deepracer"}, "no car is called 'deepracer'; did you mean 'deepracer_v"),
        ({"sensors": ["FRONT_FACING"]}, "no sensor is called 'FRONT_FACING'; did you mean 'FRONT_FACING_CAMERA'"),
        ({"sensors": "STAT"}, "no sensor is called 'STAT'; did you mean 'STATE'"),
        ({"render_mode": "ansi"}, "render_mode is 'ansi', but must be one of human, rgb_array, or None"),
        ({"reward_function": "nowhere.py"}, "nowhere.py"),
        ({"reward_function": lambda: 1.0}, "reward_function takes 0 parameters"),
        ({"action_space": "nowhere.json"}, "nowhere.json cannot be read: No such file"),
        ({"race": Race(start=0.5), "track": "straight"}, "straight is an open track"),
        ({"race": "object_avoidence"}, "no race is called 'object_avoidence'; did you mean 'object_avoidance'"),
        ({"track": ["oval", "straight"]}, "oval and straight cannot be mixed"),
        ({"track": []}, "at least 1 track"),
        ({"race": Race(cars=4)}, "the race has 4 cars in a world, but this environment has 1"),
        ({"randomisation": "wild"}, "no randomisation is called 'wild'; did you mean 'mild'"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RacerError, match=sentence) as told:
        RacerEnv(**arguments)
    assert "\n" not in str(told.value)


def test_a_file_that_fails_is_found_before_the_first_step(tmp_path: Path) -> None:
    path = tmp_path / "reward_function.py"
    path.write_text("def reward_function(params):\n    return params['speed'] / (params['steps'] - 60)\n")
    with pytest.raises(RacerError, match=f"{path}:2: .*ZeroDivisionError"):
        RacerEnv(reward_function=path)


def test_a_track_may_be_a_value() -> None:
    track = find_track("oval", reverse=True)
    env = RacerEnv(track, sensors=["STATE"])
    assert env.simulator.track is track


def test_every_argument_is_documented() -> None:
    for name in list(inspect.signature(RacerEnv.__init__).parameters)[1:]:
        assert f"\n        {name}: " in (RacerEnv.__doc__ or "")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import racer_env, sys; print(*(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "racer_env" in loaded
    assert not {"torch", "pygame", "sqlalchemy", "numba", "PIL", "stable_baselines3"} & set(loaded)
