"""How a user's file is blamed, and what becomes of what it prints."""

import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

from racer_env.errors import RewardError
from racer_env.reward import Params, RewardFunction
from tests.racer_env.conftest import car

# --- blaming exceptions


def test_an_exception_is_blamed_on_the_innermost_line_of_the_users_file(write: Any) -> None:
    path = write("""import numpy as np

def helper(waypoints):
    return np.linalg.inv(np.zeros((2, 2)))

def reward_function(params):
    return helper(params["waypoints"])
""")
    with pytest.raises(RewardError) as caught:
        RewardFunction.load(path)([car()])
    assert str(caught.value) == (
        f"{path}:4: reward_function failed with LinAlgError: Singular matrix; "
        "params were waypoints=[[0, 0], … 120 in all]"
    )


def test_a_misspelt_key_is_answered_with_the_nearest(write: Any) -> None:
    path = write("def reward_function(params):\n    return params['sped']\n")
    with pytest.raises(RewardError, match=r":2: params has no 'sped'; did you mean 'speed'\?"):
        RewardFunction.load(path)([car()])


def test_a_function_that_reads_no_key_is_blamed_with_all_params(write: Any) -> None:
    path = write("def reward_function(params):\n    return 1 / 0\n")
    with pytest.raises(
        RewardError, match=r"params were x=1, speed=2, steps=2, waypoints=.*closest_waypoints=\[9, 10\]"
    ):
        RewardFunction.load(path)([car()])


def test_a_function_cannot_exit_the_process(write: Any) -> None:
    with pytest.raises(RewardError, match="failed with SystemExit: 3"):
        RewardFunction.load(write("import sys\ndef reward_function(params):\n    sys.exit(3)\n"))([car()])


def test_tracebacks_show_the_lines_as_loaded_even_after_the_file_was_edited(write: Any) -> None:
    path = write("def reward_function(params):\n    return 1 / 0  # as loaded\n")
    function = RewardFunction.load(path)
    path.write_text("# something else\n\n\n")
    with pytest.raises(RewardError) as caught:
        function([car()])
    assert caught.value.__cause__ is not None
    assert "return 1 / 0  # as loaded" in "".join(traceback.format_exception(caught.value.__cause__))


# --- blaming files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "x = 1\ndef reward_fuction(params):\n    return 1\n",
            ":1: there is no reward_function.*defines reward_fuction",
        ),
        ("x = 1\n", ":1: there is no reward_function.*the file defines no function"),
        ("reward_function = 1.0\n", ":1: reward_function is a float, but must be a function"),
        ("import math\ndef reward_function(params)\n    return 1\n", ":2: not valid Python: expected ':'"),
        ("\nimport tensorflow_of_mars\n", ":2: loading it failed with ModuleNotFoundError: No module named"),
        ("x = 1\ny = x / 0\n", ":2: loading it failed with ZeroDivisionError"),
        ("exit()\n", ":1: loading it failed with SystemExit"),
        (b"# fine\n# caf\xe9\n", ":2: byte 0xe9 is not UTF-8 text"),
        (b"x = 1\n\0\n", "not valid Python"),
        (
            "def reward_function():\n    return 1\n",
            ':1: reward_function takes 0 parameters.*write "def reward_function',
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_one_sentence(write: Any, text: Any, said: str) -> None:
    path = write(text)
    with pytest.raises(RewardError, match=said) as caught:
        RewardFunction.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_positional_signature_of_2018_is_answered_with_what_to_write_instead(write: Any) -> None:
    path = write("""
def reward_function(on_track, x, y, distance_from_center, car_orientation, progress, steps, throttle,
                    steering, track_width, waypoints, closest_waypoint):
    return 1.0
""")
    with pytest.raises(RewardError, match="takes 12 parameters, but is called with one dict") as caught:
        RewardFunction.load(path)
    assert f"{path}:2:" in str(caught.value)
    assert "on_track = params['all_wheels_on_track'], x = params['x']" in str(caught.value)
    assert "throttle = params['speed'], steering = params['steering_angle']" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match=r"nowhere\.py: there is no such reward function file"):
        RewardFunction.load(tmp_path / "nowhere.py")
    with pytest.raises(RewardError, match="cannot be read: Is a directory"):
        RewardFunction.load(tmp_path)


# --- printing


PRINTING = "print('loaded')\ndef reward_function(params):\n    print('speed', params['speed'])\n    return 1\n"


def test_what_is_printed_is_kept_until_taken(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    function = RewardFunction.load(write(PRINTING))
    function([car()])
    function([car(speed=3.0)])
    assert function.take_printed() == ["loaded", "speed 2.0", "speed 3.0"]
    assert function.take_printed() == []
    assert capsys.readouterr().out == ""


def test_a_line_that_is_not_ended_is_not_lost() -> None:
    function = RewardFunction.of(lambda _: [1.0, print("half", end="")][0])
    function([car()])
    function([car()])
    assert function.take_printed() == ["halfhalf"]


def test_endless_printing_keeps_the_last_lines_and_says_so() -> None:
    function = RewardFunction.of(lambda p: [1.0, print(p["x"])][0])
    for i in range(1005):
        function([car(x=i)])
    lines = function.take_printed()
    assert lines[:2] == ["(5 earlier lines dropped)", "5"]
    assert lines[-1] == "1004"


def test_the_output_is_given_back_after_an_error(write: Any) -> None:
    before = sys.stdout
    function = RewardFunction.load(write("def reward_function(params):\n    print('here')\n    return 1 / 0\n"))
    with pytest.raises(RewardError):
        function([car()])
    assert sys.stdout is before
    assert function.take_printed() == ["here"]


def test_other_threads_print_where_they_always_did(capsys: pytest.CaptureFixture[str]) -> None:
    def reward_function(_: Params) -> float:
        thread = threading.Thread(target=print, args=("display",))
        thread.start()
        thread.join()
        print("user")
        return 1.0

    function = RewardFunction.of(reward_function)
    function([car()])
    assert function.take_printed() == ["user"]
    assert capsys.readouterr().out == "display\n"
