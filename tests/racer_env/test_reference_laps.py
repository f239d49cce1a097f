"""Reference laps are what their names say, on every road, with every car, in both directions, and among objects."""

import numpy as np
import pytest

from racer_env.car import DEEPRACER_V4, DEEPRACER_V6, PHYSICAL
from racer_env.errors import RacerError
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import Race
from racer_env.reference_laps import ReferenceLap, drive_reference_laps
from racer_env.reference_line import DrivingLine, smooth_line
from racer_env.track import Track, find_track

pytestmark = pytest.mark.jit  # thousands of steps take minutes in plain Python

ENDS = {
    "racing-line": "lap_complete",
    "centre": "lap_complete",
    "zig-zag": "lap_complete",
    "slow": "lap_complete",
    "cutting": "lap_complete",
    "stopping": "time_up",
    "reversing": "reversed",
    "off-track": "off_track",
}


def named(laps: list[ReferenceLap]) -> dict[str, ReferenceLap]:
    return {lap.name: lap for lap in laps}


def steering(lap: ReferenceLap) -> float:
    """Degrees by which the command changes from step to step, on average."""
    return float(np.mean(np.abs(np.diff([p["steering_angle"] for p in lap.params]))))


def test_every_lap_ends_as_its_name_says(reference_laps: list[ReferenceLap]) -> None:
    assert {lap.name: lap.status for lap in reference_laps} == ENDS
    assert [lap.name for lap in reference_laps if lap.good] == ["racing-line", "centre"]


def test_every_lap_is_what_its_name_says(reference_laps: list[ReferenceLap]) -> None:
    laps = named(reference_laps)
    assert laps["racing-line"].time_ms < 0.6 * laps["centre"].time_ms
    assert laps["racing-line"].share_on_track == laps["centre"].share_on_track == laps["slow"].share_on_track == 1.0
    assert laps["cutting"].share_on_track < 0.9
    assert not any(p["is_offtrack"] for p in laps["cutting"].params)
    assert laps["slow"].time_ms > 2.0 * laps["centre"].time_ms
    assert steering(laps["zig-zag"]) > 3.0 * steering(laps["centre"])
    assert laps["stopping"].params[-1]["speed"] == pytest.approx(0.1)
    assert 50.0 < laps["stopping"].progress < 70.0
    gains = np.diff([p["progress"] for p in laps["reversing"].params])
    assert (gains[-15:] < 0.0).all()
    assert laps["off-track"].params[-1]["is_offtrack"]


def test_a_lap_is_what_a_reward_function_would_have_seen_step_by_step(reference_laps: list[ReferenceLap]) -> None:
    for lap in reference_laps:
        assert [p["steps"] for p in lap.params] == [2.0 + i for i in range(len(lap.params))]
        assert lap.params[-1]["progress"] == lap.progress


def test_another_car_drives_them_too_the_other_way_round() -> None:
    laps = drive_reference_laps(find_track("kidney", reverse=True), PHYSICAL, Race())
    assert {lap.name: lap.status for lap in laps} == ENDS
    assert all(lap.params[0]["is_reversed"] for lap in laps)


def test_among_objects_all_pass_them_but_the_one_that_runs_into_one(oval: Track) -> None:
    race = Race(obstacles=Obstacles(count=3), bots=Bots(count=1))
    laps = drive_reference_laps(oval, DEEPRACER_V6, race)
    assert {lap.name: lap.status for lap in laps} == {**ENDS, "crashing": "crashed"}
    assert laps[-1].params[-1]["is_crashed"]
    assert len(laps[0].params[0]["objects_location"]) == 4


def test_the_same_seed_drives_the_same_laps() -> None:
    race, road = Race(obstacles=Obstacles(count=1, random=True)), find_track("straight")
    one, same = (drive_reference_laps(road, DEEPRACER_V4, race, seed=1) for _ in range(2))
    assert one == same
    assert {lap.status for lap in one if lap.good} == {"lap_complete"}  # on an open road


def test_where_no_good_lap_can_be_driven_it_says_so() -> None:
    wall = Obstacles(positions=((0.2, 1), (0.2, -1)))
    with pytest.raises(RacerError, match=r"no good lap of straight could be driven with deepracer_v6 .*crashed"):
        drive_reference_laps(find_track("straight"), DEEPRACER_V6, Race(obstacles=wall))


# --- the line


@pytest.mark.parametrize("name", ["oval", "technical", "alley"])
def test_the_line_keeps_its_distance_from_the_borders_and_is_shorter_than_the_centre(name: str) -> None:
    track = find_track(name)
    line = smooth_line(track, DEEPRACER_V6)
    assert track.contains(line.points).all()
    assert np.hypot(*np.diff(line.points, axis=0, append=line.points[:1]).T).sum() < track.length


def test_the_line_takes_less_time_than_the_centre(oval: Track) -> None:
    def seconds(line: DrivingLine) -> float:
        return float(np.sum(np.hypot(*np.diff(line.points, axis=0, append=line.points[:1]).T) / line.speed))

    free, held = smooth_line(oval, PHYSICAL), smooth_line(oval, PHYSICAL, margin=0.5 * oval.width)
    assert seconds(free) < 0.98 * seconds(held)


def test_speeds_on_the_line_can_be_reached_by_braking_and_accelerating(oval: Track) -> None:
    line = smooth_line(oval, PHYSICAL)
    step = np.hypot(*np.diff(line.points, axis=0).T)
    assert (np.abs(np.diff(line.speed**2)) <= 2.0 * 2.0 * step + 1e-9).all()
