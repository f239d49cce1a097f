"""A user's Python file: compiled once, executed often, listened to, and blamed by line."""

from __future__ import annotations

import inspect
import linecache
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TextIO

import numpy as np

from racer_env.errors import RewardError


class Printed:
    """Stands in for ``sys.stdout`` while user code runs, and keeps the last lines printed.

    Only for the thread that runs the user's code: a display that another one draws goes where it always went.
    """

    LINES, WIDTH = 1000, 2000
    _turn = threading.RLock()
    _elsewhere: TextIO = sys.stdout

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=self.LINES)
        self._unfinished = ""
        self._dropped = 0
        self._thread = 0

    def __enter__(self) -> None:
        self._turn.acquire()
        self._thread = threading.get_ident()
        self._elsewhere = sys.stdout
        sys.stdout = self

    def __exit__(self, *_: object) -> None:
        sys.stdout = self._elsewhere
        self._turn.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._elsewhere, name)

    def write(self, text: str) -> int:
        """Take what is printed; `print` calls this."""
        if threading.get_ident() != self._thread:
            return self._elsewhere.write(text)
        *lines, unfinished = (self._unfinished + text).split("\n")
        self._unfinished = unfinished[: self.WIDTH]
        self._dropped += max(0, len(self._lines) + len(lines) - self.LINES)
        self._lines.extend(line[: self.WIDTH] for line in lines)
        return len(text)

    def take(self) -> list[str]:
        """Hand over the lines and forget them; if there were too many, the first one says so."""
        lines = [f"({self._dropped} earlier lines dropped)"] if self._dropped else []
        lines += self._lines
        if self._unfinished:
            lines.append(self._unfinished)
        self._lines.clear()
        self._unfinished, self._dropped = "", 0
        return lines


def read_source(path: Path) -> str:
    """Read a file. Raises `RewardError` if it is not there or not UTF-8 text."""
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise RewardError(f"{path}: there is no such reward function file") from None
    except OSError as error:
        raise RewardError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RewardError(f"{path}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8 text") from error


def compile_file(path: Path) -> CodeType:
    """Compile a file. Raises `RewardError` with the line if it is not valid Python."""
    source = read_source(path)
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise RewardError(f"{path}:{error.lineno or 1}: not valid Python: {error.msg}") from error
    except ValueError as error:  # a null byte, before Python 3.12
        raise RewardError(f"{path}:1: not valid Python: {error}") from error
    # Tracebacks show the lines as loaded, whatever becomes of the file while a job runs.
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    return code


def execute(code: CodeType, name: str) -> ModuleType:
    """Make a module of compiled code. Raises `RewardError` with the line that failed."""
    module = ModuleType(name)
    module.__file__ = str(Path(code.co_filename).absolute())
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        exec(code, module.__dict__)  # noqa: S102 - running the user's own file is what this is for
    except (Exception, SystemExit) as error:
        line = line_of(error, code.co_filename) or 1
        raise RewardError(f"{code.co_filename}:{line}: loading it failed with {said(error)}") from error
    return module


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """The code that runs when something is called; None if it is not written in Python."""
    inner = inspect.unwrap(function)
    if not hasattr(inner, "__code__"):
        inner = type(inner).__call__
    code = getattr(inner, "__code__", None)
    return code if isinstance(code, CodeType) else None


def strings(code: CodeType | None) -> Iterator[str]:
    """All string constants in code and in the functions in it: among them the keys that it reads."""
    for constant in code.co_consts if code else ():
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from strings(constant)


def line_of(error: BaseException, path: str) -> int | None:
    """The innermost line of a file that an exception went through."""
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == path]
    return lines[-1] if lines else None


def said(error: BaseException) -> str:
    """An exception's type and message in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def abbreviated(value: Any) -> str:
    """A value in a few words: long lists by their first item and length."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple | np.ndarray) and len(value) > 3:
        return f"[{abbreviated(value[0])}, … {len(value)} in all]"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(abbreviated(v) for v in value) + "]"
    return repr(value)[:60]
