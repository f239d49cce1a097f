"""A real PostgreSQL server in a folder of its own, as its own programs start it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql


def _program(name: str) -> str | None:
    """Debian keeps these programs out of the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(installed[0]) if installed else None)


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[str]:
    """Run a server; gives the URL of its database ``postgres``. Only a durable one survives a power cut."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="racer-pg-", dir="/tmp"))
    if user:
        shutil.chown(folder, user)
    cluster, log = str(folder / "cluster"), str(folder / "log")
    options = f"-k {folder} -c listen_addresses='' -c fsync={'on' if durable else 'off'}"

    def run(*words: str) -> None:
        subprocess.run(words, user=user, check=True, capture_output=True, cwd=folder, timeout=120)

    try:
        run(initdb, "-D", cluster, "-U", "league", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(pg_ctl, "-D", cluster, "-l", log, "-o", options, "-w", "start")
        yield f"postgresql://league@/postgres?host={folder}"
        run(pg_ctl, "-D", cluster, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def emptied(server: str, name: str) -> str:
    """The URL of an empty database of a server; one of that name is emptied, which is quicker than a new one."""
    with psycopg.connect(server, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not known:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    url = server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url
