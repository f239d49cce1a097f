"""`racer car` and `racer export --onnx` as a user types them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from racer_env.render.preview_sheet import CELLS
from racer_env.render.video import write_mp4
from racer_env.vehicle import engines
from tests.racer_env.vehicle.test_examination import BOX, driver, written
from training import onnx_export
from training.export import answers_of, export, observed
from training.policy_driver import load_driver
from training.run_folder import RunFolder

Shown = Callable[..., str]
Racer = Callable[..., Any]


@pytest.fixture(scope="module")
def exported(follower: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "driver.tar.gz"
    export(follower, path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures of several sizes: dark on the left, on the right, and nowhere."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, (size, dark) in enumerate([((640, 480), 0), ((320, 240), 1), ((160, 120), None), ((640, 480), 0)]):
        values = np.full((size[1], size[0], 3), 200, np.uint8)
        if dark is not None:
            values[:, dark * size[0] // 2 : (dark + 1) * size[0] // 2] = 20
        Image.fromarray(values).save(folder / f"frame_{i + 8}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_a_good_bundle_is_shown_from_upload_to_wheels(exported: Path, shown: Shown) -> None:
    output = shown("car", "check", exported, "--max-speed", 50)
    assert "is good: the car loads it and drives." in output
    assert re.search(r"installed as\s+driver, model.pb with md5 [0-9a-f]{32}", output)
    assert re.search(r"OpenVINO, custom\s+differs by", output)
    assert re.search(r"\n\s+0\s+-25\s+1\s+-100.0\s+50.0", output)


def test_the_same_is_told_to_programs(exported: Path, shown: Shown) -> None:
    told = json.loads(shown("car", "check", exported, "--json"))
    assert told["name"] == "driver"
    assert [row["throttle_percent"] for row in told["actions"]] == [100.0] * 3
    assert [row["steering_percent"] for row in told["actions"]] == [-100.0, 0.0, 100.0]
    assert [engine["recipe"] for engine in told["engines"]] == ["plain", "stock", "custom"]


def test_without_openvino_it_is_said_how_to_get_it(
    exported: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "installed", lambda: False)
    assert "not tried: pip install 'racer18[car]'" in shown("car", "check", exported)
    assert json.loads(shown("car", "check", exported, "--json"))["engines"] is None


def test_what_the_car_cannot_use_is_refused(exported: Path, refused: Shown, racer: Racer, tmp_path: Path) -> None:
    (tmp_path / "driver.zip").write_bytes(exported.read_bytes())
    assert "a driver is a file whose name ends with '.tar.gz'" in refused("car", "check", tmp_path / "driver.zip")
    bad = written(tmp_path / "bad.tar.gz", driver(), sensor=["LEFT_CAMERA"])
    assert "bad.tar.gz: the graph sees FRONT_FACING_CAMERA" in refused("car", "check", bad)
    assert racer("car", "check", exported, "--max-speed", 101).exit_code == 2
    assert racer("car", "check", exported, "--max-speed", "nan").exit_code == 2


def test_a_range_is_shown_by_its_corners(shown: Shown, tmp_path: Path) -> None:
    output = shown("car", "check", written(tmp_path / "box.tar.gz", driver(BOX, output="tanh")))
    assert re.search(r"\+0, \+0\s+0\s+2.5\s+0.0\s+90.6", output)


def test_a_driver_is_shown_pictures_and_a_sheet_is_drawn(
    exported: Path, follower: RunFolder, pictures: Path, shown: Shown, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    words = ("--frames", pictures, "-o", sheet)
    told = json.loads(shown("car", "preview", exported, *words, "--json"))
    assert [row["picture"] for row in told] == ["frame_8.png", "frame_9.png", "frame_10.png", "frame_11.png"]
    assert [row["steering_percent"] for row in told] == [100.0, -100.0, told[2]["steering_percent"], 100.0]
    assert json.loads(shown("car", "preview", follower.path, *words, "--json")) == told
    assert "wrote" in shown("car", "preview", follower.path, *words)
    with Image.open(sheet) as image:
        assert image.size[0] > 4 * 240
        assert np.asarray(image).std() > 10


def test_a_video_and_a_single_picture_are_shown_too(
    exported: Path, pictures: Path, shown: Shown, tmp_path: Path
) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra video is not installed")
    frame = np.full((240, 320, 3), 200, np.uint8)
    frame[:, 160:] = 20
    write_mp4([frame] * (CELLS + 6), tmp_path / "drive.mp4", (320, 240), 15.0)
    output = ("-o", tmp_path / "sheet.png", "--json")
    told = json.loads(shown("car", "preview", exported, "--frames", tmp_path / "drive.mp4", *output))
    assert [row["steering_percent"] for row in told] == [-100.0] * (CELLS + 6)
    (row,) = json.loads(shown("car", "preview", exported, "--frames", pictures / "frame_8.png", *output))
    assert row["action"] == 2


def test_what_cannot_be_shown_is_refused(exported: Path, pictures: Path, refused: Shown, tmp_path: Path) -> None:
    output = ("-o", tmp_path / "sheet.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for frames, sentence in {
        tmp_path / "empty": "holds no pictures",
        tmp_path / "none": "does not exist; give a folder",
        pictures / "notes.txt": "is neither a folder nor ends in one of",
        tmp_path / "broken.png": "cannot be read as a picture",
        tmp_path / "broken.mp4": "cannot be read as a video",
    }.items():
        assert sentence in refused("car", "preview", exported, "--frames", frames, *output)
    lidar = written(tmp_path / "lidar.tar.gz", driver(sensors=("FRONT_FACING_CAMERA", "LIDAR")))
    assert "has the pictures of one camera only" in refused("car", "preview", lidar, "--frames", pictures, *output)
    assert "must end in .png" in refused("car", "preview", exported, "--frames", pictures, "-o", tmp_path / "a.jpg")
    assert not (tmp_path / "sheet.png").exists()


def test_a_video_without_the_extra_says_how_to_get_it(
    exported: Path, refused: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    (tmp_path / "drive.mp4").write_bytes(b"")
    sentence = refused("car", "preview", exported, "--frames", tmp_path / "drive.mp4", "-o", tmp_path / "a.png")
    assert sentence.endswith("drive.mp4 is a video, which needs: pip install 'racer18[video]'")


def test_onnx_is_written_beside_the_bundle_and_answers_alike(follower: RunFolder, shown: Shown, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    assert "ONNX Runtime differs" in shown("export", follower.path, "-o", tmp_path / "driver.tar.gz", "--onnx")
    assert {file.name for file in tmp_path.iterdir()} == {"driver.tar.gz", "driver.onnx"}
    session = onnxruntime.InferenceSession(str(tmp_path / "driver.onnx"), providers=["CPUExecutionProvider"])
    policy = load_driver(follower).policy
    for seen in observed(follower):
        answers = session.run(["policy"], {name: values.astype(np.float32) for name, values in seen.items()})[0]
        np.testing.assert_allclose(answers, answers_of(policy, seen), atol=1e-5)
        one = session.run(["policy"], {name: values[:1].astype(np.float32) for name, values in seen.items()})[0]
        np.testing.assert_allclose(one, answers[:1], atol=1e-6)  # any number of frames


def test_without_the_packages_of_onnx_nothing_is_written(
    follower: RunFolder, refused: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "NEEDED", ("onnx_of_nobody",))
    words = ("export", follower.path, "-o", tmp_path / "driver.tar.gz", "--onnx")
    assert refused(*words) == "ONNX needs onnx_of_nobody: pip install 'racer18[onnx]'"
    assert not list(tmp_path.iterdir())


def test_onnx_that_answers_otherwise_is_not_written(
    follower: RunFolder, refused: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    monkeypatch.setattr(onnx_export, "answers_of", lambda *_: np.zeros((8, 3), np.float32))
    assert "ONNX Runtime differs from torch by" in refused(
        "export", follower.path, "-o", tmp_path / "driver.tar.gz", "--onnx"
    )
    assert not (tmp_path / "driver.onnx").exists()
