"""A run's driver as an ONNX file, for other tools: no car takes one (extra ``onnx``).

Inputs are named by sensor and are what the car's graph gets, float32 (n, 120, 160, channels) of 0 to 255 or (n, width),
with n free; the output is ``policy``, probabilities of a list of actions, or the mean of steering and speed.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from racer_env.errors import BundleError
from training.export import TOLERANCE, answers_of, observed
from training.networks import DriverPolicy
from training.policy_driver import load_driver
from training.run_folder import RunFolder, write

NEEDED = ("onnx", "onnxscript", "onnxruntime")
OUTPUT = "policy"


class _Driver(nn.Module):
    """A policy without its critic, from what the car feeds."""

    def __init__(self, policy: DriverPolicy, sensors: list[str]):
        super().__init__()
        self.embedder, self.head, self.sensors = policy.pi_features_extractor, policy.action_net, sensors
        self.discrete = policy.action_dist.__class__.__name__ == "CategoricalDistribution"

    def forward(self, *observations: torch.Tensor) -> torch.Tensor:
        seen = {
            sensor: values.permute(0, 3, 1, 2) / 255.0 if values.dim() == 4 else values
            for sensor, values in zip(self.sensors, observations, strict=True)
        }
        answer: torch.Tensor = self.head(self.embedder(seen))
        return answer.softmax(dim=1) if self.discrete else answer


def require_packages() -> None:
    """Raise `BundleError` if something that ONNX needs is not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise BundleError(f"ONNX needs {', '.join(missing)}: pip install 'racer18[onnx]'")


def export_onnx(run: RunFolder, path: Path, which: str = "best") -> float:
    """Write the driver of a run's checkpoint as ONNX, whole or not at all.

    Returns:
        The largest difference between torch and what ONNX Runtime computes from the very bytes that are written.

    Raises:
        BundleError: the packages are not installed, or the two differ by more than 1e-5.
        RunError: the file cannot be written.
    """
    require_packages()
    policy, sensors = load_driver(run, which).policy, list(run.model.metadata.sensors)
    frames = list(observed(run))
    content = _exported(_Driver(policy, sensors).eval(), sensors, frames[0])
    worst = max(_difference(content, answers_of(policy, seen), seen) for seen in frames)
    if not worst <= TOLERANCE:
        raise BundleError(f"{path}: ONNX Runtime differs from torch by {worst:.2g}, more than {TOLERANCE:g} is allowed")
    write(path, content)
    return worst


def _exported(driver: _Driver, sensors: list[str], seen: dict[str, npt.NDArray[Any]]) -> bytes:
    """Let torch's exporter write a module; what it says of its progress is swallowed."""
    inputs = tuple(torch.from_numpy(seen[sensor].astype(np.float32)) for sensor in sensors)
    free = torch.export.Dim("frames")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            driver,
            inputs,
            input_names=sensors,
            output_names=[OUTPUT],
            dynamic_shapes=(tuple({0: free} for _ in sensors),),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


def _difference(content: bytes, expected: npt.NDArray[np.float32], seen: dict[str, npt.NDArray[Any]]) -> float:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = {port.name: seen[port.name].astype(np.float32) for port in session.get_inputs()}
    return float(np.abs(session.run([OUTPUT], feeds)[0] - expected).max())
