"""Pictures of a real camera, from a folder of pictures, a single one, or a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from racer_env.errors import RacerError
from racer_env.vehicle.camera import Picture

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


def picture_names(path: Path) -> list[Path]:
    """Give the pictures of a folder in the order of their numbers. Raises `RacerError` if there are none."""
    names = [file for file in path.iterdir() if file.suffix.lower() in PICTURES and not file.name.startswith(".")]
    if not names:
        raise RacerError(f"{path} holds no pictures; they end in {', '.join(PICTURES)}")
    return sorted(
        names, key=lambda file: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.name)]
    )


def read_footage(path: Path) -> Iterator[tuple[str, Picture]]:
    """Give the pictures (h, w, 3) of a folder, a picture or a video one after the other, each with its name.

    Raises:
        RacerError: there is nothing to see, or a file cannot be read, or a video without OpenCV.
    """
    if path.is_dir():
        for file in picture_names(path):
            yield file.name, _read_picture(file)
    elif not path.exists():
        raise RacerError(f"{path} does not exist; give a folder of pictures, a picture or a video")
    elif path.suffix.lower() in PICTURES:
        yield path.name, _read_picture(path)
    elif path.suffix.lower() in VIDEOS:
        yield from _read_video(path)
    else:
        raise RacerError(f"{path} is neither a folder nor ends in one of {', '.join(PICTURES + VIDEOS)}")


def _read_picture(file: Path) -> Picture:
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise RacerError(f"{file} cannot be read as a picture") from error


def _read_video(file: Path) -> Iterator[tuple[str, Picture]]:
    try:
        import cv2  # noqa: PLC0415
    except ImportError as error:
        raise RacerError(f"{file} is a video, which needs OpenCV: pip install 'racer18[car]'") from error
    video, count = cv2.VideoCapture(str(file)), 0
    try:
        while True:
            there, picture = video.read()
            if not there:
                break
            yield f"frame {count}", np.ascontiguousarray(picture[..., ::-1])
            count += 1
    finally:
        video.release()
    if not count:
        raise RacerError(f"{file} cannot be read as a video")
