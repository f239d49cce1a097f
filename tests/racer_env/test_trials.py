"""A race under several seeds at once is the same race under each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.car import DiscreteActions
from racer_env.driver import race
from racer_env.errors import RacerError
from racer_env.metadata import ModelMetadata
from racer_env.obstacles import Obstacles
from racer_env.race import EVALUATION
from racer_env.randomisation import Randomisation
from racer_env.simulator import Observations, Simulator
from racer_env.track import Track
from racer_env.trials import Trial, trials

METADATA = ModelMetadata(actions=DiscreteActions((-20.0, 0.0, 20.0), (1.0, 1.0, 1.0)), sensors=("LIDAR",))
SLIPPERY = Randomisation("slippery", grip=(0.3, 1.5), command_noise=(0.5, 1.5))
SHORT = replace(EVALUATION, laps=2, time_limit=8.0, obstacles=Obstacles(random=True), collision_penalty=0.5)
SEEDS = (7, 2**63 - 1, 0, 7)


class TurnsAway:
    """Steers to where the lidar sees further; what it does depends on its own frame only."""

    def act(self, observations: Observations) -> npt.NDArray[Any]:
        scans = np.nan_to_num(observations["LIDAR"])
        half = scans.shape[1] // 2
        left, right = scans[:, half:].sum(axis=1), scans[:, :half].sum(axis=1)
        return np.where(np.abs(left - right) < 1.0, 1, np.where(left > right, 2, 0))


@pytest.fixture(scope="module")
def made(oval: Track) -> list[Trial]:
    return trials(TurnsAway(), oval, METADATA, SHORT, SEEDS, randomisation=SLIPPERY)


@pytest.fixture(scope="module")
def oval() -> Track:
    from racer_env.track import find_track

    return find_track("oval")


def test_every_run_is_what_its_seed_gives_alone(oval: Track, made: list[Trial]) -> None:
    alone = [race(TurnsAway(), oval, METADATA, SHORT, seed, randomisation=SLIPPERY) for seed in SEEDS]
    assert [trial.result for trial in made] == alone
    assert [trial.seed for trial in made] == list(SEEDS)
    assert len({trial.result for trial in made}) == 3


def test_equal_seeds_drive_the_same_steps_and_others_do_not(made: list[Trial]) -> None:
    traces = [trial.trace_sha256 for trial in made]
    assert traces[0] == traces[3]
    assert len(set(traces)) == 3


def test_a_run_is_the_same_whoever_drives_beside_it(oval: Track, made: list[Trial]) -> None:
    (alone,) = trials(TurnsAway(), oval, METADATA, SHORT, SEEDS[1:2], randomisation=SLIPPERY)
    assert alone == made[1]


def test_separate_laps_are_separate_attempts(oval: Track) -> None:
    rules = replace(SHORT, continuous=False, laps=3, time_limit=2.0)
    both = trials(TurnsAway(), oval, METADATA, rules, (1, 2), randomisation=SLIPPERY)
    assert [len(trial.result.laps) for trial in both] == [3, 3]
    assert [trial.result for trial in both] == [
        race(TurnsAway(), oval, METADATA, rules, seed, randomisation=SLIPPERY) for seed in (1, 2)
    ]


def test_whoever_watches_sees_all_runs(oval: Track) -> None:
    seen: list[int] = []

    def watch(simulator: Simulator, step: object) -> None:
        seen.append(simulator.n if step else 0)

    trials(TurnsAway(), oval, METADATA, replace(SHORT, time_limit=1.0), (1, 2, 3), watch=watch)
    assert seen[0] == 0
    assert set(seen[1:]) == {3}


def test_a_race_without_seeds_or_of_several_cars_is_refused(oval: Track) -> None:
    with pytest.raises(RacerError, match="at least one seed"):
        trials(TurnsAway(), oval, METADATA, SHORT, ())
    with pytest.raises(RacerError, match="one car"):
        trials(TurnsAway(), oval, METADATA, replace(EVALUATION, cars=2), (1,))


def test_worlds_need_one_seed_or_one_each(oval: Track) -> None:
    with pytest.raises(RacerError, match="2 worlds need one seed, or one each, not 3"):
        Simulator(oval, n=2, seed=(1, 2, 3))
