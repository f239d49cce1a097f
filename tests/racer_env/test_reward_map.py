"""The map of a reward: what is paid at every place of a track, drawn."""

import numpy as np
import pytest
from PIL import Image

from racer_env.obstacles import Obstacles
from racer_env.race import Race
from racer_env.render.reward_picture import SIZE, draw_difference_map, draw_reward_map, scale_of, stacked
from racer_env.reward import Params, RewardFunction
from racer_env.reward_map import RewardMap, differences, map_reward
from racer_env.situations import drive_past
from racer_env.track import Track, find_track


@pytest.fixture(scope="module")
def road() -> Track:
    return find_track("straight")


def mapped(function: object, road: Track, race: Race | None = None) -> RewardMap:
    return map_reward(RewardFunction.of(function), road, race=race)  # type: ignore[arg-type]


def test_a_map_knows_where_along_and_across_the_road_each_place_is(road: Track) -> None:
    def aside(params: Params) -> float:
        return float(params["distance_from_center"] * (1.0 if params["is_left_of_center"] else -1.0))

    on = mapped(aside, road)
    assert on.rewards.shape == (len(on.at), len(on.left))
    assert on.rewards.mean(axis=0) == pytest.approx(on.left * road.width, abs=0.02)
    assert mapped(lambda p: p["progress"], road).rewards[:, 3] == pytest.approx(100.0 * on.at)


def test_a_car_is_carried_past_one_control_period_after_the_other(road: Track) -> None:
    lane = drive_past(road, 0.2, 1.5)
    assert [params["steps"] for params in lane] == [2.0 + i for i in range(len(lane))]
    assert np.diff([params["projection_distance"] for params in lane]) == pytest.approx(0.1, abs=0.01)
    assert {params["speed"] for params in lane} == {1.5}


def test_boxes_stand_on_the_map(road: Track) -> None:
    on = mapped(lambda p: float(p["is_crashed"]), road, Race(obstacles=Obstacles(count=2)))
    assert 0.02 < on.rewards.mean() < 0.3
    assert mapped(lambda p: float(p["is_crashed"]), road).rewards.max() == 0.0


def test_a_place_where_the_function_fails_is_no_number_and_the_rest_goes_on(road: Track) -> None:
    on = mapped(lambda p: 1.0 / (not p["is_offtrack"]), road)
    assert np.isnan(on.rewards[:, 0]).all()
    assert (on.rewards[1:, 10] == 1.0).all()
    assert isinstance(draw_reward_map(on, "some fail"), Image.Image)


def test_differences_are_found_where_they_are(road: Track) -> None:
    old = mapped(lambda p: 1.0 + 0.0 * p["x"], road)
    new = mapped(lambda p: 0.5 if p["progress"] > 80.0 else 1.0, road)
    (stretch,) = differences(old, new)
    assert [stretch.first, stretch.last] == pytest.approx([0.8, 1.0], abs=0.02)
    assert stretch.difference == pytest.approx(-0.5)
    assert stretch.side == "from side to side"
    assert differences(old, old) == ()


def test_colours_reach_over_all_but_rare_rewards() -> None:
    rewards = np.concatenate((np.linspace(0.0, 1.0, 500), [-50.0, 80.0]))
    assert scale_of(rewards, rewards) == pytest.approx((0.01, 0.99), abs=0.02)
    assert scale_of(np.full(9, 2.0), np.full(9, 2.0)) == (2.0, 3.0)
    assert scale_of(np.full(9, np.nan), np.full(9, np.nan)) == (0.0, 1.0)


def test_pictures_show_more_reward_lighter_and_differences_in_two_colours(road: Track) -> None:
    left = mapped(lambda p: float(p["is_left_of_center"]), road)
    right = mapped(lambda p: 1.0 - float(p["is_left_of_center"]), road)
    picture, apart = draw_reward_map(left, "left"), draw_difference_map(left, right, "difference")
    assert stacked(picture, apart).size == (SIZE[0], 2 * SIZE[1])
    colours = {colour for _, colour in picture.getcolors(SIZE[0] * SIZE[1]) or ()}
    assert {(248, 240, 122), (126, 81, 204)} <= colours
    colours = {colour for _, colour in apart.getcolors(SIZE[0] * SIZE[1]) or ()}
    assert {(74, 150, 255), (255, 120, 60)} <= colours
