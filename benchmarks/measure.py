"""How speed is measured: medians of several runs, on as many cores as a figure says, in one table with its peers."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("NUMBA_NUM_THREADS", str(os.cpu_count() or 1))

import numba
from rich.box import MARKDOWN
from rich.table import Table

RUNS = 5  #: of which the median is told
SECONDS = 0.4  #: that one run takes where it can be chosen

Measure = Callable[[], float]


class Peer(NamedTuple):
    """What a figure is compared with."""

    name: str
    value: float | Measure | str  #: as published, or how to measure it, or why it cannot be


class Row(NamedTuple):
    """A figure to measure."""

    what: str
    unit: str
    measure: Measure
    least: float | None = None  #: what it should be at least
    goal: float | None = None  #: what it may become
    most: float | None = None  #: what it should be at most
    peers: Sequence[Peer] = ()


class Reading(NamedTuple):
    """What was measured."""

    value: float  #: the median
    cores: float  #: processor seconds of this process for each second


class Compared(NamedTuple):
    """A peer as measured."""

    name: str
    value: float | str  #: or why there is none


class Result(NamedTuple):
    """A row as measured."""

    row: Row
    reading: Reading
    peers: Sequence[Compared]


def rate(work: Callable[[], int], seconds: float = SECONDS) -> float:
    """How often a second `work` does what it counts."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += work()
    return done / (time.perf_counter() - began)


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Keep what is measured to so many cores, where the system lets a process choose them."""
    before = numba.get_num_threads()  # which also starts numba's threads, before the choice would bind them
    numba.set_num_threads(min(count, before))
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if allowed:
        os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        numba.set_num_threads(before)
        if allowed:
            os.sched_setaffinity(0, allowed)


def one_core(measure: Measure) -> Measure:
    """Measure on one core."""

    def measured() -> float:
        with cores(1):
            return measure()

    return measured


def read(measure: Measure, runs: int = RUNS) -> Reading:
    """Measure several times."""
    wall, spent = time.perf_counter(), time.process_time()
    value = statistics.median([measure() for _ in range(runs)])
    return Reading(value, (time.process_time() - spent) / (time.perf_counter() - wall))


def compare(row: Row) -> Result:
    """Measure a row and its peers, one right after the other."""
    reading = read(row.measure)
    return Result(row, reading, [Compared(name, read(v).value if callable(v) else v) for name, v in row.peers])


def machine() -> str:
    """Describe the machine, and tell when something else runs on it."""
    cpu, memory = platform.processor() or platform.machine(), ""
    if (info := Path("/proc/cpuinfo")).exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB of memory"
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "torch"))
    said = f"{cpu}, {os.cpu_count()} cores{memory}, {platform.system()}, Python {platform.python_version()}, {packages}"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return said + (f"\nload {load:.1f}: something else is running, so figures are too low" if load > 0.5 else "")


def shown(value: float) -> str:
    """A number with as many decimals as it is worth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def table(results: Sequence[Result]) -> Table:
    """The results as a table that can be pasted into Markdown."""
    out = Table("what", "median", "cores", "at least", "goal", "to compare with", box=MARKDOWN)
    for row, reading, peers in results:
        out.add_row(
            row.what,
            f"{shown(reading.value)} {row.unit}",
            f"{reading.cores:.1f}" if reading.cores > 0.1 else "",
            _required(row, reading.value),
            "" if row.goal is None else shown(row.goal),
            "; ".join(_against(reading.value, peer) for peer in peers),
        )
    return out


def _required(row: Row, value: float) -> str:
    if row.least is not None:
        return shown(row.least) + ("" if value >= row.least else " missed")
    if row.most is not None:
        return f"at most {shown(row.most)}" + ("" if value <= row.most else " missed")
    return ""


def _against(value: float, peer: Compared) -> str:
    if isinstance(peer.value, str):
        return f"{peer.name}: {peer.value}"
    return f"{shown(value / peer.value)} times {peer.name} ({shown(peer.value)})"
