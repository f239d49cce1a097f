"""Several cars behind PettingZoo."""

import warnings
from typing import Any

import numpy as np
import pytest

from racer_env.errors import RacerError
from racer_env.parallel import RacerParallelEnv
from racer_env.race import Race

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of PettingZoo's tests themselves
    from pettingzoo.test import parallel_api_test, parallel_seed_test


def made(cars: int = 2, **arguments: Any) -> RacerParallelEnv:
    return RacerParallelEnv(cars, sensors=("STATE",), **arguments)


@pytest.mark.parametrize("race", ["time_trial", "object_avoidance", "head_to_bot"])
def test_pettingzoo_finds_nothing_to_complain_about(race: str, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(made(3, race=race), num_cycles=200)
        parallel_seed_test(lambda: made(2, race=race), num_cycles=50)
    assert "Passed" in capsys.readouterr().out


def test_an_agent_that_is_out_leaves_and_the_others_drive_on() -> None:
    env = made(2, reward_function=lambda params: params["steps"])
    env.reset(seed=1)
    rewards: dict[str, float] = {}
    while len(env.agents) == 2:
        _, rewards, terminated, _, infos = env.step({"car_0": 0, "car_1": 2})
    assert terminated == {"car_0": True, "car_1": False}
    assert infos["car_0"]["status"] == "off_track"
    assert env.agents == ["car_1"]
    observations, rewards, *_ = env.step({"car_1": 2})
    assert set(observations) == set(rewards) == {"car_1"}
    assert rewards["car_1"] > 0


def test_each_car_is_rewarded_for_what_it_does_and_sees_the_other() -> None:
    seen: list[dict[str, Any]] = []

    def reward(params: dict[str, Any]) -> float:
        seen.append(dict(params))
        return float(params["speed"])

    env = made(2, reward_function=reward)
    seen.clear()
    env.reset(seed=1)
    _, rewards, *_ = env.step({"car_0": 0, "car_1": 2})
    assert rewards == {"car_0": 1.0, "car_1": 2.0}
    for own, other in (seen, seen[::-1]):
        distance = np.hypot(*np.subtract(own["objects_location"][0], [other["x"], other["y"]]))
        assert distance == pytest.approx(0.14, abs=1e-9)  # to its middle, from its front
        assert own["objects_speed"] == [0.0]


def test_a_picture_shows_the_race() -> None:
    env = made(2, render_mode="rgb_array")
    env.reset(seed=1)
    picture = env.render()
    assert picture is not None
    assert picture.ndim == 3
    assert made(2).render() is None


def test_nine_cars_are_too_many() -> None:
    with pytest.raises(RacerError, match="1 to 8 race cars, not 9"):
        made(9)


def test_a_race_says_its_rules_itself() -> None:
    env = made(2, race=Race(immobilized_steps=3))
    env.reset(seed=1)
    assert env.simulator.race == Race(immobilized_steps=3, cars=2)
