"""How much our camera differs from the original's: pictures recorded at known poses, next to ours from there.

Pictures are compared twice: at the recorded pose, and a part of a step later. In recorded pictures of re:Invent 2018
(version 6), each fitted with a pose of its own, the car is 0.50 of the way to the next recorded pose (median of 418
moving frames, deviation 0.07: 33 ms, deviation 5.5 ms), and 0.54 of the way in yaw. The likely reason is that the state
of a row is the one its previous action was judged by (``steps`` is one behind), while the picture is the newest.
`check_camera` finds the part by itself.

Grey is compared as the network sees it, ours without compression. Classes are told by colour in both pictures, ours
compressed with the recorded file's own tables, because the compression takes colour from what is small.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.bodies import BODY
from racer_env.camera_recording import Compression, Pictures, Recording
from racer_env.car import FRONT_POINT
from racer_env.dynamics import MOTION
from racer_env.kernel import Floats, records
from racer_env.picture_classes import CLASSES, COLOURS, WALL_COLOURS, classify, grey
from racer_env.sensors import Reader, View
from racer_env.sensors.camera import FRONT_FACING_CAMERA, Camera
from racer_env.sensors.ground import Palette
from racer_env.track import Track

Progress = Callable[[str, float], None]  #: what is being done, and how much of it is done, 0 to 1

SHARES = np.linspace(0.0, 1.0, 21)  #: of a step, tried as latency
_CHUNK = 32  #: pictures that are compared at once
_WINDOW = 11  #: pixels, side of the windows of structural similarity and of what counts as smooth


@dataclass(frozen=True)
class Remainder:
    """What is left between the pictures in the places of one class (as we show it)."""

    pixels: float  #: share of all pixels
    difference: float  #: mean absolute grey difference there
    misplaced: float  #: its part from pixels at an edge or of another class in the original: pose, shape
    light: float  #: its part inside surfaces that is smooth: lighting and reflections
    texture: float  #: its part inside surfaces that is fine: texture and JPEG


@dataclass(frozen=True)
class Agreement:
    """Original and ours, over all pictures compared at one latency."""

    latency: float  #: part of a step from the recorded pose to the pose of the picture
    pictures: int
    grey_difference: float  #: mean absolute, of 255
    similarity: float  #: mean structural similarity, 1 for equal pictures
    overlap: Mapping[str, float | None]  #: intersection over union by class; None where neither has it
    remainder: Mapping[str, Remainder]  #: by class
    compression: float  #: mean absolute grey difference that JPEG alone makes to our pictures


@dataclass(frozen=True)
class CameraReport:
    """How the camera compares at the recorded pose, and at the latency that fits best."""

    track: str
    recorded: Agreement
    fitted: Agreement
    latency_s: float | None  #: the fitted latency in seconds, where times were recorded


def check_camera(
    recording: Recording,
    track: Track,
    *,
    camera: Camera = FRONT_FACING_CAMERA,
    latency: float | None = None,
    progress: Progress = lambda _what, _share: None,
) -> CameraReport:
    """Compare our pictures with the original's.

    Args:
        recording: the original's pictures.
        track: where they were taken.
        camera: ours.
        latency: part of a step, 0 to 1, after which the picture was taken; None finds it.
        progress: told how far it is.
    """
    view = Renderer(track, camera)
    fitted = find_latency(recording, view, progress) if latency is None else latency
    again = [_compare(recording, view, share, progress) for share in dict.fromkeys((0.0, fitted))]
    seconds = None if recording.period is None else fitted * recording.period
    return CameraReport(track.name, again[0], again[-1], seconds)


class Renderer:
    """Our camera on a track, in grey and in colour."""

    def __init__(self, track: Track, camera: Camera = FRONT_FACING_CAMERA):
        self.shape = (camera.height, camera.width)
        self._grey = camera.on(track)
        self._colour = [_with_palette(camera, channel).on(track) for channel in range(3)]

    def grey(self, poses: Floats) -> Pictures:
        """Render pictures (n, h, w) from front points and yaws (n, 3)."""
        return self._read(self._grey, poses)

    def colour(self, poses: Floats) -> Pictures:
        """Render pictures (n, h, w, 3) from front points and yaws (n, 3)."""
        return np.stack([self._read(reader, poses) for reader in self._colour], axis=-1)

    def _read(self, reader: Reader, poses: Floats) -> Pictures:
        motion = records(len(poses), MOTION)
        motion.x = poses[:, 0] - FRONT_POINT * np.cos(poses[:, 2])
        motion.y = poses[:, 1] - FRONT_POINT * np.sin(poses[:, 2])
        motion.yaw = poses[:, 2]
        out = np.zeros((len(poses), *self.shape, 1), np.uint8)
        view = View(motion, motion, motion, records((len(poses), 1), BODY))  # neither read
        reader.read(view, np.arange(len(poses)), out)
        return out[..., 0]


def _with_palette(camera: Camera, channel: int) -> Camera:
    shades = {name: colour[channel] for name, colour in COLOURS.items()}
    left, right, bottom, top = (colour[channel] for colour in WALL_COLOURS)
    return replace(camera, palette=Palette(walls=(left, right, bottom, top), **shades))


def find_latency(recording: Recording, renderer: Renderer, progress: Progress = lambda _what, _share: None) -> float:
    """Find the part of a step, 0 to 1, after the recorded pose at which our grey pictures differ least.

    Returns:
        The bottom of the parabola through the best of `SHARES` and its neighbours; 0 where no pose follows another.
    """
    moving = np.isfinite(recording.following[:, 0])
    if not moving.any():
        return 0.0
    theirs = grey(recording.pictures[moving]).astype(np.int16)
    differences = np.empty(len(SHARES))
    for k, share in enumerate(SHARES):
        ours = renderer.grey(poses_after(recording, float(share))[moving])
        differences[k] = np.abs(theirs - ours).mean()
        progress("finding the latency", (k + 1) / len(SHARES))
    best = int(differences.argmin())
    if best in (0, len(SHARES) - 1):
        return float(SHARES[best])
    before, here, after = differences[best - 1 : best + 2]
    return float(SHARES[best] + 0.5 * (before - after) / (before - 2 * here + after) * (SHARES[1] - SHARES[0]))


def poses_after(recording: Recording, share: float) -> Floats:
    """Poses (n, 3) a part of a step after the recorded ones, on the way to the next; NaN where none follows."""
    if share == 0.0:
        return recording.poses
    way = recording.following - recording.poses
    way[:, 2] = np.arctan2(np.sin(way[:, 2]), np.cos(way[:, 2]))
    return recording.poses + share * way


class _Sums:
    """What has been counted over the pictures compared so far."""

    def __init__(self) -> None:
        self.pictures = 0
        self.difference = self.similarity = self.compression = 0.0
        self.classes = np.zeros((len(CLASSES), len(CLASSES)))  #: pixels, original by ours
        self.parts = np.zeros((4, len(CLASSES)))  #: difference, misplaced, light and texture, summed by our class


def _compare(recording: Recording, renderer: Renderer, latency: float, progress: Progress) -> Agreement:
    poses = poses_after(recording, latency)
    which = np.flatnonzero(np.isfinite(poses[:, 0]))
    what = f"comparing {latency:.2f} of a step after the recorded pose"
    sums = _Sums()
    for first in range(0, len(which), _CHUNK):
        some = which[first : first + _CHUNK]
        theirs, colour = recording.pictures[some], renderer.colour(poses[some])
        packed = np.stack([_compress(c, recording.compressions[i]) for c, i in zip(colour, some, strict=True)])
        _add(sums, theirs, packed, renderer.grey(poses[some]))
        sums.compression += float(np.abs(grey(packed).astype(np.int16) - grey(colour)).mean(axis=(1, 2)).sum())
        progress(what, (first + len(some)) / len(which))
    return _agreement(sums, latency)


def _add(sums: _Sums, theirs: Pictures, packed: Pictures, ours: Pictures) -> None:
    """Count some of the original's pictures (k, h, w, 3), our compressed ones and our grey ones (k, h, w)."""
    shades = grey(theirs)
    difference = shades.astype(np.float64) - ours
    said, shown = (np.stack([classify(p) for p in pictures]).astype(np.int64) for pictures in (theirs, packed))
    sums.pictures += len(ours)
    sums.difference += float(np.abs(difference).mean(axis=(1, 2)).sum())
    sums.similarity += float(structural_similarity(shades, ours).sum())
    sums.classes += np.bincount((said * len(CLASSES) + shown).ravel(), minlength=len(CLASSES) ** 2).reshape(
        len(CLASSES), -1
    )
    inside = _inside(shown) & (said == shown)
    smooth = _smooth(difference, inside, shown)
    parts = (np.abs(difference), np.abs(difference) * ~inside, np.abs(smooth), np.abs(difference - smooth) * inside)
    sums.parts += np.stack([np.bincount(shown.ravel(), part.ravel(), len(CLASSES)) for part in parts])


def _agreement(sums: _Sums, latency: float) -> Agreement:
    both = np.diag(sums.classes)
    either = sums.classes.sum(axis=0) + sums.classes.sum(axis=1) - both
    pixels = sums.classes.sum(axis=0)
    remainder = {
        name: Remainder(float(pixels[k] / pixels.sum()), *(sums.parts[:, k] / pixels[k]).tolist())
        for k, name in enumerate(CLASSES)
        if pixels[k]
    }
    return Agreement(
        latency=latency,
        pictures=sums.pictures,
        grey_difference=sums.difference / sums.pictures,
        similarity=sums.similarity / sums.pictures,
        overlap={name: float(both[k] / either[k]) if either[k] else None for k, name in enumerate(CLASSES)},
        remainder=remainder,
        compression=sums.compression / sums.pictures,
    )


def structural_similarity(one: Pictures, other: Pictures) -> Floats:
    """Structural similarity (n,) of grey pictures (n, h, w), as Wang and others define it (2004).

    Windows of 11 x 11 pixels under a Gaussian of 1.5, constants 0.01 and 0.03 of 255, mean over whole windows.
    """
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2)
    weights /= weights.sum()

    def mean(values: Floats) -> Floats:
        return _convolve(_convolve(values, weights, 1), weights, 2)

    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    share = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    share /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return np.asarray(share.mean(axis=(1, 2)))


def _convolve(values: Floats, weights: Floats, axis: int) -> Floats:
    """Weigh each whole window of values along an axis."""
    count = values.shape[axis] - len(weights) + 1
    out = np.zeros([count if k == axis else n for k, n in enumerate(values.shape)])
    for k, weight in enumerate(weights):
        out += weight * values.take(range(k, k + count), axis=axis)
    return out


def _inside(classes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Mark the pixels of (n, h, w) whose eight neighbours are of the same class."""
    wide = np.pad(classes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = classes.shape[1:]
    same = np.ones(classes.shape, np.bool_)
    for down in range(3):
        for right in range(3):
            same &= wide[:, down : down + height, right : right + width] == classes
    return same


def _smooth(difference: Floats, inside: npt.NDArray[np.bool_], classes: npt.NDArray[np.int64]) -> Floats:
    """Mean the difference over windows of 11 x 11 pixels, inside surfaces and over one class at a time."""
    around = ((0, 0), (_WINDOW // 2, _WINDOW // 2), (_WINDOW // 2, _WINDOW // 2))
    flat = np.full(_WINDOW, 1.0 / _WINDOW)
    out = np.zeros_like(difference)
    for k in np.unique(classes):
        here = inside & (classes == k)
        total, count = (
            _convolve(_convolve(np.pad(values, around), flat, 1), flat, 2)
            for values in (difference * here, here.astype(np.float64))
        )
        out[here] = total[here] / count[here]
    return out


def _compress(picture: Pictures, compression: Compression | None) -> Pictures:
    """Send a picture through the JPEG of a recorded one."""
    if compression is None:
        return picture
    file = io.BytesIO()
    tables = [list(compression.tables[k]) for k in sorted(compression.tables)]
    Image.fromarray(picture).save(file, "JPEG", qtables=tables, subsampling=compression.sampling)
    return np.asarray(Image.open(file))
