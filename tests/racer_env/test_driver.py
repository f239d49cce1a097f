"""A race, driven to its end: which laps there are, what they took, and how the run was watched."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tracks
from racer_env.car import DEEPRACER_V4, DEEPRACER_V6
from racer_env.driver import PurePursuit, RaceResult, race
from racer_env.kernel import COMPILED
from racer_env.metadata import ModelMetadata
from racer_env.race import EVALUATION, Race
from racer_env.randomisation import NONE, STRONG, Randomisation
from racer_env.simulator import Observations, Simulator, Step
from racer_env.track import Track, find_track

METADATA = ModelMetadata(actions=PurePursuit.actions, sensors=("STATE",), version=6)


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


class FollowState:
    """Drives by the ``STATE`` vector alone: towards the centre line's second point ahead."""

    def __init__(self, speed: float, straight_after: int = 10**9):
        self.speed, self.left, self.acted = speed, straight_after, 0

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        state = observations["STATE"]
        x, y = state[:, 8].astype(np.float64) + 0.047, state[:, 9].astype(np.float64)
        self.acted += 1
        self.left -= 1
        steering = np.degrees(np.arctan(2.0 * y / (x * x + y * y) / 3.0 * 0.31)) / 30.0 * (self.left > 0)
        return np.stack((np.clip(steering, -1.0, 1.0), np.full(len(x), (self.speed - 0.1) / 1.95 - 1.0)), axis=1)


class Sleepy(FollowState):
    """Goes straight on for two seconds every six."""

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        actions = super().act(observations)
        moving = observations["STATE"][:, 3] > 0.0
        self.awake = getattr(self, "awake", 0) + int(moving[0])  # asleep by its own count, whatever a penalty takes
        actions[:, 0] *= self.awake % 90 < 60
        return actions


def seconds(result: RaceResult) -> list[float]:
    return [lap.time_ms / 1000.0 for lap in result.laps]


def test_a_continuous_race_is_one_run_with_flying_laps(oval: Track) -> None:
    result = race(FollowState(1.5), oval, METADATA, EVALUATION)
    assert [lap.trial for lap in result.laps] == [1, 2, 3]
    assert all(lap.complete and lap.status == "lap_complete" and lap.reset_count == 0 for lap in result.laps)
    first, second, third = seconds(result)
    assert oval.length / 1.5 - 1.0 < second < oval.length / 1.5 + 1.0
    assert first > second
    assert second == pytest.approx(third, abs=0.1)
    assert result.best_ms == min(lap.time_ms for lap in result.laps)
    assert 0 <= result.driven_ms - sum(lap.time_ms for lap in result.laps) <= 2 * 67


def test_separate_laps_each_start_from_standstill_and_are_equal(oval: Track) -> None:
    result = race(FollowState(1.5), oval, METADATA, Race(laps=3))
    assert [lap.trial for lap in result.laps] == [1, 2, 3]
    assert len({lap.time_ms for lap in result.laps}) == 1


def test_a_failed_attempt_does_not_take_the_others_away(oval: Track) -> None:
    driver = FollowState(1.5, straight_after=60)
    result = race(driver, oval, METADATA, Race(laps=3))
    assert [(lap.trial, lap.complete, lap.status, lap.off_track_count) for lap in result.laps] == [
        (k, False, "off_track", 1) for k in (1, 2, 3)
    ]
    assert result.best_ms is None
    assert 0.0 < result.laps[0].completion_percentage < 100.0


def test_the_lap_in_which_a_run_ends_is_told_after_the_complete_ones(oval: Track) -> None:
    one = round(race(FollowState(1.5), oval, METADATA, Race()).laps[0].time_ms * 15 / 1000)
    result = race(FollowState(1.5, straight_after=one + 60), oval, METADATA, replace(EVALUATION, resets=2))
    assert [lap.complete for lap in result.laps] == [True, False]
    assert (result.laps[1].status, result.laps[1].off_track_count, result.laps[0].off_track_count) == (
        "off_track",
        3,
        0,
    )
    assert result.best_ms == result.laps[0].time_ms


def test_by_the_frame_clock_laps_end_with_control_periods_and_nothing_is_driven_otherwise(oval: Track) -> None:
    exact, frames = (race(FollowState(1.5), oval, METADATA, replace(EVALUATION, clock=c)) for c in ("line", "frame"))
    assert exact.driven_ms == frames.driven_ms
    ends = np.cumsum([lap.time_ms for lap in frames.laps]) * 15 / 1000
    assert np.allclose(ends, np.round(ends), atol=0.03)
    assert not np.allclose(np.cumsum([lap.time_ms for lap in exact.laps]) * 15 / 1000, np.round(ends), atol=0.03)
    early = ends * 1000 / 15 - np.cumsum([lap.time_ms for lap in exact.laps])
    assert ((early >= -2) & (early < 69)).all()


def test_a_randomised_race_differs_from_seed_to_seed_and_not_from_run_to_run(oval: Track) -> None:
    def laps(seed: int, level: Randomisation) -> list[float]:
        return seconds(race(FollowState(1.5), oval, METADATA, EVALUATION, seed, randomisation=level))

    assert laps(1, NONE) == laps(2, NONE)
    assert laps(1, STRONG) == laps(1, STRONG) != laps(2, STRONG)


def test_time_up_ends_a_race(oval: Track) -> None:
    result = race(FollowState(1.5), oval, METADATA, replace(EVALUATION, time_limit=15.0))
    assert [(lap.complete, lap.status) for lap in result.laps] == [(True, "lap_complete"), (False, "time_up")]
    assert sum(lap.time_ms for lap in result.laps) == pytest.approx(15000, abs=70)


def test_penalties_are_part_of_the_lap(oval: Track) -> None:
    rules = replace(EVALUATION, laps=1)
    clean = race(FollowState(1.5), oval, METADATA, rules).laps[0]
    punished = [race(Sleepy(1.5), oval, METADATA, replace(rules, off_track_penalty=s)).laps[0] for s in (1.0, 5.0)]
    assert clean.off_track_count == 0
    assert punished[0].off_track_count == punished[1].off_track_count > 0
    assert punished[1].time_ms - punished[0].time_ms == 4000 * punished[0].off_track_count


def test_the_metadata_chooses_the_car_unless_one_is_given(oval: Track) -> None:
    cars = []

    def watch(simulator: Simulator, _: Step | None) -> None:
        cars.append(simulator.car)

    rules = Race(max_steps=3)
    race(FollowState(1.0), oval, replace(METADATA, version=4), rules, watch=watch)
    race(FollowState(1.0), oval, METADATA, rules, watch=watch)
    race(FollowState(1.0), oval, METADATA, rules, watch=watch, car=DEEPRACER_V4)
    assert cars == [DEEPRACER_V4] * 3 + [DEEPRACER_V6] * 3 + [DEEPRACER_V4] * 3


def test_every_reset_and_step_is_watched(oval: Track) -> None:
    seen: list[int | None] = []

    def watch(_: Simulator, step: Step | None) -> None:
        seen.append(int(step.episode.steps[0]) if step else None)

    race(FollowState(1.0), oval, METADATA, Race(laps=2, max_steps=4), watch=watch)
    assert seen == [None, 2, 3, 4] * 2


def test_pure_pursuit_keeps_to_its_line_on_every_shipped_loop() -> None:
    for name in tracks.names() if COMPILED else ("alley", "boomerang", "oval"):
        track = find_track(name)
        world = Simulator(track, actions=PurePursuit.actions)
        driver = PurePursuit(track, 1.0, offset=0.05)
        world.reset()
        aside = []
        while not world.state.episode.done[0]:
            step = world.step(driver.commands(world))
            side = 1.0 if step.judged.is_left_of_center[0] else -1.0
            aside.append(float(side * step.judged.distance_from_center[0]))
        assert world.state.episode.progress[0] == 100.0, name
        assert np.median(aside) == pytest.approx(0.05, abs=0.05), name
        assert max(map(abs, aside)) < 0.25, name
