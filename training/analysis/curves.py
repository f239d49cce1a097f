"""Learning curves: entropy, KL divergence, losses and so on, against the training steps at which they were logged.

They are read from TensorBoard's event files, or from the ``Policy training>`` lines that the original's trainer prints
for every epoch, which count iterations instead of steps.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from racer_env.errors import RacerError
from racer_env.kernel import Floats

_VALUE = r"[-+]?[\d.]+(?:e[-+]?\d+)?|nan"
LOGGED = re.compile(
    rf"Policy training> Surrogate loss=\S+ KL divergence=(?P<kl>{_VALUE}), Entropy=(?P<entropy>{_VALUE}), "
    r"training epoch=(?P<epoch>\d+)"
)


class Curve(NamedTuple):
    """Values against what has been trained until then."""

    steps: Floats  #: (k,) training steps; iterations from 1 where only a log tells
    values: Floats  #: (k,)

    def part(self, share: float) -> Floats:
        """The first (share > 0) or last (share < 0) part of the values, at least one of them."""
        k = max(1, round(abs(share) * len(self.values)))
        return self.values[:k] if share > 0 else self.values[-k:]


Curves = Mapping[str, Curve]


def read_events(folder: Path) -> Curves:
    """Read the event files of a folder; none gives no curve.

    Where a training was killed and resumed from an earlier step, what it had logged beyond is dropped.

    Raises:
        RacerError: a file is not one of TensorBoard's.
    """
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for file in sorted(folder.glob("events.out.tfevents.*"), key=lambda f: f.name):
        read = _read(file)
        begins = min((curve[0][0] for curve in read.values() if curve), default=np.inf)
        for curve in points.values():
            curve[:] = [point for point in curve if point[0] < begins]
        for tag, curve in read.items():
            points[tag] += curve
    return {tag: _curve(curve) for tag, curve in points.items() if curve}


def _read(file: Path) -> dict[str, list[tuple[float, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]  # noqa: PLC0415
        EventAccumulator,
    )

    try:
        events = EventAccumulator(str(file), size_guidance={"scalars": 0}).Reload()
    except Exception as error:  # what tensorboard's readers and protobuf raise
        raise RacerError(f"{file} is not an event file that can be read: {error}") from error
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def _curve(points: Iterable[tuple[float, float]]) -> Curve:
    steps, values = np.array(sorted(points), np.float64).T
    finite = np.isfinite(values)
    return Curve(steps[finite], values[finite])


def read_logged(files: Iterable[Path]) -> Curves:
    """Read the original's log lines, the last epoch of each iteration: entropy and KL, by iteration."""
    rows = [
        (int(found["epoch"]), float(found["kl"]), float(found["entropy"]))
        for file in files
        for found in LOGGED.finditer(file.read_text(encoding="utf-8", errors="replace"))
    ]
    if not rows:
        return {}
    last = [row for row, after in pairwise([*rows, rows[0]]) if after[0] <= row[0]]
    _, kl, entropy = np.array(last).T
    iterations = np.arange(1.0, len(last) + 1.0)
    return {"train/approx_kl": Curve(iterations, kl), "train/entropy": Curve(iterations, entropy)}
