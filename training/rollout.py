"""What all cars saw, did and got between two trainings, kept where learning reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.type_aliases import DictRolloutBufferSamples

Tensors = dict[str, torch.Tensor]


class Rollout(DictRolloutBuffer):
    """A rollout buffer of stable-baselines3 whose arrays are made once.

    What a car sees is copied once, into its place here, from where the policy reads it too; and minibatches are picked
    from where the samples lie, step by step, instead of from a copy that is sorted by car.
    """

    def reset(self) -> None:
        """Begin anew; what was gathered before is overwritten."""
        if hasattr(self, "observations"):
            self.pos, self.full = 0, False
        else:
            super().reset()

    def see(self, observations: Mapping[str, npt.NDArray[Any]]) -> Tensors:
        """Store the observations (n, ...) of the next step; give them as tensors that share memory with this buffer."""
        for name, values in observations.items():
            self.observations[name][self.pos] = values
        return {name: torch.from_numpy(self.observations[name][self.pos]) for name in observations}

    def keep(
        self,
        actions: npt.NDArray[Any],
        rewards: npt.NDArray[Any],
        starts: npt.NDArray[Any],
        values: torch.Tensor,
        log_probs: torch.Tensor,
    ) -> None:
        """Store what followed from the observations last seen; each (n,), actions (n,) or (n, k)."""
        self.actions[self.pos] = actions.reshape(self.n_envs, self.action_dim)
        self.rewards[self.pos], self.episode_starts[self.pos] = rewards, starts
        self.values[self.pos], self.log_probs[self.pos] = values.numpy().ravel(), log_probs.numpy()
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def add(  # type: ignore[override]
        self,
        obs: dict[str, npt.NDArray[Any]],
        action: npt.NDArray[Any],
        reward: npt.NDArray[Any],
        episode_start: npt.NDArray[Any],
        value: torch.Tensor,
        log_prob: torch.Tensor,
    ) -> None:
        """Store a step at once, as stable-baselines3 does."""
        self.see(obs)
        self.keep(action, reward, episode_start, value, log_prob)

    def shuffled(self, batch_size: int) -> Iterator[torch.Tensor]:
        """Row numbers (batch_size,) of minibatches that together hold every sample once; the last may be smaller."""
        rows = torch.from_numpy(np.random.permutation(self.buffer_size * self.n_envs))  # noqa: NPY002 (SB3 seeds it)
        return iter(torch.split(rows, batch_size))

    def samples(self, rows: torch.Tensor) -> DictRolloutBufferSamples:
        """Pick samples (k, ...) by their row numbers (k,)."""
        return DictRolloutBufferSamples(
            observations={name: _picked(values, rows) for name, values in self.observations.items()},
            actions=_picked(self.actions, rows).float(),
            old_values=_picked(self.values, rows),
            old_log_prob=_picked(self.log_probs, rows),
            advantages=_picked(self.advantages, rows),
            returns=_picked(self.returns, rows),
        )

    def get(self, batch_size: int | None = None) -> Iterator[DictRolloutBufferSamples]:  # type: ignore[override]
        """Give all samples in minibatches, shuffled."""
        return map(self.samples, self.shuffled(batch_size or self.buffer_size * self.n_envs))


def _picked(values: npt.NDArray[Any], rows: torch.Tensor) -> torch.Tensor:
    """Rows (k, ...) of values (steps, n, ...), steps and cars counted through."""
    return torch.from_numpy(values).flatten(0, 1).index_select(0, rows)
