"""A race as a file that an organiser writes, TOML or, if it is called so, JSON, and as the JSON that a league keeps.

A file may name a ``preset`` and say only what differs from it. A limit that is to be none is ``"unlimited"``. The
track, if it is a file, is relative to the race's file.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import tomli_w
from pydantic import TypeAdapter, ValidationError

from league.errors import LeagueError
from league.presets import find_preset
from league.races import UNLIMITED_RESETS, RaceSettings
from league.traffic import BotCars, Boxes
from racer_env.errors import nearest

UNLIMITED = "unlimited"
LIMITS: Mapping[str, int | None] = {
    "resets": UNLIMITED_RESETS,
    "time_limit": None,
    "max_submissions": None,
    "max_submissions_a_day": None,
    "max_in_flight": None,
}
_TABLES: Mapping[str, type] = {"obstacles": Boxes, "bots": BotCars}


def read_race(path: Path) -> RaceSettings:
    """Read a race's file.

    Raises:
        LeagueError: it cannot be read, or a value in it is not allowed; the sentence names the file and the key.
    """
    try:
        text = path.read_bytes().decode()
        raw = json.loads(text) if _is_json(path) else tomllib.loads(text)
    except OSError as error:
        raise LeagueError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise LeagueError(f"{path} is not {'JSON' if _is_json(path) else 'TOML'}: {error}") from error
    if not isinstance(raw, dict):
        raise LeagueError(f"{path} must hold one JSON object, not a {type(raw).__name__}")
    try:
        return race_of(_with_track_below(raw, path.parent))
    except LeagueError as error:
        raise LeagueError(f"{path}: {error}") from error


def write_race(path: Path, settings: RaceSettings) -> None:
    """Write every setting, so that `read_race` gives an equal race. Raises `LeagueError` if it cannot be written."""
    text = race_to_json(settings, indent=2) + "\n" if _is_json(path) else _to_toml(settings)
    part = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise LeagueError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def race_to_json(settings: RaceSettings, indent: int | None = None) -> str:
    """Every setting as JSON."""
    return json.dumps(asdict(settings), indent=indent, ensure_ascii=False, default=datetime.isoformat)


def race_from_json(text: str) -> RaceSettings:
    """The race that `race_to_json` made this from."""
    return race_of(json.loads(text))


def race_of(raw: Mapping[str, Any]) -> RaceSettings:
    """The race that says this, on top of its ``preset`` if it names one.

    Raises:
        LeagueError: a key does not exist, or a value is not allowed.
    """
    said = {key: LIMITS[key] if value == UNLIMITED and key in LIMITS else value for key, value in raw.items()}
    preset = said.pop("preset", None)
    if preset is not None:
        said = {**_said(find_preset(str(preset)), said), **said}
    try:
        return _settings().validate_json(json.dumps(said, default=_plain), strict=True)
    except ValidationError as error:
        raise LeagueError(_sentence(error)) from error


@cache
def _settings() -> TypeAdapter[RaceSettings]:
    return TypeAdapter(RaceSettings)


def _said(preset: RaceSettings, over: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's settings, without what is on its track if the race is to be of another type."""
    settings = asdict(preset)
    if over.get("race_type", preset.race_type) != preset.race_type:
        settings |= {"obstacles": None, "bots": None, "cars": None}
    return settings


def _with_track_below(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    track = raw.get("track")
    if isinstance(track, str) and Path(track).suffix in (".npy", ".toml"):
        return {**raw, "track": str(folder / track)}
    return raw


def _to_toml(settings: RaceSettings) -> str:
    """TOML knows no none: it is left out, or unlimited if leaving it out would say otherwise."""
    defaults = asdict(RaceSettings())
    said = {
        key: UNLIMITED if value is None else _without_none(value)
        for key, value in asdict(settings).items()
        if value is not None or defaults[key] is not None
    }
    return tomli_w.dumps(said)


def _without_none(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """A time of TOML as JSON has it."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with the first value that is, and what its key may have meant."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        of: Any = _TABLES.get(str(first["loc"][0])) if len(first["loc"]) > 1 else RaceSettings
        known = [*(f.name for f in fields(of)), *(["preset"] if of is RaceSettings else [])]
        return f"there is no {name!r}; {nearest(str(first['loc'][-1]), known)}"
    if first["type"] == "enum":
        choices = re.findall("'([^']*)'", first["ctx"]["expected"])
        return f"{name} is {first['input']!r}; {nearest(str(first['input']), choices)}"
    return f"{name} is {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"
