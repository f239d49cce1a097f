"""Writes a line for reward functions: as numbers, as a table, or as Python to paste."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from racer_env.errors import RacerError
from racer_env.kernel import Floats
from racer_env.minimum_time.line import Line

COLUMNS = ("x", "y", "speed", "time")
SUFFIXES = (".npy", ".csv", ".py")


def rows(line: Line) -> Floats:
    """Give a line as racing-line reward functions of the community hold it.

    Returns:
        (k, 4): x, y (m), speed (m/s), and time from the point before (s); on a loop, the first follows the last.
    """
    passed = np.diff(line.time, prepend=line.time[-1] - line.seconds if line.closed else 0.0)
    return np.column_stack((line.points, line.speed, passed))


def as_python(line: Line, about: str) -> str:
    """Give a line as the list ``racing_track``, with a comment that says what it is."""
    numbers = (", ".join(f"{number:.5f}" for number in row) for row in rows(line).tolist())
    body = "".join(f"    [{row}],\n" for row in numbers)
    return f"# {about}\n# Each row: [x, y, speed, timeFromPreviousPoint], in m, m/s and s.\nracing_track = [\n{body}]\n"


def check_name(path: Path) -> None:
    """Raise `RacerError` unless a line can be written to a file of that name."""
    if path.suffix not in SUFFIXES:
        raise RacerError(f"a line is written as {', '.join(SUFFIXES)}, so {path} must end in one of them")


def write_line(line: Line, path: Path, about: str) -> None:
    """Write a line whole or not at all, in the form that the file's ending asks for.

    Args:
        line: with numbers as of `rows`.
        path: ``.npy`` (k, 4), ``.csv`` with a header, or ``.py`` with a list; its folder must exist.
        about: what it is, for the comment in Python.

    Raises:
        RacerError: another ending, or the file cannot be written.
    """
    check_name(path)
    content = _content(line, path.suffix, about)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise RacerError(f"the line {path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _content(line: Line, suffix: str, about: str) -> bytes:
    if suffix == ".py":
        return as_python(line, about).encode()
    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, rows(line), allow_pickle=False)
    else:
        np.savetxt(buffer, rows(line), fmt="%.5f", delimiter=",", header=",".join(COLUMNS), comments="")
    return buffer.getvalue()
