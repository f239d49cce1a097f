"""What settings and names a race may have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from league.errors import LeagueError
from league.races import (
    LONGEST_EPISODE,
    RaceSettings,
    RaceType,
    default_minimum_laps,
    race_name,
    racer_name,
    same_name,
)
from league.rules import Ranking
from league.traffic import BotCars, Boxes
from racer_env.dynamics import CONTROL_RATE
from racer_env.race import EVALUATION

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_default_race_is_that_of_2024_with_the_resets_of_a_community() -> None:
    race = RaceSettings()
    assert (race.laps, race.minimum_laps, race.ranking, race.continuous) == (3, 1, Ranking.BEST_LAP, True)
    assert (race.off_track_penalty, race.time_limit, race.resets, race.max_submissions) == (
        5.0,
        180.0,
        15,
        50,
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"laps": 0}, "laps is 0, but must be from 1 to 20"),
        ({"laps": 21}, "laps is 21, but must be from 1 to 20"),
        ({"minimum_laps": 4}, "minimum laps is 4, but must be from 1 to 3"),
        ({"minimum_laps": 0}, "minimum laps is 0"),
        ({"resets": -1}, "resets is -1"),
        ({"off_track_penalty": -1.0}, "off-track penalty is -1.0 s, but must be at least 0 s"),
        ({"off_track_penalty": float("nan")}, "off-track penalty is nan s"),
        ({"collision_penalty": float("inf")}, "collision penalty is inf s"),
        ({"time_limit": 0.0}, "time limit is 0.0 s, but must be more than 0 s"),
        ({"max_submissions": 0}, "max submissions is 0"),
        ({"runs": 0}, "runs is 0, but must be from 1 to 99"),
        ({"mercy_resets": 0}, "mercy resets is 0"),
        ({"reversed_penalty": -1.0}, "reversed penalty is -1.0 s"),
        ({"immobilized_penalty": float("nan")}, "immobilized penalty is nan s"),
        ({"flying_start": True, "continuous": False}, "flying start needs continuous laps"),
        ({"max_submissions_a_day": 0}, "max submissions a day is 0"),
        ({"max_in_flight": 0}, "max in flight is 0"),
        ({"obstacles": Boxes()}, "obstacles can be said of a race of the type object_avoidance, not of time_trial"),
        ({"bots": BotCars()}, "bots can be said of a race of the type head_to_bot"),
        ({"cars": 3}, "cars can be said of a race of the type grid"),
        ({"cars": 9, "race_type": RaceType.GRID}, "cars is 9, but must be from 2 to 8"),
        ({"opens_at": NOON.replace(tzinfo=None)}, "opens_at is 2026-01-01 12:00:00, but must have a time zone"),
        ({"opens_at": NOON, "closes_at": NOON}, "but must be later than opens_at"),
        ({"description": "x" * 256}, "at most 255 characters"),
        ({"description": "\x1b[31m"}, "characters that can be printed"),
        ({"region": "a/b"}, "region name 'a/b' must have"),
        ({"region": " EU "}, "region is ' EU ', but must be written 'EU'"),
        ({"track": " "}, "needs a track"),
        ({"ranking": Ranking.TOTAL_TIME}, "needs minimum laps equal to laps"),
    ],
)
def test_a_setting_outside_its_range_is_refused_with_one_sentence(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(LeagueError, match=says) as refused:
        RaceSettings(**settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (Boxes, {"count": 0}, "obstacles.count is 0, but must be from 1 to 10"),
        (Boxes, {"least_gap": 0.6}, "obstacles.least_gap is 0.6 of the lap"),
        (Boxes, {"positions": ((0.5, 1),), "random": True}, "but not both"),
        (Boxes, {"positions": ((0.95, 1),)}, "a position of obstacles is 0.95 of the lap"),
        (Boxes, {"positions": ((0.5, 0),)}, r"lane of obstacles.positions is 0, but must be 1 \(inner\) or -1"),
        (Boxes, {"positions": ((0.5, 1), (0.4, 1))}, "has 0.4 and 0.5, but two must be at least 0.13 of the lap apart"),
        (BotCars, {"count": 7}, "bots.count is 7, but must be from 1 to 6"),
        (BotCars, {"speed": 0.1}, "bots.speed is 0.1 m/s, but must be from 0.2 to 12"),
        (BotCars, {"least_gap": -1.0}, "bots.least_gap is -1.0 m"),
        (BotCars, {"lane_change": (3.0, 2.0)}, "bots.lane_change is 2.0 s, but must be from 3 to 8"),
    ],
)
def test_what_is_in_the_way_keeps_to_the_consoles_limits(kind: type, values: dict[str, Any], says: str) -> None:
    with pytest.raises(LeagueError, match=says):
        kind(**values)


def test_the_type_of_a_race_puts_the_usual_on_the_track() -> None:
    def usual(race_type: RaceType) -> tuple[object, object, int]:
        race = RaceSettings(race_type=race_type)
        return race.boxes, race.bot_cars, race.grid

    assert usual(RaceType.TIME_TRIAL) == (None, None, 1)
    assert usual(RaceType.OBJECT_AVOIDANCE) == (Boxes(), None, 1)
    assert usual(RaceType.HEAD_TO_BOT) == (None, BotCars(), 1)
    assert usual(RaceType.HEAD_TO_HEAD) == (None, None, 2)
    assert usual(RaceType.GRID) == (None, None, 8)


def test_a_race_is_varied_if_anything_is_drawn() -> None:
    boxes, bots = RaceType.OBJECT_AVOIDANCE, RaceType.HEAD_TO_BOT
    assert not any(RaceSettings(race_type=kind).varied for kind in RaceType)
    assert RaceSettings(randomisation="mild").varied
    assert RaceSettings(race_type=boxes, obstacles=Boxes(random=True)).varied
    assert RaceSettings(race_type=bots, bots=BotCars(random=True)).varied
    assert RaceSettings(race_type=bots, bots=BotCars(lane_change=(1.0, 2.0))).varied


def test_the_hash_of_a_race_is_that_of_what_its_results_depend_on() -> None:
    race = RaceSettings()
    hosted = replace(race, description="for us", closes_at=NOON, max_submissions=None, private=True, region="EU")
    assert hosted.sha256 == race.sha256 == RaceSettings(off_track_penalty=5).sha256
    other: dict[str, Any] = {
        "laps": 4,
        "off_track_penalty": 4.0,
        "randomisation": "mild",
        "runs": 3,
        "reverse": True,
        "track": "hairpin",
        "car": "deepracer_v5",
        "race_type": RaceType.OBJECT_AVOIDANCE,
        "flying_start": True,
    }
    hashes = {replace(race, **{name: value}).sha256 for name, value in other.items()} | {race.sha256}
    assert len(hashes) == len(other) + 1


@pytest.mark.parametrize("ranking", Ranking)
def test_the_default_minimum_makes_a_race_of_every_ranking(ranking: Ranking) -> None:
    minimum = default_minimum_laps(ranking, 5)
    assert RaceSettings(ranking=ranking, laps=5, minimum_laps=minimum).ranking is ranking


def test_a_race_without_a_time_limit_ends_after_five_simulated_minutes_for_each_lap() -> None:
    endless = RaceSettings(time_limit=None)
    assert (endless.ends_after, endless.longest_run) == (900.0, 900.0)
    assert replace(endless, flying_start=True).ends_after == 1200.0
    assert (replace(endless, continuous=False).ends_after, replace(endless, continuous=False).longest_run) == (
        300.0,
        900.0,
    )
    assert (RaceSettings().ends_after, replace(RaceSettings(), continuous=False).longest_run) == (180.0, 540.0)
    assert replace(endless, time_limit=1e9).longest_run == LONGEST_EPISODE == EVALUATION.max_steps / CONTROL_RATE
    assert replace(endless, laps=20, flying_start=True).ends_after < LONGEST_EPISODE


@pytest.mark.parametrize("name", ["Ann", "ann b", "a-1.b_2", "번개 23", "x" * 64])
def test_names_are_words_of_any_language(name: str) -> None:
    assert racer_name(f" {name} ") == name


@pytest.mark.parametrize("name", ["", " ", "a", "x" * 65, "-ann", "_ann", "an/n", "an\nn", "[red]", "an\x1b[31m"])
def test_other_names_are_refused_with_one_sentence(name: str) -> None:
    with pytest.raises(LeagueError, match="must have 2 to 64 letters") as refused:
        racer_name(name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["ß" * 33, "ﷺ" * 4])
def test_a_name_is_not_too_long_for_where_upper_and_lower_case_are_one(name: str) -> None:
    with pytest.raises(LeagueError, match=r"is too long: it has (66|72) letters in lower case"):
        racer_name(name)
    assert racer_name(name[:3]) == name[:3]


def test_a_race_may_have_a_name_of_one_letter() -> None:
    assert race_name("A") == "A"


def test_names_are_the_same_in_upper_and_lower_case() -> None:
    assert same_name("ÄNN") == same_name("änn") != same_name("ann")
