"""``racer league`` as organisers and operators type it, and what racers see of it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from league.receipts import ReceiptError
from league.service import League
from tests.league.conftest import drain, laps
from tests.league.test_cli import listed, racer_league, refused, shown

MakeBundle = Callable[[int], Path]


@pytest.fixture
def raced(folder: Path, bundle: MakeBundle) -> Path:
    """A league in which Ann, Bob and Cy have raced."""
    for i, (racer, time) in enumerate({"Ann": 9000, "Bob": 8000, "Cy": 8500}.items()):
        shown("submit", bundle(i), "--racer", racer)
        drain(League(folder), laps(time))
    return folder


@pytest.mark.usefixtures("folder")
def test_work_drives_the_queue_prints_a_line_for_each_and_what_protects(
    bundle: MakeBundle, stereo_driver: Path
) -> None:
    assert "the queue is empty" in shown("work", "--drain")
    shown("submit", bundle(1), "--racer", "Ann")
    shown("submit", stereo_driver, "--racer", "Bob")
    protection, first, second = shown("work", "--drain", "--cpu-seconds", "100").splitlines()
    assert protection.startswith("each submission has: 100 s of processor time; 2048 MB of memory")
    assert re.fullmatch(r"   1  community  Ann  DNF  after 0\.\d\d laps", first)
    assert re.fullmatch(r"   2  community  Bob  DNF  after 0\.\d\d laps", second)
    assert [row["status"] for row in listed("submissions")] == ["DNF", "DNF"]


def test_work_exits_with_1_after_an_error_of_its_own_and_can_be_repeated(folder: Path, bundle: MakeBundle) -> None:
    shown("submit", bundle(1), "--racer", "Ann")
    kept = next((folder / "bundles").iterdir())
    content = kept.read_bytes()
    kept.unlink()
    assert racer_league("work", "--drain").exit_code == 1
    assert listed("submissions")[0]["status"] == "ERROR"
    kept.write_bytes(content)
    assert "the queue is empty" in shown("work", "--drain")
    assert "DNF" in shown("work", "--drain", "--retry")


@pytest.mark.usefixtures("raced")
def test_status_tells_the_place_in_the_queue_and_then_every_lap(bundle: MakeBundle) -> None:
    shown("submit", bundle(7), "--racer", "Ann")
    assert "QUEUED  place 1 in the queue" in shown("status", 4)
    assert "SCORED  00:09.000\n  run 1: 9.000" in shown("status", 1)
    status = json.loads(shown("status", 1, "--json"))
    assert [lap["time_ms"] for lap in status["runs"][0]["laps"]] == [9000]
    assert "there is no submission 9" in str(refused("status", 9))
    assert "Ann's, not Bob's" in str(refused("withdraw", 4, "--racer", "Bob"))
    assert "is withdrawn" in shown("withdraw", 4, "--racer", "Ann")


@pytest.mark.usefixtures("raced")
def test_a_race_goes_from_draft_to_final() -> None:
    later = datetime.now(UTC) + timedelta(days=2)
    shown("create", "next")
    assert "hash of race and seeds: " in shown("open", "next", "--until", f"{later:%Y-%m-%dT%H:%M}")
    said = shown("extend", "next", "--until", f"{later + timedelta(days=1):%Y-%m-%dT%H:%M}", "--reason", "rain")
    assert f"closes {later + timedelta(days=1):%Y-%m-%d}" in said
    assert "its seeds were " in shown("close", "next")
    assert "next is final" in shown("finalise", "next")
    assert "is FINAL" in str(refused("cancel", "next", "--reason", "too late"))
    assert [row["action"] for row in listed("audit", "--race", "next")] == [
        *("create race", "open race", "extend race", "close race", "finalise race")
    ]


@pytest.mark.usefixtures("folder")
def test_a_private_race_is_entered_with_the_code_that_its_organiser_gives_away(bundle: MakeBundle) -> None:
    assert "its invite code: racer league invite 'class'" in shown("create", "class", "--set", "private=true")
    assert "class (OPEN, private): oval" in (shown("open", "class"), shown("show", "class"))[1]
    code = shown("invite", "class").splitlines()[0]
    here = ("submit", bundle(1), "--race", "class", "--racer", "Ann")
    assert "needs its invite code, --invite CODE" in str(refused(*here))
    assert "submission 1: Ann in class" in shown(*here, "--invite", code)
    assert shown("invite", "class", "--reset").splitlines()[0] != code
    assert shown("invite", "class", "--code", "-7-b").startswith("-7-b\n")
    assert "submission 2: Bob in class" in shown(*here[:-1], "Bob", "--invite", "-7-b")
    assert "is not private" in str(refused("invite", "community"))
    assert "not 'room 7'" in str(refused("invite", "class", "--code", "room 7"))
    assert racer_league("invite", "class", "--code", "b", "--reset").exit_code == 2


@pytest.mark.usefixtures("raced")
def test_who_is_disqualified_or_removed_is_off_the_board_and_in_the_log() -> None:
    shown("disqualify", 2, "--reason", "borrowed")
    shown("remove", "cy", "--reason", "two names")
    assert [row["racer"] for row in listed("standings")] == ["Ann"]
    shown("reinstate", 2, "--reason", "it was his")
    shown("readmit", "Cy", "--reason", "a twin")
    assert [row["racer"] for row in listed("standings")] == ["Bob", "Cy", "Ann"]
    log = [(row["action"], row["reason"]) for row in listed("audit")][-4:]
    assert log[0] == ("disqualify", "borrowed")
    assert log[3] == ("readmit racer", "a twin")
    assert {"two names", "community, Bob, submission 2"} <= {cell.strip() for cell in shown("audit").split("│")}


@pytest.mark.usefixtures("raced")
def test_history_and_the_record_of_two_racers() -> None:
    (drive,) = listed("history", "ann")
    assert (drive["race"], drive["time_ms"], drive["best"], drive["position"]) == ("community", 9000, True, 3)
    assert "00:09.000" in shown("history", "Ann")
    (meeting,) = listed("versus", "Ann", "Bob")
    assert (meeting["winner"], meeting["first_position"], meeting["second_time_ms"]) == ("Bob", 3, 8000)
    assert shown("versus", "Ann", "Bob").endswith("Ann 0 : 1 Bob\n")


@pytest.mark.usefixtures("raced")
def test_a_board_is_exported_as_csv_and_json(tmp_path: Path) -> None:
    shown("export", tmp_path / "board.csv")
    shown("export", tmp_path / "all.json", "--submissions")
    with (tmp_path / "board.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["place"], row["racer"], row["time_ms"]) for row in rows] == [
        *(("1", "Bob", "8000"), ("2", "Cy", "8500"), ("3", "Ann", "9000"))
    ]
    assert [row["status"] for row in json.loads((tmp_path / "all.json").read_text())] == ["SCORED"] * 3


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_receipt_is_verified_by_driving_again(
    road_follower: Callable[[float], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown("create", "varied", "--laps", "1", "--runs", "3", "--randomisation", "strong", "--set", "resets=0")
    shown("open", "varied")
    shown("submit", road_follower(1.0), "--racer", "Ann", "--race", "varied")
    shown("submit", road_follower(1.2), "--racer", "Bob", "--race", "varied")
    shown("work", "--drain", "--workers", "2")
    assert "tells the seeds" in str(refused("receipt", 1))
    shown("close", "varied")
    file = tmp_path / "receipt.json"
    shown("receipt", 1, "-o", file)
    assert "holds: Ann in varied, submission 1" in shown("verify", file)
    monkeypatch.delenv("RACER_LEAGUE")
    monkeypatch.chdir(tmp_path / "league" / "bundles")
    assert "signed with the key" in shown("verify", file, "--bundle", road_follower(1.0))
    assert "another driver" in str(refused("verify", file, "--bundle", road_follower(1.2)))
    assert "say where the driver is" in str(refused("verify", file))
    shown("init", "--league", tmp_path / "other")
    assert "another league signed it" in str(refused("verify", file, "--league", tmp_path / "other"))
    file.write_text(file.read_text().replace('"time_ms":1', '"time_ms":2', 1))
    assert isinstance(refused("verify", file), ReceiptError)


@pytest.mark.usefixtures("raced")
def test_a_league_comes_back_from_its_backup(tmp_path: Path) -> None:
    assert "keep it to yourself" in shown("backup", tmp_path / "league.tar.gz")
    assert "1 races and 3 submissions" in shown("restore", tmp_path / "league.tar.gz", "--league", tmp_path / "again")
    assert listed("standings", "--league", tmp_path / "again") == listed("standings")
    assert "already holds a league" in str(refused("restore", tmp_path / "league.tar.gz"))
    assert "is up to date" in shown("upgrade")
