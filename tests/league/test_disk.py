"""A full disk or one that cannot be written: a clear sentence, and a league that is as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from league.backup import backup
from league.errors import LeagueError
from league.models import Status
from league.races import RaceSettings
from league.service import League
from tests.league.conftest import drain, driven, laps

MakeBundle = Callable[[int], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    mounted = subprocess.run(words, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(file: Path) -> None:
    """Write until there is no room any more."""
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def state(league: League) -> tuple[object, ...]:
    return league.races.all(), league.submissions.all(), league.boards.standings(), league.boards.audit()


@pytest.fixture
def on_disk(disk: Path, bundle: MakeBundle) -> League:
    """A league on the small disk, with a result and a submission that waits."""
    league = League.create(disk / "league", RaceSettings(runs=1))
    league.submissions.submit(bundle(1), None, "Ann")
    drain(league, laps(9000))
    league.submissions.submit(bundle(2), None, "Bob")
    return league


def test_a_full_disk_is_said_and_nothing_is_lost(on_disk: League, disk: Path, bundle: MakeBundle) -> None:
    before = state(on_disk)
    fill(disk / "ballast")
    for attempt in (
        lambda: on_disk.submissions.submit(bundle(3), None, "Cy"),
        lambda: on_disk.submissions.disqualify(1, "a long reason " * 10_000),
        lambda: backup(on_disk.store, disk / "backup.tar.gz"),
        lambda: League.create(disk / "another", RaceSettings()),
    ):
        with pytest.raises(LeagueError, match=r"(?i)full|no space"):
            attempt()
    assert state(on_disk) == before
    assert not list((disk / "league" / "bundles").glob(".*"))
    (disk / "ballast").unlink()
    assert on_disk.submissions.submit(bundle(3), None, "Cy").status is Status.QUEUED
    assert [s.status for s in drain(on_disk, laps(8000))] == [Status.SCORED, Status.SCORED]


def test_a_disk_that_fills_up_during_a_drive_costs_nothing(on_disk: League, disk: Path) -> None:
    def evaluate(job: object) -> list[dict[str, object]]:
        fill(disk / "ballast")
        return driven([*laps(8000)] * 5000)(job)  # type: ignore[arg-type]

    with pytest.raises(LeagueError, match=r"(?i)full"):
        drain(on_disk, evaluate=evaluate)
    (disk / "ballast").unlink()
    again = League(on_disk.store.folder)
    waiting = again.submissions.one(2)
    assert waiting.status in (Status.QUEUED, Status.RUNNING)
    assert waiting.score is None


def test_a_disk_that_cannot_be_written_is_read(on_disk: League, disk: Path, bundle: MakeBundle) -> None:
    before = state(on_disk)
    on_disk.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    league = League(disk / "league")
    assert state(league) == before
    for attempt in (
        lambda: league.submissions.submit(bundle(3), None, "Cy"),
        lambda: league.races.close(None),
        league.queue.claim,
        lambda: backup(league.store, disk / "backup.tar.gz"),
    ):
        with pytest.raises(LeagueError, match=r"(?i)read-?only"):
            attempt()
    league.close()
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert state(League(disk / "league")) == before
