"""The two kinds of database: made by the same steps, and the same in the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from league.columns import Table
from league.database import Database, _migrations
from league.errors import LeagueError, UnreachableError
from league.migrations import NEWEST
from league.models import Status
from league.races import RaceSettings
from league.service import League
from league.store import Store
from tests.league.conftest import drain, laps
from tests.league.databases import emptied


def test_the_steps_lead_to_the_tables_that_the_code_has(league: League) -> None:
    with league.store.database.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_the_newest_step_is_the_one_that_this_version_works_with() -> None:
    assert ScriptDirectory.from_config(_migrations()).get_heads() == [NEWEST]


def test_every_step_can_be_undone_and_done_again(database: str, tmp_path: Path) -> None:
    bare = Database(database, tmp_path)
    for _ in range(2):
        bare.migrate()
        assert bare.revision() == NEWEST
        bare.migrate("base")
        assert bare.revision() is None
        with bare.reading() as session:
            assert set(sa.inspect(session.connection()).get_table_names()) <= {"alembic_version"}
    bare.close()


@pytest.mark.parametrize("step", ["0001", "0002", "0003"])
def test_a_league_of_an_earlier_step_keeps_its_races_when_it_is_upgraded(
    league: League, bundle: Callable[[int], Path], step: str
) -> None:
    for number, racer in enumerate(("Ann", "Bob")):
        league.submissions.submit(bundle(number), None, racer)
    drain(league, laps(9000))
    league.submissions.submit(bundle(2), None, "Cy")
    before = (league.races.all(), league.submissions.all(), league.boards.standings(), league.boards.audit())
    with league.store.database.writing() as session:
        config = _migrations()
        config.attributes["connection"] = session.connection()
        command.downgrade(config, step)
    with pytest.raises(LeagueError, match=rf"is at revision {step}, .*: racer league upgrade"):
        League(league.store.folder)
    Store.upgraded(league.store.folder).database.close()
    assert (league.races.all(), league.submissions.all(), league.boards.standings(), league.boards.audit()) == before
    with pytest.raises(LeagueError, match="a result cannot be changed"), league.store.database.writing() as session:
        session.execute(sa.text("UPDATE results SET receipt = '{}'"))
    with pytest.raises(LeagueError, match="one result, ever"), league.store.database.writing() as session:
        session.execute(sa.text("UPDATE submissions SET score_ms = 1 WHERE id = 1"))
    assert [s.status for s in drain(league, laps(8000))] == [Status.SCORED]
    assert league.seasons.all() == ()


def test_an_exception_in_a_write_undoes_all_of_it(league: League) -> None:
    def interrupted() -> None:
        with league.store.database.writing() as session:
            session.execute(sa.text("DELETE FROM participants"))
            session.execute(sa.text("UPDATE races SET name = 'mine'"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert league.races.one().name == "community"


def test_references_hold(league: League) -> None:
    with pytest.raises(LeagueError, match=r"(?i)foreign key"), league.store.database.writing() as session:
        session.execute(sa.text("INSERT INTO results VALUES (99, '{}')"))


def test_sqlite_has_a_write_ahead_log(tmp_path: Path) -> None:
    Store.create(tmp_path / "league")
    with closing(sqlite3.connect(tmp_path / "league" / "league.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://localhost/league", "is sqlite:///FILE or postgresql://..., not 'mysql://localhost/league'"),
        ("sqlite://", "is sqlite:///FILE"),
        ("no url", "is no database URL"),
        ("postgresql://nobody@127.0.0.1:1/league", "127.0.0.1"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_and_nothing_is_made(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(LeagueError, match=says):
        League.create(tmp_path / "league", RaceSettings(), url=url)
    assert not (tmp_path / "league" / "league.toml").exists()


def _cut_off(database: Database, other: Database) -> None:
    """Lose a connection in the middle of a write."""
    with database.writing() as session:
        mine = session.scalar(sa.text("SELECT pg_backend_pid()"))
        with other.writing() as elsewhere:
            elsewhere.execute(sa.text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})
        session.execute(sa.text("SELECT 1"))


def test_a_lost_connection_is_told_from_what_will_not_pass(server: str, tmp_path: Path) -> None:
    nowhere = Database("postgresql://league@/league?host=/nowhere", tmp_path)
    with pytest.raises(UnreachableError), nowhere.reading() as session:
        session.execute(sa.text("SELECT 1"))
    database, other = (Database(emptied(server, name), tmp_path) for name in ("lost", "other"))
    with pytest.raises(UnreachableError):
        _cut_off(database, other)
    with pytest.raises(LeagueError) as told, database.reading() as session:
        session.execute(sa.text("SELECT 1 FROM nothing"))
    assert not isinstance(told.value, UnreachableError)
    database.close()
    other.close()


def test_a_database_holds_one_league(server: str, tmp_path: Path) -> None:
    url = emptied(server, "taken")
    League.create(tmp_path / "one", RaceSettings(), url=url).close()
    with pytest.raises(LeagueError, match="already holds the tables of a league"):
        League.create(tmp_path / "two", RaceSettings(), url=url)
