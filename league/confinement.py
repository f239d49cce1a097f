"""What a process gives up before it touches a stranger's file: time, memory, files, the network, other processes.

Everywhere the system's resource limits hold; on Linux a system-call filter (seccomp, x86-64 and arm64) refuses
sockets, new processes, and what reaches into others or changes files (`league.system_calls`), and Landlock leaves it
only files to read that Python itself needs; its form is that of ``landlock(7)``. None needs privileges and none can be
taken back. `confine` says what it got; on other systems that is less.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from league.system_calls import ARCHITECTURES, program

FILES = 128  #: that may be open at a time


@dataclass(frozen=True)
class Limits:
    """What a submission may use: the last resort against hostile ones, which no other driver reaches.

    A run ends in simulated time (`league.races.RaceSettings.ends_after`), and a driver sees 15 pictures in each second
    of it. The slowest network that is read (`racer_env.graph.MAX_WORK`) takes 0.17 s for one on a core of 2023, which
    makes 2.6 s of processor time for each simulated second; `pace` lets a machine be more than four times as slow. The
    original's networks take 0.02 s for a picture at most, and the simulator 0.001 s.
    """

    cpu_seconds: int = 600  #: of processor time
    wall_seconds: int = 1800
    memory_mb: int = 2048  #: beyond what the simulator itself takes
    pace: float = 12.0  #: s of processor time for each second that a drive simulates, besides

    def driving(self, simulated: float, drivers: int = 1) -> Limits:
        """Those of a drive of several drivers that simulates so many seconds at most, of all cars."""
        more = math.ceil(self.pace * simulated)
        return replace(
            self,
            cpu_seconds=self.cpu_seconds + more,
            wall_seconds=self.wall_seconds + more,
            memory_mb=self.memory_mb * drivers,
            pace=0.0,
        )


def confine(limits: Limits, readable: Iterable[Path] = ()) -> list[str]:
    """Give up everything that driving does not need, for good.

    Args:
        limits: of time and memory.
        readable: folders that may be read besides Python's own.

    Returns:
        What holds from now on, in words.
    """
    got = _limit_resources(limits)
    if sys.platform == "linux":
        _prctl(_NO_NEW_PRIVS, 1)
        got += ["reads only what it needs, writes no file (Landlock)"] if _forbid_files(readable) else []
        got += ["no network, no other process, no change of a file (seccomp)"] if _filter_calls() else []
    return got


def _limit_resources(limits: Limits) -> list[str]:
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return []
    driving = f" and {limits.pace:g} s for each simulated one" if limits.pace else ""
    wanted = {f"{limits.cpu_seconds} s of processor time{driving}": (resource.RLIMIT_CPU, limits.cpu_seconds)}
    if sys.platform == "linux":  # macOS takes this limit and does not keep to it
        memory = _address_space() + limits.memory_mb * 2**20
        wanted[f"{limits.memory_mb} MB of memory"] = (resource.RLIMIT_AS, memory)
    wanted[f"{FILES} open files"] = (resource.RLIMIT_NOFILE, FILES)
    wanted["files of 0 bytes"] = (resource.RLIMIT_FSIZE, 0)
    wanted["no core dumps"] = (resource.RLIMIT_CORE, 0)
    got = []
    for what, (which, most) in wanted.items():
        _, hard = resource.getrlimit(which)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(which, (allowed, allowed))
        except (ValueError, OSError):  # macOS refuses some
            continue
        got.append(what)
    return got


def _address_space() -> int:
    """Bytes that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


_NO_NEW_PRIVS, _SECCOMP, _FILTER = 38, 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  #: Landlock's calls, on every architecture
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: All rights to files that each version of Landlock knows, as numbers of bits.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int, pointer: object = 0) -> int:
    return int(_libc().prctl(option, ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)))


def _forbid_files(readable: Iterable[Path]) -> bool:
    """Leave only reading below some folders."""
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    handled = (1 << _RIGHTS[min(version, max(_RIGHTS))]) - 1
    attributes = struct.pack("<Q", handled)
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for folder in {*_pythons_own(), *readable}:
            _allow_reading(libc, rules, folder)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow_reading(libc: ctypes.CDLL, rules: int, path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
    libc.syscall(_ADD_RULE, rules, 1, struct.pack("<Qi", rights, descriptor), 0)
    os.close(descriptor)


def _pythons_own() -> set[Path]:
    """Where Python, its packages and the system's libraries lie."""
    system = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc", "/sys/devices", "/dev/null", "/dev/urandom")
    packages = (path for path in sys.path if path.endswith("-packages"))
    return {Path(p) for p in (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *packages, *system)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _filter_calls() -> bool:
    """Refuse the network, new processes and what reaches into others or changes files; threads are fine."""
    if platform.machine() not in ARCHITECTURES:
        return False
    code = program(platform.machine(), os.getpid())
    filter_ = _Program(len(code) // 8, code)
    return _prctl(_SECCOMP, _FILTER, ctypes.byref(filter_)) == 0
