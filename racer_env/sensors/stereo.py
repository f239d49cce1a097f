"""Two cameras beside each other, seen as one picture of two channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.kernel import Ints
from racer_env.sensors import Reader, View
from racer_env.sensors.camera import LEFT_CAMERA, Camera
from racer_env.track import Track


@dataclass(frozen=True)
class StereoReader:
    """Two cameras on a track."""

    readers: tuple[Reader, Reader]  #: left, right

    def read(self, view: View, which: Ints, out: npt.NDArray[np.uint8]) -> None:
        """Write the pictures of the cars `which` (k,) into `out` (n, h, w, 2), left first."""
        for channel, reader in enumerate(self.readers):
            one = np.empty((*out.shape[:-1], 1), np.uint8)
            reader.read(view, which, one)
            out[which, ..., channel] = one[which, ..., 0]


@dataclass(frozen=True)
class Stereo:
    """Two grey cameras."""

    left: Camera = LEFT_CAMERA
    right: Camera = Camera(left=-0.03)
    name: str = "STEREO_CAMERAS"

    def space(self) -> spaces.Box:
        """Two pictures (h, w, 2) of uint8, left first."""
        return spaces.Box(0, 255, (self.left.height, self.left.width, 2), np.uint8)

    def on(self, track: Track) -> Reader:
        """Mount both for a track."""
        return StereoReader((self.left.on(track), self.right.on(track)))


STEREO_CAMERAS = Stereo()
