"""The rules of an episode and of a race, driven in the simulator."""

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racer_env.car import FRONT_POINT
from racer_env.driver import PurePursuit
from racer_env.errors import RacerError
from racer_env.kernel import Floats
from racer_env.race import EVALUATION, TIME_TRIAL, Race, Status, progress_after, truncated
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

STAND = np.array([[0.0, -1.0]])  #: the slowest command; tests that need a car to stand put it back by hand
RACE = Race(resets=1000)


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def made(track: Track, race: Race, n: int = 1) -> Simulator:
    world = Simulator(track, race=race, n=n, actions=PurePursuit.actions)
    world.reset()
    return world


def put(world: Simulator, station: float, aside: float = 0.0, turned: float = 0.0, car: int = 0) -> None:
    """Put a car's front at a place along the centre line, `aside` m to the left, at rest."""
    x, y, yaw = world.track.poses(np.array([station]))[0]
    x, y, heading = x - aside * math.sin(yaw), y + aside * math.cos(yaw), yaw + turned
    world.place(car, x - FRONT_POINT * math.cos(heading), y - FRONT_POINT * math.sin(heading), heading)


def drive(world: Simulator, speed: float = 1.0, until: Callable[[Any], bool] = lambda e: bool(e.done)) -> list[Any]:
    """Drive along the centre line; gives the episode after every step."""
    driver = PurePursuit(world.track, speed)
    seen: list[Any] = []
    while not seen or not until(seen[-1]):
        world.step(driver.commands(world))
        seen.append(world.state.episode[0].copy())
        assert len(seen) < 5000
    return seen


@pytest.mark.parametrize(
    ("share", "start", "previous", "progress"),
    [
        (0.01, 0.0, 0.0, 1.0),
        (0.0, 0.0, 0.0, 0.0),  # at the start point itself
        (0.99, 0.0, 0.0, -1.0),  # behind it at the start of an episode
        (0.02, 0.95, 0.0, 7.0),  # over the line, which is not the start
        (0.003, 0.0, 99.8, 100.3),  # the start point is passed forward
        (0.999, 0.0, 0.2, -0.1),  # and backward
        (0.985, 0.0, -1.0, -1.5),
        (0.5, 0.5, 99.9, 100.0),
        (0.2, 0.5, 69.0, 70.0),
    ],
)
def test_progress_goes_on_over_the_line(share: float, start: float, previous: float, progress: float) -> None:
    assert progress_after(share, start, previous) == pytest.approx(progress, abs=1e-9)


def test_an_episode_begins_with_the_front_of_the_car_ahead_of_its_start(oval: Track) -> None:
    world = made(oval, TIME_TRIAL, n=3)
    e = world.state.episode
    np.testing.assert_allclose(e.progress, 100.0 * FRONT_POINT / oval.length, atol=1e-3)  # one is in a bend
    assert (e.steps.tolist(), e.status.tolist(), e.number.tolist()) == ([1] * 3, [Status.PREPARE] * 3, [0] * 3)
    np.testing.assert_allclose(world.state.motion.x, oval.poses(e.start * oval.length)[:, 0])


def test_starts_advance_5_per_cent_an_episode_and_are_spread_over_the_cars(oval: Track) -> None:
    world = made(oval, TIME_TRIAL, n=4)
    starts = [world.state.episode.start.copy()]
    for _ in range(20):
        world.reset()
        starts.append(world.state.episode.start.copy())
    wanted = (0.05 * (np.arange(4) + np.arange(21)[:, None])) % 1.0
    apart = np.abs(np.array(starts) - wanted)
    assert np.minimum(apart, 1.0 - apart).max() < 1e-12
    assert world.state.episode.number.tolist() == [20] * 4


def test_a_lap_is_100_per_cent_from_any_start(oval: Track) -> None:
    for start in (0.0, 0.35, 0.95):
        seen = drive(made(oval, Race(start=start)), 2.0)
        assert seen[-1].status == Status.LAP_COMPLETE
        assert seen[-1].progress == 100.0
        assert max(e.progress for e in seen[:-1]) < 100.0
        assert np.diff([e.progress for e in seen]).min() > 0.0


def test_a_lap_of_an_open_track_ends_at_its_end_and_always_starts_at_its_beginning() -> None:
    straight = find_track("straight")
    world = made(straight, TIME_TRIAL, n=1)
    for _ in range(2):
        assert drive(world, 2.0)[-1].status == Status.LAP_COMPLETE
        world.reset()
    assert made(straight, TIME_TRIAL, n=3).state.episode.start.tolist() == [0.0] * 3
    with pytest.raises(RacerError, match="straight is an open track"):
        made(straight, Race(start=0.5))


def test_leaving_the_track_with_all_wheels_ends_a_training_episode(oval: Track) -> None:
    world = made(oval, TIME_TRIAL)
    put(world, 1.0, aside=0.5 * oval.width)
    step = world.step(STAND)
    assert (step.judged.all_wheels_on_track[0], step.judged.is_offtrack[0], step.done[0]) == (False, False, False)
    put(world, 1.0, aside=0.5 * oval.width + 0.1)
    step = world.step(STAND)
    assert (step.judged.is_offtrack[0], step.done[0]) == (True, True)
    assert step.episode.status[0] == Status.OFF_TRACK
    assert not truncated(step.episode)[0]


def test_15_steps_of_falling_progress_end_an_episode(oval: Track) -> None:
    world = made(oval, Race(immobilized_steps=1000))
    put(world, 3.0)
    world.step(STAND)  # the place from which the car goes back
    done = []
    for k in range(1, 16):
        put(world, 3.0 - 0.01 * k, turned=math.pi)
        done.append(bool(world.step(STAND).done[0]))
    assert done == [False] * 14 + [True]
    assert world.state.episode.status[0] == Status.REVERSED


def test_one_step_forward_starts_the_count_of_falling_progress_anew(oval: Track) -> None:
    world = made(oval, TIME_TRIAL)
    for k in range(60):
        put(world, 3.0 - 0.01 * k + (0.011 if k % 10 == 0 else 0.0), turned=math.pi)
        assert not world.step(STAND).done[0]


def test_a_car_that_goes_back_over_the_line_has_falling_progress(oval: Track) -> None:
    world = made(oval, TIME_TRIAL)
    for k in range(16):
        put(world, 0.1 - 0.02 * k, turned=math.pi)
        step = world.step(STAND)
    assert step.episode.status[0] == Status.REVERSED
    assert step.episode.progress[0] == pytest.approx(-20.0 / oval.length)


def test_15_steps_without_motion_end_an_episode(oval: Track) -> None:
    world = made(oval, TIME_TRIAL)
    done = []
    for k in range(16):
        put(world, 2.0 + 0.0002 * k)
        done.append(bool(world.step(STAND).done[0]))
    assert done == [False] * 15 + [True]
    assert world.state.episode.status[0] == Status.IMMOBILIZED
    world.reset()
    for k in range(30):
        put(world, 2.0 + 0.0004 * k)
        assert not world.step(STAND).done[0]


def test_steps_and_time_run_out_without_being_the_cars_fault(oval: Track) -> None:
    seen = drive(made(oval, Race(max_steps=20)))
    assert (len(seen), seen[-1].steps, seen[-1].status) == (19, 20, Status.IN_PROGRESS)
    seen = drive(made(oval, Race(time_limit=2.0)))
    assert (seen[-1].steps - 1, seen[-1].status) == (31, Status.TIME_UP)  # 30 control periods are still in time
    world = made(oval, Race(max_steps=20, resets=1, off_track_penalty=60.0))
    put(world, 1.0, aside=1.0)
    seen = drive(world)
    assert (seen[-1].status, seen[-1].done) == (Status.PAUSE, True)
    assert truncated(world.state.episode)[0]


def test_time_up_comes_before_lap_complete_and_that_before_off_track(oval: Track) -> None:
    for limit, status in ((1.0, Status.TIME_UP), (None, Status.LAP_COMPLETE)):
        world = made(oval, Race(time_limit=limit))
        for station in (*np.linspace(0.5, oval.length - 0.2, 15), 0.1):
            put(world, station, aside=1.0 if station == 0.1 else 0.0)
            step = world.step(STAND)
        assert (step.judged.is_offtrack[0], step.done[0]) == (True, True)
        assert Status(int(step.episode.status[0])) == status


def test_off_track_comes_before_immobilised_and_that_before_reversed(oval: Track) -> None:
    for aside, still, status in ((1.0, 0, Status.OFF_TRACK), (0.0, 0, Status.IMMOBILIZED), (0.0, 1, Status.REVERSED)):
        world = made(oval, Race(immobilized_steps=3, reversed_steps=3))
        put(world, 3.0)
        world.step(STAND)
        for k in range(3):
            put(world, 3.0 - (0.01 if still else 1e-5) * (k + 1), aside=aside if k == 2 else 0.0)
            step = world.step(STAND)
        assert Status(int(step.episode.status[0])) == status


def penalised(oval: Track, race: Race = RACE) -> tuple[Simulator, list[Any], list[Floats]]:
    """Drive a little, leave the track to the left, and go on until the penalty is over."""
    world = made(oval, race)
    drive(world, 2.0, lambda e: e.progress > 5.0)
    where = world.state.motion[0].copy()
    world.place(0, where.x - 1.5 * math.sin(where.yaw), where.y + 1.5 * math.cos(where.yaw), where.yaw, 2.0)
    driver, seen, poses = PurePursuit(oval, 2.0), [], []
    for _ in range(60):
        poses.append(np.array([world.state.motion.x[0], world.state.motion.y[0]]))
        world.step(driver.commands(world))
        seen.append(world.state.episode[0].copy())
    return world, seen, poses


def test_a_penalty_is_served_in_simulated_time_standing_still(oval: Track) -> None:
    _, seen, poses = penalised(oval)
    assert [Status(int(e.status)) for e in seen[:31]] == [Status.OFF_TRACK, *[Status.PAUSE] * 29, Status.IN_PROGRESS]
    assert [int(e.pause) for e in seen[:31]] == [*range(29, -1, -1), 0]
    standing = [np.array_equal(p, poses[1]) for p in poses]
    assert standing[:33] == [False, *[True] * 30, False, False]  # 30 periods are 2 s
    assert not any(e.done for e in seen)
    assert (seen[-1].resets, seen[-1].off_track_count) == (1, 1)


def test_a_penalty_is_no_standing_still_and_no_driving_backwards(oval: Track) -> None:
    _, seen, _ = penalised(oval, replace(RACE, off_track_penalty=3.5))
    assert max(int(e.still) for e in seen) <= 1
    assert max(int(e.backward) for e in seen) <= 1
    assert (seen[-1].immobilized_count, seen[-1].reversed_count) == (0, 0)


def test_a_car_is_put_back_where_its_progress_was_on_the_nearer_lane(oval: Track) -> None:
    for aside, lane in ((0.8, "inner_lane"), (-0.8, "outer_lane")):
        world = made(oval, RACE)
        for station in (4.0, 4.3):
            put(world, station)
            world.step(STAND)
        put(world, 4.6, aside=aside)
        world.step(STAND)
        m = world.state.motion[0]
        x, y, _ = oval.poses(np.array([4.3]))[0]  # previous progress: measured at the front, put back in the middle
        beside = oval.poses(np.linspace(0.0, oval.length, 20001), lane)
        nearest = beside[np.argmin(np.hypot(beside[:, 0] - x, beside[:, 1] - y))]
        assert math.hypot(m.x - nearest[0], m.y - nearest[1]) < 1e-3
        assert math.cos(m.yaw - nearest[2]) == pytest.approx(1.0, abs=1e-3)
        assert (m.speed, m.steering, m.yaw_rate) == (0.0, 0.0, 0.0)


def test_a_car_is_put_back_where_the_original_put_it(shared: Path) -> None:
    with (shared / "data/traces/v6_spain_eval/0-iteration.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    off = next(i for i, row in enumerate(rows) if row["episode_status"] == "off_track")
    poses = [[float(row[key]) for key in ("X", "Y", "yaw")] for row in rows[: off + 2]]
    world = made(find_track(shared / "data/tracks/Spain_track.npy"), RACE)
    for x, y, yaw in ((x, y, math.radians(degrees)) for x, y, degrees in poses[: off + 1]):
        world.place(0, x - FRONT_POINT * math.cos(yaw), y - FRONT_POINT * math.sin(yaw), yaw)
        world.step(STAND)
    assert world.state.episode.status[0] == Status.OFF_TRACK
    back = world.state.situation[0]
    assert math.hypot(back.x - poses[off + 1][0], back.y - poses[off + 1][1]) < 0.02
    assert abs(back.heading - poses[off + 1][2]) < 1.0


def test_when_resets_are_used_up_the_next_event_ends_the_run(oval: Track) -> None:
    world = made(oval, Race(resets=2, off_track_penalty=0.0))
    ends = []
    for k in range(3):
        put(world, 3.0 + 0.1 * k, aside=1.0)
        ends.append(bool(world.step(STAND).done[0]))
        if not ends[-1]:
            world.step(STAND)
    assert ends == [False, False, True]
    assert (world.state.episode.resets[0], world.state.episode.off_track_count[0]) == (2, 3)


def test_continuous_laps_add_up_and_count_their_own_events(oval: Track) -> None:
    world = made(oval, replace(EVALUATION, laps=3))
    driver, off = PurePursuit(oval, 2.0), 0
    laps: list[int] = []
    offs: list[int] = []
    while not world.state.episode.done[0]:
        if len(laps) == 1 and not off and world.state.episode.progress[0] > 50.0:
            put(world, 0.6 * oval.length, aside=1.0)
            off = 1
        step = world.step(driver.commands(world))
        if step.episode.lap_milliseconds[0]:
            laps.append(int(step.episode.lap_milliseconds[0]))
            offs.append(int(step.episode.off_track_count[0]))
            progress = step.episode.progress[0]
            assert progress == 100.0
    e = world.state.episode[0]
    assert (e.laps, e.status, offs) == (3, Status.LAP_COMPLETE, [0, 1, 0])
    assert sum(laps) == pytest.approx(e.lap_start * 1000.0 / 15.0, abs=2.0)
    assert 4900 < laps[1] - laps[2] < 6500  # 5 s of penalty are part of the lap
    assert laps[0] > laps[2]  # from standstill


def test_the_moment_of_crossing_the_line_is_interpolated(oval: Track) -> None:
    """From 0.03 m before the line to 0.07 m behind it in one control period: 3 tenths of it are before the line."""
    world = made(oval, Race())
    for station in (*np.linspace(0.5, oval.length - 0.13, 9), oval.length - 0.03, 0.07):
        assert not world.state.episode.lap_milliseconds[0]
        put(world, station)
        step = world.step(STAND)
    assert step.episode.steps[0] == 12
    assert step.episode.lap_milliseconds[0] == round(10.3 * 1000 / 15)


def test_a_penalty_at_the_line_is_served_before_the_lap_counts(oval: Track) -> None:
    """Put back just before the line, the front of the car is already beyond it."""
    race = Race(laps=1, continuous=True, resets=5, off_track_penalty=2.0)
    world = made(oval, race)
    for station in (*np.linspace(0.5, oval.length - 1.0, 10), oval.length - 0.05):
        put(world, station)
        world.step(STAND)
    put(world, oval.length - 0.01, aside=1.0)
    seen = drive(world, 1.0)
    assert [Status(int(e.status)) for e in seen] == [Status.OFF_TRACK, *[Status.PAUSE] * 29, Status.LAP_COMPLETE]
    assert seen[-1].lap_milliseconds == round((12 + 30) * 1000 / 15)  # off the track after 12 control periods
    assert seen[-1].laps == 1


def test_a_lap_that_ends_off_the_track_counts_and_the_run_goes_on_with_a_penalty(oval: Track) -> None:
    world = made(oval, replace(EVALUATION, laps=2))
    for station in (*np.linspace(0.5, oval.length - 0.2, 15), 0.1):
        put(world, station, aside=1.0 if station == 0.1 else 0.0)
        step = world.step(STAND)
    assert (step.episode.laps[0], step.episode.status[0], step.done[0]) == (1, Status.OFF_TRACK, False)
    seen = drive(world, 2.0)
    assert [int(e.laps) for e in seen[:80]] == [1] * 80  # the line is passed again, but it is no second lap
    assert (seen[-1].laps, seen[-1].status) == (2, Status.LAP_COMPLETE)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"laps": 0}, "at least 1 lap, not 0"),
        ({"resets": -1}, "resets must be 0 or more, not -1"),
        ({"off_track_penalty": math.nan}, "off_track_penalty must be 0 s or more, not nan"),
        ({"time_limit": math.inf}, "time_limit must be 0 s or more, not inf"),
        ({"start": 1.0}, "start is a share of the lap, from 0 to less than 1, not 1.0"),
        ({"max_steps": 0}, "max_steps must be 1 or more, not 0"),
    ],
)
def test_a_race_that_cannot_be_is_refused_with_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RacerError, match=sentence):
        Race(**changes)
