"""Settings in a file that an organiser writes: TOML or, if it is called so, JSON; and as JSON that a league keeps.

Settings are a frozen dataclass whose fields are numbers, texts, times, tuples, and further dataclasses. What a file
leaves out is as the dataclass has it. TOML cannot say None, so that a word stands for it where it is not the default.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints
from uuid import uuid4

import tomli_w
from pydantic import TypeAdapter, ValidationError

from league.errors import LeagueError
from racer_env.errors import nearest

Settings = TypeVar("Settings")
Words = Mapping[str, tuple[str, Any]]  #: for a key, a word that may stand in a file and the value that it stands for


def read_table(path: Path) -> dict[str, Any]:
    """What a file says, as it is. Raises `LeagueError` with the path if it cannot be read or is no table."""
    try:
        text = path.read_bytes().decode()
        raw = json.loads(text) if _is_json(path) else tomllib.loads(text)
    except OSError as error:
        raise LeagueError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise LeagueError(f"{path} is not {'JSON' if _is_json(path) else 'TOML'}: {error}") from error
    if not isinstance(raw, dict):
        raise LeagueError(f"{path} must hold one JSON object, not a {type(raw).__name__}")
    return raw


def write_table(path: Path, settings: Any, words: Words) -> None:
    """Write every setting, so that reading gives equal ones. Raises `LeagueError` if it cannot be written."""
    text = to_json(settings, indent=2) + "\n" if _is_json(path) else _to_toml(settings, words)
    part = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise LeagueError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def to_json(settings: Any, indent: int | None = None) -> str:
    """Every setting as JSON."""
    return json.dumps(asdict(settings), indent=indent, ensure_ascii=False, default=datetime.isoformat)


def settings_of(cls: type[Settings], raw: Mapping[str, Any], words: Words, *others: str) -> Settings:
    """The settings that say this; `others` are keys that the file may have besides, which were taken out before.

    Raises:
        LeagueError: a key does not exist, or a value is not allowed; the sentence names the key.
    """
    said = {key: words[key][1] if key in words and value == words[key][0] else value for key, value in raw.items()}
    of: Any = cls
    try:
        settings: Settings = _adapter(of).validate_json(json.dumps(said, default=_plain), strict=True)
    except ValidationError as error:
        raise LeagueError(_sentence(error, cls, others)) from error
    return settings


@cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _to_toml(settings: Any, words: Words) -> str:
    defaults = {f.name: f.default for f in fields(settings)}
    said = {
        key: words[key][0] if value is None else value
        for key, value in asdict(settings).items()
        if value is not None or defaults[key] not in (None, MISSING)
    }
    return tomli_w.dumps(_without_none(said))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """A time of TOML as JSON has it."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _sentence(error: ValidationError, cls: type, others: tuple[str, ...]) -> str:
    """Say what is wrong with the first value that is, and what its key may have meant."""
    first = error.errors()[0]
    of, names = _section(cls, first["loc"])
    name = ".".join(names)
    if first["type"] == "unexpected_keyword_argument":
        known = [*(f.name for f in fields(of)), *(others if of is cls else ())]
        return f"there is no {name!r}; {nearest(names[-1], known)}"
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "enum":
        choices = re.findall("'([^']*)'", first["ctx"]["expected"])
        return f"{name} is {first['input']!r}; {nearest(str(first['input']), choices)}"
    return f"{name} is {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"


def _section(cls: type, loc: tuple[int | str, ...]) -> tuple[Any, list[str]]:
    """The dataclass that a place in a file is in, and the place as its keys; without the classes of a union."""
    of, inside, names = [cls], [cls], []
    for part in loc:
        chosen = [choice for choice in inside if choice.__name__ == part]
        if chosen:
            inside = chosen
            continue
        names.append(str(part))
        if isinstance(part, str):
            hints = [get_type_hints(choice).get(part) for choice in inside]
            of, inside = inside, [found for hint in hints for found in _dataclasses_of(hint)]
    return of[0], names


def _dataclasses_of(hint: Any) -> Iterator[type]:
    """The dataclasses that a field may hold."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for inner in get_args(hint):
        yield from _dataclasses_of(inner)
