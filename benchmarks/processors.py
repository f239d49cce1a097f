"""Whether a race comes out the same on another processor: ``python -m benchmarks.processors``.

There is one processor at hand, but what depends on its kind can be told to behave as on another: kernels are compiled
for a named one, and NumPy and the C library (of GNU/Linux) choose among their implementations without some of its
instructions. Drivers race the same races in each way, in a process of its own, and the hashes of all steps are
compared. The last way, without FMA, is one that receipts are not promised for. Each compiles all kernels: minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import typer

from benchmarks.league_drivers import follower
from league.evaluation import Job, evaluate
from league.races import RaceSettings, RaceType
from league.sandbox import ARITHMETIC
from league.traffic import BotCars, Boxes
from racer_env.track import find_track

SEEDS = (1, 2, 3)
RACES = {
    "time trial": RaceSettings(resets=3),
    "mild": RaceSettings(resets=3, randomisation="mild"),
    "strong": RaceSettings(resets=3, randomisation="strong"),
    "object avoidance": RaceSettings(race_type=RaceType.OBJECT_AVOIDANCE, obstacles=Boxes(random=True), resets=3),
    "head to bot": RaceSettings(
        race_type=RaceType.HEAD_TO_BOT, bots=BotCars(random=True, lane_change=(1.0, 3.0)), resets=3
    ),
}

_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
_HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
WAYS: Mapping[str, Mapping[str, str]] = {
    "this processor": {},
    "as one with AVX2 and no AVX-512": {
        **_HASWELL,
        "NPY_DISABLE_CPU_FEATURES": _AVX512,
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD",
    },
    "as one without FMA (not promised)": {
        **_HASWELL,
        "NPY_DISABLE_CPU_FEATURES": f"AVX2 FMA3 {_AVX512}",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2_Usable,-AVX2,-FMA_Usable,-FMA,-FMA4,-AVX",
    },
}


def main(drive: Path | None = typer.Argument(None, hidden=True)) -> None:  # noqa: B008
    """Compare, and print a line for every way."""
    if drive is not None:
        typer.echo(json.dumps(hashes(drive)))
        return
    with tempfile.TemporaryDirectory() as folder:
        known = None
        for name, environment in WAYS.items():
            found = _elsewhere(Path(folder), environment)
            known = found if known is None else known
            same = [now == then for now, then in zip(found, known, strict=True)]
            typer.echo(f"{name}: {sum(same)} of {len(same)} runs are the same, step by step")


def hashes(folder: Path) -> list[str]:
    """The hash of every run of every driver in every race."""
    made = []
    for number, (speed, network) in enumerate(((1.0, False), (1.0, True), (1.6, False))):
        driver = follower(folder / f"{number}.tar.gz", number, speed=speed, network=network).read_bytes()
        for settings in RACES.values():
            driven = evaluate(Job(driver, "driver.tar.gz", settings, find_track("oval").route, SEEDS))
            made += [run["trace_sha256"] for run in driven["runs"]]
    return made


def _elsewhere(folder: Path, environment: Mapping[str, str]) -> list[str]:
    kept = {"NUMBA_CACHE_DIR": str(folder / environment["NUMBA_CPU_NAME"])} if environment else {}
    words = [sys.executable, "-m", "benchmarks.processors", str(folder)]
    done = subprocess.run(words, env={**os.environ, **ARITHMETIC, **environment, **kept}, stdout=-1, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    typer.run(main)
