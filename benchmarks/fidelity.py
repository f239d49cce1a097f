"""How faithful the car is, and what could be had: a part of `make fidelity`, or ``python -m benchmarks.fidelity DATA``.

For each generation of the original, on the recorded episodes that no fit used, driven one second without feedback:

* **ours**: the project's car (`racer_env.identify.evaluate`);
* **kinematic bicycle**: the model without physics. It rolls at the commanded speed on the commanded angle, with the
  car's wheelbase, and needs no estimate of what the record does not hold;
* **noise**: by how much recorded poses scatter around smooth motion while the command stays the same, from the fourth
  differences of neighbouring rows, for a way with two ends. No model gets below it.

And how long it takes to drive recorded laps of re:Invent 2018 anew, in closed loop (`racer_env.laps`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from racer_env import identify, laps
from racer_env.car import FRONT_POINT, Car
from racer_env.dynamics import MOTION, clipped
from racer_env.kernel import Floats, Ints, Records, kernel
from racer_env.recording import Recording, open_recordings
from racer_env.windows import HORIZON, Drives, drives_of, replay

HOME = "reinvent_base"  #: the track of the closed loop
DIFFERENCES = np.array([1.0, -4.0, 6.0, -4.0, 1.0])  #: the fourth; of cubic motion nothing is left
STEADY = 7  #: steps without a new command, after which motion counts as smooth
SCATTER = math.sqrt(2.0 / np.sum(DIFFERENCES**2))  #: noise of a way with two ends, in fourth differences


@kernel
def roll(m: Records, command: Records, wheelbase: float, seconds: float) -> None:
    """Move a kinematic bicycle, whose rear axle does not slip, along an arc."""
    angle, speed = clipped(command)
    rear = 0.5 * wheelbase
    x, y = m.x - rear * math.cos(m.yaw), m.y - rear * math.sin(m.yaw)
    turn = speed * seconds * math.tan(angle) / wheelbase
    chord = speed * seconds * (math.sin(0.5 * turn) / (0.5 * turn) if turn != 0.0 else 1.0)
    x, y = x + chord * math.cos(m.yaw + 0.5 * turn), y + chord * math.sin(m.yaw + 0.5 * turn)
    m.yaw += turn
    m.x, m.y = x + rear * math.cos(m.yaw), y + rear * math.sin(m.yaw)
    m.speed, m.steering = speed, angle


@kernel
def roll_all(motion: Records, command: Records, wheelbase: float, seconds: float) -> None:
    """Move kinematic bicycles (n,)."""
    for i in range(motion.size):
        roll(motion[i], command[i], wheelbase, seconds)


@kernel
def _roll_windows(
    starts: Ints, pose: Floats, command: Records, steps: Floats, wheelbase: float, m: Records, out: Floats
) -> None:
    """Errors (w, 3) of kinematic bicycles after a second from each start (w,): m, m of the front point, rad."""
    for w in range(len(starts)):
        k = starts[w]
        m[0].x, m[0].y, m[0].yaw = pose[k]
        for j in range(k, k + HORIZON):
            roll(m[0], command[j], wheelbase, steps[j])
        x, y, yaw = pose[k + HORIZON]
        out[w, 0] = m[0].x + FRONT_POINT * math.cos(m[0].yaw) - x - FRONT_POINT * math.cos(yaw)
        out[w, 1] = m[0].y + FRONT_POINT * math.sin(m[0].yaw) - y - FRONT_POINT * math.sin(yaw)
        out[w, 2] = m[0].yaw - yaw


def errors(recordings: Sequence[Recording], car: Car | None = None) -> dict[str, dict[str, Any]]:
    """Errors after one second of one generation: name of the model to ``{"position_cm": ..., "yaw_deg": ...}``."""
    drives = drives_of(recordings)
    driver, estimator = car or recordings[0].car, identify.estimator_of(recordings[0].version)
    chosen = np.flatnonzero(identify.held_out(drives))
    ours = replay(drives, chosen, driver, estimator, (HORIZON,))
    rolled = np.zeros((len(ours.starts), 3))
    one, command = np.zeros(1, MOTION).view(np.recarray), drives.command.view(np.recarray)
    _roll_windows(ours.starts, drives.pose, command, drives.steps(estimator), driver.wheelbase, one, rolled)
    return {"ours": _ranks(ours.values[:, 0]), "kinematic bicycle": _ranks(rolled), "noise": _ranks(_noise(drives))}


def _noise(drives: Drives) -> Floats:
    """Scatter (m, 3) of recorded poses around smooth motion, as an error of a way with two ends: m, m, rad."""
    found = []
    for a, b in pairwise(drives.bounds.tolist()):
        command = np.stack((drives.command.steering_degrees[a:b], drives.command.speed[a:b]), axis=1)
        changed = np.append(0, np.cumsum(np.any(np.diff(command, axis=0) != 0.0, axis=1)))
        same = changed[STEADY:] == changed[:-STEADY]
        apart = [np.convolve(column, DIFFERENCES, "valid") for column in drives.pose[a:b].T]
        found.append(SCATTER * np.stack(apart, axis=1)[STEADY - len(DIFFERENCES) + 1 :][same])
    return np.concatenate(found)


def _ranks(values: Floats) -> dict[str, Any]:
    found = {"position_cm": 100.0 * np.hypot(values[:, 0], values[:, 1]), "yaw_deg": np.degrees(np.abs(values[:, 2]))}
    return {
        name: {"median": float(np.median(some)), "p90": float(np.percentile(some, 90.0))}
        for name, some in found.items()
    }


def closed_loop(recordings: Sequence[Recording]) -> dict[str, Any]:
    """How recorded laps of `HOME` compare when they are driven anew (`racer_env.laps.summary`); {} without one."""
    return laps.summary([lap for r in recordings if r.track.name == HOME for lap in laps.drive_again(r)])


def main() -> None:
    """Print both tables of the recordings in a folder."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    recordings = open_recordings([data / "traces"], data / "tracks")
    versions = {v: [r for r in recordings if r.version == v] for v in sorted({r.version for r in recordings})}
    console = Console()
    table = _table(
        "One second without feedback", "car", "model", "cm\nmedian", "cm\n90 %", "°\nmedian", "°\n90 %", "ratio"
    )
    for version, some in versions.items():
        found = errors(some)
        best = found["ours"]["position_cm"]["median"]
        for model, error in found.items():
            numbers = [error[kind][rank] for kind in ("position_cm", "yaw_deg") for rank in ("median", "p90")]
            ratio = error["position_cm"]["median"] / best
            table.add_row(f"v{version}", model, *(f"{number:.1f}" for number in numbers), f"{ratio:.2f}")
    console.print(table)
    table = _table(
        f"Laps of {HOME}, driven anew", "car", "laps", "recorded\ns", "anew\ns", "ratio\nmedian", "least", "most", "way"
    )
    for version, some in versions.items():
        if found := closed_loop(some):
            ratios = (f"{found['ratio'][rank]:.3f}" for rank in ("median", "least", "most"))
            times = (f"{found[time]:.2f}" for time in ("recorded_s", "driven_s"))
            table.add_row(f"v{version}", str(found["laps"]), *times, *ratios, f"{found['way']:.3f}")
    console.print(table)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i > 1 or heading == "laps" else "left", vertical="bottom")
    return table


if __name__ == "__main__":
    main()
