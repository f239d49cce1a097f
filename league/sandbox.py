"""A process of its own for everything that touches a stranger's file, under `league.confinement`.

After `prepare`, processes are copies of one that has loaded the simulator, so that one costs milliseconds; before it,
and on systems without ``fork``, each begins from nothing. What comes back is JSON, never a pickle, of a bounded
size, and waited for by a thread: a process that a file has taken over can lie, but neither reach out nor hold us up.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from league.confinement import Limits, confine
from league.errors import LeagueError
from racer_env.errors import BundleError, MetadataError

#: One thread, so that processes do not get into each other's way and sums are always taken in the same order; and the
#: same instructions on every x86-64 processor with AVX2, so that a receipt of one machine can be checked on another.
#: The variables are those of OpenMP, MKL, numba (the threads that survive being copied), PyTorch and oneDNN.
ARITHMETIC = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "NUMBA_THREADING_LAYER": "workqueue",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "AVX2",
}

#: Bytes of an answer, that is of all runs and their replays together: a lap's takes some kB, and no replay over 16 MB.
MAX_ANSWER = 64 * 2**20
MAX_TEXT = 10_000  #: letters of a refusal or failure
_TO_DIE = 5.0  #: s for a process that has hung up

_CPU_UP, _KILLED = 24, 9  #: signals by which a process ends whose processor time is up (Linux, macOS)
_prepared: list[bool] = []  #: true once there is a process to copy

#: Computes what can be written as JSON.
Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a call: a value, or why there is none."""

    value: Any = None
    refused: str | None = None  #: the file is to blame: why
    failed: str | None = None  #: it is not: what happened

    def to_json(self) -> bytes:
        """As `of` takes it."""
        if self.refused is not None:
            return json.dumps({"refused": self.refused[:MAX_TEXT]}).encode()
        if self.failed is not None:
            return json.dumps({"failed": self.failed[:MAX_TEXT]}).encode()
        return json.dumps({"value": self.value}).encode()

    @classmethod
    def of(cls, answer: object) -> Outcome:
        """What a process said, here or on another machine; it may be lying, and nonsense is a failure."""
        if isinstance(answer, bytes) and len(answer) > MAX_ANSWER:
            return cls.too_long()
        try:
            if isinstance(answer, bytes):
                return cls(**vars(_ANSWER.validate_python(json.loads(answer))))
        except (ValueError, RecursionError):  # not in its own words
            pass
        return cls(failed="its process answered nonsense")

    @classmethod
    def too_long(cls) -> Outcome:
        """What becomes of an answer that is."""
        return cls(failed=f"its process answered more than {MAX_ANSWER} bytes")


#: Letters that either database keeps.
_Text = Annotated[str, Field(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]


class _Value(BaseModel, extra="forbid"):
    value: Any


class _Refusal(BaseModel, extra="forbid"):
    refused: _Text


class _Failure(BaseModel, extra="forbid"):
    failed: _Text


_ANSWER: TypeAdapter[_Value | _Refusal | _Failure] = TypeAdapter(_Value | _Refusal | _Failure)


@dataclass(eq=False)
class Call:
    """A function that is being computed by a process of its own."""

    process: BaseProcess
    connection: Connection
    limits: Limits
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Begin to listen."""
        self.heard, us = multiprocessing.Pipe(duplex=False)  #: ends once it has answered, or hung up
        self._answer: bytes | None = None
        self._listener = threading.Thread(target=self._listen, args=(us,), daemon=True)
        self._listener.start()

    def _listen(self, us: Connection) -> None:
        with us, suppress(EOFError, OSError):
            self._answer = self.connection.recv_bytes(MAX_ANSWER)  # closes the connection if it is to be more

    def overdue(self) -> bool:
        """Whether it takes longer than it may."""
        return time.monotonic() - self.started > self.limits.wall_seconds

    def end(self) -> None:
        """Kill the process, if there still is one."""
        self.process.kill()
        self.process.join()
        self._listener.join()
        self.connection.close()
        self.heard.close()

    def given_up(self) -> Outcome:
        """Kill it because it is overdue: the machine is to blame, for what computes without end meets another limit."""
        self.end()
        return Outcome(failed=f"it took more than the {self.limits.wall_seconds} s allowed")

    def outcome(self) -> Outcome:
        """What it said; or how it died, if it has nothing to say. To be asked once it is `finished`."""
        self._listener.join()
        try:
            if self._answer is not None:
                return Outcome.of(self._answer)
            if self.connection.closed:
                return Outcome.too_long()
            self.process.join(_TO_DIE)
            return self._died()
        finally:
            self.end()

    def _died(self) -> Outcome:
        code = self.process.exitcode
        if code is None:
            return Outcome(failed="its process hung up")
        if code in (-_CPU_UP, -_KILLED) and self._cpu_is_up():
            return Outcome(refused=f"it took more than the {self.limits.cpu_seconds} s of processor time allowed")
        return Outcome(failed=f"its process died with {signal.Signals(-code).name if code < 0 else code}")

    def _cpu_is_up(self) -> bool:
        return time.monotonic() - self.started >= self.limits.cpu_seconds


def start(function: Function, argument: Any, limits: Limits = Limits()) -> Call:  # noqa: B008 (it is frozen)
    """Compute a function of one argument in a process of its own. Raises `LeagueError` if there can be none now."""
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, function, argument, limits), daemon=True)
    try:
        with _without_main():
            process.start()
    except (EOFError, OSError) as error:
        ours.close()
        raise LeagueError(f"no process can be started: {error}") from error
    finally:
        theirs.close()
    return Call(process, ours, limits)


def finished(calls: Iterable[Call], timeout: float) -> list[Call]:
    """Wait until some calls have an outcome, or for a time, s; which do."""
    by_line = {call.heard: call for call in calls}
    return [by_line[ready] for ready in wait(list(by_line), timeout) if isinstance(ready, Connection)]


def run(function: Function, argument: Any, limits: Limits = Limits()) -> Outcome:  # noqa: B008 (it is frozen)
    """Compute a function in a process of its own, and wait for it."""
    call = start(function, argument, limits)
    try:
        if finished([call], limits.wall_seconds):
            return call.outcome()
        return call.given_up()
    finally:
        call.end()


def protection(limits: Limits = Limits()) -> list[str]:  # noqa: B008 (it is frozen)
    """What processes are kept from on this system, in words."""
    return list(run(_nothing, None, limits).value or ())


def prepare() -> None:
    """Start the process whose copies compute, unless it runs; the first time it compiles, which takes a minute."""
    if _copies() and not _prepared:
        from multiprocessing import forkserver  # noqa: PLC0415 (Windows has none)

        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["league.warm"])
        _prepared.append(True)
        with _deaf(), _elsewhere():
            forkserver.ensure_running()
        run(_nothing, None)


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C: it is for us to end them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Start processes that load nothing from the folder they are started in: a league has a folder ``tracks``, too."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _copies() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def _context() -> Any:
    """How processes are made: as copies of the one that is prepared, or else each from nothing."""
    return multiprocessing.get_context("forkserver" if _prepared else "spawn")


@contextmanager
def _without_main() -> Iterator[None]:
    """Start a process without loading again the script that this one runs: nothing of it is needed."""
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _nothing(_: Any) -> None: ...


def _serve(connection: Connection, function: Function, argument: Any, limits: Limits) -> None:
    """Be the process: confine ourselves, compute, answer."""
    os.environ.update(ARITHMETIC)
    _be_silent()
    protections = confine(limits, _readable())
    _keep_no_kernels()
    try:
        value = function(argument)
        outcome = Outcome(protections if function is _nothing else value)
    except (BundleError, MetadataError) as error:
        outcome = Outcome(refused=str(error))
    except MemoryError:
        outcome = Outcome(refused=f"it needs more than the {limits.memory_mb} MB of memory allowed")
    except Exception as error:  # noqa: BLE001 (whatever it is, the parent must hear of it)
        outcome = Outcome(failed=f"{type(error).__name__}: {error}")
    connection.send_bytes(outcome.to_json())
    connection.close()


def _readable() -> list[Path]:
    """Folders that driving reads: ours, and where kernels are kept that were compiled (`racer_env.kernel`)."""
    ours = Path(__file__).resolve().parent.parent
    packages = [ours / name for name in ("league", "racer_env", "tracks")]
    kept = os.environ.get("NUMBA_CACHE_DIR")
    return [*packages, Path.home() / ".cache" / "racer", *([Path(kept)] if kept else [])]


def _keep_no_kernels() -> None:
    """What must still be compiled cannot be written down any more."""
    if "numba" in sys.modules:
        from numba.core.caching import Cache  # noqa: PLC0415

        Cache.save_overload = lambda *_: None  # type: ignore[method-assign]


def _be_silent() -> None:
    """Ctrl-C is the parent's business, and what libraries print nobody's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
