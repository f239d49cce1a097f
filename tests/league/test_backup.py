"""A league comes back from its backup as it was, in either kind of database."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from league.backup import backup, restore
from league.brackets import Elimination
from league.errors import LeagueError
from league.races import RaceSettings, RaceType
from league.receipts import Receipt
from league.seasons import Season
from league.service import League
from league.store import SQLITE_URL
from tests.league.conftest import Clock, drain, laps
from tests.league.databases import emptied

MakeBundle = Callable[[int], Path]


@pytest.fixture
def saved(league: League, bundle: MakeBundle, tmp_path: Path) -> Path:
    """The backup of a league in which a lot has happened."""
    for i, racer in enumerate(["Ann", "Bob", "Ann", "Cy"]):
        league.submissions.submit(bundle(i), None, racer)
    drain(league, laps(9000))
    league.submissions.disqualify(2, "a test")
    league.races.create("next", RaceSettings(track="hairpin", runs=3))
    league.races.open("next")
    league.seasons.create("2026", Season())
    league.seasons.add(None, "next", division="Open")
    league.seasons.join(None, "Di", region="EU")
    league.seasons.place(None, "Ann", "Pro", 0, "a test")
    league.races.create("grid", RaceSettings(race_type=RaceType.GRID, runs=1))
    league.races.open("grid")
    for i, racer in enumerate(["Ann", "Bob", "Cy"]):
        league.submissions.submit(bundle(i), "grid", racer)
    drain(league, laps(8000))
    league.races.close("grid")
    league.brackets.create_of_race("Grid", "grid")
    league.brackets.scratch("Grid", "final", "Bob", "a test")
    league.submissions.submit(bundle(5), "next", "Di")
    heats = RaceSettings(race_type=RaceType.HEAD_TO_HEAD)
    league.brackets.create("Cup", heats, ["Ann", "Cy"], elimination=Elimination.DOUBLE)
    league.brackets.award("Cup", "W1.1", "Cy", "a test")
    backup(league.store, tmp_path / "league.tar.gz")
    return tmp_path / "league.tar.gz"


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest) -> str:
    """Where it is restored to."""
    return SQLITE_URL if request.param == "sqlite" else emptied(request.getfixturevalue("server"), "other")


def test_everything_comes_back_in_either_database(
    league: League, saved: Path, other: str, tmp_path: Path, bundle: MakeBundle, clock: Clock
) -> None:
    restore(saved, tmp_path / "again", other)
    again = League(tmp_path / "again", clock)
    assert again.races.all() == league.races.all()
    assert again.submissions.all() == league.submissions.all()
    assert again.boards.standings("community") == league.boards.standings("community")
    assert again.boards.audit() == league.boards.audit()
    assert again.seasons.all() == league.seasons.all()
    assert again.brackets.all() == league.brackets.all()
    assert again.store.public_key == league.store.public_key
    assert again.submissions.submit(bundle(6), "next", "Ed").id == 9
    assert [s.racer for s in drain(again, laps(8000))] == ["Di", "Ed"]
    again.races.close("next")
    assert Receipt.parse(again.submissions.receipt(8)).league == league.store.public_key
    again.close()


def test_a_backup_is_its_owners_only_and_replaces_the_one_before(league: League, saved: Path) -> None:
    before = saved.read_bytes()
    league.races.create("third", RaceSettings())
    backup(league.store, saved)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.read_bytes() != before
    assert sorted(path.name for path in saved.parent.iterdir()) == ["league", "league.tar.gz"]


def _changed(saved: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    with tarfile.open(saved) as archive:
        members = {m.name: f.read() for m in archive if (f := archive.extractfile(m))}
    change(members)
    with tarfile.open(saved, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.pop("tables/submissions.jsonl"), "FOREIGN KEY constraint failed"),
        (lambda m: m.pop("tables/audit.jsonl"), "the tables audit are missing"),
        (lambda m: m.update({"manifest.json": b"{}"}), "backup of revision None"),
        (lambda m: m.update({"bundles/../../escaped": b"x"}), "has no place in it"),
        (lambda m: m.update({"/etc/escaped": b"x"}), "has no place in it"),
        (lambda m: m.update({"keys/.hidden": b"x"}), "has no place in it"),
        (lambda m: m.update({"tables/races.jsonl": b"{"}), "not a whole backup"),
    ],
)
def test_a_broken_backup_makes_no_league(
    saved: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], object], says: str
) -> None:
    _changed(saved, change)
    with pytest.raises(LeagueError, match=says):
        restore(saved, tmp_path / "again", SQLITE_URL)
    with pytest.raises(LeagueError):
        League(tmp_path / "again")
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "again").exists()


def test_a_backup_that_is_cut_off_makes_no_league(saved: Path, tmp_path: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-2000])
    with pytest.raises(LeagueError, match="not a whole backup"):
        restore(saved, tmp_path / "again", SQLITE_URL)
    saved.write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(LeagueError, match="not a"):
        restore(saved, tmp_path / "third", SQLITE_URL)
    with pytest.raises(LeagueError, match="cannot be restored"):
        restore(tmp_path / "nothing", tmp_path / "third", SQLITE_URL)


def test_a_restoring_that_failed_can_be_done_again_in_the_same_place(saved: Path, tmp_path: Path, other: str) -> None:
    whole = saved.read_bytes()
    _changed(saved, lambda m: m.pop("tables/audit.jsonl"))
    (tmp_path / "again" / "tracks").mkdir(parents=True)
    (kept := tmp_path / "again" / "tracks" / "mine.npy").write_bytes(b"mine")
    with pytest.raises(LeagueError, match="the tables audit are missing"):
        restore(saved, tmp_path / "again", other)
    assert {*(tmp_path / "again").rglob("*")} == {kept.parent, kept}
    saved.write_bytes(whole)
    restore(saved, tmp_path / "again", other)
    with pytest.raises(LeagueError, match="already holds"):
        restore(saved, tmp_path / ("again" if other == SQLITE_URL else "third"), other)
    again = League(tmp_path / "again")
    assert len(again.races.all()) > 1
    again.close()


def test_a_league_is_never_overwritten(league: League, saved: Path) -> None:
    with pytest.raises(LeagueError, match="already holds a league"):
        restore(saved, league.store.folder, SQLITE_URL)


@pytest.mark.parametrize("name", ["mine.db", "keys/signing.pem"])
def test_a_database_or_a_key_that_is_there_is_never_overwritten(saved: Path, tmp_path: Path, name: str) -> None:
    kept = tmp_path / "again" / name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    with pytest.raises(LeagueError, match=f"{name} is already there"):
        restore(saved, tmp_path / "again", "sqlite:///mine.db")
    assert [file for file in (tmp_path / "again").rglob("*") if file.is_file()] == [kept]
    assert kept.read_bytes() == b"mine"
    kept.unlink()
    restore(saved, tmp_path / "again", "sqlite:///mine.db")
    assert len(League(tmp_path / "again").races.all()) > 1
