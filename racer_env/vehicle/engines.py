"""What the car's inference engines make of a driver's graph, with OpenVINO (extra ``car``).

Two recipes are followed from the bytes of ``model.pb`` to its answers:

* *stock*: converted with the input's shape fixed to one frame, weights in half precision, no output named, so that the
  alphabetically first one is taken; pictures are handed over plane by plane (``intel_inference_eng.cpp``);
* *custom*, on Ubuntu 24.04: converted with the shapes of one frame, saved with weights in half precision and loaded
  again; pictures lie as the graph has them; the output is the first one whose name begins with PPO's policy, or else
  the first one (``model_optimizer_node.py``). That it gives shapes by position, in an order of chance, is not followed.

A car has OpenVINO 2021.1 or 2024.6, here it is whatever is installed. Sums are computed in full precision: what a
processor has instead of a car's half precision says nothing about the car. Run by OpenVINO 2021.4.2's own tools, the
same graphs differ by as much. Graphs are converted by the front end that
``openvino.convert_model`` calls too, but directly: that function reports its use to its makers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env.errors import BundleError
from racer_env.operations import Array
from racer_env.policy_graph import PPO_POLICY

if TYPE_CHECKING:
    from racer_env.bundle import Bundle

#: What a converted graph may differ by from what numpy computes: as it is, and with weights in half precision.
EXACT, HALF = 1e-5, 5e-3
MARGIN = 1e-2  #: lead of the best action above which half precision must not choose another one

_PRECISION = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 2}


class Agreement(NamedTuple):
    """How far a recipe's answers are from those of the graph."""

    recipe: str
    difference: float  #: largest, of all frames and outputs
    allowed: float


def installed() -> bool:
    """Say whether there is an OpenVINO to check with."""
    return find_spec("openvino") is not None


def compare(model: bytes, bundle: Bundle, observations: Mapping[str, Array]) -> list[Agreement]:
    """Run a driver's file by each recipe and compare with the graph in numpy.

    Args:
        model: the bytes of ``model.pb``.
        bundle: the same driver.
        observations: by sensor (n, ...).

    Raises:
        BundleError: a recipe cannot load it, finds other inputs or outputs, or answers otherwise than the graph.
    """
    expected = bundle.decide(observations)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.pb"
        file.write_bytes(model)
        for recipe, load, allowed in (("plain", _exact, EXACT), ("stock", _stock, HALF), ("custom", _custom, HALF)):
            answers = _answers(load, file, bundle, observations)
            found.append(_agreement(recipe, answers, expected, allowed, bundle.discrete))
    return found


def _agreement(recipe: str, answers: Array, expected: Array, allowed: float, discrete: bool) -> Agreement:
    if answers.shape != expected.shape:
        raise BundleError(
            f"loaded as {recipe}, the driver answers {answers.shape[1:]} numbers, not {expected.shape[1:]}"
        )
    worst = float(np.abs(answers - expected).max())
    if not worst <= allowed:
        raise BundleError(f"loaded as {recipe}, the driver differs by {worst:.2g}; at most {allowed:g} is allowed")
    if discrete:
        ranked = np.sort(expected, axis=1)
        clear = ranked[:, -1] - ranked[:, -2] > MARGIN if expected.shape[1] > 1 else np.ones(len(expected), bool)
        if (answers.argmax(1) != expected.argmax(1))[clear].any():
            raise BundleError(f"loaded as {recipe}, the driver chooses other actions")
    return Agreement(recipe, worst, allowed)


class _Loaded(NamedTuple):
    """A compiled graph, and how it wants its inputs."""

    compiled: Any
    inputs: Sequence[str]  #: names of the inputs' sensors in their order
    output: int
    planar: bool  #: pictures plane by plane


def _answers(load: Any, file: Path, bundle: Bundle, observations: Mapping[str, Array]) -> Array:
    try:
        loaded = load(file, bundle)
        rows = [
            _one(loaded, {s: values[i : i + 1] for s, values in observations.items()})
            for i in range(_count(observations))
        ]
    except (RuntimeError, ValueError, IndexError) as error:
        raise BundleError(f"OpenVINO cannot load it: {str(error).strip().splitlines()[-1][:200]}") from error
    return np.concatenate(rows)


def _count(observations: Mapping[str, Array]) -> int:
    return len(next(iter(observations.values())))


def _one(loaded: _Loaded, frame: Mapping[str, Array]) -> npt.NDArray[np.float32]:
    """Answer one frame."""
    values = []
    for sensor in loaded.inputs:
        value = np.asarray(frame[sensor], np.float32)
        values.append(np.ascontiguousarray(value.transpose(0, 3, 1, 2)) if loaded.planar and value.ndim == 4 else value)
    return np.array(loaded.compiled(values)[loaded.output])


def _fixed(model: Any, bundle: Bundle) -> list[str]:
    """Fix a converted graph to one frame; give the sensors of its inputs in their order."""
    sensors = [port.get_any_name().removesuffix(":0").split("/")[-1] for port in model.inputs]
    for sensor in sensors:
        if sensor not in bundle.metadata.sensors:
            raise BundleError(f"OpenVINO finds the input {sensor!r}, which is no sensor of the driver")
    model.reshape(
        {port: [1, *bundle.observation_shape(sensor)] for port, sensor in zip(model.inputs, sensors, strict=True)}
    )
    return sensors


def _exact(file: Path, bundle: Bundle) -> _Loaded:
    import openvino  # noqa: PLC0415

    core = openvino.Core()
    model = core.read_model(file)
    sensors = _fixed(model, bundle)
    return _Loaded(core.compile_model(model, "CPU", _PRECISION), sensors, _first(model), planar=False)


def _stock(file: Path, bundle: Bundle) -> _Loaded:
    import openvino  # noqa: PLC0415

    core = openvino.Core()
    model = core.read_model(file)
    sensors = _fixed(model, bundle)
    planes = openvino.preprocess.PrePostProcessor(model)
    for i, sensor in enumerate(sensors):
        if len(bundle.observation_shape(sensor)) == 3:
            planes.input(i).tensor().set_layout(openvino.Layout("NCHW"))
            planes.input(i).model().set_layout(openvino.Layout("NHWC"))
    model = _halved(planes.build(), file.with_name("stock.xml"), core)
    return _Loaded(core.compile_model(model, "CPU", _PRECISION), sensors, _first(model), planar=True)


def _custom(file: Path, bundle: Bundle) -> _Loaded:
    import openvino  # noqa: PLC0415

    core = openvino.Core()
    model = core.read_model(file)
    sensors = _fixed(model, bundle)
    model = _halved(model, file.with_name("custom.xml"), core)
    names = [sorted(port.get_names()) for port in model.outputs]
    output = next((i for i, of_port in enumerate(names) if any(name.startswith(PPO_POLICY) for name in of_port)), 0)
    return _Loaded(core.compile_model(model, "CPU", _PRECISION), sensors, output, planar=False)


def _halved(model: Any, file: Path, core: Any) -> Any:
    """Save with weights in half precision and load again."""
    import openvino  # noqa: PLC0415

    openvino.save_model(model, file, compress_to_fp16=True)
    return core.read_model(file)


def _first(model: Any) -> int:
    """Give the alphabetically first output, which the car takes."""
    names = [min(port.get_names()) for port in model.outputs]
    return names.index(min(names))
