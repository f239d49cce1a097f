"""A race of several cars as one picture: the line of each in its colour, and in which order they came in."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.render.palette import Colour, lighter
from racer_env.render.road import corners, fit, night_map
from racer_env.render.speed_line import jumps
from racer_env.render.timing_tower import car_colour, draw_tower, tower_height
from racer_env.replay import Replay

SIZE = (1100, 720)  #: px, without the strip
_HEAD, _FOOT, _SIDE = 84, 32, 44  #: px around the track
_SMOOTHING = 4
_LINE = 2.5  #: px
_DARK, _LIGHTER = 90, 0.45  #: lines darker than the road are drawn so much lighter


def draw_heat(replay: Replay, title: str | None = None) -> Image.Image:
    """Draw all that was driven from above; below it, the cars in the order in which they ended the last run."""
    track = replay.track
    view = fit(track.route, (_SIDE, _HEAD, SIZE[0] - _SIDE, SIZE[1] - _FOOT)).times(_SMOOTHING)
    image = night_map(track.route, view, (SIZE[0] * _SMOOTHING, SIZE[1] * _SMOOTHING), _SMOOTHING)
    draw = ImageDraw.Draw(image)
    for car in reversed(range(len(replay.names))):
        for begin, end in replay.runs:
            of = replay.driven[begin:end, car]
            of = of[of.present]
            path = np.stack((of.x, of.y), axis=1)
            for part in np.split(path, np.flatnonzero(jumps(path, of.speed)) + 1):
                if len(part) > 1:
                    line = corners(view.pixels(part))
                    draw.line(line, fill=_line_colour(replay, car), width=round(_LINE * _SMOOTHING), joint="curve")
    picture = Image.new("RGB", (SIZE[0], SIZE[1] + tower_height(len(replay.names))), palette.NIGHT)
    picture.paste(image.reduce(_SMOOTHING))
    picture.paste(draw_tower(replay, len(replay) - 1, None, SIZE[0]), (0, SIZE[1]))
    draw = ImageDraw.Draw(picture)
    write(draw, (_SIDE, 48), title or f"{len(replay.names)} cars on {track.name}", 24)
    write(draw, (SIZE[0] - _SIDE, 48), f"{track.name} · {track.length:.1f} m", 14, palette.QUIET, anchor="rs")
    return picture


def _line_colour(replay: Replay, car: int) -> Colour:
    colour = car_colour(replay, car, None)
    return lighter(colour, _LIGHTER) if max(colour) < _DARK else colour
