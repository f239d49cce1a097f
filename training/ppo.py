"""PPO as DeepRacer does it, on stable-baselines3.

A stable-baselines3 algorithm (callbacks, save format and `predict` are its own) with the original's way of learning
from a rollout (spec/simulator.md 7.2): advantages are standardised over the whole rollout, the value loss is squared
or Huber, and the last, smaller minibatch of an epoch is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.utils import explained_variance
from torch.nn import functional

Losses = dict[str, float]


class DeepRacerPPO(PPO):
    """PPO with the original's losses.

    Args:
        huber: the value loss is Huber's instead of squared.
        **kwargs: of `stable_baselines3.PPO`.
    """

    def __init__(self, *args: Any, huber: bool = True, **kwargs: Any):
        self.huber = huber
        super().__init__(*args, **kwargs)

    def train(self) -> None:
        """Learn from the rollout buffer for `n_epochs` epochs."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        buffer.advantages = (buffer.advantages - buffer.advantages.mean()) / (buffer.advantages.std() + 1e-8)
        size = buffer.buffer_size * buffer.n_envs
        batch = min(self.batch_size, 2 ** int(np.log2(size)))
        losses = [
            self._learn_from(samples)
            for _ in range(self.n_epochs)
            for samples in buffer.get(batch)
            if len(samples.advantages) == batch
        ]
        self._n_updates += self.n_epochs
        for name in losses[0]:
            self.logger.record(f"train/{name}", float(np.mean([loss[name] for loss in losses])))
        self.logger.record("train/explained_variance", float(explained))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _learn_from(self, samples: Any) -> Losses:
        """Make one step on one minibatch; give its losses."""
        discrete = isinstance(self.action_space, spaces.Discrete)
        actions = samples.actions.long().flatten() if discrete else samples.actions
        values, log_prob, entropy = self.policy.evaluate_actions(samples.observations, actions)
        log_ratio = log_prob - samples.old_log_prob
        ratio = torch.exp(log_ratio)
        clip: float = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        gains = samples.advantages * ratio
        clipped = samples.advantages * torch.clamp(ratio, 1.0 - clip, 1.0 + clip)
        policy_loss = -torch.min(gains, clipped).mean()
        difference = functional.smooth_l1_loss if self.huber else functional.mse_loss
        value_loss = difference(values.flatten(), samples.returns)
        entropy_mean = entropy.mean() if entropy is not None else -log_prob.mean()
        loss = policy_loss + self.vf_coef * value_loss - self.ent_coef * entropy_mean

        self.policy.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()
        with torch.no_grad():
            return {
                "policy_gradient_loss": policy_loss.item(),
                "value_loss": value_loss.item(),
                "entropy": entropy_mean.item(),
                "approx_kl": (ratio - 1.0 - log_ratio).mean().item(),
                "clip_fraction": ((ratio - 1.0).abs() > clip).float().mean().item(),
                "loss": loss.item(),
            }
