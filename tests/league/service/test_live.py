"""Live races: what waits for its organiser is driven when it is launched, once, in the order that they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from league import live_day, workers
from league.errors import LeagueError
from league.evaluation import Job
from league.lifecycle import State
from league.live_day import race_live
from league.models import Status
from league.presets import LIVE_FINALE
from league.races import RaceFormat, RaceSettings
from league.rules import Lap
from league.service import League, SubmissionView
from league.service.queue import LEASE, TAKEOVERS
from league.workers import Evaluate, work
from tests.league.conftest import Clock, Here, drain, driven, laps

MakeBundle = Callable[[int], Path]
LIVE = RaceSettings(runs=1, format=RaceFormat.LIVE, max_submissions=2)


@pytest.fixture
def finale(league: League, bundle: MakeBundle) -> str:
    """A live race in which Ann, Bob, Cy and Di wait with the submissions 1 to 4."""
    league.races.create("finale", LIVE)
    league.races.open("finale")
    for number, racer in enumerate(("Ann", "Bob", "Cy", "Di")):
        league.submissions.submit(bundle(number), "finale", racer)
    return "finale"


def launch(
    league: League,
    number: int | None = None,
    *,
    time: int = 9000,
    everyone: bool = False,
    evaluate: Evaluate | None = None,
) -> list[SubmissionView]:
    """Launch with this lap in place of the simulator's; what became of each."""
    engine = Here(evaluate or driven(laps(time)))
    events = race_live(league, "finale", number, engine, everyone=everyone)
    return [event.submission for event in events if not event.started]


def order(league: League) -> list[int]:
    return [one.id for one in league.live.show("finale").waiting]


def ids(views: Sequence[SubmissionView]) -> list[int]:
    return [one.id for one in views]


def test_what_is_submitted_waits_for_the_organiser_and_workers_leave_it_alone(league: League, finale: str) -> None:
    assert drain(league, laps(9000)) == []
    assert league.queue.claim() is None
    seen = [(s.status, s.position, s.turn) for s in league.submissions.all(finale)]
    assert seen == [(Status.QUEUED, None, turn) for turn in (1, 2, 3, 4)]
    assert (league.submissions.one(3).turn, league.races.one(finale).waiting) == (3, 4)


@pytest.mark.usefixtures("finale")
def test_an_audience_does_not_wait_until_the_leagues_folder_is_tidied_up(
    league: League, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidied: list[object] = []
    monkeypatch.setattr(workers, "tidy", tidied.append)
    assert (len(launch(league, everyone=True)), tidied) == (4, [])
    drain(league, laps(9000))
    assert tidied == [league.store]


def test_the_next_is_launched_or_the_one_that_is_named(league: League, finale: str) -> None:
    assert [(s.id, s.status) for s in launch(league)] == [(1, Status.SCORED)]
    assert ids(launch(league, 4, time=8000)) == [4]
    assert ids(launch(league)) == [2]
    shown = league.live.show(finale)
    assert (ids(shown.done), ids(shown.waiting), shown.waiting[0].turn) == ([1, 4, 2], [3], 1)
    assert shown.board[0].racer == "Di"


def test_all_that_are_left_are_launched_one_after_the_other(league: League, bundle: MakeBundle, finale: str) -> None:
    engine = Here(driven(laps(9000)), room=4)
    seen = []
    for event in race_live(league, finale, engine=engine, everyone=True):
        seen.append((event.submission.id, event.started))
        assert len(league.live.show(finale).on_track) <= 1
        if seen == [(1, True)]:
            league.submissions.submit(bundle(7), finale, "Ann")
    assert seen == [(number, started) for number in (1, 2, 3, 4, 5) for started in (True, False)]
    assert launch(league, everyone=True) == []
    with pytest.raises(LeagueError, match="nobody waits in 'finale'"):
        launch(league)


def test_launching_goes_on_after_the_close_until_the_race_is_final(
    league: League, bundle: MakeBundle, finale: str
) -> None:
    league.races.close(finale)
    with pytest.raises(LeagueError, match="is CLOSED since"):
        league.submissions.submit(bundle(1), finale, "Ann")
    with pytest.raises(
        LeagueError, match=r"has 4 submissions .*: racer league live launch 'finale' --all; .*live drop"
    ):
        league.races.finalise(finale)
    league.live.release(finale)
    with pytest.raises(LeagueError, match="has 4 submissions without a result"):
        league.races.finalise(finale)
    assert ids(launch(league, everyone=True)) == [1, 2, 3, 4]
    assert league.races.finalise(finale).state is State.FINAL
    with pytest.raises(LeagueError, match="is FINAL; to launch it takes one that is OPEN or CLOSED"):
        launch(league)


def test_a_cancelled_race_withdraws_what_was_never_launched(league: League, finale: str) -> None:
    league.live.release(finale, 2)
    league.races.cancel(finale, "the hall is shut")
    assert {s.status for s in league.submissions.all(finale)} == {Status.WITHDRAWN}
    with pytest.raises(LeagueError, match="is CANCELLED"):
        launch(league)
    assert drain(league, laps(9000)) == []


def test_what_is_left_to_the_workers_goes_before_the_queue_as_it_was_released(
    league: League, bundle: MakeBundle, finale: str
) -> None:
    classic = league.submissions.submit(bundle(8), "community", "Ed")
    assert classic.position == 1
    league.live.release(finale, 3)
    assert ids(league.live.release(finale, everyone=True)) == [1, 2, 4]
    assert [league.submissions.one(n).position for n in (3, 1, 2, 4, 5)] == [1, 2, 3, 4, 5]
    assert [s.position for s in league.submissions.all()] == [2, 3, 1, 4, 5]
    assert ids(league.live.show(finale).waiting) == [3, 1, 2, 4]
    assert ids(drain(league, laps(9000))) == [3, 1, 2, 4, 5]
    with pytest.raises(LeagueError, match="nobody waits in the running order of 'finale'"):
        league.live.release(finale)


def test_what_was_left_to_workers_that_are_not_there_can_be_driven_here(league: League, finale: str) -> None:
    league.live.release(finale, 3)
    assert [ids(launch(league)), ids(launch(league))] == [[3], [1]]
    with pytest.raises(LeagueError, match="submission 3 of Cy is SCORED: it does not wait any more"):
        league.live.release(finale, 3)


@pytest.mark.parametrize(
    ("number", "says"),
    [(5, "submission 5 is in 'community', not in 'finale'"), (9, "no submission 9"), (1, "is SCORED: it does not")],
)
def test_what_does_not_wait_cannot_be_launched_ordered_or_released(
    league: League, bundle: MakeBundle, finale: str, number: int, says: str
) -> None:
    league.submissions.submit(bundle(8), "community", "Ed")
    launch(league)
    for ask in (
        lambda: launch(league, number),
        lambda: league.live.release(finale, number),
        lambda: league.live.order(finale, [2, number]),
    ):
        with pytest.raises(LeagueError, match=says):
            ask()
    assert order(league) == [2, 3, 4]


def test_a_classic_race_has_no_running_order(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    for ask in (
        lambda: league.live.show("community"),
        lambda: league.live.up_next("community"),
        lambda: league.live.release("community"),
        lambda: league.live.order("community", [1]),
        lambda: league.live.drop(1, "late"),
    ):
        with pytest.raises(LeagueError, match="'community' is classic, not live"):
            ask()


def test_the_named_start_first_and_the_others_as_they_were(league: League, bundle: MakeBundle, finale: str) -> None:
    assert [(s.id, s.turn) for s in league.live.order(finale, [3, 1])] == [(3, 1), (1, 2), (2, 3), (4, 4)]
    league.submissions.submit(bundle(5), finale, "Ann")
    assert order(league) == [3, 1, 2, 4, 5]
    league.live.order(finale, [5])
    assert order(league) == [5, 3, 1, 2, 4]
    with pytest.raises(LeagueError, match="submission 2 cannot start twice"):
        league.live.order(finale, [2, 2])
    league.live.release(finale, 1)
    with pytest.raises(LeagueError, match="submission 1 is launched already"):
        league.live.order(finale, [1])
    assert ids(launch(league, everyone=True)) == [1, 5, 3, 2, 4]
    assert [entry.details for entry in league.boards.audit(finale) if entry.action == "order live race"] == [
        {"order": [3, 1, 2, 4]},
        {"order": [5, 3, 1, 2, 4]},
    ]


def test_a_finale_starts_with_the_slowest_qualifier_and_its_second_round_with_the_slowest_of_the_first(
    league: League, bundle: MakeBundle, finale: str
) -> None:
    for racer, time in {"Bob": 8000, "Ann": 8500, "Di": 9000, "Ed": 7000}.items():
        league.submissions.submit(bundle(time), "community", racer)
        drain(league, laps(time))
    for number, racer in enumerate(("Ann", "Bob", "Di"), start=20):
        league.submissions.submit(bundle(number), finale, racer)
    with pytest.raises(LeagueError, match="nobody who waits in 'finale' stands on the board of 'finale'"):
        league.live.order_by_board(finale, finale)
    made, unknown = league.live.order_by_board(finale, "Community")
    assert unknown == ("Cy",)
    assert [s.racer for s in made] == ["Cy", "Di", "Ann", "Bob", "Di", "Ann", "Bob"]
    for time in (9000, 7000, 8000, 9500):
        launch(league, time=time)
    made, unknown = league.live.order_by_board(finale, finale)
    assert ([s.racer for s in made], unknown) == (["Bob", "Ann", "Di"], ())


def test_what_is_dropped_is_not_driven_and_not_counted(league: League, bundle: MakeBundle, finale: str) -> None:
    league.submissions.submit(bundle(10), finale, "Ann")
    with pytest.raises(LeagueError, match="say why"):
        league.live.drop(1, " ")
    league.live.release(finale, 1)
    dropped = league.live.drop(1, "the wrong model")
    assert (dropped.status, dropped.reason) == (Status.WITHDRAWN, "dropped by the organiser: the wrong model")
    with pytest.raises(LeagueError, match="submission 1 of Ann is WITHDRAWN: it does not wait"):
        league.live.drop(1, "again")
    assert league.submissions.submit(bundle(11), finale, "Ann").turn == 5
    with pytest.raises(LeagueError, match="has used all 2"):
        league.submissions.submit(bundle(12), finale, "Ann")
    noted = [(e.action, e.racer, e.submission, e.reason) for e in league.boards.audit(finale)][-1]
    assert noted == ("drop submission", "Ann", 1, "the wrong model")
    assert league.queue.claim(3)
    with pytest.raises(LeagueError, match="submission 3 is on the track"):
        league.live.drop(3, "too slow")
    assert order(league) == [2, 4, 5, 6]


@pytest.mark.usefixtures("finale")
def test_a_racer_takes_back_what_waits(league: League) -> None:
    league.submissions.withdraw(2, "Bob")
    assert ids(launch(league, everyone=True)) == [1, 3, 4]


@pytest.mark.usefixtures("finale")
def test_who_is_removed_is_not_launched(league: League) -> None:
    league.submissions.remove("Bob", "finale", "two names")
    assert ids(launch(league, everyone=True)) == [1, 3, 4]


def test_what_is_broken_off_is_back_at_its_place(league: League, finale: str) -> None:
    events = race_live(league, finale, 3, Here(driven(laps(9000))))
    assert next(events).submission.id == 3
    assert ids(league.live.show(finale).on_track) == [3]
    events.close()
    assert order(league) == [1, 2, 3, 4]
    assert (league.submissions.one(3).attempts, league.submissions.one(3).turn) == (0, 3)
    assert drain(league, laps(9000)) == []


def test_what_the_organisers_side_fails_on_is_tried_three_times_and_then_waits_for_a_retry(
    league: League, finale: str
) -> None:
    def burns(_: Job) -> dict[str, object]:
        raise RuntimeError("the disk is on fire")

    made = launch(league, 2, evaluate=burns)
    assert [s.status for s in made] == [Status.QUEUED, Status.QUEUED, Status.ERROR]
    league.live.release(finale, 3)
    assert [s.status for s in drain(league, evaluate=burns)] == [Status.QUEUED, Status.QUEUED, Status.ERROR]
    assert order(league) == [1, 4]
    assert league.submissions.retry() == 2
    assert drain(league, laps(9000)) == []
    assert order(league) == [1, 2, 3, 4]
    assert [s.status for s in launch(league, everyone=True)] == [Status.SCORED] * 4


@pytest.mark.usefixtures("finale")
def test_who_is_on_the_track_elsewhere_is_waited_for_and_taken_over_once_its_worker_is_gone(
    league: League, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = league.queue.claim(2)

    def sleep(_: float) -> None:
        clock.now += LEASE / 4

    monkeypatch.setattr(live_day, "time", SimpleNamespace(sleep=sleep))
    (made,) = launch(league)
    assert (made.id, made.status, made.attempts) == (2, Status.SCORED, 2)
    assert gone
    assert league.queue.reject(gone, "late") is None


def test_the_result_of_a_worker_that_drives_already_is_told(
    league: League, finale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    league.live.release(finale)
    worker = work(league, Here(driven(laps(7000))), drain=True)
    assert next(worker).started
    monkeypatch.setattr(live_day, "time", SimpleNamespace(sleep=lambda _: list(worker)))
    assert [(s.id, s.score and s.score.time_ms) for s in launch(league, time=9000)] == [(1, 7000)]


@pytest.mark.usefixtures("finale")
def test_a_submission_that_takes_its_workers_down_is_given_up(league: League, clock: Clock) -> None:
    for _ in range(TAKEOVERS):
        assert league.queue.claim(1)
        clock.now += LEASE
    assert [(s.id, s.status) for s in launch(league)] == [(1, Status.ERROR)]


def test_many_who_launch_at_once_drive_everything_once(league: League, finale: str) -> None:
    league.live.release(finale, 2)

    def claim_all(number: int) -> list[int]:
        other = League(league.store.folder, clock=Clock())
        claims = [other.queue.claim(), *(other.queue.claim(1 + (number + i) % 4) for i in range(4))]
        other.close()
        return [claim.submission.id for claim in claims if claim]

    with ThreadPoolExecutor(4) as pool:
        found = [number for numbers in pool.map(claim_all, range(4)) for number in numbers]
    assert sorted(found) == [1, 2, 3, 4]


def test_the_same_driver_has_the_same_result_when_it_is_launched_again(
    league: League, bundle: MakeBundle, finale: str
) -> None:
    launch(league, 1)
    again = league.submissions.submit(bundle(0), finale, "Ann")
    assert launch(league, again.id, time=5000)[0].score == league.submissions.one(1).score


def test_a_finale_of_the_preset_is_live(league: League, bundle: MakeBundle) -> None:
    league.races.create("finale", replace(LIVE_FINALE, track="hairpin"))
    league.races.open("finale")
    assert league.submissions.submit(bundle(1), "finale", "Ann").turn == 1
    assert [s.status for s in launch(league, evaluate=driven([Lap(1, 500, 20.0)]))] == [Status.DNF]
