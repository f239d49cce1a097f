"""Laws of the car's navigation: the numbers that its own code gave, and what it can never do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_env.car import ActionSpace, ContinuousActions, DiscreteActions
from racer_env.errors import BundleError
from racer_env.vehicle.navigation import motion, throttle

#: Found by running ``deepracer_navigation_node.py``: throttle by ratio to the fastest speed.
CURVE = {0.0: 0.0, 0.25: 0.475, 0.5: 0.8, 0.8333333: 1.0, 1.0: 1.0}
FIVE = DiscreteActions((-30.0, -15.0, 0.0, 15.0, 25.0), (1.0, 2.0, 4.0, 2.0, 1.0))
BOX = ContinuousActions((-30.0, 30.0), (1.0, 4.0))


@pytest.mark.parametrize(("ratio", "expected"), CURVE.items())
@pytest.mark.parametrize("fastest", [0.7, 1.0, 4.0])
def test_the_throttle_curve_is_the_cars(ratio: float, expected: float, fastest: float) -> None:
    assert throttle(ratio * fastest, fastest) == pytest.approx(expected, abs=1e-6)


def test_five_actions_make_the_car_do_what_its_own_code_does() -> None:
    done = [motion(FIVE, row) for row in np.eye(5)]
    expected = [(-1.0, 0.475), (-0.5, 0.8), (0.0, 1.0), (0.5, 0.8), (0.8333, 0.475)]
    np.testing.assert_allclose(done, expected, atol=1e-4)


def test_a_range_makes_the_car_do_what_its_own_code_does() -> None:
    assert motion(BOX, np.zeros(2)) == pytest.approx((0.0, 0.90625))
    assert motion(BOX, np.array([3.0, -7.0])) == pytest.approx((1.0, 0.475))


def test_of_equally_good_actions_the_car_takes_the_first() -> None:
    assert motion(FIVE, np.array([0.1, 0.3, 0.3, 0.2, 0.1])) == motion(FIVE, np.eye(5)[1])


@given(
    speeds=st.lists(st.floats(0.1, 4.0), min_size=2, max_size=6),
    steering=st.floats(-30.0, 30.0).filter(lambda x: abs(x) > 0.1),
    factor=st.floats(0.2, 5.0),
    limit=st.floats(0.0, 1.0),
)
def test_only_ratios_count_and_the_throttle_is_never_more_than_allowed(
    speeds: list[float], steering: float, factor: float, limit: float
) -> None:
    angles = (steering, *(0.0 for _ in speeds[1:]))
    one, many = DiscreteActions(angles, tuple(speeds)), DiscreteActions(angles, tuple(factor * v for v in speeds))
    for row in np.eye(len(speeds)):
        done = motion(one, row, limit)
        assert motion(many, row, limit) == pytest.approx(done, abs=1e-9)
        assert 0.0 <= done.throttle <= limit + 1e-12
        assert abs(done.steering) <= 1.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_up_to_five_sixths_of_the_fastest_more_speed_is_more_throttle(a: float, b: float) -> None:
    slow, fast = sorted((a * 5 / 6, b * 5 / 6))
    assert throttle(slow, 1.0) <= throttle(fast, 1.0) + 1e-12


@pytest.mark.parametrize(
    ("actions", "answer", "sentence"),
    [
        (FIVE, np.eye(6)[0], "6,. numbers, but has 5 actions"),
        (BOX, np.zeros(3), "3,. numbers, but has 2 actions"),
        (DiscreteActions((0.0, 0.0), (1.0, 2.0)), np.eye(2)[0], "no action steers"),
        (DiscreteActions((-1.0, 1.0), (0.0, 0.0)), np.eye(2)[0], "none moves the car"),
    ],
)
def test_where_the_cars_code_fails_the_car_stands_still(
    actions: ActionSpace, answer: npt.NDArray[np.floating], sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence):
        motion(actions, answer)
