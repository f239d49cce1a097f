"""Speed of the camera: 160 x 120 grey pixels, antialiased."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.driving import CAMERA, GENESIS_CAMERA, batch
from benchmarks.measure import Measure, Peer, Row, cores, rate

CARS = 64


def frames() -> Callable[[], int]:
    """Pictures of cars all over the track."""
    simulator = batch(n=CARS, sensors=(CAMERA,))

    def work() -> int:
        simulator._read_sensors(simulator.everyone)
        return simulator.n

    return work


def frames_on(count: int) -> Measure:
    """Pictures a second on so many cores."""
    work = frames()

    def measure() -> float:
        with cores(count):
            return rate(work)

    return measure


def gain() -> Measure:
    """How many times as fast two cores are as one, measured in turns."""
    work = frames()

    def on(count: int) -> float:
        with cores(count):
            return rate(work, 0.1)

    def measure() -> float:
        return float(np.median([on(2) / on(1) for _ in range(5)]))

    return measure


def rows(peers: tuple[Peer, ...]) -> list[Row]:
    """All figures of the camera; `peers` are other simulators' single steps, of which a picture is most."""
    out = [
        Row(
            f"camera 160 x 120, antialiased; {CARS} cars, one core",
            "frames/s",
            frames_on(1),
            15_000.0,
            40_000.0,
            peers=[GENESIS_CAMERA, *peers],
        )
    ]
    if (os.cpu_count() or 1) > 1:
        out.append(Row("the same on two cores", "frames/s", partial(frames_on(2)), peers=[GENESIS_CAMERA]))
        out.append(Row("two cores against one, camera", "times", gain(), 1.7, 1.9))
    return out
