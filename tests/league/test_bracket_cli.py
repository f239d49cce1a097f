"""``racer league bracket`` as an organiser of grid races and head-to-heads uses it; `test_season_cli` has the rest."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from league.heats import Finish, HeatRun
from league.races import RaceSettings
from league.service import League
from racer_env.cli import app
from tests.league.conftest import drain, laps

MakeBundle = Callable[[int], Path]
RACERS = ("Ada", "Bob", "Cy", "Di", "Ed")


def racer(*words: object) -> Result:
    return CliRunner().invoke(app, ["league", *map(str, words)])


def shown(*words: object) -> str:
    result = racer(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.output.replace("│", " ").split())


def listed(*words: object) -> Any:
    result = racer(*words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.output)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: MakeBundle) -> Path:
    """A league in which a grid race for four cars is closed and driven by five racers, one of whom did not finish."""
    monkeypatch.setenv("RACER_LEAGUE", str(tmp_path / "league"))
    monkeypatch.setenv("COLUMNS", "160")
    league = League.create(tmp_path / "league", RaceSettings())
    shown("create", "GP", "--preset", "grand_prix", "--runs", 1, "--set", "cars=4")
    league.races.open("GP")
    for number, name in enumerate((*RACERS, "Zed")):
        league.submissions.submit(bundle(number), "GP", name)
        drain(league, laps(10_000 + 100 * number) if name != "Zed" else ())
    league.races.close("GP")
    return tmp_path / "league"


def score(folder: Path, heat: str, *order: str, out: Sequence[str] = ()) -> None:
    """Let racers come in in this order, and others not at all."""
    brackets = League(folder).brackets
    job = brackets.job(None, heat)
    times = {name: None if name in out else 9_000 + order.index(name) for name in job.drivers}
    finishes = tuple(Finish(t, 500.0 if t else 231.0, t, 0, 0, 0, "off_track") for t in times.values())
    brackets.score(None, heat, [HeatRun(seed, tuple(range(len(times))), finishes, "0" * 64) for seed in job.seeds])


def test_a_grid_race_goes_from_its_qualification_to_its_final(folder: Path, tmp_path: Path) -> None:
    said = shown("standings", "--race", "GP")
    assert "GP (CLOSED, grid of 4): oval, best lap of 5 laps" in said
    assert "the qualification, driven alone" in said
    said = shown("bracket", "create", "Cup", "--race", "gp", "--top", 5)
    assert "Cup: 5 racers, grid of 4" in said
    assert "final 4 racers" in said
    assert "heats that decide it are being raced" in shown("standings", "--race", "GP")
    shown("bracket", "show", "-o", tmp_path / "begun.png")
    score(folder, "R1.1", "Ed", "Ada", out=["Di"])
    assert "1 Ada 2 2 00:09.001 yes" in shown("bracket", "show")
    assert "2 Di 3 3 DNF after 2.31 laps" in shown("bracket", "show")
    assert "Bob does not start in heat R1.2" in shown(
        "bracket", "scratch", "R1.2", "--racer", "Bob", "--reason", "his car is ill"
    )
    assert "does not start: his car is ill" in shown("bracket", "show")
    score(folder, "final", "Cy", "Ed", "Ada")
    shown("bracket", "show", "-o", tmp_path / "over.png")
    with Image.open(tmp_path / "begun.png") as begun, Image.open(tmp_path / "over.png") as over:
        assert begun.size[1] == over.size[1]
        assert begun.tobytes() != over.tobytes()
    assert "places are those of the heats" in shown("standings", "--race", "GP")
    assert [row["racer"] for row in listed("standings", "--race", "GP")] == ["Cy", "Ed", "Ada", "Di", "Bob", "Zed"]
    shown("export", tmp_path / "board.csv", "--race", "GP")
    with (tmp_path / "board.csv").open(newline="") as board:
        rows = list(csv.DictReader(board))
    assert [(row["place"], row["racer"], row["time_ms"], row["gap_ms"]) for row in rows][:2] == [
        ("1", "Cy", "10200", ""),
        ("2", "Ed", "10400", ""),
    ]
    assert "Cup grid of 4 oval 5 Cy GP" in shown("bracket", "list")
    shown("finalise", "GP")
    assert "Cy has won Cup" in shown("bracket", "run")


def test_a_grid_as_json_has_its_race_its_heats_and_who_does_not_start(folder: Path) -> None:
    shown("bracket", "create", "Cup", "--race", "GP")
    shown("bracket", "scratch", "final", "--racer", "Cy", "--reason", "ill")
    (cup,) = listed("bracket", "list")
    (final,) = cup["heats"]
    assert (cup["race"], cup["cars"], cup["elimination"], cup["champion"]) == ("GP", 4, None, None)
    assert (final["state"], final["racers"], final["scratched"]) == ("ready", ["Ada", "Bob", "Cy", "Di"], {"Cy": "ill"})
    score(folder, "final", "Di", "Ada", out=["Bob"])
    shown_now = listed("bracket", "show")
    (final,) = shown_now["heats"]
    assert [(s["position"], s["racer"], s["time_ms"]) for s in final["standings"]] == [
        (1, "Di", 9_000),
        (2, "Ada", 9_001),
        (3, "Bob", None),
    ]
    assert (final["state"], final["winner"], final["onward"]) == ("raced", "Di", ["Di"])
    assert shown_now["places"] == {"Di": 1, "Ada": 2, "Bob": 3, "Cy": 4}


@pytest.mark.usefixtures("folder")
def test_who_is_left_alone_wins(tmp_path: Path) -> None:
    shown("bracket", "create", "Big", "--race", "GP")
    assert "Big decides no race any more" in shown("bracket", "release", "Big", "--reason", "two are enough")
    shown("bracket", "create", "Cup", "--race", "GP", "--top", 2)
    left = shown("bracket", "scratch", "final", "--bracket", "Cup", "--racer", "Ada", "--reason", "gone")
    assert "heat final goes to Bob" in left
    assert "Bob the only one" in shown("bracket", "show", "Cup")
    assert listed("bracket", "show", "Cup")["heats"][0]["state"] == "walkover"
    shown("bracket", "show", "Cup", "-o", tmp_path / "cup.png")
    assert "Bob has won Cup" in shown("bracket", "run", "Cup")


@pytest.mark.usefixtures("folder")
def test_a_bracket_has_heats_of_as_many_cars_as_is_said(tmp_path: Path) -> None:
    named = [word for name in RACERS for word in ("--racer", name)]
    assert "5 racers, single elimination" in shown("bracket", "create", "a", *named)
    assert "5 racers, grid of 3" in shown("bracket", "create", "b", *named, "--cars", 3)
    assert "5 racers, grid of 8" in shown("bracket", "create", "c", *named, "--preset", "grand_prix")
    assert "5 racers, double" in shown(
        "bracket", "create", "d", *named, "--preset", "grand_prix", "--cars", 2, "--elimination", "double"
    )
    shown("show", "GP", "-o", tmp_path / "gp.toml")
    assert "5 racers, grid of 4" in shown("bracket", "create", "e", *named, "--file", tmp_path / "gp.toml")
    brackets = listed("bracket", "list")
    assert [bracket["race"] for bracket in brackets] == [None] * 5
    assert [bracket["settings"]["laps"] for bracket in brackets] == [3, 3, 5, 5, 5]
    assert [bracket["settings"]["race_type"] for bracket in brackets][-2:] == ["head_to_head", "grid"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--race", "GP", "--laps", 2], "race 'GP' says itself how its heats are raced; leave out --laps"),
        (["--race", "GP", "--cars", 8, "--set", "resets=1"], "leave out --cars, --set"),
        (["--race", "GP", "--elimination", "double"], "a double elimination is for heats of two, not for a grid of 4"),
        (["--race", "GP", "--third-place"], "a heat for the third place is for heats of two"),
        (["--race", "GP", "--top", 1], "greater than or equal to 2"),
        (["--racer", "Ada", "--racer", "Bob", "--cars", 9], "less than or equal to 8"),
        (["--racer", "Ada", "--cars", 4], "a grid needs two or more different racers"),
        (["--race", "GP", "--racer", "Zed", "--racer", "Nobody"], "'Nobody' is not known"),
        (["--racer", "Ada", "--racer", "Bob", "--preset", "head_to_bot"], "it cannot be a head_to_bot"),
        (["--race", "GPP"], "did you mean 'GP'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_is_refused_with_a_reason(words: list[object], said: str) -> None:
    result = racer("bracket", "create", "Cup", *words)
    assert result.exit_code != 0
    assert said in f"{result.exception} {' '.join(result.output.replace('│', '').split())}"
    assert listed("bracket", "list") == []


@pytest.mark.slow
def test_heats_that_are_killed_are_raced_again_by_the_next_run(
    tmp_path: Path, road_follower: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RACER_LEAGUE", str(tmp_path / "league"))
    league = League.create(tmp_path / "league", RaceSettings(laps=1, runs=1))
    for number, name in enumerate(RACERS):
        league.submissions.submit(road_follower(0.8 + 0.05 * number), None, name)
    drain(league, laps(10_000))
    words = [word for name in RACERS for word in ("--racer", name)]
    shown("bracket", "create", "Cup", *words, "--cars", 4, "--laps", 1, "--runs", 1, "--track", "speedway")
    command = [sys.executable, "-c", "from racer_env.cli import main; main()", "league", "bracket", "run"]

    def raced() -> int:
        return sum(view.result is not None for view in league.brackets.one().heats)

    for stop in (signal.SIGINT, signal.SIGKILL):
        process, before = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), raced()
        while raced() == before:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(stop)
        assert process.wait() == (130 if stop is signal.SIGINT else -signal.SIGKILL)
    assert "has won Cup" in shown("bracket", "run")
    assert raced() == 3
