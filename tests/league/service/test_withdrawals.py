"""What racers take back, and what of it is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from league.errors import LeagueError
from league.models import Status
from league.service import League
from tests.league.conftest import drain, laps, statuses

MakeBundle = Callable[[int], Path]


def test_what_waits_can_be_withdrawn_and_is_not_counted(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    with pytest.raises(LeagueError, match="submission 1 is Ann's, not Bob's"):
        league.submissions.withdraw(1, "Bob")
    assert league.submissions.withdraw(1, "ann").status is Status.WITHDRAWN
    with pytest.raises(LeagueError, match="nothing to withdraw"):
        league.submissions.withdraw(1)
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
    assert drain(league, laps(9000))[0].id == 2


def test_what_was_scored_can_be_withdrawn_but_stays_counted(league: League, bundle: MakeBundle) -> None:
    for time in (9000, 8000):
        league.submissions.submit(bundle(time), None, "Ann")
        drain(league, laps(time))
    league.submissions.withdraw(2)
    assert [(s.entry.submission, s.submissions) for s in league.boards.standings()] == [(1, 1)]
    league.submissions.submit(bundle(1), None, "Ann")
    with pytest.raises(LeagueError, match="has used all 3"):
        league.submissions.submit(bundle(1), None, "Ann")


def test_what_is_withdrawn_while_it_is_driven_stays_counted(league: League, bundle: MakeBundle) -> None:
    for i in range(3):
        league.submissions.submit(bundle(i), None, "Ann")
        assert league.queue.claim()
        league.submissions.withdraw(i + 1)
    with pytest.raises(LeagueError, match="has used all 3"):
        league.submissions.submit(bundle(4), None, "Ann")


def test_what_is_withdrawn_while_it_waits_for_another_attempt_is_not_counted(
    league: League, bundle: MakeBundle
) -> None:
    for number in range(1, 4):
        league.submissions.submit(bundle(number), None, "Ann")
        claim = league.queue.claim()
        assert claim
        league.queue.fail(claim, "the disk is on fire")
        league.submissions.withdraw(number)
    assert league.submissions.submit(bundle(4), None, "Ann").status is Status.QUEUED


def test_a_result_that_comes_after_the_withdrawal_is_not_written(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    claim = league.queue.claim()
    assert claim
    league.submissions.withdraw(1)
    assert league.queue.renew([claim]) == [claim]
    assert league.queue.reject(claim, "slow") is None
    assert statuses(league) == [Status.WITHDRAWN]
