"""What a new run begins with instead of chance: the network of a driver that exists, here or in a bundle.

A bundle has no critic, and no deviation of continuous actions: the critic begins anew, and actions are drawn with a
deviation of 0.37. A run's critic comes with it if the new run's sees the same. The optimiser always begins anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.save_util import save_to_zip_file

from racer_env.bundle import Bundle
from racer_env.car import DiscreteActions
from racer_env.errors import BundleError, MetadataError
from racer_env.metadata import ModelMetadata
from racer_env.operations import Array
from racer_env.policy_graph import Policy
from racer_env.policy_layers import policy_layers, reordered
from racer_env.race import Race
from racer_env.sensors import find_sensors
from racer_env.track import Track
from racer_env.vehicle.examination import frames
from training.model_folder import ModelFolder
from training.networks import ARCHITECTURES, DriverPolicy, Embedder
from training.policy_driver import read_parameters, wrong_network
from training.run_folder import START, RunFolder
from training.vec_env import channel_first, observation_space_of

DRIVER = ("pi_features_extractor.", "action_net.", "log_std")  #: how names of the driver's weights begin
LOG_DEVIATION = -1.0  #: of actions of an imported driver; where training begins by chance it is 0
TOLERANCE = 1e-4  #: between the driver and its network here, of probabilities or means

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Beginning:
    """A driver to go on from."""

    source: str  #: its file or run
    metadata: ModelMetadata
    network: str  #: a name of `training.networks.ARCHITECTURES`
    weights: Weights  #: by the names that `training.networks.DriverPolicy` has for them
    model: ModelFolder | None = None  #: what it was trained with, if it is a run
    tracks: tuple[Track, ...] = ()  #: where, if it is a run
    race: Race | None = None  #: in what, if it is a run
    car: str | None = None  #: with which car, if it is a run

    def checkpoint(self) -> bytes:
        """The weights as a checkpoint that `training.policy_driver.read_parameters` reads."""
        file = io.BytesIO()
        save_to_zip_file(file, data={}, params={"policy": self.weights})
        return file.getvalue()

    def require(self, metadata: ModelMetadata) -> None:
        """Make sure that a model can be trained with this network. Raises `MetadataError`."""
        if metadata.sensors != self.metadata.sensors:
            raise MetadataError(
                f"{self.source} sees {', '.join(self.metadata.sensors)}, but model_metadata.json says "
                f"{', '.join(metadata.sensors)}; leave the file out to take the driver's"
            )
        if _outputs(metadata) != _outputs(self.metadata):
            raise MetadataError(
                f"{self.source} has {_outputs(self.metadata)}, but model_metadata.json has {_outputs(metadata)}; "
                f"they may have other angles and speeds, but must be as many"
            )


def _outputs(metadata: ModelMetadata) -> str:
    return f"{len(metadata.actions)} actions" if isinstance(metadata.actions, DiscreteActions) else "continuous actions"


def from_run(path: Path, which: str = "best") -> Beginning:
    """Begin as a clone of a run. Raises `RunError` if it has no checkpoint."""
    run = RunFolder.open(path)
    settings = run.settings
    tracks = run.tracks[::2] if settings.both_directions else run.tracks
    weights: Weights = read_parameters(run, which)["policy"]
    model = run.model
    return Beginning(str(path), model.metadata, settings.network, weights, model, tracks, run.race, settings.car)


def from_bundle(path: Path) -> Beginning:
    """Begin with the driver of a bundle, whoever trained it.

    Raises:
        BundleError: it cannot be read, or its network is none of those that are trained here.
    """
    bundle = Bundle.open(path)
    try:
        policy = reordered(policy_layers(bundle.graph), bundle.metadata.sensors)
        network, embedder = _matching(policy, bundle.metadata)
        weights = _weights(policy, embedder)
        _require_same(bundle, policy, embedder, weights)
    except BundleError as error:
        raise BundleError(f"{path} can drive here, but training cannot go on from it: {error}") from error
    return Beginning(str(path), bundle.metadata, network, weights)


def _arrays(policy: Policy) -> Iterator[Array]:
    """Weights and biases of all layers but the head, in the order of `Embedder`'s parameters."""
    for layer in (*(layer for embedder in policy.embedders for layer in embedder.layers), *policy.middleware):
        yield layer.weight
        yield layer.bias


def _matching(policy: Policy, metadata: ModelMetadata) -> tuple[str, Embedder]:
    """Find the network whose layers are those of a policy."""
    if policy.output == "tanh":
        raise BundleError("its answers go through a tanh, which those of PPO do not")
    space = observation_space_of(find_sensors(metadata.sensors, metadata.lidar))
    wanted = [array.shape for array in _arrays(policy)]
    for name in ARCHITECTURES:
        with torch.device("meta"):  # shapes without memory: some of these networks are large
            shapes = [tuple(p.shape) for p in Embedder(space, name, metadata.sensors).parameters()]
        if shapes == wanted:
            return name, Embedder(space, name, metadata.sensors)
    layers = " ".join("x".join(map(str, shape)) for shape in wanted[::2])
    raise BundleError(f"its layers ({layers}) are those of none of {', '.join(ARCHITECTURES)}")


def _weights(policy: Policy, embedder: Embedder) -> Weights:
    """Name the weights of a policy as `DriverPolicy` does; `embedder` gets them too."""
    with torch.no_grad():
        for parameter, array in zip(embedder.parameters(), _arrays(policy), strict=True):
            parameter.copy_(torch.from_numpy(np.array(array)))
    out = {f"pi_features_extractor.{name}": value for name, value in embedder.state_dict().items()}
    for name, array in (("weight", policy.head.weight), ("bias", policy.head.bias)):
        out[f"action_net.{name}"] = torch.from_numpy(np.array(array, np.float32))
    if policy.output == "identity":
        out["log_std"] = torch.full((len(policy.head.bias),), LOG_DEVIATION)
    return out


def _require_same(bundle: Bundle, policy: Policy, embedder: Embedder, weights: Weights) -> None:
    """Let both answer the same frames: whatever was not understood of the graph shows here."""
    seen = frames(bundle)
    tensors = {
        sensor: torch.from_numpy(np.ascontiguousarray(channel_first(values))) / (255.0 if values.ndim == 4 else 1.0)
        for sensor, values in seen.items()
    }
    with torch.inference_mode():
        answers = embedder(tensors) @ weights["action_net.weight"].T + weights["action_net.bias"]
        answers = answers.softmax(dim=1) if policy.output == "softmax" else answers
    worst = float(np.abs(answers.numpy() - bundle.decide(seen)).max())
    if not worst <= TOLERANCE:
        raise BundleError(f"its graph computes something else than its layers say (a difference of {worst:.2g})")


def begin(policy: DriverPolicy, run: RunFolder) -> None:
    """Let a policy have the weights that its run begins with. Raises `RunError` if they do not fit."""
    try:
        weights = fitting(read_parameters(run, START)["policy"], policy.state_dict())
        policy.load_state_dict(weights, strict=False)
    except (KeyError, RuntimeError) as error:
        raise wrong_network(run, START) from error


def fitting(weights: Weights, own: Mapping[str, torch.Tensor]) -> Weights:
    """Give of some weights those that a policy with the weights `own` can take: all of the driver's, and the critic's.

    Raises:
        KeyError: the driver's do not fit.
    """
    fits = {name for name, value in weights.items() if name in own and own[name].shape == value.shape}
    for name in own:
        if name.startswith(DRIVER) and name not in fits:
            raise KeyError(name)
    critic = {name for name in own if not name.startswith(DRIVER)}
    return {name: weights[name] for name in fits if name.startswith(DRIVER) or critic <= fits}
