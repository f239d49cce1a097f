"""A league in a folder: what it accepts, what it keeps, what it drives; on real SQLite files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from league.errors import LeagueError
from league.evaluation import Evaluate
from league.models import Status
from league.races import RaceFormat, RaceSettings, RaceType
from league.rules import Lap, Ranking, Score
from league.service import League, SubmissionView
from league.traffic import BotCars, Boxes
from racer_env.bundle import Bundle
from racer_env.errors import BundleError, MetadataError, RacerError, TrackError

MakeBundle = Callable[[int], Path]
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def league(tmp_path: Path) -> League:
    """A league whose clock ticks once a second."""
    ticks: Iterator[datetime] = (START + timedelta(seconds=i) for i in range(10_000))
    return League.create(tmp_path / "league", RaceSettings(runs=1, max_submissions=3), clock=lambda: next(ticks))


def clean(*times: int) -> Evaluate:
    """Stands for the simulator: every driver completes laps of these times."""
    return lambda *_: [Lap(i, t, 100.0, "lap_complete") for i, t in enumerate(times, start=1)]


def failing(error: BaseException) -> Evaluate:
    def evaluate(*_: object) -> list[Lap]:
        raise error

    return evaluate


def results(league: League, evaluate: Evaluate) -> list[SubmissionView]:
    return [s for s in league.run(evaluate) if s.status is not Status.RUNNING]


def statuses(league: League) -> list[Status]:
    return [s.status for s in league.submissions()]


def contents(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_new_league_is_one_folder_with_one_race(league: League) -> None:
    assert contents(league.store.folder) == ["league.db"]
    assert [race.name for race in league.races()] == ["community"]
    assert league.race().settings == RaceSettings(runs=1, max_submissions=3)
    assert league.standings() == ()


def test_the_database_has_a_write_ahead_log_and_its_references_hold(league: League) -> None:
    with league.store.writing() as session:
        assert session.connection().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    with pytest.raises(LeagueError, match="FOREIGN KEY"), league.store.writing() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO laps VALUES (99, 0, 0, 1, 9000, 100.0, 'lap_complete', 0, 0, 0, 0)"
        )


def test_a_league_is_not_made_twice(league: League) -> None:
    with pytest.raises(LeagueError, match="already holds a league"):
        League.create(league.store.folder, RaceSettings())


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


def test_a_file_that_is_no_database_is_refused_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "league.db").write_text("no database, " * 100)
    with pytest.raises(LeagueError, match="not a database"):
        League(tmp_path)


def test_another_programs_database_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "league.db")) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(LeagueError, match="not the database of a league"):
        League(tmp_path)


def test_a_race_keeps_its_settings(league: League) -> None:
    settings = RaceSettings(
        track="hairpin",
        reverse=True,
        laps=5,
        minimum_laps=2,
        ranking=Ranking.AVERAGE_LAP,
        continuous=False,
        resets=0,
        off_track_penalty=2.5,
        collision_penalty=0.0,
        time_limit=None,
        max_submissions=None,
        runs=3,
    )
    league.create_race("Averages", settings, seed=2**63 - 1)
    kept = League(league.store.folder).race("averages")
    assert kept.settings == settings
    assert kept.seeds == (2**63 - 1, 0, 1)


def test_a_races_name_is_taken_in_upper_and_lower_case(league: League) -> None:
    with pytest.raises(LeagueError, match="'COMMUNITY' already exists"):
        league.create_race("COMMUNITY", RaceSettings())


def test_a_track_file_is_found_from_any_folder(league: League, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Path(__file__).resolve().parents[2].parent / "shared/data/tracks/reinvent_base.npy"
    if not shared.is_file():
        pytest.skip("the original's tracks are not here")
    (tmp_path / "mine.npy").write_bytes(shared.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert league.create_race("mine", RaceSettings(track="mine.npy")).settings.track == str(tmp_path / "mine.npy")


def test_an_unknown_race_is_answered_with_the_nearest(league: League) -> None:
    with pytest.raises(LeagueError, match="did you mean 'community'"):
        league.race("comunity")


def test_with_several_races_one_must_be_named(league: League) -> None:
    league.create_race("second", RaceSettings())
    with pytest.raises(LeagueError, match="say which race; there are: community, second"):
        league.standings()


def test_a_submission_is_queued_and_its_bundle_kept_under_its_hash(league: League, bundle: MakeBundle) -> None:
    queued = league.submit(bundle(1), None, "Ann")
    assert (queued.id, queued.race, queued.racer, queued.status) == (1, "community", "Ann", Status.QUEUED)
    assert queued.submitted_at.tzinfo is UTC
    assert contents(league.store.folder / "bundles") == [f"{queued.bundle_sha256}.tar.gz"]
    assert league.store.bundle(queued.bundle_sha256).sha256 == queued.bundle_sha256
    assert (league.race().racers, league.race().submissions) == (1, 1)


def test_the_same_bundle_is_kept_once(league: League, bundle: MakeBundle) -> None:
    first, second = league.submit(bundle(1), None, "Ann"), league.submit(bundle(1), None, "Bob")
    third = league.submit(bundle(2), None, "Bob")
    assert first.bundle_sha256 == second.bundle_sha256 != third.bundle_sha256
    assert len(contents(league.store.folder / "bundles")) == 2


def test_a_racer_is_the_same_in_upper_and_lower_case(league: League, bundle: MakeBundle) -> None:
    league.submit(bundle(1), None, "Ann")
    assert league.submit(bundle(2), None, "ANN").racer == "Ann"
    assert [s.id for s in league.submissions(racer="ann")] == [1, 2]


def test_a_file_that_is_no_bundle_is_refused_and_leaves_nothing(league: League, tmp_path: Path) -> None:
    (tmp_path / "driver.tar.gz").write_bytes(b"no archive")
    with pytest.raises(BundleError, match=r"driver\.tar\.gz"):
        league.submit(tmp_path / "driver.tar.gz", None, "Ann")
    with pytest.raises(BundleError, match=r"missing\.tar\.gz"):
        league.submit(tmp_path / "missing.tar.gz", None, "Ann")
    assert league.submissions() == ()
    assert contents(league.store.folder / "bundles") == []


def test_a_bad_name_or_race_is_refused_and_leaves_nothing(league: League, bundle: MakeBundle) -> None:
    with pytest.raises(LeagueError, match="racer name"):
        league.submit(bundle(1), None, "../ann")
    with pytest.raises(LeagueError, match="does not exist"):
        league.submit(bundle(1), "tomorrow", "Ann")
    assert contents(league.store.folder / "bundles") == []


def test_a_racer_cannot_submit_more_than_the_race_allows(league: League, bundle: MakeBundle) -> None:
    for i in range(3):
        league.submit(bundle(i), None, "Ann")
    with pytest.raises(LeagueError, match="'Ann' has used all 3 submissions to 'community'"):
        league.submit(bundle(4), None, "ann")
    assert league.submit(bundle(4), None, "Bob").status is Status.QUEUED


def test_submissions_at_the_same_time_cannot_pass_the_limit(league: League, bundle: MakeBundle) -> None:
    file = bundle(1)

    def submit(_: int) -> bool:
        try:
            League(league.store.folder).submit(file, None, "Ann")
        except LeagueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submit, range(16))) == 3


def test_what_the_organisers_side_failed_on_costs_nothing_and_can_be_driven_again(
    league: League, bundle: MakeBundle
) -> None:
    for i in range(3):
        league.submit(bundle(i), None, "Ann")
    failed = results(league, failing(RuntimeError("the disk is on fire")))
    assert {(s.status, s.reason) for s in failed} == {(Status.ERROR, "RuntimeError: the disk is on fire")}
    league.submit(bundle(4), None, "Ann")
    assert league.retry() == 3
    assert statuses(league) == [Status.QUEUED] * 4
    assert [s.status for s in results(league, clean(9000))] == [Status.SCORED] * 4


@pytest.mark.parametrize("error", [BundleError("no layer fits"), MetadataError("no such sensor")])
def test_a_driver_that_cannot_drive_is_rejected_with_the_reason_and_not_counted(
    league: League, bundle: MakeBundle, error: Exception
) -> None:
    for i in range(4):
        league.submit(bundle(i), None, "Ann")
        assert [(s.status, s.reason) for s in results(league, failing(error))] == [(Status.REJECTED, str(error))]
    assert league.standings() == ()


def test_submissions_are_driven_oldest_first_each_once(league: League, bundle: MakeBundle) -> None:
    for i, racer in enumerate(["Ann", "Bob", "Ann"]):
        league.submit(bundle(i), None, racer)
    seen = [(s.id, s.status) for s in league.run(clean(9000, 8000))]
    assert seen == [(i, status) for i in (1, 2, 3) for status in (Status.RUNNING, Status.SCORED)]
    assert results(league, failing(AssertionError("driven twice"))) == []


def test_a_submission_made_during_a_run_is_driven_in_it(league: League, bundle: MakeBundle) -> None:
    league.submit(bundle(1), None, "Ann")
    run = league.run(clean(9000))
    next(run)
    League(league.store.folder).submit(bundle(2), None, "Bob")
    assert [s.id for s in run if s.status is Status.SCORED] == [1, 2]


def test_a_result_keeps_every_lap_and_its_times_are_utc(league: League, bundle: MakeBundle) -> None:
    laps = (Lap(1, 9000, 100.0, "lap_complete", 1, 2, 3, 4), Lap(2, 700, 12.345678, "off_track", 1))
    league.submit(bundle(1), None, "Ann")
    (made,) = results(league, lambda *_: laps)
    assert made.laps == laps == League(league.store.folder).submissions()[0].laps
    assert made.started_at is not None
    assert made.finished_at is not None
    assert START < made.submitted_at < made.started_at < made.finished_at
    with closing(sqlite3.connect(league.store.folder / "league.db")) as database:
        (text,) = database.execute("SELECT submitted_at FROM submissions").fetchone()
    assert datetime.fromisoformat(text).replace(tzinfo=UTC) == made.submitted_at


def test_the_driver_gets_the_races_settings_and_seeds(league: League, bundle: MakeBundle) -> None:
    settings = RaceSettings(laps=2, runs=2)
    league.create_race("second", settings, seed=42)
    queued = league.submit(bundle(1), "second", "Ann")
    asked: list[tuple[str, RaceSettings, int]] = []

    def evaluate(driver: Bundle, race: RaceSettings, seed: int) -> list[Lap]:
        asked.append((driver.sha256, race, seed))
        return []

    assert [s.status for s in results(league, evaluate)] == [Status.DNF]
    assert asked == [(queued.bundle_sha256, settings, seed) for seed in (42, 43)]


def test_who_does_not_qualify_is_a_dnf_below_the_others(league: League, bundle: MakeBundle) -> None:
    times = {league.submit(bundle(i), None, racer).bundle_sha256: i for i, racer in enumerate(["Ann", "Bob", "Cy"])}
    drives = ([Lap(1, 5000, 55.5)], [Lap(1, 9000, 100.0), Lap(2, 8000, 100.0)], [Lap(1, 5000, 77.0)])
    results(league, lambda driver, *_: drives[times[driver.sha256]])
    assert statuses(league) == [Status.DNF, Status.SCORED, Status.DNF]
    board = league.standings()
    assert [(s.place, s.entry.racer, s.entry.score.time_ms) for s in board] == [
        ("1", "Bob", 8000),
        ("2", "Cy", None),
        ("3", "Ann", None),
    ]


def test_of_several_runs_the_median_counts(league: League, bundle: MakeBundle) -> None:
    league.create_race("second", RaceSettings(laps=1, runs=3))
    league.submit(bundle(1), "second", "Ann")
    drives = [(Lap(1, 9000, 100.0),), (), (Lap(1, 8000, 100.0),)]
    (made,) = results(league, lambda _, __, seed: drives[seed])
    assert (made.status, made.score, made.laps) == (Status.SCORED, Score(9000, 100.0, 1, 0), drives[0])
    assert made.runs == tuple(drives)
    assert league.standings("second")[0].entry.score.time_ms == 9000


def test_a_racer_has_so_many_submissions_a_day_and_at_a_time(league: League, bundle: MakeBundle) -> None:
    league.create_race("second", RaceSettings(runs=1, max_submissions_a_day=2, max_in_flight=1))
    league.submit(bundle(1), "second", "Ann")
    with pytest.raises(LeagueError, match="'Ann' may have 1 queued or running at a time"):
        league.submit(bundle(1), "second", "Ann")
    results(league, clean(9000))
    league.submit(bundle(1), "second", "Ann")
    results(league, clean(9000))
    with pytest.raises(LeagueError, match="'Ann' has used all 2 submissions of today"):
        league.submit(bundle(1), "second", "Ann")
    tomorrow = League(league.store.folder, clock=lambda: START + timedelta(hours=12))
    assert tomorrow.submit(bundle(1), "second", "Ann").status is Status.QUEUED


@pytest.mark.parametrize(
    "settings",
    [
        RaceSettings(format=RaceFormat.LIVE),
        RaceSettings(opens_at=START),
        RaceSettings(closes_at=START),
        RaceSettings(private=True),
        RaceSettings(division="Pro"),
        RaceSettings(region="EU"),
    ],
)
def test_a_setting_that_no_league_keeps_to_yet_is_refused(league: League, settings: RaceSettings) -> None:
    with pytest.raises(LeagueError, match="no league keeps to that yet"):
        league.create_race("second", settings)
    assert len(league.races()) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RaceSettings(race_type=RaceType.HEAD_TO_HEAD), "one racer at a time"),
        (RaceSettings(race_type=RaceType.HEAD_TO_BOT, bots=BotCars(speed=5.0)), "bot cars drive 0 to 4 m/s, not 5.0"),
        (RaceSettings(randomisation="milld"), "did you mean 'mild'"),
        (RaceSettings(car="deepracer_v7"), "did you mean 'deepracer_v6'"),
        (RaceSettings(race_type=RaceType.OBJECT_AVOIDANCE, obstacles=Boxes(shape="box")), "no obstacle is called"),
    ],
)
def test_what_the_simulator_cannot_drive_is_no_race(league: League, settings: RaceSettings, says: str) -> None:
    with pytest.raises(RacerError, match=says):
        league.create_race("second", settings)
    assert len(league.races()) == 1


def test_a_kept_bundle_that_was_changed_is_not_driven(league: League, bundle: MakeBundle) -> None:
    first, second = league.submit(bundle(1), None, "Ann"), league.submit(bundle(2), None, "Bob")
    third = league.submit(bundle(3), None, "Cy")
    league.store.bundle_path(first.bundle_sha256).write_bytes(bundle(4).read_bytes())
    league.store.bundle_path(second.bundle_sha256).unlink()
    made = results(league, clean(9000))
    assert [s.status for s in made] == [Status.ERROR, Status.ERROR, Status.SCORED]
    assert "has been changed" in (made[0].reason or "")
    assert third.id == made[2].id


def test_ctrl_c_puts_the_running_submission_back(league: League, bundle: MakeBundle) -> None:
    league.submit(bundle(1), None, "Ann")
    with pytest.raises(KeyboardInterrupt):
        results(league, failing(KeyboardInterrupt()))
    assert statuses(league) == [Status.QUEUED]
    run = league.run(clean(9000))
    next(run)
    assert statuses(league) == [Status.RUNNING]
    run.close()
    assert statuses(league) == [Status.QUEUED]
    assert [s.status for s in results(league, clean(9000))] == [Status.SCORED]


def test_only_one_process_drives_at_a_time(league: League, bundle: MakeBundle) -> None:
    league.submit(bundle(1), None, "Ann")
    run = league.run(clean(9000))
    next(run)
    with pytest.raises(LeagueError, match="another process is evaluating"):
        results(League(league.store.folder), clean(9000))
    assert statuses(league) == [Status.RUNNING]
    assert [s.status for s in run] == [Status.SCORED]


def test_an_exception_in_a_write_undoes_all_of_it(league: League) -> None:
    def interrupted() -> None:
        with league.store.writing() as session:
            session.connection().exec_driver_sql("DELETE FROM races")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(league.races()) == 1
