"""Brackets in a league: who races is fixed, a heat is decided once, and real heats come out the same again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from league import bracket_day
from league.bracket_day import race_bracket
from league.bracket_picture import draw_bracket
from league.brackets import Elimination
from league.drives import as_json
from league.errors import LeagueError
from league.heat_job import HeatJob
from league.heat_receipts import HeatReceipt
from league.heats import Finish, HeatRun, rotated
from league.races import RaceSettings, RaceType
from league.receipts import DifferentResultError, ReceiptError
from league.service import League
from league.verification import verify
from racer_env.replay_file import digest, read
from tests.league.conftest import drain, laps

Bundles = Callable[[int], Path]
HEATS = RaceSettings(race_type=RaceType.HEAD_TO_HEAD, laps=1, runs=3)


def qualified(league: League, bundle: Bundles, *racers: str) -> None:
    for number, racer in enumerate(racers):
        league.submissions.submit(bundle(number), None, racer)
        drain(league, laps(10_000 + 100 * number))


def runs(league: League, heat: str, first_ms: int | None, second_ms: int | None) -> tuple[HeatRun, ...]:
    """Runs of a heat that all end with these times."""
    job = league.brackets.job(None, heat)
    finishes = tuple(
        Finish(time, 100.0 if time else 10.0, time, 0, 0, 0, "lap_complete") for time in (first_ms, second_ms)
    )
    return tuple(HeatRun(seed, rotated(2, k), finishes, "0" * 64) for k, seed in enumerate(job.seeds))


def test_winners_go_on_until_there_is_a_champion(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, "Ada", "Bob", "Cy")
    made = league.brackets.create("Cup", HEATS, ["Ada", "Bob", "Cy"])
    assert [heat.name for heat in made.bracket.ready] == ["W1.2"]  # the best seed has a bye
    with pytest.raises(LeagueError, match=r"W2.1 has no racers yet"):
        league.brackets.job("Cup", "W2.1")
    done = league.brackets.score("cup", "W1.2", runs(league, "W1.2", None, 9_000))
    assert (done.heat.sides, done.heat.winner) == (("Bob", "Cy"), "Cy")
    assert league.brackets.score("Cup", "W2.1", runs(league, "W2.1", 8_000, 8_000)).heat.winner == "Ada"
    assert league.brackets.one().bracket.places == {"Ada": 1, "Cy": 2, "Bob": 3}


def test_a_heat_is_decided_once(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, "Ada", "Bob")
    league.brackets.create("Cup", HEATS, ["Ada", "Bob"])
    again = runs(league, "W1.1", 9_000, 8_000)
    league.brackets.score(None, "W1.1", runs(league, "W1.1", 8_000, 9_000))
    assert league.brackets.score(None, "W1.1", again).heat.winner == "Ada"
    with pytest.raises(LeagueError, match="has been won by Ada"):
        league.brackets.award(None, "W1.1", "Bob", "he asked so nicely")
    for change in ("UPDATE heats SET winner_id = 2", "DELETE FROM heats", "DELETE FROM entrants"):
        with pytest.raises(LeagueError, match="cannot be"), league.store.database.writing() as session:
            session.execute(sa.text(change))


def test_who_cannot_race_loses_by_the_organisers_decision(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, "Ada", "Bob")
    league.brackets.create("Cup", HEATS, ["Ada", "Bob"], elimination=Elimination.DOUBLE)
    with pytest.raises(LeagueError, match="say why"):
        league.brackets.award(None, "W1.1", "Bob", " ")
    done = league.brackets.award(None, "W1.1", "Bob", "Ada's driver was a copy")
    assert (done.heat.winner, done.awarded, done.result) == ("Bob", "Ada's driver was a copy", None)
    with pytest.raises(LeagueError, match="has no receipt"):
        league.brackets.receipt(None, "W1.1")
    assert next(e.details for e in league.boards.audit() if e.action == "award heat") == {
        "bracket": "Cup",
        "heat": "W1.1",
    }


def test_a_bracket_needs_drivers_that_count_and_settings_of_heats(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, "Ada", "Bob")
    with pytest.raises(LeagueError, match="are of type head_to_head or grid, not time_trial"):
        league.brackets.create("Cup", RaceSettings(), ["Ada", "Bob"])
    with pytest.raises(LeagueError, match="two or more different racers"):
        league.brackets.create("Cup", HEATS, ["Ada", "ada"])
    league.submissions.disqualify(2, "a copy")
    with pytest.raises(LeagueError, match="'Bob' has no driver for a bracket"):
        league.brackets.create("Cup", HEATS, ["Ada", "Bob"])
    assert league.brackets.all() == ()


def test_runs_of_another_bracket_are_refused(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, "Ada", "Bob")
    league.brackets.create("Cup", HEATS, ["Ada", "Bob"])
    foreign = [replace(run, seed=run.seed ^ 1) for run in runs(league, "W1.1", 8_000, 9_000)]
    with pytest.raises(ValueError, match="not under the bracket's seeds"):
        league.brackets.score(None, "W1.1", foreign)


def lies_about_seeds(job: HeatJob) -> dict[str, Any]:
    finish = Finish(9_000, 100.0, 9_000, 0, 0, 0, "lap_complete")
    return as_json([HeatRun(seed ^ 1, (0, 1), (finish, finish), "0" * 64) for seed in job.seeds])


def lies_about_progress(job: HeatJob) -> dict[str, Any]:
    finish = Finish(None, float("nan"), None, 0, 0, 0, "off_track")
    return as_json([HeatRun(seed, (0, 1), (finish, finish), "0" * 64) for seed in job.seeds])


@pytest.mark.parametrize("lie", [lies_about_seeds, lies_about_progress])
def test_a_heat_whose_process_answers_nonsense_is_not_decided(
    league: League, bundle: Bundles, monkeypatch: pytest.MonkeyPatch, lie: Callable[[HeatJob], dict[str, Any]]
) -> None:
    qualified(league, bundle, "Ada", "Bob")
    league.brackets.create("Cup", HEATS, ["Ada", "Bob"])
    monkeypatch.setattr(bracket_day, "drive_heat", lie)
    with pytest.raises(LeagueError, match=r"heat W1\.1 cannot be driven: its process answered nonsense"):
        list(race_bracket(league))
    assert [heat.name for heat in league.brackets.one().bracket.ready] == ["W1.1"]


def test_a_heat_driven_again_must_have_the_same_steps_however_its_replay_is_written(
    league: League, bundle: Bundles
) -> None:
    qualified(league, bundle, "Ada", "Bob")
    league.brackets.create("Cup", HEATS, ["Ada", "Bob"])
    made = [replace(run, trace_sha256="0" * 64) for run in runs(league, "W1.1", 8_000, 9_000)]
    league.brackets.score(None, "W1.1", made)
    receipt = HeatReceipt.parse(league.brackets.receipt(None, "W1.1"))
    receipt.compare([replace(run, replay_sha256="1" * 64) for run in made])
    with pytest.raises(DifferentResultError, match=r"run 1 of heat W1\.1 has other steps now"):
        receipt.compare([replace(run, trace_sha256="1" * 64) for run in made])


def test_a_receipt_of_a_heat_of_which_a_byte_is_changed_fails(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, "Ada", "Bob")
    league.brackets.create("Cup", HEATS, ["Ada", "Bob"])
    league.brackets.score(None, "W1.1", runs(league, "W1.1", 8_000, 9_000))
    text = league.brackets.receipt(None, "W1.1")
    assert HeatReceipt.parse(text).result.winner == "Ada"
    for at in range(0, len(text), 37):
        with pytest.raises(ReceiptError):
            HeatReceipt.parse(text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :])


@pytest.mark.slow
def test_real_heats_are_raced_kept_and_come_out_the_same_again(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=1, runs=1))
    for racer, speed in (("Slow", 0.7), ("Fast", 1.0), ("Middle", 0.85)):
        league.submissions.submit(road_follower(speed), None, racer)
        drain(league, laps(10_000))
    heats = replace(HEATS, runs=2, track="speedway")
    league.brackets.create("Cup", heats, ["Slow", "Fast", "Middle"])
    decided = [event.heat for event in race_bracket(league) if not event.started]
    assert [view.heat.name for view in decided] == ["W1.2", "W2.1"]
    semifinal, final = decided
    assert final.replay
    assert final.result
    assert semifinal.result
    assert final.heat.sides == ("Slow", semifinal.result.winner)
    assert final.result.winner == league.brackets.one().bracket.champion
    assert len({run.finishes for run in final.result.runs}) == 2  # the other one started ahead
    assert final.replay.name == f"{digest(read(final.replay))}.replay"
    assert set(read(final.replay).names) == set(final.heat.sides)
    file = tmp_path / "heat.json"
    file.write_text(league.brackets.receipt(None, "W2.1") + "\n")
    verified = verify(file, league.store)
    assert isinstance(verified, HeatReceipt)
    assert verified.result == final.result
    with pytest.raises(ReceiptError, match=r"run 1 of heat W2\.1 has other finishes now"):
        verified.compare([replace(verified.runs[0], finishes=verified.runs[0].finishes[::-1]), *verified.runs[1:]])
    assert draw_bracket(league.brackets.one()).size[0] >= 560
    assert list(race_bracket(league)) == []
