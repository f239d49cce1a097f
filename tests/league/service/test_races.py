"""Races from draft to final, in both kinds of database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import tracks
from league.errors import LeagueError
from league.evaluation import car_of
from league.lifecycle import State
from league.models import Status
from league.races import RaceSettings, RaceType
from league.receipts import race_hash
from league.rules import Ranking
from league.service import League
from league.traffic import BotCars, Boxes
from racer_env.car import DEEPRACER_V5
from racer_env.errors import RacerError, TrackError
from tests.league.conftest import START, Clock, drain, laps

MakeBundle = Callable[[int], Path]
HOUR = timedelta(hours=1)


def states(league: League) -> dict[str, State]:
    return {race.name: race.state for race in league.races.all()}


def test_a_new_league_has_one_open_race(league: League) -> None:
    assert states(league) == {"community": State.OPEN}
    race = league.races.one()
    assert replace(race.settings, opens_at=None) == RaceSettings(runs=1, max_submissions=3)
    assert league.boards.standings() == ()


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
        time_limit=None,
        runs=3,
        max_submissions=None,
        opens_at=START + HOUR,
        closes_at=START + 2 * HOUR,
    )
    league.races.create("Averages", settings)
    assert League(league.store.folder).races.one("averages").settings == settings


def test_a_draft_opens_and_closes_by_itself(league: League, clock: Clock) -> None:
    league.races.create("later", RaceSettings(opens_at=START + HOUR, closes_at=START + 2 * HOUR))
    seen = []
    for _ in range(3):
        seen.append(states(league)["later"])
        clock.now += HOUR
    assert seen == [State.DRAFT, State.OPEN, State.CLOSED]


def test_a_race_goes_from_draft_to_final(league: League, bundle: MakeBundle) -> None:
    race = league.races.create("next", RaceSettings(runs=1))
    assert (race.state, race.seeds_sha256, race.seeds) == (State.DRAFT, None, None)
    with pytest.raises(LeagueError, match="race 'next' is DRAFT; to submit it takes one that is OPEN"):
        league.submissions.submit(bundle(1), "next", "Ann")
    league.races.open("next")
    league.submissions.submit(bundle(1), "next", "Ann")
    with pytest.raises(LeagueError, match="is OPEN; to edit it takes one that is DRAFT"):
        league.races.edit("next", RaceSettings())
    league.races.close("next")
    with pytest.raises(LeagueError, match="is CLOSED since"):
        league.submissions.submit(bundle(1), "next", "Ann")
    with pytest.raises(LeagueError, match="has 1 submissions without a result"):
        league.races.finalise("next")
    drain(league, laps(9000))
    assert league.races.finalise("next").state is State.FINAL
    with pytest.raises(LeagueError, match="is FINAL; to change what counts"):
        league.submissions.disqualify(1, "too late")


def test_seeds_are_committed_to_at_the_opening_and_told_at_the_close(league: League) -> None:
    league.races.create("next", RaceSettings(runs=5))
    opened = league.races.open("next")
    closed = league.races.close("next")
    assert (opened.seeds, len(set(closed.seeds or ()))) == (None, 5)
    route = league.store.keep_route(tracks.route("oval"))
    assert race_hash(closed.settings, route, closed.seeds) == closed.seeds_sha256 == opened.seeds_sha256
    assert race_hash(closed.settings, route) == opened.race_sha256
    other = league.races.create("other", RaceSettings(runs=5))
    assert other.race_sha256 == opened.race_sha256
    assert league.races.open("other").seeds_sha256 != opened.seeds_sha256


def test_a_draft_can_be_edited_and_renamed(league: League) -> None:
    league.races.create("next", RaceSettings())
    league.races.edit("next", RaceSettings(track="hairpin", laps=5), new_name="Spring")
    assert league.races.one("spring").settings.laps == 5
    with pytest.raises(LeagueError, match="race 'community' already exists"):
        league.races.edit("Spring", RaceSettings(), new_name="Community")


def test_an_extension_needs_a_later_time_and_a_reason(league: League) -> None:
    league.races.create("next", RaceSettings(closes_at=START + HOUR))
    league.races.open("next")
    with pytest.raises(LeagueError, match="can be extended to a time later than 2026"):
        league.races.extend("next", START + HOUR, "rain")
    with pytest.raises(LeagueError, match="say why"):
        league.races.extend("next", START + 2 * HOUR, " ")
    assert league.races.extend("next", START + 2 * HOUR, "rain").closes_at == START + 2 * HOUR
    league.races.close("next")
    with pytest.raises(LeagueError, match="is CLOSED since"):
        league.races.extend("next", START + 3 * HOUR, "more rain")


def test_a_cancelled_race_withdraws_what_waits_and_keeps_what_was_driven(league: League, bundle: MakeBundle) -> None:
    league.submissions.submit(bundle(1), None, "Ann")
    drain(league, laps(9000))
    league.submissions.submit(bundle(2), None, "Bob")
    assert league.races.cancel(None, "no track").state is State.CANCELLED
    assert [s.status for s in league.submissions.all()] == [Status.SCORED, Status.WITHDRAWN]
    assert [s.entry.racer for s in league.boards.standings()] == ["Ann"]
    assert drain(league, laps(1)) == []


@pytest.mark.parametrize(
    ("opens", "closes"), [(None, -HOUR), (HOUR, None)], ids=["closes in the past", "closes before it opens"]
)
def test_impossible_times_are_refused(league: League, opens: timedelta | None, closes: timedelta | None) -> None:
    league.races.create("next", RaceSettings(closes_at=START + HOUR / 2))
    with pytest.raises(LeagueError, match="cannot close"):
        league.races.open("next", START + opens if opens else None, START + closes if closes else None)
    with pytest.raises(LeagueError, match=r"cannot open .* which is past"):
        league.races.open("next", START - HOUR)
    with pytest.raises(LeagueError, match=r"cannot open .* which is past"):
        league.races.create("past", RaceSettings(opens_at=START - HOUR))
    assert states(league)["next"] is State.DRAFT


def test_a_races_name_is_taken_in_upper_and_lower_case(league: League) -> None:
    with pytest.raises(LeagueError, match="'COMMUNITY' already exists"):
        league.races.create("COMMUNITY", RaceSettings())


def test_an_unknown_race_is_answered_with_the_nearest(league: League) -> None:
    with pytest.raises(LeagueError, match="did you mean 'community'"):
        league.races.one("comunity")


def test_with_several_races_one_must_be_named(league: League) -> None:
    league.races.create("second", RaceSettings())
    with pytest.raises(LeagueError, match="say which race; there are: community, second"):
        league.boards.standings()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RaceSettings(race_type=RaceType.HEAD_TO_BOT, bots=BotCars(speed=5.0)), "bot cars drive 0 to 4 m/s, not 5.0"),
        (RaceSettings(randomisation="milld"), "did you mean 'mild'"),
        (RaceSettings(car="deepracer_v7"), "did you mean 'deepracer_v6'"),
        (RaceSettings(car="nowhere.toml"), r"nowhere\.toml: no car can be read from it"),
        (
            RaceSettings(car={"name": "mine", "version": 5, "girp_across": 1}),
            "the race's car: a car has no 'girp_across'",
        ),
        (RaceSettings(car={"name": "mine", "version": 5, "wheelbase": 0}), "wheelbase = 0 must be more than 0"),
        (RaceSettings(race_type=RaceType.OBJECT_AVOIDANCE, obstacles=Boxes(shape="box")), "no obstacle is called"),
    ],
)
def test_what_cannot_be_driven_is_no_race(league: League, settings: RaceSettings, says: str) -> None:
    with pytest.raises(RacerError, match=says):
        league.races.create("second", settings)
    assert len(league.races.all()) == 1


def test_a_race_keeps_its_track_when_the_file_is_gone(league: League, tmp_path: Path) -> None:
    file = tmp_path / "mine.npy"
    np.save(file, tracks.route("oval"))
    race = league.races.create("mine", RaceSettings(track=str(file)))
    file.unlink()
    assert race.settings.track == "mine"
    assert league.races.edit("mine", replace(race.settings, description="ours")).race_sha256 == race.race_sha256
    with pytest.raises(TrackError):
        league.races.edit("mine", replace(race.settings, track="theirs"))
    league.races.open("mine")
    with pytest.raises(TrackError):
        league.races.create("again", RaceSettings(track=str(file)))


def test_a_race_keeps_the_numbers_of_a_cars_file(league: League, tmp_path: Path) -> None:
    file, mine = tmp_path / "mine.toml", replace(DEEPRACER_V5, name="mine", grip_across=3.5)
    mine.write(file)
    race = league.races.create("tuned", RaceSettings(car=str(file)))
    assert car_of(race.settings) == mine
    replace(mine, grip_across=3.6).write(file)
    other = league.races.create("other", RaceSettings(car=str(file)))
    assert len({race.race_sha256, other.race_sha256, league.races.one("community").race_sha256}) == 3
    file.unlink()
    edited = league.races.edit("tuned", replace(league.races.one("tuned").settings, laps=2))
    assert car_of(edited.settings) == mine
    mine.write(tmp_path / "as_before.toml")
    again = league.races.create("again", RaceSettings(car=str(tmp_path / "as_before.toml")))
    assert again.race_sha256 == race.race_sha256


def test_the_audit_log_tells_who_did_what_and_why(league: League) -> None:
    ann = League(league.store.folder, clock=Clock(), actor="Ann")
    ann.races.create("next", RaceSettings(runs=2))
    ann.races.cancel("next", "nobody came")
    made, cancelled = ann.boards.audit("next")
    assert (made.actor, made.action, made.race, (made.details or {})["settings"]["runs"]) == (
        "Ann",
        "create race",
        "next",
        2,
    )
    assert (cancelled.action, cancelled.reason, cancelled.at.tzinfo) == ("cancel race", "nobody came", START.tzinfo)
