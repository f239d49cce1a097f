"""A whole race day with real drivers in the real simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from league.backup import backup, restore
from league.cli import app
from league.confinement import Limits
from league.drives import driven_of
from league.errors import LeagueError
from league.evaluation import Job, Run, evaluate
from league.models import Status
from league.presets import OPEN_2021, PRESETS
from league.races import RaceSettings, RaceType
from league.receipts import Receipt
from league.rules import Ranking, median_run
from league.service import League
from league.store import SQLITE_URL
from league.verification import verify
from league.workers import Local, work
from racer_env.car import DEEPRACER_V5, DiscreteActions
from racer_env.dynamics import CONTROL_RATE
from racer_env.graph import MAX_WORK
from racer_env.replay_file import digest
from racer_env.track import find_track
from tests.league.conftest import PIXELS, write_bundle

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys; from racer_env.cli import main; sys.argv[0] = 'racer'; main()"


def racer(*words: object, league: Path) -> subprocess.CompletedProcess[str]:
    """The command in its own process."""
    command = [sys.executable, "-c", MAIN, *map(str, words)]
    environment = {**os.environ, "RACER_LEAGUE": str(league)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_real_drivers_race_from_their_bundles_and_the_faster_one_wins(
    tmp_path: Path, bundle: Callable[[int], Path], road_follower: Callable[[float], Path]
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=2, resets=0, runs=2))
    total = RaceSettings(laps=2, resets=0, runs=1, ranking=Ranking.TOTAL_TIME, minimum_laps=2)
    league.races.create("total", total)
    league.races.open("total")
    league.submissions.submit(bundle(1), "community", "Noise")
    league.submissions.submit(road_follower(0.6), "community", "Slow")
    league.submissions.submit(road_follower(1.0), "community", "Fast")
    league.submissions.submit(road_follower(1.0), "community", "Copy")
    league.submissions.submit(road_follower(1.0), "total", "Fast")
    ended = [event.submission for event in work(league, Local(2), drain=True) if not event.started]
    made = {(s.race, s.racer): s for s in ended}
    assert made["community", "Noise"].status is Status.DNF
    places = [(s.place, s.entry.racer) for s in league.boards.standings("community")]
    assert places == [("=1", "Fast"), ("=1", "Copy"), ("3", "Slow"), ("4", "Noise")]
    laps = league.submissions.runs(made["community", "Fast"].id)[1].laps
    assert laps == league.submissions.runs(made["total", "Fast"].id)[0].laps
    assert [(lap.trial, lap.off_track_count) for lap in laps] == [(1, 0), (2, 0)]
    assert league.boards.standings("community")[0].entry.score.time_ms == min(lap.time_ms for lap in laps)
    assert league.boards.standings("total")[0].entry.score.time_ms == sum(lap.time_ms for lap in laps)


@pytest.mark.slow
def test_every_run_of_a_race_is_kept_as_a_replay(
    tmp_path: Path, road_follower: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=2, resets=0, runs=3, randomisation="mild"))
    league.races.create("calm", RaceSettings(laps=1, resets=0, runs=3))
    league.races.open("calm")
    for race, racer in (("community", "Ann"), ("community", "Bob"), ("calm", "Ann")):
        league.submissions.submit(road_follower(1.0), race, racer)
    for _ in work(league, Local(), drain=True):
        pass
    runs = league.submissions.runs(1)
    replays = [league.submissions.replay(1, run) for run in (1, 2, 3)]
    for run, replay in zip(runs, replays, strict=True):
        assert [lap.time_ms for lap in replay.laps(0) if lap.complete] == [lap.time_ms for lap in run.laps if lap.valid]
    counted = median_run([league.races.one("community").settings.score(run.laps) for run in runs])
    assert digest(league.submissions.replay(1)) == digest(replays[counted])
    assert (replays[0].names, league.submissions.replay(2, 1).names) == (("Ann",), ("Bob",))
    assert {run.replay_sha256 for run in runs} == {run.replay_sha256 for run in league.submissions.runs(2)}
    assert len({run.replay_sha256 for run in league.submissions.runs(3)}) == 1
    kept = list((tmp_path / "league" / "replays").iterdir())
    assert len(kept) == 4
    assert max(file.stat().st_size for file in kept) < 2 * 40_000

    with pytest.raises(LeagueError, match="submission 1 has the runs 1 to 3, not 4"):
        league.submissions.replay(1, 4)
    monkeypatch.setenv("RACER_LEAGUE", str(tmp_path / "league"))
    assert "Ann" in CliRunner().invoke(app, ["replay", "1", "--run", "2"]).output
    assert CliRunner().invoke(app, ["replay", "1", "-o", str(tmp_path / "lap.png")]).exit_code == 0
    assert (tmp_path / "lap.png").stat().st_size > 1000
    assert "Ann" in CliRunner().invoke(app, ["compare", "1", "2"]).output
    ours, other = (league.store.replay_path(runs[k].replay_sha256) for k in (0, 1))
    ours.write_bytes(other.read_bytes())
    with pytest.raises(LeagueError, match="has been changed since it was kept"):
        league.submissions.replay(1, 1)


@pytest.mark.slow
def test_a_race_with_a_car_of_ones_own_is_driven_and_verified_when_its_file_is_gone(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    file, driver = tmp_path / "slow.toml", road_follower(1.0)
    replace(DEEPRACER_V5, name="slow", wheel_gain=0.5).write(file)
    settings = RaceSettings(laps=1, resets=0, runs=1)
    league = League.create(tmp_path / "league", replace(settings, car=str(file)))
    file.unlink()
    league.submissions.submit(driver, None, "Ann")
    (run,) = next(league.submissions.runs(e.submission.id) for e in work(league, Local(), drain=True) if not e.started)
    (usual,) = drive(driver, replace(settings, car="deepracer_v5"), run.seed)
    assert run.laps[0].time_ms > 1.5 * usual.laps[0].time_ms
    league.races.close("community")
    (tmp_path / "receipt.json").write_text(league.submissions.receipt(1))
    told = verify(tmp_path / "receipt.json", bundle=driver)
    assert isinstance(told, Receipt)
    assert told.settings == replace(league.races.one().settings, closes_at=None, opens_at=None)
    backup(league.store, tmp_path / "all.tar.gz")
    restore(tmp_path / "all.tar.gz", tmp_path / "again", SQLITE_URL)
    assert League(tmp_path / "again").races.one().seeds_sha256 == league.races.one().seeds_sha256
    assert verify(tmp_path / "receipt.json", League(tmp_path / "again").store) == told


def drive(bundle: Path, settings: RaceSettings, *seeds: int) -> tuple[Run, ...]:
    route = find_track(settings.track).route
    return driven_of(Run, evaluate(Job(bundle.read_bytes(), bundle.name, settings, route, seeds))).runs


@pytest.mark.slow
def test_a_driver_gets_the_same_steps_in_every_process_and_however_many_work(
    tmp_path: Path, bundle: Callable[[int], Path], road_follower: Callable[[float], Path]
) -> None:
    settings = RaceSettings(laps=1, randomisation="strong", resets=1, runs=3)
    seen = []
    for workers in (1, 3):
        league = League.create(tmp_path / f"{workers}", settings)
        with league.store.database.writing() as session:
            session.execute(sa.text("UPDATE races SET seeds = '[1, 2, 3]'"))
        for racer, driver in (("Ann", road_follower(1.0)), ("Bob", bundle(1)), ("Cy", road_follower(1.4))):
            league.submissions.submit(driver, None, racer)
        for _ in work(league, Local(workers), drain=True):
            pass
        seen.append([league.submissions.runs(number) for number in (1, 2, 3)])
    assert seen[0] == seen[1]
    assert len({run.trace_sha256 for runs in seen[0] for run in runs}) == 9


def test_replays_are_given_back_only_if_they_are_asked_for(road_follower: Callable[[float], Path]) -> None:
    settings = RaceSettings(laps=1, resets=0, runs=2)
    job = Job(road_follower(1.4).read_bytes(), "ann.tar.gz", settings, find_track("oval").route, (1, 2))
    asked, not_asked = evaluate(job), evaluate(replace(job, replays=False))
    assert not_asked == {"runs": asked["runs"], "replays": {}}
    (run, same) = driven_of(Run, asked).runs
    assert (run.replay_sha256, run) == (*driven_of(Run, asked).replays, replace(same, seed=1))


@pytest.mark.parametrize("race_type", [RaceType.GRID, RaceType.HEAD_TO_HEAD])
def test_a_submission_drives_alone_also_where_heats_decide_the_race(
    race_type: RaceType, road_follower: Callable[[float], Path]
) -> None:
    trial = RaceSettings(laps=1, time_limit=3.0, randomisation="mild")
    alone, other = drive(road_follower(1.0), trial, 1, 2)
    assert alone.laps != other.laps
    assert drive(road_follower(1.0), replace(trial, race_type=race_type), 1, 2) == (alone, other)


def test_a_driver_that_never_arrives_is_stopped_by_the_race_and_not_by_the_processor(tmp_path: Path) -> None:
    crawl = DiscreteActions((-30.0, 0.0, 30.0), (0.1, 0.1, 0.1))
    left = np.zeros((PIXELS, 3), np.float32)
    left[:, 2] = 1.0
    circling = write_bundle(tmp_path / "circling.tar.gz", left, crawl)
    settings = replace(OPEN_2021, laps=1, minimum_laps=1, runs=2)
    first, second = drive(circling, settings, 1, 2)
    (lap,) = first.laps
    assert (lap.status, lap.valid, round(lap.time_ms / 1000)) == ("time_up", False, settings.ends_after)
    assert lap.off_track_count > settings.runs
    assert (replace(first, seed=2), first) == (second, *drive(circling, settings, 1))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_slowest_network_ends_within_the_limits_on_a_machine_four_times_as_slow(preset: str) -> None:
    settings = PRESETS[preset]
    job = Job(b"", "", settings, find_track(settings.track).route, tuple(range(settings.runs)))
    pictures = job.simulated * CONTROL_RATE
    limits = Limits().driving(job.simulated)
    assert limits.cpu_seconds > 4 * pictures * (MAX_WORK * 0.16e-9)
    assert limits.wall_seconds >= limits.cpu_seconds + 1200
    assert limits.driving(job.simulated) == limits
    assert Limits().driving(job.simulated, 8) == replace(limits, memory_mb=8 * limits.memory_mb)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["object_avoidance", "head_to_bot", "live_finale"])
def test_a_preset_is_driven_with_what_it_puts_on_the_track(preset: str, road_follower: Callable[[float], Path]) -> None:
    settings = replace(PRESETS[preset], laps=1, minimum_laps=1, resets=2, collision_penalty=1.0, time_limit=60.0)
    first, second = drive(road_follower(1.2), settings, 0, 1)
    assert sum(lap.crash_count for lap in first.laps) > 0
    assert first.laps == second.laps
    assert not settings.varied


@pytest.mark.slow
def test_a_flying_start_is_one_lap_more_and_a_varied_race_differs_from_seed_to_seed(
    road_follower: Callable[[float], Path],
) -> None:
    flying = RaceSettings(laps=1, flying_start=True)
    (run,) = drive(road_follower(1.0), flying, 0)
    assert [lap.valid for lap in run.laps] == [True, True]
    assert flying.score(run.laps).time_ms == run.laps[1].time_ms != run.laps[0].time_ms
    varied = RaceSettings(laps=1, randomisation="strong", resets=0)
    first, second, again = drive(road_follower(1.0), varied, 0, 1, 0)
    assert first == again
    assert first.laps != second.laps


@pytest.mark.slow
def test_the_command_does_it_all_and_repeats_the_same_milliseconds(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    boards = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        for words in (
            ["init"],
            ["submit", road_follower(1.0), "--race", "community", "--racer", "Ann"],
            ["work", "--drain"],
        ):
            done = racer("league", *words, league=folder)
            assert (done.returncode, done.stderr) == (0, ""), done
        boards.append(json.loads(racer("league", "standings", "--json", league=folder).stdout))
    first, second = ({**board[0], "submitted_at": ""} for board in boards)
    assert first == second
    assert first["finished"]


@pytest.mark.slow
def test_ctrl_c_puts_the_driver_back_and_the_next_run_goes_on(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=2, runs=1))
    league.submissions.submit(road_follower(0.6), None, "Ann")
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "league", "work", "--drain", "--league", str(tmp_path / "league")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None and league.submissions.one(1).status is Status.QUEUED:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (130, "stopped; racer league work goes on where it was\n")
    assert league.submissions.one(1).status is Status.QUEUED
    ended = [event.submission.status for event in work(league, Local(), drain=True) if not event.started]
    assert ended == [Status.SCORED]


@pytest.mark.slow
def test_an_error_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = racer("league", "standings", league=tmp_path / "nowhere")
    assert done.returncode == 2
    assert "racer league init" in done.stderr
    assert "Traceback" not in done.stderr
