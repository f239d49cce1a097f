"""What a process gives up before it touches a stranger's file: time, memory, files, the network, other processes.

Everywhere the system's resource limits hold; on Linux a system-call filter (seccomp, x86-64 and arm64) refuses
sockets, new processes, and what reaches into others, and Landlock leaves it only files to read that Python itself
needs. None needs privileges and none can be taken back. `confine` says what it got; on other systems that is less. The
filter's numbers are those of Linux's system-call tables (``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``), its form that of ``seccomp(2)``; Landlock's that of ``landlock(7)``.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILES = 128  #: that may be open at a time


@dataclass(frozen=True)
class Limits:
    """What a submission may use."""

    cpu_seconds: int = 600  #: of processor time
    wall_seconds: int = 1800
    memory_mb: int = 2048  #: beyond what the simulator itself takes


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
        got += ["no network, no other process (seccomp)"] if _filter_calls() else []
    return got


def _limit_resources(limits: Limits) -> list[str]:
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return []
    wanted = {f"{limits.cpu_seconds} s of processor time": (resource.RLIMIT_CPU, limits.cpu_seconds)}
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


#: Calls that are refused, by architecture: its number for the filter, its own way to make processes, and the rest.
_ARCHITECTURES: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000_003E,
        56,  # clone
        (
            *(
                41,
                42,
                43,
                44,
                46,
                49,
                50,
                53,
                288,
            ),  # socket connect accept sendto sendmsg bind listen socketpair accept4
            *(57, 58, 59, 322, 62, 101, 310, 311),  # fork vfork execve execveat kill ptrace process_vm_readv/writev
            *(155, 161, 165, 166, 246, 175, 313),  # pivot_root chroot mount umount2 kexec_load init_module finit_module
            *(248, 249, 250, 272, 308, 298, 321, 323),  # keys unshare setns perf_event_open bpf userfaultfd
            *(424, 425, 426, 427, 434, 438),  # pidfd_send_signal io_uring pidfd_open pidfd_getfd
        ),
    ),
    "aarch64": (
        0xC000_00B7,
        220,
        (
            *(198, 203, 202, 206, 211, 200, 201, 199, 242),
            *(221, 281, 129, 117, 270, 271),
            *(41, 51, 40, 39, 104, 105, 273),
            *(217, 218, 219, 97, 268, 241, 280, 282),
            *(424, 425, 426, 427, 434, 438),
        ),
    ),
}
_CLONE3, _THREAD = 435, 0x10000
_ENOSYS, _EPERM = 38, 1
_LOAD, _JUMP_EQUAL, _JUMP_ABOVE, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  #: of classic BPF
_ALLOW, _ERRNO, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  #: offsets in ``struct seccomp_data``


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _filter_calls() -> bool:
    """Refuse the network, new processes and what reaches into others; threads are fine."""
    if platform.machine() not in _ARCHITECTURES:
        return False
    code = _filter(*_ARCHITECTURES[platform.machine()])
    program = _Program(len(code) // 8, code)
    return _prctl(_SECCOMP, _FILTER, ctypes.byref(program)) == 0


def _filter(architecture: int, clone: int, refused: tuple[int, ...]) -> bytes:
    """The filter's instructions: each is a code, two jumps (how many to skip if true, if false) and a number."""
    refusals = [(_JUMP_EQUAL, 0, 1, number) for number in refused]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_ABOVE, 0, 1, 0x4000_0000),  # the x32 way to call
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_JUMP_EQUAL, 0, 1, _CLONE3),  # whose flags a filter cannot see; the C library then takes clone
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    ]
    for refusal in refusals:
        steps += [refusal, (_RETURN, 0, 0, _ERRNO | _EPERM)]
    steps += [
        (_JUMP_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_BITS, 1, 0, _THREAD),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
