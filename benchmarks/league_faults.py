"""kill -9 at random moments: ``python -m benchmarks.league_faults [--kills 200] [--database URL]``.

Two workers and a service that submits real drivers run while one of their processes after the other is killed: a
worker, a process that drives for it, the process that those are copies of, or the service. Whatever dies is started
again, as an operator's service manager would. In the end every submission must be there with one result, and the board
must be that of a league in which nothing was killed. A database's URL must name an empty one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import select

from benchmarks.league_drivers import follower
from league.models import Race, Status
from league.races import RaceSettings
from league.service import League
from league.store import SQLITE_URL
from league.workers import Local, work

LEASE = timedelta(seconds=5)
SETTINGS = RaceSettings(laps=1, runs=2, resets=0, randomisation="original", max_submissions=None)

WORKER = f"""
import sys
from datetime import timedelta
from pathlib import Path
from league.service import League
from league.workers import Local, work

league = League(Path(sys.argv[1]), lease=timedelta(seconds={LEASE.total_seconds()}))
for _ in work(league, Local(1)):
    pass
"""
SERVICE = """
import sys, time
from pathlib import Path
from league.service import League

league, drivers = League(Path(sys.argv[1])), sorted(Path(sys.argv[2]).iterdir())
made = len(league.submissions.all())
for number, driver in list(enumerate(drivers))[made:]:
    league.submissions.submit(driver, None, f"racer {number % 20}")
    time.sleep(float(sys.argv[3]))
"""


class Service:
    """A script that runs until it is killed or done, and is started again."""

    def __init__(self, script: str, *words: object) -> None:
        self.command = [sys.executable, "-c", script, *map(str, words)]
        self.process = subprocess.Popen(self.command, start_new_session=True)

    def revive(self) -> None:
        """Start it again if it was killed."""
        if self.process.poll() not in (None, 0):
            self.process = subprocess.Popen(self.command, start_new_session=True)

    def processes(self) -> list[int]:
        """It and all that it started."""
        found = [self.process.pid]
        for pid in found:
            with suppress(OSError):
                tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                found += map(int, tasks)
        return found

    def end(self) -> None:
        """Kill all of it."""
        for pid in self.processes():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def main(
    kills: Annotated[int, typer.Option(min=1)] = 200,
    database: Annotated[str, typer.Option(help="Of an empty database; else a file.")] = SQLITE_URL,
    seed: int = 0,
) -> None:
    """Kill, and see whether anything was lost."""
    console, moments = Console(highlight=False), random.Random(seed)
    with tempfile.TemporaryDirectory() as name, console.status("") as status:
        folder = Path(name)
        (folder / "drivers").mkdir()
        count = kills
        for i in range(count):
            follower(folder / "drivers" / f"{i:05}.tar.gz", i, speed=1.0 + 0.001 * i)
        league = League.create(folder / "league", SETTINGS, url=database)
        service = Service(SERVICE, league.store.folder, folder / "drivers", 0.5)
        running = [service, *(Service(WORKER, league.store.folder) for _ in range(2))]
        try:
            hit = _kill(running, kills, moments, status.update)
            status.update("finishing ...")
            _finish(service, league, count)
        finally:
            for each in running:
                each.end()
        console.print(f"{kills} kills: {', '.join(f'{n} of {what}' for what, n in sorted(hit.items()))}")
        status.update("the same without kills ...")
        _compare(league, _untroubled(folder, league), count, console)


def _kill(running: list[Service], kills: int, moments: random.Random, say: object) -> Counter[str]:
    hit: Counter[str] = Counter()
    while hit.total() < kills:
        time.sleep(moments.uniform(0.0, 2.5))
        which = moments.randrange(len(running))
        processes = running[which].processes()
        pid = moments.choice(processes)
        what = "the service" if which == 0 else "a worker" if pid == processes[0] else "a worker's processes"
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            hit[what] += 1
        for each in running:
            if each.process.pid == pid:
                each.process.wait()
            each.revive()
        assert callable(say)
        say(f"{hit.total()} of {kills} kills ...")
    return hit


def _finish(service: Service, league: League, count: int) -> None:
    """Wait until everything is submitted and has its result."""
    while len(league.submissions.all()) < count:
        service.revive()
        time.sleep(1.0)
    while any(s.status in (Status.QUEUED, Status.RUNNING) for s in league.submissions.all()):
        time.sleep(1.0)


def _untroubled(folder: Path, killed: League) -> League:
    """The same submissions to the same race, made and driven by this process alone."""
    league = League.create(folder / "untroubled", SETTINGS)
    with killed.store.database.reading() as session, league.store.database.writing() as other:
        other.scalars(select(Race)).one().seeds = session.scalars(select(Race)).one().seeds
    for number, driver in enumerate(sorted((folder / "drivers").iterdir())):
        league.submissions.submit(driver, None, f"racer {number % 20}")
    for _ in work(league, Local(1), drain=True):
        pass
    return league


def _compare(killed: League, untroubled: League, count: int, console: Console) -> None:
    found = killed.submissions.all()
    failed = killed.submissions.retry()  # whose processes were hit three times
    for _ in work(killed, Local(1), drain=True):
        pass
    after = killed.submissions.all()
    assert [s.id for s in after] == list(range(1, count + 1)), "a submission is lost or there twice"
    assert all(s.status in (Status.SCORED, Status.DNF) for s in after), Counter(s.status for s in after)
    results = [
        [(s.racer, s.bundle_sha256, s.score) for s in league.submissions.all()] for league in (killed, untroubled)
    ]
    assert results[0] == results[1], "a result differs"
    boards = [
        [(s.place, s.entry.racer, s.entry.score) for s in league.boards.standings()] for league in (killed, untroubled)
    ]
    assert boards[0] == boards[1], "the boards differ"
    again = sum(s.attempts > 1 for s in found)
    console.print(f"{count} submissions: none lost, none scored twice, every result and the board as without kills")
    console.print(f"{again} were taken up again by another worker, {failed} by the organiser's retry")


if __name__ == "__main__":
    typer.run(main)
