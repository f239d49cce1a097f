"""What is late was seen before, what is lost is shown again, and all that is remembered can be copied and restored."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.driver import PurePursuit
from racer_env.errors import RacerError
from racer_env.kernel import COMPILED
from racer_env.metadata import LidarConfig
from racer_env.sensors import Sensor
from racer_env.sensors.camera import FRONT_FACING_CAMERA
from racer_env.sensors.imperfections import Noisy
from racer_env.sensors.lidar import Lidar, Scanner, Steps
from racer_env.sensors.memories import Delayed, Dropped, Stacked
from racer_env.sensors.state import STATE
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

STEPS = 60
FAR_LIDAR = Lidar("LIDAR", Steps(LidarConfig(64, 50, 12.0)), Scanner(walls=True))
NESTED = Stacked(Delayed(Dropped(Noisy(STATE, 0.05), 0.3), (0.5, 2.5)), 3)


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def drive(track: Track, sensor: Sensor, n: int = 1, steps: int = STEPS) -> npt.NDArray[Any]:
    """Observations (steps + 1, n, ...) of cars that stay on the road."""
    world, pursuit = Simulator(track, sensors=[sensor], n=n, actions=PurePursuit.actions), PurePursuit(track)
    seen = [world.reset()[sensor.name].copy()]
    for _ in range(steps):
        step = world.step(pursuit.commands(world))
        assert not step.done.any()
        seen.append(step.observations[sensor.name].copy())
    return np.array(seen)


def test_a_delay_shows_what_was_seen_before(oval: Track) -> None:
    plain = drive(oval, STATE, 2)
    for periods in (0, 1, 3):
        late = drive(oval, Delayed(STATE, (periods, periods)), 2)
        np.testing.assert_array_equal(late[periods:], plain[: len(plain) - periods])
        for before in late[:periods]:
            np.testing.assert_array_equal(before, plain[0])


def test_a_delay_of_parts_of_a_period_jumps_but_never_goes_back(oval: Track) -> None:
    plain, late = drive(oval, STATE), drive(oval, Delayed(STATE, (1.3, 1.3)))
    shown = [int(np.flatnonzero((plain == row).all(axis=(1, 2)))[0]) for row in late]
    delays = np.arange(len(shown))[5:] - shown[5:]
    assert set(delays.tolist()) == {1, 2}
    assert abs(delays.mean() - 1.3) < 0.2
    assert (np.diff(shown) >= 0).all()


def test_every_episode_draws_its_own_delay(oval: Track) -> None:
    late = drive(oval, Delayed(STATE, (0.0, 6.0)), 12, steps=12)
    plain = drive(oval, STATE, 12, steps=12)
    delays = {int(12 - np.abs(plain[:, car] - late[-1, car]).sum(axis=1).argmin()) for car in range(12)}
    assert len(delays) > 3
    assert max(delays) <= 6


def test_lost_observations_are_replaced_by_the_last_that_arrived(oval: Track) -> None:
    plain, shown = drive(oval, STATE, 4), drive(oval, Dropped(STATE, 0.3), 4)
    lost, last = 0, plain[0].copy()
    for now, told in zip(plain[1:], shown[1:], strict=True):
        for car in range(4):
            if np.array_equal(told[car], now[car]):
                last[car] = now[car]
            else:
                np.testing.assert_array_equal(told[car], last[car])
                lost += 1
    assert lost / (4 * STEPS) == pytest.approx(0.3, abs=0.1)
    np.testing.assert_array_equal(drive(oval, Dropped(STATE, 0.0)), drive(oval, STATE))
    assert (drive(oval, Dropped(STATE, 1.0)) == plain[0, 0]).all()


def test_a_stack_holds_the_last_observations_the_oldest_first(oval: Track) -> None:
    plain, stack = drive(oval, STATE, 2), drive(oval, Stacked(STATE, 3), 2)
    padded = np.concatenate((plain[:1], plain[:1], plain))
    expected = np.concatenate((padded[:-2], padded[1:-1], padded[2:]), axis=-1)
    np.testing.assert_array_equal(stack, expected)


def test_pictures_are_stacked_as_channels(oval: Track) -> None:
    steps = 4 if COMPILED else 1
    plain, stack = drive(oval, FRONT_FACING_CAMERA, 1, steps), drive(oval, Stacked(FRONT_FACING_CAMERA, 2), 1, steps)
    space = Stacked(FRONT_FACING_CAMERA, 2).space()
    assert space.shape == (120, 160, 2)
    assert space.dtype == np.uint8
    np.testing.assert_array_equal(stack[1:, ..., 0], plain[:-1, ..., 0])
    np.testing.assert_array_equal(stack[..., 1], plain[..., 0])


@pytest.mark.parametrize("sensor", [NESTED, Delayed(FAR_LIDAR, (1.5, 1.5)), Dropped(Stacked(STATE, 2), 0.5)])
def test_a_restored_state_goes_on_exactly_as_before(oval: Track, sensor: Sensor) -> None:
    world = Simulator(oval, sensors=[sensor], n=3)
    world.reset()
    for step in range(7):
        world.step(np.full(3, step % 5))
    here, saved = world.observations[sensor.name].copy(), world.state.copy()
    goes_on = [world.step(np.full(3, k % 5)).observations[sensor.name].copy() for k in range(6)]
    world.reset([1])
    world.step(np.zeros(3, np.int64))
    np.testing.assert_array_equal(world.restore(saved)[sensor.name], here)
    again = [world.step(np.full(3, k % 5)).observations[sensor.name].copy() for k in range(6)]
    np.testing.assert_array_equal(goes_on, again)
    assert not np.array_equal(goes_on[0], goes_on[-1])


def test_a_new_episode_forgets_and_leaves_the_others_alone(oval: Track) -> None:
    world, other = (Simulator(oval, sensors=[Delayed(STATE, (2.0, 2.0))], n=2) for _ in range(2))
    for w in (world, other):
        w.reset()
        for _ in range(5):
            w.step(np.zeros(2, np.int64))
    world.reset([0])
    fresh = Simulator(oval, sensors=[STATE], n=2)
    fresh.reset()
    fresh.reset([0])
    np.testing.assert_array_equal(world.observations["STATE"][0], fresh.observations["STATE"][0])
    world.step(np.zeros(2, np.int64))
    other.step(np.zeros(2, np.int64))
    np.testing.assert_array_equal(world.observations["STATE"][1], other.observations["STATE"][1])


def test_cars_remember_the_same_alone_and_in_a_crowd(oval: Track) -> None:
    crowd, alone = drive(oval, NESTED, 5), drive(oval, NESTED, 1)
    np.testing.assert_array_equal(crowd[:, :1], alone)
    assert not np.array_equal(crowd[:, 1], crowd[:, 0])


def test_impossible_memories_are_refused_in_one_sentence() -> None:
    for make, sentence in (
        (lambda: Delayed(STATE, (2.0, 1.0)), "periods of Delayed is"),
        (lambda: Dropped(STATE, 1.5), "share of Dropped is .* 0 to 1"),
        (lambda: Stacked(STATE, 0), "count of Stacked is 0, but must be 1 to 100 observations"),
    ):
        with pytest.raises(RacerError, match=sentence):
            make()
