"""Pictures recorded by the original's camera, with the car's pose at each.

A folder of them has a ``poses.csv`` with the columns ``img`` (file name), ``x`` and ``y`` (m, front point of the car,
as reward functions see it), ``heading`` (degrees) and, if there are such, ``steps`` (rows with 0 have no state and are
left out), ``run`` and ``sim_time`` (s). Rows follow each other while their steps count up by one in the same run;
without times, they are taken to be 1/15 s apart.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin, UnidentifiedImageError
from scipy.interpolate import PchipInterpolator

from racer_env.errors import RacerError
from racer_env.kernel import Floats, Ints

Pictures = npt.NDArray[np.uint8]

POSES = "poses.csv"
RATE = 15.0  #: Hz, of steps and pictures


class RecordingError(RacerError):
    """Recorded pictures or their poses that cannot be used."""


class Compression(NamedTuple):
    """How a JPEG was compressed."""

    tables: Mapping[int, Sequence[int]]  #: quantisation
    sampling: int  #: of colour, as Pillow numbers it


@dataclass(frozen=True, eq=False)
class Recording:
    """n pictures of the original, and where the car was."""

    names: tuple[str, ...]
    pictures: Pictures  #: (n, h, w, 3)
    compressions: tuple[Compression | None, ...]  #: (n,) None where the pixels did not come straight from a JPEG
    poses: Floats  #: (n, 3) front point x, y (m) and yaw (rad)
    times: Floats  #: (n,) s, of the poses
    stretches: Ints  #: (n,) number of the stretch of rows that follow each other


def read_recording(folder: Path, size: tuple[int, int] = (160, 120)) -> Recording:
    """Read recorded pictures and their poses, the pictures shrunk to `size` (width, height) as the original does.

    Raises:
        RecordingError: a file is missing or broken, a column is missing, a value is no number, or no row has a state.
    """
    file = folder / POSES
    rows = [row for row in _rows(file) if _number(file, row, "steps", 1.0) > 0.0]
    if not rows:
        raise RecordingError(f"{file}: no row has a state (steps is 0 in all of them)")
    shots = [_picture(folder / row["img"], size) for row in rows]
    values = [[_number(file, row, key) for key in ("x", "y", "heading")] for row in rows]
    poses = np.array(values) * (1.0, 1.0, math.pi / 180.0)
    runs, steps, times = (
        np.array([_number(file, row, key, default) for row in rows])
        for key, default in (("run", 0.0), ("steps", math.nan), ("sim_time", math.nan))
    )
    steps = np.where(np.isnan(steps), np.arange(len(rows)), steps)
    times = np.where(np.isnan(times), steps / RATE, times)
    broken = (np.diff(runs) != 0.0) | (np.diff(steps) != 1.0) | (np.diff(times) <= 0.0)
    return Recording(
        names=tuple(row["img"] for row in rows),
        pictures=np.stack([picture for picture, _ in shots]),
        compressions=tuple(compression for _, compression in shots),
        poses=poses,
        times=times,
        stretches=np.concatenate(([0], np.cumsum(broken))),
    )


def poses_at(recording: Recording, times: Floats) -> Floats:
    """Poses (n, 3) at other times (n,), s, each within its stretch; not numbers before its first and after its last.

    Interpolated by monotone cubics (Fritsch and Carlson), which do not overshoot.
    """
    poses = np.full_like(recording.poses, np.nan)
    for stretch in np.unique(recording.stretches):
        here = np.flatnonzero(recording.stretches == stretch)
        if here.size > 1:
            known = np.column_stack((recording.poses[here, :2], np.unwrap(recording.poses[here, 2])))
            poses[here] = PchipInterpolator(recording.times[here], known, extrapolate=False)(times[here])
    return poses


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            rows = [{"line": str(reader.line_num), **row} for row in reader]
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV file"
        raise RecordingError(f"the poses {file} cannot be read: {reason}") from error
    missing = [key for key in ("img", "x", "y", "heading") if key not in columns]
    if missing:
        raise RecordingError(f"{file} has no column {missing[0]!r}; img, x, y and heading are needed")
    return rows


def _number(file: Path, row: Mapping[str, str], key: str, default: float | None = None) -> float:
    text = row.get(key)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RecordingError(f"{file}, line {row['line']}: {key} is {text!r}, and must be a number")
    return value


def _picture(file: Path, size: tuple[int, int]) -> tuple[Pictures, Compression | None]:
    try:
        with Image.open(file) as image:
            colour = image.convert("RGB")
            compression = None
            if isinstance(image, JpegImagePlugin.JpegImageFile) and image.size == size:
                compression = Compression(image.quantization, JpegImagePlugin.get_sampling(image))
    except (OSError, UnidentifiedImageError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else "it is no picture"
        raise RecordingError(f"the picture {file} cannot be read: {reason}") from error
    (width, height), (wide, high) = colour.size, size
    if width * high != height * wide or width < wide:
        raise RecordingError(f"the picture {file} is {width} x {height} pixels, and must be {wide} x {high}")
    shrunk = colour if colour.size == size else colour.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(shrunk), compression
