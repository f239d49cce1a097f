"""The car's driver file: how long it takes to write, how large it is, and how fast a driver is that is read from it."""

from __future__ import annotations

import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch

from benchmarks.driving import CAMERA
from benchmarks.measure import Measure, Row, cores, rate
from racer_env.bundle import Bundle
from racer_env.network import NetworkDriver
from reward_functions import EXAMPLES
from training.export import export
from training.run_folder import RunFolder
from training.start import started
from training.trainer import Trainer

SHALLOW = "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"
MANY = 64  #: pictures at a time
ROOM = tempfile.TemporaryDirectory()


@cache
def run_of(network: str) -> RunFolder:
    """A run with a checkpoint of weights of chance."""
    run, _ = started(EXAMPLES["centre_line"], "oval", Path(ROOM.name) / network, network=network, cars=1)
    Trainer(run).save("best")
    return run


def write(network: str) -> Path:
    """Export the driver of a network; give its bundle."""
    path = Path(ROOM.name) / f"{network}.tar.gz"
    torch.set_num_threads(1)
    export(run_of(network), path)
    return path


bundle_of = cache(write)  #: written once


def export_seconds(network: str) -> Measure:
    """How long `racer export` takes once everything is loaded, with its checks."""

    def measure() -> float:
        run_of(network)
        began = time.perf_counter()
        write(network)
        return time.perf_counter() - began

    return measure


def megabytes(network: str) -> Measure:
    """Size of a bundle."""
    return lambda: bundle_of(network).stat().st_size / 1e6


def frames(network: str, count: int) -> Measure:
    """Pictures a second of the driver of a bundle, so many at a time, on one core."""

    def measure() -> float:
        driver = NetworkDriver(Bundle.open(bundle_of(network)))
        torch.set_num_threads(1)
        seen = {CAMERA: np.random.default_rng(0).integers(0, 256, (count, 120, 160, 1)).astype(np.uint8)}
        driver.act(seen)
        with cores(1):
            return rate(lambda: len(driver.act(seen)))

    return measure


def milliseconds(network: str) -> Measure:
    """Time of one picture at a time."""
    measure = frames(network, 1)
    return lambda: 1000.0 / measure()


def rows() -> list[Row]:
    """All figures of the car's driver file."""
    return [
        Row("export of a compact driver, with its checks", "s", export_seconds("compact")),
        Row("its bundle", "MB", megabytes("compact")),
        Row("export of a SHALLOW driver, with its checks", "s", export_seconds(SHALLOW)),
        Row("its bundle (SHALLOW)", "MB", megabytes(SHALLOW)),
        Row("SHALLOW from its bundle, one picture at a time, one core", "ms", milliseconds(SHALLOW), most=3.0),
        Row(f"SHALLOW from its bundle, {MANY} pictures at a time, one core", "pictures/s", frames(SHALLOW, MANY)),
    ]
