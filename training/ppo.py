"""PPO as DeepRacer does it, on stable-baselines3.

A stable-baselines3 algorithm (callbacks, save format, `learn` and `predict` are its own) with the original's way of
learning from a rollout (``markov/sagemaker_graph_manager.py``): advantages are standardised over the whole rollout,
the value loss is squared or Huber, the last, smaller minibatch of an epoch is left out, and gradients are not clipped
unless `max_grad_norm` says so.

`begin`, `gather` and `train` are the parts of `learn`, for a loop of one's own that can be interrupted.

Two cores share the work by halves of a minibatch rather than by torch's own threads. Those wait for each other dozens
of times in a minibatch, spinning, so that anything else that runs on the machine makes them many times slower; and
their number changes the rounding, so that a seed would not give the same weights on every machine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance
from torch.nn import functional

#: What is told of a minibatch, in this order.
LOSSES = ("loss", "policy_gradient_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


class _Part(NamedTuple):
    """What was learnt from a part of a minibatch."""

    size: int
    gradients: Sequence[torch.Tensor]  #: one a parameter of the policy
    losses: torch.Tensor  #: as `LOSSES`


class _UntilInterrupted(BaseCallback):
    def _on_step(self) -> bool:
        return not self.model.interrupted  # type: ignore[attr-defined]


class DeepRacerPPO(PPO):
    """PPO with the original's losses.

    Args:
        huber: the value loss is Huber's instead of squared.
        shards: parts of a minibatch, each learnt from in a thread of its own. Their number, unlike that of the
            cores, changes the last digits of the weights.
        **kwargs: of `stable_baselines3.PPO`; `max_grad_norm` is infinite by default.

    Attributes:
        interrupted: set it, from a signal handler for example, and `gather` and `train` end at their next step.
        losses: of the last `train`, each the mean over its minibatches.
    """

    def __init__(self, *args: Any, huber: bool = True, shards: int = 1, **kwargs: Any):
        self.huber, self.shards = huber, shards
        self.interrupted = False
        self.losses: dict[str, float] = {}
        super().__init__(*args, **{"max_grad_norm": float("inf"), **kwargs})

    def begin(self, steps: int) -> None:
        """Get ready to gather, `steps` having been made before; every car starts an episode."""
        self.num_timesteps = steps
        self._last_obs = None
        self._watch = _UntilInterrupted()
        self._setup_learn(0, self._watch, reset_num_timesteps=False)

    def gather(self) -> bool:
        """Fill the rollout buffer with `n_steps` of every car; False if that was interrupted."""
        assert self.env is not None
        return self.collect_rollouts(self.env, self._watch, self.rollout_buffer, self.n_steps)

    def train(self) -> None:
        """Learn from the rollout buffer for `n_epochs` epochs. Raises `FloatingPointError` if a loss is no number."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        buffer.advantages = (buffer.advantages - buffer.advantages.mean()) / (buffer.advantages.std() + 1e-8)
        with ThreadPoolExecutor(self.shards, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            losses = [self._learn_from(samples, pool) for samples in self._minibatches()]
        self._n_updates += self.n_epochs
        means = torch.stack(losses).mean(dim=0).tolist() if losses else []
        self.losses = dict(zip(LOSSES, means, strict=False))
        for name, value in self.losses.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/explained_variance", float(explained))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _minibatches(self) -> Iterator[Any]:
        """The minibatches of all epochs, until interrupted; a rollout too small for one makes a power of two."""
        buffer = self.rollout_buffer
        batch = min(self.batch_size, 2 ** int(np.log2(buffer.buffer_size * buffer.n_envs)))
        for _ in range(self.n_epochs):
            for samples in buffer.get(batch):
                if self.interrupted:
                    return
                if len(samples.advantages) == batch:
                    yield samples

    def _learn_from(self, samples: Any, pool: ThreadPoolExecutor) -> torch.Tensor:
        """Make one step on one minibatch; give its losses, in the order of `LOSSES`."""
        parts = list(pool.map(self._gradients, _split(samples, self.shards)))
        weights = [part.size / len(samples.advantages) for part in parts]
        gradients = _mean([part.gradients for part in parts], weights)
        for parameter, gradient in zip(self.policy.parameters(), gradients, strict=True):
            parameter.grad = gradient
        if np.isfinite(self.max_grad_norm):
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()
        (losses,) = _mean([[part.losses] for part in parts], weights)
        if not math.isfinite(float(losses[0])):
            raise FloatingPointError("the loss is not a finite number")
        return losses

    def _gradients(self, samples: Any) -> _Part:
        """Losses of some samples, each a mean, and the gradient of the last one."""
        policy = copy.copy(self.policy)  # the same weights, but a distribution of its own
        policy.action_dist = copy.copy(self.policy.action_dist)
        discrete = isinstance(self.action_space, spaces.Discrete)
        actions = samples.actions.long().flatten() if discrete else samples.actions
        values, log_prob, entropy = policy.evaluate_actions(samples.observations, actions)
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
        gradients = torch.autograd.grad(loss, list(self.policy.parameters()))
        with torch.no_grad():
            kl, far = ratio - 1.0 - log_ratio, ((ratio - 1.0).abs() > clip).float()
            losses = torch.stack((loss, policy_loss, value_loss, entropy_mean, kl.mean(), far.mean()))
        return _Part(len(actions), gradients, losses)


def _mean(lists: Sequence[Sequence[torch.Tensor]], weights: Sequence[float]) -> list[torch.Tensor]:
    """The weighted mean of lists of tensors, tensor by tensor."""
    total = list(lists[0]) if len(lists) == 1 else list(torch._foreach_mul(list(lists[0]), weights[0]))
    for tensors, weight in zip(lists[1:], weights[1:], strict=True):
        torch._foreach_add_(total, list(tensors), alpha=weight)
    return total


def _split(samples: Any, parts: int) -> list[Any]:
    """Cut the samples (n, ...) of a rollout buffer into parts of about equal size, none of them empty."""
    n = len(samples.advantages)
    edges = [n * i // parts for i in range(parts + 1)]
    return [_cut(samples, slice(a, b)) for a, b in pairwise(edges) if b > a]


def _cut(samples: Any, rows: slice) -> Any:
    observations = {name: values[rows] for name, values in samples.observations.items()}
    return type(samples)(observations, *(values[rows] for values in samples[1:]))
