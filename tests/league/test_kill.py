"""Workers and the service may be killed at any moment: nothing is lost, nothing is scored twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from league.models import Status
from league.races import RaceFormat, RaceSettings
from league.service import League

MakeBundle = Callable[[int], Path]
ROOT = Path(__file__).resolve().parents[2]
LEASE = timedelta(seconds=1)

#: A worker whose drives take a while, in processes of their own; each ends in the lap that the bundle's hash gives.
WORKER = """
import sys, time
from datetime import timedelta
from pathlib import Path
from league.service import League
from league.workers import work
from tests.league.conftest import Here, driven, laps

def evaluate(job):
    time.sleep(float(sys.argv[2]))
    return driven(laps(8000 + int(job.file_name[:3], 16)))(job)

league = League(Path(sys.argv[1]), lease=timedelta(seconds=1))
print("ready", flush=True)
for event in work(league, Here(evaluate), drain=True):
    print(event.submission.id, event.started, flush=True)
"""

#: The service: submits its racers' drivers until each has two submissions.
SERVICE = """
import sys
from pathlib import Path
from league.service import League

league = League(Path(sys.argv[1]))
print("ready", flush=True)
for bundle in sys.argv[2:]:
    racer = f"racer {Path(bundle).name.split('-')[1].split('.')[0]}"
    while not any(s.racer == racer for s in league.submissions.all()):
        league.submissions.submit(Path(bundle), None, racer)
        print(racer, flush=True)
"""


#: The organiser of a live race, who launches all that wait.
LIVE = """
import sys, time
from datetime import timedelta
from pathlib import Path
from league.live_day import race_live
from league.service import League
from tests.league.conftest import Here, driven, laps

def evaluate(job):
    time.sleep(float(sys.argv[2]))
    return driven(laps(8000 + int(job.file_name[:3], 16)))(job)

league = League(Path(sys.argv[1]), lease=timedelta(seconds=1))
for event in race_live(league, "finale", engine=Here(evaluate), everyone=True):
    print(event.submission.id, event.started, flush=True)
"""


def process(script: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def league(tmp_path: Path, database: str) -> League:
    """A league of many racers in each kind of database."""
    return League.create(tmp_path / "league", RaceSettings(runs=2), url=database)


def finish(league: League) -> None:
    """Drive what is left, once the leases of the dead have run out."""
    time.sleep(LEASE.total_seconds())
    with process(WORKER, league.store.folder, 0.0) as worker:
        assert worker.communicate()[0].startswith("ready")


def test_a_submission_left_by_a_killed_worker_is_driven_by_another(league: League, bundle: MakeBundle) -> None:
    for i in range(4):
        league.submissions.submit(bundle(i), None, f"racer {i}")
    with process(WORKER, league.store.folder, 60.0) as worker:
        assert worker.stdout
        assert [worker.stdout.readline() for _ in range(2)] == ["ready\n", "1 True\n"]
        worker.kill()
    assert [s.status for s in league.submissions.all()] == [Status.RUNNING, *[Status.QUEUED] * 3]
    finish(league)
    assert [(s.status, s.attempts) for s in league.submissions.all()] == [(Status.SCORED, 2), *[(Status.SCORED, 1)] * 3]


def test_what_was_on_the_track_when_its_organiser_was_killed_is_driven_next(league: League, bundle: MakeBundle) -> None:
    league.races.create("finale", RaceSettings(runs=1, format=RaceFormat.LIVE))
    league.races.open("finale")
    for i in range(3):
        league.submissions.submit(bundle(i), "finale", f"racer {i}")
    league.live.order("finale", [3, 1])
    with process(LIVE, league.store.folder, 60.0) as organiser:
        assert organiser.stdout
        assert organiser.stdout.readline() == "3 True\n"
        organiser.kill()
    assert [s.id for s in league.live.show("finale").on_track] == [3]
    with process(LIVE, league.store.folder, 0.0) as organiser:
        said = organiser.communicate()[0].splitlines()
    assert [line for line in said if "False" in line] == ["3 False", "1 False", "2 False"]
    assert [(s.status, s.attempts) for s in league.submissions.all()] == [(Status.SCORED, n) for n in (1, 1, 2)]


@pytest.mark.slow
def test_kills_of_workers_and_service_at_random_moments_change_nothing(
    league: League, bundle: MakeBundle, tmp_path: Path
) -> None:
    bundles = [bundle(i) for i in range(12)]
    moments = random.Random(0)
    for kill in range(8):
        killed = (
            process(SERVICE, league.store.folder, *bundles) if kill % 2 else process(WORKER, league.store.folder, 0.05)
        )
        with killed:
            assert killed.stdout
            killed.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.4))
            killed.kill()
    with process(SERVICE, league.store.folder, *bundles) as service:
        service.communicate()
    finish(league)
    assert [s.status for s in league.submissions.all()] == [Status.SCORED] * 12
    untroubled = League.create(tmp_path / "untroubled", RaceSettings(runs=2))
    for i, file in enumerate(bundles):
        untroubled.submissions.submit(file, None, f"racer {i}")
    finish(untroubled)
    assert _board(league) == _board(untroubled)


def _board(league: League) -> list[tuple[str, int | None, int]]:
    return sorted((s.entry.racer, s.entry.score.time_ms, s.position) for s in league.boards.standings())
