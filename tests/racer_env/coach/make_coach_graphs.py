"""Makes frozen graphs with the nodes and names of Coach's, and what TensorFlow answers with them.

Coach trained the original's drivers; nobody has published one. What its source builds (``rl_coach`` 1.0,
``architectures/tensorflow_components``, and DeepRacer's own head of SAC) is built here node by node, with small layers
of random weights, and frozen as DeepRacer freezes it. It needs TensorFlow 2, in an environment of its own:

    python make_coach_graphs.py make FOLDER     writes the graphs CASE.pb and expected.json
    python make_coach_graphs.py large FOLDER    the same with layers as large as the original's
    python make_coach_graphs.py run MODEL FRAMES ANSWERS     runs a graph: .npz of inputs by name, .npy of answers
    python make_coach_graphs.py tflite MODEL FRAMES ANSWERS  the same as the community's car does on a Raspberry Pi
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Frames = dict[str, npt.NDArray[np.float32]]

SHAPES: Mapping[str, tuple[int, ...]] = {
    "observation": (120, 160, 1),
    "FRONT_FACING_CAMERA": (120, 160, 1),
    "LEFT_CAMERA": (120, 160, 1),
    "STEREO_CAMERAS": (120, 160, 2),
    "LIDAR": (64,),
    "SECTOR_LIDAR": (8,),
}


class Case(NamedTuple):
    """One driver to make."""

    sensors: tuple[str, ...]
    actions: int | None  #: of a list; None: steering and speed
    algorithm: str = "clipped_ppo"
    flatten: str = "layers"  #: which generation of TensorFlow's flattening: layers, keras or contrib
    value_head: bool = False  #: freeze the value head too
    rescaler: float = 1.0  #: of the gradients that the head gives back
    large: bool = False  #: the original's SHALLOW network, too large to be kept


CASES: Mapping[str, Case] = {
    "ppo_discrete": Case(("FRONT_FACING_CAMERA",), 5),
    "ppo_oldest": Case(("observation",), 3, flatten="contrib"),
    "ppo_continuous": Case(("LEFT_CAMERA",), None, flatten="keras"),
    "ppo_value_head": Case(("FRONT_FACING_CAMERA",), 4, value_head=True, rescaler=0.5),
    "ppo_stereo": Case(("STEREO_CAMERAS",), 6),
    "ppo_lidar": Case(("FRONT_FACING_CAMERA", "LIDAR"), 5),
    "ppo_stereo_sectors": Case(("STEREO_CAMERAS", "SECTOR_LIDAR"), 3),
    "sac": Case(("FRONT_FACING_CAMERA",), None, "sac"),
}
LARGE: Mapping[str, Case] = {
    "shallow_discrete": Case(("FRONT_FACING_CAMERA",), 12, large=True),
    "shallow_sac": Case(("FRONT_FACING_CAMERA",), None, "sac", large=True),
}


def frames(case: Case, count: int = 4) -> Frames:
    """Give the same frames of every sensor on every machine: stripes, and as the last ones black and white."""
    out: Frames = {}
    for k, sensor in enumerate(case.sensors):
        size = int(np.prod(SHAPES[sensor]))
        values = np.stack(
            [(np.arange(size) * (7 + 12 * i + k) + i * (np.arange(size) // 160)) % 256 for i in range(count)]
        )
        values[-2:] = np.array([[0], [255]])
        picture = len(SHAPES[sensor]) == 3
        scaled = values if picture else values > 127 if sensor == "SECTOR_LIDAR" else 0.15 + values / 300.0
        out[sensor] = scaled.reshape(count, *SHAPES[sensor]).astype(np.float32)
    return out


class Builder:
    """Builds one network in TensorFlow's graph, with Coach's names."""

    def __init__(self, tf: Any, case: Case, seed: int):
        self.tf, self.case, self.draw = tf, case, np.random.default_rng(seed)
        self.inputs: dict[str, Any] = {}

    def variable(self, name: str, shape: tuple[int, ...], scale: float) -> Any:
        """A variable of random numbers, which freezing turns into a constant that is read through an Identity."""
        value = (self.draw.standard_normal(shape) * scale).astype(np.float32)
        return self.tf.compat.v1.get_variable(name, initializer=value, use_resource=False)

    def conv(self, x: Any, name: str, filters: int, size: int, stride: int) -> Any:
        """What ``tf.layers.conv2d`` builds."""
        tf = self.tf
        with tf.compat.v1.variable_scope(name):
            fan_in = size * size * int(x.shape[-1])
            kernel = self.variable("kernel", (size, size, int(x.shape[-1]), filters), 1.4 / np.sqrt(fan_in))
            bias = self.variable("bias", (filters,), 0.05)
            out = tf.nn.conv2d(x, kernel, strides=[1, stride, stride, 1], padding="VALID", name="Conv2D")
            return tf.nn.bias_add(out, bias, name="BiasAdd")

    def dense(self, x: Any, name: str, units: int) -> Any:
        """What ``tf.layers.dense`` builds."""
        tf = self.tf
        with tf.compat.v1.variable_scope(name):
            kernel = self.variable("kernel", (int(x.shape[-1]), units), 1.4 / np.sqrt(int(x.shape[-1])))
            bias = self.variable("bias", (units,), 0.05)
            return tf.nn.bias_add(tf.matmul(x, kernel, name="MatMul"), bias, name="BiasAdd")

    def flatten(self, x: Any) -> Any:
        """Rows of whatever lies behind the first axis, as three generations of TensorFlow build it."""
        tf, size = self.tf, int(np.prod(x.shape[1:]))
        with tf.name_scope("flatten"):
            if self.case.flatten == "keras":
                return tf.reshape(x, tf.constant([-1, size], name="Const"), name="Reshape")
            shape = tf.raw_ops.Shape(input=x, name="Shape")
            if self.case.flatten == "layers":
                rows = tf.raw_ops.Pack(values=[shape[0], tf.constant(-1, name="Reshape/shape/1")], name="Reshape/shape")
            else:
                rest = tf.raw_ops.Prod(input=shape[1:], axis=[0], keep_dims=False, name="Prod")
                parts = [tf.expand_dims(shape[0], 0), tf.expand_dims(rest, 0)]
                rows = tf.concat(parts, 0, name="concat")
            out = tf.reshape(x, rows, name="Reshape")
            out.set_shape([None, size])
            return out

    def network(self, index: int) -> Any:
        """Embedders, merger and middleware of one head, and what the head gets."""
        tf = self.tf
        with tf.compat.v1.variable_scope(f"network_{index}"):
            merged = [self.embedder(sensor) for sensor in sorted(self.case.sensors)]
            embedding = merged[0] if len(merged) == 1 else tf.concat(merged, axis=-1, name="merger")
            with tf.compat.v1.variable_scope("middleware_fc_embedder"):
                embedding = self.dense(embedding, "Dense_0", 512 if self.case.large else 16)
                embedding = tf.nn.relu(embedding, name="BatchnormActivationDropout_1_activation")
            factor = tf.compat.v1.get_variable(
                "gradients_from_head_0-0_rescalers", initializer=np.float32(self.case.rescaler), use_resource=False
            )
            return (1 - factor) * tf.stop_gradient(embedding) + factor * embedding

    def embedder(self, sensor: str) -> Any:
        """What looks at one sensor; the placeholder is that of the first network."""
        tf, shape = self.tf, SHAPES[sensor]
        with tf.compat.v1.variable_scope(sensor):
            if sensor not in self.inputs:
                self.inputs[sensor] = tf.compat.v1.placeholder("float", shape=[None, *shape], name=sensor)
            x = self.inputs[sensor] / (255.0 if len(shape) == 3 else 1.0)
            x -= 0.0
            if len(shape) == 3:
                layers = ((32, 8, 4), (64, 4, 2), (64, 3, 1)) if self.case.large else ((4, 8, 8), (4, 4, 4))
                for i, layer in enumerate(layers):
                    x = self.conv(x, f"Conv2d_{2 * i}", *layer)
                    x = tf.nn.relu(x, name=f"BatchnormActivationDropout_{2 * i + 1}_activation")
            else:
                for i in range(2):
                    x = self.dense(x, f"Dense_{2 * i}", 8)
                    x = tf.nn.relu(x, name=f"BatchnormActivationDropout_{2 * i + 1}_activation")
            return self.flatten(x)

    def ppo(self) -> list[str]:
        """Value head in the first network, policy head in the second; give the outputs, the policy first."""
        tf, outputs = self.tf, []
        with tf.compat.v1.variable_scope("main_level/agent/main/online"):
            value = self.network(0)
            with tf.compat.v1.variable_scope("network_0/v_head_0"):
                outputs.append(tf.identity(self.dense(value, "output", 1), name="value").op.name)
            embedding = self.network(1)
            with tf.compat.v1.variable_scope("network_1/ppo_head_0"):
                if self.case.actions:
                    policy = tf.nn.softmax(self.dense(embedding, "policy_fc", self.case.actions), name="policy")
                else:
                    policy = tf.identity(self.dense(embedding, "policy_mean", 2), name="policy")
        return [policy.op.name, *(outputs if self.case.value_head else [])]

    def sac(self) -> list[str]:
        """One network, whose head has a layer of its own; the mean is frozen before it is squashed."""
        tf = self.tf
        with tf.compat.v1.variable_scope("main_level/agent/policy/online"):
            embedding = self.network(0)
            with tf.compat.v1.variable_scope("network_0/sac_policy_head_0"):
                hidden = tf.nn.relu(self.dense(embedding, "dense", 256 if self.case.large else 16), name="dense/Relu")
                policy = tf.identity(self.dense(hidden, "policy_mean", 2), name="policy")
        return [policy.op.name]


def make(case: Case, seed: int) -> tuple[bytes, npt.NDArray[np.float32]]:
    """Build a driver; give its frozen graph, and TensorFlow's answers to `frames`."""
    tf = _tensorflow()
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        builder = Builder(tf, case, seed)
        build: Callable[[], list[str]] = builder.sac if case.algorithm == "sac" else builder.ppo
        outputs = build()
        session.run(tf.compat.v1.global_variables_initializer())
        freeze = tf.compat.v1.graph_util.convert_variables_to_constants
        frozen = freeze(session, graph.as_graph_def(), outputs)
        feeds = {builder.inputs[sensor]: values for sensor, values in frames(case).items()}
        answers = session.run(graph.get_tensor_by_name(f"{outputs[0]}:0"), feeds)
    return frozen.SerializeToString(deterministic=True), answers


def run(model: bytes, feeds: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Let TensorFlow run a frozen graph whose last node is its output."""
    tf = _tensorflow()
    definition = tf.compat.v1.GraphDef.FromString(model)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(definition, name="")
        by_port = {graph.get_tensor_by_name(f"{name}:0"): values for name, values in feeds.items()}
        answers: npt.NDArray[np.float32] = session.run(
            graph.get_tensor_by_name(f"{definition.node[-1].name}:0"), by_port
        )
        return answers


def run_lite(model: bytes, feeds: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Convert a graph to TensorFlow Lite with weights in half precision, and run that frame by frame.

    So does the community's car without OpenVINO (``model_optimizer_node.py``); the output's name is fixed there.
    """
    tf = _tensorflow()
    with tempfile.NamedTemporaryFile(suffix=".pb") as file:
        Path(file.name).write_bytes(model)
        shapes = {name: [1, *values.shape[1:]] for name, values in feeds.items()}
        output = "main_level/agent/main/online/network_1/ppo_head_0/policy"
        make = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph
        converter = make(file.name, list(feeds), [output], input_shapes=shapes)
        converter.allow_custom_ops = True
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        lite = tf.lite.Interpreter(model_content=converter.convert())
    lite.allocate_tensors()
    ports = {name: port["index"] for port in lite.get_input_details() for name in feeds if name in port["name"]}
    answers = []
    for i in range(len(next(iter(feeds.values())))):
        for name, index in ports.items():
            lite.set_tensor(index, feeds[name][i : i + 1])
        lite.invoke()
        answers.append(lite.get_tensor(lite.get_output_details()[0]["index"]))
    return np.concatenate(answers)


def _tensorflow() -> Any:
    import tensorflow as tf

    tf.compat.v1.disable_eager_execution()
    tf.compat.v1.disable_resource_variables()
    return tf


def main() -> None:
    """Make the graphs, or run one."""
    command, *words = sys.argv[1:]
    if command in ("run", "tflite"):
        answer = run if command == "run" else run_lite
        with np.load(words[1]) as feeds:
            np.save(words[2], answer(Path(words[0]).read_bytes(), dict(feeds)))
        return
    folder = Path(words[0])
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for seed, (name, case) in enumerate((CASES if command == "make" else LARGE).items()):
        model, answers = make(case, seed)
        (folder / f"{name}.pb").write_bytes(model)
        expected[name] = [[float(f"{value:.9g}") for value in row] for row in answers.tolist()]
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
