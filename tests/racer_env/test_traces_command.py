import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import tracks
from racer_env.car import DiscreteActions, find_car
from racer_env.commands.traces import app
from racer_env.driver import PurePursuit
from racer_env.errors import MetadataError, RacerError, RewardError, TraceError, TrackError
from racer_env.identify import FREE, HIDDEN
from racer_env.race import TIME_TRIAL, Race
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


def driven_lap(speed: float) -> str:
    """The text of a lap that our own simulator records on `oval` at a speed, m/s."""
    track = find_track("oval")
    driver = PurePursuit(track, speed, look_ahead=1.0)
    simulator = Simulator(track, race=Race(), actions=driver.actions)
    recorder = TraceRecorder(simulator)
    simulator.reset()
    recorder.begin([0])
    while True:
        actions = driver.commands(simulator)
        for _, rows in recorder.add(simulator.step(actions), actions):
            return HEADER + text(rows, 0)


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
    assert table.count(" 100 ") >= 3
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


def test_speeds_and_laps_are_reported_beside_the_whole(recording: Path, routes: Path) -> None:
    for i, speed in enumerate((1.2, 1.8), start=1):
        (recording / f"{i}-iteration.csv").write_text(driven_lap(speed))
    found = report("check", recording, "--tracks", routes)
    assert list(found) == ["semantics", "dynamics", "bands", "laps"]
    assert list(found["bands"]) == ["under 1.5 m/s", "1.5 to 2.5 m/s"]
    for errors in (found["dynamics"], *found["bands"].values()):
        assert list(errors) == ["1", "5", "15"]
        assert set(errors["15"]) == {"position_cm", "yaw_deg", "windows"}
        assert set(errors["15"]["position_cm"]) == {"median", "p90"}
    assert found["laps"]["laps"] == 2
    assert found["laps"]["ratio"]["median"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_tables_are_readable_on_a_narrow_screen(
    columns: int, recording: Path, routes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = recording.with_name("a_recording_with_a_very_long_name")
    recording.rename(long)
    (long / "1-iteration.csv").write_text(driven_lap(1.4))
    monkeypatch.setenv("COLUMNS", str(columns))
    table = output("check", long, "--tracks", routes)
    assert "…" not in table
    tables = [line for line in table.splitlines() if ": steps that" not in line]
    assert max(map(len, tables)) <= columns
    lines = [line.split() for line in tables]
    (semantics,) = (line for line in lines if line[:2] == ["v6,", "oval"] and line[-1] == "100")
    assert semantics[3:] == ["100", "100", "100", "100"]
    assert sum(line[:4] == ["v6", "under", "1.5", "m/s"] for line in lines) == 3
    assert sum(line[:2] == ["v6,", "oval"] and line[2] == "1" for line in lines) == 1


def test_a_name_is_not_read_as_markup(recording: Path, routes: Path) -> None:
    file = (recording / "0-iteration.csv").rename(recording / "[bold]run[red].csv")
    assert "[bold]run[red].csv" in output("check", file, "--tracks", routes)


@pytest.mark.slow
@pytest.mark.jit
def test_fit_writes_a_car_and_tells_how_sure_it_is(recording: Path, routes: Path, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    for i, speed in enumerate((1.0, 1.5, 2.0, 2.5), start=1):
        (recording / f"{i}-iteration.csv").write_text(driven_lap(speed))
    written = tmp_path / "mine.toml"
    said = output("fit", recording, "--tracks", routes, "-o", written)
    lines = [line.split() for line in said.splitlines()]
    rows = {words[0]: words[1:] for words in lines if len(words) == 3 and words[0] != "parameter"}
    assert {"steering_lag", "wheel_gain"} <= set(rows)
    assert all(float(deviation) >= 0.0 for _, deviation in rows.values())
    assert sum(words[2:] == ["at", "its", "limit"] for words in lines) == len(FREE) - len(HIDDEN[6]) - len(rows)
    assert f"{written}: written" in said
    car = find_car(str(written))
    assert car.name == "mine"
    assert float(rows["wheel_gain"][0]) == pytest.approx(car.wheel_gain, rel=1e-3)
    assert report("check", recording, "--tracks", routes, "--car", written)["dynamics"]


def test_fit_refuses_what_it_could_not_write_before_it_searches(recording: Path, routes: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name, said in (
        ("car.txt", "a car is written to a .toml file"),
        ("none/car.toml", "there is no folder"),
        ("folder.toml", "is a folder; name the .toml file to write"),
    ):
        error = run("fit", recording, "--tracks", routes, "-o", tmp_path / name).exception
        assert isinstance(error, RacerError)
        assert str(error).startswith(f"{tmp_path / name}: {said}")
    assert not list(tmp_path.glob("*car*"))


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
    (tmp_path / "index.csv").write_text("path,physics\na.log,v4\n")
    (tmp_path / "notes.log").write_text("nothing here\n")
    (tmp_path / "empty").mkdir()
    lines = (recording / "0-iteration.csv").read_text().splitlines(keepends=True)
    (short := tmp_path / "short.csv").write_text("".join(lines[:10]))
    length = lines[1].split(",")[13]
    (elsewhere := tmp_path / "elsewhere.csv").write_text("".join(lines).replace(length, "12.5"))
    car = tmp_path / "car.toml"
    wrong: list[tuple[type[RacerError], str, tuple[str | Path, ...]]] = [
        (TraceError, "no such file or folder", ("check", tmp_path / "none", "--tracks", routes)),
        (TraceError, "broken.csv, line 2: 3 fields", ("check", tmp_path / "broken.csv", "--tracks", routes)),
        (RacerError, "there is no route file", ("check", recording, "--tracks", tmp_path)),
        (RacerError, "none: there is no such folder", ("check", recording, "--tracks", tmp_path / "none")),
        (TraceError, "index.csv: holds no recorded step", ("check", tmp_path / "index.csv", "--tracks", routes)),
        (TraceError, "notes.log: holds no recorded step", ("check", tmp_path / "notes.log", "--tracks", routes)),
        (TraceError, "empty: no trace below this folder", ("check", tmp_path / "empty", "--tracks", routes)),
        (TrackError, "was driven on a track of", ("check", elsewhere, "--tracks", routes)),
        (TraceError, "no such file or folder", ("fit", tmp_path / "none", "--tracks", routes, "-o", car)),
        (TraceError, "hold no second of uninterrupted driving", ("fit", short, "--tracks", routes, "-o", car)),
        (MetadataError, "no car is called", ("fit", recording, "--tracks", routes, "-o", car, "--car", "v7")),
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
    assert not car.exists()


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
