"""Which of Linux's system calls a confined process may not make, as a program for seccomp's filter.

The numbers are those of Linux's system-call tables (``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``), the program's form that of ``seccomp(2)``. A filter sees numbers, not what a
pointer leads to, so calls that hide their flags behind one do not exist, and the C library takes the older ones.
Which files are read is Landlock's business (`league.confinement`); it does not know of truncating before its third
version, and of what is known about a file, its mode, owner, times and attributes, in none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

#: Calls that are refused, each with its numbers on x86-64 and arm64. None of them is needed to drive.
REFUSED = """
# the network
socket 41 198, connect 42 203, accept 43 202, sendto 44 206, sendmsg 46 211, bind 49 200, listen 50 201,
socketpair 53 199, accept4 288 242, sendmmsg 307 269
# processes
fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, kill 62 129, ptrace 101 117, process_vm_readv 310 270,
process_vm_writev 311 271, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, pidfd_send_signal 424 424,
pidfd_open 434 434, pidfd_getfd 438 438, process_madvise 440 440, process_mrelease 448 448, setpriority 141 140,
ioprio_set 251 30, kcmp 312 272, unshare 272 97, setns 308 268, perf_event_open 298 241
# what processes share
shmget 29 194, shmat 30 196, shmctl 31 195, semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192,
msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, mq_unlink 241 181,
mq_timedsend 242 182, mq_timedreceive 243 183, add_key 248 217, request_key 249 218, keyctl 250 219
# files
creat 85 -, truncate 76 45, rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37,
symlink 88 -, symlinkat 266 36, unlink 87 -, unlinkat 263 35, mkdir 83 -, mkdirat 258 34, rmdir 84 -,
mknod 133 -, mknodat 259 33, chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -,
fchown 93 55, lchown 94 -, fchownat 260 54, utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88,
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, setxattrat 463 463, removexattr 197 14, lremovexattr 198 15,
fremovexattr 199 16, removexattrat 466 466, file_setattr 469 469, open_by_handle_at 304 265
# the system
pivot_root 155 41, chroot 161 51, mount 165 40, umount2 166 39, mount_setattr 442 442, move_mount 429 429,
open_tree 428 428, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, swapon 167 224,
swapoff 168 225, acct 163 89, quotactl 179 60, quotactl_fd 443 443, kexec_load 246 104, kexec_file_load 320 294,
init_module 175 105, finit_module 313 273, delete_module 176 106, bpf 321 280, userfaultfd 323 282,
io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, reboot 169 142, sethostname 170 161,
setdomainname 171 162, settimeofday 164 170, clock_settime 227 112, adjtimex 159 171, clock_adjtime 305 266
"""

#: Calls that are refused unless their first argument is 0 or the process itself.
OWN = """
tkill 200 130, tgkill 234 131, prlimit64 302 261, sched_setaffinity 203 122, sched_setscheduler 144 119,
sched_setparam 142 118, sched_setattr 314 274, migrate_pages 256 238, move_pages 279 239
"""

#: Second arguments that are refused: to have another process get signals (F_SETSIG, F_SETOWN, F_SETOWN_EX; FIOSETOWN,
#: SIOCSPGRP), to type on its terminal (TIOCSTI), to change a file's attributes (FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR).
REQUESTS = {
    "fcntl 72 25": (10, 8, 15),
    "ioctl 16 29": (0x8901, 0x8902, 0x5412, 0x4008_6602, 0x401C_5820),
}

#: Calls that open a file only for reading, and which of their arguments has the flags.
OPENS = {"open 2 -": 1, "openat 257 56": 2}

#: Calls that do not exist, because their flags are behind a pointer.
ABSENT = "clone3 435 435, openat2 437 437"

CLONE, _THREAD = "clone 56 220", 0x10000  #: only threads are made
ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

_CHANGE = 0o1103  #: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_ENOSYS, _EPERM = 38, 1
_LOAD, _JUMP_EQUAL, _JUMP_ABOVE, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  #: of classic BPF
_ALLOWED, _KILLED, _ERRNO = (_RETURN, 0, 0, 0x7FFF_0000), (_RETURN, 0, 0, 0x8000_0000), 0x0005_0000
_REFUSAL, _ABSENCE = (_RETURN, 0, 0, _ERRNO | _EPERM), (_RETURN, 0, 0, _ERRNO | _ENOSYS)
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  #: offsets in ``struct seccomp_data``; only lower halves are looked at

#: An instruction: a code, how many to skip if it is true and if it is false, and a number.
Step = tuple[int, int, int, int]


def numbers(calls: str, machine: str) -> dict[str, int]:
    """The numbers of those calls of a table that an architecture has."""
    lines = (line for line in calls.splitlines() if not line.startswith("#"))
    rows = (row.split() for row in ",".join(lines).split(",") if row.strip())
    column = 1 + list(ARCHITECTURES).index(machine)
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def program(machine: str, pid: int) -> bytes:
    """The filter of a process, for an architecture of `ARCHITECTURES`."""
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        _KILLED,
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_ABOVE, 0, 1, 0x4000_0000),  # the x32 way to call
        _REFUSAL,
        *_on(ABSENT, machine, [_ABSENCE]),
        *_on(REFUSED, machine, [_REFUSAL]),
        *_on(CLONE, machine, [_argument(0), (_JUMP_BITS, 1, 0, _THREAD), _REFUSAL, _ALLOWED]),
        *_on(OWN, machine, [_argument(0), (_JUMP_EQUAL, 2, 0, 0), (_JUMP_EQUAL, 1, 0, pid), _REFUSAL, _ALLOWED]),
    ]
    for call, requests in REQUESTS.items():
        tests = [(_JUMP_EQUAL, len(requests) - i, 0, request) for i, request in enumerate(requests)]
        steps += _on(call, machine, [_argument(1), *tests, _ALLOWED, _REFUSAL])
    for call, flags in OPENS.items():
        steps += _on(call, machine, [_argument(flags), (_JUMP_BITS, 1, 0, _CHANGE), _ALLOWED, _REFUSAL])
    return b"".join(struct.pack("<HBBI", *step) for step in [*steps, _ALLOWED])


def _argument(number: int) -> Step:
    return _LOAD, 0, 0, _ARGUMENTS + 8 * number


def _on(calls: str, machine: str, then: list[Step]) -> Iterable[Step]:
    """Steps for some calls, that end in an answer."""
    for number in numbers(calls, machine).values():
        yield _JUMP_EQUAL, 0, len(then), number
        yield from then
