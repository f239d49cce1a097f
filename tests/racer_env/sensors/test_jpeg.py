"""What JPEG leaves of a grey picture is what Pillow's leaves, to the bit."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from racer_env.sensors.jpeg import through_jpeg

Picture = npt.NDArray[np.uint8]


def through_pillow(picture: Picture, quality: int) -> Picture:
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "JPEG", quality=quality)
    return np.asarray(Image.open(packed))


def grey_pictures(height: int, width: int) -> Picture:
    """Noise, stripes as hard as can be, a slope, and one shade (4, h, w)."""
    draw = np.random.default_rng(height)
    stripes = 255 * (np.arange(width) // 3 % 2) * np.ones((height, 1))
    slope = np.add.outer(np.arange(height), 3 * np.arange(width)) % 256
    kinds = (draw.integers(0, 256, (height, width)), stripes, slope, np.full((height, width), 255))
    return np.stack(kinds).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(16, 24), (8, 8), (67, 29), (1, 1), (40, 56)])
@pytest.mark.parametrize("quality", [1, 2, 25, 49, 50, 51, 80, 94, 95])
def test_grey_pictures_are_those_of_pillow(height: int, width: int, quality: int) -> None:
    pictures = grey_pictures(height, width)
    made = pictures[..., None].copy()
    through_jpeg(made, np.arange(len(made)), np.full(len(made), quality))
    assert quality > 94 or height == 1 or (made[..., 0] != pictures).any()
    for picture, one in zip(pictures, made[..., 0], strict=True):
        np.testing.assert_array_equal(one, through_pillow(picture, quality))


def test_only_what_is_asked_for_changes_and_every_picture_has_its_own_quality() -> None:
    pictures = np.stack([grey_pictures(16, 24)[0]] * 4)[..., None]
    made = pictures.copy()
    through_jpeg(made, np.array([3, 1]), np.array([10, 90]))
    np.testing.assert_array_equal(made[[0, 2]], pictures[[0, 2]])
    np.testing.assert_array_equal(made[3, ..., 0], through_pillow(pictures[3, ..., 0], 10))
    np.testing.assert_array_equal(made[1, ..., 0], through_pillow(pictures[1, ..., 0], 90))


def test_two_channels_are_two_grey_pictures_and_three_are_one_in_colour() -> None:
    first, second, third, _ = grey_pictures(16, 24)
    two, three = np.stack([first, second], axis=-1)[None], np.stack([first, second, third], axis=-1)[None]
    colour = through_pillow(three[0], 60)
    for pictures in (two, three):
        through_jpeg(pictures, np.zeros(1, np.int64), np.full(1, 60))
    np.testing.assert_array_equal(two[0, ..., 1], through_pillow(second, 60))
    np.testing.assert_array_equal(three[0], colour)
