"""Moving pictures as files: MP4 (H.264) by ffmpeg, which the extra ``video`` brings, and GIF by Pillow.

A file appears whole or not at all. A GIF counts hundredths of a second, so that of 15 pictures a second each lasts 6 or
7 of them, and has 256 colours for all its pictures.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.errors import RacerError
from racer_env.render.palette import Colour

Frame = npt.NDArray[np.uint8]

COLOURS = 256  #: of a GIF

_RAW = ("-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24")
_H264 = ("-an", "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart")

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
        from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415 (an extra)

        command = [get_ffmpeg_exe(), *_RAW, "-s", f"{size[0]}x{size[1]}", "-r", f"{rate:.6f}", "-i", "-", *_H264]
    except (ImportError, RuntimeError) as error:
        raise RacerError(MISSING) from error
    with _whole(path) as temporary, tempfile.TemporaryFile() as said:
        asked = [*command, f"file:{temporary}"]  # else a colon in a name would be that of a protocol
        with subprocess.Popen(asked, stdin=subprocess.PIPE, stderr=said) as ffmpeg:  # noqa: S603 (imageio's own)
            try:
                _feed(ffmpeg, frames)
            except BaseException:
                ffmpeg.kill()
                raise
            finally:
                ffmpeg.communicate()
        if ffmpeg.returncode:
            said.seek(0)
            words = said.read().decode(errors="replace").strip().splitlines() or ["it gives no reason"]
            raise RacerError(f"the video {path} cannot be written; ffmpeg stopped: {words[-1]}")


def _feed(ffmpeg: subprocess.Popen[bytes], frames: Iterable[Frame]) -> None:
    """Hand frames over, until the last one or until nobody takes them: then the exit status says why."""
    assert ffmpeg.stdin
    for frame in frames:
        try:
            ffmpeg.stdin.write(np.ascontiguousarray(frame).data)
        except OSError:
            return


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
    pictures = list(_coloured(frames, width, colours))
    lasting = _durations(len(pictures), rate)
    with _whole(path) as temporary:
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=lasting, loop=0)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a name to write to; what is there at the end becomes `path`, and nothing does after an error."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    if not path.parent.is_dir():
        raise RacerError(f"{path} cannot be written: there is no folder {path.parent}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise RacerError(f"{path} cannot be written: {error.strerror}") from error
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
