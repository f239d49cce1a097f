"""The batch: the original's order of events, and cars that do not know of each other."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.car import DEEPRACER_V4, DEEPRACER_V5, DEEPRACER_V6, PHYSICAL, Car
from racer_env.driver import PurePursuit
from racer_env.errors import RacerError
from racer_env.kernel import Floats
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import EVALUATION, TIME_TRIAL, Race, Status
from racer_env.reward import RewardFunction
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.state import State
from racer_env.track import Track, find_track

#: Fingerprints of a lap's poses and speeds, and of races. When one changes, so do results: list that in CHANGELOG.md.
GOLDEN = {
    "deepracer_v4": "93e463b0fe3f47429043d269c758518fa1c75230dbe516b4fedde211d786e9fb",
    "deepracer_v5": "3f2353a544a7c91e41159df48f39e8a7c31b81af2717120acd62d5485757a3f4",
    "deepracer_v6": "fbd4ed6c09ef44b481361cde8ce57cf6dc6607b52185d6ba8e76dc210c882fb7",
    "physical": "3976d009252edd5a6753c3df2ad4f0f09767aa67441b0eba8f02570104dbe737",
    "object_avoidance": "27385615d8df5795bc9e70c5c798cf9638579112005153326b48213d1282afe2",
    "head_to_bot": "3555c185be327cffb60f7b8c19f66793482d6293fdc453fb2f13ac80823084d1",
    "grid": "273d882462cef5f7248a88f2b706e32f56e19cbe7663c6ef2557e2c877fd5c8c",
}


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def world_of(track: Track | Sequence[Track], n: int = 1, **arguments: Any) -> Simulator:
    made = Simulator(track, n=n, actions=PurePursuit.actions, **arguments)
    made.reset()
    return made


def arrays_of(state: State) -> dict[str, npt.NDArray[Any]]:
    """Everything of a state by its name, for each car or world."""
    named = {name: getattr(state, name) for name in State.__dataclass_fields__ if name != "memory"}
    return named | {f"{name} {k}": part for name, parts in state.memory.items() for k, part in enumerate(parts)}


def random_actions(steps: int, n: int, seed: int = 2) -> Floats:
    """Held for some steps each, so that cars really go somewhere."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (steps // 5 + 1, n, 2)).repeat(5, axis=0)[:steps]


def driven(world: Simulator, actions: Floats, indices: Sequence[int] | slice = slice(None)) -> list[Any]:
    """Drive actions (steps, n, 2), resetting cars whose episode ends; gives all that happened to some cars."""
    seen: list[Any] = []
    for action in actions:
        step = world.step(action)
        state = world.state
        parts = (state.motion, state.situation, state.episode, state.ticks, step.rewards)
        seen.append([part[indices].tolist() for part in parts])
        if step.done.any():
            world.reset(step.done)
    assert len({str(record[0]) for record in seen}) > len(seen) // 2  # something moved
    return seen


def fingerprint(values: Floats) -> str:
    """SHA-256 of numbers in millionths."""
    return hashlib.sha256(np.round(values * 1e6).astype("<i8").tobytes()).hexdigest()


def test_a_car_drives_the_same_alone_and_in_a_crowd(oval: Track) -> None:
    actions = random_actions(120, 9)
    crowd = driven(world_of(oval, 9), actions, slice(4, 5))
    alone = Simulator(oval, n=1, race=Race(start=0.2, advance=0.05), actions=PurePursuit.actions)
    alone.reset()
    assert driven(alone, actions[:, 4:5]) == crowd
    assert any(record[2][0][0] > 0 for record in crowd)  # a second episode began


def test_the_order_of_cars_in_a_batch_does_not_matter(oval: Track) -> None:
    order = np.array([3, 0, 4, 1, 2])
    actions = random_actions(60, 5)
    race = Race(advance=0.0)
    there = driven(world_of(oval, 5, race=race), actions)
    again = driven(world_of(oval, 5, race=race), actions[:, order])
    for a, b in zip(there, again, strict=True):
        for part, other in zip(a, b, strict=True):
            assert [part[i] for i in order] == other


def test_the_same_seed_gives_the_same_replay(oval: Track) -> None:
    world, actions = world_of(oval, 3), random_actions(80, 3)
    first = driven(world, actions)
    world.restart(0)
    world.reset()
    assert driven(world, actions) == first == driven(world_of(oval, 3), actions)


def test_a_restored_state_goes_on_as_it_did(oval: Track) -> None:
    world = world_of(oval, 3, sensors=find_sensors(["STATE"]))
    driven(world, random_actions(40, 3))
    kept = world.state.copy()
    seen = world.observations["STATE"].copy()
    first = driven(world, random_actions(90, 3, seed=8))
    assert world.observations["STATE"].tolist() != seen.tolist()
    np.testing.assert_array_equal(world.restore(kept)["STATE"], seen)
    assert driven(world, random_actions(90, 3, seed=8)) == first
    other = world_of(oval, 3)
    other.restore(kept)
    assert driven(other, random_actions(90, 3, seed=8)) == first


def test_a_copied_state_is_independent_and_whole(oval: Track) -> None:
    world = world_of(oval, 2)
    kept = world.state.copy()
    before = {name: part.tolist() for name, part in arrays_of(kept).items()}
    world.step(random_actions(1, 2)[0])
    assert {name: part.tolist() for name, part in arrays_of(kept).items()} == before
    assert {name: part.tolist() for name, part in arrays_of(world.state).items()} != before


def test_a_reset_touches_only_the_cars_it_names(oval: Track) -> None:
    for which in (np.array([False, True, False]), [1], np.array([1])):
        race = replace(TIME_TRIAL, obstacles=Obstacles(2, random=True))
        world = world_of([oval, find_track("kidney")], 3, sensors=find_sensors(["STATE"]), race=race)
        driven(world, random_actions(20, 3))
        before = arrays_of(world.state.copy())
        seen = world.reset(which)["STATE"].copy()
        for name, now in arrays_of(world.state).items():
            assert now[[0, 2]].tolist() == before[name][[0, 2]].tolist()
            drawn = name not in ("places", "cars", "motors", "pending")  # the same again, if nothing is randomised
            assert not drawn or now[1].tolist() != before[name][1].tolist()
        assert seen[1, 3] == 0.0
        assert (seen[[0, 2], 3] > 0.0).all()


class Notes:
    """A reward function that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, params: dict[str, Any]) -> float:
        self.calls.append(params)
        return float(params["steps"])


def test_what_a_car_saw_last_stays_until_it_is_reset(oval: Track) -> None:
    world = world_of(oval, 2, race=EVALUATION, sensors=find_sensors(["STATE"]))
    x, y = (oval.outer[0] + 5.0).tolist()
    world.place(1, x, y, 0.0)
    forward = np.array([[0.0, 1.0], [0.0, 1.0]])
    while not world.state.episode.done[1]:
        last = {name: seen.copy() for name, seen in world.step(forward).observations.items()}["STATE"]
    for _ in range(3):
        now = world.step(forward).observations["STATE"]
    assert world.state.episode.done.tolist() == [False, True]
    np.testing.assert_array_equal(now[1], last[1])
    assert (now[0] != last[0]).any()
    world.reset([1])
    assert (world.observations["STATE"][1] != last[1]).any()


def test_the_reward_judges_the_pose_before_the_action_with_the_action_that_was_chosen(oval: Track) -> None:
    notes = Notes()
    world = world_of(oval, reward=RewardFunction.of(notes))
    assert notes.calls == []  # not in the prepare step
    for k, (steering, speed) in enumerate([(1.0, 1.0), (-0.5, 0.0), (0.0, -1.0)]):
        x, y, time = float(world.state.situation.x[0]), float(world.state.situation.y[0]), float(world.time[0])
        step = world.step(np.array([[steering, speed]]))
        call = notes.calls[-1]
        assert (call["x"], call["y"], call["steps"], call["sim_time"]) == (x, y, k + 2.0, time)
        assert (call["steering_angle"], call["speed"]) == (30.0 * steering, pytest.approx(2.05 + 1.95 * speed))
        assert time == pytest.approx((k + 1) / 15.0)
        assert step.rewards.tolist() == [k + 2.0]
        assert (world.state.situation.x[0] != x) == (k >= 0)
    assert notes.calls[-1] == world.params()[0]


def test_no_reward_is_asked_for_while_a_penalty_is_served(oval: Track) -> None:
    notes = Notes()
    world = world_of(oval, race=Race(resets=1, off_track_penalty=1.0), reward=RewardFunction.of(notes))
    x, y, yaw = oval.poses(np.array([2.0]))[0]
    world.place(0, x - 1.5 * np.sin(yaw), y + 1.5 * np.cos(yaw), yaw)
    rewards = [float(world.step(np.array([[0.0, 0.0]])).rewards[0]) for _ in range(17)]
    assert rewards == [2.0, *[0.0] * 14, 17.0, 18.0]
    assert [call["is_offtrack"] for call in notes.calls] == [True, False, False]


COUNTING = """
seen = []
def reward_function(params):
    assert params["steps"] == 2 or params["steps"] == seen[-1] + 1, (params["steps"], seen[-3:])
    seen.append(params["steps"])
    return len(seen)
"""


def test_every_car_has_its_own_reward_state_and_is_called_in_the_order_of_time(oval: Track, tmp_path: Path) -> None:
    (tmp_path / "reward_function.py").write_text(COUNTING)
    world = world_of(oval, 4, reward=RewardFunction.load(tmp_path / "reward_function.py", 4))
    calls = np.zeros(4)
    ended = 0
    for action in random_actions(120, 4):
        step = world.step(action)
        calls += 1.0
        assert step.rewards.tolist() == calls.tolist()
        ended += int(step.done.sum())
        world.reset(step.done)
    assert ended > 0


def lap(track: Track, car: Car, speed: float) -> Floats:
    """A lap of the scripted driver: x, y, yaw, speed (steps, 4)."""
    world, driver = world_of(track, car=car), PurePursuit(track, speed)
    poses = []
    while not world.state.episode.done[0]:
        world.step(driver.commands(world))
        m = world.state.motion[0]
        poses.append((m.x, m.y, m.yaw, m.speed))
    assert world.state.episode.status[0] == Status.LAP_COMPLETE
    return np.array(poses)


@pytest.mark.parametrize(
    ("car", "speed"), [(DEEPRACER_V4, 1.0), (DEEPRACER_V5, 1.4), (DEEPRACER_V6, 1.6), (PHYSICAL, 1.2)]
)
def test_a_lap_is_the_golden_one(oval: Track, car: Car, speed: float) -> None:
    assert fingerprint(lap(oval, car, speed)) == GOLDEN[car.name]


@pytest.mark.parametrize("name", ["object_avoidance", "head_to_bot", "grid"])
def test_a_race_of_every_type_is_the_golden_one(oval: Track, name: str) -> None:
    """Half a minute in which cars run into things and are put back."""
    things: dict[str, dict[str, Any]] = {
        "object_avoidance": {"obstacles": Obstacles(random=True)},
        "head_to_bot": {"bots": Bots(random=True, lane_changes=True, speed=0.5)},
        "grid": {"cars": 3},
    }
    race = replace(EVALUATION, collision_penalty=1.0, **things[name])
    world, driver = world_of(oval, race=race, seed=1), PurePursuit(oval, 1.5)
    seen = []
    for _ in range(450):
        world.step(driver.commands(world))
        m, b = world.state.motion, world.state.bodies[0]
        seen.append([*m.x, *m.y, *m.yaw, *b.x, *b.y, *world.state.episode.crash_count])
    assert max(row[-1] for row in seen) > 0 or name == "grid"
    assert fingerprint(np.array(seen)) == GOLDEN[name]


@pytest.mark.parametrize("name", ["boomerang", "grand_prix"])
def test_a_mirrored_track_gives_a_mirrored_car_a_mirrored_drive(name: str) -> None:
    track = find_track(name)
    mirrored = Track.from_route(track.route * np.array([1.0, -1.0] * 3), "mirrored")
    assert mirrored.counter_clockwise != track.counter_clockwise
    opposite = replace(DEEPRACER_V6, steering_offset=-DEEPRACER_V6.steering_offset)
    there, again = lap(track, DEEPRACER_V6, 1.2), lap(mirrored, opposite, 1.2)
    assert np.ptp(there[:, 1]) > 1.0
    turn = there[0, 2] + again[0, 2]
    assert np.cos(turn) == pytest.approx(1.0)
    np.testing.assert_allclose(again, there * [1.0, -1.0, -1.0, 1.0] + [0.0, 0.0, turn, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": 0}, "at least 1 world, not 0"),
        ({"n": 3, "reward": RewardFunction.of(lambda params: params["x"], 2)}, "loaded for 2 cars, but there are 3"),
    ],
)
def test_a_simulator_that_cannot_be_is_refused_with_one_sentence(
    oval: Track, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RacerError, match=sentence):
        Simulator(oval, **arguments)


@pytest.mark.parametrize(
    ("actions", "sentence"),
    [
        (np.zeros((1, 2)), "2 cars need 2 actions, not 1"),
        (np.zeros(2), "actions must be pairs of steering and speed"),
        (np.array([[0.0, 0.0], [np.nan, 0.0]]), "the action of car 1 is not a number"),
    ],
)
def test_actions_that_are_none_are_refused_before_anything_moves(
    oval: Track, actions: npt.NDArray[Any], sentence: str
) -> None:
    world = world_of(oval, 2, race=TIME_TRIAL)
    before = world.state.copy()
    with pytest.raises(RacerError, match=sentence):
        world.step(actions)
    assert world.state.episode.tolist() == before.episode.tolist()
    assert world.state.motion.tolist() == before.motion.tolist()
