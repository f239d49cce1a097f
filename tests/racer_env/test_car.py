"""Cars and what an action means."""

import numpy as np
import pytest

from racer_env.car import CARS, DEEPRACER_V4, DEEPRACER_V6, ContinuousActions, DiscreteActions, car_of_version, find_car
from racer_env.errors import MetadataError, RacerError

FIVE = DiscreteActions((-30.0, -15.0, 0.0, 15.0, 30.0), (0.6, 0.7, 0.8, 0.9, 1.0))
BOX = ContinuousActions((-20.0, 30.0), (0.5, 4.0))


def test_an_index_is_an_entry_of_the_list_exactly_as_written() -> None:
    command = FIVE.commands(np.array([4, 0, 2]))
    assert command.steering_degrees.tolist() == [30.0, -30.0, 0.0]
    assert command.speed.tolist() == [1.0, 0.6, 0.8]
    assert len(FIVE) == 5


def test_a_box_is_scaled_linearly_and_clipped_first() -> None:
    command = BOX.commands(np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [7.0, -9.0]]))
    assert command.steering_degrees.tolist() == [-20.0, 30.0, 5.0, 30.0]
    assert command.speed.tolist() == [0.5, 4.0, 2.25, 0.5]


@pytest.mark.parametrize(
    ("actions", "sentence"),
    [
        ([5], "there is no action 5; there are 5, from 0"),
        ([-1], "no action -1"),
        ([1.5], "indices"),
        ([[1]], "indices"),
    ],
)
def test_what_is_no_index_is_refused(actions: list[int], sentence: str) -> None:
    with pytest.raises(RacerError, match=sentence):
        FIVE.commands(np.array(actions))


def test_a_car_is_found_by_name_and_by_version() -> None:
    assert all(find_car(name.upper().replace("_", "-")) is car for name, car in CARS.items())
    assert [car_of_version(v) for v in (1.0, 4.0, 6.0, 6.1)] == [DEEPRACER_V4] * 2 + [DEEPRACER_V6] * 2
    with pytest.raises(MetadataError, match="no car is called 'deepracer_v7'; did you mean 'deepracer_v"):
        find_car("deepracer_v7")
