"""What can be seen of a league, in both kinds of database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from league import rules
from league.errors import LeagueError
from league.races import RaceSettings
from league.rules import Entry, Lap
from league.service import League
from tests.league.conftest import drain, laps

MakeBundle = Callable[[int], Path]


def drive(league: League, bundle: Path, racer: str, run: tuple[Lap, ...], race: str = "community") -> None:
    league.submissions.submit(bundle, race, racer)
    drain(league, run)


def test_who_does_not_qualify_is_below_the_others_by_progress(league: League, bundle: MakeBundle) -> None:
    for i, (racer, run) in enumerate(
        (("Ann", (Lap(1, 5000, 55.5),)), ("Bob", laps(9000, 8000)), ("Cy", (Lap(1, 5000, 77.0),)))
    ):
        drive(league, bundle(i), racer, run)
    board = [(s.place, s.entry.racer, s.entry.score.time_ms) for s in league.boards.standings()]
    assert board == [("1", "Bob", 8000), ("2", "Cy", None), ("3", "Ann", None)]


def test_the_board_is_that_of_the_rules_whatever_was_driven(league: League, bundle: MakeBundle) -> None:
    league.races.create("open", RaceSettings(runs=1, laps=3, max_submissions=None))
    league.races.open("open")
    draw = np.random.default_rng(5)
    for i in range(24):
        shares = draw.choice([100.0, 33.3, 66.6], 3 if i % 2 else 1)
        run = tuple(Lap(n, int(draw.integers(8000, 8003)), float(share)) for n, share in enumerate(shares, start=1))
        drive(league, bundle(i % 8), f"racer {draw.integers(6)}", run, "open")
    league.submissions.disqualify(7, "a test")
    stands = [s for s in league.submissions.all() if s.disqualified is None]
    expected = rules.standings(Entry(s.racer, s.id, s.submitted_at, s.score) for s in stands if s.score)
    assert [(s.place, s.gap_ms, s.entry, s.submissions) for s in league.boards.standings("open")] == [
        (s.place, s.gap_ms, s.entry, s.submissions) for s in expected
    ]


def test_of_equal_scores_the_earlier_submission_counts_however_many_laps_each_has(
    league: League, bundle: MakeBundle
) -> None:
    league.races.create("open", RaceSettings(runs=1, laps=3))
    league.races.open("open")
    drive(league, bundle(1), "Ann", laps(9000), "open")
    drive(league, bundle(2), "Ann", laps(9000, 9500, 9500), "open")
    assert [s.entry.submission for s in league.boards.standings("open")] == [1]


def test_a_history_tells_what_was_better_than_before_and_what_counts(league: League, bundle: MakeBundle) -> None:
    for i, time in enumerate((9000, 9500, 8000)):
        drive(league, bundle(i), "Ann", laps(time))
    drive(league, bundle(4), "Bob", laps(7000))
    seen = [(d.submission, d.score.time_ms, d.best, d.position) for d in league.boards.history("ann")]
    assert seen == [(1, 9000, True, None), (2, 9500, False, None), (3, 8000, True, 2)]
    with pytest.raises(LeagueError, match="did you mean 'Ann'"):
        league.boards.history("An")


def test_two_racers_have_a_record_against_each_other(league: League, bundle: MakeBundle) -> None:
    for name in ("second", "third", "fourth"):
        league.races.create(name, RaceSettings(runs=1))
        league.races.open(name)
    for race, ann, bob in (("community", 9000, 8000), ("second", 7000, 7500), ("third", 7000, 7000)):
        drive(league, bundle(ann), "Ann", laps(ann), race)
        drive(league, bundle(bob + 1), "Bob", laps(bob), race)
    drive(league, bundle(1), "Ann", laps(1000), "fourth")
    meetings = league.boards.meetings("Ann", "Bob")
    assert [(m.race, m.winner) for m in meetings] == [("community", "Bob"), ("second", "Ann"), ("third", None)]
    assert [(m.first.entry.racer, m.second.place) for m in meetings] == [("Ann", "1"), ("Ann", "2"), ("Ann", "=1")]
    with pytest.raises(LeagueError, match="'Ann' has no record against themselves"):
        league.boards.meetings("Ann", "ann")
