"""The levels: what they promise, and that every draw keeps to it."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racer_env import randomisation
from racer_env.bodies import Kind
from racer_env.car import CAR, PHYSICAL, PHYSICAL_RANGES
from racer_env.errors import RacerError
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import Race
from racer_env.randomisation import (
    CAMERA,
    DRAWN,
    FACTORS,
    LEVELS,
    MILD,
    NONE,
    ORIGINAL,
    PICTURE,
    STRONG,
    WORLD,
    Randomisation,
    find_level,
    levels_table,
)
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def test_strong_contains_mild() -> None:
    assert set(MILD.ranges) == set(STRONG.ranges)
    for name, (least, most) in MILD.ranges.items():
        low, high = STRONG.ranges[name]
        assert low <= least <= most <= high, name
    assert MILD.worlds <= STRONG.worlds
    assert MILD.cameras <= STRONG.cameras


def test_what_is_multiplied_may_stay_as_it_is_and_so_may_what_is_added_to() -> None:
    for level in (MILD, STRONG):
        for name, (least, most) in level.ranges.items():
            neutral = 1.0 if "times" in DRAWN[name].meaning else 0.0 if "plus" in DRAWN[name].meaning else None
            assert neutral is None or least <= neutral <= most, name


def test_none_draws_nothing_and_original_only_light_and_colours_of_bodies() -> None:
    assert NONE.ranges == {}
    assert [NONE.varies_cars, NONE.spoils_commands, NONE.varies_worlds] == [False] * 3
    assert ORIGINAL.ranges == {"body_colours": (0.0, 1.0), "sunlight": (0.0, 1.0)}
    assert not ORIGINAL.varies_cars


def test_mild_and_strong_draw_everything_else() -> None:
    assert set(MILD.ranges) == set(DRAWN) - {"sunlight"}


def test_strong_covers_what_is_known_of_the_real_car() -> None:
    for name in ("grip", "gyration", "steering_lag", "steering_gain", "wheel_lag", "wheel_gain"):
        parameter = FACTORS[name][0]
        for end, factor in zip(PHYSICAL_RANGES[parameter], STRONG.ranges[name], strict=True):
            reached = factor * getattr(PHYSICAL, parameter)
            assert reached <= end + 0.1 * end if factor < 1.0 else reached >= end - 0.1 * end, name
    assert all(parameter in (CAR.names or ()) for scaled in FACTORS.values() for parameter in scaled)


def test_every_range_belongs_to_a_car_its_commands_its_world_its_camera_or_its_pictures() -> None:
    commands = ("steering_trim", "command_delay", "command_noise", "body_colours")
    assert sorted([*FACTORS, *commands, *WORLD, *CAMERA, *PICTURE]) == sorted(DRAWN)
    assert [f.name for f in fields(Randomisation)][3:] == list(DRAWN)


def test_the_readme_and_the_documentation_give_every_range_as_it_is() -> None:
    assert levels_table() in README.read_text(encoding="utf-8")
    assert levels_table() in (randomisation.__doc__ or "")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \|(.*)\|$", levels_table(), re.M))
    assert list(rows) == [*DRAWN, "worlds", "cameras"]
    for name in DRAWN:
        stated = [tuple(map(float, cell.split(" to "))) if cell.strip() else None for cell in rows[name].split("|")[1:]]
        assert stated == [getattr(level, name) for level in LEVELS.values() if level.ranges], name


def test_levels_are_found_by_their_names_and_a_wrong_one_is_answered_with_the_nearest() -> None:
    assert [find_level(name) for name in LEVELS] == list(LEVELS.values())
    with pytest.raises(RacerError, match="no randomisation is called 'strongest'; did you mean 'strong'"):
        find_level("strongest")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grip": (1.2, 0.8)}, r"grip = \(1.2, 0.8\) must be two rising numbers from 0.1 to 10"),
        ({"grip": (0.0, 1.0)}, "from 0.1 to 10"),
        ({"blur": (0.0, float("nan"))}, "from 0 to 8"),
        ({"command_delay": (0.0, 2.0)}, "from 0 to 1"),
        ({"worlds": 0}, "worlds must be from 1 to 256, not 0"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_in_one_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(RacerError, match=said):
        Randomisation("odd", **wrong)


def colours_of(world: Simulator) -> Any:
    bodies = world.state.bodies
    return np.stack([bodies.red, bodies.green, bodies.blue], axis=2)


def test_obstacles_and_bot_cars_get_a_colour_of_their_own_in_every_episode_and_race_cars_keep_theirs(
    oval: Track,
) -> None:
    race = Race(obstacles=Obstacles(3), bots=Bots(2), cars=2)
    world = Simulator(oval, race=race, n=3, randomisation=ORIGINAL)
    world.reset()
    first = colours_of(world).copy()
    world.reset()
    then = colours_of(world)
    things = world.state.bodies.kind != Kind.CAR
    assert len(np.unique(np.concatenate((first[things], then[things])), axis=0)) == 2 * 3 * 5
    assert (then >= 0.0).all()
    assert (then <= 1.0).all()
    np.testing.assert_array_equal(first[~things], then[~things])
    plain = Simulator(oval, race=race, n=3)
    plain.reset()
    np.testing.assert_array_equal(colours_of(plain)[~things], then[~things])
    assert len(np.unique(colours_of(plain)[things], axis=0)) == 2


def test_colours_of_bodies_keep_to_their_range(oval: Track) -> None:
    level = replace(ORIGINAL, sunlight=None, body_colours=(0.4, 0.6))
    world = Simulator(oval, race=Race(obstacles=Obstacles(20)), n=20, randomisation=level)
    world.reset()
    drawn = colours_of(world)[:, 1:]
    assert 0.4 <= drawn.min() < 0.41
    assert 0.59 < drawn.max() <= 0.6


def test_a_level_without_cameras_to_vary_and_with_its_road_as_it_is_leaves_tracks_alone(oval: Track) -> None:
    assert Simulator(oval, randomisation=ORIGINAL).tracks == (oval,)
    assert Simulator(oval).tracks == (oval,)
