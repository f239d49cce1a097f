"""Constants of a reward file are found and replaced, and nothing else of the file changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from racer_env.errors import RewardError
from racer_env.reward import RewardFunction
from training.sweep.reward_constants import constants_of, with_constants

SOURCE = """\
import math
SPEED, NEAR = 1.0, 2.0
WEIGHT = 0.5  # of the speed
ÜBER = 1
DEPTH: int = -3; MODE = 'soft'
TWICE = 1
TWICE = 2
COUNT = 0
TABLE = [1, 2]
HALF = WEIGHT / 2
if WEIGHT > 0:
    INSIDE = 1
lower = 1

def reward_function(params):
    global COUNT
    COUNT += 1
    LOCAL = 9.0
    return WEIGHT * params["speed"] + DEPTH * LOCAL
"""


@pytest.fixture
def reward(tmp_path: Path) -> Callable[[str], Path]:
    def write(source: str) -> Path:
        (tmp_path / "reward_function.py").write_bytes(source.encode())
        return tmp_path / "reward_function.py"

    return write


def test_a_constant_is_a_name_in_capitals_that_is_written_out_and_set_once(reward: Callable[[str], Path]) -> None:
    assert constants_of(reward(SOURCE)) == {"WEIGHT": 0.5, "DEPTH": -3, "MODE": "soft"}
    assert constants_of(reward("def reward_function(params):\n    return 1.0\n")) == {}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_values_change(reward: Callable[[str], Path], newline: str) -> None:
    source = SOURCE.replace("\n", newline)
    changed = with_constants(reward(source), {"DEPTH": 1e-05, "MODE": "it's", "WEIGHT": 12345.678})
    expected = source.replace("WEIGHT = 0.5 ", "WEIGHT = 12345.678 ").replace("int = -3;", "int = 1e-05;")
    assert changed == expected.replace("MODE = 'soft'", 'MODE = "it\'s"')
    assert with_constants(reward(source), {}) == source


def test_the_changed_file_pays_by_its_new_constants(reward: Callable[[str], Path]) -> None:
    file = reward(SOURCE)
    file.write_text(with_constants(file, {"WEIGHT": 3.0, "DEPTH": 0}))
    assert RewardFunction.load(file)([{"speed": 2.0}])[0] == 6.0
    assert constants_of(file)["WEIGHT"] == 3.0


def test_an_unknown_constant_is_refused_with_the_nearest(reward: Callable[[str], Path]) -> None:
    with pytest.raises(RewardError, match=r"has no constant 'WIEGHT' at its top level; did you mean 'WEIGHT'\?"):
        with_constants(reward(SOURCE), {"WIEGHT": 1.0})
    with pytest.raises(RewardError, match="it has none, such as SPEED_WEIGHT"):
        with_constants(reward("x = 1\n"), {"WEIGHT": 1.0})
    with pytest.raises(RewardError, match=r"reward_function\.py:2: not valid Python"):
        constants_of(reward("x = 1\nx = = 1\n"))
