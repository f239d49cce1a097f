"""What organisers decide about submissions and racers, and until when."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from league.drives import driven_of
from league.errors import LeagueError
from league.evaluation import Job, Run
from league.lifecycle import State
from league.models import Status
from league.races import RaceSettings
from league.service import League
from league.service.desk import find_race
from tests.league.conftest import Clock, HeldClock, drain, driven, failing, in_the_middle, laps, statuses

MakeBundle = Callable[[int], Path]


def test_a_race_is_not_final_without_those_whom_the_organisers_side_failed(league: League, bundle: MakeBundle) -> None:
    def burns(_: Job) -> dict[str, object]:
        raise RuntimeError("the disk is on fire")

    for number, racer in enumerate(("Ann", "Bob")):
        league.submissions.submit(bundle(number), None, racer)
    drain(league, evaluate=burns)
    league.races.close(None)
    with pytest.raises(LeagueError, match=r"has 2 submissions that failed without being to blame: .* work --retry"):
        league.races.finalise(None)
    league.submissions.disqualify(2, "never drives")
    assert league.submissions.retry() == 1
    drain(league, laps(9000))
    assert statuses(league) == [Status.SCORED, Status.ERROR]
    assert league.races.finalise(None).state is State.FINAL


def test_a_racer_is_removed_while_they_withdraw(league: League, bundle: MakeBundle, clock: Clock) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    held = HeldClock(clock.now, look=2)
    racer = League(league.store.folder, clock=held)
    in_the_middle(
        lambda: racer.submissions.withdraw(1), held, lambda: league.submissions.remove("Ann", None, "a mistake")
    )
    assert league.submissions.one(1).status is Status.WITHDRAWN
    racer.close()


@pytest.mark.parametrize("over", ["final", "cancelled"])
def test_what_failed_in_a_race_that_is_over_is_not_queued_again(league: League, bundle: MakeBundle, over: str) -> None:
    league.races.create("second", RaceSettings(runs=1))
    league.races.open("second")
    for race in ("community", "second"):
        league.submissions.submit(bundle(1), race, "Ann")
    drain(league, evaluate=failing(RuntimeError("the disk is on fire")))
    league.races.close("community")
    if over == "final":
        league.submissions.disqualify(1, "it never drives")
        league.races.finalise("community")
    else:
        league.races.cancel("community", "the hall is shut")
    assert league.submissions.retry() == 1
    assert statuses(league) == [Status.ERROR, Status.QUEUED]


@pytest.mark.parametrize(
    "change",
    [
        lambda league: league.submissions.disqualify(1, "borrowed"),
        lambda league: league.submissions.reinstate(1, "it was hers"),
        lambda league: league.submissions.withdraw(1),
    ],
    ids=["disqualify", "reinstate", "withdraw"],
)
def test_what_counts_does_not_change_once_a_race_is_being_made_final(
    league: League, bundle: MakeBundle, clock: Clock, change: Callable[[League], object]
) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    drain(league, laps(9000))
    other = League(league.store.folder, clock=clock)
    with ThreadPoolExecutor(1) as pool:
        with league.store.database.writing() as session:
            race = find_race(session, None, lock="write")
            changed = pool.submit(change, other)
            with pytest.raises(TimeoutError):
                changed.result(0.3)
            race.closes_at = race.final_at = clock()
        with pytest.raises(LeagueError, match="'community' is FINAL"):
            changed.result(30)
    other.close()


def test_a_disqualified_submission_counts_no_more_until_it_is_reinstated(league: League, bundle: MakeBundle) -> None:
    for number, time in enumerate((9000, 8000, 9500), start=1):
        league.submissions.submit(bundle(number), None, "Ann" if number < 3 else "Bob")
        drain(league, laps(time))
    assert league.submissions.disqualify(2, "borrowed").disqualified == "borrowed"
    assert [(s.entry.racer, s.entry.submission) for s in league.boards.standings()] == [("Ann", 1), ("Bob", 3)]
    league.submissions.disqualify(1, "borrowed too")
    assert [s.entry.racer for s in league.boards.standings()] == ["Bob"]
    league.submissions.reinstate(2, "it was hers")
    assert [(s.entry.racer, s.entry.submission) for s in league.boards.standings()] == [("Ann", 2), ("Bob", 3)]
    with pytest.raises(LeagueError, match="is not disqualified"):
        league.submissions.reinstate(2, "again")
    noted = [(e.action, e.submission, e.reason) for e in league.boards.audit() if e.submission]
    assert noted == [("disqualify", 2, "borrowed"), ("disqualify", 1, "borrowed too"), ("reinstate", 2, "it was hers")]


def test_a_removed_racer_is_off_the_board_and_submits_no_more(league: League, bundle: MakeBundle) -> None:
    for i, racer in enumerate(["Ann", "Bob"]):
        league.submissions.submit(bundle(i), None, racer)
    drain(league, laps(9000))
    league.submissions.remove("ann", None, "two names")
    assert [(s.place, s.entry.racer) for s in league.boards.standings()] == [("1", "Bob")]
    with pytest.raises(LeagueError, match="was removed from 'community': two names"):
        league.submissions.submit(bundle(2), None, "Ann")
    with pytest.raises(LeagueError, match="removed already"):
        league.submissions.remove("Ann", None, "again")
    league.submissions.readmit("Ann", None, "a twin")
    assert [s.place for s in league.boards.standings()] == ["=1", "=1"]


def test_what_waits_of_a_removed_racer_is_withdrawn_and_not_counted(league: League, bundle: MakeBundle) -> None:
    for number in range(3):
        league.submissions.submit(bundle(number), None, "Ann")
    league.submissions.submit(bundle(3), None, "Bob")
    claim = league.queue.claim()
    assert claim
    league.submissions.remove("Ann", None, "two names")
    assert statuses(league) == [Status.RUNNING, Status.WITHDRAWN, Status.WITHDRAWN, Status.QUEUED]
    assert league.submissions.one(2).reason == "its racer was removed"
    league.queue.score(claim, driven_of(Run, driven(laps(8000))(league.queue.job(claim))).runs)
    assert [s.racer for s in drain(league, laps(9000))] == ["Bob"]
    league.submissions.readmit("Ann", None, "a twin")
    for number in (4, 5):
        league.submissions.submit(bundle(number), None, "Ann")
    with pytest.raises(LeagueError, match="has used all 3"):
        league.submissions.submit(bundle(6), None, "Ann")


def test_every_administrative_action_needs_a_reason(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    for action in (
        lambda: league.submissions.disqualify(1, ""),
        lambda: league.submissions.remove("Ann", None, "  "),
        lambda: league.races.cancel(None, ""),
    ):
        with pytest.raises(LeagueError, match="say why"):
            action()
