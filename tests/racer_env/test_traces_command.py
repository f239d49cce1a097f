import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import tracks
from racer_env.car import DiscreteActions
from racer_env.commands.traces import app
from racer_env.errors import MetadataError, RacerError, RewardError, TraceError
from racer_env.race import TIME_TRIAL
from racer_env.recorder import TraceRecorder
from racer_env.simulator import Simulator
from racer_env.trace import HEADER, text
from racer_env.track import find_track

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
DATA = SHARED / "data"

REWARD = "def reward_function(params):\n    return params['progress']\n"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    (tmp_path / "routes").mkdir()
    np.save(tmp_path / "routes" / "oval.npy", tracks.route("oval"))
    return tmp_path / "routes"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two episodes of our own simulator, whose reward is 0."""
    simulator = Simulator(find_track("oval"), race=TIME_TRIAL, actions=DiscreteActions((0.0,), (2.0,)))
    recorder, content = TraceRecorder(simulator), HEADER
    for episode in range(2):
        simulator.reset()
        recorder.begin([0])
        action, ended = np.zeros(1, np.int64), False
        while not ended:
            for _, rows in recorder.add(simulator.step(action), action):
                content, ended = content + text(rows, episode), True
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "0-iteration.csv").write_text(content)
    return tmp_path / "own"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def output(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def report(*arguments: str | Path) -> Any:
    return json.loads(output(*arguments, "--json"))


def test_check_says_what_agrees(recording: Path, routes: Path) -> None:
    steps = len((recording / "0-iteration.csv").read_text().splitlines()) - 1
    semantics = report("check", recording, "--tracks", routes)["semantics"]
    shares = {"closest_waypoint": 1.0, "all_wheels_on_track": 1.0, "progress": 1.0}
    assert semantics == {**shares, "reward": None, "steps": steps}
    table = output("check", recording, "--tracks", routes)
    assert "100.000" in table
    assert "oval" in table


def test_check_compares_rewards_with_a_function(recording: Path, routes: Path, tmp_path: Path) -> None:
    (tmp_path / "reward_function.py").write_text(REWARD)
    semantics = report("check", recording, "--tracks", routes, "--reward", tmp_path / "reward_function.py")["semantics"]
    assert 0.0 < semantics["reward"] < 0.1  # only the prepare steps were rewarded with 0


def test_several_generations_are_reported_under_their_names(recording: Path, routes: Path, tmp_path: Path) -> None:
    old = tmp_path / "old" / "a.log"
    old.parent.mkdir()
    lines = (recording / "0-iteration.csv").read_text().splitlines()[1:]
    old.write_text("\n".join("SIM_TRACE_LOG:" + ",".join(line.split(",")[:17]) for line in lines))
    (old.parent / "index.csv").write_text("path,physics\na.log,v4\n")
    found = report("check", recording, old, "--tracks", routes)
    assert list(found) == ["v4", "v6"]
    assert found["v4"]["semantics"]["closest_waypoint"] == 1.0


def test_a_disagreement_is_named_with_its_cause(recording: Path, routes: Path) -> None:
    file = recording / "0-iteration.csv"
    lines = file.read_text().splitlines()
    values = lines[5].split(",")
    values[12] = str(int(values[12]) + 2)
    lines[5] = ",".join(values)
    file.write_text("\n".join(lines))
    assert "own: steps that disagree: 1 closest_waypoint (unexplained)." in output(
        "check", file.parent, "--tracks", routes
    )


def test_wrong_input_is_refused_with_one_sentence(recording: Path, routes: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text(HEADER + "1,2,3\n")
    wrong: list[tuple[type[RacerError], str, tuple[str | Path, ...]]] = [
        (TraceError, "no such file or folder", ("check", tmp_path / "none", "--tracks", routes)),
        (TraceError, "broken.csv, line 2: 3 fields", ("check", tmp_path / "broken.csv", "--tracks", routes)),
        (RacerError, "there is no route file", ("check", recording, "--tracks", tmp_path)),
        (
            MetadataError,
            "no car is called 'deepraser_v4'",
            ("check", recording, "--tracks", routes, "--car", "deepraser_v4"),
        ),
        (RewardError, "none.py", ("check", recording, "--tracks", routes, "--reward", tmp_path / "none.py")),
    ]
    for kind, said, arguments in wrong:
        error = run(*arguments).exception
        assert isinstance(error, kind)
        assert said in str(error)
        assert "\n" not in str(error)


def test_the_commands_load_nothing_heavy_before_they_run() -> None:
    heavy = "numba", "torch", "scipy", "shapely", "pandas"
    code = f"import sys, racer_env.commands.traces; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"


@pytest.mark.skipif(not (DATA / "traces").is_dir(), reason="the original's traces are not here")
@pytest.mark.jit
@pytest.mark.slow
def test_the_originals_recordings_agree_in_999_of_1000_steps() -> None:
    found = report("check", DATA / "traces", "--tracks", DATA / "tracks")
    assert list(found) == ["v4", "v5", "v6"]
    for generation in found.values():
        for quantity in ("closest_waypoint", "progress"):
            assert generation["semantics"][quantity] >= 0.9995
        assert generation["semantics"]["all_wheels_on_track"] >= 0.998
    steps = [generation["semantics"]["steps"] for generation in found.values()]
    wheels = [generation["semantics"]["all_wheels_on_track"] for generation in found.values()]
    assert np.average(wheels, weights=steps) >= 0.9995
    assert sum(steps) == 93_048
