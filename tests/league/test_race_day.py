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

import pytest

from league.evaluation import evaluate
from league.models import Status
from league.presets import PRESETS
from league.races import RaceSettings
from league.rules import Ranking
from league.service import League
from racer_env.bundle import Bundle

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
    league.create_race("total", total)
    league.submit(bundle(1), "community", "Noise")
    league.submit(road_follower(0.6), "community", "Slow")
    league.submit(road_follower(1.0), "community", "Fast")
    league.submit(road_follower(1.0), "community", "Copy")
    league.submit(road_follower(1.0), "total", "Fast")
    made = {(s.race, s.racer): s for s in league.run() if s.status is not Status.RUNNING}
    assert made["community", "Noise"].status is Status.DNF
    places = [(s.place, s.entry.racer) for s in league.standings("community")]
    assert places == [("=1", "Fast"), ("=1", "Copy"), ("3", "Slow"), ("4", "Noise")]
    laps = made["community", "Fast"].laps
    assert laps == made["community", "Copy"].laps == made["total", "Fast"].laps
    assert [(lap.trial, lap.off_track_count) for lap in laps] == [(1, 0), (2, 0)]
    assert league.standings("community")[0].entry.score.time_ms == min(lap.time_ms for lap in laps)
    assert league.standings("total")[0].entry.score.time_ms == sum(lap.time_ms for lap in laps)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["object_avoidance", "head_to_bot", "live_finale"])
def test_a_preset_is_driven_with_what_it_puts_on_the_track(preset: str, road_follower: Callable[[float], Path]) -> None:
    settings = replace(PRESETS[preset], laps=1, minimum_laps=1, resets=2, collision_penalty=1.0, time_limit=60.0)
    driver = Bundle.open(road_follower(1.2))
    laps = evaluate(driver, settings, 0)
    assert sum(lap.crash_count for lap in laps) > 0
    assert laps == evaluate(driver, settings, 1)
    assert not settings.varied


@pytest.mark.slow
def test_a_flying_start_is_one_lap_more_and_a_varied_race_differs_from_seed_to_seed(
    road_follower: Callable[[float], Path],
) -> None:
    driver = Bundle.open(road_follower(1.0))
    flying = RaceSettings(laps=1, flying_start=True)
    laps = evaluate(driver, flying, 0)
    assert [lap.valid for lap in laps] == [True, True]
    assert flying.score(laps).time_ms == laps[1].time_ms != laps[0].time_ms
    varied = RaceSettings(laps=1, randomisation="strong", resets=0)
    assert evaluate(driver, varied, 0) == evaluate(driver, varied, 0) != evaluate(driver, varied, 1)


@pytest.mark.slow
def test_the_command_does_it_all_and_repeats_the_same_milliseconds(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    boards = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        for words in (
            ["init"],
            ["submit", road_follower(1.0), "--race", "community", "--racer", "Ann"],
            ["run"],
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
    league.submit(road_follower(0.6), None, "Ann")
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "league", "run", "--league", str(tmp_path / "league")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None and league.submissions()[0].status is Status.QUEUED:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (130, "stopped; racer league run goes on where it was\n")
    assert league.submissions()[0].status is Status.QUEUED
    assert [s.status for s in league.run()] == [Status.RUNNING, Status.SCORED]


@pytest.mark.slow
def test_an_error_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = racer("league", "standings", league=tmp_path / "nowhere")
    assert done.returncode == 2
    assert "racer league init" in done.stderr
    assert "Traceback" not in done.stderr
