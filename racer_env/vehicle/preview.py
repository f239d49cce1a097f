"""What a driver would do on pictures of a real camera, seen as the car's software would show them to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from racer_env.bundle import Bundle
from racer_env.car import DiscreteActions
from racer_env.errors import BundleError
from racer_env.vehicle.camera import Picture, seen_by_car
from racer_env.vehicle.navigation import Motion, motion

ONE_CAMERA = ("FRONT_FACING_CAMERA", "LEFT_CAMERA", "observation")
CHUNK = 64  #: pictures that are answered at a time

#: Computes the policy (n, actions) of observations (n, ...) by sensor.
PolicyFunction = Callable[[dict[str, npt.NDArray[Any]]], npt.NDArray[Any]]


@dataclass(frozen=True)
class Glimpse:
    """One picture, and what the driver does about it."""

    name: str
    seen: Picture  #: (120, 160, 1), by the network
    policy: npt.NDArray[Any]  #: (actions,)
    motion: Motion
    steady: bool  #: the custom software's JPEG changes nothing: the same action, or within 0.05

    @property
    def action(self) -> int:
        """The index of the chosen action of a list."""
        return int(self.policy.argmax())


def preview(bundle: Bundle, policy: PolicyFunction, footage: Iterable[tuple[str, Picture]]) -> list[Glimpse]:
    """Show pictures to a driver.

    Args:
        bundle: the driver.
        policy: its network.
        footage: pictures (h, w, 3) with their names.

    Raises:
        BundleError: it needs more than one camera.
    """
    sensors = bundle.metadata.sensors
    if len(sensors) != 1 or sensors[0] not in ONE_CAMERA:
        raise BundleError(f"the driver sees {' and '.join(sensors)}, but a preview has the pictures of one camera only")
    out: list[Glimpse] = []
    batch: list[tuple[str, Picture, Picture]] = []
    for name, picture in footage:
        batch.append((name, seen_by_car(picture), seen_by_car(picture, jpeg=True)))
        if len(batch) == CHUNK:
            out += _glimpses(bundle, policy, batch)
            batch.clear()
    return out + _glimpses(bundle, policy, batch)


def _glimpses(bundle: Bundle, policy: PolicyFunction, batch: list[tuple[str, Picture, Picture]]) -> list[Glimpse]:
    if not batch:
        return []
    (sensor,), n = bundle.metadata.sensors, len(batch)
    answers = policy({sensor: np.stack([*(seen for _, seen, _ in batch), *(packed for _, _, packed in batch)])})
    actions, space = bundle.actions(answers), bundle.metadata.actions
    change = np.abs(actions[:n] - actions[n:])
    steady = change == 0 if isinstance(space, DiscreteActions) else change.max(axis=1) <= 0.05
    return [
        Glimpse(name, seen, answer, motion(space, answer), bool(same))
        for (name, seen, _), answer, same in zip(batch, answers[:n], steady, strict=True)
    ]
