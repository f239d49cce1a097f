"""Hostile files are refused with a reason, at the door and by the worker, which goes on; memory has a limit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from league import sandbox
from league.confinement import Limits
from league.models import KeptBundle, Participant, Racer, Status, Submission
from league.races import RaceSettings
from league.service import League
from league.workers import Local, work
from tests.league.conftest import START
from tests.league.hostile import CORPUS, GOOD
from tests.league.memory import peak_mb

LIMITS = Limits(cpu_seconds=60, wall_seconds=120, memory_mb=1024)


def test_there_are_enough() -> None:
    assert len(CORPUS) >= 60
    assert sandbox.run(peak_mb, GOOD, LIMITS).value[0] == ""


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_is_refused_with_a_sentence_and_takes_little_memory(name: str) -> None:
    outcome = sandbox.run(peak_mb, CORPUS[name], LIMITS)
    said, memory = outcome.value or (outcome.refused, 0.0)
    assert said, f"{name}: {outcome}"
    assert len(said) < 500
    assert "\n" not in said
    assert memory < LIMITS.memory_mb
    assert not Path("/tmp/racer-was-here").exists()


def put_in(league: League, number: int, archive: bytes) -> None:
    """Put a file into the queue as if the door had been open."""
    sha256 = hashlib.sha256(archive).hexdigest()
    league.store.keep(archive, sha256)
    with league.store.database.writing() as session:
        session.add(Racer(id=number, key=f"racer {number}", name=f"racer {number}", created_at=START))
        session.add(KeptBundle(sha256=sha256, archive_sha256=sha256, size=len(archive)))
        session.flush()
        session.add(Participant(race_id=1, racer_id=number, driven=0))
        row = {"race_id": 1, "racer_id": number, "bundle_sha256": sha256, "submitted_at": START}
        session.add(Submission(**row, status=Status.QUEUED, attempts=0))


@pytest.mark.slow
def test_the_worker_rejects_every_one_with_a_reason_and_goes_on(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=1, runs=2))
    for number, archive in enumerate(dict.fromkeys(CORPUS.values()), start=1):
        put_in(league, number, archive)
    last = league.submissions.submit(road_follower(1.0), None, "Ann").id
    for _ in work(league, Local(2, LIMITS), drain=True):
        pass
    *hostile, good = league.submissions.all()
    assert {s.id: (s.status, s.reason) for s in hostile if s.status is not Status.REJECTED or not s.reason} == {}
    assert (good.id, good.status) == (last, Status.SCORED)
    assert [s.entry.racer for s in league.boards.standings()] == ["Ann"]
