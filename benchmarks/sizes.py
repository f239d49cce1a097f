"""What speed costs with size: ``python -m benchmarks.sizes`` plots it against worlds and length of the track."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.driving import CAMERA, CARS, batch, one_line, steps
from benchmarks.measure import RUNS, cores, rate
from racer_env.random_tracks import random_track

PICTURE = Path(__file__).parent / "pictures" / "speed_by_size.png"
WORLDS = (1, 4, 16, 64, 256, 1024, 4096)
LENGTHS = (17.0, 25.0, 36.0, 50.0, 68.0, 90.0)  #: m
WIDTH, DIFFICULTY, SEED = 0.9, 0.5, 1  #: of the tracks
CREEP = 0.1  #: m/s, on these tracks, so that on none of them cars leave the road and start again more often
TICKS = (20_000, 50_000, 100_000, 200_000, 500_000)  #: of the plot
SHORT = 0.15  #: s, of one measurement
FLAT = 0.8  #: of the speed on one track that there must be on every other

#: What is measured, by what it is called: the reward and the sensors.
LOADS: Mapping[str, tuple[Callable[..., float] | None, tuple[str, ...]]] = {
    "without a reward": (None, ()),
    "with a one-line reward": (one_line, ()),
    "with the camera": (None, (CAMERA,)),
}

Works = Sequence[Callable[[], int]]


class Sizes(NamedTuple):
    """Steps a second, on one core, by load."""

    of_worlds: Mapping[str, Sequence[float]]  #: for each of `WORLDS`
    of_lengths: Mapping[str, Sequence[float]]  #: for each of `LENGTHS`, with `CARS` cars or, with a camera, a quarter


def measure() -> Sizes:
    """Measure every size, in turns, so that a busy moment of the machine does not fall on one of them."""
    tracks = [random_track(length, WIDTH, DIFFICULTY, SEED) for length in LENGTHS]
    of_worlds, of_lengths = {}, {}
    for load, (reward, sensors) in LOADS.items():
        of_worlds[load] = _medians([steps(batch(reward, n, sensors)) for n in WORLDS])
        n = CARS // 4 if sensors else CARS
        of_lengths[load] = _medians([steps(batch(reward, n, sensors, track), CREEP) for track in tracks])
    return Sizes(of_worlds, of_lengths)


def _medians(works: Works) -> list[float]:
    with cores(1):
        for work in works:
            work()  # compiles, and fills caches
        found = [[rate(work, SHORT) for work in works] for _ in range(RUNS)]
    return [float(speed) for speed in np.median(found, axis=0)]


def flatness(speeds: Sequence[float]) -> float:
    """The slowest of several over the fastest."""
    return min(speeds) / max(speeds)


def table(sizes: Sizes) -> Table:
    """Both as a table."""
    out = Table("steps/s", *LOADS, box=MARKDOWN)
    for i, n in enumerate(WORLDS):
        out.add_row(f"{n:,} world" + "s" * (n > 1), *(f"{sizes.of_worlds[load][i]:,.0f}" for load in LOADS))
    for i, length in enumerate(LENGTHS):
        out.add_row(f"{length:.0f} m", *(f"{sizes.of_lengths[load][i]:,.0f}" for load in LOADS))
    flat = [flatness(sizes.of_lengths[load]) for load in LOADS]
    out.add_row("slowest length over fastest", *(f"{s:.2f}" + ("" if s >= FLAT else " missed") for s in flat))
    return out


def draw(sizes: Sizes, path: Path = PICTURE) -> Path:
    """Plot both into a PNG."""
    import matplotlib  # noqa: PLC0415 (an extra)

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10.0, 4.0), sharey=True, layout="constrained")
    for load in LOADS:
        left.plot(WORLDS, sizes.of_worlds[load], marker="o", label=load)
        right.plot(LENGTHS, sizes.of_lengths[load], marker="o")
    left.set(xscale="log", yscale="log", xlabel="worlds, on a track of 32 m", ylabel="car-steps a second, one core")
    left.set_xticks(WORLDS, [f"{n:,}" for n in WORLDS])
    left.set_yticks(TICKS, [f"{speed:,}" for speed in TICKS])
    left.minorticks_off()
    left.legend(frameon=False)
    right.set(xlabel=f"length of the track, m ({CARS} worlds; {CARS // 4} with the camera)", xlim=(0.0, 95.0))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def main() -> None:
    """Measure, print and plot."""
    sizes = measure()
    Console().print(table(sizes))
    Console().print(f"plotted in {draw(sizes)}")


if __name__ == "__main__":
    main()
