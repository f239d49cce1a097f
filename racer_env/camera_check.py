"""How much our camera differs from the original's: pictures recorded at known poses, next to ours from there.

Pictures are compared three times: at the recorded pose, some time later, and at the ticks of the camera's own clock.
In recorded pictures of re:Invent 2018 (version 6) the car is half a step on the way to the next recorded pose: the
state of a row is the one its previous action was judged by (``steps`` is one behind), while the picture is newer. One
delay for all pictures leaves a deviation of 8 ms, because steps take 45 to 112 ms while the camera keeps a period of
its own: at 15 Hz in a world of 1 ms steps, 66 ms, which is also what the pictures say (0.0660 s, deviation 0.00005).
`check_camera` finds the delay, and the phase of the clock in each stretch of rows, by itself.

Measured so, over 463 pictures, with the goals in brackets:

======================================= ================ =========== =========
                                        at recorded pose 36 ms later at ticks
======================================= ================ =========== =========
mean absolute grey difference, of 255   7.28 (6: missed) 3.81        3.62
structural similarity                   0.825            0.909       0.916
overlap of road                         0.917 (0.97: no) 0.971       0.975
overlap of border                       0.588 (0.85: no) 0.855       0.865
overlap of dashes                       0.075 (0.75: no) 0.684       0.773
======================================= ================ =========== =========

The recorded pose misses all four goals, because it is not where the picture was taken: a dash is half a step long. At
the ticks all are met. Of what is left, JPEG alone makes 1.1; on the road, 1.1 is misplaced (a few millimetres between
the poses that are known), 1.1 is light (far surfaces) and 2.0 the texture of the asphalt, which we do not have.

Grey is compared as the network sees it, ours without compression. Classes are told by colour in both pictures, ours
compressed with the recorded file's own tables, because the compression takes colour from what is small.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.bodies import BODY
from racer_env.camera_recording import Compression, Pictures, Recording, poses_at
from racer_env.car import FRONT_POINT
from racer_env.dynamics import MOTION
from racer_env.kernel import Floats, Ints, records
from racer_env.picture_classes import CLASSES, classify, grey
from racer_env.sensors import View
from racer_env.sensors.camera import FRONT_FACING_CAMERA, Camera, CameraReader
from racer_env.track import Track

Progress = Callable[[str, float], None]  #: what is being done, and how much of it is done, 0 to 1

PERIOD = 0.066  #: s, of the original's camera
_TRIES = np.arange(0.0, PERIOD, 0.003)  #: s, tried as delay and as phase
_FINER = np.arange(-0.003, 0.004, 0.001)  #: s, then tried around the best
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
    """Original and ours, over all pictures compared."""

    delay_s: float  #: s, mean time from the recorded pose to the pose of the picture
    pictures: int
    grey_difference: float  #: mean absolute, of 255
    similarity: float  #: mean structural similarity, 1 for equal pictures
    overlap: Mapping[str, float | None]  #: intersection over union by class; None where neither has it
    remainder: Mapping[str, Remainder]  #: by class
    compression: float  #: mean absolute grey difference that JPEG alone makes to our pictures


@dataclass(frozen=True)
class CameraReport:
    """How the camera compares at the recorded pose, at the delay that fits best, and at the ticks of its clock."""

    track: str
    recorded: Agreement
    delayed: Agreement
    clocked: Agreement


def check_camera(
    recording: Recording,
    track: Track,
    *,
    camera: Camera = FRONT_FACING_CAMERA,
    progress: Progress = lambda _what, _share: None,
) -> CameraReport:
    """Compare our pictures with the original's.

    Args:
        recording: the original's pictures.
        track: where they were taken.
        camera: ours.
        progress: told how far it is.
    """
    renderer = Renderer(track, camera)
    delay = find_delay(recording, renderer, progress)
    moments = {
        "at the recorded pose": np.zeros(len(recording.times)),
        f"{1000 * delay:.0f} ms later": np.full(len(recording.times), delay),
        "at the camera's ticks": find_ticks(recording, renderer, delay, progress) - recording.times,
    }
    again = [_compare(recording, renderer, delays, what, progress) for what, delays in moments.items()]
    return CameraReport(track.name, *again)


class Renderer:
    """Our camera on a track, in grey and in colour."""

    def __init__(self, track: Track, camera: Camera = FRONT_FACING_CAMERA):
        self.shape = (camera.height, camera.width)
        self.horizon = int((camera.lens().down <= 0.0).sum())  #: rows that look upwards
        self._grey = camera.on(track)
        self._colour = replace(camera, colour=True).on(track)

    def grey(self, poses: Floats) -> Pictures:
        """Render pictures (n, h, w) from front points and yaws (n, 3)."""
        return self._read(self._grey, poses)[..., 0]

    def colour(self, poses: Floats) -> Pictures:
        """Render pictures (n, h, w, 3) from front points and yaws (n, 3)."""
        return self._read(self._colour, poses)

    def _read(self, reader: CameraReader, poses: Floats) -> Pictures:
        motion = records(len(poses), MOTION)
        motion.x = poses[:, 0] - FRONT_POINT * np.cos(poses[:, 2])
        motion.y = poses[:, 1] - FRONT_POINT * np.sin(poses[:, 2])
        motion.yaw = poses[:, 2]
        out = np.zeros((len(poses), *self.shape, len(reader.scenes)), np.uint8)
        view = View(motion, motion, motion, records((len(poses), 1), BODY))  # neither read
        reader.read(view, np.arange(len(poses)), out)
        return out


def find_delay(recording: Recording, renderer: Renderer, progress: Progress = lambda _what, _share: None) -> float:
    """Find the time, s, after the recorded poses at which our grey pictures differ least; 0 where no pose follows."""
    theirs = grey(recording.pictures).astype(np.int16)

    def differ(delay: float) -> Floats:
        progress("finding the delay", delay / PERIOD)
        return _differences(recording, theirs, renderer, recording.times + delay)

    delay = float(_best(differ, np.zeros(len(theirs), np.int64))[0])
    return delay if np.isfinite(delay) else 0.0


def find_ticks(
    recording: Recording, renderer: Renderer, delay: float, progress: Progress = lambda _what, _share: None
) -> Floats:
    """Find the times (n,), s, of a clock of `PERIOD` near a delay after the poses, at which our pictures differ least.

    The clock has a phase of its own in each stretch of rows.
    """
    theirs = grey(recording.pictures).astype(np.int16)

    def differ(phase: float) -> Floats:
        progress("finding the camera's clock", phase / PERIOD)
        return _differences(recording, theirs, renderer, _ticks(recording.times + delay, phase))

    return _ticks(recording.times + delay, _best(differ, recording.stretches))


def _ticks(times: Floats, phase: Floats | float) -> Floats:
    """Move times to the nearest ticks; they stay where they are without a phase."""
    ticks = phase + PERIOD * np.round((times - phase) / PERIOD)
    return np.where(np.isfinite(ticks), ticks, times)


def _best(differ: Callable[[float], Floats], groups: Ints) -> Floats:
    """Find for the group of each picture (n,) the try with the least mean difference; not a number if none has any."""
    coarse = _lowest(_TRIES, [differ(float(at)) for at in _TRIES], groups)
    out = np.full(len(groups), np.nan)
    for group in np.unique(groups):
        here = groups == group
        if np.isfinite(coarse[here][0]):
            around = coarse[here][0] + _FINER
            out[here] = _lowest(around, [differ(float(at)) for at in around], groups)[here]
    return out


def _lowest(tries: Floats, differences: Sequence[Floats], groups: Ints) -> Floats:
    table, out = np.stack(differences), np.full(len(groups), np.nan)
    for group in np.unique(groups):
        known = (groups == group) & np.isfinite(table).all(axis=0)
        if known.any():
            out[groups == group] = tries[table[:, known].mean(axis=1).argmin()]
    return out


def _differences(recording: Recording, theirs: npt.NDArray[np.int16], renderer: Renderer, times: Floats) -> Floats:
    """Mean absolute grey differences (n,) of our pictures at other times; not numbers where there is no pose."""
    poses = poses_at(recording, times)
    known = np.isfinite(poses[:, 0])
    out = np.full(len(times), np.nan)
    out[known] = np.abs(theirs[known] - renderer.grey(poses[known])).mean(axis=(1, 2))
    return out


class _Sums:
    """What has been counted over the pictures compared so far."""

    def __init__(self) -> None:
        self.pictures = 0
        self.difference = self.similarity = self.compression = 0.0
        self.classes = np.zeros((len(CLASSES), len(CLASSES)))  #: pixels, original by ours
        self.parts = np.zeros((4, len(CLASSES)))  #: difference, misplaced, light and texture, summed by our class


def _compare(recording: Recording, renderer: Renderer, delays: Floats, what: str, progress: Progress) -> Agreement:
    poses = recording.poses if not delays.any() else poses_at(recording, recording.times + delays)
    which = np.flatnonzero(np.isfinite(poses[:, 0]))
    sums = _Sums()
    for first in range(0, len(which), _CHUNK):
        some = which[first : first + _CHUNK]
        theirs, colour = recording.pictures[some], renderer.colour(poses[some])
        packed = np.stack([_compress(c, recording.compressions[i]) for c, i in zip(colour, some, strict=True)])
        _add(sums, theirs, packed, renderer.grey(poses[some]), renderer.horizon)
        sums.compression += float(np.abs(grey(packed).astype(np.int16) - grey(colour)).mean(axis=(1, 2)).sum())
        progress(f"comparing {what}", (first + len(some)) / len(which))
    return _agreement(sums, float(delays[which].mean()))


def _add(sums: _Sums, theirs: Pictures, packed: Pictures, ours: Pictures, horizon: int) -> None:
    """Count some of the original's pictures (k, h, w, 3), our compressed ones and our grey ones (k, h, w)."""
    shades = grey(theirs)
    difference = shades.astype(np.float64) - ours
    said, shown = (np.stack([classify(p, horizon) for p in pictures]).astype(np.int64) for pictures in (theirs, packed))
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


def _agreement(sums: _Sums, delay: float) -> Agreement:
    both = np.diag(sums.classes)
    either = sums.classes.sum(axis=0) + sums.classes.sum(axis=1) - both
    pixels = sums.classes.sum(axis=0)
    remainder = {
        name: Remainder(float(pixels[k] / pixels.sum()), *(sums.parts[:, k] / pixels[k]).tolist())
        for k, name in enumerate(CLASSES)
        if pixels[k]
    }
    return Agreement(
        delay_s=delay,
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
