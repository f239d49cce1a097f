"""What nothing names is removed from a league's folder after a while, and nothing else."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from league import tidying
from league.backup import backup, restore
from league.drives import as_json, driven_of
from league.evaluation import Job, Run
from league.heats import Finish, HeatRun
from league.races import RaceSettings, RaceType
from league.service import League
from league.store import SQLITE_URL, Store
from league.tidying import UNNAMED, tidy
from tests.league.conftest import drain, driven, laps

MakeBundle = Callable[[int], Path]
OLD = UNNAMED + 3600.0


def age(files: Sequence[Path], seconds: float) -> None:
    """Let files have been written some time ago."""
    for file in files:
        os.utime(file, (time.time() - seconds,) * 2)


def test_what_a_killed_process_left_is_tidied_up_after_a_while(tmp_path: Path) -> None:
    league = League.create(tmp_path / "league", RaceSettings())
    old, new = (tmp_path / "league" / "bundles" / name for name in (".old", ".new"))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    tidy(league.store)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_database_that_a_killed_process_left_is_tidied_up_and_nothing_of_others(tmp_path: Path) -> None:
    made = Store.create(tmp_path)
    for name in (f".{'0f' * 16}.db", f".{'0f' * 16}-wal", ".gitignore"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    tidy(made)
    assert [file.name for file in tmp_path.glob(".*")] == [".gitignore"]


def test_a_bundle_that_was_kept_but_not_submitted_is_tidied_up_after_a_day(tmp_path: Path, bundle: MakeBundle) -> None:
    league = League.create(tmp_path / "league", RaceSettings())
    submitted = league.submissions.submit(bundle(1), None, "Ann").bundle_sha256
    for name in ("old", "new", "again"):
        league.store.keep(b"a driver", name)
    for name, age in ((submitted, 90_000), ("old", 90_000), ("new", 80_000), ("again", 90_000)):
        os.utime(league.store.bundle_path(name), (time.time() - age,) * 2)
    league.store.keep(b"a driver", "again")  # its submission is on its way
    tidy(league.store)
    left = {name for name in (submitted, "old", "new", "again") if league.store.bundle_path(name).exists()}
    assert left == {submitted, "new", "again"}


def test_a_replay_that_no_result_names_is_tidied_up_after_a_day_and_no_other(
    league: League, bundle: MakeBundle
) -> None:
    store = league.store
    run, heat, lost, fresh, again = (name * 64 for name in "abcde")
    for i, racer in enumerate(("Ann", "Bob")):
        league.submissions.submit(bundle(i), None, racer)

    def evaluate(job: Job) -> dict[str, object]:
        runs = [replace(made, replay_sha256=run) for made in driven_of(Run, driven(laps(9000))(job)).runs]
        return as_json(runs) | {"replays": {run: ""}}

    for sha256 in (run, heat, lost, fresh, again):
        store.keep_replay(sha256.encode(), sha256)
    drain(league, evaluate=evaluate)
    heats = RaceSettings(race_type=RaceType.HEAD_TO_HEAD, runs=1)
    league.brackets.create("Cup", heats, ["Ann", "Bob"])
    seeds = league.brackets.job("Cup", "W1.1").seeds
    finishes = tuple(Finish(time, 100.0, time, 0, 0, 0, "lap_complete") for time in (9000, 9100))
    league.brackets.score("Cup", "W1.1", [HeatRun(seed, (0, 1), finishes, "f" * 64, heat) for seed in seeds])

    age([store.replay_path(sha256) for sha256 in (run, heat, lost, again)], OLD)
    store.keep_replay(b"", again)  # its result is on its way
    tidy(store)
    left = {sha256 for sha256 in (run, heat, lost, fresh, again) if store.replay_path(sha256).exists()}
    assert left == {run, heat, fresh, again}


def test_a_replay_that_is_asked_for_while_it_is_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path)
    store.keep_replay(b"a replay", "a" * 64)
    kept = store.replay_path("a" * 64)
    age([kept], OLD)
    remove = tidying._remove

    def late(file: Path) -> None:
        store.keep_replay(b"a replay", "a" * 64)
        remove(file)

    monkeypatch.setattr(tidying, "_remove", late)
    tidy(store)
    assert [file.name for file in kept.parent.iterdir()] == [kept.name]
    monkeypatch.undo()
    age([kept], OLD)
    tidy(store)
    assert list(kept.parent.iterdir()) == []


def test_a_backup_has_no_use_for_what_is_removed_meanwhile_and_a_restored_one_is_tidied_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.create(tmp_path / "league")
    for sha256 in ("a" * 64, "b" * 64):
        store.keep_replay(b"a replay", sha256)
    add = tarfile.TarFile.add

    def slow(archive: tarfile.TarFile, name: Path, arcname: str, recursive: bool) -> None:
        store.replay_path("a" * 64).unlink(missing_ok=True)
        add(archive, name, arcname, recursive)

    monkeypatch.setattr(tarfile.TarFile, "add", slow)
    backup(store, tmp_path / "league.tar.gz")
    restore(tmp_path / "league.tar.gz", tmp_path / "again", SQLITE_URL)
    again = Store(tmp_path / "again")
    assert [file.stem for file in (tmp_path / "again" / "replays").iterdir()] == ["b" * 64]
    tidy(again)
    assert again.replay_path("b" * 64).exists()
    age([again.replay_path("b" * 64)], OLD)
    tidy(again)
    assert not again.replay_path("b" * 64).exists()
