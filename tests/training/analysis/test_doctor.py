"""Each rule of the doctor speaks on one side of its threshold and is silent on the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from racer_env.kernel import Records, records
from training.analysis import driving_symptoms as driving
from training.analysis import learning_symptoms as learning
from training.analysis.case import Case, Stretch
from training.analysis.curves import Curve
from training.analysis.doctor import examine, too_early, verdict
from training.analysis.evidence import EVALUATION
from training.model_folder import Hyperparameters

Episodes = Callable[..., Records]
MakeCurve = Callable[..., Curve]

RNG = np.random.default_rng(0)
STUCK = [*[8.0] * 50, *[9.0] * 150]
RISING = np.linspace(5.0, 60.0, 200).tolist()
LAPS = [*[10.0] * 100, *[100.0] * 100]
VARIED = RNG.uniform(0.0, 1.0, 1000)


def names(case: Case) -> list[str]:
    return [finding.name for finding in examine(case)]


def evaluated(*progress: float) -> Records:
    out = records(len(progress), EVALUATION)
    out.progress, out.attempts = progress, 5
    out.complete = 5 * (out.progress >= 100.0)
    return out


def test_never_leaving_the_first_corner_is_told_and_slow_progress_is_not(episodes: Episodes) -> None:
    found = driving.first_corner(Case(episodes(STUCK)))
    assert found is not None
    assert found.evidence["median_percent"] == 9.0
    assert "before 9 % of a lap" in found.says
    assert driving.first_corner(Case(episodes(RISING))) is None
    assert driving.first_corner(Case(episodes([*[8.0] * 150, *[8.0 + driving.SHORT_GAIN] * 50]))) is None
    assert driving.first_corner(Case(episodes([driving.SHORT_MEDIAN] * 200))) is None


def test_one_place_needs_most_of_those_that_come_and_many_of_the_ends(episodes: Episodes) -> None:
    case = Case(episodes([30.0] * 200), worst=Stretch(5.0, 6.0, came=40, ended=30, ends=60))
    found = driving.one_place(case)
    assert found is not None
    assert found.is_problem
    assert "metre 5 to 6" in found.says
    for few in (Stretch(5.0, 6.0, 80, 30, 60), Stretch(5.0, 6.0, 40, 30, 150), Stretch(5.0, 6.0, 9, 9, 10)):
        assert driving.one_place(replace(case, worst=few)) is None
    rising = driving.one_place(replace(case, episodes=episodes(RISING)))
    assert rising is not None
    assert not rising.is_problem


def test_a_reward_that_rises_without_progress_is_told(episodes: Episodes) -> None:
    rewards = np.linspace(10.0, 100.0, 200)
    found = driving.reward_without_progress(Case(episodes([15.0] * 200, rewards)))
    assert found is not None
    assert found.evidence["reward_now"] > found.evidence["reward_at_first"]
    assert driving.reward_without_progress(Case(episodes(RISING, rewards))) is None
    assert driving.reward_without_progress(Case(episodes([15.0] * 200, np.linspace(10.0, 13.0, 200)))) is None
    noise = RNG.normal(10.0, 100.0, 200)
    noise[150:] += 10.0
    assert driving.reward_without_progress(Case(episodes([15.0] * 200, noise))) is None


def test_one_action_dominates_only_if_the_car_does_not_drive(episodes: Episodes) -> None:
    commands = np.array([(-25.0, 1.0), (0.0, 2.0), (25.0, 1.0)])
    case = Case(episodes(STUCK), shares=np.array([0.05, 0.9, 0.05]), commands=commands)
    found = driving.one_action(case)
    assert found is not None
    assert "number 1 (0°, 2.0 m/s)" in found.says
    assert driving.one_action(replace(case, shares=np.array([0.2, 0.7, 0.1]))) is None
    assert driving.one_action(replace(case, episodes=episodes(LAPS))) is None
    advised = driving.one_action(replace(case, hyperparameters=Hyperparameters(beta_entropy=0.01)))
    assert advised is not None
    assert any("now 0.01) to 0.03" in text for text in advised.advice)


@pytest.mark.parametrize("status", ["immobilized", "reversed", "time_up"])
def test_ends_by_standing_still_turning_back_or_time_are_told(episodes: Episodes, status: str) -> None:
    found = driving.ends_standing(Case(episodes(STUCK, status=status)))
    assert found is not None
    assert found.evidence == {f"share_{status}": 1.0}
    assert driving.ends_standing(Case(episodes(STUCK))) is None


def test_a_car_that_crawls_is_told(episodes: Episodes) -> None:
    slow = Case(episodes([10.0] * 200, seconds=10.0), length=20.0)  # 2 m in 10 s
    found = driving.crawls(slow)
    assert found is not None
    assert found.evidence["metres_per_second"] == pytest.approx(0.2)
    assert driving.crawls(Case(episodes([10.0] * 200, seconds=4.0), length=20.0)) is None
    assert driving.crawls(replace(slow, length=None)) is None


def test_collisions_are_told_from_half_of_the_episodes(episodes: Episodes) -> None:
    assert driving.collisions(Case(episodes(STUCK, status="crashed"))) is not None
    assert driving.collisions(Case(episodes(STUCK))) is None


def test_having_forgotten_how_to_drive_is_told(episodes: Episodes) -> None:
    case = Case(episodes([*[10.0] * 60, *[80.0] * 80, *[20.0] * 60]))
    found = driving.forgot(case)
    assert found is not None
    assert found.evidence["best_percent"] == 80.0
    assert driving.forgot(Case(episodes([*[10.0] * 60, *[80.0] * 80, *[60.0] * 60]))) is None
    assert driving.forgot(Case(episodes([*[10.0] * 60, *[40.0] * 80, *[10.0] * 60]))) is None


def test_evaluations_that_are_far_worse_than_training_are_told(episodes: Episodes) -> None:
    case = Case(episodes([70.0] * 200), evaluations=evaluated(20.0, 30.0, 20.0))
    assert driving.evaluated_worse(case) is not None
    assert driving.evaluated_worse(replace(case, evaluations=evaluated(20.0, 30.0, 60.0))) is None
    assert driving.evaluated_worse(replace(case, evaluations=evaluated(20.0, 30.0))) is None


def test_a_plateau_is_named_only_where_nothing_else_is_wrong(episodes: Episodes) -> None:
    flat = Case(episodes([*np.linspace(5.0, 50.0, 60), *[50.0] * 140]))
    assert names(flat) == ["plateau"]
    assert names(Case(episodes(RISING))) == []
    assert names(replace(flat, episodes=episodes([*np.linspace(5.0, 90.0, 60), *[90.0] * 140]))) == []
    assert "plateau" not in names(Case(episodes(STUCK)))


def test_a_constant_reward_is_told_even_if_it_drives(episodes: Episodes) -> None:
    for progress in (STUCK, LAPS):
        found = learning.same_reward(Case(episodes(progress), rewards=np.ones(1000)))
        assert found is not None
        assert found.is_problem == (progress is STUCK)
        assert "same_reward" not in names(Case(episodes(progress), rewards=VARIED))


def test_a_sparse_reward_is_told(episodes: Episodes) -> None:
    sparse = np.zeros(1000)
    sparse[:10] = 1.0
    found = learning.sparse_reward(Case(episodes(STUCK), rewards=sparse))
    assert found is not None
    assert found.evidence == {"share": 0.99, "reward_of_a_step": 0.0}
    sparse[:30] = 1.0
    assert learning.sparse_reward(Case(episodes(STUCK), rewards=sparse)) is None


def test_punished_driving_is_told_when_episodes_get_shorter(episodes: Episodes) -> None:
    shorter = np.linspace(60, 20, 200).astype(int)
    case = Case(episodes(STUCK, steps=shorter), rewards=VARIED - 1.0)
    assert learning.punished(case) is not None
    assert learning.punished(replace(case, rewards=VARIED)) is None
    assert learning.punished(replace(case, episodes=episodes(STUCK))) is None


def test_a_collapsed_entropy_is_told_only_if_the_car_does_not_drive(episodes: Episodes, curve: MakeCurve) -> None:
    most = float(np.log(5))
    case = Case(episodes(STUCK), {"train/entropy": curve(1.6, 1.0, 0.2, 0.05)}, most_entropy=most)
    found = learning.entropy_collapsed(case)
    assert found is not None
    assert found.evidence["entropy_left"] == pytest.approx(0.05 / most)
    assert learning.entropy_collapsed(replace(case, episodes=episodes(LAPS))) is None
    assert learning.entropy_collapsed(replace(case, curves={"train/entropy": curve(1.6, 1.0, 0.2, 0.3)})) is None


@pytest.mark.parametrize(("deviation", "collapsed"), [(0.05, True), (0.5, False)])
def test_entropy_of_continuous_actions_is_told_as_their_deviation(
    episodes: Episodes, curve: MakeCurve, deviation: float, collapsed: bool
) -> None:
    entropy = 2.0 * (np.log(deviation) + 0.5 + 0.5 * np.log(2.0 * np.pi))
    case = Case(episodes(STUCK), {"train/entropy": curve(entropy)})
    assert case.entropy_left == pytest.approx(deviation)
    assert (learning.entropy_collapsed(case) is not None) == collapsed


def test_a_driver_that_stays_undecided_is_told_after_ten_iterations(episodes: Episodes, curve: MakeCurve) -> None:
    case = Case(episodes(STUCK), {"train/entropy": curve(*[1.6] * 12)}, most_entropy=float(np.log(5)))
    assert learning.undecided(case) is not None
    assert learning.undecided(replace(case, curves={"train/entropy": curve(*[1.6] * 9)})) is None
    assert learning.undecided(replace(case, curves={"train/entropy": curve(*[1.5] * 12)})) is None


def test_iterations_that_change_too_much_or_nothing_are_told(episodes: Episodes, curve: MakeCurve) -> None:
    def kl(value: float) -> Case:
        return Case(episodes(STUCK), {"train/approx_kl": curve(*[value] * 12)})

    assert learning.changes_too_much(kl(0.2)) is not None
    assert learning.changes_too_much(kl(0.02)) is None
    assert learning.hardly_changes(kl(1e-7)) is not None
    assert learning.hardly_changes(kl(0.002)) is None


def test_an_exploding_value_loss_is_told_unless_the_critic_follows(episodes: Episodes, curve: MakeCurve) -> None:
    def case(loss: Curve, foresees: float) -> Case:
        curves = {"train/value_loss": loss, "train/explained_variance": curve(*[foresees] * 12)}
        return Case(episodes(STUCK), curves, rewards=1000.0 * VARIED)

    exploding, calm = curve(*np.logspace(0.0, 3.0, 12)), curve(*np.linspace(1.0, 5.0, 12))
    found = learning.value_loss_explodes(case(exploding, 0.1))
    assert found is not None
    assert found.advice[0].startswith("divide the reward by 5e+02")
    assert learning.value_loss_explodes(case(exploding, 0.9)) is None
    assert learning.value_loss_explodes(case(calm, 0.1)) is None


def test_a_blind_critic_is_told_and_huge_rewards_as_its_cause(episodes: Episodes, curve: MakeCurve) -> None:
    def case(size: float, foresees: float, iterations: int = 12) -> Case:
        losses = {"train/value_loss": curve(*[size] * iterations)}
        return Case(
            episodes(STUCK),
            losses | {"train/explained_variance": curve(*[foresees] * iterations)},
            rewards=size * VARIED,
        )

    assert learning.critic_blind(case(1.0, 0.01)) is not None
    assert learning.critic_blind(case(1.0, 0.3)) is None
    assert learning.critic_blind(case(1.0, 0.01, iterations=9)) is None
    assert names(case(1000.0, 0.01)) == ["huge_reward", "first_corner"]
    assert learning.huge_reward(case(1000.0, 0.5)) is None
    assert learning.huge_reward(case(100.0, 0.01)) is None
    driving_well = learning.huge_reward(replace(case(1000.0, 0.01), episodes=episodes(LAPS)))
    assert driving_well is not None
    assert not driving_well.is_problem


def test_nothing_is_said_too_early(episodes: Episodes, curve: MakeCurve) -> None:
    assert names(Case(episodes(STUCK[:59]))) == ["too_early"]
    assert "first_corner" in names(Case(episodes(STUCK[-60:])))
    assert names(Case(episodes(STUCK), {"train/entropy": curve(1.0, 1.0)})) == ["too_early"]
    assert too_early(Case(episodes([100.0] * 10))) is None, "it drives already"


def test_who_drives_well_has_no_problem(episodes: Episodes, curve: MakeCurve) -> None:
    case = Case(
        episodes(LAPS),
        {"train/entropy": curve(*[0.01] * 12), "train/explained_variance": curve(*[0.0] * 12)},
        evaluated(100.0, 100.0, 100.0),
        VARIED,
        np.array([0.95, 0.05]),
        np.zeros((2, 2)),
        float(np.log(2)),
    )
    assert examine(case) == []
    assert verdict(case, []) == (
        "It drives well: 100 % of the last 50 episodes are complete laps, and 5 of 5 laps of the last evaluation."
    )


def test_the_verdict_counts_problems(episodes: Episodes) -> None:
    case = Case(episodes(STUCK), rewards=np.ones(1000))
    assert verdict(case, examine(case)).startswith("2 problems found; 0 % of the last 50 episodes")
    assert verdict(Case(episodes(RISING)), []).startswith("Nothing is wrong, and it is not finished")
