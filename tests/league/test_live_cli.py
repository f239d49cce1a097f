"""``racer league live`` as the organiser of a class types it, with an audience."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from league.service import League
from tests.league.conftest import drain, laps
from tests.league.test_cli import listed, racer_league, refused, shown

MakeBundle = Callable[[int], Path]


@pytest.fixture
def finale(folder: Path, bundle: MakeBundle) -> Path:
    """A live race of one lap in which Ann, Bob and Cy wait."""
    shown("create", "finale", "--preset", "live_finale", "--type", "time_trial", "--laps", "1", "--set", "resets=0")
    shown("open", "finale")
    for number, racer in enumerate(("Ann", "Bob", "Cy")):
        shown("submit", bundle(number), "--race", "finale", "--racer", racer)
    return folder


@pytest.mark.usefixtures("finale")
def test_who_waits_is_told_their_place_and_that_the_organiser_launches(bundle: MakeBundle) -> None:
    said = shown("submit", bundle(4), "--race", "finale", "--racer", "Di")
    assert said == "submission 4: Di in finale, place 4 in the running order; the organiser launches it\n"
    assert "QUEUED  place 2 in the running order; the organiser launches it" in shown("status", 2)
    assert (listed("submissions")[1]["turn"], listed("submissions")[1]["position"]) == (2, None)
    assert "the queue is empty" in shown("work", "--drain")
    assert "finale (OPEN, live): oval" in shown("live", "show", "finale")


@pytest.mark.usefixtures("finale")
def test_launch_drives_here_and_tells_result_place_and_who_is_next() -> None:
    shown("close", "finale")
    said = shown("live", "launch", "finale")
    assert re.fullmatch(r"   1  Ann  DNF  after 0\.\d\d laps, place 1 of 1\nnext: 2  Bob; 2 wait\n", said)
    assert "submission 2 of Bob is" not in shown("live", "launch", "finale", 3)
    assert "nobody waits" in shown("live", "launch", "finale", "--all")
    assert "submission 3 of Cy is DNF: it does not wait any more" in str(refused("live", "launch", "finale", 3))
    view = json.loads(shown("live", "show", "finale", "--json"))
    assert [row["id"] for row in view["done"]] == [1, 3, 2]
    assert (view["state"], view["on_track"], view["waiting"], len(view["board"])) == ("CLOSED", [], [], 3)
    assert "finale is final" in shown("finalise", "finale")


@pytest.mark.usefixtures("finale")
def test_a_worse_second_attempt_is_told_with_what_counts(finale: Path, bundle: MakeBundle) -> None:
    league = League(finale)
    league.live.release("finale", 1)
    drain(league, laps(9000))
    shown("live", "drop", 2, "--reason", "ill")
    shown("live", "drop", 3, "--reason", "ill, too")
    shown("submit", bundle(5), "--race", "finale", "--racer", "Ann")
    assert re.search(
        r"DNF  after .* laps, place 1 of 1 with 00:09\.000\nnobody waits", shown("live", "launch", "finale")
    )


@pytest.mark.usefixtures("finale")
def test_the_order_is_changed_by_name_and_by_a_board(finale: Path, bundle: MakeBundle) -> None:
    assert re.findall(r"(\d) │ (\w+)", shown("live", "order", "finale", 3, 1)) == [
        ("1", "Cy"),
        ("2", "Ann"),
        ("3", "Bob"),
    ]
    for racer, time in (("Ann", 9000), ("Bob", 8000)):
        shown("submit", bundle(time), "--race", "community", "--racer", racer)
        drain(League(finale), laps(time))
    said = shown("live", "order", "finale", "--after", "community")
    assert re.findall(r"(\d) │ (\w+)", said) == [("1", "Cy"), ("2", "Ann"), ("3", "Bob")]
    assert "not on the board of community, and so first: Cy" in said


@pytest.mark.usefixtures("finale")
def test_the_queue_drives_what_is_released() -> None:
    assert "2  Bob  place 1 in the queue; racer league work drives it" in shown(
        "live", "launch", "finale", 2, "--queue"
    )
    assert "place 1 in the queue" in shown("status", 2)
    assert "submission 2 is launched already" in str(refused("live", "launch", "finale", 2, "--queue"))
    assert len(shown("live", "launch", "finale", "--all", "--queue").splitlines()) == 2
    assert [line.split()[0] for line in shown("work", "--drain").splitlines()[1:]] == ["2", "1", "3"]


def test_what_was_broken_off_waits_again(finale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("league.workers.Local.start", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    stopped = racer_league("live", "launch", "finale", "--all")
    assert (stopped.exit_code, stopped.output) == (130, "stopped; racer league live launch goes on where it was\n")
    assert [(s.id, s.turn) for s in League(finale).live.show("finale").waiting] == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    "words",
    [
        ["launch", "finale", "3", "--all"],
        ["order", "finale"],
        ["order", "finale", "1", "--after", "community"],
        ["drop", "1"],
        ["launch"],
        ["launch", "finale", "first"],
    ],
)
@pytest.mark.usefixtures("finale")
def test_what_is_typed_wrong_exits_with_2(words: list[str]) -> None:
    assert racer_league("live", *words).exit_code == 2


@pytest.mark.usefixtures("finale")
def test_a_wrong_race_is_answered_with_a_sentence() -> None:
    assert "did you mean 'finale'" in str(refused("live", "launch", "final"))
    assert "'community' is classic, not live: racer league work" in str(refused("live", "launch", "community"))
    assert "say why" in str(refused("live", "drop", 1, "--reason", " "))
