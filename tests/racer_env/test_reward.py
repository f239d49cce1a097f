"""What a reward function may do, how it is called, and which values are no rewards."""

import timeit
from typing import Any

import numpy as np
import pytest

from racer_env.errors import RewardError
from racer_env.reward import LIMIT, Params, RewardFunction, try_reward
from tests.racer_env.conftest import WAYPOINTS, car

# --- calling


def test_every_car_is_rewarded_for_its_own_params(write: Any) -> None:
    function = RewardFunction.load(write("def reward_function(params):\n    return params['speed'] * 2\n"), copies=3)
    rewards = function([car(speed=1.0), car(speed=2.0), car(speed=3.0)])
    assert rewards.dtype == np.float64
    assert rewards.tolist() == [2.0, 4.0, 6.0]


COUNTER = "calls = 0\ndef reward_function(params):\n    global calls\n    calls += 1\n    return calls\n"


def test_globals_keep_the_state_of_one_car_each_for_the_whole_job(write: Any) -> None:
    function = RewardFunction.load(write(COUNTER), copies=3)
    assert function([car(), car(), car()]).tolist() == [1, 1, 1]
    assert function([car()], cars=[1]).tolist() == [2]
    assert function([car(), car()], cars=np.array([2, 1])).tolist() == [2, 3]
    assert function([car(), car(), car()]).tolist() == [2, 4, 3]


def test_fresh_copies_remember_nothing(write: Any) -> None:
    function = RewardFunction.load(write(COUNTER))
    function([car()])
    assert function.fresh(copies=2)([car(), car()]).tolist() == [1, 1]
    assert function([car()]).tolist() == [2]


def test_no_cars_get_no_rewards(write: Any) -> None:
    assert RewardFunction.load(write(COUNTER))([], cars=[]).shape == (0,)


def test_params_for_another_number_of_cars_are_a_mistake_of_the_caller(write: Any) -> None:
    with pytest.raises(ValueError, match="2 params for 1 cars"):
        RewardFunction.load(write(COUNTER))([car(), car()])


@pytest.mark.parametrize(
    ("expression", "reward"),
    [
        ("True", 1.0),
        ("7", 7.0),
        ("np.float32(0.5)", 0.5),
        ("np.int64(3)", 3.0),
        ("np.array(2.5)", 2.5),
        ("-1e5", -1e5),
    ],
)
def test_whatever_is_a_number_is_a_reward(write: Any, expression: str, reward: float) -> None:
    function = RewardFunction.load(
        write(f"import numpy as np\ndef reward_function(params):\n    return {expression}\n")
    )
    assert function([car()]).tolist() == [reward]


def test_a_file_sees_itself_as_a_module_of_the_originals_name(write: Any) -> None:
    path = write("def reward_function(params):\n    print(__name__, __file__)\n    return 1.0\n")
    function = RewardFunction.load(path)
    function([car()])
    assert function.take_printed() == [f"customer_reward_function {path}"]


def test_a_file_may_define_dataclasses_that_differ_from_car_to_car(write: Any) -> None:
    text = """
from __future__ import annotations
from dataclasses import dataclass, field

@dataclass
class Memory:
    speeds: list[float] = field(default_factory=list)

memory = Memory()

def reward_function(params):
    memory.speeds.append(params["speed"])
    return sum(memory.speeds)
"""
    function = RewardFunction.load(write(text), copies=2)
    function([car(speed=1.0), car(speed=10.0)])
    assert function([car(speed=1.0), car(speed=10.0)]).tolist() == [2.0, 20.0]


def test_a_second_parameter_with_a_default_is_fine(write: Any) -> None:
    text = "def reward_function(params, extra=None):\n    return 1.0 if extra is None else 0.0\n"
    assert RewardFunction.load(write(text))([car()]).tolist() == [1.0]


def test_a_byte_order_mark_is_fine(write: Any) -> None:
    assert RewardFunction.load(write(b"\xef\xbb\xbfdef reward_function(params):\n    return 1\n"))([car()]) == 1.0


def test_a_function_that_changes_waypoints_does_not_change_those_of_other_calls(write: Any) -> None:
    text = "def reward_function(params):\n    params['waypoints'].pop()\n    return len(params['waypoints'])\n"
    function = RewardFunction.load(write(text))
    shared = list(WAYPOINTS)
    for _ in range(3):
        assert function([car(waypoints=shared)]).tolist() == [119.0]
        assert shared == WAYPOINTS
    tried = RewardFunction.load(write(text), copies=2)
    try_reward(tried, [car(waypoints=shared)])
    assert tried([car(waypoints=shared), car(waypoints=shared)]).tolist() == [119.0, 119.0]


def test_the_call_itself_costs_less_than_a_microsecond_a_car(write: Any) -> None:
    function = RewardFunction.load(write("def reward_function(params):\n    return 1.0\n"), copies=64)
    params = [car() for _ in range(64)]

    def bare() -> None:
        for reward_function, one in zip(function.functions, params, strict=True):
            reward_function(one)

    ours = min(timeit.repeat(lambda: function(params), number=20, repeat=20))
    theirs = min(timeit.repeat(bare, number=20, repeat=20))
    assert (ours - theirs) / (20 * 64) < 1e-6  # 0.1 µs on an idle core


# --- blaming values


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("None", r"returned None \(is a return missing\?\)"),
        ("'1.0'", r"returned '1.0' \(str\), but a reward is a number"),
        ("[1.0]", r"returned \[1\] \(list\), but a reward is a number"),
        ("1j", r"returned 1j \(complex\), but a reward is a number"),
        ("float('nan')", "returned nan, but a reward must be finite"),
        ("float('-inf')", "returned -inf, but a reward must be finite"),
        ("100001", r"returned 100001.0, but a reward must lie between -100000 and 100000"),
        ("10 ** 400", r"returned .*, but a reward must lie between"),
    ],
)
def test_what_is_no_reward_is_refused_with_file_line_and_params(write: Any, expression: str, said: str) -> None:
    path = write(f"\ndef reward_function(params):\n    params['speed']\n    return {expression}\n")
    with pytest.raises(RewardError, match=said) as caught:
        RewardFunction.load(path)([car(speed=1.5)])
    assert str(caught.value).startswith(f"{path}:2: reward_function returned")
    assert str(caught.value).endswith("params were speed=1.5")


def test_the_first_bad_car_is_blamed(write: Any) -> None:
    text = "def reward_function(params):\n    return float('nan') if params['speed'] > 1 else 0\n"
    function = RewardFunction.load(write(text), copies=4)
    with pytest.raises(RewardError, match=r"speed=2$"):
        function([car(speed=1.0), car(speed=2.0), car(speed=3.0), car(speed=1.0)])


def test_the_limit_is_the_originals() -> None:
    assert LIMIT == 1e5
    assert RewardFunction.of(lambda _: LIMIT)([car()]).tolist() == [1e5]


# --- Python functions


def test_a_python_function_is_shared_by_all_cars() -> None:
    seen: list[float] = []

    def reward_function(params: Params) -> float:
        seen.append(params["x"])
        return len(seen)

    function = RewardFunction.of(reward_function, copies=3)
    assert function([car(x=1.0), car(x=2.0), car(x=3.0)]).tolist() == [1, 2, 3]
    assert seen == [1.0, 2.0, 3.0]


def test_a_python_function_is_blamed_by_its_own_file_and_line() -> None:
    def reward_function(params: Params) -> float:
        return params["x"] / 0  # type: ignore[no-any-return]

    line = reward_function.__code__.co_firstlineno + 1
    with pytest.raises(RewardError, match=rf"test_reward\.py:{line}: reward_function failed with ZeroDivision.*x=1$"):
        RewardFunction.of(reward_function)([car()])


def test_a_callable_object_works_and_is_blamed() -> None:
    class Reward:
        def __call__(self, params: Params) -> float:
            return float(params["x"]) if params["x"] < 2 else None  # type: ignore[return-value]

    assert RewardFunction.of(Reward())([car()]).tolist() == [1.0]
    with pytest.raises(RewardError, match=r"test_reward\.py:\d+: reward_function returned None"):
        RewardFunction.of(Reward())([car(x=3.0)])


def test_a_python_function_of_two_parameters_is_refused() -> None:
    with pytest.raises(RewardError, match="takes 2 parameters"):
        RewardFunction.of(lambda x, y: x + y)  # type: ignore[misc, arg-type]


# --- trying


def test_trying_finds_the_error_before_the_first_step(write: Any) -> None:
    function = RewardFunction.load(write("def reward_function(params):\n    return 1 / params['speed']\n"))
    with pytest.raises(RewardError, match=r":2: .*ZeroDivisionError"):
        try_reward(function, [car(), car(speed=0.0)])


def test_trying_leaves_the_copies_that_will_be_used_alone(write: Any) -> None:
    function = RewardFunction.load(write(COUNTER), copies=2)
    try_reward(function, [car(), car(), car()])
    assert function([car(), car()]).tolist() == [1, 1]


def test_a_python_function_is_not_called_by_trying() -> None:
    def reward_function(_: Params) -> float:
        raise AssertionError("called")

    try_reward(RewardFunction.of(reward_function), [car()])


# --- batches


BATCH = "def reward_function(params):\n    return 0\ndef batch_reward_function(params):\n    return "


def columns(n: int = 3) -> dict[str, Any]:
    return {"x": np.arange(n, dtype=np.float64), "speed": np.ones(n), "waypoints": np.array(WAYPOINTS)}


def test_a_file_may_reward_all_cars_at_once(write: Any) -> None:
    function = RewardFunction.load(write(BATCH + "params['x'] > 0\n"), copies=3)
    assert function.batched
    rewards = function.batch(columns())
    assert rewards.dtype == np.float64
    assert rewards.tolist() == [0.0, 1.0, 1.0]


def test_a_file_without_a_batch_function_says_so(write: Any) -> None:
    assert not RewardFunction.load(write(COUNTER)).batched


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "1.0",
            r":3: .* returned float64 of shape \(\), but 3 cars need numbers of shape \(3,\)",
        ),
        ("params['x'][:2]", r":3: .* of shape \(2,\)"),
        ("['a', 'b', 'c']", r":3: .* returned <U1 of shape \(3,\)"),
        ("None", r":3: .* returned object"),
        (
            "params['x'] / [1, 0, 0] * float('inf')",
            ":3: .* returned (nan|inf), but a reward must be finite; it was for car",
        ),
        ("params['x'] * 1e5", r":3: .* returned 200000.0, but a reward must lie .*; it was for car 2"),
        ("params['y']", r":4: batch_reward_function failed with KeyError: 'y'"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_bad_batch_is_refused_with_file_and_line(write: Any, expression: str, said: str) -> None:
    function = RewardFunction.load(write(BATCH + expression + "\n"), copies=3)
    with pytest.raises(RewardError, match=said):
        function.batch(columns())
