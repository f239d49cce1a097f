"""A process that is killed in the middle of its work loses nothing and drives nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from league.models import Status
from league.races import RaceSettings
from league.rules import Lap
from league.service import League

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, time
from pathlib import Path
from league.rules import Lap
from league.service import League

def evaluate(bundle, settings, seed):
    print("driving", flush=True)
    time.sleep(float(sys.argv[2]))
    return [Lap(i, 9000 + i, 100.0, "lap_complete") for i in (1, 2, 3)]

for _ in League(Path(sys.argv[1])).run(evaluate):
    pass
"""


def worker(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that drives the queue, each submission for so long."""
    command = [sys.executable, "-c", WORKER, str(folder), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def evaluate(*_: object) -> list[Lap]:
    return [Lap(i, 9000 + i, 100.0, "lap_complete") for i in (1, 2, 3)]


def drained(league: League) -> Counter[int]:
    """Drive what is left; which submissions got their result."""
    return Counter(s.id for s in league.run(evaluate) if s.status is Status.SCORED)


@pytest.fixture
def league(tmp_path: Path, bundle: Callable[[int], Path]) -> League:
    """A league with twelve queued submissions."""
    made = League.create(tmp_path / "league", RaceSettings(runs=1))
    for i in range(12):
        made.submit(bundle(i % 3), None, f"racer {i}")
    return made


def test_a_submission_left_by_a_killed_process_is_driven_again(league: League) -> None:
    with worker(league.store.folder, 0.0) as process:
        assert process.stdout
        for _ in range(3):
            process.stdout.readline()
        process.kill()
    with worker(league.store.folder, 60.0) as process:
        assert process.stdout
        assert process.stdout.readline() == "driving\n"
        process.kill()
    found = Counter(s.status for s in league.submissions())
    assert found[Status.RUNNING] == 1
    assert found[Status.SCORED] >= 2
    assert set(drained(league)) == {s.id for s in league.submissions()[-found[Status.QUEUED] - 1 :]}
    assert {s.status for s in league.submissions()} == {Status.SCORED}
    assert len(league.standings()) == 12


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_and_double_nothing(league: League) -> None:
    moments = random.Random(0)
    for _ in range(6):
        with worker(league.store.folder, 0.02) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.06))
            process.kill()
    drained(league)
    assert [s.status for s in league.submissions()] == [Status.SCORED] * 12
    assert all(s.laps == tuple(evaluate()) for s in league.submissions())
    assert len(league.standings()) == 12
