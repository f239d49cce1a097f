"""A race's file: what it may say, what is answered to what it may not, and that nothing is lost on the way."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.errors import LeagueError
from league.evaluation import check_drivable, simulator_race
from league.presets import COMMUNITY, LIVE_FINALE, OPEN_2021, PRESETS, find_preset
from league.race_file import race_from_json, race_of, race_to_json, read_race, write_race
from league.races import LapClock, RaceFormat, RaceSettings, RaceType
from league.rules import Ranking
from league.traffic import BotCars, Boxes

FULL = RaceSettings(
    race_type=RaceType.OBJECT_AVOIDANCE,
    description='Über "Eck"\nam Freitag',
    track="hairpin",
    reverse=True,
    laps=4,
    minimum_laps=2,
    ranking=Ranking.AVERAGE_LAP,
    flying_start=True,
    lap_clock=LapClock.FRAME,
    time_limit=None,
    runs=3,
    resets=0,
    mercy_resets=3,
    off_track_penalty=1.5,
    collision_penalty=0.0,
    reversed_penalty=2.0,
    immobilized_penalty=1.0,
    obstacles=Boxes(count=2, positions=((0.2, 1), (0.5, -1)), shape="amazon_box_obstacle"),
    randomisation="mild",
    car="deepracer_v5",
    max_submissions=None,
    max_submissions_a_day=5,
    max_in_flight=1,
    format=RaceFormat.LIVE,
    opens_at=datetime(2026, 3, 1, tzinfo=UTC),
    closes_at=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC),
    private=True,
    division="Open",
    region="EU",
)
BOTS = replace(find_preset("head_to_bot"), bots=BotCars(count=2, random=True, lane_change=(1.0, 5.0)))
OWN_CAR = replace(COMMUNITY, car={"name": "mine", "version": 5, "grip_across": 3.0, "steering_lag": 0.25})
RACES = [*PRESETS.values(), FULL, BOTS, OWN_CAR, replace(COMMUNITY, continuous=False)]


def said(file: Path, text: str) -> RaceSettings:
    file.write_text(text)
    return read_race(file)


@pytest.mark.parametrize("race", RACES)
@pytest.mark.parametrize("name", ["race.toml", "race.json"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str, race: RaceSettings) -> None:
    write_race(tmp_path / name, race)
    assert read_race(tmp_path / name) == race
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("race", RACES)
def test_what_a_league_keeps_is_the_same_race(race: RaceSettings) -> None:
    assert race_from_json(race_to_json(race)) == race


def test_the_full_race_of_these_tests_leaves_no_setting_as_it_is() -> None:
    of_other_types = {"bots", "cars", "continuous"}
    same = {f.name for f in fields(RaceSettings) if getattr(FULL, f.name) == getattr(RaceSettings(), f.name)}
    assert same == of_other_types


def test_a_file_says_only_what_differs_from_its_preset(tmp_path: Path) -> None:
    text = 'preset = "live_finale"\ntrack = "hairpin"\nmax_submissions = "unlimited"\n[obstacles]\ncount = 4\n'
    expected = replace(LIVE_FINALE, track="hairpin", max_submissions=None, obstacles=Boxes(count=4))
    assert said(tmp_path / "race.toml", text) == expected
    assert said(tmp_path / "race.toml", "") == RaceSettings()


def test_a_preset_of_another_type_leaves_its_boxes_behind() -> None:
    assert race_of({"preset": "live_finale", "race_type": "time_trial"}).boxes is None


@pytest.mark.parametrize("preset", PRESETS)
def test_the_laps_that_qualify_follow_from_ranking_and_laps(preset: str) -> None:
    assert race_of({"preset": preset}) == PRESETS[preset]
    least = {ranking: race_of({"preset": preset, "laps": 4, "ranking": ranking}).minimum_laps for ranking in Ranking}
    assert least == {Ranking.BEST_LAP: 1, Ranking.TOTAL_TIME: 4, Ranking.AVERAGE_LAP: 4}
    assert race_of({"preset": preset, "ranking": "best_lap", "minimum_laps": 2}).minimum_laps == 2


@pytest.mark.parametrize("limit", ["time_limit", "max_submissions", "max_submissions_a_day", "max_in_flight"])
def test_a_limit_may_be_unlimited(limit: str) -> None:
    assert getattr(race_of({"preset": "community", limit: "unlimited"}), limit) is None
    assert race_of({"resets": "unlimited"}).resets == OPEN_2021.resets == 10_000


def test_a_track_file_lies_beside_the_race(tmp_path: Path) -> None:
    assert said(tmp_path / "race.toml", 'track = "mine.npy"').track == str(tmp_path / "mine.npy")
    assert said(tmp_path / "race.toml", 'car = "mine.toml"').car == str(tmp_path / "mine.toml")
    assert said(tmp_path / "race.toml", 'car = "deepracer_v5"').car == "deepracer_v5"


@pytest.mark.parametrize("text", ["car = 5", "car = [1, 2]", "car = {name = 'mine', grip_across = [1]}"])
def test_a_car_is_a_name_a_file_or_numbers(tmp_path: Path, text: str) -> None:
    with pytest.raises(LeagueError, match=r"race\.toml: car is .*; it must be a name, a \.toml file or a table"):
        said(tmp_path / "race.toml", text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lapz = 3", "there is no 'lapz'; did you mean 'laps'"),
        ("prest = 'community'", "did you mean 'preset'"),
        ("preset = 'comunity'", "no preset is called 'comunity'; did you mean 'community'"),
        ("[obstacles]\nnumber = 3", "there is no 'obstacles.number'; there are: count, least_gap"),
        ("[bots]\nsped = 3", "there is no 'bots.sped'; did you mean 'speed'"),
        ("laps = 'three'", "laps is 'three'; input should be a valid integer"),
        ("laps = true", "laps is True; input should be a valid integer"),
        ("laps = 3.5", "laps is 3.5; input should be a valid integer"),
        ("laps = 'unlimited'", "laps is 'unlimited'"),
        ("laps = 21", "laps is 21, but must be from 1 to 20"),
        ("off_track_penalty = nan", "off-track penalty is nan s"),
        ("ranking = 'bestlap'", "ranking is 'bestlap'; did you mean 'best_lap'"),
        ("race_type = 'headtobot'", "race_type is 'headtobot'; did you mean 'head_to_bot'"),
        ("bots = 3", "bots is 3"),
        ("closes_at = 2026-03-31T12:00:00", "but must have a time zone"),
        ("closes_at = 'tomorrow'", "closes_at is 'tomorrow'"),
        ("race_type = 'object_avoidance'\n[obstacles]\npositions = [[0.5]]", "obstacles.positions.0"),
        ("laps = ", "is not TOML"),
    ],
)
def test_what_a_file_may_not_say_is_answered_with_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(LeagueError) as refused:
        said(tmp_path / "race.toml", text)
    assert str(refused.value).startswith(str(tmp_path / "race.toml"))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_race_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LeagueError, match="cannot be read: No such file"):
        read_race(tmp_path / "missing.toml")
    with pytest.raises(LeagueError, match="is not JSON"):
        said(tmp_path / "race.json", "laps = 3")
    with pytest.raises(LeagueError, match="must hold one JSON object, not a list"):
        said(tmp_path / "race.json", "[1]")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(LeagueError, match="is not TOML"):
        read_race(tmp_path / "binary.toml")
    with pytest.raises(LeagueError, match="cannot be written"):
        write_race(tmp_path / "nowhere" / "race.toml", RaceSettings())


@given(
    st.dictionaries(
        st.sampled_from([f.name for f in fields(RaceSettings)]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=2),
        ),
        max_size=4,
    )
)
def test_whatever_a_file_says_is_a_race_or_a_sentence(raw: dict[str, object]) -> None:
    try:
        race = race_of(raw)
    except LeagueError:
        return
    assert race_from_json(json.dumps(asdict(race), default=datetime.isoformat)) == race


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_race_that_the_simulator_drives(name: str) -> None:
    check_drivable(PRESETS[name])
    race, settings = simulator_race(PRESETS[name]), PRESETS[name]
    assert (race.laps, race.resets, race.time_limit) == (settings.laps, settings.resets, settings.ends_after)
    assert (race.obstacles is not None) == (settings.race_type is RaceType.OBJECT_AVOIDANCE)
    assert (race.bots is not None) == (settings.race_type is RaceType.HEAD_TO_BOT)


def test_the_presets_are_what_the_leagues_raced() -> None:
    told = {
        name: (p.ranking.value, p.minimum_laps, p.laps, p.off_track_penalty, p.collision_penalty, p.max_submissions)
        for name, p in PRESETS.items()
    }
    assert told == {
        "time_trial_2024": ("best_lap", 1, 3, 5.0, 5.0, 50),
        "open_2021": ("total_time", 3, 3, 5.0, 5.0, None),
        "object_avoidance": ("total_time", 3, 3, 5.0, 5.0, 50),
        "head_to_bot": ("total_time", 3, 3, 3.0, 5.0, 50),
        "live_finale": ("best_lap", 1, 15, 3.0, 3.0, 2),
        "head_to_head": ("best_lap", 1, 3, 5.0, 5.0, 50),
        "grand_prix": ("best_lap", 1, 5, 5.0, 5.0, 50),
        "community": ("best_lap", 1, 3, 3.0, 5.0, None),
    }
    assert LIVE_FINALE.time_limit == 180.0
    assert [name for name, p in PRESETS.items() if p.format is RaceFormat.LIVE] == ["live_finale"]


def test_every_setting_reaches_the_simulator() -> None:
    race = simulator_race(replace(FULL, format=RaceFormat.CLASSIC))
    assert (race.laps, race.continuous, race.clock, race.resets, race.mercy_resets) == (5, True, "frame", 0, 3)
    assert (race.off_track_penalty, race.collision_penalty, race.time_limit) == (1.5, 0.0, FULL.ends_after)
    assert (race.reversed_penalty, race.immobilized_penalty) == (2.0, 1.0)
    assert race.obstacles is not None
    assert (len(race.obstacles), race.obstacles.shape) == (2, "amazon_box_obstacle")
    bots = simulator_race(BOTS).bots
    assert bots is not None
    assert (len(bots), bots.speed, bots.random, bots.lane_changes, bots.lane_time) == (2, 1.0, True, True, (1.0, 5.0))
