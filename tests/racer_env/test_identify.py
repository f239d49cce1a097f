"""What is known of the original's motion: how well recordings are replayed, and how a car is identified from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from racer_env import identify
from racer_env.car import CARS, COMMAND, DEEPRACER_V4, DEEPRACER_V5, DEEPRACER_V6, Car, car_records, find_car
from racer_env.dynamics import CONTROL_RATE, MOTION, SUBSTEPS, TIME_STEP, advance
from racer_env.errors import MetadataError, RacerError
from racer_env.identify import Identified, evaluate, evaluate_bands, held_out
from racer_env.kernel import records
from racer_env.recording import Recording, open_recordings
from racer_env.windows import Drives, Estimator, drives_of, replay

DRIVES, ROWS = 24, 60


def driven(car: Car, seed: int = 0) -> Drives:
    """Drives from rest with random commands, each held for a few steps, recorded without noise."""
    draw = np.random.default_rng(seed)
    motion, command = records(DRIVES, MOTION), records(DRIVES, COMMAND)
    poses, commands = np.zeros((DRIVES, ROWS, 3)), np.zeros((DRIVES, ROWS), COMMAND).view(np.recarray)
    for k in range(ROWS):
        change = draw.random(DRIVES) < 0.4
        command.steering_degrees = np.where(change, draw.uniform(-30.0, 30.0, DRIVES), command.steering_degrees)
        command.speed = np.where(change | (k == 0), draw.uniform(0.5, 3.0, DRIVES), command.speed)
        poses[:, k] = np.stack((motion.x, motion.y, motion.yaw), axis=1)
        commands[:, k] = command
        held, steps = np.zeros(DRIVES, np.bool_), np.full(DRIVES, TIME_STEP)
        advance(motion, command, car_records([car] * DRIVES), held, steps, SUBSTEPS)
    stamps = np.tile(np.arange(ROWS) / CONTROL_RATE, DRIVES)
    return Drives(
        poses.reshape(-1, 3), commands.reshape(-1), stamps, np.arange(DRIVES + 1) * ROWS,
        np.ones(DRIVES, np.bool_), np.arange(DRIVES),
    )  # fmt: skip


@pytest.mark.jit
@pytest.mark.parametrize("car", [DEEPRACER_V4, DEEPRACER_V5, DEEPRACER_V6], ids=lambda car: car.name)
def test_a_car_replays_its_own_drives_exactly(car: Car) -> None:
    drives = driven(car)
    errors = replay(drives, np.arange(DRIVES), car, Estimator())
    assert len(errors.starts) == DRIVES * (ROWS - 15)
    assert np.ptp(drives.pose[:, 0]) > 1.0
    assert np.abs(errors.values).max() < 1e-9


@pytest.mark.jit
def test_what_rows_do_not_hold_is_found_from_the_steps_before() -> None:
    drives = driven(DEEPRACER_V4)
    begun = Drives(drives.pose, drives.command, drives.stamp, drives.bounds + 0, ~drives.rested, drives.episode)
    errors = replay(begun, np.arange(DRIVES), DEEPRACER_V4, identify.estimator_of(4)).values[:, 0]
    assert np.median(np.hypot(errors[:, 0], errors[:, 1])) < 2e-3
    assert np.degrees(np.median(np.abs(errors[:, 2]))) < 0.1


def test_late_stamps_do_not_change_the_clock() -> None:
    draw, drives = np.random.default_rng(3), driven(DEEPRACER_V4)
    jitter = Drives(
        drives.pose, drives.command, drives.stamp + draw.normal(0.0, 0.01, len(drives.stamp)), drives.bounds,
        drives.rested, drives.episode,
    )  # fmt: skip
    steps = jitter.steps(Estimator()).reshape(DRIVES, ROWS)[:, :-1]
    np.testing.assert_allclose(steps, 1.0 / CONTROL_RATE)
    followed = jitter.steps(Estimator(follow=0.8)).reshape(DRIVES, ROWS)[:, :-1]
    assert 0.004 < followed.std() < 0.02


@pytest.mark.jit
def test_a_fit_recovers_the_car_that_drove() -> None:
    pytest.importorskip("scipy")
    car = replace(DEEPRACER_V6, name="hidden", version=5)
    guess = replace(car, steering_lag=0.11, wheel_gain=0.97, gyration=0.17)
    shares: list[float] = []
    found = identify.identify(
        driven(car), guess, Estimator(), ("steering_lag", "wheel_gain", "gyration"),
        most=12, progress=lambda share, _: shares.append(share),
    )  # fmt: skip
    for name in found.deviation:
        assert getattr(found.car, name) == pytest.approx(getattr(car, name), rel=0.02)
    assert shares == sorted(shares)
    assert all(0.0 <= value < 0.1 for value in found.deviation.values())
    assert [name for name, _, _ in identify.describe(found)] == ["steering_lag", "wheel_gain", "gyration"]


def test_episodes_are_kept_whole_and_by_seed() -> None:
    drives = driven(DEEPRACER_V4)
    kept = held_out(drives, 0)
    assert kept.sum() == DRIVES // 2
    assert (held_out(drives, 0) == kept).all()
    assert (held_out(drives, 1) != kept).any()


def test_a_car_is_written_and_read_without_loss(tmp_path: Path) -> None:
    for car in CARS.values():
        car.write(tmp_path / "mine.toml", {"grip_along": "± 0.1"})
        assert find_car(str(tmp_path / "mine.toml")) == car
    assert "# ± 0.1" in (tmp_path / "mine.toml").read_text()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("wheelbas = 0.2", "a car has no 'wheelbas'; did you mean 'wheelbase'"),
        ("wheelbase = 'long'", "wheelbase = 'long' must be float"),
        ("wheel_lag = 0.0", "wheel_lag = 0.0 must be more than 0"),
        ("gyration = nan", "gyration = nan must be a finite number"),
        ("version = ", "no car can be read"),
        ("", "lacks the car's name"),
    ],
)
def test_a_file_that_holds_no_car_is_refused_with_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "bad.toml").write_text(line)
    with pytest.raises(MetadataError, match=sentence):
        find_car(str(tmp_path / "bad.toml"))


@pytest.fixture(scope="module")
def recordings(shared: Path) -> list[Recording]:
    return open_recordings([shared / "data" / "traces"], shared / "data" / "tracks")


#: After one second on episodes that were not fitted: cm and degrees, median, then 90 %, measured and 3 to 5 % for luck.
KEPT_TRUE = {4: (6.0, 3.2, 14.9, 8.4), 5: (10.0, 4.95, 25.9, 15.1), 6: (7.0, 3.4, 17.1, 8.8)}


@pytest.mark.jit
@pytest.mark.parametrize("version", [4, 5, 6])
def test_the_original_is_followed_as_closely_as_measured(recordings: list[Recording], version: int) -> None:
    chosen = [recording for recording in recordings if recording.version == version]
    report = evaluate(chosen)
    assert list(report) == ["1", "5", "15"]
    second = report["15"]
    assert second["windows"] > 2000
    centimetres, degrees, far, askew = KEPT_TRUE[version]
    assert second["position_cm"]["median"] < centimetres
    assert second["position_cm"]["p90"] < far
    assert second["yaw_deg"]["median"] < degrees
    assert second["yaw_deg"]["p90"] < askew
    for band in evaluate_bands(chosen).values():
        assert band["15"]["position_cm"]["median"] < 2.0 * centimetres
        assert band["15"]["yaw_deg"]["median"] < 2.0 * degrees


def test_no_window_crosses_a_reset_or_a_penalty(recordings: list[Recording]) -> None:
    for version in (4, 5, 6):
        drives = drives_of([recording for recording in recordings if recording.version == version])
        within = np.ones(len(drives.stamp) - 1, np.bool_)
        within[drives.bounds[1:-1] - 1] = False
        jumps = np.hypot(*np.diff(drives.pose[:, :2], axis=0).T)[within]
        assert jumps.max() < 0.7
        assert np.diff(drives.stamp)[within].max() < 0.25


def test_recordings_of_two_generations_are_no_one_car(recordings: list[Recording]) -> None:
    with pytest.raises(RacerError, match="one version"):
        identify.fit([recordings[0], recordings[-1]])


@pytest.mark.slow
@pytest.mark.jit
def test_a_user_fits_a_car_from_a_log(recordings: list[Recording], tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    chosen = [recording for recording in recordings if recording.name == "v6_spain_eval"]
    found = identify.fit(chosen, tmp_path / "spain.toml", free=("wheel_gain", "steering_lag"), most=4)
    assert isinstance(found, Identified)
    assert find_car(str(tmp_path / "spain.toml")) == found.car
    assert found.car.name == "spain"
    assert found.car.wheel_gain == pytest.approx(1.03, abs=0.05)
