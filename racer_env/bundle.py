"""The bundle: a trained driver as data, and as the ``<name>.tar.gz`` that a DeepRacer takes.

Training writes it, the league reads and races it, the car runs it. `Bundle.open` reads whatever a DeepRacer was
trained with, wherever, and asks for what driving here needs; `Bundle.check` for what the real car needs too. What no
check can show is how fast a car computes, and how the picture of its camera differs from ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from racer_env.archive import METADATA, check_file_name, installed_name, pack, unpack
from racer_env.car import DiscreteActions
from racer_env.errors import BundleError, MetadataError
from racer_env.graph import Graph, Node, execute
from racer_env.graphdef import decode, encode
from racer_env.inspection import inspect_graph, inspect_metadata, sensor_shape
from racer_env.metadata import ModelMetadata
from racer_env.model_files import BEST, ModelFiles, find_model
from racer_env.operations import Array
from racer_env.policy_graph import SAC_POLICY, inputs, policy_output


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained driver: what it sees and may do, and the graph that decides.

    Attributes:
        metadata: sensors and action space.
        graph: from observations to the policy.
        name: as the car lists it.
    """

    metadata: ModelMetadata
    graph: Graph
    name: str

    @classmethod
    def open(cls, path: Path, which: str = BEST) -> Bundle:
        """Read a driver and make sure that it can drive here.

        Args:
            path: a car's ``.tar.gz``, a ``.zip`` or folder of a virtual model, or a ``.pb`` beside its metadata.
            which: of a virtual model, ``best`` or ``last`` checkpoint.

        Raises:
            BundleError: one sentence that names the file and what is wrong with it.
        """
        try:
            with _blaming(path):
                return cls.of(find_model(path, which))
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}") from error

    @classmethod
    def read(cls, file: IO[bytes], file_name: str) -> Bundle:
        """Do what `open` does for an open car's archive, such as an upload, that is called `file_name`."""
        with _blaming(file_name):
            return cls.of(ModelFiles(installed_name(Path(file_name).name), *unpack(file)))

    @classmethod
    def of(cls, files: ModelFiles) -> Bundle:
        """Understand a driver's files. Raises `BundleError` if it cannot drive here."""
        bundle = cls(_parse(files.metadata), decode(files.model), files.name)
        bundle.decide(bundle.blank(2))  # two frames, for what works with one may fail with a crowd
        return bundle

    def write(self, path: Path) -> None:
        """Write the archive, always the same bytes for the same driver, or nothing.

        Raises:
            BundleError: the car could not run the driver (see `check`), or the file cannot be written.
        """
        check_file_name(path.name)
        if self.metadata.training_algorithm != "clipped_ppo":
            raise BundleError(
                f"{METADATA}: training_algorithm is {self.metadata.training_algorithm!r}, but newer cars find the "
                f"output of 'clipped_ppo' only; export it as that, whatever trained it"
            )
        self.check()
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(pack(self.model, self.metadata.to_json().encode()))
            unfinished.replace(path)
        except OSError as error:
            raise BundleError(f"{path} cannot be written: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()

    def check(self) -> list[str]:
        """Make sure that the real car loads and runs this driver, from the very bytes that it would get.

        Returns:
            Remarks: sentences on what works on some cars only, or with a loss.

        Raises:
            BundleError: the first thing that the car could not do.
        """
        remarks = inspect_metadata(self.metadata)
        written = Bundle(_parse(self.metadata.to_json().encode()), decode(self.model), self.name)
        remarks += inspect_graph(written.graph, written.metadata)
        written.decide(written.blank())
        return remarks

    @cached_property
    def model(self) -> bytes:
        """The bytes of ``agent/model.pb``."""
        return encode(self.graph)

    @cached_property
    def sha256(self) -> str:
        """What identifies a driver, in hexadecimal: its model and metadata, whatever archive they came in."""
        return hashlib.sha256(self.model + b"\0" + self.metadata.to_json().encode()).hexdigest()

    @cached_property
    def output(self) -> str:
        """The name of the node that says what the driver does."""
        return policy_output(self.graph)

    @cached_property
    def inputs(self) -> dict[str, Node]:
        """The placeholder of each sensor. Raises `BundleError` unless they are the metadata's sensors."""
        have, want = inputs(self.graph, self.output), self.metadata.sensors
        if sorted(have) != sorted(want):
            seen = ", ".join(sorted(have)[:4]) or "nothing"
            raise BundleError(f"the graph sees {seen}, but {METADATA} has the sensors {', '.join(want)}")
        return {sensor: have[sensor] for sensor in want}

    @property
    def discrete(self) -> bool:
        """Whether the driver chooses from a list of actions, rather than a steering angle and a speed."""
        return isinstance(self.metadata.actions, DiscreteActions)

    @property
    def action_count(self) -> int:
        """The width of the policy: the length of the list of actions, or 2 for steering and speed."""
        return len(self.metadata.actions) if isinstance(self.metadata.actions, DiscreteActions) else 2

    def actions(self, policy: Array) -> Array:
        """Turn a policy into actions as the simulator takes them.

        SAC's graph ends with the mean before it is squashed; the original squashes it where it drives
        (``multi_agent_coach/architectures/tensorflow_components/heads/sac_head.py``).

        Args:
            policy: (n, actions), of `decide`.

        Returns:
            For a list of actions the index (n,) of the best one, the first of equals; else steering and speed
            (n, 2) in [-1, 1].
        """
        if self.discrete:
            return np.asarray(policy.argmax(axis=1))
        squash = self.output == SAC_POLICY and self.graph.by_name[self.output].op != "Tanh"
        return np.tanh(policy) if squash else policy.clip(-1.0, 1.0)

    def observation_shape(self, sensor: str) -> tuple[int, ...]:
        """Give the shape of one observation of a sensor: (h, w, c), or (width,) of a LiDAR."""
        return sensor_shape(self.metadata, sensor)

    def blank(self, frames: int = 1) -> dict[str, Array]:
        """Give frames of every sensor (frames, ...), grey all over."""
        shapes = {sensor: (frames, *self.observation_shape(sensor)) for sensor in self.metadata.sensors}
        return {sensor: np.full(shape, 127.0, np.float32) for sensor, shape in shapes.items()}

    def decide(self, observations: Mapping[str, Array]) -> Array:
        """Compute the policy (n, actions) of observations (n, ...) in numpy; `NetworkDriver` is faster.

        Raises:
            BundleError: the graph cannot be computed, or gives the wrong number of actions, or no numbers.
        """
        frames = self.count_frames(observations)
        feeds = {node.name: observations[sensor] for sensor, node in self.inputs.items()}
        policy = execute(self.graph, feeds, self.output)
        self.check_policy(policy, frames)
        return policy

    def count_frames(self, observations: Mapping[str, Array]) -> int:
        """Count the frames n of observations (n, ...). Raises `BundleError` unless they fit the sensors."""
        counts = set()
        for sensor in self.metadata.sensors:
            if sensor not in observations:
                raise BundleError(f"the driver needs {sensor}, but sees {', '.join(sorted(observations))} only")
            shape, have = self.observation_shape(sensor), observations[sensor].shape
            if have[1:] != shape or not have:
                raise BundleError(f"{sensor} has the shape {have}, but the driver needs (n, {str(shape)[1:]}")
            counts.add(have[0])
        if len(counts) != 1:
            raise BundleError(f"the sensors have {sorted(counts)} frames, but must have equally many")
        return int(counts.pop())

    def check_policy(self, policy: Array, frames: int) -> None:
        """Make sure that a policy is finite numbers (frames, actions). Raises `BundleError`."""
        if policy.shape != (frames, self.action_count):
            raise BundleError(
                f"the graph answers {frames} frame(s) with the shape {policy.shape}, but {METADATA} "
                f"has {self.action_count} actions, which takes ({frames}, {self.action_count})"
            )
        if not np.isfinite(policy).all():
            raise BundleError("the graph answers with what is not a number: its weights are broken or overflow")


@contextlib.contextmanager
def _blaming(file: Path | str) -> Iterator[None]:
    """Let what is wrong begin with the name of the file."""
    try:
        yield
    except BundleError as error:
        raise BundleError(f"{file}: {error}") from error


def _parse(metadata: bytes) -> ModelMetadata:
    try:
        return ModelMetadata.parse(metadata, METADATA)
    except MetadataError as error:
        raise BundleError(str(error)) from error
    except (RecursionError, OverflowError, TypeError, AttributeError) as error:
        raise BundleError(f"{METADATA} holds values of impossible kinds: {error}") from error
