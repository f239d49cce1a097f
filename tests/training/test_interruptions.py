"""A run survives Ctrl-C, kill -9 and a full disk, wherever they strike."""

from __future__ import annotations

import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from tests.disk import fill
from training.run_folder import RunError, RunFolder
from training.trainer import Stop, Trainer

MakeModel = Callable[..., Path]
MakeTrainer = Callable[..., Trainer]

#: Is a Ctrl-C at the n-th call of each of the four cars: someone hammers on the keys.
AT_CALL = """
import inspect, os, signal
n = 0
def reward_function(params):
    global n
    n += 1
    if n == {call} and "gather" in [frame.function for frame in inspect.stack()]:  # not in an evaluation
        os.kill(os.getpid(), signal.SIGINT)
    return 1.0
"""


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int], None]]:
    """Makes files unable to grow beyond a size: the system refuses as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "racer_env.cli", *map(str, words)]


def await_file(file: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ctrl_c_saves_and_leaves(model: MakeModel, racer: Callable[..., Result], tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = racer("train", model(AT_CALL.format(call=100)), "--track", "oval", "--cars", 4, "--run", run)
    assert result.exit_code == 130
    assert "interrupted and saved: 384 steps" in result.output
    course = RunFolder.open(run).course()
    assert (course.steps, len(course.history)) == (384, 3)
    assert RunFolder.open(run).course("best").best_completion is not None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_very_first_steps_leaves_a_run_that_goes_on(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path
) -> None:
    made = trainer(model(AT_CALL.format(call=8)), tmp_path / "run")
    assert made.train(Stop(minutes=1.0)).steps == 0
    assert made.interrupted
    assert made.run.course("best").steps == 0
    Trainer(made.run, resume=True)


def test_a_second_ctrl_c_ends_it_at_once_and_what_was_saved_stays(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(model(AT_CALL.format(call=100)), tmp_path / "run")
    made.settings = made.settings.model_copy(update={"evaluate_every": 1000})
    monkeypatch.setattr("training.trainer.evaluate", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        made.train(Stop(minutes=1.0))
    assert made.run.course().steps == 384
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("size", [0, 200, 2000, 20_000, 100_000])
def test_a_full_disk_is_one_sentence_and_keeps_the_last_checkpoint(
    model: MakeModel, trainer: MakeTrainer, tmp_path: Path, limit_file_size: Callable[[int], None], size: int
) -> None:
    made = trainer(model("def reward_function(params):\n    print('hello')\n    return 1.0\n"), tmp_path / "run")
    made.train(Stop(steps=128))
    before = made.run.checkpoint("last").read_bytes()
    limit_file_size(size)
    with pytest.raises(RunError, match=f"^{made.run.path}.* cannot be written: ") as caught:
        made.train(Stop(steps=256))
    limit_file_size(resource.RLIM_INFINITY)
    assert "\n" not in str(caught.value)
    assert made.run.checkpoint("last").read_bytes() == before
    assert not list(made.run.path.rglob("*.part*"))
    Trainer(made.run, resume=True).train(Stop(steps=128))


def test_a_disk_that_is_full_from_the_start_leaves_no_run(
    model: MakeModel, refused: Callable[..., str], tmp_path: Path, limit_file_size: Callable[[int], None]
) -> None:
    folder = model()
    limit_file_size(100)
    assert f"{tmp_path / 'run'}/model/model_metadata.json cannot be written" in refused(
        "train", folder, "--track", "oval", "--run", tmp_path / "run"
    )
    limit_file_size(resource.RLIM_INFINITY)
    assert [f.name for f in tmp_path.iterdir()] == ["model"]


@pytest.mark.slow
def test_two_processes_cannot_train_one_run_and_a_killed_one_leaves_no_lock(
    model: MakeModel, refused: Callable[..., str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ("train", model(), "--track", "oval", "--cars", 4, "--run", run)
    with subprocess.Popen(command(*words), stdout=subprocess.DEVNULL) as process:
        await_file(run / "checkpoints" / "last.zip", process)
        said = refused("train", "--resume", run, "--steps", 1)
        process.kill()
    assert said == f"{run} is being trained by process {process.pid} already; stop that first, or wait for it"
    steps = RunFolder.open(run).course().steps
    assert Trainer(RunFolder.open(run), resume=True).train(Stop(steps=1)).steps == steps + 128


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_keeps_the_last_checkpoint_and_goes_on_when_there_is_room(
    model: MakeModel, small_disk: Path, racer: Callable[..., Result]
) -> None:
    run, ballast = small_disk / "run", small_disk / "ballast"
    assert racer("train", model(), "--track", "oval", "--cars", 4, "--run", run, "--steps", 1).exit_code == 0
    fill(ballast)
    result = racer("train", "--resume", run, "--steps", 128)
    assert isinstance(result.exception, RunError)
    assert re.fullmatch(rf"{run}/\S+ cannot be written: no space left on device", str(result.exception))
    assert RunFolder.open(run).course().steps == 128
    ballast.unlink()
    assert racer("train", "--resume", run, "--steps", 128).exit_code == 0
    assert RunFolder.open(run).course().steps == 256


@pytest.mark.slow
def test_ctrl_c_on_a_terminal_leaves_the_terminal_in_order(model: MakeModel, tmp_path: Path) -> None:
    run = tmp_path / "run"
    master, slave = pty.openpty()
    own_terminal = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from racer_env.cli import main; main()"
    words = [sys.executable, "-c", own_terminal, *command("train", model(), "--track", "oval", "--run", run)[3:]]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment)
    os.close(slave)
    shown = b""
    while b"of 5 laps" not in shown:
        shown += os.read(master, 65536)
    os.write(master, b"\x03")
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    assert process.wait(timeout=30) == 130
    text = shown.decode()
    assert "Ctrl-C saves and leaves" in text
    assert "interrupted and saved" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")  # the cursor is visible again
    assert RunFolder.open(run).course().steps > 0
