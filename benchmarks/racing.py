"""How near trained drivers come to the limit: ``python -m benchmarks.racing DATA [--minutes 8]``.

DATA holds ``tracks/*.npy`` and ``lap_limits.json``, which has the lap of a point mass of up to 4 m/s on tyres with a
friction coefficient of 0.5 (``t_mu05``). On each track `racer train` trains the shipped reward `progress` with its own
settings, once from the camera and once from `STATE`; then `racer evaluate` drives three laps with the best checkpoint.
The ratio is of the best lap to the limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.driving import CAMERA
from benchmarks.training_loop import CARS, STATE, STATE_SETTINGS
from reward_functions import EXAMPLES
from training.model_folder import ModelFolder, to_json
from training.run_folder import RunFolder

TRACKS = ("reinvent_base", "reInvent2019_track", "Vegas_track", "Spain_track")


class Result(NamedTuple):
    """What a driver reached."""

    track: str
    sensor: str
    steps: int
    minutes: float
    best: float | None  #: s, of three laps; None if none was complete without being put back
    limit: float  #: s


def write_model(folder: Path, sensor: str) -> Path:
    """Write the model folder of the shipped racing reward for a sensor."""
    model = ModelFolder.read(EXAMPLES["progress"])
    settings = model.hyperparameters.model_copy(update=STATE_SETTINGS if sensor == STATE else {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reward_function.py").write_bytes(model.reward.read_bytes())
    (folder / "model_metadata.json").write_text(replace(model.metadata, sensors=(sensor,)).to_json())
    (folder / "hyperparameters.json").write_text(to_json(settings.model_dump()))
    return folder


def measure(route: Path, sensor: str, limit: float, folder: Path, minutes: float, seed: int) -> Result:
    """Train a driver for a track and let it race."""
    model, run = write_model(folder / f"model-{sensor}", sensor), folder / f"{route.stem}-{sensor}"
    if not (run / "checkpoints" / "best.zip").is_file():
        words = ["--track", str(route), "--run", str(run), "--best", "lap-time", "--minutes", f"{minutes:g}"]
        racer("train", str(model), *words, "--cars", str(CARS[sensor]), "--seed", str(seed))
    laps = json.loads(racer("evaluate", str(run), "--laps", "3", "--json"))["laps"]
    clean = [lap["time_ms"] / 1000.0 for lap in laps if lap["status"] == "lap_complete" and lap["reset_count"] == 0]
    course = RunFolder.open(run).course()
    return Result(route.stem, sensor, course.steps, course.seconds / 60.0, min(clean, default=None), limit)


def racer(*words: str) -> str:
    """Run a command of ours; give what it printed."""
    command = [sys.executable, "-m", "racer_env.cli", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def table(results: Sequence[Result]) -> Table:
    """All drivers."""
    shown = Table("track", "sensor", "steps", "minutes", "best lap (s)", "limit (s)", "ratio")
    for r in results:
        lap = ("none", "") if r.best is None else (f"{r.best:.3f}", f"{r.best / r.limit:.2f}")
        shown.add_row(r.track, r.sensor, f"{r.steps:,}", f"{r.minutes:.1f}", lap[0], f"{r.limit:.2f}", lap[1])
    return shown


def main(
    data: Annotated[Path, typer.Argument(help="Folder with tracks/ and lap_limits.json.")],
    minutes: Annotated[float, typer.Option(help="Of training for each driver.", min=0.1)] = 8.0,
    sensor: Annotated[list[str] | None, typer.Option(help="FRONT_FACING_CAMERA, STATE, or both.")] = None,
    track: Annotated[list[str] | None, typer.Option(help="Which tracks; by default the four of the README.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for the runs; what it holds already is not redone.")] = None,
    seed: Annotated[int, typer.Option(help="Of the trainings.", min=0)] = 0,
) -> None:
    """Train, race, and print the ratio to the limit."""
    limits = json.loads((data / "lap_limits.json").read_text())
    with tempfile.TemporaryDirectory() as temporary:
        folder, results = keep or Path(temporary), []
        for name in track or TRACKS:
            for eyes in sensor or (CAMERA, STATE):
                route = data / "tracks" / f"{name}.npy"
                results.append(measure(route, eyes, limits[name]["t_mu05"], folder, minutes, seed))
                Console().print(table(results))


if __name__ == "__main__":
    typer.run(main)
