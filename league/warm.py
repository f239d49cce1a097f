"""Loaded by the process whose copies drive (`league.sandbox.prepare`), and by nobody else.

It computes in the way of `ARITHMETIC` and loads what driving takes, every kernel that a race may need among it; those
that are not compiled yet are compiled and kept here, because a confined process could not keep them. One process does
so at a time: who waits finds them compiled. What a terminal shows while that lasts, a log gets as one line.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import fcntl  # only systems that have it copy processes
import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from league.sandbox import ARITHMETIC

LOG = logging.getLogger(__name__)


@contextmanager
def _alone() -> Iterator[None]:
    """Be the only process that loads kernels. The lock is the system's, and ends with its process."""
    from racer_env.kernel import KEPT

    if KEPT is None:
        yield
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(KEPT / "warm.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _load() -> None:
    """Drive a moment of every kind of race with every sensor."""
    from dataclasses import replace

    import racer_env.network
    import racer_env.trials  # noqa: F401
    from racer_env.obstacles import Bots, Obstacles
    from racer_env.race import EVALUATION
    from racer_env.randomisation import NONE, STRONG
    from racer_env.sensors import SENSORS, find_sensors
    from racer_env.simulator import Simulator
    from racer_env.track import find_track

    full = replace(EVALUATION, obstacles=Obstacles(random=True), bots=Bots(random=True, lane_changes=True))
    one_world = replace(STRONG, worlds=1, cameras=1)
    for race, level in ((EVALUATION, NONE), (full, one_world)):
        sensors = find_sensors([name for name in SENSORS if name != "observation"])
        simulator = Simulator(find_track("oval"), race=race, sensors=sensors, n=2, seed=(0, 1), randomisation=level)
        simulator.reset()
        for _ in range(2):
            simulator.step(simulator.command)


def _log_compiling() -> None:
    """Log it, unless there is a terminal that shows it."""
    from league.compiling import when_compiling

    if not os.isatty(1):
        when_compiling(lambda: LOG.warning("the simulator is being compiled, once; this takes a minute or two"))


os.environ.update(ARITHMETIC)  # before anything is loaded that reads it
_log_compiling()
with _alone():
    _load()
gc.collect()
gc.freeze()  # so that copies share what is loaded
