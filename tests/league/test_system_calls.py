"""Every call that could reach out is refused to a confined process, by its number; what driving takes is not."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from league import sandbox
from league.confinement import Limits
from league.system_calls import ABSENT, ARCHITECTURES, CLONE, OPENS, OWN, REFUSED, REQUESTS, numbers, program

LIMITS = Limits(cpu_seconds=60, wall_seconds=60, memory_mb=256)
MACHINE = platform.machine()
EPERM, ENOSYS = 1, 38
filtered = pytest.mark.skipif(
    sys.platform != "linux" or MACHINE not in ARCHITECTURES, reason="there is no filter for this system"
)


def errors(calls: list[list[int]]) -> list[int]:
    """The errors that calls, each a number and its arguments, end with; 0 if with none."""
    libc, out = ctypes.CDLL(None, use_errno=True), []
    for call in calls:
        ctypes.set_errno(0)
        out.append(ctypes.get_errno() if libc.syscall(*map(ctypes.c_long, call)) == -1 else 0)
    return out


def ended(calls: list[list[int]]) -> Any:
    outcome = sandbox.run(errors, calls, LIMITS)
    assert outcome.failed is None
    return outcome.value


def limits_itself(_: Any) -> Any:
    resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE, (64, 64))
    return resource.prlimit(0, resource.RLIMIT_NOFILE)


def raises_a_signal(_: Any) -> Any:
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    signal.raise_signal(signal.SIGUSR1)
    return seen


def aborts(_: Any) -> Any:
    os.abort()


@filtered
def test_what_reaches_out_is_refused_whatever_its_arguments() -> None:
    calls = numbers(REFUSED, MACHINE)
    nothing = [-1] * 6
    said = dict(zip(calls, ended([[number, *nothing] for number in calls.values()]), strict=True))
    assert len(calls) > 80
    assert {name for name, error in said.items() if error != EPERM} == set()
    assert set(ended([[number, *nothing] for number in numbers(ABSENT, MACHINE).values()])) == {ENOSYS}


@filtered
def test_files_keep_their_mode_owner_times_and_content(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_text("mine")
    before = file.stat()
    for change in ("os.chmod({0}, 0)", "os.chown({0}, 0, 0)", "os.utime({0}, (0, 0))", "os.truncate({0}, 0)"):
        outcome = sandbox.run(evaluated, change.format(repr(str(file))), LIMITS)
        assert outcome.failed
        assert outcome.failed.startswith("PermissionError")
    assert file.stat() == before


def evaluated(code: str) -> Any:
    return eval(code)


@filtered
def test_another_process_is_out_of_reach_and_its_own_is_not() -> None:
    other, calls = os.getpid(), numbers(OWN, MACHINE)
    said = dict(zip(calls, ended([[number, other, 0, 0, 0, 0, 0] for number in calls.values()]), strict=True))
    assert {name for name, error in said.items() if error != EPERM} == set()
    assert sandbox.run(limits_itself, None, LIMITS).value == [64, 64]
    assert sandbox.run(raises_a_signal, None, LIMITS).value == [signal.SIGUSR1]
    assert sandbox.run(aborts, None, LIMITS).failed == "its process died with SIGABRT"


@filtered
def test_no_descriptor_sends_signals_and_files_are_opened_only_for_reading() -> None:
    calls = [[n, 0, request] for c, some in REQUESTS.items() for n in numbers(c, MACHINE).values() for request in some]
    opens = [
        [number, *_opened(argument, flags)]
        for call, argument in OPENS.items()
        for number in numbers(call, MACHINE).values()
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC)
    ]
    assert set(ended(calls + opens)) == {EPERM}
    assert sandbox.run(evaluated, "len(open(os.devnull, 'rb').read())", LIMITS).value == 0


def _opened(argument: int, flags: int) -> list[int]:
    return [flags if i == argument else 0 for i in range(4)]


def test_no_number_stands_for_two_calls_and_every_jump_ends_in_the_program() -> None:
    tables = [REFUSED, OWN, ABSENT, CLONE, *REQUESTS, *OPENS]
    for machine in ARCHITECTURES:
        known = [number for table in tables for number in numbers(table, machine).values()]
        assert len(known) == len(set(known))
        steps = list(_steps(program(machine, 1)))
        assert all(i + 1 + max(skips) < len(steps) for i, (_, *skips, _) in enumerate(steps) if any(skips))
        assert len(steps) < 4096  # what Linux takes


def _steps(code: bytes) -> Iterator[tuple[int, int, int, int]]:
    yield from struct.iter_unpack("<HBBI", code)
