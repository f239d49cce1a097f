"""The networks have the sizes of the original, and the compact one is as cheap as is said of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import NatureCNN
from torch import nn

from racer_env.sensors import find_sensors
from training.networks import ARCHITECTURES, DriverPolicy, Embedder
from training.vec_env import observation_space_of

CAMERA, STATE = "FRONT_FACING_CAMERA", "STATE"
SHALLOW = "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"
SPACE = observation_space_of(find_sensors([CAMERA, STATE]))


def embedder(architecture: str, keys: list[str] | None = None) -> Embedder:
    return Embedder(SPACE, architecture, keys or [CAMERA])


def layers(module: nn.Module) -> list[tuple[Any, ...]]:
    """Sizes of the layers in order, a Dense one by (inputs, outputs)."""
    found: list[tuple[Any, ...]] = []
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            found.append((m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]))
        elif isinstance(m, nn.Linear):
            found.append((m.in_features, m.out_features))
    return found


def multiply_accumulates(module: nn.Module, observations: dict[str, torch.Tensor]) -> int:
    """Count them in one forward pass."""
    counted = 0

    def count(layer: nn.Module, _: Any, out: torch.Tensor) -> None:
        nonlocal counted
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        counted += weight.numel() * (out.shape[2] * out.shape[3] if out.ndim == 4 else 1)

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    module(observations)
    for hook in hooks:
        hook.remove()
    return counted


def policy(architecture: str = "compact", driver: str = STATE, critic: str = STATE, **kwargs: Any) -> DriverPolicy:
    space = spaces.Dict({key: SPACE[key] for key in dict.fromkeys((driver, critic))})
    actions = kwargs.pop("actions", spaces.Discrete(5))
    return DriverPolicy(
        space, actions, lambda _: 3e-4, architecture=architecture, driver_keys=[driver], critic_keys=[critic], **kwargs
    )


def observation(n: int, *keys: str) -> dict[str, torch.Tensor]:
    everything = {CAMERA: torch.randint(0, 256, (n, 1, 120, 160), dtype=torch.uint8), STATE: torch.rand(n, 26)}
    return {key: everything[key] for key in keys}


def test_shallow_has_the_sizes_of_the_original() -> None:
    assert layers(embedder(SHALLOW)) == [(1, 32, 8, 4), (32, 64, 4, 2), (64, 64, 3, 1), (11264, 512)]


def test_shallow_has_as_many_weights_as_a_tower_of_the_original() -> None:
    weights = sum(p.numel() for p in embedder(SHALLOW).parameters())
    assert weights == pytest.approx(5.84e6, rel=0.002)


def test_shallow_computes_what_nature_cnn_computes() -> None:
    ours, theirs = embedder(SHALLOW), NatureCNN(SPACE[CAMERA], 512)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert a.shape == b.shape
        b.data.copy_(a.data)
    picture = torch.rand(2, 1, 120, 160)
    assert torch.equal(ours({CAMERA: picture}), theirs(picture))


def test_the_five_layer_network_has_the_sizes_of_the_original() -> None:
    conv = [(1, 32, 5, 2), (32, 32, 3, 1), (32, 64, 3, 2), (64, 64, 3, 1)]
    assert layers(embedder("DEEP_CONVOLUTIONAL_NETWORK")) == [*conv, (25 * 35 * 64, 64), (64, 512)]


def test_the_deep_network_has_the_sizes_of_the_original() -> None:
    conv = [(1, 32, 8, 4), (32, 32, 4, 2), (32, 64, 4, 2), (64, 64, 3, 1)]
    dense = [(3 * 6 * 64, 512), (512, 512), (512, 256), (256, 128)]
    assert layers(embedder("DEEP_CONVOLUTIONAL_NETWORK_DEEP")) == conv + dense


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "compact"])
def test_a_lidar_goes_through_two_layers_of_256_and_joins_the_picture(name: str) -> None:
    space = observation_space_of(find_sensors([CAMERA, "SECTOR_LIDAR"]))
    both = Embedder(space, name, [CAMERA, "SECTOR_LIDAR"])
    assert layers(both.embedders["SECTOR_LIDAR"]) == [(8, 256), (256, 256)]
    seen = layers(both.embedders[CAMERA])
    width = seen[-1][1] if len(seen[-1]) == 2 else 64 * 11 * 16
    assert layers(both.middleware)[0][0] == width + 256


@pytest.mark.parametrize("name", ["DEEP_CONVOLUTIONAL_NETWORK", "DEEP_CONVOLUTIONAL_NETWORK_DEEP"])
def test_two_pictures_go_through_five_convolutions_of_their_own(name: str) -> None:
    space = observation_space_of(find_sensors(["STEREO_CAMERAS"]))
    with torch.device("meta"):  # the largest of all networks
        stereo = Embedder(space, name, ["STEREO_CAMERAS"])
    convolutions = [(2, 32, 3, 1), (32, 64, 3, 2), (64, 64, 3, 1), (64, 128, 3, 2), (128, 128, 3, 1)]
    assert layers(stereo.embedders["STEREO_CAMERAS"]) == convolutions
    assert layers(stereo.middleware)[0] == (128 * 25 * 35, ARCHITECTURES[name].middleware[0])


@pytest.mark.parametrize("name", [SHALLOW, "compact"])
def test_two_pictures_go_through_the_layers_of_one(name: str) -> None:
    space = observation_space_of(find_sensors(["STEREO_CAMERAS"]))
    (first, *rest), one = layers(Embedder(space, name, ["STEREO_CAMERAS"])), layers(embedder(name))
    assert first == (2, *one[0][1:])
    assert rest == one[1:]


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "compact"])
def test_compact_is_at_least_25_times_cheaper_than_every_network_of_the_original(name: str) -> None:
    picture = {CAMERA: torch.rand(1, 1, 120, 160)}
    compact, other = (multiply_accumulates(embedder(n), picture) for n in ("compact", name))
    assert compact > 0
    assert other >= 25 * compact


def test_a_driver_that_sees_its_state_has_two_layers_of_128() -> None:
    assert layers(embedder("compact", [STATE])) == [(26, 128), (128, 128)]


def test_every_layer_is_followed_by_a_relu() -> None:
    modules = [m for m in embedder("compact").modules() if not list(m.children())]
    for layer, following in pairwise(modules):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert isinstance(following, nn.ReLU)
    assert isinstance(modules[-1], nn.ReLU)


def test_driver_and_critic_share_no_weight() -> None:
    p = policy(driver=CAMERA, critic=CAMERA)
    driver, critic = (set(map(id, m.parameters())) for m in (p.pi_features_extractor, p.vf_features_extractor))
    assert driver
    assert not driver & critic


def test_every_weight_is_learnt_once() -> None:
    p = policy(driver=CAMERA)
    learnt = [id(w) for group in p.optimizer.param_groups for w in group["params"]]
    assert sorted(learnt) == sorted(map(id, p.parameters()))


def test_the_driver_does_not_depend_on_what_only_the_critic_sees() -> None:
    p = policy(driver=CAMERA, critic=STATE)
    seen = observation(3, CAMERA, STATE)
    other = seen | {STATE: torch.zeros(3, 26)}
    same = [p.get_distribution(o).distribution.probs for o in (seen, other)]  # type: ignore[union-attr]
    assert torch.equal(same[0], same[1])
    assert not torch.equal(p.predict_values(seen), p.predict_values(other))
    assert torch.equal(p.get_distribution({CAMERA: seen[CAMERA]}).distribution.probs, same[0])  # type: ignore[union-attr]


def test_a_camera_critic_sees_the_picture() -> None:
    p = policy(driver=CAMERA, critic=CAMERA)
    assert set(p.observation_space.spaces) == {CAMERA}  # type: ignore[attr-defined]
    values = p.predict_values(observation(3, CAMERA))
    assert values.shape == (3, 1)
    assert values.std() > 0


def test_pixels_are_scaled_to_one() -> None:
    p = policy(driver=CAMERA, critic=CAMERA)
    seen = observation(2, CAMERA)
    features = p.pi_features_extractor({CAMERA: seen[CAMERA].float() / 255.0})
    assert torch.allclose(p.extract_features(seen, p.pi_features_extractor), features)


def test_actions_are_about_equally_likely_at_first() -> None:
    probabilities = policy(driver=CAMERA).get_distribution(observation(4, CAMERA)).distribution.probs  # type: ignore[union-attr]
    assert torch.allclose(probabilities, torch.full((4, 5), 0.2), atol=0.05)


def test_a_continuous_driver_begins_with_a_deviation_of_one_and_a_mean_near_zero() -> None:
    p = policy(actions=spaces.Box(-1.0, 1.0, (2,), np.float32))
    distribution = p.get_distribution(observation(4, STATE)).distribution
    assert torch.equal(distribution.stddev, torch.ones(4, 2))  # type: ignore[union-attr]
    assert distribution.mean.abs().max() < 0.1  # type: ignore[union-attr]


@pytest.mark.parametrize("critic", [STATE, CAMERA])
def test_a_policy_is_saved_and_loaded_by_stable_baselines3(critic: str, tmp_path: Path) -> None:
    p = policy(driver=CAMERA, critic=critic)
    p.save(str(tmp_path / "policy.pth"))
    loaded = DriverPolicy.load(str(tmp_path / "policy.pth"), device="cpu")
    seen = observation(3, *dict.fromkeys((CAMERA, critic)))
    assert torch.equal(loaded.predict_values(seen), p.predict_values(seen))
    arrays = {key: values.numpy() for key, values in seen.items()}
    assert np.array_equal(loaded.predict(arrays, deterministic=True)[0], p.predict(arrays, deterministic=True)[0])
