"""What `make fidelity` prints holds: ours against the kinematic bicycle, the noise, and the original's laps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lines(shared: Path) -> list[list[str]]:
    """The words of each line that the report prints."""
    command = [sys.executable, "-m", "benchmarks.fidelity", str(shared / "data")]
    narrow = {**os.environ, "COLUMNS": "80"}
    printed = subprocess.run(command, cwd=ROOT, env=narrow, check=True, capture_output=True, text=True).stdout
    assert max(map(len, printed.splitlines())) <= 80
    return [line.split() for line in printed.splitlines()]


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(("version", "times"), [("v4", 12.0), ("v5", 10.0), ("v6", 6.0)])
def test_physics_explain_what_a_kinematic_bicycle_does_not(lines: list[list[str]], version: str, times: float) -> None:
    (ours,) = (words for words in lines if words[:2] == [version, "ours"])
    (bicycle,) = (words for words in lines if words[:3] == [version, "kinematic", "bicycle"])
    (noise,) = (words for words in lines if words[:2] == [version, "noise"])
    assert float(bicycle[-1]) > times
    assert 0.0 < float(noise[-1]) < 0.2
    for column in (-5, -4, -3, -2):
        assert float(noise[column]) < float(ours[column]) < float(bicycle[column])


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(("version", "laps"), [("v4", 51), ("v5", 18), ("v6", 2)])
def test_laps_of_the_original_are_as_quick(lines: list[list[str]], version: str, laps: int) -> None:
    (found,) = (words for words in lines if words[:2] == [version, str(laps)])
    assert float(found[4]) == pytest.approx(1.0, abs=0.05)
