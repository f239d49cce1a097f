"""PPO learns from a rollout as the original does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import configure
from torch.nn import functional

from training.ppo import LOSSES, DeepRacerPPO
from training.rollout import Rollout
from training.trainer import Trainer

MakeModel = Callable[..., Path]
MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def gathered(model: MakeModel, trainer: MakeTrainer, tmp_path: Path) -> Callable[..., DeepRacerPPO]:
    """Makes a learner whose rollout buffer is full: 128 steps."""

    def make(cars: int = 4, name: str = "run", **model_arguments: Any) -> DeepRacerPPO:
        ppo = trainer(model(name=f"model-{name}", **model_arguments), tmp_path / name, cars=cars).ppo
        ppo.set_logger(configure(None, []))
        ppo.begin(0)
        assert ppo.gather()
        return ppo

    return make


def weights(ppo: DeepRacerPPO) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(ppo.policy.parameters()).detach().clone()


def rollout(ppo: DeepRacerPPO) -> Rollout:
    assert isinstance(ppo.rollout_buffer, Rollout)
    return ppo.rollout_buffer


def minibatches(ppo: DeepRacerPPO) -> list[int]:
    return [len(rows) for rows in ppo._minibatches()]


def test_advantages_are_standardised_over_the_whole_rollout(gathered: Callable[..., DeepRacerPPO]) -> None:
    ppo = gathered()
    raw = ppo.rollout_buffer.advantages.flatten()
    ppo.train()
    used = ppo.rollout_buffer.advantages
    assert used.mean() == pytest.approx(0.0, abs=1e-6)
    assert used.std() == pytest.approx(1.0, rel=1e-4)
    assert np.corrcoef(raw, used.flatten())[0, 1] == pytest.approx(1.0)


def test_losses_are_finite_and_weights_move(gathered: Callable[..., DeepRacerPPO]) -> None:
    ppo = gathered()
    before = weights(ppo)
    ppo.train()
    assert set(ppo.losses) >= {"policy_gradient_loss", "value_loss", "entropy", "approx_kl", "loss"}
    assert all(np.isfinite(value) for value in ppo.losses.values())
    assert not torch.equal(weights(ppo), before)


@pytest.mark.parametrize("loss_type", ["huber", "mean squared error"])
def test_the_value_loss_is_the_formula_of_its_name(gathered: Callable[..., DeepRacerPPO], loss_type: str) -> None:
    ppo = gathered(loss_type=loss_type)
    rows = next(ppo._minibatches())
    samples = rollout(ppo).samples(rows)
    with torch.no_grad():
        error = (ppo.policy.predict_values(samples.observations).flatten() - samples.returns).abs()
    squared = error**2
    huber = torch.where(error < 1.0, 0.5 * squared, error - 0.5)
    expected = (huber if loss_type == "huber" else squared).mean().item()
    part = ppo._gradients(rows)
    assert part.losses[LOSSES.index("value_loss")] == pytest.approx(expected, rel=1e-5)
    assert huber.mean().item() != pytest.approx(squared.mean().item())


def test_the_loss_is_the_clipped_surrogate_with_value_and_entropy(gathered: Callable[..., DeepRacerPPO]) -> None:
    ppo = gathered(beta_entropy=0.05)
    ppo.train()  # so that policy and old policy differ
    rows = next(ppo._minibatches())
    samples = rollout(ppo).samples(rows)
    losses = dict(zip(LOSSES, ppo._gradients(rows).losses.tolist(), strict=True))
    values, log_prob, entropy = ppo.policy.evaluate_actions(samples.observations, samples.actions.long().flatten())
    ratio = (log_prob - samples.old_log_prob).exp()
    assert entropy is not None
    surrogate = -torch.minimum(samples.advantages * ratio, samples.advantages * ratio.clamp(0.8, 1.2)).mean()
    value = functional.smooth_l1_loss(values.flatten(), samples.returns)
    assert losses["loss"] == pytest.approx((surrogate + value - 0.05 * entropy.mean()).item(), rel=1e-4)


def test_the_last_smaller_minibatch_of_an_epoch_is_left_out(gathered: Callable[..., DeepRacerPPO]) -> None:
    assert minibatches(gathered(batch_size=48, num_epochs=3)) == [48, 48] * 3


def test_a_rollout_smaller_than_a_minibatch_makes_one_of_a_power_of_two(
    gathered: Callable[..., DeepRacerPPO],
) -> None:
    assert minibatches(gathered(cars=5, batch_size=512, num_epochs=2)) == [128 // 2 * 2] * 2


def test_halves_of_a_minibatch_give_the_gradient_of_the_whole(gathered: Callable[..., DeepRacerPPO]) -> None:
    moved = []
    for shards in (1, 2, 3):
        ppo = gathered(name=f"run-{shards}", num_epochs=1, batch_size=128)
        ppo.shards = shards
        before = weights(ppo)
        np.random.seed(0)  # noqa: NPY002 (stable-baselines3 shuffles with it)
        ppo.train()
        moved.append(weights(ppo) - before)
    assert moved[0].abs().max() > 1e-5
    assert torch.allclose(moved[0], moved[1], atol=1e-5)
    assert torch.allclose(moved[0], moved[2], atol=1e-5)


def test_gradients_are_not_clipped_unless_asked_for(gathered: Callable[..., DeepRacerPPO]) -> None:
    norms = []
    for limit in (float("inf"), 1e-3):
        ppo = gathered(name=f"run-{limit}", num_epochs=1, batch_size=128)
        ppo.max_grad_norm = limit
        ppo.train()
        norms.append(float(torch.cat([p.grad.flatten() for p in ppo.policy.parameters() if p.grad is not None]).norm()))
    assert norms[1] == pytest.approx(1e-3, rel=0.01) != norms[0]


def test_an_interruption_ends_gathering_and_learning(gathered: Callable[..., DeepRacerPPO]) -> None:
    ppo = gathered()
    before = weights(ppo)
    ppo.interrupted = True
    ppo.train()
    assert torch.equal(weights(ppo), before)
    assert ppo.losses == {}
    assert not ppo.gather()


def test_episodes_that_end_are_worth_nothing_afterwards(gathered: Callable[..., DeepRacerPPO]) -> None:
    """GAE with 0.95 and no value beyond the end of an episode."""
    ppo = gathered()
    buffer = ppo.rollout_buffer
    assert (ppo.gae_lambda, ppo.gamma) == (0.95, 0.99)
    ends = np.argwhere(buffer.episode_starts[1:] == 1.0)
    assert len(ends) > 0
    for step, car in ends:
        alone = buffer.rewards[step, car] - buffer.values[step, car]
        assert buffer.advantages[step, car] == pytest.approx(alone, abs=1e-5)


def test_it_learns_by_stable_baselines3s_own_loop_and_is_saved_and_loaded(
    gathered: Callable[..., DeepRacerPPO], tmp_path: Path
) -> None:
    ppo = gathered()
    ppo.learn(256, reset_num_timesteps=True)
    ppo.save(tmp_path / "ppo.zip", exclude=["_watch"])
    loaded = DeepRacerPPO.load(tmp_path / "ppo.zip", env=ppo.env, device="cpu")
    assert torch.equal(weights(loaded), weights(ppo))
    assert (loaded.huber, loaded.max_grad_norm) == (True, float("inf"))
    loaded.learn(128)
