"""How the stock car converts a driver: the command of its model optimizer (``model_optimizer_node.py``), word by word.

It is run when a model is chosen on the car's page, and once more if it fails; what it says is in the car's log. Over
ssh it can be run by hand.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from racer_env.bundle import Bundle
from racer_env.policy_graph import input_name

ARTIFACTS = PurePosixPath("/opt/aws/deepracer/artifacts")


def optimizer_command(bundle: Bundle) -> list[str]:
    """Give the words of the command; two sensors are given side by side."""
    metadata = bundle.metadata
    shapes = ",".join(f"[{','.join(map(str, (1, *bundle.observation_shape(s))))}]" for s in metadata.sensors)
    names = ",".join(input_name(sensor, metadata.training_algorithm) for sensor in metadata.sensors)
    return [
        *("python3", "$INTEL_CVSDK_DIR/deployment_tools/model_optimizer/mo_tf.py"),
        *("--input_model", str(ARTIFACTS / bundle.name / "model.pb"), "--output_dir", str(ARTIFACTS)),
        *("--input_shape", shapes, "--data_type", "FP16", "--disable_fusing", "--disable_gfusing", "--scale", "1"),
        *("--input", names, "--model_name", f"{bundle.name}/model"),
    ]
