"""Where the time of training goes: ``python -m benchmarks.training_profile``, and a part of `make bench`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.driving import CAMERA
from benchmarks.training_loop import trainer
from racer_env.simulator import Simulator
from training.ppo import DeepRacerPPO
from training.records import TrainingRecords
from training.trainer import Trainer

#: What is timed, as what.
PARTS: tuple[tuple[str, type, str], ...] = (
    ("simulate", Simulator, "step"),
    ("simulate", Simulator, "reset"),
    ("reward", Simulator, "_call_reward"),
    ("render", Simulator, "_read_sensors"),
    ("infer", DeepRacerPPO, "_act"),
    ("learn", DeepRacerPPO, "train"),
    ("log", TrainingRecords, "begun"),
    ("log", TrainingRecords, "stepped"),
    ("log", Trainer, "save"),
    ("log", Trainer, "_tell"),
    ("evaluate", Trainer, "evaluate"),
)
NAMES = tuple(dict.fromkeys(name for name, _, _ in PARTS))
OTHER = "other"


class Clock:
    """Seconds of nested parts, each without the parts inside it; what is inside an evaluation is part of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open, self._since = [OTHER], time.perf_counter()

    def switch(self) -> None:
        """Charge the time since the last switch to what was going on."""
        now = time.perf_counter()
        part = "evaluate" if "evaluate" in self._open else self._open[-1]
        self.seconds[part] += now - self._since
        self._since = now

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Charge what happens to a part."""
        self.switch()
        self._open.append(name)
        try:
            yield
        finally:
            self.switch()
            self._open.pop()

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Time every call of a function."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.timing(name):
                return function(*args, **kwargs)

        return timed


def shares(sensor: str) -> dict[str, float]:
    """Seconds for each thousand steps of training, by part."""
    with trainer(sensor) as (made, stop), ExitStack() as patches:
        clock = Clock()
        for name, owner, method in PARTS:
            timed = clock.around(name, getattr(owner, method))
            patches.enter_context(patch.object(owner, method, timed))
        course = made.train(stop)
        clock.switch()
    return {name: 1000.0 * clock.seconds[name] / course.steps for name in (*NAMES, OTHER)}


def table() -> Table:
    """Where the time goes, from the camera and from `STATE`."""
    out = Table("part", "camera", "", "`STATE`", "", box=MARKDOWN)
    found = [shares(sensor) for sensor in (CAMERA, "STATE")]
    for name in (*NAMES, OTHER, "all"):
        cells = []
        for parts in found:
            total = sum(parts.values())
            value = total if name == "all" else parts[name]
            cells += [f"{1000.0 * value:.0f} µs", f"{100.0 * value / total:.0f} %"]
        out.add_row(name, *cells)
    return out


if __name__ == "__main__":
    Console().print(table())
