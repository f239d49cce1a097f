"""What ``racer reward check`` finds out, and how it says it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from racer_env.commands.reward import app
from racer_env.errors import RewardError, TrackError
from racer_env.reward_check import RewardReport, check_reward, driven_lap, situations_on, source_advice
from racer_env.track import Track, find_track

GOOD = "def reward_function(params):\n    return 0.5 * params['speed']\n"


@pytest.fixture(scope="module")
def track() -> Track:
    return find_track("oval")


@pytest.fixture(scope="module")
def situations(track: Track) -> dict[str, Any]:
    return situations_on(track)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(text: str) -> Path:
        path = tmp_path / "reward_function.py"
        path.write_text(text)
        return path

    return _write


def advice_of(text: str) -> list[tuple[int, str]]:
    return [(a.line, a.text) for a in source_advice(text)]


# --- situations


def test_the_lap_is_driven_to_its_end_and_first_seen_at_step_2(track: Track) -> None:
    lap = driven_lap(track)
    assert lap[0]["steps"] == 2.0
    assert lap[-1]["progress"] == 100.0
    assert all(params["all_wheels_on_track"] for params in lap)
    assert [params["steps"] for params in lap] == [2.0 + i for i in range(len(lap))]


def test_every_kind_of_trouble_is_among_the_situations(situations: dict[str, Any]) -> None:
    def every(name: str, key: str) -> bool:
        return all(params[key] for params in situations[name])

    assert every("off track", "is_offtrack")
    assert not any(p["all_wheels_on_track"] or p["is_offtrack"] for p in situations["partly off track"])
    assert every("reversed track", "is_reversed")
    assert every("boxes", "objects_location")
    assert every("bot cars", "objects_location")
    assert {v for p in situations["bot cars"] for v in p["objects_speed"]} == {0.7}
    assert every("crash", "is_crashed")
    wrong = [p["progress"] for p in situations["wrong way"]]
    assert wrong == sorted(wrong, reverse=True)


def test_an_open_track_has_all_situations_too() -> None:
    assert all(situations_on(find_track("straight")).values())


# --- reports


def test_a_good_function_is_reported_with_its_range_and_cost(write: Any, situations: dict[str, Any]) -> None:
    report = check_reward(write(GOOD), situations)
    lap = report.ranges[0]
    assert report.ok
    assert report.advice == ()
    assert lap.calls == len(situations["driven lap"])
    assert lap.minimum == lap.maximum == pytest.approx(0.75)
    assert [r.situation for r in report.ranges] == list(situations)
    assert report.call_us is not None
    assert 0.0 < report.call_us < 100.0


def test_a_function_that_fails_somewhere_is_reported_and_the_rest_goes_on(
    write: Any, situations: dict[str, Any]
) -> None:
    path = write("def reward_function(params):\n    return params['objects_speed'][0]\n")
    report = check_reward(path, situations)
    failed = {r.situation: r.error for r in report.ranges if r.error}
    assert not report.ok
    assert set(situations) - set(failed) == {"boxes", "bot cars", "crash"}
    assert failed["driven lap"] is not None
    assert failed["driven lap"].startswith(f"{path}:2: reward_function failed with IndexError")
    assert report.call_us is None


def test_every_kind_of_situation_meets_a_function_without_memories(write: Any, situations: dict[str, Any]) -> None:
    path = write("calls = []\ndef reward_function(params):\n    calls.append(1)\n    return float(len(calls))\n")
    report = check_reward(path, situations)
    assert all(r.minimum == 1.0 and r.maximum == r.calls for r in report.ranges)


def test_what_is_printed_is_in_the_report_and_nowhere_else(
    write: Any, situations: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("def reward_function(params):\n    print('hello')\n    return 1.0\n")
    report = check_reward(path, {"off track": situations["off track"][:2]})
    assert report.printed == ("hello", "hello")
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_loaded_is_an_error(write: Any) -> None:
    with pytest.raises(RewardError, match="not valid Python"):
        check_reward(write("def"), {})


# --- advice


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("import math\nimport os\n", 2, "AWS allows to import math, random, numpy, scipy, shapely, not os"),
        ("from scipy.spatial import distance\nfrom torch import nn\n", 2, "not torch"),
        ("def f():\n    import math\n", 2, "at the top of the file"),
        ("x = 1\ny = eval('x')\n", 2, "does not allow to call eval()"),
        ("\nworkload = 1\n", 2, "the text 'load'"),
        ("import numpy\nnumpy.savetxt\n", 2, "the text 'savetxt'"),
        ("def f(p):\n    return p['sim_time']\n", 2, "tests without 'sim_time'"),
        ("# " + 140_000 * "x", 1, "the file has 140002 characters"),
    ],
)
def test_what_awss_validator_would_refuse_is_advised_by_line(text: str, line: int, said: str) -> None:
    ((number, advice),) = advice_of(text)
    assert number == line
    assert said in advice


def test_what_awss_validator_allows_needs_no_advice() -> None:
    assert advice_of("import math\nimport numpy as np\nfrom shapely.geometry import Point\nx = np.eye(3)\n") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def reward_function(params):\n    return 1\n", "a value of type int; AWS wants float(reward)"),
        ("def reward_function(params):\n    return params['steps'] > 3\n", "a value of type bool"),
        (
            "def reward_function(params, extra=1):\n    return 1.0\n",
            "has 2 parameters; AWS wants exactly one",
        ),
    ],
)
def test_what_runs_here_but_not_in_the_validator_is_advised(
    write: Any, situations: dict[str, Any], text: str, said: str
) -> None:
    report = check_reward(write(text), situations)
    assert report.ok
    assert [a.line for a in report.advice] == [1]
    assert said in report.advice[0].text


# --- the command


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_command_shows_a_table_and_the_advice(write: Any) -> None:
    path = write("import os\ndef reward_function(params):\n    print('[hello]')\n    return 1\n")
    code, out = run(path, "--track", "straight")
    assert code == 0
    assert "driven lap" in out
    assert "A call takes" in out
    assert f"{path}:1: AWS allows to import" in out
    assert "[hello]" in out


def test_the_command_ends_with_2_if_a_call_failed(write: Any) -> None:
    path = write("def reward_function(params):\n    return params['objects_speed'][0]\n")
    code, out = run(path, "--track", "straight")
    assert code == 2
    assert "failed" in out
    assert f"{path}:2: reward_function failed with IndexError: list index out of range" in out


def test_the_command_prints_json_that_holds_the_whole_report(write: Any) -> None:
    code, out = run(write(GOOD), "--track", "straight", "--json")
    report = json.loads(out)
    assert code == 0
    assert report.pop("ok") is True
    assert set(report) == set(RewardReport.__dataclass_fields__)
    assert report["ranges"][0]["situation"] == "driven lap"


def test_the_command_leaves_bad_input_to_be_said_in_one_sentence(write: Any, tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="there is no such reward function file"):
        run(tmp_path / "none.py")
    with pytest.raises(TrackError, match="ovl"):
        run(write(GOOD), "--track", "ovl")
