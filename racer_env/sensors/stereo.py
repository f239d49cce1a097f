"""Two cameras beside each other, seen as one picture of two channels, left first.

The original turns each of them grey by Pillow's luma (ITU-R 601: 0.299, 0.587, 0.114), which rounds; ours cuts the
decimals as its other cameras do, half a shade less on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from racer_env.kernel import Ints
from racer_env.sensors import Reader, View
from racer_env.sensors.camera import Camera
from racer_env.track import Track

_LEFT, _RIGHT = Camera(left=0.03), Camera(left=-0.03)


@dataclass(frozen=True)
class StereoReader:
    """Two cameras on a track."""

    readers: tuple[Reader, Reader]  #: left, right

    def read(self, view: View, which: Ints, out: npt.NDArray[np.uint8]) -> None:
        """Write the pictures of the cars `which` (k,) into `out` (n, h, w, 2), left first."""
        for channel, reader in enumerate(self.readers):
            reader.read(view, which, out[..., channel : channel + 1])


@dataclass(frozen=True)
class Stereo:
    """Two grey cameras that see the same colours."""

    left: Camera = _LEFT
    right: Camera = _RIGHT
    name: str = "STEREO_CAMERAS"

    def space(self) -> spaces.Box:
        """Two pictures (h, w, 2) of uint8, left first."""
        return spaces.Box(0, 255, (self.left.height, self.left.width, 2), np.uint8)

    def on(self, track: Track) -> StereoReader:
        """Paint the track's floor once and mount both for it."""
        left = self.left.on(track)
        return StereoReader((left, self.right.beside(left)))


STEREO_CAMERAS = Stereo()
