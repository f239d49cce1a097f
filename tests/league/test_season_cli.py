"""The commands for seasons, brackets and what one needs, as an organiser uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from league.service import League
from racer_env.cli import app
from tests.league.conftest import drain, laps

SEASON = """
qualifying = "Pro"
finale = "none"
seats = 1
best = 1
[[divisions]]
name = "Open"
promoted = 50.0
[[divisions]]
name = "Pro"
"""


def racer(*words: object) -> Result:
    return CliRunner().invoke(app, ["league", *map(str, words)])


def shown(*words: object) -> str:
    result = racer(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def listed(*words: object) -> Any:
    return json.loads(shown(*words, "--json"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Callable[[int], Path]) -> Path:
    """A league with a season of two divisions, of whose first month one race is over."""
    made = tmp_path / "league"
    monkeypatch.setenv("RACER_LEAGUE", str(made))
    (tmp_path / "season.toml").write_text(SEASON)
    shown("init")
    shown("season", "create", "2026", "--file", tmp_path / "season.toml")
    shown("create", "May", "--runs", 1)
    shown("season", "add", "may", "--division", "open")
    shown("open", "May")
    for number, (name, time) in enumerate((("Ada", 10_000), ("Bob", 11_500))):
        shown("submit", bundle(number), "--race", "May", "--racer", name)
        drain(League(made), laps(time))
    return made


@pytest.mark.usefixtures("folder")
def test_a_season_is_shown_as_table_moves_seats_and_teams() -> None:
    assert "qualifier of month 2 for Pro" in shown("season", "add", "community", "--month", 2)
    assert "Ada" in shown("season", "show")
    assert [(row["racer"], row["points"]) for row in listed("season", "table", "--division", "open")] == [
        ("Ada", 25),
        ("Bob", 18),
    ]
    assert listed("season", "moves") == []
    shown("close", "May")
    assert listed("season", "moves") == [{"racer": "Ada", "came": "Open", "to": "Pro", "month": 2}]
    shown("season", "join", "Ada", "--team", "Blue")
    assert listed("season", "teams", "--division", "Open")[0]["members"] == ["Ada"]
    assert listed("season", "seats") == []
    (season,) = listed("season", "list")
    assert [(race["race"], race["month"], race["over"]) for race in season["races"]] == [
        ("May", 1, True),
        ("community", 2, False),
    ]
    assert "Ada" in shown("season", "moves")
    assert "Blue" in shown("season", "teams", "--division", "Open")


@pytest.mark.usefixtures("folder")
def test_a_racer_is_told_what_they_need() -> None:
    needs = listed("needs", "Bob")
    may = [(need["what"], need["time_ms"]) for need in needs["times"] if need["race"] == "May"]
    assert may == [("position 1", 10_000), ("promotion", 10_000)]
    (points,) = needs["points"]
    assert (points["position"], points["points"], points["rounds_left"]) == (1, 18, 1)
    said = shown("needs", "Bob", "--position", 1)
    assert "00:10.000" in said
    assert "2026, Open: 18 points, 1 race to go; if no other race is added (how many months the season has is" in said
    assert "in the end place 1 to 2 of those in the table; place 1 cannot be made sure alone" in said


@pytest.mark.usefixtures("folder")
def test_where_the_season_says_its_months_the_races_that_are_to_come_count(tmp_path: Path) -> None:
    (tmp_path / "season.toml").write_text(
        'months = 2\nqualifying = "All"\nfinale = "none"\n[[divisions]]\nname = "All"'
    )
    shown("season", "create", "short", "--file", tmp_path / "season.toml")
    assert "short, 2 months, made" in shown("season", "show", "short")
    shown("season", "drop", "May", "--reason", "it is of another season")
    shown("season", "add", "May", "--season", "short")
    shown("close", "May")
    (points,) = listed("needs", "Ada", "--season", "short")["points"]
    assert (points["rounds_left"], points["months"], points["worst"]) == (1, 2, 2)
    assert "short, All: 25 points, 1 race to go, in the end place 1 to 2 of" in shown(
        "needs", "Ada", "--season", "short"
    )
    refused = racer("season", "add", "community", "--season", "short", "--month", 3)
    assert "month 3 does not exist: it is from 1 to 2" in str(refused.exception)
    shown("season", "add", "community", "--season", "short")
    shown("cancel", "community", "--reason", "rain")
    said = shown("needs", "Ada", "--season", "short")
    assert "short, All: 25 points, 0 races to go, in the end place 1 of those in the table; place 1 is sure" in said


@pytest.mark.usefixtures("folder")
def test_a_season_is_written_to_a_file_and_read_again(tmp_path: Path) -> None:
    shown("season", "show", "2026", "-o", tmp_path / "out.toml")
    shown("season", "create", "2027", "--file", tmp_path / "out.toml")
    first, second = listed("season", "list")
    assert first["settings"] == second["settings"]


@pytest.mark.usefixtures("folder")
def test_a_bracket_is_made_of_a_board_and_its_heats_are_shown(tmp_path: Path) -> None:
    said = shown("bracket", "create", "Cup", "--race", "May", "--laps", 1, "--runs", 1)
    assert "Cup: 2 racers, single elimination" in said
    assert "to be raced" in shown("bracket", "show")
    shown("bracket", "award", "W1.1", "--racer", "Bob", "--reason", "Ada has withdrawn")
    (cup,) = listed("bracket", "list")
    assert (cup["champion"], cup["places"], cup["heats"][0]["state"]) == ("Bob", {"Bob": 1, "Ada": 2}, "awarded")
    assert "Bob has won Cup" in shown("bracket", "run")
    shown("bracket", "show", "-o", tmp_path / "cup.png")
    assert (tmp_path / "cup.png").stat().st_size > 1000


def test_a_bracket_of_a_season_without_races_of_groups_is_said_to_be_of_its_table(
    bundle: Callable[[int], Path], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain.toml").write_text('finale = "none"\nqualifying = "All"\n[[divisions]]\nname = "All"\n')
    shown("season", "create", "2027", "--file", tmp_path / "plain.toml")
    shown("create", "June", "--runs", 1)
    shown("season", "add", "June", "--season", "2027")
    shown("open", "June")
    for number, name in enumerate(("Ada", "Bob")):
        shown("submit", bundle(number), "--race", "June", "--racer", name)
        drain(League(folder), laps(9000 + number))
    said = shown("bracket", "create", "Cup", "--season", "2027")
    assert "no group of season '2027' has a race: of the best of its table" in said
    assert "Cup: 2 racers" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["season", "add", "May"], "'May' is in season '2026' already"),
        (["season", "add", "community", "--part", "final"], "must be one of qualifier, finale, wildcard, knockout"),
        (["season", "add", "community", "--division", "Prro"], "did you mean 'Pro'"),
        (["season", "create", "2026"], "already exists"),
        (["season", "place", "Ada", "--division", "Pro", "--reason", " "], "say why"),
        (["bracket", "show"], "there is no bracket yet"),
        (["bracket", "create", "Cup"], "say --race, --season, or --racer"),
        (["bracket", "create", "Cup", "--season", "2026"], "two or more different racers"),
        (["bracket", "create", "Cup", "--race", "May", "--track", "ovall"], "oval"),
        (["bracket", "create", "Cup", "--race", "May", "--elimination", "triple"], "one of single, double"),
        (["needs", "Nobody"], "'Nobody' is not known"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_is_refused_with_a_reason(words: list[str], said: str) -> None:
    result = racer(*words)
    assert result.exit_code != 0
    assert said in f"{result.exception} {' '.join(result.output.replace('│', '').split())}"
