"""A race as a file that an organiser writes, and as the JSON that a league keeps.

A file may name a ``preset`` and say only what differs from it. A limit that is to be none is ``"unlimited"``. Without
``minimum_laps`` one lap must be valid if the best lap counts, otherwise all. Track and car, if they are files, are
relative to the race's file; a car may also be a table of its numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from league.errors import LeagueError
from league.presets import find_preset
from league.races import UNLIMITED_RESETS, RaceSettings, default_minimum_laps
from league.rules import Ranking
from league.settings_file import Words, read_table, settings_of, to_json, write_table

WORDS: Words = {
    "resets": ("unlimited", UNLIMITED_RESETS),
    "time_limit": ("unlimited", None),
    "max_submissions": ("unlimited", None),
    "max_submissions_a_day": ("unlimited", None),
    "max_in_flight": ("unlimited", None),
}


def read_race(path: Path) -> RaceSettings:
    """Read a race's file.

    Raises:
        LeagueError: it cannot be read, or a value in it is not allowed; the sentence names the file and the key.
    """
    raw = read_table(path)
    try:
        return race_of(_with_files_below(raw, path.parent))
    except LeagueError as error:
        raise LeagueError(f"{path}: {error}") from error


def write_race(path: Path, settings: RaceSettings) -> None:
    """Write every setting, so that `read_race` gives an equal race. Raises `LeagueError` if it cannot be written."""
    write_table(path, settings, WORDS)


def race_to_json(settings: RaceSettings) -> str:
    """Every setting as JSON."""
    return to_json(settings)


def race_from_json(text: str) -> RaceSettings:
    """The race that `race_to_json` made this from."""
    return race_of(json.loads(text))


def race_of(raw: Mapping[str, Any]) -> RaceSettings:
    """The race that says this, on top of its ``preset`` if it names one.

    Raises:
        LeagueError: a key does not exist, or a value is not allowed.
    """
    said = dict(raw)
    preset = said.pop("preset", None)
    if preset is not None:
        said = _said(str(preset), said) | said
    said.setdefault("minimum_laps", default_minimum_laps(said.get("ranking", Ranking.BEST_LAP), said.get("laps", 3)))
    return settings_of(RaceSettings, said, WORDS, "preset")


def _said(preset: str, over: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's settings, without what is on its track if the race is to be of another type."""
    settings = asdict(find_preset(preset))
    del settings["minimum_laps"]  # as `default_minimum_laps` has it, for another ranking and other laps, too
    if over.get("race_type", settings["race_type"]) != settings["race_type"]:
        settings |= {"obstacles": None, "bots": None, "cars": None}
    return settings


def _with_files_below(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    def placed(said: Any, *suffixes: str) -> Any:
        return str(folder / said) if isinstance(said, str) and Path(said).suffix.lower() in suffixes else said

    below = {"track": placed(raw.get("track"), ".npy", ".toml"), "car": placed(raw.get("car"), ".toml")}
    return raw | {name: file for name, file in below.items() if name in raw}
