"""The demonstration: its drivers have learnt to drive, and what was broken off goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from league.demo import BRACKET, PROGRAMME, SEASON, demonstrate
from league.demo_drivers import Style, teach
from league.errors import LeagueError
from league.lifecycle import State
from league.races import RaceSettings
from league.service import League
from racer_env.bundle import Bundle
from racer_env.driver import race
from racer_env.network import NetworkDriver
from racer_env.race import EVALUATION
from racer_env.replay_file import read
from racer_env.simulator import Simulator, Step
from racer_env.track import find_track

SMALL = replace(
    PROGRAMME,
    styles=(Style("Ann", 1.5, 1.0), Style("Bob", 1.8, 1.0)),
    teams={"Blue": ("Ann", "Bob")},
    rounds={"Round 1": "oval"},
    arena="oval",
    race=replace(PROGRAMME.race, laps=1, runs=1),
    heat=replace(PROGRAMME.heat, laps=1, runs=1),
)


class Offsets:
    """How far to the left of the centre line a car was, m."""

    def __init__(self) -> None:
        self.track, self.offsets = find_track("oval"), list[float]()

    def __call__(self, simulator: Simulator, _: Step | None) -> None:
        front = simulator.state.situation[0]
        x, y, yaw = self.track.poses(np.array([front.projection_distance]))[0]
        self.offsets.append(float(np.cos(yaw) * (front.y - y) - np.sin(yaw) * (front.x - x)))


def test_everybody_is_in_one_team_and_has_a_style_of_their_own() -> None:
    names = [style.name for style in PROGRAMME.styles]
    assert sorted(name for team in PROGRAMME.teams.values() for name in team) == sorted(names)
    assert len(set(names)) == len(names) == 12
    assert len({replace(style, name="") for style in PROGRAMME.styles}) == 12


@pytest.mark.slow
def test_a_driver_learns_to_drive_from_the_camera_and_the_real_car_would_run_it(tmp_path: Path) -> None:
    styles = (Style("left", 1.5, 1.0, offset=0.1), Style("right", 1.5, 1.0, offset=-0.1))
    drivers = teach(["oval"], styles)
    assert teach(["oval"], styles)["left"].sha256 == drivers["left"].sha256
    offsets = {}
    for name, bundle in drivers.items():
        bundle.write(tmp_path / f"{name}.tar.gz")
        opened, seen = Bundle.open(tmp_path / f"{name}.tar.gz"), Offsets()
        rules = replace(EVALUATION, laps=1)
        result = race(NetworkDriver(opened), seen.track, opened.metadata, rules, watch=seen)
        assert result.best_ms is not None
        assert result.laps[0].off_track_count == 0
        offsets[name] = np.mean(seen.offsets)
    assert offsets["left"] > offsets["right"] + 0.1


@pytest.mark.slow
def test_a_demonstration_that_was_broken_off_goes_on_and_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for told in demonstrate(folder, 1, SMALL):
        if "1 of 2 have driven" in told.text:
            break
    league = League(folder)
    assert league.races.one().state is State.OPEN
    lasting = [told.text for told in demonstrate(folder, 1, SMALL) if told.lasting]
    assert len(lasting) == 3  # the drivers were there
    assert league.races.one().state is State.FINAL
    assert [s.submissions for s in league.boards.standings()] == [1, 1]
    assert sorted(row.points for row in league.seasons.table(SEASON)) == [18, 25]
    final = league.brackets.one(BRACKET)
    assert final.bracket.champion in ("Ann", "Bob")
    pictures = folder / "pictures"
    assert sorted(read(pictures / "heat-W1.1.replay").names) == ["Ann", "Bob"]
    best = league.boards.standings()[0]
    assert read(pictures / "round-1.replay").names == (best.entry.racer,)
    lap = read(pictures / "round-1.replay").best_lap()
    assert lap is not None
    assert lap.time_ms == best.entry.score.time_ms
    for name in ("round-1.png", "bracket.png", "final.png"):
        with Image.open(pictures / name) as image:
            assert image.width > 500
    assert any((pictures / f"final.{ending}").exists() for ending in ("mp4", "gif"))
    assert [told.text for told in demonstrate(folder, 1, SMALL) if told.lasting] == lasting[1:]


def test_a_folder_with_another_league_is_left_alone(tmp_path: Path) -> None:
    League.create(tmp_path, RaceSettings()).close()
    with pytest.raises(LeagueError, match="holds another league"):
        list(demonstrate(tmp_path))
    assert not (tmp_path / "drivers").exists()
