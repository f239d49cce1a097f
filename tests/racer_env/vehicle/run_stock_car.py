"""Converts and runs a driver as the stock car does, with its own generation of tools; Python 3.8 only.

    python3.8 -m pip install openvino==2021.4.2 tensorflow-cpu==2.4.4 'networkx~=2.5' defusedxml requests
    python3.8 -m pip install --no-deps openvino-dev==2021.4.2
    python3.8 run_stock_car.py MODEL FRAMES ANSWERS

MODEL is a frozen graph, FRAMES a .npz of inputs by the names of their nodes, (n, ...), and ANSWERS a .npy of what the
car's engine answers to each frame. The car has OpenVINO 2021.1; 2021.4.2 is the nearest that can still be installed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from openvino.inference_engine import IECore


def main() -> None:
    """Run the model optimizer with the car's options, then its engine, one frame after the other."""
    model, frames, answers = sys.argv[1:]
    feeds = dict(np.load(frames))
    shapes = ",".join("[" + ",".join(map(str, (1, *values.shape[1:]))) + "]" for values in feeds.values())
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--data_type",
            "FP16",
            "--disable_fusing",
            "--disable_gfusing",
            "--scale",
            "1",
            "--model_name",
            "model",
        ]
        words = ["--input_model", model, "--output_dir", folder, "--input_shape", shapes, "--input", ",".join(feeds)]
        subprocess.run([str(Path(sys.executable).with_name("mo")), "--framework", "tf", *words, *options], check=True)
        core = IECore()
        core.set_config({"ENFORCE_BF16": "NO"}, "CPU")  # newer processors would compute with fewer digits than the car
        network = core.read_network(f"{folder}/model.xml", f"{folder}/model.bin")
        loaded = core.load_network(network, "CPU")
    output = min(network.outputs)  # the car takes the alphabetically first
    rows = []
    for i in range(len(next(iter(feeds.values())))):
        frame = {}
        for name, values in feeds.items():
            value = values[i : i + 1]
            frame[name] = value.transpose(0, 3, 1, 2) if value.ndim == 4 else value  # pictures plane by plane
        rows.append(loaded.infer(frame)[output])
    np.save(answers, np.concatenate(rows))


if __name__ == "__main__":
    main()
