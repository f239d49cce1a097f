"""The README describes what exists, and nothing else."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import tracks
from league.cli import GROUPS, PARTS
from league.divisions import Division
from league.points import ByPosition
from league.presets import PRESETS
from league.race_file import race_of
from league.races import RaceSettings
from league.seasons import Season, read_season
from league.traffic import BotCars, Boxes
from racer_env.car import CARS
from racer_env.cli import GROUP, app
from racer_env.params import PARAMS
from racer_env.sensors import SENSORS
from reward_functions import EXAMPLES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: Command lines of the code blocks and of the prose.
COMMANDS = sorted(set(re.findall(r"^(racer .+)$", README, re.M)) | set(re.findall(r"`(racer [^`]+)`", README)))


def _first_cells(heading: str) -> list[str]:
    table = README.split(heading, 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `([A-Za-z_0-9]+)` \|", table, re.M)


def _resolve(words: list[str]) -> tuple[Any, list[str]]:
    import typer

    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "get_command") and (found := command.get_command(None, words[0])):
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_readme_exists_with_its_options(line: str) -> None:
    words = [word for word in shlex.split(line.replace("\n", " ")) if word != "..."][1:]
    command, rest = _resolve(words)
    assert command.name != "racer" or rest[:1] in ([], ["--help"]), f"{line} names no command"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in rest if re.fullmatch(r"-{1,2}[a-z][a-z-]*", word)} <= known


def test_every_command_is_in_the_readme() -> None:
    for entry in entry_points(group=GROUP):
        assert f"racer {entry.name}" in README


def test_the_table_of_params_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", README, re.M)
    listed = {key: tuple(rest) for key, *rest in rows if key in PARAMS}
    assert listed == {key: tuple(param) for key, param in PARAMS.items()}


def test_sensors_cars_examples_and_tracks_are_all_described() -> None:
    assert _first_cells("| sensor | what |") == list(SENSORS)
    assert _first_cells("| car | what |") == list(CARS)
    for example in EXAMPLES:
        assert f"`{example}`" in README
    for name in tracks.names():
        assert f"(tracks/thumbnails/{name}.png)" in README


def test_the_settings_and_presets_of_races_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| .* \|$", README.split("| setting | default | what |")[1], re.M)
    told = {name: default.strip("`") for name, default in rows[: len(fields(RaceSettings))]}
    assert told == {f.name: _shown(f.default) for f in fields(RaceSettings)}
    for table, kind in (("obstacles", Boxes), ("bots", BotCars)):
        (row,) = re.findall(rf"^\| `{table}` \|  \| a table: (.*) \|$", README, re.M)
        assert set(re.findall(r"`([a-z_]+)`", row)) == {f.name for f in fields(kind)}
    presets = re.findall(r"^\| `([a-z_0-9]+)` \| .* \| (.*) \| (\d+) \| (\d+) s, (\d+) s \|$", README, re.M)
    assert {name: tuple(rest) for name, *rest in presets} == {
        name: (p.ranking.replace("_", " "), str(p.laps), f"{p.off_track_penalty:g}", f"{p.collision_penalty:g}")
        for name, p in PRESETS.items()
    }


def test_the_race_file_of_the_readme_is_a_race() -> None:
    (text,) = re.findall(r"```toml\n(preset = .*?)```", README, re.S)
    race = race_of(tomllib.loads(text))
    assert (race.track, race.boxes, race.max_submissions) == ("hairpin", Boxes(count=4, random=True), None)


def test_the_settings_of_seasons_are_those_of_the_code(tmp_path: Path) -> None:
    table = README.split("| of a season | default | what |")[1].split("\n\n")[0]
    told = dict(re.findall(r"^\| `([a-z_]+)` \| (.*?) \| .* \|$", table, re.M))
    assert list(told) == [f.name for f in fields(Season)]
    plain = {name: default.strip("`") for name, default in told.items() if name not in ("divisions", "scale", "placed")}
    assert plain == {name: _shown(getattr(Season(), name)) for name in plain}
    assert told["divisions"] == ", ".join(division.name for division in Season().divisions)
    assert Season().scale == ByPosition()
    assert told["scale"] == ", ".join(map(str, ByPosition().table))
    (text,) = re.findall(r"```toml\n(months = .*?)```", README, re.S)
    (tmp_path / "season.toml").write_text(text)
    season = read_season(tmp_path / "season.toml")
    assert (season.months, season.finale, season.divisions) == (6, None, (Division("Class"),))


def test_every_command_of_a_league_is_in_the_table_of_who_does_what() -> None:
    table = README.split("| who | commands |")[1].split("\n\n")[0]
    named = [str(c.name or getattr(c.callback, "__name__", "")) for part in PARTS for c in part.registered_commands]
    assert set(re.findall(r"`([a-z]+)`", table)) == {*named, *GROUPS}


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else f"{default:g}" if isinstance(default, int | float) else str(default)


def test_every_picture_and_folder_of_the_readme_exists() -> None:
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path
    for folder in re.findall(r"^\| `([a-z_]+)` \| [^|]+ \|$", README.split("## Development")[1], re.M):
        assert (ROOT / folder).is_dir(), folder


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    for entry in entry_points(group=GROUP):
        assert re.search(rf"\b{entry.name}\b", shown)
