"""The two kinds of database: made by the same steps, and the same in the end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from league.database import Database, _migrations
from league.errors import LeagueError
from league.migrations import NEWEST
from league.models import Table
from league.races import RaceSettings
from league.service import League
from league.store import Store
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


def test_a_database_holds_one_league(server: str, tmp_path: Path) -> None:
    url = emptied(server, "taken")
    League.create(tmp_path / "one", RaceSettings(), url=url).close()
    with pytest.raises(LeagueError, match="already holds a league"):
        League.create(tmp_path / "two", RaceSettings(), url=url)
