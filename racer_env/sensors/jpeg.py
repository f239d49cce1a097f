"""What is left of a picture that was sent as JPEG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image


def through_jpeg(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """Pack and unpack a grey picture (h, w), or one in colour (h, w, 3), with a quality of 1 to 95 as in libjpeg."""
    packed = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(packed, "JPEG", quality=quality)
    return np.asarray(Image.open(packed))
