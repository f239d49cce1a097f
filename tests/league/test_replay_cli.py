"""Looking at replays, as a user types it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from league.replay_cli import app
from racer_env.bundle import Bundle
from racer_env.driver import Entry, heat
from racer_env.errors import RacerError, ReplayError
from racer_env.network import NetworkDriver
from racer_env.race import EVALUATION
from racer_env.replay_file import write
from racer_env.replay_recorder import ReplayRecorder
from racer_env.track import find_track


@pytest.fixture(scope="module")
def file(road_follower: Callable[[float], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A heat of two real drivers over two laps."""
    recorder = ReplayRecorder(["quick [x]", "slow"])
    bundles = [Bundle.open(road_follower(speed)) for speed in (1.6, 1.0)]
    rules = replace(EVALUATION, laps=2, time_limit=40.0)
    heat([Entry(NetworkDriver(b), b.metadata) for b in bundles], find_track("oval"), rules, watch=recorder)
    path = tmp_path_factory.mktemp("replays") / "heat.replay"
    write(recorder.replays()[0], path)
    return path


def run(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(word) for word in words])


def shown(*words: object) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_replay_is_told_as_a_table_and_as_json(file: Path) -> None:
    table = shown("replay", file)
    assert "oval, 2 laps" in table
    assert "quick [x]" in table
    told = json.loads(shown("replay", file, "--json"))
    assert [racer["name"] for racer in told["racers"]] == ["quick [x]", "slow"]
    for racer in told["racers"]:
        for lap in racer["laps"]:
            assert f"{lap['time_ms'] / 1000:.3f}" in table
        assert racer["events"][-1]["kind"] in ("finish", "time_up")


def test_it_is_drawn_as_the_ending_says(file: Path, tmp_path: Path) -> None:
    assert f"wrote {tmp_path / 'a.png'}" in shown("replay", file, "-o", tmp_path / "a.png", "--car", 2)
    shown("replay", file, "-o", tmp_path / "b.png", "--at", 3.5, "--no-camera")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "b.png").read_bytes() != (tmp_path / "a.png").read_bytes()


def test_two_laps_are_compared_as_a_table_as_json_and_as_a_picture(file: Path, tmp_path: Path) -> None:
    words = ("compare", file, "--lap", 1, "--other-lap", 2, "--sectors", 4)
    table = shown(*words, "-o", tmp_path / "c.png")
    told = json.loads(shown(*words, "--json"))
    assert len(told["sectors"]) == 4
    assert told["delta_ms"] == told["laps"][1]["time_ms"] - told["laps"][0]["time_ms"]
    assert f"{told['delta_ms'] / 1000:+.3f}" in table
    assert "quick [x], lap 2" in table
    assert len(told["delta_s"]) == len(told["station_m"])
    assert told["delta_s"][-1] == pytest.approx(told["delta_ms"] / 1000, abs=1e-3)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_laps_of_two_files_are_named_by_them(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.replay"
    other.write_bytes(file.read_bytes())
    told = json.loads(shown("compare", file, other, "--other-car", 2, "--json"))
    assert [lap["label"].partition(",")[0] for lap in told["laps"]] == ["quick [x] (heat)", "slow (other)"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("replay", "FILE", "-o", "a.avi"), r"must end in \.mp4, \.gif or \.png"),
        (("replay", "FILE", "-o", "a.png", "--car", 0), "the cars 1 to 2, but no car 0"),
        (("replay", "FILE", "-o", "a.png", "--at", 1000), "the replay lasts from 0 to"),
        (("replay", "nowhere.replay"), r"nowhere\.replay: cannot be read"),
        (("compare", "FILE", "--other-lap", 9), "but not 9"),
        (("compare", "FILE", "--other-car", 3), "no car 3"),
        (("compare", "FILE", "--other-lap", 2, "--lap", 1, "--sectors", 0), "1 to 20 sectors, not 0"),
        (("compare", "FILE", "--other-lap", 2, "--lap", 1, "-o", "a.jpg"), r"must end in \.png"),
    ],
)
def test_wrong_words_are_answered_with_one_sentence(file: Path, words: tuple[object, ...], says: str) -> None:
    error = run(*(file if word == "FILE" else word for word in words)).exception
    assert isinstance(error, RacerError)
    assert "\n" not in str(error)
    with pytest.raises(type(error), match=says):
        raise error


def test_a_lap_is_not_compared_with_itself_by_accident(file: Path) -> None:
    result = run("compare", file)
    assert result.exit_code == 2
    assert "give another replay" in result.output


def test_what_is_no_replay_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.replay").write_bytes(b"\x80\x04.")
    error = run("replay", tmp_path / "x.replay").exception
    assert isinstance(error, ReplayError)
