"""Moving pictures as files: MP4 (H.264) by ffmpeg, which the extra ``video`` brings, and GIF by Pillow.

A file appears whole or not at all. A GIF counts hundredths of a second, so that of 15 pictures a second each lasts 6 or
7 of them, and has 256 colours for all its pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.errors import RacerError
from racer_env.render.palette import Colour

Frame = npt.NDArray[np.uint8]

QUALITY = 8  #: of imageio-ffmpeg, 0 to 10
COLOURS = 256  #: of a GIF

MISSING = 'MP4 needs ffmpeg: pip install "racer18[video]", or choose a name that ends in .gif'


def write_mp4(frames: Iterable[Frame], path: Path, size: tuple[int, int], rate: float) -> None:
    """Write frames, uint8 (h, w, 3), as MP4.

    Args:
        frames: in order.
        path: where; its folder must exist.
        size: w and h, px, both even.
        rate: frames a second.

    Raises:
        RacerError: ffmpeg is not installed, or the file cannot be written.
    """
    try:
        from imageio_ffmpeg import write_frames  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise RacerError(MISSING) from error
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
    _check_folder(path)
    writer = write_frames(
        str(temporary), size, fps=rate, quality=QUALITY, macro_block_size=2, output_params=["-movflags", "+faststart"]
    )
    try:
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        raise RacerError(f"the video {path} cannot be written: {_reason(error)}") from error
    finally:
        writer.close()
        temporary.unlink(missing_ok=True)


def write_gif(frames: Iterable[Frame], path: Path, width: int, rate: float, colours: Sequence[Colour] = ()) -> None:
    """Write frames, uint8 (h, w, 3), as a GIF that repeats.

    Args:
        frames: in order; at least one.
        path: where; its folder must exist.
        width: px, to which they are scaled.
        rate: frames a second.
        colours: that it must have, fewer than `COLOURS`; the others are those of the first frame.

    Raises:
        RacerError: the file cannot be written.
    """
    _check_folder(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pictures = _coloured(frames, width, colours)
        first = next(pictures)
        rest = list(pictures)
        first.save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=_durations(len(rest) + 1, rate),
            loop=0,
        )
        temporary.replace(path)
    except OSError as error:
        raise RacerError(f"the picture {path} cannot be written: {_reason(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _coloured(frames: Iterable[Frame], width: int, colours: Sequence[Colour]) -> Iterator[Image.Image]:
    """Frames at their new size, all in one palette."""
    palette: Image.Image | None = None
    for frame in frames:
        picture = Image.fromarray(frame)
        size = (width, round(picture.height * width / picture.width))
        small = picture.resize(size, Image.Resampling.LANCZOS) if width != picture.width else picture
        palette = palette or _palette(small, colours)
        yield small.quantize(palette=palette, dither=Image.Dither.NONE)


def _palette(picture: Image.Image, colours: Sequence[Colour]) -> Image.Image:
    """A picture that has a palette of some colours, and those that suit a picture best."""
    suiting = picture.quantize(COLOURS - len(colours)).getpalette() or []
    holder = Image.new("P", (1, 1))
    holder.putpalette([*(share for colour in colours for share in colour), *suiting])
    return holder


def _durations(count: int, rate: float) -> list[int]:
    """Milliseconds of each frame, whole hundredths of a second that add up to the time."""
    ends = [round(100.0 * (k + 1) / rate) for k in range(count)]
    return [10 * (end - begin) for begin, end in zip([0, *ends], ends, strict=False)]


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise RacerError(f"{path} cannot be written: there is no folder {path.parent}")


def _reason(error: OSError | RuntimeError) -> str:
    return getattr(error, "strerror", None) or str(error).strip().splitlines()[-1]
