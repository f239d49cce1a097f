"""Laws of what the car's network sees: OpenVINO gets what OpenCV made, to one level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from racer_env.vehicle.camera import grey, seen_by_car, shrunk


def picture(height: int, width: int, seed: int = 0) -> Any:
    """Give stripes, edges and noise (h, w, 3)."""
    out = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    out[: height // 2] = (np.arange(width) * 3 % 256).astype(np.uint8)[None, :, None]
    out[height // 3 : height // 2, :, 1] = 255
    return out


@pytest.mark.parametrize("size", [(480, 640), (120, 160), (240, 320), (1232, 1640), (97, 131), (60, 80)])
def test_a_picture_is_shrunk_and_made_grey_as_opencv_does_it(size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    theirs = cv2.resize(picture(*size)[..., ::-1], (160, 120))
    np.testing.assert_allclose(shrunk(picture(*size)).astype(int), theirs[..., ::-1].astype(int), atol=1)
    grey_theirs = cv2.cvtColor(theirs, cv2.COLOR_BGR2GRAY)
    difference = np.abs(seen_by_car(picture(*size))[..., 0].astype(int) - grey_theirs.astype(int))
    assert difference.max() <= 1
    assert difference.mean() < 0.2


def test_of_every_four_by_four_pixels_the_car_averages_the_middle_four() -> None:
    large = picture(480, 640)
    blocks = large.reshape(120, 4, 160, 4, 3)[:, 1:3, :, 1:3].astype(float).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk(large), blocks, atol=0.5)


def test_grey_is_bt_601() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 10, 10]]], np.uint8)
    assert grey(colours).tolist() == [[76, 150, 29, 255, 10]]


def test_jpeg_changes_a_picture_a_little_and_a_plain_one_not_at_all() -> None:
    plain = np.full((480, 640, 3), 128, np.uint8)
    np.testing.assert_array_equal(seen_by_car(plain, jpeg=True), seen_by_car(plain))
    smooth = np.repeat((np.add.outer(np.arange(480), np.arange(640)) / 4.4).astype(np.uint8)[..., None], 3, axis=2)
    difference = np.abs(seen_by_car(smooth, jpeg=True).astype(int) - seen_by_car(smooth).astype(int))
    assert 0 < difference.mean() < 2


def test_a_grey_picture_is_seen_as_it_is() -> None:
    values = picture(120, 160)[..., 0]
    np.testing.assert_array_equal(seen_by_car(values)[..., 0], values)
    assert seen_by_car(values).shape == (120, 160, 1)
