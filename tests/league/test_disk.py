"""A full disk or one that cannot be written: a clear sentence, and a league that is as it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from league.backup import backup
from league.errors import LeagueError
from league.models import Status
from league.races import RaceSettings
from league.service import League
from tests.disk import fill
from tests.league.conftest import drain, driven, laps

MakeBundle = Callable[[int], Path]


def state(league: League) -> tuple[object, ...]:
    return league.races.all(), league.submissions.all(), league.boards.standings(), league.boards.audit()


@pytest.fixture
def on_disk(small_disk: Path, bundle: MakeBundle) -> League:
    """A league on the small disk, with a result and a submission that waits."""
    league = League.create(small_disk / "league", RaceSettings(runs=1))
    league.submissions.submit(bundle(1), None, "Ann")
    drain(league, laps(9000))
    league.submissions.submit(bundle(2), None, "Bob")
    return league


def test_a_full_disk_is_said_and_nothing_is_lost(on_disk: League, small_disk: Path, bundle: MakeBundle) -> None:
    before = state(on_disk)
    fill(small_disk / "ballast")
    for attempt in (
        lambda: on_disk.submissions.submit(bundle(3), None, "Cy"),
        lambda: on_disk.submissions.disqualify(1, "a long reason " * 10_000),
        lambda: backup(on_disk.store, small_disk / "backup.tar.gz"),
        lambda: League.create(small_disk / "another", RaceSettings()),
    ):
        with pytest.raises(LeagueError, match=r"(?i)full|no space"):
            attempt()
    assert state(on_disk) == before
    assert not list((small_disk / "league" / "bundles").glob(".*"))
    (small_disk / "ballast").unlink()
    assert on_disk.submissions.submit(bundle(3), None, "Cy").status is Status.QUEUED
    assert [s.status for s in drain(on_disk, laps(8000))] == [Status.SCORED, Status.SCORED]


def test_a_disk_that_fills_up_during_a_drive_costs_nothing(on_disk: League, small_disk: Path) -> None:
    def evaluate(job: object) -> dict[str, object]:
        fill(small_disk / "ballast")
        return driven([*laps(8000)] * 40)(job)  # type: ignore[arg-type]

    with pytest.raises(LeagueError, match=r"(?i)full"):
        drain(on_disk, evaluate=evaluate)
    (small_disk / "ballast").unlink()
    again = League(on_disk.store.folder)
    waiting = again.submissions.one(2)
    assert waiting.status in (Status.QUEUED, Status.RUNNING)
    assert waiting.score is None


def test_a_disk_that_cannot_be_written_is_read(on_disk: League, small_disk: Path, bundle: MakeBundle) -> None:
    before = state(on_disk)
    on_disk.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    league = League(small_disk / "league")
    assert state(league) == before
    for attempt in (
        lambda: league.submissions.submit(bundle(3), None, "Cy"),
        lambda: league.races.close(None),
        league.queue.claim,
        lambda: backup(league.store, small_disk / "backup.tar.gz"),
    ):
        with pytest.raises(LeagueError, match=r"(?i)read-?only"):
            attempt()
    league.close()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert state(League(small_disk / "league")) == before


def test_what_a_killed_process_wrote_is_read_from_a_disk_that_cannot_be_written(small_disk: Path) -> None:
    folder = small_disk / "league"
    dies = (
        "import os, pathlib; from league.races import RaceSettings; from league.service import League; "
        f"made = League.create(pathlib.Path({str(folder)!r}), RaceSettings()); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", dies], check=False).returncode == -9
    assert (folder / "league.db-wal").stat().st_size
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    league = League(folder)
    assert [race.name for race in league.races.all()] == ["community"]
    with pytest.raises(LeagueError, match=r"(?i)read-?only"):
        league.races.close(None)
    league.close()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
