"""Gymnasium's interface to many cars."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from racer_env.env import RacerEnv
from racer_env.errors import RacerError
from racer_env.race import Race
from racer_env.vector import RacerVectorEnv

RIGHT = 0  #: an action that leaves the road soon


def reward(params: dict[str, Any]) -> float:
    return float(params["steps"] + params["x"])


def made(num_envs: int, **arguments: Any) -> RacerVectorEnv:
    return RacerVectorEnv(num_envs, sensors=("STATE",), reward_function=reward, **arguments)


def test_it_is_made_by_its_id() -> None:
    env = gymnasium.make_vec("racer_env/TimeTrial-v0", num_envs=3, sensors=("STATE",), track="hairpin")
    assert isinstance(env.unwrapped, RacerVectorEnv)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    observations, _ = env.reset(seed=1)
    assert observations in env.observation_space
    assert env.observation_space["STATE"].shape == (3, 26)  # type: ignore[index]
    observations, rewards, terminated, truncated, _ = env.step(env.action_space.sample())
    assert observations in env.observation_space
    assert [part.shape for part in (rewards, terminated, truncated)] == [(3,)] * 3
    env.close()


def test_it_does_what_gymnasiums_own_vector_of_single_cars_does() -> None:
    """Each single car has the start that the car of the batch has, so that nothing is left to differ."""
    starts = [{"race": Race(start=0.05 * i, advance=0.05)} for i in range(3)]
    ours = made(3, race=Race(advance=0.05))
    theirs = gymnasium.vector.SyncVectorEnv(
        [lambda start=start: RacerEnv(sensors=("STATE",), reward_function=reward, **start) for start in starts],  # type: ignore[misc]
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    same(ours.reset(), theirs.reset())
    draw, ended = np.random.default_rng(3), 0
    for _ in range(40):
        actions = draw.integers(0, 5, 3)
        for _ in range(4):
            mine = ours.step(actions)
            same(mine, theirs.step(actions))
            ended += int(mine[2].sum())
    assert ended > 3


def same(mine: Any, other: Any) -> None:
    """The same values in the same structure; infos of objects and of text differ only in the text's dtype."""
    if isinstance(other, dict):
        assert set(mine) == set(other)
        for key in other:
            rows = other.get("_" + key) if not key.startswith("_") else None
            if isinstance(other[key], np.ndarray) and isinstance(rows, np.ndarray):
                same(mine[key][rows], other[key][rows])
            elif key == "final_info":
                same_rows(mine[key], other[key], other["_final_info"])
            else:
                same(mine[key], other[key])
    elif isinstance(other, tuple | list) or (isinstance(other, np.ndarray) and other.dtype == object):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            same(a, b)
    else:
        np.testing.assert_array_equal(mine, other)


def same_rows(mine: dict[str, Any], other: dict[str, Any], rows: Any) -> None:
    for key in (key for key in other if not key.startswith("_")):
        same(mine[key][rows], other[key][rows])


def test_a_finished_car_is_reset_in_the_same_step_and_its_last_moment_is_kept() -> None:
    env = made(2)
    env.reset(seed=0)
    start = env.simulator.state.episode.start.copy()
    terminated = np.zeros(2, np.bool_)
    while not terminated.any():
        before = env.simulator.state.episode.steps.copy()
        observations, rewards, terminated, truncated, infos = env.step(np.array([RIGHT, 2]))
    assert (terminated.tolist(), truncated.tolist()) == ([True, False], [False, False])
    assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == [True, False]
    last = infos["final_obs"][0]["STATE"]
    assert infos["final_obs"][1] is None
    assert last in env.single_observation_space["STATE"]  # type: ignore[index]
    assert (last[3] > 0.0, observations["STATE"][0, 3]) == (True, 0.0)
    assert rewards[0] > before[0]  # the reward of the last step is not lost
    assert (infos["final_info"]["status"][0], infos["status"][0]) == ("off_track", "prepare")
    assert infos["steps"].tolist() == [1, before[1] + 1]
    assert env.simulator.state.episode.start[0] == pytest.approx(start[0] + 0.05)


def test_observations_and_rewards_are_the_users_to_keep() -> None:
    env = made(2)
    first, _ = env.reset()
    kept = first["STATE"].copy()
    second, rewards, *_ = env.step(np.array([2, 2]))
    was = rewards.copy()
    env.step(np.array([2, 2]))
    assert first["STATE"].tolist() == kept.tolist() != second["STATE"].tolist()
    assert rewards.tolist() == was.tolist()


def test_a_mask_resets_some_cars_and_a_seed_all() -> None:
    env = made(3)
    env.reset(seed=1)
    for _ in range(6):
        env.step(np.array([2, 2, 2]))
    _, infos = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert infos["steps"].tolist() == [7, 1, 7]
    _, infos = env.reset(seed=[4, None, 6], options={"reset_mask": np.array([False, True, False])})
    assert infos["steps"].tolist() == [1, 1, 1]
    assert env.simulator.state.episode.start.tolist() == pytest.approx([0.0, 0.05, 0.1])


def test_laps_are_told_for_the_cars_that_completed_one() -> None:
    env = made(2, track="straight")
    env.reset()
    infos: dict[str, Any] = {}
    env.simulator.place(1, *env.simulator.track.poses(np.array([0.4 * env.simulator.track.length]))[0])
    while "final_info" not in infos:
        *_, infos = env.step(np.array([2, 2]))
    told = infos["final_info"]
    assert infos["_final_info"].tolist() == told["_lap_ms"].tolist() == [False, True]
    assert told["lap_ms"][0] == 0 < told["lap_ms"][1]
    assert "lap_ms" not in infos


def test_pictures_are_drawn_of_every_car() -> None:
    env = made(2, render_mode="rgb_array")
    env.reset()
    pictures = env.render()
    assert pictures is not None
    assert [picture.shape[2] for picture in pictures] == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_envs": 0}, "num_envs must be 1 or more, not 0"),
        ({"num_envs": 2, "render_mode": "human"}, "must be one of rgb_array"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RacerError, match=sentence):
        made(**arguments)
