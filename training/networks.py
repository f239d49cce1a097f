"""What learns: the driver's network, which sees what the car sees, and a critic, which may see the car's state.

The driver's networks are the original's three (``markov/sensors/utils.py``) and a compact one of ours that makes sixty
times fewer operations than SHALLOW: a CPU learns from twenty to thirty times as many pictures a second. Only the driver
is exported; the critic exists to train it, so by default it sees the exact state of the car, and of what is around it,
instead of a second copy of the camera's network (*asymmetric actor critic*, Pinto et al., 2017, arXiv:1710.06542).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from racer_env.metadata import PRIVILEGED

COMPACT = "compact"
Convolution = tuple[int, int, int]  #: filters, kernel, stride


@dataclass(frozen=True)
class Architecture:
    """A driver's network: convolutions on the picture, dense layers on it, and a dense middleware; all ReLU."""

    convolutions: tuple[Convolution, ...]
    embedder: tuple[int, ...] = ()
    middleware: tuple[int, ...] = (512,)
    stereo: tuple[Convolution, ...] | None = None  #: on two pictures, without dense layers; None: as on one
    lidar: tuple[int, ...] = (256, 256)  #: dense layers on a LiDAR


DEEP_STEREO = ((32, 3, 1), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1))

ARCHITECTURES: Mapping[str, Architecture] = {
    "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW": Architecture(((32, 8, 4), (64, 4, 2), (64, 3, 1))),
    "DEEP_CONVOLUTIONAL_NETWORK": Architecture(
        ((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1)), (64,), stereo=DEEP_STEREO
    ),
    "DEEP_CONVOLUTIONAL_NETWORK_DEEP": Architecture(
        ((32, 8, 4), (32, 4, 2), (64, 4, 2), (64, 3, 1)), (512, 512), (256, 128), stereo=DEEP_STEREO
    ),
    COMPACT: Architecture(((8, 8, 8), (16, 3, 2), (32, 3, 2)), (), (128,), lidar=(128,)),
}


class Embedder(BaseFeaturesExtractor):
    """Turns a dictionary of observations into features for the driver.

    Attributes:
        keys: the sensors it reads, in order.
        embedders: one module for each, whose outputs are concatenated and go through `middleware`.
    """

    def __init__(self, space: spaces.Dict, architecture: str, keys: Sequence[str]):
        chosen = ARCHITECTURES[architecture]
        middleware = (128,) if set(keys) <= set(PRIVILEGED) else chosen.middleware
        super().__init__(space, middleware[-1])
        self.keys = list(keys)
        self.embedders = nn.ModuleDict({key: _embedder(key, _shape(space[key]), chosen) for key in self.keys})
        with torch.no_grad():
            joined = sum(self.embedders[key](torch.zeros(1, *_shape(space[key]))).shape[1] for key in self.keys)
        self.middleware = _dense(joined, middleware)

    def forward(self, observations: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Features (n, width) of observations that are already scaled to [0, 1]."""
        parts = [self.embedders[key](observations[key]) for key in self.keys]
        features: torch.Tensor = self.middleware(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))
        return features


def _shape(space: spaces.Space[Any]) -> tuple[int, ...]:
    assert space.shape is not None
    return space.shape


def _embedder(sensor: str, shape: tuple[int, ...], architecture: Architecture) -> nn.Sequential:
    if len(shape) != 3:
        return _dense(shape[0], (128,) if sensor in PRIVILEGED else architecture.lidar)
    both = architecture.stereo if shape[0] == 2 else None
    convolutions, dense = (both, ()) if both else (architecture.convolutions, architecture.embedder)
    layers: list[nn.Module] = []
    channels = shape[0]
    for filters, kernel, stride in convolutions:
        layers += [nn.Conv2d(channels, filters, kernel, stride), nn.ReLU(inplace=True)]
        channels = filters
    layers.append(nn.Flatten())
    with torch.no_grad():
        size = nn.Sequential(*layers)(torch.zeros(1, *shape)).shape[1]
    return nn.Sequential(*layers, *_dense(size, dense))


def _dense(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)


class DriverPolicy(MultiInputActorCriticPolicy):
    """A stable-baselines3 policy whose driver and critic have networks of their own.

    Args:
        architecture: a name of `ARCHITECTURES`.
        driver_keys: the sensors that the driver sees.
        critic_keys: the sensors that the critic sees.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        *,
        architecture: str,
        driver_keys: Sequence[str],
        critic_keys: Sequence[str],
        **kwargs: Any,
    ):
        self._critic = {"architecture": architecture, "keys": list(critic_keys)}
        kwargs |= {"share_features_extractor": False, "net_arch": []}
        kwargs |= {"features_extractor_class": Embedder}
        kwargs |= {"features_extractor_kwargs": {"architecture": architecture, "keys": list(driver_keys)}}
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        """Give driver and critic different eyes before everything else is built."""
        self.vf_features_extractor = Embedder(self.observation_space, **self._critic)  # type: ignore[arg-type]
        super()._build(lr_schedule)
        self.value_net = nn.Linear(self.vf_features_extractor.features_dim, 1)
        self.init_weights(self.value_net, gain=1.0)
        # Convolutions of a CPU are two to four times as fast in this order.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def extract_features(self, obs: Any, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        """Scale and embed what each network reads, and nothing else."""
        if features_extractor is not None:
            return _features(obs, features_extractor)
        return tuple(_features(obs, e) for e in (self.pi_features_extractor, self.vf_features_extractor))

    def get_distribution(self, obs: Any) -> Distribution:
        """Distribution of actions for observations (n, ...)."""
        latent = self.mlp_extractor.forward_actor(_features(obs, self.pi_features_extractor))
        return self._get_action_dist_from_latent(latent)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> Distribution:
        """The distribution of actions. Raises `FloatingPointError` if the network's outputs are no numbers."""
        try:
            return super()._get_action_dist_from_latent(latent_pi)
        except ValueError as error:  # torch refuses to make a distribution of them
            raise FloatingPointError("the network's outputs are not finite numbers") from error

    def predict_values(self, obs: Any) -> torch.Tensor:
        """The critic's values (n, 1)."""
        values: torch.Tensor = self.value_net(_features(obs, self.vf_features_extractor))
        return values

    def _get_constructor_parameters(self) -> dict[str, Any]:
        data = super()._get_constructor_parameters()
        driver = self.features_extractor_kwargs
        for key in ("net_arch", "features_extractor_class", "features_extractor_kwargs"):
            data.pop(key)
        return data | {
            "architecture": driver["architecture"],
            "driver_keys": driver["keys"],
            "critic_keys": self._critic["keys"],
        }


def _features(obs: Mapping[str, torch.Tensor], embedder: nn.Module) -> torch.Tensor:
    assert isinstance(embedder, Embedder)
    features: torch.Tensor = embedder({key: _scaled(obs[key]) for key in embedder.keys})
    return features


def _scaled(values: torch.Tensor) -> torch.Tensor:
    """Pictures (n, c, h, w) of 0 to 255 in [0, 1], other observations as they are; in one new tensor."""
    return values.to(torch.float32, copy=True).div_(255.0) if values.dim() == 4 else values.float()
