"""deepracer-utils reads what a run recorded, as it is and exported."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from racer_env import trace
from training.log_export import LAYOUTS, export
from training.run_folder import RunFolder

READ = """
import json, sys, warnings
warnings.filterwarnings("ignore")
from deepracer.logs import DeepRacerLog, LogType
def read(folder, load):
    log = DeepRacerLog(model_folder=folder)
    load(log)
    return len(log.dataframe())
said = {}
for name, folder in (word.split("=", 1) for word in sys.argv[1:]):
    log = DeepRacerLog(model_folder=folder)
    said[name] = [log.fh.type.name, read(folder, DeepRacerLog.load), read(folder, DeepRacerLog.load_evaluation_trace)]
    if "DROA" in log.fh.type.name:
        said["text"] = [read(folder, lambda log: log.load_robomaker_logs(kind))
                        for kind in (LogType.TRAINING, LogType.EVALUATION)]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def deepracer_utils() -> None:
    if importlib.util.find_spec("deepracer") is None:
        pytest.skip("needs deepracer-utils, which the extra 'analysis' brings")


@pytest.mark.slow
@pytest.mark.usefixtures("deepracer_utils")
def test_deepracer_utils_reads_a_run_and_both_layouts(recorded: RunFolder, tmp_path: Path) -> None:
    for layout in LAYOUTS:
        export(recorded, tmp_path / layout, layout)
    folders = {"run": recorded.path, **{layout: tmp_path / layout for layout in LAYOUTS}}
    words = [f"{name}={folder}" for name, folder in folders.items()]
    done = subprocess.run([sys.executable, "-c", READ, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    driven = len(trace.read(recorded.path / "training-simtrace"))
    raced = len(trace.read(next(recorded.path.glob("evaluation-*")) / "evaluation-simtrace"))
    one_worker, console = "DRFC_MODEL_SINGLE_WORKERS", "DROA_SOLUTION_LOGS"
    assert json.loads(done.stdout) == {
        "run": [one_worker, driven, raced],
        "drfc": [one_worker, driven, raced],
        "droa": [console, driven, raced],
        "text": [driven, raced],
    }


@pytest.mark.slow
@pytest.mark.usefixtures("deepracer_utils")
def test_deepracer_utils_analyses_a_run_without_a_failure(recorded: RunFolder, shared: Path, tmp_path: Path) -> None:
    """In the layout in which it looks at everything, logs included, so that nothing is skipped."""
    export(recorded, tmp_path / "run", "droa")
    (tmp_path / "tracks").mkdir()
    shutil.copyfile(recorded.path / "track.npy", tmp_path / "tracks" / "oval.npy")
    script, said = shared / "check" / "utils_check.py", tmp_path / "said.json"
    words = (tmp_path / "run", "--tracks", tmp_path / "tracks", "--require-metadata", "--max-laps", 1, "--json", said)
    done = subprocess.run([sys.executable, script, *map(str, words)], capture_output=True, text=True, check=False)
    report = json.loads(said.read_text())
    assert len(report) > 20
    assert [entry for entry in report if entry["status"] != "PASS"] == [], done.stdout
