"""The lab pays what the simulator would, and warns of reward functions that pay for bad driving."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from racer_env.car import DEEPRACER_V6
from racer_env.commands.reward import app
from racer_env.driver import PurePursuit
from racer_env.errors import RacerError, RewardError
from racer_env.race import Race
from racer_env.reference_laps import ReferenceLap
from racer_env.reward import RewardFunction
from racer_env.reward_lab import LabReport, pay, steps_of, try_in_lab
from racer_env.simulator import Simulator
from racer_env.track import Track
from reward_functions import EXAMPLES

pytestmark = pytest.mark.jit  # thousands of steps take minutes in plain Python

REMEMBERS = "import math\nbefore = {'steps': math.inf, 'progress': 0.0}\n"
GAINED = (
    "    gained = params['progress'] - before['progress'] if params['steps'] > before['steps'] else 0.0\n"
    "    before.update(steps=params['steps'], progress=params['progress'])\n"
)
DEF = "def reward_function(params):\n"

#: Deliberately bad rewards, and the lap that they pay for.
BAD = {
    "standing still": ("stopping", DEF + "    return 1.0 if params['speed'] < 0.3 else 0.1\n"),
    "steering": ("zig-zag", DEF + "    return abs(params['steering_angle']) / 30.0\n"),
    "being alive": ("slow", DEF + "    return 1.0 if params['all_wheels_on_track'] else 0.001\n"),
    "going backwards": ("reversing", REMEMBERS + DEF + GAINED + "    return -gained\n"),
    "a price and no pay": ("off-track", DEF + "    return -1.0 - 0.01 * params['distance_from_center']\n"),
    "wheels over the border": ("cutting", DEF + "    return 0.1 if params['all_wheels_on_track'] else 1.0\n"),
    "being slow": ("slow", DEF + "    return 1.0 / params['speed'] if params['speed'] > 0.5 else 0.0\n"),
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(text: str, name: str = "reward_function.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return _write


@pytest.fixture
def lab(oval: Track, reference_laps: list[ReferenceLap]) -> Any:
    def _lab(path: Path, **how: Any) -> LabReport:
        return try_in_lab(path, oval, laps=reference_laps, **how)

    return _lab


def warned(report: LabReport) -> set[str | None]:
    return {finding.lap for finding in report.findings if finding.severity == "warning"}


# --- warnings


@pytest.mark.parametrize("what", BAD)
def test_a_bad_reward_is_warned_of(what: str, write: Any, lab: Any) -> None:
    lap, text = BAD[what]
    report = lab(write(text))
    assert lap in warned(report)
    assert all(finding.measure == "return" for finding in report.findings if finding.severity == "warning")


def test_a_constant_reward_teaches_nothing(write: Any, lab: Any) -> None:
    first, *_ = lab(write(DEF + "    return 2.5\n")).findings
    assert (first.severity, first.lap) == ("warning", None)
    assert "paid the same, 2.5" in first.text


def test_speed_alone_pays_for_leaving_the_track_if_the_learner_is_shortsighted(write: Any, lab: Any) -> None:
    path = write(DEF + "    return params['speed'] ** 3\n")
    far, near = lab(path), lab(path, discount=0.9)
    assert warned(far) == set()
    assert [(f.severity, f.lap, f.measure) for f in far.findings] == [("note", "off-track", "step")]
    assert warned(near) == {"off-track"}


@pytest.mark.parametrize("name", ["progress", "racing_line", "head_to_bot"])
def test_a_sound_example_is_not_warned_of(name: str, lab: Any) -> None:
    assert warned(lab(EXAMPLES[name] / "reward_function.py")) == set()


@pytest.mark.parametrize("name", ["centre_line", "inside_borders", "no_zigzag", "object_avoidance", "straight_speed"])
def test_an_example_that_pays_every_step_alike_is_warned_of_slow_laps_alone(name: str, lab: Any) -> None:
    report = lab(EXAMPLES[name] / "reward_function.py")
    assert warned(report) <= {"slow", "stopping"}
    assert len(warned(report)) == 1
    assert "they last longer" in next(f.text for f in report.findings if f.severity == "warning")


# --- what is paid


def test_a_lap_is_paid_what_the_simulator_pays(oval: Track, reference_laps: list[ReferenceLap]) -> None:
    function = RewardFunction.load(EXAMPLES["progress"] / "reward_function.py")
    simulator = Simulator(oval, DEEPRACER_V6, Race(), reward=function, actions=PurePursuit.actions)
    lap = next(lap for lap in reference_laps if lap.name == "zig-zag")
    simulator.reset()
    rewards = []
    for params in lap.params:
        action = [params["steering_angle"] / 30.0, 2.0 * (params["speed"] - 0.1) / 3.9 - 1.0]
        rewards.append(float(simulator.step(np.array([action])).rewards[0]))
    assert rewards == pytest.approx(list(pay(function, lap).rewards), abs=1e-6)
    assert np.std(rewards) > 0.01


def test_the_measures_are_sums_of_the_rewards(write: Any, lab: Any) -> None:
    report = lab(write(DEF + "    return params['steps']\n"), discount=0.5)
    paid = report.laps[0].pay
    steps = np.arange(2.0, 2.0 + len(paid.rewards))
    assert paid.total == pytest.approx(steps.sum())
    assert paid.per_step == pytest.approx(steps.mean())
    assert paid.per_second == pytest.approx(15.0 * steps.mean())
    assert paid.discounted == pytest.approx(6.0)  # 2 + 3/2 + 4/4 + 5/8 + ...


def test_every_lap_meets_a_function_without_memories_and_leaves_no_trace(
    write: Any, lab: Any, reference_laps: list[ReferenceLap]
) -> None:
    text = "calls = []\n" + DEF + "    calls.append(1)\n    params['speed'] = 99.0\n    params['waypoints'].clear()\n"
    report = lab(write(text + "    return float(len(calls))\n"))
    assert all(paid.pay.rewards[0] == 1.0 for paid in report.laps)
    assert all(step["speed"] <= 4.0 and len(step["waypoints"]) > 9 for lap in reference_laps for step in lap.params)


def test_a_function_that_fails_in_some_laps_is_reported_by_line_and_the_rest_goes_on(write: Any, lab: Any) -> None:
    path = write(DEF + "    if params['is_offtrack']:\n        raise ValueError('lost')\n    return 1.0\n")
    report = lab(path)
    failed = {paid.lap.name: paid.pay.error for paid in report.laps if paid.pay.error}
    assert not report.ok
    assert set(failed) == {"off-track"}
    assert failed["off-track"].startswith(f"{path}:3: reward_function failed with ValueError: lost")
    assert "slow" in warned(report)


def test_a_discount_factor_is_a_share(write: Any, lab: Any) -> None:
    with pytest.raises(RacerError, match=r"between 0 and 1, not 1\.5"):
        lab(write(DEF + "    return 1.0\n"), discount=1.5)


# --- old and new


def test_two_versions_are_compared_lap_by_lap_and_place_by_place(write: Any, lab: Any) -> None:
    old = write(DEF + "    return 1.0\n", "old.py")
    new = write(DEF + "    return 3.0 if 40.0 < params['progress'] < 50.0 and params['is_left_of_center'] else 1.0\n")
    report = lab(new, against=old)
    assert report.against == str(old)
    assert all(paid.before is not None and set(paid.before.rewards) == {1.0} for paid in report.laps)
    (stretch,) = report.differences
    assert [stretch.first, stretch.last] == pytest.approx([0.4, 0.5], abs=0.01)
    assert "left" in stretch.side
    assert stretch.difference == pytest.approx(2.0)


def test_a_version_compared_with_itself_differs_nowhere(lab: Any) -> None:
    path = EXAMPLES["progress"] / "reward_function.py"
    report = lab(path, against=path)
    assert report.differences == ()
    assert all(paid.before == paid.pay for paid in report.laps)


# --- the inspector


def test_steps_are_found_by_their_number(write: Any, lab: Any) -> None:
    report = lab(write(DEF + "    print('step', params['steps'])\n    return params['steps']\n"))
    paid, steps = steps_of(report, "slow:40-42")
    assert [paid.pay.rewards[i] for i in steps] == [40.0, 41.0, 42.0]
    assert [paid.pay.printed[i] for i in steps] == [("step 40.0",), ("step 41.0",), ("step 42.0",)]
    assert len(steps_of(report, "slow")[1]) == len(paid.lap.params)
    assert steps_of(report, "slow:2")[1] == range(1)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("slw", "did you mean 'slow'"),
        ("slow:x", "a number or a range such as 40-60, not 'x'"),
        ("slow:1", "has the steps 2 to"),
        ("slow:9-5", "not 9-5"),
        ("slow:5-", "not '5-'"),
        ("slow:2-99999", "not 2-99999"),
    ],
)
def test_steps_that_do_not_exist_are_refused_in_one_sentence(wanted: str, said: str, write: Any, lab: Any) -> None:
    with pytest.raises(RacerError, match=said):
        steps_of(lab(write(DEF + "    return 1.0\n")), wanted)


# --- the command


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lab", *map(str, arguments), "--track", "straight", "--car", "deepracer_v4"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_command_shows_all_laps_and_what_the_learner_maximises(write: Any) -> None:
    code, out = run(write(DEF + "    return params['speed'] if params['speed'] < 0.3 else 0.0\n"))
    assert code == 0
    assert all(name in out for name in ("racing-line", "off-track", "complete", "reversed"))
    assert "what the learner maximises" in out
    assert "warning: 'stopping' pays more than" in out


def test_the_command_compares_draws_and_prints_json(write: Any, tmp_path: Path) -> None:
    old, picture = write(DEF + "    return 0.5\n", "old.py"), tmp_path / "map.png"
    code, out = run(write(DEF + "    return 1.0\n"), "--against", old, "--picture", picture, "--json")
    report = json.loads(out)
    assert code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert report["laps"][0]["pay"]["per_step"] == 1.0
    assert report["laps"][0]["before"]["per_step"] == 0.5
    assert report["differences"][0]["difference"] == pytest.approx(0.5)


def test_the_command_inspects_a_step_with_its_params_prints_and_value(write: Any) -> None:
    path = write(DEF + "    print('[here]')\n    return 0.25\n")
    code, out = run(path, "--inspect", "centre:7")
    assert code == 0
    assert all(word in out for word in ("all_wheels_on_track", "printed: [here]", "reward: 0.25"))


def test_the_command_ends_with_2_if_a_call_failed_and_tells_which(write: Any) -> None:
    path = write(DEF + "    return 1.0 / (params['steps'] - 9)\n")
    code, out = run(path, "--inspect", "centre:8-9", "--json")
    before, failed = json.loads(out)
    assert code == 2
    assert (before["params"]["steps"], before["reward"], before["error"]) == (8.0, -1.0, None)
    assert failed["error"].startswith(f"{path}:2: reward_function failed with ZeroDivisionError")


def test_a_file_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="there is no such reward function file"):
        run(tmp_path / "none.py")
