"""How the cars move: the manoeuvres that were measured on the original, and the symmetries of a plane."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from racer_env.car import CAR, CARS, COMMAND, DEEPRACER_V4, DEEPRACER_V5, DEEPRACER_V6, Car, car_records
from racer_env.dynamics import CONTROL_RATE, MOTION, SUBSTEPS, TIME_STEP, advance
from racer_env.kernel import Floats, Records, records

BOTH = pytest.mark.parametrize("car", [DEEPRACER_V4, DEEPRACER_V6], ids=lambda car: car.name)
FIELDS = MOTION.names or ()
UNSIDED = ("x", "speed", "wheel_speed", "last_speed")  #: fields that a mirror leaves as they are


def moved(motion: Records, command: Records, cars: Sequence[Car], steps: int = SUBSTEPS) -> Records:
    """Give where cars are after some physics steps of a control period."""
    out = motion.copy()
    advance(out, command, car_records(cars), np.zeros(len(out), np.bool_), np.full(len(out), TIME_STEP), steps)
    if steps == SUBSTEPS:  # a kernel could drop its writes: check that it moved
        assert (np.hypot(out.x - motion.x, out.y - motion.y) > 0.0).all()
    return out


def drive(car: Car, *manoeuvre: tuple[float, float, float]) -> Records:
    """Drive (degrees, m/s, seconds) one after the other from standstill; gives the motion after every physics step."""
    m, c, track = records(1, MOTION), records(1, COMMAND), [records(1, MOTION)]
    for degrees, speed, seconds in manoeuvre:
        c.steering_degrees, c.speed = degrees, speed
        for _ in range(round(seconds * CONTROL_RATE)):
            track += [moved(m, c, [car], steps) for steps in range(1, SUBSTEPS + 1)]
            m = track[-1]
    return np.concatenate(track).view(np.recarray)


def lag(values: Floats) -> float:
    """Seconds until a value has come within 1/e of where it goes."""
    share = (values - values[0]) / (values[-1] - values[0])
    return float(np.argmax(share >= 1.0 - 1.0 / math.e)) * TIME_STEP


def radius(track: Records) -> float:
    """Radius of the circle that the middle of the car drives at the end, m."""
    last = track[-CONTROL_RATE * SUBSTEPS :]
    way = np.hypot(np.diff(last.x), np.diff(last.y)).sum()
    return float(way / abs(last.yaw[-1] - last.yaw[0]))


@pytest.mark.parametrize(
    ("car", "command", "acceleration"), [(DEEPRACER_V4, 2.0, 3.2), (DEEPRACER_V5, 2.0, 3.0), (DEEPRACER_V6, 2.5, 10.2)]
)
def test_launch_acceleration(car: Car, command: float, acceleration: float) -> None:
    speed = drive(car, (0.0, command, 0.5)).speed
    first_fifth = speed[round(0.2 / TIME_STEP)] / 0.2
    assert first_fifth == pytest.approx(acceleration, rel=0.12)


@pytest.mark.parametrize(("car", "seconds"), [(DEEPRACER_V4, 0.147), (DEEPRACER_V6, 0.033)])
def test_speed_lag(car: Car, seconds: float) -> None:
    speed = drive(car, (0.0, 1.0, 2.0), (0.0, 1.2, 2.0)).speed
    assert lag(speed[round(2.0 / TIME_STEP) :]) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(
    ("car", "command", "ratio"),
    [
        (DEEPRACER_V4, 1.0, 1.06),
        (DEEPRACER_V4, 2.0, 1.05),
        (DEEPRACER_V6, 1.0, 1.02),
        (DEEPRACER_V6, 2.5, 1.02),
    ],
)
def test_steady_speed_over_command(car: Car, command: float, ratio: float) -> None:
    assert drive(car, (0.0, command, 3.0)).speed[-1] / command == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize(("car", "seconds"), [(DEEPRACER_V4, 0.4), (DEEPRACER_V6, 0.2)])
def test_steering_lag(car: Car, seconds: float) -> None:
    yaw_rate = drive(car, (0.0, 1.0, 2.0), (15.0, 1.0, 3.0)).yaw_rate
    assert lag(yaw_rate[round(2.0 / TIME_STEP) :]) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(
    ("car", "degrees", "command", "metres"),
    [
        (DEEPRACER_V4, 30.0, 1.05, 0.65),
        (DEEPRACER_V5, 30.0, 1.0, 0.68),
        (DEEPRACER_V5, 30.0, 0.6, 0.46),
        (DEEPRACER_V6, 25.0, 1.0, 0.67),
        (DEEPRACER_V6, 15.0, 1.5, 1.09),
        (DEEPRACER_V6, 10.0, 2.0, 1.7),
    ],
)
def test_turn_radius(car: Car, degrees: float, command: float, metres: float) -> None:
    for side in (1.0, -1.0):
        assert radius(drive(car, (side * degrees, command, 4.0))) == pytest.approx(metres, rel=0.1)


def test_distance_from_standstill() -> None:
    track = drive(DEEPRACER_V4, (0.0, 2.0, 1.0))
    frames = np.arange(2, 11, 2) * SUBSTEPS
    np.testing.assert_allclose(track.x[frames], [0.030, 0.113, 0.258, 0.453, 0.668], rtol=0.1)


@BOTH
def test_grip_limits_how_tightly_a_fast_car_turns(car: Car) -> None:
    slow, fast = (radius(drive(car, (10.0, speed, 2.0))) for speed in (1.0, 4.0))
    assert fast > 1.3 * slow


@BOTH
def test_a_car_told_to_drive_straight_pulls_gently_to_the_left(car: Car) -> None:
    assert 0.5 < math.degrees(drive(car, (0.0, 1.3, 2.0)).yaw_rate[-1]) < 5.0
    straight = replace(car, steering_offset=0.0)
    np.testing.assert_allclose(drive(straight, (0.0, 1.3, 1.0)).yaw, 0.0, atol=1e-12)


@BOTH
def test_a_mirrored_car_drives_a_mirrored_command_as_in_a_mirror(car: Car) -> None:
    manoeuvre = [(20.0, 2.0, 0.5), (-30.0, 3.0, 0.4), (5.0, 0.5, 0.6)]
    left = drive(car, *manoeuvre)
    mirrored = replace(car, steering_offset=-car.steering_offset)
    right = drive(mirrored, *((-degrees, speed, seconds) for degrees, speed, seconds in manoeuvre))
    for name in FIELDS:
        sign = 1.0 if name in UNSIDED else -1.0
        np.testing.assert_allclose(left[name], sign * right[name], atol=1e-12)


def crowd(n: int, seed: int = 1) -> tuple[Records, Records, list[Car]]:
    draw = np.random.default_rng(seed)
    motion, command = records(n, MOTION), records(n, COMMAND)
    for name, most in (("x", 3.0), ("y", 3.0), ("yaw", 7.0), ("steering", 0.5), ("yaw_rate", 2.0)):
        motion[name] = draw.uniform(-most, most, n)
    for name in ("speed", "wheel_speed"):
        if name in FIELDS:
            motion[name] = draw.uniform(0.5, 3.0, n)
    command.steering_degrees, command.speed = draw.uniform(-40.0, 40.0, n), draw.uniform(0.0, 5.0, n)
    return motion, command, [(DEEPRACER_V4, DEEPRACER_V6)[i % 2] for i in range(n)]


def test_where_a_car_stands_and_looks_does_not_change_how_it_drives() -> None:
    motion, command, cars = crowd(20)
    turn, east, north = 2.1, -4.0, 9.0
    c, s = math.cos(turn), math.sin(turn)
    elsewhere = motion.copy()
    elsewhere.x, elsewhere.y = east + c * motion.x - s * motion.y, north + s * motion.x + c * motion.y
    elsewhere.yaw = motion.yaw + turn
    here, there = moved(motion, command, cars), moved(elsewhere, command, cars)
    np.testing.assert_allclose(there.x, east + c * here.x - s * here.y, atol=1e-12)
    np.testing.assert_allclose(there.y, north + s * here.x + c * here.y, atol=1e-12)
    np.testing.assert_allclose(there.yaw, here.yaw + turn, atol=1e-12)
    np.testing.assert_allclose(there.speed, here.speed, atol=1e-12)


def test_a_batch_drives_as_its_cars_do_one_by_one() -> None:
    motion, command, cars = crowd(12)
    together = moved(motion, command, cars)
    for i in range(12):
        alone = moved(motion[i : i + 1], command[i : i + 1], cars[i : i + 1])
        assert alone.tolist() == together[i : i + 1].tolist()


def test_a_held_car_stays_as_it_is_and_the_others_drive() -> None:
    motion, command, cars = crowd(6)
    held = np.array([True, False] * 3)
    after = motion.copy()
    advance(after, command, car_records(cars), held, np.full(len(after), TIME_STEP), SUBSTEPS)
    assert after[held].tolist() == motion[held].tolist()
    assert (after.x[~held] != motion.x[~held]).all()


def test_commands_beyond_the_motors_reach_are_clipped_where_they_act() -> None:
    motion, command, cars = crowd(2)
    motion[1], cars[1] = motion[0], cars[0]
    for wild, tame in (((90.0, 9.0), (30.0, 4.0)), ((-45.0, 0.0), (-30.0, 0.1))):
        (command.steering_degrees[0], command.speed[0]), (command.steering_degrees[1], command.speed[1]) = wild, tame
        first, second = moved(motion, command, cars).tolist()
        assert first == second


def test_shorter_physics_steps_hardly_change_a_drive() -> None:
    motion, command, cars = crowd(20)
    command.speed = motion.speed  # a drive, not a crash: nothing brakes at its limit
    for name in ("steering", "yaw_rate"):
        motion[name] = 0.0
    coarse, fine = motion.copy(), motion.copy()
    free = np.zeros(20, np.bool_)
    for _ in range(15):
        advance(coarse, command, car_records(cars), free, np.full(len(coarse), TIME_STEP), SUBSTEPS)
        advance(fine, command, car_records(cars), free, np.full(len(fine), TIME_STEP / 10), SUBSTEPS * 10)
    assert np.hypot(coarse.x - motion.x, coarse.y - motion.y).min() > 0.1
    assert np.hypot(coarse.x - fine.x, coarse.y - fine.y).max() < 0.02


@BOTH
def test_wheels_that_slide_along_themselves_hold_better_across(car: Car) -> None:
    pressed = replace(car, grip_press=0.5)
    slack = replace(car, grip_press=0.0)
    wide, tight = (radius(drive(each, (20.0, 2.0, 2.0))) for each in (slack, pressed))
    assert tight < wide
    assert tight > 0.7 * wide


def test_every_number_of_a_car_reaches_the_kernels() -> None:
    for car in CARS.values():
        (record,) = car_records([car])
        assert CAR.names
        assert all(record[name] == getattr(car, name) for name in CAR.names)
