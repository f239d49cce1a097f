"""Trains a run again and again and is killed every time; `test_kills` runs it and looks at what is left.

A process that has imported everything and started no thread forks one training for every line ``HOW NUMBER`` that it
reads, and answers with the signal that ended it and the steps of the last report. HOW says when it is killed:

* ``time``: NUMBER milliseconds after the first iteration;
* ``file``: before the NUMBER-th time, from the first checkpoint on, that a file is opened for writing, renamed or
  removed;
* ``size``: in the middle of writing a file, at its NUMBER-th byte (the system kills who writes beyond its limit).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.policy_driver import evaluators
from training.run_folder import RunFolder
from training.trainer import Report, Stop, Trainer

CHANGES = ("os.rename", "os.remove")


def main() -> None:
    """Train the run that is named on the command line, once for every line."""
    run = Path(sys.argv[1])
    warm_up(run)
    for line in sys.stdin:
        how, number = line.split()
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            train(run, how, int(number), tell)
        os.close(tell)
        steps = read_steps(told, child, int(number) / 1000.0 if how == "time" else None)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, steps, flush=True)


def warm_up(run: Path) -> None:
    """Load what every training needs, once for all: torch's compiler and the simulator's kernels."""
    torch.optim.Adam([torch.zeros(1)])
    (world,) = evaluators(RunFolder.open(run), seed=0)
    world.reset()
    world.step(np.zeros(world.n, np.int64))


def read_steps(told: int, child: int, delay: float | None) -> int:
    """Read what the training reports until it ends; kill it so many seconds after the first time."""
    steps = 0
    with open(told, "rb", buffering=0) as pipe:
        while report := pipe.readline():
            if delay is not None and not steps:
                time.sleep(delay)
                os.kill(child, signal.SIGKILL)
            steps = int(report)
    return steps


def train(run: Path, how: str, number: int, tell: int) -> None:
    """Train until killed."""
    trainer = Trainer(RunFolder.open(run), resume=True)
    if how == "file":
        sys.addaudithook(kill_at(number, str(run)))
    if how == "size":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))
    with contextlib.suppress(BrokenPipeError):
        trainer.train(Stop(minutes=5.0), lambda report: report_to(tell, report))
    os._exit(1)


def report_to(tell: int, report: Report) -> None:
    """Say how many steps have been made."""
    os.write(tell, b"%d\n" % report.course.steps)


def kill_at(number: int, folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Kill this process before the n-th change of a file in a folder."""
    seen = 0

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen
        if (event == "open" and args[1] and set(args[1]) & set("wax")) or event in CHANGES:
            seen += str(args[0]).startswith(folder)
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return watch


if __name__ == "__main__":
    main()
