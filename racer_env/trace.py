"""Simtrace: the original's record of every step, read in every generation of the format and written in the newest.

A line holds 14 to 19 fields, always in the order of `COLUMNS`; newer simulators added fields at the end. Files are CSV
(with or without the header) or logs in which such lines follow ``SIM_TRACE_LOG:`` among anything else. Logs round:
positions and yaw to 4 decimals, steering, speed and track length to 2. Metres, seconds, per cent; angles in degrees
(the oldest logs, which have no status, wrote radians and are converted). A row is written when a step is judged: pose
and progress are those the reward saw, steering and speed are the commands that were chosen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import TraceError
from racer_env.kernel import Ints, Records
from racer_env.race import Status

COLUMNS = (
    "episode",
    "steps",
    "X",
    "Y",
    "yaw",
    "steer",
    "throttle",
    "action",
    "reward",
    "done",
    "all_wheels_on_track",
    "progress",
    "closest_waypoint",
    "track_len",
    "tstamp",
    "episode_status",
    "pause_duration",
    "obstacle_crash_counter",
    "wall_clock",
)

HEADER = ",".join(COLUMNS) + "\n"

#: How other tools call a column.
ALIASES = {
    "on_track": "all_wheels_on_track",
    "closest_waypoints": "closest_waypoint",
    "timestamp": "tstamp",
    "steering_angle": "steer",
    "speed": "throttle",
    "status": "episode_status",
}

FEWEST = 14  #: fields of a line in 2019
LOG_MARK = "SIM_TRACE_LOG:"

#: A recorded step; the fields of `COLUMNS`, 0 where a generation lacks one.
STEP = np.dtype(
    [
        ("episode", np.int64),
        ("steps", np.float64),
        ("x", np.float64),  # m, front of the car
        ("y", np.float64),
        ("yaw", np.float64),  # degrees
        ("steer", np.float64),  # degrees
        ("throttle", np.float64),  # m/s
        ("action", object),  # as written: an index, or both numbers in brackets
        ("reward", np.float64),
        ("done", np.bool_),
        ("all_wheels_on_track", np.bool_),
        ("progress", np.float64),  # per cent
        ("closest_waypoint", np.int64),
        ("track_len", np.float64),  # m
        ("tstamp", np.float64),  # s, simulated; before 2021 Unix time, before that none: counted from the steps
        ("status", "U16"),
        ("pause_duration", np.float64),  # s of penalty left
        ("obstacle_crash_counter", np.int64),
        ("wall_clock", np.float64),  # s, Unix time
    ]
)


class TraceRow(NamedTuple):
    """One step of one car; the fields of `COLUMNS` without the episode's number."""

    steps: float
    x: float  #: m, front of the car
    y: float
    yaw: float  #: degrees
    steer: float  #: degrees
    throttle: float  #: m/s
    action: str
    reward: float
    done: bool
    all_wheels_on_track: bool
    progress: float  #: per cent
    closest_waypoint: int
    track_len: float  #: m
    tstamp: float  #: s, simulated
    status: Status
    pause_duration: float  #: s of penalty left
    obstacle_crash_counter: int
    wall_clock: float  #: s, Unix time

    def line(self, episode: int) -> str:
        """The row as a line of a CSV file."""
        return _line((episode, *self[:_STATUS], self.status.label, *self[_STATUS + 1 :]))


_STATUS = TraceRow._fields.index("status")
_PROGRESS = COLUMNS.index("progress")


def _line(values: Sequence[Any]) -> str:
    """Values of `COLUMNS` as the original writes them: a full lap is the whole number that it was cut to."""
    cut = (100,) if values[_PROGRESS] == 100.0 else values[_PROGRESS : _PROGRESS + 1]
    return ",".join(map(str, (*values[:_PROGRESS], *cut, *values[_PROGRESS + 1 :]))) + "\n"


def text(rows: Iterable[TraceRow], episode: int) -> str:
    """An episode as the lines of a CSV file."""
    return "".join(row.line(episode) for row in rows)


@dataclass(frozen=True, eq=False)
class Trace:
    """Recorded steps in the order in which they were written."""

    path: Path  #: the file or folder they came from
    rows: Records  #: `STEP` (n,)
    fields: int  #: that a line had, 14 to 19: the generation of the format
    rounded: bool  #: from a log, which rounds positions to 4 decimals

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def runs(self) -> Ints:
        """Number (n,) of the run of each step, from 0: a run is what is driven between two prepare steps."""
        fresh = np.diff(self.rows.steps, prepend=np.inf) <= 0.0
        return np.cumsum(fresh) - 1

    def text(self) -> str:
        """The steps as a CSV file of the newest format."""
        columns = (self.rows[name].tolist() for name in STEP.names or ())
        return HEADER + "".join(_line(values) for values in zip(*columns, strict=True))


def find_traces(path: Path) -> list[Path]:
    """List what `read` can read at a path: the file itself, or every folder and log below it that holds steps.

    A folder of CSV files counts as one, because each of them is an iteration of one training.

    Raises:
        TraceError: there is no such path, or no trace below it.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TraceError(f"{path}: there is no such file or folder")
    folders = sorted((path, *(p for p in path.rglob("*") if p.is_dir())), key=_natural)
    found = [p for folder in folders for p in _traces_in(folder)]
    if not found:
        raise TraceError(f"{path}: no trace below this folder; looked for .csv and .log files with recorded steps")
    return found


def _traces_in(folder: Path) -> list[Path]:
    logs = [p for p in sorted(folder.glob("*.log"), key=_natural) if LOG_MARK in _read_text(p)]
    return ([folder] if _csv_files(folder) else []) + logs


def _csv_files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.glob("*.csv"), key=_natural) if _starts_like_a_trace(p)]


def _starts_like_a_trace(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        names = {name.strip().lower() for name in file.readline().split(",")}
    return {"steps", "yaw", "progress"} <= names


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key in which ``10-iteration.csv`` follows ``9-iteration.csv``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", str(path))]


def read(path: Path) -> Trace:
    """Read a file, or all CSV files of a folder in numeric order.

    Raises:
        TraceError: nothing to read, or a line that cannot be read; names file, line and value.
    """
    files = _csv_files(path) if path.is_dir() else [path]
    parts = [part for file in files if len(part := parse(_read_text(file), file))]
    if not parts:
        raise TraceError(_empty(path))
    rows = np.concatenate([part.rows for part in parts]).view(np.recarray)
    return Trace(path, rows, min(part.fields for part in parts), parts[0].rounded)


def _empty(path: Path) -> str:
    return f"{path}: holds no recorded step; expected the lines of a simtrace CSV or lines with {LOG_MARK}"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror})") from error


def parse(content: str, path: Path) -> Trace:
    """Make a trace of the text of a CSV file or a log; `path` is named in errors."""
    rounded = LOG_MARK in content
    numbered = list(_logged(content) if rounded else _listed(content))
    header = numbered and not rounded and not re.match(r"\s*-?\d", numbered[0][1])
    names = _names(numbered.pop(0)[1], path) if header else list(COLUMNS)
    table = [values.split(",") for _, values in numbered]
    lines = [number for number, _ in numbered]
    if not header and table:
        names = names[: len(table[0])]
    _check_widths(table, len(names), lines, path)
    columns = dict(zip(names, zip(*table, strict=True), strict=False))
    rows = _rows(columns, lines, path)
    return Trace(path, rows, sum(name in COLUMNS for name in names), rounded)


def _logged(content: str) -> Iterator[tuple[int, str]]:
    """Numbers of the lines that hold a step, and what follows the mark, up to a quote, escape or colour."""
    for number, line in enumerate(content.split("\n"), start=1):
        at = line.find(LOG_MARK)
        if at >= 0:
            values = _without_commas_in_actions(line[at + len(LOG_MARK) :])
            yield number, re.split(r'["\\\r\x1b]', values, maxsplit=1)[0]


def _listed(content: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_without_commas_in_actions(content).split("\n"), start=1):
        if line.strip():
            yield number, line


def _without_commas_in_actions(content: str) -> str:
    """Write ``[a, b]``, quoted or not, as ``[a b]``, so that commas only separate fields."""
    if "[" not in content:
        return content
    return re.sub(r'"?\[([^\]\n]*)\]"?', lambda m: "[" + re.sub(r"\s*,\s*", " ", m[1]) + "]", content)


def _names(header: str, path: Path) -> list[str]:
    """The columns that a header names, in our words; others keep their own."""
    known = {name.lower(): name for name in COLUMNS}
    given = [name.strip().strip('"').lower() for name in header.split(",")]
    names = [known.get(name, name) for name in given]
    names = [ALIASES[name] if ALIASES.get(name, name) not in names else name for name in names]
    missing = [name for name in COLUMNS[:FEWEST] if name not in names]
    if len(missing) == FEWEST:
        raise TraceError(_empty(path))
    if missing:
        raise TraceError(f"{path}, line 1: not the header of a simtrace file; it lacks {', '.join(missing)}")
    return names


def _check_widths(table: list[list[str]], width: int, lines: list[int], path: Path) -> None:
    for line, values in zip(lines, table, strict=True):
        if len(values) < FEWEST or len(values) != width:
            wanted = f"{width} as in the lines before" if width >= FEWEST else f"{FEWEST} to {len(COLUMNS)}"
            raise TraceError(f"{path}, line {line}: {len(values)} fields; a step has {wanted}")


def _rows(columns: dict[str, tuple[str, ...]], lines: list[int], path: Path) -> Records:
    """Steps `STEP` (n,) of columns of text; what old generations lack is filled in."""
    rows = np.zeros(len(lines), STEP).view(np.recarray)
    for column, field in zip(COLUMNS, STEP.names or (), strict=True):
        if column in columns:
            rows[field] = _converted(column, columns[column], STEP[field].kind, lines, path)
    if "tstamp" not in columns:
        rows.tstamp = rows.steps / CONTROL_RATE
    if "episode_status" not in columns:
        over = np.where(rows.progress >= 100.0, Status.LAP_COMPLETE.label, Status.OFF_TRACK.label)
        rows.status = np.where(rows.done, over, Status.IN_PROGRESS.label)
        if len(rows) and np.abs(rows.yaw).max() <= np.pi + 0.01:
            rows.yaw, rows.steer = np.degrees(rows.yaw), np.degrees(rows.steer)
    return rows


def _converted(column: str, values: Sequence[str], kind: str, lines: list[int], path: Path) -> list[Any]:
    reader, wanted = _READERS[kind]
    try:
        return list(map(reader, values))
    except ValueError:
        line, value = next((line, v) for line, v in zip(lines, values, strict=True) if _fails(reader, v))
        raise TraceError(f"{path}, line {line}: {column} is {value.strip()!r}; it must be {wanted}") from None


def _fails(reader: Callable[[str], Any], value: str) -> bool:
    try:
        reader(value)
    except ValueError:
        return True
    return False


def _number(value: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(value: str) -> int:
    number = float(value)
    if not number.is_integer():
        raise ValueError
    return int(number)


def _truth(value: str) -> bool:
    word = value.strip().lower()
    if word not in ("true", "false"):
        raise ValueError
    return word == "true"


#: How the text of a field becomes a value, by the kind of its dtype, and what is allowed.
_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "f": (_number, "a finite number"),
    "i": (_whole, "a whole number"),
    "b": (_truth, "True or False"),
    "O": (str.strip, "text"),
    "U": (str.strip, "text"),
}
