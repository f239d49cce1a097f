"""What it costs to begin: imports, the first step, the command line, and memory; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.measure import Row

WORLDS = 64

FIRST_STEP = """
import gymnasium, racer_env
env = gymnasium.make("racer_env/TimeTrial-v0", track="oval")
env.reset(seed=0)
env.step(2)
"""

#: Prints by how many megabytes the peak of memory grows over what torch needs. Linux keeps a process's own peak in
#: VmHWM; the usual ``ru_maxrss`` begins with that of the process that started it.
MEMORY = f"""
import pathlib, resource, torch
def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
before = peak()
import numpy as np
from racer_env.vector import RacerVectorEnv
env = RacerVectorEnv({WORLDS}, track="technical")
env.reset(seed=0)
for _ in range(100):
    env.step(np.full({WORLDS}, 2))
print(peak() - before)
"""


def seconds(*command: str) -> float:
    """How long a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def megabytes() -> float:
    """Memory of worlds with a camera, MB above that of torch."""
    said = subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True)
    return float(said.stdout)


def rows() -> list[Row]:
    """All figures of beginning."""
    racer = str(Path(sys.executable).with_name("racer"))
    python = partial(partial, seconds, sys.executable, "-c")
    return [
        Row("`import racer_env`", "s", python("import racer_env"), most=1.0),
        Row("first step with camera, kernels in the cache", "s", python(FIRST_STEP), most=2.0),
        Row("`racer --help`", "s", partial(seconds, racer, "--help"), most=0.7),
        Row(f"memory of {WORLDS} worlds with camera, above torch", "MB", megabytes, most=500.0),
    ]
