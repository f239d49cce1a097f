"""What touches a stranger's file has a process of its own, and that process can do little."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from league import sandbox
from league.confinement import Limits
from league.sandbox import Outcome
from racer_env.errors import BundleError

LIMITS = Limits(cpu_seconds=60, wall_seconds=60, memory_mb=256)
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have resource limits only")


def refuses(_: Any) -> Any:
    raise BundleError("its weights are not numbers")


def breaks(_: Any) -> Any:
    raise RuntimeError("a mistake of ours")


def opens_a_socket(_: Any) -> Any:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM).fileno()


def starts_a_process(_: Any) -> Any:
    return subprocess.run(["true"], check=True).returncode


def forks(_: Any) -> Any:
    return os.fork()


def kills_its_parent(_: Any) -> Any:
    return os.kill(os.getppid(), 0)


def writes(path: str) -> Any:
    return Path(path).write_text("here")


def reads(path: str) -> Any:
    return Path(path).read_text()


def takes_memory(_: Any) -> Any:
    return int(np.ones(2**26).sum())


def runs_for_ever(_: Any) -> Any:
    while True:
        pass


def sleeps(_: Any) -> Any:
    time.sleep(60)


def starts_threads(_: Any) -> Any:
    seen: list[int] = []
    threads = [threading.Thread(target=seen.append, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seen)


def crashes(_: Any) -> Any:
    ctypes.string_at(0)


def dies(_: Any) -> Any:
    os._exit(3)


def _connection() -> Connection:
    """The one by which this process answers."""
    frame = sys._getframe()
    while "connection" not in frame.f_locals:
        assert frame.f_back
        frame = frame.f_back
    connection = frame.f_locals["connection"]
    assert isinstance(connection, Connection)
    return connection


def answers(said: str) -> Any:
    _connection().send_bytes(said.encode())
    os._exit(0)


def stalls(head: str) -> Any:
    os.write(_connection().fileno(), bytes.fromhex(head))
    time.sleep(60)


def hangs_up(_: Any) -> Any:
    _connection().close()
    time.sleep(60)


def doubles(value: Any) -> Any:
    return value * 2


def test_a_value_comes_back() -> None:
    assert sandbox.run(doubles, [1, "a"], LIMITS).value == [1, "a", 1, "a"]


def test_a_bad_file_is_refused_and_a_mistake_of_ours_is_a_failure() -> None:
    assert sandbox.run(refuses, None, LIMITS) == Outcome(refused="its weights are not numbers")
    assert sandbox.run(breaks, None, LIMITS) == Outcome(failed="RuntimeError: a mistake of ours")


@pytest.mark.parametrize(("function", "code"), [(dies, "3"), (crashes, "SIGSEGV")])
def test_a_process_that_dies_is_a_failure(function: sandbox.Function, code: str) -> None:
    assert sandbox.run(function, None, LIMITS).failed == f"its process died with {code}"


@pytest.mark.parametrize(
    "said",
    [
        *("", "{", "3", "[]", "{}", "null", "[" * 100_000, '{"value": ' + "9" * 5000 + "}"),
        *('{"refused": {}}', '{"refused": null}', '{"failed": 3}', '{"refused": "a", "failed": "b"}'),
        *('{"value": 1, "refused": "a"}', '{"value": 1, "more": 2}', '{"process": 1}'),
        *('{"refused": "\\u0000"}', '{"refused": "\\ud800"}', '{"failed": "' + "x" * 10_001 + '"}'),
    ],
)
def test_an_answer_that_is_none_is_a_failure(said: str) -> None:
    assert sandbox.run(answers, said, LIMITS) == Outcome(failed="its process answered nonsense")


@pytest.mark.parametrize("outcome", [Outcome([1, None]), Outcome(None), Outcome(refused="a"), Outcome(failed="")])
def test_an_outcome_is_read_as_it_was_written(outcome: Outcome) -> None:
    assert Outcome.of(outcome.to_json()) == outcome


@pytest.mark.parametrize("answer", [None, {"value": 1}, Outcome(1), "{}", b"\xff", b'{"value": 1, "refused": null}'])
def test_what_another_machine_says_must_be_an_answer_too(answer: object) -> None:
    assert Outcome.of(answer) == Outcome(failed="its process answered nonsense")


def test_an_answer_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_ANSWER", 1000)
    assert Outcome.of(b" " * 1001).failed == "its process answered more than 1000 bytes"
    assert sandbox.run(doubles, "x" * 400, LIMITS).value == "x" * 800
    assert sandbox.run(doubles, "x" * 600, LIMITS).failed == "its process answered more than 1000 bytes"
    assert sandbox.run(stalls, "7fffffff", LIMITS).failed == "its process answered more than 1000 bytes"


def test_a_process_that_stalls_in_its_answer_holds_nobody_up() -> None:
    stalled, other = (sandbox.start(f, "00001000", LIMITS) for f in (stalls, doubles))
    assert sandbox.finished([stalled, other], 30.0) == [other]
    assert other.outcome().value == "0000100000001000"
    assert sandbox.finished([stalled], 0.2) == []
    stalled.end()
    assert not stalled.process.is_alive()
    told = sandbox.run(stalls, "00001000", replace(LIMITS, wall_seconds=3)).failed
    assert told == "it took more than the 3 s allowed"


def test_a_process_that_hangs_up_and_lives_on_is_a_failure() -> None:
    assert sandbox.run(hangs_up, None, LIMITS).failed == "its process hung up"


@linux
@pytest.mark.parametrize("function", [opens_a_socket, starts_a_process, forks, kills_its_parent])
def test_there_is_no_network_and_no_other_process(function: sandbox.Function) -> None:
    assert "PermissionError" in (sandbox.run(function, None, LIMITS).failed or "")


@linux
def test_threads_are_fine() -> None:
    assert sandbox.run(starts_threads, None, LIMITS).value == [0, 1, 2, 3]


@linux
def test_no_file_is_written_and_only_pythons_own_are_read(tmp_path: Path) -> None:
    if not any("Landlock" in words for words in sandbox.protection(LIMITS)):
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "secret").write_text("the league's key")
    assert "PermissionError" in (sandbox.run(reads, str(tmp_path / "secret"), LIMITS).failed or "")
    assert "PermissionError" in (sandbox.run(writes, str(tmp_path / "mine"), LIMITS).failed or "")
    assert sandbox.run(reads, os.__file__, LIMITS).value


def test_memory_has_a_limit() -> None:
    assert sandbox.run(takes_memory, None, LIMITS).refused == "it needs more than the 256 MB of memory allowed"
    assert sandbox.run(takes_memory, None, replace(LIMITS, memory_mb=1024)).value == 2**26


def test_processor_time_has_a_limit() -> None:
    told = sandbox.run(runs_for_ever, None, replace(LIMITS, cpu_seconds=1)).refused
    assert told == "it took more than the 1 s of processor time allowed"


def test_time_has_a_limit() -> None:
    started = time.monotonic()
    assert sandbox.run(sleeps, None, replace(LIMITS, wall_seconds=1)).failed == "it took more than the 1 s allowed"
    assert time.monotonic() - started < 30.0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process to copy")
@pytest.mark.parametrize("after", [0.2, 1.5])
def test_ctrl_c_while_the_simulator_is_loading_is_only_for_who_waits_for_it(after: float) -> None:
    script = """
from league import sandbox
print(flush=True)
try:
    sandbox.prepare()
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
    command = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as waits:
        assert waits.stdout
        waits.stdout.readline()
        time.sleep(after)
        os.killpg(waits.pid, signal.SIGINT)
        assert waits.communicate(timeout=60) == ("stopped\n", "")


def test_a_process_that_is_broken_off_is_gone() -> None:
    call = sandbox.start(sleeps, None, LIMITS)
    assert call.process.is_alive()
    call.end()
    assert not call.process.is_alive()


def test_what_holds_is_said() -> None:
    words = "; ".join(sandbox.protection(LIMITS))
    assert "60 s of processor time" in words
    assert "256 MB of memory" in words


@pytest.mark.skipif(sys.platform == "win32", reason="Windows copies no processes")
def test_processes_load_nothing_from_the_folder_they_are_started_in(tmp_path: Path) -> None:
    (tmp_path / "here" / "tracks").mkdir(parents=True)
    (tmp_path / "here" / "league.py").write_text("raise SystemExit(9)")
    script = tmp_path / "prepares.py"
    script.write_text(
        "from league import sandbox\nif __name__ == '__main__':\n    sandbox.prepare()\n    print('ready')\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path / "here", capture_output=True, text=True, check=True)
    assert done.stdout == "ready\n"
