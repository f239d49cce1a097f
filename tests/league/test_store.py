"""A league is one folder; what is not one is answered with one sentence."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from league import making as makes
from league.database import Database
from league.errors import LeagueError
from league.making import making
from league.migrations import NEWEST
from league.races import RaceSettings
from league.service import League
from league.store import SQLITE_URL, Store
from racer_env.errors import TrackError
from tests.league.databases import emptied


def contents(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_new_league_is_one_folder(tmp_path: Path) -> None:
    league = League.create(tmp_path / "league", RaceSettings())
    (track,) = (tmp_path / "league" / "tracks").iterdir()
    league.close()
    assert contents(tmp_path / "league") == ["keys/signing.pem", "league.db", "league.toml", f"tracks/{track.name}"]
    assert league.store.route(track.stem).shape[1] == 6


def test_a_league_is_not_made_twice(tmp_path: Path) -> None:
    League.create(tmp_path / "league", RaceSettings())
    with pytest.raises(LeagueError, match="already holds a league"):
        League.create(tmp_path / "league", RaceSettings())


@pytest.mark.parametrize("name", ["league.db", "keys/signing.pem"])
def test_a_database_or_a_key_that_is_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "league" / name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    with pytest.raises(LeagueError, match=f"{name} is already there"):
        Store.create(tmp_path / "league")
    assert (contents(tmp_path / "league"), kept.read_bytes()) == ([name], b"mine")


def test_a_database_of_another_name_or_place_is_never_overwritten_either(tmp_path: Path) -> None:
    for kept in (tmp_path / "league" / "other.db", tmp_path / "another.db"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(b"mine")
        with pytest.raises(LeagueError, match=f"{kept.name} is already there"):
            Store.create(tmp_path / "league", f"sqlite:///{kept}")
        assert kept.read_bytes() == b"mine"


def _make_while_it_appears(file: Path, folder: Path) -> None:
    with making(folder, SQLITE_URL) as new:
        file.write_bytes(b"mine")
        new.add_key()


def test_a_database_that_appears_meanwhile_is_kept_and_so_is_a_key(tmp_path: Path) -> None:
    for name in ("league.db", "keys/signing.pem"):
        kept = tmp_path / "league" / name
        with pytest.raises(LeagueError, match="exists"):
            _make_while_it_appears(kept, tmp_path / "league")
        assert (contents(tmp_path / "league"), kept.read_bytes()) == ([name], b"mine")
        kept.unlink()


def test_a_league_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, _: bytes) -> None:
        raise LeagueError(f"{file} cannot be written: no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(makes, "write", full)
        with pytest.raises(LeagueError, match="no space"):
            Store.create(tmp_path / "league")
    assert contents(tmp_path / "league") == []
    Store.create(tmp_path / "league")


KILLED = """
import os, sys
from pathlib import Path
from league.store import Store

left = int(sys.argv[3])

def step(event, arguments):  # Python tells of every file that is opened for writing, renamed or removed
    global left
    changes = event in ("os.rename", "os.remove") or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if changes and sys.argv[1] in str(arguments[0]):
        left -= 1
        if left < 0:
            os._exit(9)

sys.addaudithook(step)
Store.create(Path(sys.argv[1]), sys.argv[2])
"""


def killed(folder: Path, url: str, steps: int) -> bool:
    """Make a league in a process of its own that is killed after so many steps, unless it is done by then."""
    return subprocess.run([sys.executable, "-c", KILLED, folder, url, str(steps)], check=False).returncode == 9


def test_where_somebody_was_killed_at_any_step_a_league_can_be_made(tmp_path: Path, database: str) -> None:
    seen = set()
    for steps in range(40):
        folder = tmp_path / f"league {steps}"
        if not killed(folder, database, steps):
            break
        seen.update(contents(folder))
        if (folder / "league.toml").exists():  # it is a league
            with pytest.raises(LeagueError, match="already holds a league"):
                Store.create(folder, database)
            made = Store(folder)
        else:
            made = Store.create(folder, database)
        assert [name for name in contents(folder) if name in ("keys/signing.pem", ".making")] == ["keys/signing.pem"]
        assert made.database.revision() == NEWEST
        made.database.drop()
        made.database.close()
    assert seen >= {".making", "keys/signing.pem"}
    assert not any(name.startswith(".") for name in contents(folder))


def test_what_was_put_in_the_place_of_what_a_killed_one_made_is_not_touched(tmp_path: Path) -> None:
    def key_of(folder: Path) -> Path:
        return folder / "keys" / "signing.pem"

    steps = next(
        k for k in range(40) if killed(tmp_path / str(k), SQLITE_URL, k) and key_of(tmp_path / str(k)).exists()
    )
    folder = tmp_path / str(steps + 1)
    assert killed(folder, SQLITE_URL, steps + 1)
    key_of(folder).write_bytes(b"mine")
    with pytest.raises(LeagueError, match=r"signing\.pem is already there"):
        Store.create(folder)
    assert key_of(folder).read_bytes() == b"mine"
    key_of(folder).unlink()
    Store.create(folder)


def test_tables_that_another_league_made_meanwhile_are_not_touched(tmp_path: Path, server: str) -> None:
    url = emptied(server, "league")
    steps = next(k for k in range(40) if killed(tmp_path / str(k), url, k) and Database(url, tmp_path).revision())
    Database(url, tmp_path).drop()
    other = Store.create(tmp_path / "other", url)
    with pytest.raises(LeagueError, match="already holds the tables of a league"):
        Store.create(tmp_path / str(steps), url)
    assert other.database.revision() == NEWEST


def test_of_two_who_make_a_league_in_one_place_one_is_refused(tmp_path: Path) -> None:
    with making(tmp_path, SQLITE_URL) as new:
        with pytest.raises(LeagueError, match="cannot be made a league now: another process is doing that"):
            Store.create(tmp_path)
        new.add_key()
    assert Store(tmp_path).public_key


def test_a_league_on_a_track_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="atlantis"):
        League.create(tmp_path / "league", RaceSettings(track="atlantis"))
    assert not (tmp_path / "league").exists()


def test_a_folder_that_is_a_file_is_refused_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "league").write_text("mine")
    with pytest.raises(LeagueError, match="cannot be made a league"):
        League.create(tmp_path / "league", RaceSettings())


def test_a_folder_without_a_league_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LeagueError, match="racer league init"):
        League(tmp_path)


def test_an_unfinished_league_is_none(tmp_path: Path) -> None:
    League.create(tmp_path / "league", RaceSettings())
    (tmp_path / "league" / "league.toml").unlink()
    with pytest.raises(LeagueError, match="older version"):
        League(tmp_path / "league")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (b"", "must hold a line such as"),
        (b"database = 3", "must be a text, not 3"),
        (b"database = ", "must hold a line such as"),
        (b"\xff", "must hold a line such as"),
        (b'database = "sqlite:///other.db"', "other.db is not there"),
    ],
)
def test_a_broken_configuration_is_answered_with_one_sentence(tmp_path: Path, config: bytes, says: str) -> None:
    League.create(tmp_path / "league", RaceSettings())
    (tmp_path / "league" / "league.toml").write_bytes(config)
    with pytest.raises(LeagueError, match=says):
        League(tmp_path / "league")


def test_a_file_that_is_no_database_is_refused_with_one_sentence(tmp_path: Path) -> None:
    League.create(tmp_path / "league", RaceSettings())
    (tmp_path / "league" / "league.db").write_text("no database, " * 1000)
    with pytest.raises(LeagueError, match="not a database"):
        League(tmp_path / "league")


def test_another_programs_database_is_refused_with_one_sentence(tmp_path: Path) -> None:
    League.create(tmp_path / "league", RaceSettings())
    (tmp_path / "league" / "league.db").unlink()
    with closing(sqlite3.connect(tmp_path / "league" / "league.db")) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(LeagueError, match="not the database of a league"):
        League(tmp_path / "league")


def test_a_league_of_another_version_says_how_to_upgrade_it(tmp_path: Path) -> None:
    league = League.create(tmp_path / "league", RaceSettings())
    Database("sqlite:///league.db", tmp_path / "league").migrate("base")
    with pytest.raises(LeagueError, match="not the database of a league"):
        League(tmp_path / "league")
    with closing(sqlite3.connect(tmp_path / "league" / "league.db")) as database:
        database.execute("INSERT INTO alembic_version VALUES ('0000')")
        database.commit()
    with pytest.raises(LeagueError, match=r"is at revision 0000, .*: racer league upgrade"):
        League(league.store.folder)


def test_upgrading_a_league_that_is_up_to_date_changes_nothing(tmp_path: Path) -> None:
    League.create(tmp_path / "league", RaceSettings())
    Store.upgraded(tmp_path / "league")
    assert len(League(tmp_path / "league").races.all()) == 1


def test_what_cannot_be_upgraded_stays_as_it_is(tmp_path: Path) -> None:
    League.create(tmp_path / "league", RaceSettings()).close()
    kept = tmp_path / "league" / "league.db"
    kept.rename(tmp_path / "elsewhere.db")
    with pytest.raises(LeagueError, match=r"league\.db is not there"):
        Store.upgraded(tmp_path / "league")
    assert not kept.exists()
    with closing(sqlite3.connect(kept)) as empty:
        empty.execute("CREATE TABLE recipes (name)")
    with pytest.raises(LeagueError, match="not the database of a league"):
        Store.upgraded(tmp_path / "league")
    (tmp_path / "elsewhere.db").replace(kept)
    with closing(sqlite3.connect(kept)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(LeagueError, match=r"is at revision 9999, .*; install a newer one"):
        Store.upgraded(tmp_path / "league")


def test_a_bundle_or_track_that_was_changed_is_noticed(tmp_path: Path, bundle: Callable[[int], Path]) -> None:
    league = League.create(tmp_path / "league", RaceSettings())
    sha256 = league.submissions.submit(bundle(1), None, "Ann").bundle_sha256
    league.store.bundle_path(sha256).write_bytes(b"another")
    with pytest.raises(LeagueError, match="has been changed since it was submitted"):
        league.store.bundle(sha256, sha256)
    (track,) = (tmp_path / "league" / "tracks").iterdir()
    track.write_bytes(track.read_bytes().replace(b"\x3f", b"\x40"))
    with pytest.raises(LeagueError, match=r"has been changed|cannot be read"):
        league.store.route(track.stem)
