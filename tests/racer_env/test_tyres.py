"""Laws of the four wheels: what friction can and cannot do."""

import numpy as np
import pytest

from racer_env.car import CARS, COMMAND, Car, car_records
from racer_env.dynamics import CONTROL_RATE, MOTION, SUBSTEPS, TIME_STEP, advance, friction
from racer_env.kernel import Records, records

EVERY = pytest.mark.parametrize("car", CARS.values(), ids=lambda car: car.name)


def sliding(n: int, seed: int = 0) -> Records:
    """Cars (n,) that slide every way, with wheels that hardly turn and stand straight."""
    draw, motion = np.random.default_rng(seed), records(n, MOTION)
    motion.speed, motion.lateral_speed = draw.uniform(0.5, 3.0, n), draw.uniform(-1.0, 1.0, n)
    motion.yaw_rate = draw.uniform(-4.0, 4.0, n)
    motion.wheel_speed = motion.last_speed = 0.1
    return motion


@EVERY
def test_energy_does_not_grow_without_drive(car: Car) -> None:
    motion, command = sliding(30), records(30, COMMAND)
    command.speed = 0.1
    begun = last = motion.speed**2 + motion.lateral_speed**2 + (car.gyration * motion.yaw_rate) ** 2
    for _ in range(CONTROL_RATE):
        advance(
            motion, command, car_records([car] * 30), np.zeros(30, np.bool_), np.full(len(motion), TIME_STEP), SUBSTEPS
        )
        energy = motion.speed**2 + motion.lateral_speed**2 + (car.gyration * motion.yaw_rate) ** 2
        assert (energy <= np.maximum(last * 1.001, 0.03)).all()
        last = energy
    assert (last < 0.5 * begun).all()


@EVERY
def test_a_car_that_slides_comes_to_roll(car: Car) -> None:
    motion, command = sliding(30), records(30, COMMAND)
    command.speed = 0.1
    for _ in range(4 * CONTROL_RATE):
        advance(
            motion, command, car_records([car] * 30), np.zeros(30, np.bool_), np.full(len(motion), TIME_STEP), SUBSTEPS
        )
    np.testing.assert_allclose(motion.speed, 0.1, atol=0.03)
    np.testing.assert_allclose(motion.lateral_speed, 0.0, atol=0.03)
    np.testing.assert_allclose(motion.yaw_rate, 0.0, atol=0.3)


def test_friction_pushes_back_by_no_more_than_the_grip() -> None:
    slips = np.linspace(-50.0, 50.0, 401)
    for bend in (0.0, 1.0, 2.0, 6.0):
        pushes = np.array([friction(slip, bend) for slip in slips])
        assert (pushes * slips <= 0.0).all()
        assert (np.abs(pushes) <= 1.0).all()
        assert (np.diff(pushes) < 0.0).all()
        assert friction(1e-6, bend) == pytest.approx(-1e-6, rel=1e-3)
