"""What drives a car is drawn from its stream alone, and its commands arrive as drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.car import CAR, COMMAND, DEEPRACER_V4, DEEPRACER_V6, car_records
from racer_env.driver import PurePursuit
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Floats, records
from racer_env.motors import MOTORS, draw, draw_cars, send, waiting_room
from racer_env.race import Race
from racer_env.randomisation import FACTORS, MILD, NONE, STRONG, Randomisation
from racer_env.randomness import streams_of
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

#: What strong does to cars and commands, on one track as it is.
_DRAWN: dict[str, Any] = {
    name: STRONG.ranges[name] for name in (*FACTORS, "steering_trim", "command_delay", "command_noise")
}
CARS = Randomisation("cars", **_DRAWN)


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def world_of(track: Track, n: int, level: Randomisation, **arguments: Any) -> Simulator:
    made = Simulator(track, n=n, actions=PurePursuit.actions, randomisation=level, **arguments)
    made.reset()
    return made


def driven(world: Simulator, steps: int, seed: int = 4) -> list[Any]:
    """Drive at random, resetting cars whose episode ends; each car's actions do not depend on how many there are."""
    actions = np.stack([np.random.default_rng((seed, car)).uniform(-1.0, 1.0, (steps, 2)) for car in range(world.n)], 1)
    seen: list[Any] = []
    for action in actions:
        step = world.step(action)
        if step.done.any():
            world.reset(step.done)
        seen.append([part.tolist() for part in (world.state.motion, world.state.cars, world.state.motors)])
    assert len({str(record[0]) for record in seen}) == steps  # something moved
    return seen


def held(world: Simulator, steps: int, steering: float, speed: float = 0.0) -> list[Floats]:
    """Poses (n, 3) after each step of one action."""
    poses = []
    for _ in range(steps):
        world.step(np.tile([steering, speed], (world.n, 1)))
        m = world.state.motion
        poses.append(np.stack([m.x, m.y, m.yaw], axis=1))
    return poses


def many_streams(n: int) -> npt.NDArray[np.uint64]:
    return streams_of(7, np.arange(n), np.zeros(n, np.int64))


@pytest.mark.parametrize("level", [MILD, STRONG], ids=lambda level: level.name)
def test_every_parameter_drawn_is_in_its_range_and_the_range_is_filled(level: Randomisation) -> None:
    n = 2000
    base = car_records([DEEPRACER_V6] * n)
    cars, motors = draw_cars(level, many_streams(n), base)
    for name, scaled in FACTORS.items():
        for parameter in scaled:
            if base[parameter][0]:
                fills(cars[parameter] / base[parameter], level.ranges[name])
    for parameter in set(CAR.names or ()) - {p for scaled in FACTORS.values() for p in scaled} - {"command_delay"}:
        np.testing.assert_array_equal(cars[parameter], base[parameter])
    fills(motors.steering_trim, level.ranges["steering_trim"])
    fills(motors.delay / CONTROL_RATE + cars.command_delay - base.command_delay, level.ranges["command_delay"])
    assert (cars.command_delay >= 0.0).all()
    assert (cars.command_delay < 1.0 / CONTROL_RATE).all()


def fills(drawn: Floats, bounds: tuple[float, float]) -> None:
    least, most = bounds
    hair = 1e-12
    assert least - hair <= drawn.min() < least + 0.02 * (most - least)
    assert most - 0.02 * (most - least) < drawn.max() <= most + hair
    assert abs(drawn.mean() - 0.5 * (least + most)) < 0.03 * (most - least)


def test_grip_changes_along_and_across_alike_and_leaves_tyres_as_stiff() -> None:
    base = car_records([DEEPRACER_V4] * 5)
    cars, _ = draw_cars(CARS, many_streams(5), base)
    np.testing.assert_allclose(cars.grip_along / cars.slip_along, base.grip_along / base.slip_along)
    np.testing.assert_allclose(cars.grip_along / base.grip_along, cars.grip_across / base.grip_across)


def test_different_things_are_drawn_independently() -> None:
    streams = many_streams(2000)
    assert abs(np.corrcoef(draw("grip", (0.0, 1.0), streams), draw("steering_trim", (0.0, 1.0), streams))[0, 1]) < 0.08


def test_cars_differ_from_each_other_and_from_episode_to_episode(oval: Track) -> None:
    world = world_of(oval, 4, CARS)
    first = world.state.cars.copy()
    world.reset()
    grips = np.concatenate((first.grip_along, world.state.cars.grip_along))
    assert len(set(grips.tolist())) == 8


def test_the_same_seed_gives_the_same_cars_and_drive_and_another_gives_others(oval: Track) -> None:
    world = world_of(oval, 3, CARS)
    first = driven(world, 60)
    world.restart(0)
    world.reset()
    assert driven(world, 60) == first
    world.restart(1)
    world.reset()
    assert driven(world, 60) != first


def test_a_car_draws_and_drives_the_same_alone_and_in_a_crowd(oval: Track) -> None:
    race = Race(start=0.1)
    alone, crowd = (driven(world_of(oval, n, CARS, race=race), 80) for n in (2, 7))
    assert [[part[:2] for part in record] for record in crowd] == alone
    assert alone[0][1] != alone[-1][1]  # another episode began


def test_a_restored_state_goes_on_as_it_did_with_its_cars_and_with_commands_on_their_way(oval: Track) -> None:
    world = world_of(oval, 4, CARS)
    driven(world, 25)
    kept = world.state.copy()
    first = driven(world, 70, seed=9)
    world.restore(kept)
    assert driven(world, 70, seed=9) == first
    other = world_of(oval, 4, CARS)
    other.restore(kept)
    assert driven(other, 70, seed=9) == first
    assert len({str(record[1]) for record in first}) > 1  # other episodes, other cars


def test_a_reset_draws_only_for_the_cars_it_names(oval: Track) -> None:
    world = world_of(oval, 3, CARS)
    held(world, 5, 0.1)
    before = world.state.copy()
    world.reset([1])
    for name in ("cars", "motors", "pending"):
        now, was = getattr(world.state, name), getattr(before, name)
        assert str(now[[0, 2]].tolist()) == str(was[[0, 2]].tolist())
        assert str(now[1].tolist()) != str(was[1].tolist())


def test_a_trimmed_car_runs_to_that_side(oval: Track) -> None:
    left, straight, right = (
        held(world_of(oval, 1, Randomisation("trim", steering_trim=(trim, trim))), 12, 0.0)[-1][0]
        for trim in (2.0, 0.0, -2.0)
    )
    assert left[2] > straight[2] + 0.02
    assert right[2] < straight[2] - 0.02
    assert left[2] - straight[2] == pytest.approx(straight[2] - right[2], rel=0.1)


def test_a_command_one_period_late_does_one_period_later_what_it_would_have_done(oval: Track) -> None:
    period = 1.0 / CONTROL_RATE
    late = held(world_of(oval, 1, Randomisation("late", command_delay=(period, period))), 10, 0.3)
    later = held(world_of(oval, 1, Randomisation("later", command_delay=(2.0 * period, 2.0 * period))), 10, 0.3)
    prompt = held(world_of(oval, 1, NONE), 10, 0.3)
    np.testing.assert_allclose(late[1:], prompt[:-1], atol=1e-12)
    np.testing.assert_allclose(later[2:], prompt[:-2], atol=1e-12)
    np.testing.assert_array_equal(late[0][0, 2], later[1][0, 2])  # it stood still
    assert abs(prompt[-1][0, 2] - prompt[0][0, 2]) > 0.1


def test_parts_of_a_period_are_a_delay_too(oval: Track) -> None:
    prompt, part, whole = (
        held(world_of(oval, 1, Randomisation("late", command_delay=(late, late))), 10, 1.0)[-1][0, 2]
        for late in (0.0, 0.5 / CONTROL_RATE, 1.0 / CONTROL_RATE)
    )
    assert prompt > part > whole


def test_noise_multiplies_every_command_anew_within_its_range() -> None:
    n, level = 400, Randomisation("noisy", command_noise=(0.9, 1.1))
    commands = records(n, COMMAND)
    commands.steering_degrees, commands.speed = 20.0, 2.0
    nothing, held_back = records(n, MOTORS), np.zeros(n, np.bool_)
    room = waiting_room(level, n, 0.016)
    arrived = [
        send(level, commands, nothing, many_streams(n), np.full(n, tick), room, held_back).copy() for tick in range(5)
    ]
    steering = np.array([out.steering_degrees for out in arrived]) / 20.0
    speed = np.array([out.speed for out in arrived]) / 2.0
    fills(steering.ravel(), (0.9, 1.1))
    fills(speed.ravel(), (0.9, 1.1))
    assert len(np.unique(steering)) == steering.size
    assert abs(np.corrcoef(steering.ravel(), speed.ravel())[0, 1]) < 0.1
    assert not held_back.any()


def test_params_and_traces_show_the_command_that_was_chosen(oval: Track) -> None:
    world, plain = world_of(oval, 2, CARS), world_of(oval, 2, NONE)
    for _ in range(5):
        action = np.full((2, 2), 0.25)
        step, other = world.step(action), plain.step(action)
    assert step.command.tolist() == other.command.tolist()
    assert step.command.speed[0] == world.actions.commands(action).speed[0]
    assert world.state.motion.tolist() != plain.state.motion.tolist()


def test_without_randomisation_cars_are_as_given_and_nothing_waits(oval: Track) -> None:
    world = world_of(oval, 2, NONE, car=DEEPRACER_V4)
    held(world, 3, 0.2)
    assert world.cars.tolist() == car_records([DEEPRACER_V4] * 2).tolist()
    assert world.state.pending.size == 0
    assert not world.state.motors.view(np.ndarray)["steering_trim"].any()


def test_a_level_whose_ranges_are_all_neutral_drives_as_none_does(oval: Track) -> None:
    ones: dict[str, Any] = {"steering_trim": (0.0, 0.0), "command_delay": (0.0, 0.0), "command_noise": (1.0, 1.0)}
    neutral = Randomisation("neutral", **ones | dict.fromkeys(FACTORS, (1.0, 1.0)))
    there, here = (driven(world_of(oval, 3, level), 60) for level in (neutral, replace(neutral, name="other")))
    plain = driven(world_of(oval, 3, NONE), 60)
    assert there == here
    assert [record[0] for record in there] == [record[0] for record in plain]
