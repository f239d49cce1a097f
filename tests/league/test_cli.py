"""``racer league`` as a user types it: importing, making, racing, seeing; `test_operate_cli` has the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from league.cli import GROUPS, PARTS, app
from league.errors import LeagueError
from league.output_cli import print_table
from league.presets import PRESETS
from league.races import RaceType
from league.rules import Lap
from league.service import League
from racer_env.errors import BundleError, RacerError, TrackError
from tests.league.conftest import drain

MakeBundle = Callable[[int], Path]
ROOT = Path(__file__).resolve().parents[2]


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


def drive(folder: Path, *run: Lap) -> None:
    """Drive the queue with these laps in place of the simulator's."""
    drain(League(folder), run)


def test_importing_the_command_loads_nothing_heavy() -> None:
    code = "import sys, league.cli; print(*sorted({'sqlalchemy', 'numpy', 'numba', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_board_is_shown_without_simulator_and_network() -> None:
    heavy = "{'racer_env.simulator', 'racer_env.driver', 'torch', 'numba', 'pygame', 'alembic'}"
    code = f"import sys, league.service; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


COMMANDS = sorted(
    (*group, str(command.name or getattr(command.callback, "__name__", "")))
    for group, part in (*(((), part) for part in PARTS), *(((name,), part) for name, part in GROUPS.items()))
    for command in part.registered_commands
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    assert "Usage" in shown(*command, "--help")


def test_init_makes_a_league_here_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RACER_LEAGUE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "community (OPEN): hairpin, best lap of 3 laps, median of 5 runs" in shown("init", "--track", "hairpin")
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


@pytest.mark.parametrize(
    "words",
    [
        *(["races"], ["create", "x"], ["open", "x"], ["submissions"], ["standings"], ["audit"], ["show"]),
        *(["history", "Ann"], ["versus", "Ann", "Bob"], ["status", "1"], ["withdraw", "1"], ["work", "--drain"]),
        *(["season", "table"], ["season", "create", "x"], ["bracket", "show"], ["needs", "Ann"]),
        *(["disqualify", "1", "--reason", "x"], ["backup", "b.tar.gz"], ["receipt", "1"], ["upgrade"]),
    ],
)
def test_without_a_league_every_command_says_how_to_make_one(words: list[str], tmp_path: Path) -> None:
    assert "racer league init" in str(refused(*words, "--league", tmp_path / "nowhere"))


@pytest.mark.usefixtures("folder")
def test_create_takes_every_setting() -> None:
    options = "--track hairpin --reverse --laps 5 --min-laps 2 --ranking average_lap --runs 3 --randomisation mild"
    more = "--set continuous=false --set resets=3 --set off_track_penalty=2.5 --set time_limit=unlimited"
    times = "--opens-at 2030-05-01T18:00+02:00 --closes-at 2030-05-02"
    shown("create", "Averages", *options.split(), *more.split(), *times.split())
    race = listed("races")[1]
    expected = {
        "name": "Averages",
        "state": "DRAFT",
        "track": "hairpin",
        "reverse": True,
        "laps": 5,
        "minimum_laps": 2,
        "ranking": "average_lap",
        "runs": 3,
        "randomisation": "mild",
        "continuous": False,
        "resets": 3,
        "off_track_penalty": 2.5,
        "time_limit": None,
        "opens_at": "2030-05-01T16:00:00+00:00",
        "closes_at": "2030-05-02T00:00:00+00:00",
        "racers": 0,
        "submissions": 0,
    }
    assert {key: race[key] for key in expected} == expected
    assert "average of 2 in a row of 5 laps" in shown("show", "Averages")


@pytest.mark.usefixtures("folder")
def test_create_begins_with_a_preset_or_a_file_and_takes_what_is_said_besides(tmp_path: Path) -> None:
    shown(
        "create",
        "boxes",
        "--preset",
        "object_avoidance",
        "--laps",
        "2",
        "--min-laps",
        "2",
        "--set",
        "obstacles.count=3",
    )
    shown("show", "boxes", "-o", tmp_path / "boxes.toml")
    shown("create", "again", "--file", tmp_path / "boxes.toml", "--runs", "2")
    _, boxes, again = listed("races")
    assert (boxes["laps"], boxes["obstacles"]["count"], boxes["runs"]) == (2, 3, 5)
    own = ("name", "created_at", "runs", "race_sha256")
    assert again["runs"] == 2
    assert {k: v for k, v in again.items() if k not in own} == {k: v for k, v in boxes.items() if k not in own}
    shown("open", "boxes", "--until", "2030-05-01")
    shown("show", "boxes", "-o", tmp_path / "boxes.toml")
    shown("create", "third", "--file", tmp_path / "boxes.toml")
    assert [listed("races")[3][time] for time in ("opens_at", "closes_at")] == [None, "2030-05-01T00:00:00+00:00"]
    assert refused("create", "x", "--preset", "communty").args[0].endswith("did you mean 'community'?")


@pytest.mark.usefixtures("folder")
def test_total_and_average_need_all_laps_unless_said_otherwise() -> None:
    shown("create", "total", "--ranking", "total_time", "--laps", "4")
    shown("create", "boxes", "--preset", "object_avoidance", "--laps", "1")
    shown("create", "own", "--laps", "5", "--min-laps", "2")
    for name in ("total", "boxes", "own"):
        shown("edit", name, "--laps", "6")
    assert [race["minimum_laps"] for race in listed("races")] == [1, 6, 6, 2]
    shown("edit", "total", "--ranking", "best_lap")
    assert listed("races")[1]["minimum_laps"] == 1


@pytest.mark.usefixtures("folder")
def test_edit_changes_what_is_said_and_nothing_else() -> None:
    shown("create", "next", "--laps", "5", "--runs", "3")
    shown("edit", "next", "--track", "hairpin", "--rename", "Spring")
    race = listed("races")[1]
    assert (race["name"], race["track"], race["laps"], race["runs"]) == ("Spring", "hairpin", 5, 3)


@pytest.mark.usefixtures("folder")
def test_times_are_told_in_utc_whatever_zone_they_are_said_in() -> None:
    assert "opens 2030-05-01 16:00 UTC" in shown("create", "may", "--opens-at", "2030-05-01T18:00+02:00")
    shown("create", "now")
    assert "closes 2030-05-01 16:00 UTC" in shown("open", "now", "--until", "2030-05-01T18:00+02:00")
    assert "closes 2030-06-01 04:00 UTC" in shown("extend", "now", "--until", "2030-05-31T23:00-05:00", "--reason", "x")
    assert "closes at: 2030-06-01 04:00 UTC" in shown("show", "now")


@pytest.mark.usefixtures("folder")
def test_a_race_is_told_in_one_line_and_in_words() -> None:
    shown("create", "last", "--preset", "live_finale", "--laps", "1", "--set", "private=true")
    line = (
        "last (DRAFT, 6 boxes, live, private): oval, best lap of 1 lap, off track +3 s, unlimited resets, limit 180 s"
    )
    told = shown("show", "last").splitlines()
    assert told[0] == line
    assert {"  obstacles: count 6, random no, least gap 0.02, shape box_obstacle", "  resets: unlimited"} <= set(told)
    assert "object avoidance, live, private" in " ".join(shown("races").replace("│", " ").split())


@pytest.mark.parametrize(("width", "printed"), [(80, 80), (30, 46), (200, 157)])
def test_where_a_line_is_short_texts_break_between_words_and_numbers_not_at_all(
    width: int, printed: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(
        "Racer|Said|>Time|At (UTC)", [("Katherine", "one or two long words " * 5, "00:08.066", "2030-05-01 16:00")]
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == printed
    assert any("Katherine" in line and "00:08.066 │ 2030-05-01 " in line for line in lines)


def test_the_help_names_every_preset_and_every_type_of_race() -> None:
    told = {word.strip(".,") for word in shown("create", "--help").replace("│", " ").split()}
    assert {*PRESETS, *map(str, RaceType)} <= told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["community"], "already exists"),
        (["a/b"], "race name 'a/b' must have"),
        (["x", "--laps", "0"], "laps is 0, but must be from 1 to 20"),
        (["x", "--min-laps", "9"], "minimum laps is 9"),
        (["x", "--ranking", "fastest"], "ranking is 'fastest'; there are: average_lap, best_lap"),
        (["x", "--ranking", "total_time", "--min-laps", "1"], "who drives fewer laps wins"),
        (["x", "--set", "off_track_penalty=-1"], "off-track penalty is -1.0 s"),
        (["x", "--set", "off_track_penalty=nan"], "off-track penalty is nan"),
        (["x", "--set", "time_limit=-1"], "time limit is -1.0 s"),
        (["x", "--set", "resets=-1"], "resets is -1"),
        (["x", "--set", "max_submissions=many"], "max_submissions is 'many'"),
        (["x", "--set", "reset=3"], "there is no 'reset'; did you mean 'resets'"),
        (["x", "--track", "atlantis"], "atlantis"),
        (["x", "--opens-at", "2030-05-02", "--closes-at", "2030-05-01"], "must be later than opens_at"),
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
        ["create", "x", "--opens-at", "tomorrow"],
        ["create", "x", "--set", "resets"],
        ["create", "x", "--preset", "community", "--file", "x.toml"],
        ["extend", "community", "--until", "2030-01-01"],
        ["work", "--engine", "steam"],
        ["work", "--ray-address", "1.2.3.4:6379"],
        ["export", "board.xls"],
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_typed_wrong_exits_with_2(words: list[str]) -> None:
    assert racer_league(*words).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_submit_queues_a_driver(bundle: MakeBundle) -> None:
    assert "submission 1: Ann in community, place 1 in the queue" in shown(
        "submit", bundle(1), "--race", "community", "--racer", "Ann"
    )
    (row,) = listed("submissions")
    assert (row["race"], row["racer"], row["status"], row["time_ms"], row["position"]) == (
        "community",
        "Ann",
        "QUEUED",
        None,
        1,
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
    assert "community (OPEN): oval" in shown("standings")


@pytest.mark.usefixtures("folder")
def test_lists_can_be_asked_for_one_race_and_one_racer(bundle: MakeBundle) -> None:
    shown("create", "second")
    shown("open", "second")
    assert "say which race" in str(refused("submit", bundle(1), "--racer", "Ann"))
    assert isinstance(refused("standings"), LeagueError)
    for race, racer in (("community", "Ann"), ("second", "Ann"), ("second", "Bob")):
        shown("submit", bundle(1), "--race", race, "--racer", racer)
    assert [r["id"] for r in listed("submissions", "--race", "second")] == [2, 3]
    assert [r["id"] for r in listed("submissions", "--racer", "ann")] == [1, 2]
    assert [r["id"] for r in listed("submissions", "--race", "second", "--racer", "Bob")] == [3]
    assert "Bob" in shown("submissions")
