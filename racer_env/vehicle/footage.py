"""Pictures of a real camera, from a folder of pictures, a single one, or a video."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from racer_env.errors import RacerError
from racer_env.vehicle.camera import Picture

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")

_ONLY_FILES = ("-loglevel", "error", "-protocol_whitelist", "file")  #: a video must not make ffmpeg ask the network
_PPM = ("-an", "-f", "image2pipe", "-c:v", "ppm", "-")


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
        RacerError: there is nothing to see, or a file cannot be read, or a video without the extra ``video``.
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
    """Let ffmpeg write each frame as PPM: three lines of ``P6``, width and height, and 255; then the pixels."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415 (an extra)

        command = [get_ffmpeg_exe(), *_ONLY_FILES, "-i", f"file:{file}", *_PPM]
    except (ImportError, RuntimeError) as error:
        raise RacerError(f"{file} is a video, which needs: pip install 'racer18[video]'") from error
    count, quiet = 0, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet) as ffmpeg:  # noqa: S603
        assert ffmpeg.stdout
        try:
            while ffmpeg.stdout.readline() == b"P6\n":
                width, height = map(int, ffmpeg.stdout.readline().split())
                ffmpeg.stdout.readline()
                data = ffmpeg.stdout.read(3 * width * height)
                if len(data) < 3 * width * height:
                    break
                yield f"frame {count}", np.frombuffer(data, np.uint8).reshape(height, width, 3)
                count += 1
        finally:
            ffmpeg.kill()
    if not count:
        raise RacerError(f"{file} cannot be read as a video")
