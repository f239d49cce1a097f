"""Other simulators to compare with: ``python -m benchmarks.peers``, and a part of `make bench`.

Each is installed into an environment of its own, below `FOLDER`, the first time; Duckietown's takes minutes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import RUNS, Peer

FOLDER = Path(__file__).parent / ".peers"
INSTALLING, RUNNING = 1200.0, 180.0  #: s, after which is given up


@dataclass(frozen=True)
class Simulator:
    """A simulator that somebody else made."""

    name: str  #: as `benchmarks.peer_steps` knows it
    packages: tuple[str, ...]  #: as pip takes them


#: F1TENTH's is not on PyPI. Duckietown's is from 2022 and needs what was current then.
SIMULATORS = (
    Simulator("CarRacing-v3", ("gymnasium[box2d]>=1.2",)),
    Simulator("f1tenth_gym", ("f1tenth-gym @ git+https://github.com/f1tenth/f1tenth_gym.git",)),
    Simulator("gym-duckietown", ("duckietown-gym-daffy==6.1.34", "pyglet<2", "numpy<1.24")),
)


class PeerError(Exception):
    """A simulator that cannot be measured here; the message says why."""


def measured() -> tuple[Peer, ...]:
    """Install and measure all of them: the median of single steps a second, or why there is none."""
    return tuple(Peer(simulator.name, _measured(simulator)) for simulator in SIMULATORS)


def _measured(simulator: Simulator) -> float | str:
    try:
        python = installed(simulator)
        script = str(Path(__file__).with_name("peer_steps.py"))
        said = _run([str(python), script, simulator.name, str(RUNS)], RUNNING)
    except PeerError as reason:
        return str(reason)
    return statistics.median(float(line) for line in said.split()[-RUNS:])


def installed(simulator: Simulator) -> Path:
    """Give the Python that has a simulator, installing it the first time.

    Raises:
        PeerError: it does not install.
    """
    folder = FOLDER / simulator.name
    python, ready = folder / "bin" / "python", folder / "installed"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        try:
            _run([str(python), "-m", "pip", "install", "--quiet", *simulator.packages], INSTALLING)
        except PeerError as reason:
            shutil.rmtree(folder)
            raise PeerError(f"does not install: {reason}") from reason
        ready.touch()
    return python


def _run(command: Sequence[str], seconds: float) -> str:
    """Give what a command prints. Raises `PeerError` with its last words if it fails or takes too long."""
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONWARNINGS": "ignore", "SDL_VIDEODRIVER": "dummy"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=quiet, check=True)
    except subprocess.TimeoutExpired:
        raise PeerError(f"took more than {seconds:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise PeerError(_last_words(error.stderr)) from error
    return done.stdout


def _last_words(said: str) -> str:
    """The line of an output that says most about a failure."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "ERROR: Could not", "ERROR: Ignored"))]
    return (telling or lines or ["it says nothing"])[0 if telling else -1].removeprefix("ERROR: ")[:120]


if __name__ == "__main__":
    for peer in measured():
        sys.stdout.write(f"{peer.name}: {peer.value}\n")
