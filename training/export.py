"""From a trained policy to the car bundle: weights out of torch, into the graph, and checked before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import nn

from racer_env.bundle import Bundle
from racer_env.car import DiscreteActions
from racer_env.errors import BundleError
from racer_env.inspection import LIDAR_AS_SIMULATED
from racer_env.metadata import DISCRETIZED, NETWORKS, OBJECTS, STATE
from racer_env.model_files import ModelFiles
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_graph
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from training.networks import DriverPolicy
from training.networks import Embedder as TorchEmbedder
from training.policy_driver import load_driver
from training.run_folder import RunFolder

#: Sensors that no car has, and what to train with instead.
NO_CAR_HAS = {STATE: "FRONT_FACING_CAMERA", OBJECTS: "FRONT_FACING_CAMERA", DISCRETIZED: "SECTOR_LIDAR"}

ACTIVATIONS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.ELU: "elu",
    nn.Sigmoid: "sigmoid",
}

#: What no car runs, and what to do instead.
INSTEAD: Mapping[type[nn.Module] | tuple[type[nn.Module], ...], str] = {
    (nn.RNNBase, nn.RNNCellBase): "the car keeps nothing from one picture to the next; train without recurrence",
    nn.modules.batchnorm._BatchNorm: "train without batch normalisation, or fold it into the layer before it",
    (nn.LayerNorm, nn.GroupNorm): "train without normalisation",
    (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d): "let convolutions have larger strides instead of pooling",
    nn.modules.padding._ConstantPadNd: "use convolutions without padding",
}

TOLERANCE = 1e-5  #: largest difference allowed between torch and the graph that was read back


def export(run: RunFolder, path: Path, which: str = "best") -> Bundle:
    """Write the driver of a run's checkpoint as a car bundle.

    What is compared with torch is read back from the bytes that are written.

    Raises:
        BundleError: the car cannot run such a driver, or the graph does not agree with torch; nothing is written.
    """
    driver = load_driver(run, which)
    bundle = bundle_of(driver.policy, run, path.name.removesuffix(".tar.gz"))
    written = Bundle.of(ModelFiles(bundle.name, bundle.model, bundle.metadata.to_json().encode()))
    for observations in observed(run):
        compare(driver.policy, written, observations)
    bundle.write(path)
    return bundle


def bundle_of(policy: DriverPolicy, run: RunFolder, name: str) -> Bundle:
    """Put a policy's driver, without its critic, into a bundle."""
    metadata = run.model.metadata
    for sensor, instead in NO_CAR_HAS.items():
        if sensor in metadata.sensors:
            raise BundleError(f"a driver that sees {sensor} cannot run on a car; train with {instead} instead")
    known = run.settings.network if run.settings.network in NETWORKS else NETWORKS[0]
    embedder = policy.pi_features_extractor
    assert isinstance(embedder, TorchEmbedder)
    graph = policy_graph(
        Policy(
            tuple(Embedder(key, tuple(layers_of(embedder.embedders[key].children()))) for key in embedder.keys),
            tuple(layer for layer in layers_of(embedder.middleware.children()) if isinstance(layer, Dense)),
            _dense(policy.action_net),
            "softmax" if isinstance(metadata.actions, DiscreteActions) else "identity",
        )
    )
    lidar = next((dict(LIDAR_AS_SIMULATED[s]) for s in metadata.sensors if s in LIDAR_AS_SIMULATED), metadata.lidar)
    said = replace(metadata, neural_network=known, training_algorithm="clipped_ppo", lidar=lidar)
    return Bundle(said, graph, name)


def compare(policy: DriverPolicy, bundle: Bundle, observations: dict[str, npt.NDArray[Any]]) -> float:
    """Run the bundle's graph in numpy against the policy in torch; give the largest difference.

    Raises:
        BundleError: they differ by more than 1e-5.
    """
    worst = float(np.abs(bundle.decide(observations) - answers_of(policy, observations)).max())
    if not worst <= TOLERANCE:
        raise BundleError(f"the exported graph differs from torch by {worst:.2g}, more than {TOLERANCE:g} is allowed")
    return worst


def answers_of(policy: DriverPolicy, observations: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Probabilities of actions, or the mean of steering and speed (n, actions), as torch computes them."""
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 1) if values.ndim == 4 else values))
        for name, values in observations.items()
    }
    with torch.inference_mode():
        distribution = policy.get_distribution(tensors).distribution
    output = distribution.probs if hasattr(distribution, "probs") else distribution.mean  # type: ignore[union-attr]
    array: npt.NDArray[np.float32] = output.numpy()
    return array


def layers_of(modules: Iterable[nn.Module]) -> list[Convolution | Dense]:
    """Give the layers of a network as the graph writes them.

    Raises:
        BundleError: one of them is nothing that the car could run, or not in the way it is set up.
    """
    layers: list[Convolution | Dense] = []
    for module in modules:
        if isinstance(module, nn.Conv2d):
            layers.append(_convolution(module))
        elif isinstance(module, nn.Linear):
            layers.append(replace(_dense(module), activation="identity"))
        elif type(module) in ACTIVATIONS:
            if not layers or layers[-1].activation != "identity":
                raise BundleError(f"{module} does not follow a layer; let every layer have one activation")
            layers[-1] = replace(layers[-1], activation=ACTIVATIONS[type(module)])
        elif not isinstance(module, nn.Flatten | nn.Identity | nn.Dropout):  # dropout is off when driving
            raise BundleError(f"{type(module).__name__} cannot be exported: {_instead(module)}")
    return layers


def _convolution(module: nn.Conv2d) -> Convolution:
    unusual = {"padding": (0, 0), "dilation": (1, 1), "groups": 1}
    for name, usual in unusual.items():
        if (value := getattr(module, name)) != usual:
            raise BundleError(f"a convolution has {name} {value}, which the car computes otherwise; train with {usual}")
    layer = _dense(module)
    return Convolution(layer.weight, layer.bias, (int(module.stride[0]), int(module.stride[1])), "identity")


def _instead(module: nn.Module) -> str:
    for kinds, words in INSTEAD.items():
        if isinstance(module, kinds):
            return words
    return "use convolutions, dense layers, and ReLU, tanh, ELU or sigmoid between them"


def _dense(module: Any) -> Dense:
    weight = _array(module.weight)
    return Dense(weight, np.zeros(len(weight), np.float32) if module.bias is None else _array(module.bias))


def _array(parameter: Any) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = parameter.detach().cpu().numpy()
    return values


def observed(run: RunFolder) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Give what a run's driver sees: eight views around its track, then eight of chance; always the same."""
    sensors = find_sensors(run.model.metadata.sensors, run.model.metadata.lidar)
    simulator = Simulator(run.track, sensors=sensors, n=8)
    simulator.state.episode.start = np.arange(8) / 8
    yield dict(simulator.reset())
    noise = np.random.default_rng(0)
    yield {sensor.name: _random(sensor.space(), noise) for sensor in sensors}


def _random(space: spaces.Box, noise: np.random.Generator) -> npt.NDArray[Any]:
    if space.dtype == np.uint8:
        return noise.integers(0, 256, (8, *space.shape)).astype(np.uint8)
    return noise.uniform(space.low, space.high, (8, *space.shape)).astype(np.float32)
