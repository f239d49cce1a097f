"""The camera check: perfect against itself, honest about a delay, and held to its figures on the original's frames."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner

from racer_env.camera_check import (
    PERIOD,
    CameraReport,
    Renderer,
    check_camera,
    find_delay,
    find_ticks,
    structural_similarity,
)
from racer_env.camera_recording import RecordingError, poses_at, read_recording
from racer_env.commands.camera import app
from racer_env.kernel import COMPILED, Floats
from racer_env.picture_classes import CLASSES, COLOURS, WALL_COLOURS, classify, grey
from racer_env.render.check_sheet import draw_check_sheet
from racer_env.track import Track, find_track

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
POSED = SHARED / "data" / "camera" / "posed"
REINVENT = SHARED / "data" / "tracks" / "reinvent_base.npy"
FRAMES = 6 if COMPILED else 3

needs_frames = pytest.mark.skipif(not POSED.is_dir(), reason=f"no recorded frames in {POSED}")


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def _poses(track: Track) -> Floats:
    return track.poses(np.linspace(0.8, 0.8 + 0.09 * (FRAMES - 1), FRAMES))


def _write(folder: Path, pictures: npt.NDArray[np.uint8], poses: Floats) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [["run", "img", "steps", "x", "y", "heading", "sim_time"]]
    for k, (picture, pose) in enumerate(zip(pictures, poses, strict=True)):
        Image.fromarray(picture).save(folder / f"{k}.png")
        rows.append(["1", f"{k}.png", str(k + 1), *(repr(float(v)) for v in pose[:2])])
        rows[-1] += [repr(math.degrees(pose[2])), repr(k / 15)]
    with (folder / "poses.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def rendered(oval: Track, tmp_path_factory: pytest.TempPathFactory) -> Path:
    poses = _poses(oval)
    return _write(tmp_path_factory.mktemp("rendered"), Renderer(oval).colour(poses), poses)


@pytest.mark.jit
def test_our_own_pictures_check_perfectly(rendered: Path, oval: Track) -> None:
    agreement = check_camera(read_recording(rendered), oval).recorded
    assert agreement.pictures == FRAMES
    assert {value for value in agreement.overlap.values() if value is not None} == {1.0}
    assert agreement.overlap["road"] == agreement.overlap["dash"] == 1.0
    assert agreement.compression == 0.0
    assert agreement.grey_difference < 2.0  # the check's colours are not exactly the network's shades
    assert agreement.similarity > 0.99


@pytest.mark.jit
def test_a_delay_is_found_and_explains_the_difference(oval: Track, tmp_path: Path) -> None:
    poses = _poses(oval)
    recording = read_recording(_write(tmp_path / "early", Renderer(oval).colour(poses), poses))
    later = poses_at(recording, recording.times + 0.026)
    later[-1] = poses[-1]
    report = check_camera(read_recording(_write(tmp_path / "late", Renderer(oval).colour(later), poses)), oval)
    assert report.delayed.delay_s == pytest.approx(0.026, abs=0.003)
    assert report.delayed.grey_difference < report.recorded.grey_difference
    assert report.delayed.similarity > report.recorded.similarity


@pytest.mark.jit
def test_the_phase_of_the_cameras_clock_is_found(oval: Track, tmp_path: Path) -> None:
    poses, count = _poses(oval), np.arange(FRAMES, dtype=np.float64)
    times = 1.0 + PERIOD * count + np.where(count % 2, 0.008, -0.008)
    recording = replace(read_recording(_write(tmp_path / "early", Renderer(oval).colour(poses), poses)), times=times)
    ticks = 1.03 + PERIOD * count
    later = poses_at(recording, ticks)
    later[-1] = poses[-1]
    recording = replace(recording, pictures=Renderer(oval).colour(later))
    found = find_ticks(recording, Renderer(oval), find_delay(recording, Renderer(oval)))
    np.testing.assert_allclose(found[:-1], ticks[:-1], atol=0.003)


def test_a_single_picture_has_no_delay_to_find(rendered: Path, oval: Track, tmp_path: Path) -> None:
    one = read_recording(rendered)
    folder = _write(tmp_path / "one", one.pictures[:1], one.poses[:1])
    report = check_camera(read_recording(folder), oval)
    assert report.delayed.delay_s == report.clocked.delay_s == 0.0
    assert report.recorded == report.delayed == report.clocked


def test_poses_are_only_known_between_rows_that_follow_each_other(rendered: Path) -> None:
    recording = read_recording(rendered)
    np.testing.assert_allclose(poses_at(recording, recording.times), recording.poses, atol=1e-12)
    assert np.isnan(poses_at(recording, recording.times + 1e-3)[-1]).all()
    apart = replace(recording, stretches=np.arange(FRAMES))
    assert np.isnan(poses_at(apart, recording.times)).all()


def test_equal_pictures_are_similar_and_noise_is_not() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2, 30, 40), dtype=np.uint8)
    assert structural_similarity(noise, noise) == pytest.approx([1.0, 1.0])
    assert structural_similarity(noise[:1], noise[1:])[0] == pytest.approx(0.0, abs=0.05)


def test_plain_surfaces_are_told_by_their_colour() -> None:
    for name, colour in COLOURS.items():
        picture = np.full((20, 20, 3), colour, np.uint8)
        assert {CLASSES[k] for k in np.unique(classify(picture))} == {name}
    for colour in WALL_COLOURS:
        assert {CLASSES[k] for k in np.unique(classify(np.full((20, 20, 3), colour, np.uint8)))} == {"wall"}


def test_grey_cuts_decimals_as_the_original_does() -> None:
    assert grey(np.array([[255, 255, 255], [1, 1, 1], [10, 20, 30]])).tolist() == [254, 0, 18]


def test_a_row_without_a_state_is_left_out(rendered: Path, tmp_path: Path) -> None:
    _change(rendered, tmp_path, lambda rows: rows[0].update(steps="0"))
    assert read_recording(tmp_path).names == tuple(f"{k}.png" for k in range(1, FRAMES))


def _change(source: Path, folder: Path, change: Callable[[list[dict[str, str]]], object]) -> None:
    """Copy a recording with its rows changed."""
    for picture in source.glob("*.png"):
        (folder / picture.name).write_bytes(picture.read_bytes())
    with (source / "poses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with (folder / "poses.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows[1].update(x="far"), r"poses\.csv, line 3: x is 'far', and must be a number"),
        (lambda rows: rows[1].update(heading="nan"), r"line 3: heading is 'nan', and must be a number"),
        (lambda rows: [row.pop("heading") for row in rows], r"poses\.csv has no column 'heading'"),
        (lambda rows: [row.update(steps="0") for row in rows], r"poses\.csv: no row has a state"),
        (lambda rows: rows[2].update(img="gone.png"), r"gone\.png cannot be read: it does not exist"),
        (lambda rows: rows[2].update(img="poses.csv"), r"poses\.csv cannot be read: it is no picture"),
        (lambda rows: rows[2].update(img="small.png"), r"small\.png is 30 x 30 pixels, and must be 160 x 120"),
    ],
)
def test_a_broken_recording_is_refused_with_one_sentence(
    change: Callable[[list[dict[str, str]]], object], sentence: str, rendered: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (30, 30)).save(tmp_path / "small.png")
    _change(rendered, tmp_path, change)
    with pytest.raises(RecordingError, match=sentence) as caught:
        read_recording(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_poses_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"poses\.csv cannot be read: No such file"):
        read_recording(tmp_path)


def test_larger_pictures_are_shrunk_as_the_original_does(rendered: Path, tmp_path: Path) -> None:
    _change(rendered, tmp_path, lambda _rows: None)
    with Image.open(tmp_path / "0.png") as small:
        small.resize((640, 480), Image.Resampling.NEAREST).save(tmp_path / "0.png")
    assert read_recording(tmp_path).pictures.shape == (FRAMES, 120, 160, 3)


@pytest.mark.jit
def test_the_command_prints_json_and_draws_a_sheet(rendered: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    done = CliRunner().invoke(app, ["check", str(rendered), "--track", "oval", "--json", "--sheet", str(sheet)])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["track"] == "oval"
    assert report["recorded"]["overlap"]["road"] == 1.0
    with Image.open(sheet) as image:
        assert image.width > 4 * 160


@pytest.mark.jit
def test_the_sheet_shows_at_most_what_was_recorded(rendered: Path, oval: Track) -> None:
    recording = read_recording(rendered)
    agreement = check_camera(recording, oval).recorded
    assert draw_check_sheet(recording, oval, agreement).height > 240


@pytest.fixture(scope="module")
def original() -> CameraReport:
    return check_camera(read_recording(POSED), find_track(REINVENT))


@needs_frames
@pytest.mark.slow
@pytest.mark.jit
def test_the_camera_agrees_with_the_original_where_its_pictures_were_taken(original: CameraReport) -> None:
    """At most 6 of 255 apart, road overlapping by at least 0.97, border by 0.85 and dashes by 0.75."""
    agreement = original.clocked
    assert agreement.pictures == 463
    assert agreement.grey_difference < 3.7
    assert agreement.similarity > 0.91
    least = {"road": 0.972, "border": 0.858, "dash": 0.755, "field": 0.947, "wall": 0.98, "sky": 0.92}
    for name, overlap in least.items():
        found = agreement.overlap[name]
        assert found is not None
        assert found > overlap, name


@needs_frames
@pytest.mark.slow
@pytest.mark.jit
def test_pictures_are_36_ms_newer_than_the_recorded_poses(original: CameraReport) -> None:
    """What differs there more is misplaced; inside surfaces, light and texture differ alike."""
    assert original.delayed.delay_s == pytest.approx(0.036, abs=0.0015)
    assert original.clocked.delay_s == pytest.approx(0.036, abs=0.0015)
    assert original.recorded.grey_difference < 7.3
    assert original.delayed.grey_difference < 3.9
    for name in ("road", "field"):
        then, later = original.recorded.remainder[name], original.clocked.remainder[name]
        assert then.light + then.texture == pytest.approx(later.light + later.texture, abs=0.5)
        assert then.misplaced > 1.4 * later.misplaced
