"""Every submission gets exactly one result, however many workers there are and whenever they die."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from league import workers
from league.drives import driven_of
from league.errors import LeagueError, UnreachableError
from league.evaluation import Job, Run
from league.models import Status
from league.races import RaceSettings
from league.receipts import Receipt
from league.rules import Lap
from league.service import League, queue
from league.service.boards import recount
from league.service.desk import find_race
from league.service.queue import LEASE, TAKEOVERS, Claim, Queue
from league.workers import work
from racer_env.errors import BundleError
from tests.league.conftest import Clock, HeldClock, Here, drain, driven, in_the_middle, laps, statuses

MakeBundle = Callable[[int], Path]
RUN: dict[str, object] = {"seed": 1, "laps": [], "trace_sha256": "0"}


def queued(league: League, bundle: MakeBundle, *racers: str) -> None:
    for i, racer in enumerate(racers):
        league.submissions.submit(bundle(i), None, racer)


def claimed(league: League) -> Claim:
    claim = league.queue.claim()
    assert claim
    return claim


def runs_for(league: League, claim: Claim, time: int) -> tuple[Run, ...]:
    return driven_of(Run, driven(laps(time))(league.queue.job(claim))).runs


def test_submissions_are_driven_oldest_first_each_once(league: League, bundle: MakeBundle) -> None:
    queued(league, bundle, "Ann", "Bob", "Ann")
    seen = [(e.submission.id, e.started) for e in work(league, Here(driven(laps(9000))), drain=True)]
    assert seen == [(i, started) for i in (1, 2, 3) for started in (True, False)]
    assert drain(league, laps(1)) == []


def test_a_submission_made_meanwhile_is_driven_too(league: League, bundle: MakeBundle) -> None:
    queued(league, bundle, "Ann")
    events = work(league, Here(driven(laps(9000))), drain=True)
    next(events)
    queued(league, bundle, "Bob")
    assert [e.submission.racer for e in events if not e.started] == ["Ann", "Bob"]


def test_workers_at_the_same_time_never_claim_the_same(league: League, bundle: MakeBundle) -> None:
    queued(league, bundle, *(f"racer {i}" for i in range(12)))

    def claim_all(_: int) -> list[int]:
        other = League(league.store.folder, clock=Clock())
        found = []
        while claim := other.queue.claim():
            found.append(claim.submission.id)
        other.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [number for numbers in pool.map(claim_all, range(4)) for number in numbers]
    assert sorted(found) == list(range(1, 13))


def test_a_lease_that_ran_out_is_taken_over_and_the_first_worker_writes_nothing(
    league: League, bundle: MakeBundle, clock: Clock
) -> None:
    queued(league, bundle, "Ann")
    first = claimed(league)
    assert league.queue.claim() is None
    clock.now += LEASE
    second = claimed(league)
    assert (second.submission.id, second.submission.attempts) == (1, 2)
    runs = league.queue.job(second)
    assert league.queue.reject(first, "late") is None
    assert league.queue.renew([first, second]) == [first]
    assert drain(league, laps(1)) == []
    assert len(runs.seeds) == 1
    assert statuses(league) == [Status.RUNNING]


def test_a_renewed_lease_is_not_taken_over(league: League, bundle: MakeBundle, clock: Clock) -> None:
    queued(league, bundle, "Ann")
    claim = claimed(league)
    for _ in range(3):
        clock.now += LEASE * 0.7
        assert league.queue.renew([claim]) == []
        assert league.queue.claim() is None


def test_a_submission_that_takes_its_workers_down_is_given_up(league: League, bundle: MakeBundle, clock: Clock) -> None:
    queued(league, bundle, "Ann", "Bob")
    for _ in range(TAKEOVERS):
        assert claimed(league).submission.racer == "Ann"
        clock.now += LEASE
    assert claimed(league).submission.racer == "Bob"
    given_up = league.submissions.one(1)
    assert (given_up.status, given_up.reason) == (Status.ERROR, f"{TAKEOVERS} workers died while they drove it")


def test_what_is_broken_off_goes_back_to_the_queue(league: League, bundle: MakeBundle) -> None:
    queued(league, bundle, "Ann", "Bob")
    events = work(league, Here(driven(laps(9000)), room=2), drain=True)
    next(events)
    assert statuses(league) == [Status.RUNNING, Status.QUEUED]
    events.close()
    assert statuses(league) == [Status.QUEUED, Status.QUEUED]
    assert league.submissions.one(1).attempts == 0
    assert [s.status for s in drain(league, laps(9000))] == [Status.SCORED, Status.SCORED]


def test_what_cannot_be_put_back_keeps_nothing_else_from_it(
    league: League, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(league, bundle, "Ann", "Bob", "Cy")
    engine = Here(driven(laps(9000)), room=3)
    events = work(league, engine, drain=True)
    for _ in range(3):
        next(events)

    def drop(number: int) -> None:
        if number == 2:
            raise LeagueError("the cluster is gone")

    monkeypatch.setattr(engine, "drop", drop)
    with pytest.raises(LeagueError, match="the cluster is gone"):
        events.close()
    assert statuses(league) == [Status.QUEUED] * 3


@pytest.mark.parametrize("call", ["claim", "score", "renew"])
def test_a_worker_waits_until_a_lost_database_is_back(
    league: League,
    bundle: MakeBundle,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call: str,
) -> None:
    real, away = getattr(Queue, call), iter((True, True))

    def flaky(*args: object) -> object:
        if next(away, False):
            raise UnreachableError("the database is away")
        return real(*args)

    queued(league, bundle, "Ann", "Bob")
    monkeypatch.setattr(Queue, call, flaky)

    def sleep(_: float) -> None:
        clock.now += 2 * LEASE

    later = SimpleNamespace(monotonic=lambda: clock.now.timestamp(), sleep=sleep)  # noqa: PLW0108
    monkeypatch.setattr(workers, "time", later)
    drain(league, laps(9000))
    assert [(s.status, s.attempts) for s in league.submissions.all()] == [(Status.SCORED, 1)] * 2
    assert set(caplog.messages) == {"the database is away; waiting until it is back"}


def test_leases_are_renewed_while_known_results_are_written(
    league: League, bundle: MakeBundle, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(league, bundle, "Ann")
    drain(league, laps(9000))
    league.submissions.submit(bundle(1), None, "Bob")
    for racer in ("Bob", "Bob", "Cy", "Cy"):
        league.submissions.submit(bundle(0), None, racer)
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: clock.now.timestamp()))  # noqa: PLW0108
    for event in work(league, Here(driven(laps(8000)), room=2), drain=True):
        if event.submission.id > 2:
            clock.now += LEASE / 3
    assert [(s.status, s.attempts) for s in league.submissions.all()] == [(Status.SCORED, 1)] * 6


@pytest.mark.parametrize("over", ["final_at", "cancelled_at"])
def test_a_result_that_comes_after_the_race_is_over_changes_no_board(
    league: League, bundle: MakeBundle, clock: Clock, over: str
) -> None:
    queued(league, bundle, "Ann", "Ann")
    first = claimed(league)
    league.queue.score(first, runs_for(league, first, 9000))
    second = claimed(league)
    better = runs_for(league, second, 8000)
    board = league.boards.standings()
    with league.store.database.writing() as session:
        setattr(find_race(session, None, lock="write"), over, clock())
    late = league.queue.score(second, better)
    assert late
    assert (late.status, late.reason) == (Status.WITHDRAWN, "its race was over before it had a result")
    assert league.boards.standings() == board


def test_a_kept_bundle_that_was_changed_or_lost_is_not_driven(
    league: League, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "POLL", 0.01)
    queued(league, bundle, "Ann", "Bob", "Cy")
    changed, lost, _ = (league.store.bundle_path(s.bundle_sha256) for s in league.submissions.all())
    changed.write_bytes(bundle(4).read_bytes())
    lost.unlink()
    drain(league, laps(9000))
    assert statuses(league) == [Status.ERROR, Status.ERROR, Status.SCORED]
    assert "has been changed" in (league.submissions.one(1).reason or "")


def test_the_same_bundle_in_the_same_race_always_gets_the_same_result(league: League, bundle: MakeBundle) -> None:
    for _ in range(3):
        league.submissions.submit(bundle(1), None, "Ann")
    times = iter((9000, 8000, 7000))
    made = drain(league, evaluate=lambda job: driven(laps(next(times)))(job))  # noqa: PLW0108
    assert [s.score and s.score.time_ms for s in made] == [9000] * 3
    league.races.create("second", RaceSettings(runs=1))
    league.races.open("second")
    league.submissions.submit(bundle(1), "second", "Ann")
    assert [s.score and s.score.time_ms for s in drain(league, laps(8000))] == [8000]


def test_a_bundle_that_was_rejected_in_a_race_is_not_driven_there_again(league: League, bundle: MakeBundle) -> None:
    league.races.create("second", RaceSettings(runs=1))
    league.races.open("second")
    for race in ("community", "community", "second"):
        league.submissions.submit(bundle(1), race, "Ann")

    def evaluate(_: Job) -> dict[str, object]:
        raise BundleError("no layer fits")

    engine = Here(evaluate)
    ended = [event.submission for event in work(league, engine, drain=True) if not event.started]
    assert [(s.status, s.reason) for s in ended] == [(Status.REJECTED, "no layer fits")] * 3
    assert len(engine.jobs) == 2


def test_the_driver_gets_the_races_settings_track_and_seeds(league: League, bundle: MakeBundle) -> None:
    league.races.create("second", RaceSettings(track="hairpin", laps=2, runs=4))
    league.races.open("second")
    league.submissions.submit(bundle(1), "second", "Ann")
    engine = Here(driven(laps(9000)))
    for _ in work(league, engine, drain=True):
        pass
    (job,) = engine.jobs
    race = league.races.close("second")
    assert job.seeds == race.seeds
    assert (job.settings.laps, job.settings.track, job.route.shape[1]) == (2, "hairpin", 6)
    assert job.archive == bundle(1).read_bytes()


def test_equal_drives_that_are_written_at_the_same_moment_are_flagged(
    league: League, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(league, bundle, "Ann", "Bob")
    both = threading.Barrier(2)

    def late(session: Session, race: int, racer: int) -> None:
        with suppress(threading.BrokenBarrierError):
            both.wait(1.0)  # in both writes everything is done but the end, unless the second one waits for the first
        recount(session, race, racer)

    monkeypatch.setattr(queue, "recount", late)

    def write(claim: Claim) -> None:
        other = League(league.store.folder, clock=Clock())
        other.queue.score(claim, [replace(run, trace_sha256="0f" * 32) for run in runs_for(league, claim, 9000)])
        other.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, [claimed(league), claimed(league)]))
    assert both.broken
    assert [s.copy_of for s in league.submissions.all()] == [None, 1]


class Glitch(Here):
    """An engine that cannot start anything for a while, s."""

    def __init__(self, seconds: float) -> None:
        super().__init__(driven(laps(9000)))
        self.over = time.monotonic() + seconds

    def start(self, number: int, job: Job) -> None:
        if time.monotonic() < self.over:
            raise LeagueError("no process can be started")
        super().start(number, job)


def test_a_moment_in_which_nothing_can_be_started_does_not_use_up_all_attempts(
    league: League, bundle: MakeBundle
) -> None:
    queued(league, bundle, "Ann", "Bob")
    events = list(work(league, Glitch(0.5), drain=True))
    assert [s.status for s in league.submissions.all()] == [Status.SCORED] * 2
    assert [e.submission.reason for e in events if not e.started] == ["no process can be started", None, None]


def test_a_race_is_cancelled_while_workers_renew_their_claims(league: League, bundle: MakeBundle, clock: Clock) -> None:
    queued(league, bundle, "Ann", "Bob")
    claims = [claimed(league), claimed(league)]
    held = HeldClock(clock.now, look=2)
    worker = League(league.store.folder, clock=held)
    in_the_middle(lambda: worker.queue.renew(claims[::-1]), held, lambda: league.races.cancel(None, "rain"))
    assert worker.queue.renew(claims) == claims
    assert {s.status for s in league.submissions.all()} == {Status.WITHDRAWN}
    worker.close()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "laps",
        [],
        {},
        {"runs": [], "replays": {}},
        {"runs": [{"seed": 1}], "replays": {}},
        {"runs": [RUN], "replays": {}},
        {"runs": [RUN | {"replay_sha256": "../../key"}], "replays": {"../../key": ""}},
        {"runs": [RUN | {"replay_sha256": ""}], "replays": {"": ""}},
        {"runs": [RUN | {"replay_sha256": "0" * 64}], "replays": {"0" * 64: "no base64"}},
        {"runs": [RUN | {"replay_sha256": "0" * 64}], "replays": {}},
        {"runs": [RUN], "replays": {"0" * 64: ""}},
        {"runs": [RUN], "replays": [""]},
    ],
    ids=range(13),
)
def test_a_process_that_answers_nonsense_cannot_hurt(league: League, bundle: MakeBundle, answer: object) -> None:
    queued(league, bundle, "Ann", "Bob")
    made = drain(league, evaluate=lambda _: answer)  # type: ignore[arg-type, return-value]
    assert {s.status for s in made[2:]} == {Status.QUEUED, Status.ERROR}
    assert all("nonsense" in (s.reason or "") for s in made)


@pytest.mark.parametrize(
    "answer",
    [
        *([Lap(1, time, 100.0)] for time in (2**31, 10**30, -1)),
        [Lap(1, 9000, 100.0, off_track_count=2**31)],
        [Lap(1, 9000, float("nan"))],
        [Lap(1, 40_000_000, 100.0)] * 60,
    ],
)
def test_a_process_that_answers_what_nobody_drives_cannot_hurt(
    league: League, bundle: MakeBundle, answer: list[Lap]
) -> None:
    queued(league, bundle, "Ann")
    made = drain(league, answer)
    assert [s.status for s in made] == [Status.QUEUED, Status.QUEUED, Status.ERROR]
    assert all("nonsense" in (s.reason or "") for s in made)


def test_the_receipt_of_a_result_is_signed_and_says_what_was_driven(league: League, bundle: MakeBundle) -> None:
    queued(league, bundle, "Ann")
    drain(league, [Lap(1, 9000, 100.0, "lap_complete", 1, 2, 3, 4), Lap(2, 700, 12.345678, "off_track", 1)])
    race = league.races.close(None)
    receipt = Receipt.parse(league.submissions.receipt(1))
    assert (receipt.racer, receipt.race, receipt.submission) == ("Ann", "community", 1)
    assert receipt.race_sha256 == race.seeds_sha256
    assert receipt.league == league.store.public_key
    assert receipt.runs == league.submissions.runs(1)
    assert receipt.engine["racer18"]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE audit SET reason = 'none'", "an entry of the audit log cannot be changed"),
        ("DELETE FROM audit", "an entry of the audit log cannot be removed"),
        ("UPDATE results SET receipt = '{}'", "a result cannot be changed"),
        ("DELETE FROM results", "a result cannot be removed"),
        ("INSERT INTO results SELECT * FROM results", r"UNIQUE|unique"),
        ("DELETE FROM submissions", "a submission cannot be removed|foreign key|FOREIGN KEY"),
        ("UPDATE submissions SET racer_id = 2", "a submission cannot become another one"),
        ("UPDATE submissions SET score_ms = 1", "a submission has one result, ever"),
        ("UPDATE submissions SET status = 'QUEUED'", "a submission has one result, ever"),
        ("UPDATE bundles SET size = 0", "a bundle cannot be changed"),
    ],
)
def test_the_database_itself_keeps_what_must_not_change(
    league: League, bundle: MakeBundle, statement: str, says: str
) -> None:
    queued(league, bundle, "Ann")
    drain(league, laps(9000))
    with pytest.raises(LeagueError, match=says), league.store.database.writing() as session:
        session.execute(sa.text(statement))
    assert league.boards.standings()[0].entry.score.time_ms == 9000


def test_a_worker_whose_clock_is_slow_still_frees_what_a_dead_one_had(league: League, bundle: MakeBundle) -> None:
    queued(league, bundle, "Ann")
    claimed(league)
    behind = Clock()
    behind.now += LEASE - timedelta(seconds=20)
    assert League(league.store.folder, clock=behind).queue.claim() is None
    behind.now += timedelta(seconds=40)
    assert League(league.store.folder, clock=behind).queue.claim()
