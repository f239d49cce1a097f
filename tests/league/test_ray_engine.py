"""The same jobs on a Ray cluster: of this machine, as small as it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from league.confinement import Limits
from league.drives import driven_of
from league.evaluation import Job, Run, evaluate
from league.models import Status
from league.races import RaceSettings
from league.ray_engine import RayEngine, connected_engine
from league.sandbox import Outcome
from league.service import League
from league.workers import work
from racer_env.cluster import ClusterError, ray
from racer_env.track import find_track

LIMITS = Limits(cpu_seconds=120, memory_mb=1024)


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    with connected_engine(LIMITS, workers=2) as made:
        yield made


@pytest.mark.slow
def test_a_cluster_drives_as_this_machine_does(
    engine: RayEngine, tmp_path: Path, bundle: Callable[[int], Path], road_follower: Callable[[float], Path]
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=1, runs=2, randomisation="strong", resets=0))
    for racer, driver in (("Ann", road_follower(1.0)), ("Bob", bundle(1)), ("Cy", road_follower(1.2))):
        league.submissions.submit(driver, None, racer)
    for _ in work(league, engine, drain=True):
        pass
    assert all(s.status in (Status.SCORED, Status.DNF) for s in league.submissions.all())
    seeds = league.races.close(None).seeds or ()
    settings = replace(league.races.one().settings, opens_at=None, closes_at=None)
    job = Job(road_follower(1.0).read_bytes(), "ann.tar.gz", settings, find_track("oval").route, seeds)
    assert league.submissions.runs(1) == driven_of(Run, evaluate(job)).runs


@pytest.mark.slow
def test_jobs_of_a_cluster_are_confined_refused_and_broken_off(engine: RayEngine) -> None:
    assert engine.protection()[0].startswith("120 s of processor time and ")
    room = engine.room
    bad = Job(b"no archive", "bad.tar.gz", RaceSettings(), find_track("oval").route, (1,))
    engine.start(1, bad)
    assert engine.room == room - 1
    outcomes = dict(engine.finished(60.0))
    assert "bad.tar.gz: it is not a whole" in (outcomes[1].refused or "")
    engine.start(2, bad)
    engine.drop(2)
    assert engine.room == room


@pytest.mark.slow
def test_a_cluster_that_answers_nonsense_cannot_hurt(engine: RayEngine) -> None:
    for number, answer in enumerate([{"value": 1, "refused": 2}, b'{"failed": 3}', b'{"value": [1]}']):
        engine._jobs[number] = ray.put(answer)
    outcomes: dict[int, Outcome] = {}
    while len(outcomes) < 3:
        outcomes |= engine.finished(60.0)
    nonsense = Outcome(failed="its process answered nonsense")
    assert outcomes == {0: nonsense, 1: nonsense, 2: Outcome([1])}


def test_a_cluster_that_does_not_answer_is_said() -> None:
    with (
        pytest.raises(ClusterError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"),
        connected_engine(LIMITS, "127.0.0.1:1"),
    ):
        pass
