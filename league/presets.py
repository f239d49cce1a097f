"""Races by name: those that DeepRacer's leagues ran, and one for a community.

Laps, rankings, penalties and what was on the track are those of the published settings of the AWS DeepRacer League's
races of 2020 to 2024, of races between racers the laps only. Ours are the 15 resets, where the league's 10,000 would
only keep a worker busy, five runs, and that a race without a time limit ends at all (`league.races.PATIENCE`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from league.errors import LeagueError
from league.races import UNLIMITED_RESETS, RaceFormat, RaceSettings, RaceType
from league.rules import Ranking
from league.traffic import BotCars, Boxes
from racer_env.errors import nearest

#: The monthly races of 2024: the best of three laps.
TIME_TRIAL_2024 = RaceSettings()

#: The Open Division's monthly qualifiers of 2021: the time of three laps, as often as one likes.
OPEN_2021 = RaceSettings(
    ranking=Ranking.TOTAL_TIME, minimum_laps=3, resets=UNLIMITED_RESETS, time_limit=None, max_submissions=None
)

#: The Virtual Circuit of 2020 among six boxes.
OBJECT_AVOIDANCE = RaceSettings(
    race_type=RaceType.OBJECT_AVOIDANCE,
    ranking=Ranking.TOTAL_TIME,
    minimum_laps=3,
    time_limit=None,
    obstacles=Boxes(count=6),
)

#: The Pro Division's qualifiers from July 2021 on: four bot cars that keep to their lanes.
HEAD_TO_BOT = RaceSettings(
    race_type=RaceType.HEAD_TO_BOT,
    ranking=Ranking.TOTAL_TIME,
    minimum_laps=3,
    off_track_penalty=3.0,
    time_limit=None,
    bots=BotCars(count=4, speed=1.0),
)

#: The finales of 2021, raced live: the best lap among six boxes within three minutes, two attempts, each driven once.
LIVE_FINALE = RaceSettings(
    race_type=RaceType.OBJECT_AVOIDANCE,
    laps=15,
    resets=UNLIMITED_RESETS,
    off_track_penalty=3.0,
    collision_penalty=3.0,
    runs=1,
    obstacles=Boxes(count=6),
    max_submissions=2,
    format=RaceFormat.LIVE,
)

#: Heats of two over three laps, as in the bracket of the championship of 2021.
HEAD_TO_HEAD = RaceSettings(race_type=RaceType.HEAD_TO_HEAD)

#: The final of the championship of 2020: five laps, everybody at once.
GRAND_PRIX = RaceSettings(race_type=RaceType.GRID, laps=5, time_limit=300.0)

#: For a club or a class: mild penalties, five submissions a day, one at a time.
COMMUNITY = replace(
    TIME_TRIAL_2024, off_track_penalty=3.0, max_submissions=None, max_submissions_a_day=5, max_in_flight=1
)

PRESETS: Mapping[str, RaceSettings] = {
    "time_trial_2024": TIME_TRIAL_2024,
    "open_2021": OPEN_2021,
    "object_avoidance": OBJECT_AVOIDANCE,
    "head_to_bot": HEAD_TO_BOT,
    "live_finale": LIVE_FINALE,
    "head_to_head": HEAD_TO_HEAD,
    "grand_prix": GRAND_PRIX,
    "community": COMMUNITY,
}


def find_preset(name: str) -> RaceSettings:
    """The preset of this name. Raises `LeagueError` if there is none."""
    if name not in PRESETS:
        raise LeagueError(f"no preset is called {name!r}; {nearest(name, PRESETS)}")
    return PRESETS[name]
