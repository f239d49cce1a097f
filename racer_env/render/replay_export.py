"""A replay as a file to look at: a video, an animated GIF, or one picture, as the name's ending says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError, ReplayError
from racer_env.render import palette, save_picture
from racer_env.render.heat_picture import draw_heat
from racer_env.render.lap_picture import draw_lap
from racer_env.render.palette import Colour, ramp
from racer_env.render.replay_scene import ReplayScene
from racer_env.render.timing_tower import car_colour, whole_colour
from racer_env.render.video import write_gif, write_mp4
from racer_env.replay import Replay

ENDINGS = (".mp4", ".gif", ".png")
FASTEST = 16.0  #: times as fast as it was driven
GIF_WIDTH = 640  #: px

_SPEEDS, _FADED = 16, (1.0, 0.65, 0.35)
_MOST_RATE = {".mp4": 60.0, ".gif": 10.0}  #: pictures a second
_MOST_GIF = 600  #: pictures of a GIF, which must fit into memory; a longer drive has fewer a second
_HELD = 1.5  #: s for which the last picture stays

Progress = Callable[[int, int], None]  #: told how many pictures of how many are done


def export(
    replay: Replay,
    path: Path,
    car: int = 0,
    *,
    camera: bool = True,
    at: float | None = None,
    pace: float = 1.0,
    progress: Progress | None = None,
) -> None:
    """Draw a replay into a file.

    Args:
        replay: what was driven.
        path: a name that ends in ``.mp4``, ``.gif`` or ``.png``; a PNG shows the whole drive.
        car: the followed one, from 0.
        camera: show what its driver saw, if it has a camera, instead of the road around it from above.
        at: s since the start of the replay; a PNG shows that moment instead.
        pace: how many times as fast as it was driven, for a video or GIF.
        progress: called after each picture.

    Raises:
        RacerError: a value makes no sense, ffmpeg is missing, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise RacerError(f"a replay becomes a video or a picture, so {path} must end in .mp4, .gif or .png")
    if at is not None and ending != ".png":
        raise RacerError(f"a moment is one picture, so {path} must end in .png")
    scene = ReplayScene(replay, car, camera=camera)
    if ending == ".png":
        save_picture(_whole(replay, car) if at is None else _moment(scene, at), path)
        return
    if not 1.0 / FASTEST <= pace <= FASTEST:
        raise RacerError(f"the pace must be from {1.0 / FASTEST:g} to {FASTEST:g}, not {pace:g}")
    every = math.ceil(pace * CONTROL_RATE / _MOST_RATE[ending])
    if ending == ".gif":
        every = max(every, math.ceil(len(replay) / _MOST_GIF))
    rate = pace * CONTROL_RATE / every
    frames = _held(_told(scene, every, progress), round(_HELD * rate))
    if ending == ".mp4":
        write_mp4(frames, path, scene.size, rate)
    else:
        write_gif(frames, path, GIF_WIDTH, rate, _colours(replay))


def _told(scene: ReplayScene, every: int, progress: Progress | None) -> Iterator[npt.NDArray[np.uint8]]:
    count = 1 + math.ceil((len(scene.replay) - 1) / every)
    for done, frame in enumerate(scene.frames(every), 1):
        yield frame
        if progress:
            progress(done, count)


def _held(frames: Iterator[npt.NDArray[np.uint8]], count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Give frames, and the last one so many times more."""
    last = next(frames)
    yield last
    for frame in frames:
        last = frame
        yield frame
    yield from repeat(last, count)


def _colours(replay: Replay) -> list[Colour]:
    """What a GIF must not make grey: speeds, cars, things and signals, on the road as they fade."""
    bright: list[Colour] = [palette.ACCENT, palette.GOOD, palette.WAIT, palette.BAD]
    bright += [car_colour(replay, car, None) for car in range(len(replay.names))]
    bright += list(dict.fromkeys(whole_colour(thing.colour) for thing in replay.header.things))[:16]
    every = np.concatenate((ramp(np.linspace(0.0, 1.0, _SPEEDS)), np.array(bright, np.float64)))
    faded = [share * every + (1.0 - share) * np.array(palette.ROAD) for share in _FADED]
    return [(r, g, b) for r, g, b in np.concatenate(faded).round().astype(int).tolist()]


def _moment(scene: ReplayScene, at: float) -> Image.Image:
    end = (len(scene.replay) - 1) / CONTROL_RATE
    if not 0.0 <= at <= end:
        raise ReplayError(f"the replay lasts from 0 to {end:.3f} s, but {at:g} s was asked for")
    return Image.fromarray(scene.draw_at(round(at * CONTROL_RATE)))


def _whole(replay: Replay, car: int) -> Image.Image:
    """The line of a car alone in the colours of its speed, or those of all cars of a race."""
    if len(replay.names) > 1:
        return draw_heat(replay)
    of = replay.driven[:, car]
    laps = [lap.time_ms for lap in replay.laps(car) if lap.complete]
    return draw_lap(replay.track, np.stack((of.x, of.y), axis=1), np.asarray(of.speed), replay.names[car], laps)
