"""What a league takes: ``python -m benchmarks.league [--database URL] [--submissions 10000]``.

Real drivers go through the whole service: submitted, checked in a confined process, queued, driven by a worker's
confined processes, signed and ranked. Every racer has one driver; submitting it again costs all of that except the
drive, for the same bundle in the same race has its result already. Then the board is read 500 times with as many
scored submissions as asked for. The last figures are the times to score three laps of a driver with the original's
usual network, without and with five different runs. A database's URL must name an empty one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import sqlalchemy as sa
import typer
from rich.console import Console
from sqlalchemy.orm import Session

from benchmarks.league_drivers import follower, processor_seconds
from league import sandbox
from league.evaluation import Job
from league.models import Participant, Racer, Submission
from league.races import RaceSettings
from league.service import League
from league.service.boards import recount
from league.store import SQLITE_URL
from league.workers import Local, work
from racer_env.track import find_track

READINGS = 500
BOARD = 500  #: racers on the board that is read, at least
CRASHES = 4.0  #: m/s at which a follower soon leaves the track


def main(
    database: Annotated[str, typer.Option(help="Of an empty database; else a file.")] = SQLITE_URL,
    submissions: Annotated[int, typer.Option(min=1)] = 10_000,
    racers: Annotated[int, typer.Option(min=1)] = 500,
    rows: Annotated[int, typer.Option(help="Scored submissions on the board that is read.", min=1)] = 100_000,
    workers: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
) -> None:
    """Measure, and print a line for every figure."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder, console.status("") as status:
        say: Callable[[str], None] = lambda text: console.print(text, soft_wrap=True)  # noqa: E731
        sandbox.prepare()
        settings = RaceSettings(laps=1, runs=1, resets=0, max_submissions=None)
        league = League.create(Path(folder) / "league", settings, url=database)
        drivers = [follower(Path(folder) / f"{i}.tar.gz", i, speed=CRASHES) for i in range(racers)]
        status.update("submitting ...")
        _submit(league, drivers, submissions, say)
        status.update("driving ...")
        _drive(league, workers, say)
        status.update("filling the board ...")
        _fill(league, rows)
        _read(league, say)
        league.close()
        status.update("driving three laps ...")
        for level in ("none", "original", "mild"):
            _score(Path(folder), level, say)


def _submit(league: League, drivers: list[Path], count: int, say: Callable[[str], None]) -> None:
    first = min(count, len(drivers))
    for begin, end, what in ((0, first, "new drivers"), (first, count, "known drivers")):
        began = time.perf_counter()
        for i in range(begin, end):
            league.submissions.submit(drivers[i % len(drivers)], None, f"racer {i % len(drivers)}")
        if end > begin:
            say(f"submissions of {what}: {(end - begin) / (time.perf_counter() - began):.1f} a second ({end - begin})")


def _drive(league: League, workers: int, say: Callable[[str], None]) -> None:
    began = time.perf_counter()
    count = sum(not event.started for event in work(league, Local(workers), drain=True))
    seconds = time.perf_counter() - began
    say(f"results: {count / seconds:.1f} a second ({count}, with {workers} workers)")
    statuses = {submission.status for submission in league.submissions.all()}
    say(
        f"every submission ended as {', '.join(sorted(statuses))}; {len(league.boards.standings())} racers on the board"
    )


def _fill(league: League, rows: int) -> None:
    """Add racers and scored submissions, as the service would have written them, until there are so many."""
    draw = np.random.default_rng(0)
    columns = [column.name for column in sa.inspect(Submission).columns if column.name != "id"]
    with league.store.database.writing() as session:
        models = [
            {name: getattr(s, name) for name in columns} for s in session.scalars(sa.select(Submission).limit(500))
        ]
        racers = _racers(session, models[0]["race_id"])
        have = session.scalars(sa.select(sa.func.count()).select_from(Submission)).one()
        for begin in range(have, rows, 10_000):
            batch = [dict(models[i % len(models)]) for i in range(begin, min(begin + 10_000, rows))]
            for i, milliseconds in enumerate(draw.integers(8000, 60_000, len(batch)).tolist()):
                batch[i] |= {"status": "SCORED", "score_ms": milliseconds, "progress_percentage": 300.0, "laps": 3}
                batch[i]["racer_id"] = racers[i % len(racers)]
            session.execute(sa.insert(Submission), batch)
        for race, racer in session.execute(sa.select(Submission.race_id, Submission.racer_id).distinct()).all():
            recount(session, race, racer)


def _racers(session: Session, race: int) -> list[int]:
    """All racers of a race, after others were added until there are `BOARD`."""
    known = list(session.scalars(sa.select(Participant.racer_id).where(Participant.race_id == race)))
    now = datetime.now(UTC)
    added = [Racer(key=f"added {i}", name=f"added {i}", created_at=now) for i in range(BOARD - len(known))]
    session.add_all(added)
    session.flush()
    session.add_all(Participant(race_id=race, racer_id=racer.id, driven=0) for racer in added)
    session.flush()
    return known + [racer.id for racer in added]


def _read(league: League, say: Callable[[str], None]) -> None:
    with league.store.database.reading() as session:
        scored = session.scalars(sa.select(sa.func.count()).select_from(Submission)).one()
    times = []
    for _ in range(READINGS):
        wall, cpu = time.perf_counter(), time.process_time()
        board = league.boards.standings()
        times.append((1000.0 * (time.perf_counter() - wall), 1000.0 * (time.process_time() - cpu)))
    half, most = np.percentile(times, [50, 99], axis=0)
    what = f"standings of {len(board)} racers with {scored} submissions"
    say(f"{what}: {half[0]:.1f} ms, 99 of 100 under {most[0]:.1f} ms (processor time {half[1]:.1f}, {most[1]:.1f} ms)")


def _score(folder: Path, level: str, say: Callable[[str], None]) -> None:
    """Score three laps of a driver that costs what a trained one does, five runs."""
    driver = follower(folder / "network.tar.gz", network=True)
    settings = RaceSettings(randomisation=level, resets=3)
    job = Job(driver.read_bytes(), driver.name, settings, find_track("oval").route, (1, 2, 3, 4, 5))
    times = [sandbox.run(processor_seconds, job).value for _ in range(3)]
    cpu, wall = np.median(times, axis=0)
    say(f"three laps of a camera driver, 5 runs, randomisation {level}: {cpu:.2f} s of one core ({wall:.2f} s)")


if __name__ == "__main__":
    typer.run(main)
