"""Whoever waits for the simulator to be compiled is told why, and nobody else is told anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from racer_env.kernel import KEPT

PREPARES = "from league import sandbox; sandbox.prepare()"
SAID = "the simulator is being compiled, once; this takes a minute or two\n"


def said(kept: Path) -> str:
    """What a process without a terminal says that prepares to drive."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kept)}
    command = [sys.executable, "-c", PREPARES]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr


@pytest.mark.slow
@pytest.mark.skipif(KEPT is None, reason="kernels are not compiled")
def test_a_log_tells_once_that_kernels_are_compiled_and_only_if_some_are(tmp_path: Path) -> None:
    assert KEPT
    shutil.copytree(KEPT, tmp_path / KEPT.name)
    assert said(tmp_path) == ""
    missing = [file for name in ("state._read-", "camera._place-") for file in tmp_path.rglob(f"{name}*.nbi")]
    assert missing
    for file in missing:
        file.unlink()
    assert said(tmp_path) == SAID
    assert said(tmp_path) == ""
