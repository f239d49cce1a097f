"""What settings and names a race may have."""

from __future__ import annotations

from typing import Any

import pytest

from league.errors import LeagueError
from league.races import RaceSettings, default_minimum_laps, race_name, racer_name, ranking_of, same_name
from league.rules import Ranking


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
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"track": " "}, "needs a track"),
        ({"ranking": Ranking.TOTAL_TIME}, "needs minimum laps equal to laps"),
    ],
)
def test_a_setting_outside_its_range_is_refused_with_one_sentence(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(LeagueError, match=says) as refused:
        RaceSettings(**settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ranking", Ranking)
def test_the_default_minimum_makes_a_race_of_every_ranking(ranking: Ranking) -> None:
    minimum = default_minimum_laps(ranking, 5)
    assert RaceSettings(ranking=ranking, laps=5, minimum_laps=minimum).ranking is ranking


def test_an_unknown_ranking_is_answered_with_the_nearest() -> None:
    with pytest.raises(LeagueError, match="did you mean 'best_lap'"):
        ranking_of("bestlap")


@pytest.mark.parametrize("name", ["Ann", "ann b", "a-1.b_2", "번개 23", "x" * 64])
def test_names_are_words_of_any_language(name: str) -> None:
    assert racer_name(f" {name} ") == name


@pytest.mark.parametrize("name", ["", " ", "a", "x" * 65, "-ann", "_ann", "an/n", "an\nn", "[red]", "an\x1b[31m"])
def test_other_names_are_refused_with_one_sentence(name: str) -> None:
    with pytest.raises(LeagueError, match="must have 2 to 64 letters") as refused:
        racer_name(name)
    assert "\n" not in str(refused.value)


def test_a_race_may_have_a_name_of_one_letter() -> None:
    assert race_name("A") == "A"


def test_names_are_the_same_in_upper_and_lower_case() -> None:
    assert same_name("ÄNN") == same_name("änn") != same_name("ann")
