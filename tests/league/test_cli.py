"""``racer league`` as a user types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from league.cli import app
from league.errors import LeagueError
from league.races import RaceSettings
from league.rules import Lap
from league.service import League
from racer_env.errors import BundleError, RacerError, TrackError

MakeBundle = Callable[[int], Path]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A league, where the command looks for it."""
    League.create(tmp_path / "league", RaceSettings(laps=1, resets=0, runs=1, max_submissions=2))
    monkeypatch.setenv("RACER_LEAGUE", str(tmp_path / "league"))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "league"


def racer_league(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def shown(*words: object) -> str:
    result = racer_league(*words)
    assert result.exit_code == 0, result.output
    return result.output


def listed(*words: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(shown(*words, "--json"))
    return rows


def refused(*words: object) -> RacerError:
    """The one sentence that `racer` would print before it exits with 2."""
    error = racer_league(*words).exception
    assert isinstance(error, RacerError), error
    assert "\n" not in str(error)
    return error


def drive(folder: Path, *laps: Lap) -> None:
    """Drive the queue with these laps in place of the simulator's."""
    for _ in League(folder).run(lambda *_: laps):
        pass


def test_importing_the_command_loads_nothing_heavy() -> None:
    code = "import sys, league.cli; print(*sorted({'sqlalchemy', 'numpy', 'numba', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_board_is_shown_without_simulator_and_network() -> None:
    heavy = "{'racer_env.simulator', 'racer_env.driver', 'torch', 'pygame'}"
    code = f"import sys, league.service; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("command", ["init", "create", "races", "submit", "submissions", "run", "standings"])
def test_every_command_explains_itself(command: str) -> None:
    assert "Usage" in shown(command, "--help")


def test_init_makes_a_league_here_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RACER_LEAGUE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "community: hairpin, best lap of 3 laps" in shown("init", "--track", "hairpin")
    assert (tmp_path / "league-data" / "league.db").is_file()
    assert [race["track"] for race in listed("races")] == ["hairpin"]


@pytest.mark.usefixtures("folder")
def test_the_option_goes_before_the_environment(tmp_path: Path) -> None:
    shown("init", "--league", tmp_path / "other", "--track", "hairpin")
    assert [race["track"] for race in listed("races")] == ["oval"]
    assert [race["track"] for race in listed("races", "--league", tmp_path / "other")] == ["hairpin"]


@pytest.mark.usefixtures("folder")
def test_init_refuses_what_it_cannot_make(tmp_path: Path) -> None:
    assert "already holds a league" in str(refused("init"))
    assert isinstance(refused("init", "--league", tmp_path / "new", "--track", "ovall"), TrackError)
    assert not (tmp_path / "new").exists()


def test_without_a_league_every_command_says_how_to_make_one(tmp_path: Path, bundle: MakeBundle) -> None:
    commands = (
        ["races"],
        ["create", "x"],
        ["submit", bundle(1), "--racer", "Ann"],
        ["submissions"],
        ["run"],
        ["standings"],
    )
    for words in commands:
        assert "racer league init" in str(refused(*words, "--league", tmp_path / "nowhere"))


@pytest.mark.usefixtures("folder")
def test_create_takes_every_setting() -> None:
    options = "--track hairpin --reverse --laps 5 --min-laps 2 --ranking average_lap --no-continuous --resets 3"
    times = "--seed 7 --off-track-penalty 2.5 --collision-penalty 1 --time-limit 0 --max-submissions 0"
    shown("create", "Averages", *options.split(), *times.split())
    race = listed("races")[1]
    expected = {
        "name": "Averages",
        "track": "hairpin",
        "reverse": True,
        "laps": 5,
        "minimum_laps": 2,
        "ranking": "average_lap",
        "continuous": False,
        "resets": 3,
        "off_track_penalty": 2.5,
        "collision_penalty": 1.0,
        "time_limit": None,
        "max_submissions": None,
        "seeds": [7, 8, 9, 10, 11],
        "racers": 0,
        "submissions": 0,
    }
    assert {key: race[key] for key in expected} == expected
    assert "average of 2 in a row" in shown("races")


@pytest.mark.usefixtures("folder")
def test_total_and_average_need_all_laps_unless_said_otherwise() -> None:
    shown("create", "total", "--ranking", "total_time", "--laps", "4")
    assert listed("races")[1]["minimum_laps"] == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["community"], "already exists"),
        (["a/b"], "race name 'a/b' must have"),
        (["x", "--laps", "0"], "laps is 0, but must be from 1 to 20"),
        (["x", "--min-laps", "9"], "minimum laps is 9"),
        (["x", "--ranking", "fastest"], "ranking 'fastest' does not exist"),
        (["x", "--ranking", "total_time", "--min-laps", "1"], "who drives fewer laps wins"),
        (["x", "--off-track-penalty", "-1"], "off-track penalty is -1.0 s"),
        (["x", "--off-track-penalty", "nan"], "off-track penalty is nan s"),
        (["x", "--time-limit", "-1"], "time limit is -1.0 s"),
        (["x", "--resets", "-1"], "resets is -1"),
        (["x", "--max-submissions", "-1"], "max submissions is -1"),
        (["x", "--track", "atlantis"], "atlantis"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_create_refuses_a_wrong_setting_with_one_sentence(words: list[str], says: str) -> None:
    assert says in str(refused("create", *words))
    assert len(listed("races")) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["create", "x", "--laps", "three"],
        ["create"],
        ["submit"],
        ["submit", "driver.tar.gz"],
        ["standings", "--jsn"],
        ["drive"],
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_typed_wrong_exits_with_2(words: list[str]) -> None:
    assert racer_league(*words).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_submit_queues_a_driver(bundle: MakeBundle) -> None:
    assert "submission 1: Ann in community, queued" in shown(
        "submit", bundle(1), "--race", "community", "--racer", "Ann"
    )
    (row,) = listed("submissions")
    assert (row["race"], row["racer"], row["status"], row["score"], row["laps"]) == (
        "community",
        "Ann",
        "QUEUED",
        None,
        [],
    )
    assert row["submitted_at"].endswith("+00:00")
    assert listed("races")[0]["submissions"] == 1


@pytest.mark.usefixtures("folder")
def test_submit_refuses_with_one_sentence(bundle: MakeBundle, tmp_path: Path) -> None:
    (tmp_path / "bad.tar.gz").write_bytes(b"no archive")
    assert isinstance(refused("submit", tmp_path / "bad.tar.gz", "--racer", "Ann"), BundleError)
    assert isinstance(refused("submit", tmp_path / "missing.tar.gz", "--racer", "Ann"), BundleError)
    assert "did you mean 'community'" in str(refused("submit", bundle(1), "--race", "comunity", "--racer", "Ann"))
    assert "racer name" in str(refused("submit", bundle(1), "--racer", "[bold]"))
    shown("submit", bundle(1), "--racer", "Ann")
    shown("submit", bundle(2), "--racer", "Ann")
    assert "has used all 2 submissions" in str(refused("submit", bundle(3), "--racer", "Ann"))
    assert len(listed("submissions")) == 2


@pytest.mark.usefixtures("folder")
def test_run_drives_the_queue_and_prints_a_line_for_each(bundle: MakeBundle, stereo_driver: Path) -> None:
    assert "the queue is empty" in shown("run")
    shown("submit", bundle(1), "--racer", "Ann")
    shown("submit", stereo_driver, "--racer", "Bob")
    first, second = shown("run").splitlines()
    assert re.fullmatch(r"   1  community  Ann  DNF  after 0\.\d\d laps", first)
    assert re.fullmatch(r"   2  community  Bob  DNF  after 0\.\d\d laps", second)
    assert [row["status"] for row in listed("submissions")] == ["DNF", "DNF"]


def test_run_exits_with_1_after_an_error_of_its_own_and_can_be_repeated(folder: Path, bundle: MakeBundle) -> None:
    shown("submit", bundle(1), "--racer", "Ann")
    kept = next((folder / "bundles").iterdir())
    content = kept.read_bytes()
    kept.unlink()
    assert racer_league("run").exit_code == 1
    assert listed("submissions")[0]["status"] == "ERROR"
    kept.write_bytes(content)
    assert "the queue is empty" in shown("run")
    assert "DNF" in shown("run", "--retry")


def test_standings_show_rank_time_gap_laps_off_tracks_and_submissions(folder: Path, bundle: MakeBundle) -> None:
    drives = {"Ann": 62_500, "Bob": 61_234, "Cy": 62_500, "Di": 0}
    for i, (racer, time) in enumerate(drives.items()):
        shown("submit", bundle(i), "--racer", racer)
        drive(folder, Lap(1, time, 100.0 if time else 41.7, off_track_count=i))
    shown("submit", bundle(5), "--racer", "Bob")
    drive(folder, Lap(1, 70_000, 100.0))
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown("standings").splitlines()]
    assert [row for row in cells if row] == [
        ["1", "Bob", "01:01.234", "", "1", "1", "2"],
        ["=2", "Ann", "01:02.500", "+1.266", "1", "0", "1"],
        ["=2", "Cy", "01:02.500", "+1.266", "1", "2", "1"],
        ["4", "Di", "DNF after 0.41 laps", "", "0", "3", "1"],
    ]
    rows = listed("standings", "--race", "COMMUNITY")
    assert [(r["position"], r["place"], r["time_ms"], r["gap_ms"], r["finished"]) for r in rows] == [
        (1, "1", 61_234, 0, True),
        (2, "=2", 62_500, 1266, True),
        (2, "=2", 62_500, 1266, True),
        (4, "4", None, None, False),
    ]
    assert rows[0]["submitted_at"].endswith("+00:00")


@pytest.mark.usefixtures("folder")
def test_lists_of_an_empty_league_are_empty() -> None:
    assert listed("submissions") == listed("standings") == []
    assert "community: oval" in shown("standings")


@pytest.mark.usefixtures("folder")
def test_lists_can_be_asked_for_one_race_and_one_racer(bundle: MakeBundle) -> None:
    shown("create", "second")
    assert "say which race" in str(refused("submit", bundle(1), "--racer", "Ann"))
    assert isinstance(refused("standings"), LeagueError)
    for race, racer in (("community", "Ann"), ("second", "Ann"), ("second", "Bob")):
        shown("submit", bundle(1), "--race", race, "--racer", racer)
    assert [r["id"] for r in listed("submissions", "--race", "second")] == [2, 3]
    assert [r["id"] for r in listed("submissions", "--racer", "ann")] == [1, 2]
    assert [r["id"] for r in listed("submissions", "--race", "second", "--racer", "Bob")] == [3]
    assert "Bob" in shown("submissions")
