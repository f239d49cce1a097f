"""PPO as DeepRacer does it, on stable-baselines3.

A stable-baselines3 algorithm (callbacks, save format, `learn` and `predict` are its own) with the original's way of
learning from a rollout (``markov/sagemaker_graph_manager.py``): advantages are standardised over the whole rollout,
the value loss is squared or Huber, the last, smaller minibatch of an epoch is left out, and gradients are not clipped
unless `max_grad_norm` says so.

`begin`, `gather` and `train` are the parts of `learn`, for a loop of one's own that can be interrupted. Gathering is
stable-baselines3's own loop with the copies left out: what the cars see goes straight into the rollout (`Rollout`),
where the policy reads it.

Two cores share the work by halves of a batch rather than by torch's own threads. Those wait for each other dozens
of times in a minibatch, spinning, so that anything else that runs on the machine makes them many times slower; and
their number changes the rounding, so that a seed would not give the same weights on every machine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch.nn import functional

from training.rollout import Rollout, Tensors

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
        shards: parts of a batch, each looked at or learnt from in a thread of its own. Their number, unlike that of
            the cores, changes the last digits of the weights.
        **kwargs: of `stable_baselines3.PPO`; `max_grad_norm` is infinite and the rollout buffer a `Rollout` by default.

    Attributes:
        interrupted: set it, from a signal handler for example, and `gather` and `train` end at their next step.
        losses: of the last `train`, each the mean over its minibatches.
    """

    def __init__(self, *args: Any, huber: bool = True, shards: int = 1, **kwargs: Any):
        self.huber, self.shards = huber, shards
        self.interrupted = False
        self.losses: dict[str, float] = {}
        super().__init__(*args, **{"max_grad_norm": float("inf"), "rollout_buffer_class": Rollout, **kwargs})

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

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Drive every car for `n_rollout_steps` and keep what happened; False if the callback ended it."""
        assert isinstance(rollout_buffer, Rollout)
        assert self._last_obs is not None
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()
        with self._pool() as pool:
            for _ in range(n_rollout_steps):
                actions, values, log_probs = self._act(rollout_buffer.see(self._last_obs), pool)  # type: ignore[arg-type]
                new_obs, rewards, dones, infos = env.step(self._within_space(actions))
                self.num_timesteps += env.num_envs
                callback.update_locals(locals())
                if not callback.on_step():
                    return False
                self._update_info_buffer(infos, dones)
                self._add_value_of_the_rest(rewards, dones, infos)
                rollout_buffer.keep(actions, rewards, self._last_episode_starts, values, log_probs)  # type: ignore[arg-type]
                self._last_obs, self._last_episode_starts = new_obs, dones  # type: ignore[assignment]
        with torch.no_grad():
            last = self.policy.predict_values(self.policy.obs_to_tensor(self._last_obs)[0])  # type: ignore[arg-type]
        rollout_buffer.compute_returns_and_advantage(last_values=last, dones=dones)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _act(
        self, observations: Tensors, pool: ThreadPoolExecutor
    ) -> tuple[npt.NDArray[Any], torch.Tensor, torch.Tensor]:
        """Draw actions (n, ...) for observations (n, ...), with their values (n, 1) and log probabilities (n,)."""
        n = len(next(iter(observations.values())))
        parts = pool.map(self._features, [_cut(observations, rows) for rows in _slices(n, self.shards)])
        driver, critic = (torch.cat(features) for features in zip(*parts, strict=True))
        with torch.no_grad():
            distribution = self.policy._get_action_dist_from_latent(driver)
            actions = distribution.get_actions()
            return actions.numpy(), self.policy.value_net(critic), distribution.log_prob(actions)

    def _features(self, observations: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            return self.policy.extract_features(observations)  # type: ignore[return-value]

    def _within_space(self, actions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if isinstance(self.action_space, spaces.Box):
            actions = np.clip(actions, self.action_space.low, self.action_space.high)
        return actions

    def _add_value_of_the_rest(self, rewards: npt.NDArray[Any], dones: npt.NDArray[Any], infos: list[Any]) -> None:
        """Add to the last reward of each car that was cut short what the critic expects of the rest of its episode."""
        for car in np.flatnonzero(dones):
            if infos[car].get("TimeLimit.truncated", False):
                with torch.no_grad():
                    last, _ = self.policy.obs_to_tensor(infos[car]["terminal_observation"])
                    rewards[car] += self.gamma * float(self.policy.predict_values(last))

    def _pool(self) -> ThreadPoolExecutor:
        """A thread for each shard; torch keeps to one core in each of them."""
        return ThreadPoolExecutor(self.shards, initializer=torch.set_num_threads, initargs=(1,))

    def train(self) -> None:
        """Learn from the rollout buffer for `n_epochs` epochs. Raises `FloatingPointError` if a loss is no number."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        buffer.advantages = (buffer.advantages - buffer.advantages.mean()) / (buffer.advantages.std() + 1e-8)
        with self._pool() as pool:
            losses = [self._learn_from(rows, pool) for rows in self._minibatches()]
        self._n_updates += self.n_epochs
        means = torch.stack(losses).mean(dim=0).tolist() if losses else []
        self.losses = dict(zip(LOSSES, means, strict=False))
        for name, value in self.losses.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/explained_variance", float(explained))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def require_finite(self) -> None:
        """Raise `FloatingPointError` unless weights and the optimiser's moments, which are saved too, are finite."""
        moments = (value for state in self.policy.optimizer.state.values() for value in state.values())
        for tensor in (*self.policy.parameters(), *moments):
            if not bool(torch.isfinite(tensor).all()):
                raise FloatingPointError("the network's weights are not finite numbers")

    def _minibatches(self) -> Iterator[torch.Tensor]:
        """Rows of the minibatches of all epochs, until interrupted; a small rollout makes one of a power of two."""
        buffer = self._rollout
        batch = min(self.batch_size, 2 ** int(np.log2(buffer.buffer_size * buffer.n_envs)))
        for _ in range(self.n_epochs):
            for rows in buffer.shuffled(batch):
                if self.interrupted:
                    return
                if len(rows) == batch:
                    yield rows

    @property
    def _rollout(self) -> Rollout:
        assert isinstance(self.rollout_buffer, Rollout)
        return self.rollout_buffer

    def _learn_from(self, rows: torch.Tensor, pool: ThreadPoolExecutor) -> torch.Tensor:
        """Make one step on the minibatch of these rows; give its losses, in the order of `LOSSES`."""
        parts = list(pool.map(self._gradients, (rows[part] for part in _slices(len(rows), self.shards))))
        weights = [part.size / len(rows) for part in parts]
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

    def _gradients(self, rows: torch.Tensor) -> _Part:
        """Losses of the samples of some rows, each a mean, and the gradient of the first one."""
        samples = self._rollout.samples(rows)
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


def _slices(n: int, parts: int) -> list[slice]:
    """Cut n rows into parts of about equal size, none of them empty."""
    edges = [n * i // parts for i in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


def _cut(observations: Mapping[str, torch.Tensor], rows: slice) -> Tensors:
    return {name: values[rows] for name, values in observations.items()}
