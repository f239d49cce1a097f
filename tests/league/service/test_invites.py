"""Who comes into a private race: whoever says its code, once; and nobody else learns it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from league.columns import Table
from league.errors import LeagueError
from league.models import Race, Status
from league.races import RaceSettings
from league.rows import race_row, standing_row, submission_row, to_json
from league.service import League
from tests.league.conftest import drain, laps

MakeBundle = Callable[[int], Path]
CLASSROOM = RaceSettings(runs=1, private=True)


@pytest.fixture
def code(league: League) -> str:
    """The invite code of a private race that is open, ``class``."""
    league.races.create("class", CLASSROOM)
    league.races.open("class")
    return league.races.invite("class")


def test_a_private_race_takes_who_says_its_code_and_then_asks_no_more(
    league: League, bundle: MakeBundle, code: str
) -> None:
    assert league.submissions.submit(bundle(1), "class", "Ann", code).status is Status.QUEUED
    assert league.submissions.submit(bundle(2), "class", "ann").racer == "Ann"
    assert league.submissions.submit(bundle(3), "class", "Ann", "whatever").status is Status.QUEUED


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (None, "'class' is private: racer 'Bob' needs its invite code, --invite CODE"),
        ("", "has another invite code"),
        ("wrong", "has another invite code"),
        ("\udcff naïve", "has another invite code"),
    ],
    ids=repr,
)
def test_a_wrong_or_missing_code_is_refused_before_the_file_is_read(
    league: League, tmp_path: Path, code: str, said: str | None, says: str
) -> None:
    with pytest.raises(LeagueError, match=says) as refused:
        league.submissions.submit(tmp_path / "missing.tar.gz", "class", "Bob", said)
    assert code not in str(refused.value)
    assert (league.races.one("class").racers, list((league.store.folder / "bundles").iterdir())) == (0, [])


def test_the_code_is_asked_again_when_the_file_has_been_read(
    league: League, bundle: MakeBundle, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = league.submissions._received

    def slowly(file: Path) -> tuple[dict[str, Any], bytes | None]:
        league.races.change_invite("class")
        return received(file)

    monkeypatch.setattr(type(league.submissions), "_received", lambda _, file: slowly(file))
    with pytest.raises(LeagueError, match="has another invite code"):
        league.submissions.submit(bundle(1), "class", "Ann", code)
    assert league.races.one("class").racers == 0


def test_another_code_lets_nobody_in_with_the_old_one_and_keeps_who_is_in(
    league: League, bundle: MakeBundle, code: str
) -> None:
    league.submissions.submit(bundle(1), "class", "Ann", code)
    new = league.races.change_invite("class")
    assert new != code
    with pytest.raises(LeagueError, match="has another invite code"):
        league.submissions.submit(bundle(2), "class", "Bob", code)
    league.submissions.submit(bundle(2), "class", "Bob", new)
    league.submissions.submit(bundle(3), "class", "Ann", code)
    assert league.races.one("class").racers == 2


def test_who_was_removed_comes_in_with_no_code(league: League, bundle: MakeBundle, code: str) -> None:
    league.submissions.submit(bundle(1), "class", "Ann", code)
    league.submissions.remove("Ann", "class", "two names")
    with pytest.raises(LeagueError, match="was removed from 'class': two names"):
        league.submissions.submit(bundle(1), "class", "Ann", code)
    league.submissions.readmit("Ann", "class", "a twin")
    assert league.submissions.submit(bundle(1), "class", "Ann").status is Status.QUEUED


def test_a_code_is_drawn_of_letters_that_nobody_mixes_up_and_an_organiser_may_choose_one(
    league: League, code: str
) -> None:
    league.races.create("other", CLASSROOM)
    assert re.fullmatch(r"[a-z2-9]{12}", code)
    assert not set(code) & set("ilo01")
    assert league.races.invite("other") != code
    assert league.races.change_invite("class", "Room-7_b") == league.races.invite("CLASS") == "Room-7_b"


@pytest.mark.parametrize("bad", ["", "a b", "a" * 33, "ü", "room/7", "room7\n"])
def test_a_code_that_no_link_could_carry_is_refused(league: League, code: str, bad: str) -> None:
    with pytest.raises(LeagueError, match="an invite code has 1 to 32 of the characters"):
        league.races.change_invite("class", bad)
    assert league.races.invite("class") == code


def test_a_code_ends_with_the_close_and_a_race_for_all_has_none(league: League, bundle: MakeBundle, code: str) -> None:
    for ask in (league.races.invite, league.races.change_invite):
        with pytest.raises(LeagueError, match="'community' is not private"):
            ask("community")
    league.races.close("class")
    for ask in (league.races.invite, league.races.change_invite):
        with pytest.raises(LeagueError, match=r"is CLOSED since .* code, which ends with the close"):
            ask("class")
    with pytest.raises(LeagueError, match="is CLOSED since"):
        league.submissions.submit(bundle(1), "class", "Ann", code)


def test_a_draft_is_made_private_and_public_again(league: League, bundle: MakeBundle) -> None:
    league.races.create("next", replace(CLASSROOM, private=False))
    league.races.edit("next", CLASSROOM)
    first = league.races.invite("next")
    league.races.edit("next", replace(CLASSROOM, laps=5))
    assert league.races.invite("next") == first
    league.races.edit("next", replace(CLASSROOM, private=False))
    with pytest.raises(LeagueError, match="'next' is not private"):
        league.races.invite("next")
    league.races.edit("next", CLASSROOM)
    assert league.races.invite("next") != first
    league.races.edit("next", replace(CLASSROOM, private=False))
    league.races.open("next")
    league.submissions.submit(bundle(1), "next", "Ann")


def test_the_code_is_nowhere_but_in_its_row(league: League, bundle: MakeBundle, code: str) -> None:
    league.submissions.submit(bundle(1), "class", "Ann", code)
    drain(league, laps(9000))
    chosen = league.races.change_invite("class", "Room-7")
    league.races.close("class")
    seen = [race_row(race) for race in league.races.all()]
    seen += [submission_row(one) for one in league.submissions.all()]
    seen += [standing_row(one) for one in league.boards.standings("class")]
    told = [to_json(seen), league.submissions.receipt(1), *map(str, league.boards.audit())]
    assert not any(word in text for text in told for word in (code, chosen))
    assert [entry.action for entry in league.boards.audit("class")].count("change invite code") == 1
    with league.store.database.reading() as session:
        for table in Table.metadata.sorted_tables:
            kept = [dict(row) for row in session.execute(sa.select(table)).mappings()]
            assert (table.name == Race.__tablename__) == (chosen in json.dumps(kept, default=str))


def test_what_somebody_needs_is_told_of_private_races_that_they_are_in(
    league: League, bundle: MakeBundle, code: str
) -> None:
    league.submissions.submit(bundle(1), "class", "Ann", code)
    league.submissions.submit(bundle(2), "community", "Bob")
    assert {need.race for need in league.needs.times("Ann")} == {"community", "class"}
    assert {need.race for need in league.needs.times("Bob")} == {"community"}


def test_many_at_once_come_in_with_the_code_and_nobody_without(league: League, bundle: MakeBundle, code: str) -> None:
    bundle(1)

    def submit(number: int) -> bool:
        other = League(league.store.folder)
        try:
            other.submissions.submit(bundle(1), "class", f"racer {number // 4}", code if number % 2 else None)
        except LeagueError:
            return False
        finally:
            other.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(submit, range(16)))
    assert all(done[1::2])
    assert league.races.one("class").racers == 4
