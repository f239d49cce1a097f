"""From a trained policy to the car bundle: weights out of torch, into the graph, and checked before it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from racer_env.bundle import Bundle
from racer_env.car import DiscreteActions
from racer_env.errors import BundleError
from racer_env.metadata import DISCRETIZED, NETWORKS, OBJECTS, STATE
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_graph
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from training.networks import DriverPolicy
from training.networks import Embedder as TorchEmbedder
from training.policy_driver import load_driver
from training.run_folder import RunFolder

#: Sensors that no car has, and what to train with instead.
NO_CAR_HAS = {STATE: "FRONT_FACING_CAMERA", OBJECTS: "FRONT_FACING_CAMERA", DISCRETIZED: "SECTOR_LIDAR"}

TOLERANCE = 1e-5  #: largest difference allowed between torch and the graph that was read back


def export(run: RunFolder, path: Path, which: str = "best") -> Bundle:
    """Write the driver of a run's checkpoint as a car bundle.

    Raises:
        BundleError: the car cannot run such a driver, or the graph does not agree with torch; nothing is written.
    """
    driver = load_driver(run, which)
    bundle = bundle_of(driver.policy, run, path.name.removesuffix(".tar.gz"))
    compare(driver.policy, bundle, _rendered(run))
    compare(driver.policy, bundle, _random(bundle))
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
            tuple(Embedder(key, tuple(_layers(embedder.embedders[key]))) for key in embedder.keys),
            tuple(layer for layer in _layers(embedder.middleware) if isinstance(layer, Dense)),
            _dense(policy.action_net),
            "softmax" if isinstance(metadata.actions, DiscreteActions) else "identity",
        )
    )
    return Bundle(replace(metadata, neural_network=known, training_algorithm="clipped_ppo"), graph, name)


def compare(policy: DriverPolicy, bundle: Bundle, observations: dict[str, npt.NDArray[Any]]) -> float:
    """Run the bundle's graph in numpy against the policy in torch; give the largest difference.

    Raises:
        BundleError: they differ by more than 1e-5.
    """
    worst = float(np.abs(bundle.decide(observations) - _torch(policy, observations)).max())
    if not worst <= TOLERANCE:
        raise BundleError(f"the exported graph differs from torch by {worst:.2g}, more than {TOLERANCE:g} is allowed")
    return worst


def _torch(policy: DriverPolicy, observations: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 1) if values.ndim == 4 else values))
        for name, values in observations.items()
    }
    with torch.inference_mode():
        distribution = policy.get_distribution(tensors).distribution
    output = distribution.probs if hasattr(distribution, "probs") else distribution.mean  # type: ignore[union-attr]
    array: npt.NDArray[np.float32] = output.numpy()
    return array


def _layers(modules: Any) -> Iterable[Convolution | Dense]:
    """Layers of a module as the graph writes them; every one is followed by a ReLU."""
    for module in modules:
        if isinstance(module, nn.Conv2d):
            yield Convolution(_array(module.weight), _array(module.bias), module.stride[0])
        elif isinstance(module, nn.Linear):
            yield _dense(module)


def _dense(module: Any) -> Dense:
    return Dense(_array(module.weight), _array(module.bias))


def _array(parameter: Any) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = parameter.detach().cpu().numpy()
    return values


def _rendered(run: RunFolder) -> dict[str, npt.NDArray[Any]]:
    """Eight views from starts around the run's track."""
    simulator = Simulator(run.track, sensors=find_sensors(run.model.metadata.sensors, run.model.metadata.lidar), n=8)
    simulator.state.episode.start = np.arange(8) / 8
    return dict(simulator.reset())


def _random(bundle: Bundle) -> dict[str, npt.NDArray[Any]]:
    """Eight random pictures, the same every time."""
    noise = np.random.default_rng(0)
    shapes = {sensor: bundle.observation_shape(sensor) for sensor in bundle.inputs}
    return {sensor: noise.integers(0, 256, (8, *shape)).astype(np.uint8) for sensor, shape in shapes.items()}
