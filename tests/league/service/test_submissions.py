"""What racers may submit, and what becomes of it; in both kinds of database."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from league.drives import as_json, driven_of
from league.errors import LeagueError
from league.evaluation import Job, Run
from league.models import Status
from league.races import RaceSettings
from league.rules import Lap, Score
from league.service import League
from league.service.submissions import Submissions
from racer_env.errors import BundleError, MetadataError
from tests.league.conftest import Clock, drain, driven, failing, laps

MakeBundle = Callable[[int], Path]


def kept(league: League) -> list[str]:
    return sorted(path.name for path in (league.store.folder / "bundles").iterdir())


def test_a_submission_is_queued_and_its_bundle_kept_under_its_hash(league: League, bundle: MakeBundle) -> None:
    queued = league.submissions.submit(bundle(1), None, "Ann")
    assert (queued.id, queued.race, queued.racer, queued.status) == (1, "community", "Ann", Status.QUEUED)
    assert queued.submitted_at.tzinfo is UTC
    assert kept(league) == [f"{queued.bundle_sha256}.tar.gz"]
    assert (league.races.one().racers, league.races.one().submissions, league.races.one().waiting) == (1, 1, 1)


def test_the_same_driver_is_kept_once_whatever_archive_it_comes_in(
    league: League, bundle: MakeBundle, tmp_path: Path
) -> None:
    again = tmp_path / "again.tar.gz"
    again.write_bytes(gzip.compress(gzip.decompress(bundle(1).read_bytes()), 1))
    first = league.submissions.submit(bundle(1), None, "Ann")
    assert again.read_bytes() != bundle(1).read_bytes()
    assert league.submissions.submit(again, None, "Ann").bundle_sha256 == first.bundle_sha256
    assert league.submissions.submit(bundle(2), None, "Ann").bundle_sha256 != first.bundle_sha256
    assert len(kept(league)) == 2


def test_a_bundle_that_another_racer_submitted_before_is_flagged(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    assert league.submissions.submit(bundle(1), None, "Ann").copy_of is None
    assert league.submissions.submit(bundle(1), None, "Bob").copy_of == 1
    league.races.create("second", RaceSettings(runs=1))
    league.races.open("second")
    assert league.submissions.submit(bundle(1), "second", "Bob").copy_of == 1


def test_a_driver_that_drives_step_by_step_as_another_racers_is_flagged(league: League, bundle: MakeBundle) -> None:
    for i, racer in enumerate(["Ann", "Ann", "Bob"]):
        league.submissions.submit(bundle(i), None, racer)

    def same(job: Job) -> dict[str, object]:
        return as_json([replace(run, trace_sha256="0" * 64) for run in driven_of(Run, driven(laps(9000))(job)).runs])

    drain(league, evaluate=same)
    assert [s.copy_of for s in league.submissions.all()] == [None, None, 1]


def test_only_the_first_of_those_that_drive_the_same_is_the_original_whoever_is_driven_first(
    league: League, bundle: MakeBundle
) -> None:
    for i, racer in enumerate(["Ann", "Bob", "Ann", "Cy"]):
        league.submissions.submit(bundle(i), None, racer)
    claims = [league.queue.claim() for _ in range(4)]
    flags = []
    for claim in reversed(claims):
        assert claim
        runs = driven_of(Run, driven(laps(9000))(league.queue.job(claim))).runs
        league.queue.score(claim, [replace(run, trace_sha256="0" * 64) for run in runs])
        flags.append([s.copy_of for s in league.submissions.all()])
    assert flags == [[None, None, None, None], [None, None, None, 3], [None, None, 2, 2], [None, 1, None, 1]]


def test_a_racer_is_the_same_in_upper_and_lower_case(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    assert league.submissions.submit(bundle(2), None, "ANN").racer == "Ann"
    assert [s.id for s in league.submissions.all(racer="ann")] == [1, 2]


def test_a_file_that_is_no_bundle_is_refused_and_leaves_nothing(league: League, tmp_path: Path) -> None:
    (tmp_path / "driver.tar.gz").write_bytes(b"no archive")
    with pytest.raises(BundleError, match=r"driver\.tar\.gz: it is not a whole"):
        league.submissions.submit(tmp_path / "driver.tar.gz", None, "Ann")
    with pytest.raises(BundleError, match=r"missing\.tar\.gz cannot be read"):
        league.submissions.submit(tmp_path / "missing.tar.gz", None, "Ann")
    assert (league.submissions.all(), kept(league), league.races.one().racers) == ((), [], 0)


def escapes(_: object) -> str:
    return "../escaped"


def test_a_file_that_takes_its_check_over_cannot_say_where_it_is_kept(
    league: League, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("league.service.submissions.check", escapes)
    with pytest.raises(LeagueError, match="could not be checked: its process answered nonsense"):
        league.submissions.submit(bundle(1), None, "Ann")
    assert (list(league.store.folder.glob("*.tar.gz")), kept(league)) == ([], [])


def test_an_archive_whose_submission_was_broken_off_does_not_stand_in_for_the_next(
    league: League, bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.tar.gz"
    again.write_bytes(gzip.compress(gzip.decompress(bundle(1).read_bytes()), mtime=7))
    with monkeypatch.context() as killed:
        killed.setattr("league.service.submissions._first_of_another", interrupted)
        with pytest.raises(KeyboardInterrupt):
            league.submissions.submit(bundle(1), None, "Ann")
    assert (len(kept(league)), league.submissions.all()) == (1, ())
    league.submissions.submit(again, None, "Ann")
    assert [s.status for s in drain(league, laps(9000))] == [Status.SCORED]


def test_the_same_driver_in_two_archives_at_once_is_kept_as_the_first_that_is_written_down(
    league: League, bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.tar.gz"
    again.write_bytes(gzip.compress(gzip.decompress(bundle(1).read_bytes()), mtime=7))
    received = Submissions._received

    def overtaken(self: Submissions, file: Path) -> tuple[dict[str, Any], bytes | None]:
        out = received(self, file)
        monkeypatch.setattr(Submissions, "_received", received)
        league.submissions.submit(again, None, "Bob")
        return out

    monkeypatch.setattr(Submissions, "_received", overtaken)
    league.submissions.submit(bundle(1), None, "Ann")
    assert [s.status for s in drain(league, laps(9000))] == [Status.SCORED] * 2


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_bad_name_or_race_is_refused_and_leaves_nothing(league: League, bundle: MakeBundle) -> None:
    with pytest.raises(LeagueError, match="racer name"):
        league.submissions.submit(bundle(1), None, "../ann")
    with pytest.raises(LeagueError, match="does not exist"):
        league.submissions.submit(bundle(1), "tomorrow", "Ann")
    assert kept(league) == []


def test_a_racer_cannot_submit_more_than_the_race_allows(league: League, bundle: MakeBundle) -> None:
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
    with pytest.raises(LeagueError, match="'Ann' has used all 3 submissions to 'community'"):
        league.submissions.submit(bundle(4), None, "ann")
    assert league.submissions.submit(bundle(4), None, "Bob").status is Status.QUEUED


def test_who_may_not_submit_is_refused_before_their_file_is_read(
    league: League, bundle: MakeBundle, tmp_path: Path
) -> None:
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
    league.submissions.submit(bundle(3), None, "Bob")
    league.submissions.remove("Bob", None, "two names")
    league.races.create("rookies", RaceSettings(runs=1, division="rookie"))
    league.races.open("rookies")
    for racer, race, says in (
        ("ann", "community", "has used all 3"),
        ("Bob", "community", "was removed"),
        ("Cy", "rookies", "of a season, but is in none"),
    ):
        with pytest.raises(LeagueError, match=says):
            league.submissions.submit(tmp_path / "missing.tar.gz", race, racer)


def test_submissions_at_the_same_time_cannot_pass_the_limit(league: League, bundle: MakeBundle, clock: Clock) -> None:
    file = bundle(1)
    league.submissions.submit(file, None, "Bob")

    def submit(_: int) -> bool:
        other = League(league.store.folder, clock=clock)
        try:
            other.submissions.submit(file, None, "Ann")
        except LeagueError as error:
            return "has used all" not in str(error)
        finally:
            other.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submit, range(16))) == 3


def test_a_racer_has_so_many_submissions_a_day_and_at_a_time(league: League, bundle: MakeBundle, clock: Clock) -> None:
    league.races.create("second", RaceSettings(runs=1, max_submissions_a_day=2, max_in_flight=1))
    league.races.open("second")
    league.submissions.submit(bundle(1), "second", "Ann")
    with pytest.raises(LeagueError, match="'Ann' has 1 of at most 1 submissions to 'second' without a result"):
        league.submissions.submit(bundle(1), "second", "Ann")
    drain(league, [Lap(1, 900, 50.0)])
    league.submissions.submit(bundle(1), "second", "Ann")
    drain(league, [Lap(1, 900, 50.0)])
    with pytest.raises(LeagueError, match=r"all 2 submissions of today \(UTC\)"):
        league.submissions.submit(bundle(1), "second", "Ann")
    clock.now += timedelta(hours=12)
    assert league.submissions.submit(bundle(1), "second", "Ann").status is Status.QUEUED


def test_what_the_organisers_side_fails_on_is_tried_three_times_and_not_counted(
    league: League, bundle: MakeBundle
) -> None:
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
    made = drain(league, evaluate=failing(RuntimeError("the disk is on fire")))
    assert [s.status for s in made] == [Status.QUEUED, Status.QUEUED, Status.ERROR] * 3
    assert {s.reason for s in made} == {"RuntimeError: the disk is on fire"}
    league.submissions.submit(bundle(4), None, "Ann")
    assert league.submissions.retry() == 3
    assert [s.status for s in drain(league, laps(9000))] == [Status.SCORED] * 4


@pytest.mark.parametrize("error", [BundleError("no layer fits"), MetadataError("no such sensor")])
def test_a_driver_that_cannot_drive_is_rejected_with_the_reason_and_counted(
    league: League, bundle: MakeBundle, error: Exception
) -> None:
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
        assert [(s.status, s.reason) for s in drain(league, evaluate=failing(error))] == [(Status.REJECTED, str(error))]
    assert league.boards.standings() == ()
    with pytest.raises(LeagueError, match="has used all 3"):
        league.submissions.submit(bundle(4), None, "Ann")


def test_a_dnf_is_counted(league: League, bundle: MakeBundle) -> None:
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
    assert [s.status for s in drain(league, [Lap(1, 500, 20.0)])] == [Status.DNF] * 3
    with pytest.raises(LeagueError, match="has used all 3"):
        league.submissions.submit(bundle(4), None, "Ann")


def test_the_queue_tells_everybody_their_place(league: League, bundle: MakeBundle) -> None:
    for i, racer in enumerate(["Ann", "Bob", "Cy"]):
        league.submissions.submit(bundle(i), None, racer)
    league.queue.claim()
    assert [s.position for s in league.submissions.all()] == [None, 1, 2]
    assert league.submissions.one(3).position == 2
    assert league.submissions.one(1).position is None


def test_of_several_runs_the_median_counts(league: League, bundle: MakeBundle) -> None:
    league.races.create("second", RaceSettings(laps=1, runs=3))
    league.races.open("second")
    league.submissions.submit(bundle(1), "second", "Ann")
    (made,) = drain(league, laps(9000), (), laps(8000))
    assert (made.status, made.score) == (Status.SCORED, Score(9000, 100.0, 1, 0))
    assert [run.laps for run in league.submissions.runs(1)] == [laps(9000), (), laps(8000)]


def test_seeds_are_not_told_before_the_close(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    drain(league, laps(9000))
    assert {run.seed for run in league.submissions.runs(1)} == {0}
    with pytest.raises(LeagueError, match="which tells the seeds, it takes one that is CLOSED or FINAL"):
        league.submissions.receipt(1)
    seeds = league.races.close(None).seeds
    assert tuple(run.seed for run in league.submissions.runs(1)) == seeds
    assert str((seeds or ())[0]) in league.submissions.receipt(1)
