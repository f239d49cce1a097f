"""How fast `racer train` learns re:Invent 2018 from the camera: ``python -m benchmarks.learning_curve ROUTE.npy``.

Reward, action space and car are those of a training that the original recorded in 2022
(aws-deepracer-community/deepracer-utils, ``tests/deepracer/logs``): a centre-line reward in bands, 14 actions of 1 and
2 m/s, version 4 of the car. So are the hyperparameters, the console's defaults, unless ``--starter`` asks for those
that ``racer new`` writes. Every seed is trained by the command itself, one after the other; steps and minutes are those
until an evaluation with a complete lap, and until one with five of five. Minutes count from the start of the command,
with compiled kernels in the cache.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from racer_env.car import DiscreteActions
from racer_env.metadata import ModelMetadata
from training.course import Entry
from training.model_folder import STARTER, Hyperparameters, to_json
from training.run_folder import RunFolder

CAR = "deepracer_v4"
FIRST_LAP = (8_000, 10_000)  #: steps in which the original's recorded trainings had their first evaluation lap
FIVE_OF_FIVE = 33_000  #: steps to five complete evaluation laps, in the one of them that evaluated five at a time
MINUTES = (10.8, 51.0)  #: that the same one took to both, evaluations and pauses included

REWARD = '''def reward_function(params):
    """Pay for the band around the centre line in which the car is."""
    off_centre = params["distance_from_center"] / params["track_width"]
    for border, paid in ((0.1, 1.0), (0.25, 0.5), (0.5, 0.1)):
        if off_centre <= border:
            return paid
    return 1e-3
'''

STEERING = (-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)  #: degrees
SPEEDS = (1.0, 2.0)  #: m/s
ACTIONS = DiscreteActions(
    tuple(angle for angle in STEERING for _ in SPEEDS), tuple(speed for _ in STEERING for speed in SPEEDS)
)


class Reached(NamedTuple):
    """When a training got somewhere; infinite if it did not."""

    steps: float = math.inf
    minutes: float = math.inf


class Curve(NamedTuple):
    """The learning curve of one seed."""

    seed: int
    start: float  #: seconds of the command that were not training: loading, the first picture of the world
    history: list[Entry]

    def minutes(self, entry: Entry) -> float:
        """Since the command was given."""
        return (self.start + entry["seconds"]) / 60.0

    def reached(self, laps: int) -> Reached:
        """When an evaluation first had so many complete laps."""
        found = (Reached(e["steps"], self.minutes(e)) for e in self.history if e["laps_complete"] >= laps)
        return next(found, Reached())

    @property
    def fastest(self) -> float:
        """Mean lap of the fastest evaluation whose laps were all complete, s."""
        times = (e["lap_ms"] for e in self.history if e["laps_complete"] == e["laps"])
        return min((ms / 1000.0 for ms in times if ms is not None), default=math.inf)


def write_model(folder: Path, starter: bool) -> Path:
    """Write the model folder that is trained."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reward_function.py").write_text(REWARD)
    metadata = ModelMetadata(ACTIONS, ("FRONT_FACING_CAMERA",), version=4)
    (folder / "model_metadata.json").write_text(metadata.to_json())
    settings = STARTER if starter else Hyperparameters()
    (folder / "hyperparameters.json").write_text(to_json(settings.model_dump()))
    return folder


def curve(seed: int, route: Path, folder: Path, stop: Sequence[str]) -> Curve:
    """Train one seed, unless `folder` has its curve already."""
    kept, run = folder / f"seed-{seed}.json", folder / f"seed-{seed}"
    if kept.is_file():
        return Curve(**json.loads(kept.read_text()))
    shutil.rmtree(run, ignore_errors=True)  # it was interrupted
    seconds = train(folder / "model", route, run, seed, stop)
    course = RunFolder.open(run).course()
    found = Curve(seed, seconds - course.seconds, course.history)
    kept.write_text(json.dumps(found._asdict(), indent=1))
    return found


def train(model: Path, route: Path, run: Path, seed: int, stop: Sequence[str]) -> float:
    """Run ``racer train``; give the seconds that it took."""
    words = [sys.executable, "-m", "racer_env.cli", "train", str(model), "--track", str(route), "--car", CAR]
    began = time.perf_counter()
    subprocess.run([*words, "--run", str(run), "--seed", str(seed), *stop], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def table(curves: Sequence[Curve]) -> Table:
    """All seeds, their median and worst, and the original."""
    shown = Table("seed", "first lap: steps", "minutes", "five of five: steps", "minutes", "fastest five, s a lap")
    for one in curves:
        shown.add_row(str(one.seed), *_cells([*one.reached(1), *one.reached(5), one.fastest]))
    shown.add_section()
    summaries: dict[str, Callable[[Sequence[float]], float]] = {"median": statistics.median, "worst": max}
    for name, summary in summaries.items():
        rows = [[*one.reached(1), *one.reached(5), one.fastest] for one in curves]
        shown.add_row(name, *_cells([summary(column) for column in zip(*rows, strict=True)]))
    shown.add_section()
    first = f"{FIRST_LAP[0]:,} to {FIRST_LAP[1]:,}"
    shown.add_row("original", first, f"{MINUTES[0]}", f"{FIVE_OF_FIVE:,}", f"{MINUTES[1]:g}", "16 to 17")
    return shown


def _cells(values: Sequence[float]) -> list[str]:
    formats = ("{:,.0f}", "{:.1f}", "{:,.0f}", "{:.1f}", "{:.1f}")
    pairs = zip(formats, values, strict=True)
    return [how.format(value) if math.isfinite(value) else "never" for how, value in pairs]


def draw(curves: Sequence[Curve], file: Path) -> None:
    """Draw completion against steps and against minutes."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only here)

    figure = Figure(figsize=(11.0, 4.2), dpi=120, layout="constrained")
    by_steps, by_minutes = figure.subplots(1, 2, sharey=True)
    by_steps.axvspan(*(steps / 1000.0 for steps in FIRST_LAP), color="0.88", label="original: first lap")
    by_steps.axvline(FIVE_OF_FIVE / 1000.0, color="0.6", linestyle="--", label="original: five of five")
    for k, one in enumerate(curves):
        colour, completion = f"C{k % 10}", [entry["completion"] for entry in one.history]
        minutes = [one.minutes(entry) for entry in one.history]
        by_steps.plot([e["steps"] / 1000.0 for e in one.history], completion, ".-", color=colour, linewidth=1.3)
        by_minutes.plot(minutes, completion, ".-", color=colour, linewidth=1.3, label=f"seed {one.seed}")
        whole = one.reached(5)
        if math.isfinite(whole.steps):
            for axes, x in ((by_steps, whole.steps / 1000.0), (by_minutes, whole.minutes)):
                axes.plot(x, 100.0, "o", color=colour, markersize=7, markeredgecolor="black", clip_on=False, zorder=3)
    by_steps.set(xlabel="thousand steps", ylabel="mean completion of five evaluation laps (%)", ylim=(0.0, 103.0))
    by_minutes.set_xlabel("minutes since the command")
    for axes in (by_steps, by_minutes):
        axes.set_xlim(left=0.0)
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", frameon=True, framealpha=0.9, fontsize=9)
    figure.suptitle("Learning re:Invent 2018 from the camera; dots: five of five laps complete", fontsize=11)
    figure.savefig(file)


def main(
    route: Annotated[Path, typer.Argument(help="Route of the track, such as reinvent_base.npy.", exists=True)],
    seeds: Annotated[int, typer.Option(help="How many, from 0.", min=1)] = 5,
    minutes: Annotated[float, typer.Option(help="The longest training of one seed.", min=0.0)] = 4.0,
    until_laps: Annotated[int, typer.Option(help="Stop a seed after so many laps in a row.", min=1)] = 20,
    starter: Annotated[
        bool, typer.Option("--starter", help="Train with the settings of racer new instead of the console's defaults.")
    ] = False,
    picture: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("learning_curve.png"),
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the runs; seeds that it has already are not trained again.")
    ] = None,
) -> None:
    """Train, print the table, draw the curves."""
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        model = write_model(folder / "model", starter)
        train(model, route, Path(scratch) / "warm-up", 0, ["--steps", "1"])  # compiles, if that is not cached
        curves = []
        for seed in range(seeds):
            with console.status(f"training seed {seed}, {seed + 1} of {seeds}"):
                curves.append(curve(seed, route, folder, ["--minutes", f"{minutes}", "--until-laps", f"{until_laps}"]))
    console.print(table(curves))
    draw(curves, picture)
    console.print(f"wrote {picture}")


if __name__ == "__main__":
    typer.run(main)
