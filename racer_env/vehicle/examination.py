"""Would the real car drive this file? Everything that its software does with one, from the upload to the wheels.

A car says nothing when it cannot use a driver: the upload succeeds, and then the model is not listed, or does not
move. So each step is done here from the very bytes of the file, and the first one that fails is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from racer_env.archive import check_file_name, installed_name, unpack
from racer_env.bundle import Bundle
from racer_env.car import DiscreteActions
from racer_env.errors import BundleError
from racer_env.inspection import inspect_file, inspect_graph, inspect_metadata
from racer_env.model_files import ModelFiles
from racer_env.operations import Array
from racer_env.vehicle import engines
from racer_env.vehicle.navigation import CONTINUOUS_EXAMPLES, Motion, motion

FRAMES = 8  #: with which engines are compared


@dataclass(frozen=True)
class Action:
    """One answer of a driver, and what it makes the car do."""

    answer: str  #: index of an action, or steering and speed as the network says them
    steering_degrees: float  #: as the action space says
    speed: float  #: m/s, as the action space says
    motion: Motion


@dataclass(frozen=True)
class Examination:
    """What the car does with a driver's file."""

    bundle: Bundle
    checksum: str  #: md5 of the model, by which the car tells models apart
    remarks: tuple[str, ...]  #: what works on some cars only, or with a loss
    agreements: tuple[engines.Agreement, ...] | None  #: of the engines; None without OpenVINO
    actions: tuple[Action, ...]


def examine(path: Path, max_speed: float = 1.0) -> Examination:
    """Do with a ``.tar.gz`` what the car does.

    Args:
        path: the archive.
        max_speed: the setting of the car's web page, 0 to 1.

    Raises:
        BundleError: one sentence on the first thing that the car could not do, which names the file.
    """
    try:
        with path.open("rb") as file:
            files = ModelFiles(installed_name(path.name), *unpack(file))
        return _examine(path, files, max_speed)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _examine(path: Path, files: ModelFiles, max_speed: float) -> Examination:
    bundle = Bundle.of(files)
    inspect_file(files.metadata)
    remarks = _about_name(path) + inspect_metadata(bundle.metadata) + inspect_graph(bundle.graph, bundle.metadata)
    found = tuple(engines.compare(files.model, bundle, frames(bundle))) if engines.installed() else None
    checksum = hashlib.md5(files.model, usedforsecurity=False).hexdigest()
    return Examination(bundle, checksum, tuple(remarks), found, actions_of(bundle, max_speed))


def _about_name(path: Path) -> list[str]:
    try:
        check_file_name(path.name)
    except BundleError:
        installed = installed_name(path.name)
        return [f"The car installs it as {installed!r}; better are names of letters, digits, '_' and '-'."]
    return []


def frames(bundle: Bundle) -> Mapping[str, Array]:
    """Give random frames of every sensor, and as the last ones black and white pictures; always the same."""
    noise = np.random.default_rng(0)
    out: dict[str, Array] = {}
    for sensor in bundle.metadata.sensors:
        shape = (FRAMES, *bundle.observation_shape(sensor))
        picture = len(shape) == 4
        out[sensor] = noise.integers(0, 256, shape).astype(np.float32) if picture else noise.random(shape, np.float32)
        out[sensor][-2:] = np.reshape([0.0, 255.0 if picture else 1.0], (2, *[1] * (len(shape) - 1)))
    return out


def actions_of(bundle: Bundle, max_speed: float = 1.0) -> tuple[Action, ...]:
    """Give what each action of a list makes the car do, or the corners and the middle of a range."""
    space = bundle.metadata.actions
    if isinstance(space, DiscreteActions):
        chosen = np.eye(len(space))
        commands = space.commands(np.arange(len(space)))
        answers = [str(i) for i in range(len(space))]
    else:
        chosen = np.array(CONTINUOUS_EXAMPLES)
        commands = space.commands(chosen)
        answers = [f"{steering:+.0f}, {speed:+.0f}" for steering, speed in CONTINUOUS_EXAMPLES]
    return tuple(
        Action(answer, float(c.steering_degrees), float(c.speed), motion(space, row, max_speed))
        for answer, row, c in zip(answers, chosen, commands, strict=True)
    )
