"""What a driver on the real car sees of a picture: its pre-processing (``camera_node.cpp``, ``image_process.cpp``).

A picture of any size is shrunk to 160 x 120 with OpenCV's ``INTER_LINEAR`` and made grey by BT.601. That filter looks
at four pixels only, however much it shrinks, so that thin lines break up; the simulator's camera averages all pixels
(``racer_env.sensors.picture``). The custom software sends the small picture as JPEG from node to node.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 160, 120  #: px, ``MODEL_WIDTH`` and ``MODEL_HEIGHT``
JPEG_QUALITY = 95  #: OpenCV's default, which the custom software uses


def seen_by_car(picture: Picture, jpeg: bool = False) -> Picture:
    """Give what the network gets of a picture.

    Args:
        picture: (h, w, 3), red, green, blue, or grey (h, w).
        jpeg: pack and unpack the small picture as JPEG, as the custom software does.

    Returns:
        Grey (120, 160, 1).
    """
    small = shrunk(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2))
    if jpeg:
        packed = io.BytesIO()
        Image.fromarray(small).save(packed, "JPEG", quality=JPEG_QUALITY)
        small = np.asarray(Image.open(packed))
    return grey(small)[..., None]


def shrunk(picture: Picture) -> Picture:
    """Resize (h, w, c) to (120, 160, c) as ``cv2.resize`` with ``INTER_LINEAR`` does, to one level."""
    if picture.shape[:2] == (HEIGHT, WIDTH):
        return picture
    (top, down), (left, right) = _taps(picture.shape[0], HEIGHT), _taps(picture.shape[1], WIDTH)
    rows = _mixed(picture[top[0]], picture[top[1]], down[:, None, None])
    return _rounded(_mixed(rows[:, left[0]], rows[:, left[1]], right[None, :, None]))


def _taps(have: int, want: int) -> tuple[tuple[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """Give which two of `have` pixels each of `want` lies between, and how near to the second."""
    centre = np.clip((np.arange(want) + 0.5) * (have / want) - 0.5, 0.0, have - 1.0)
    first = centre.astype(np.int64)
    return (first, np.minimum(first + 1, have - 1)), (centre - first).astype(np.float32)


def _mixed(a: npt.NDArray[Any], b: npt.NDArray[Any], share: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(a * (1.0 - share) + b * share, np.float32)


def _rounded(values: npt.NDArray[np.float32]) -> Picture:
    return np.asarray(np.floor(values + 0.5), np.uint8)  # halves go up, as in OpenCV


def grey(picture: Picture) -> Picture:
    """Turn (h, w, 3), red, green, blue, to grey (h, w) as ``cv2.cvtColor`` does: BT.601, rounded."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return _rounded(picture.astype(np.float32) @ weights)
