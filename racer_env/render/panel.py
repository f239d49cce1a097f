"""The read-out beside the map: speed, steering, progress, times, status."""

from __future__ import annotations

import math
from typing import NamedTuple

from PIL import Image, ImageDraw

from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES
from racer_env.dynamics import CONTROL_RATE
from racer_env.race import Status
from racer_env.render import palette
from racer_env.render.lettering import clock, font, write
from racer_env.render.palette import Colour, ramp_colour
from racer_env.render.stopwatch import Stopwatch
from racer_env.simulator import Simulator

WIDTH = 288  #: px
_LEFT, _RIGHT = 16, WIDTH - 16
_COLOURS = {
    Status.PREPARE: palette.QUIET,
    Status.IN_PROGRESS: palette.GOOD,
    Status.LAP_COMPLETE: palette.GOOD,
    Status.PAUSE: palette.WAIT,
    Status.TIME_UP: palette.WAIT,
}


class Readings(NamedTuple):
    """What is shown of a car."""

    speed: float  #: m/s
    asked_speed: float
    steering: float  #: degrees, left positive
    asked_steering: float
    progress: float  #: per cent
    lap: int  #: from 1
    laps: int  #: of the race
    current_ms: int
    last_ms: int | None
    best_ms: int | None
    steps: int
    episode: int  #: from 1
    resets: int
    resets_left: int  #: penalties that the run still has before one ends it
    crashes: int  #: of this lap
    off_tracks: int  #: of this lap
    reward: float | None
    status: Status
    pause: float  #: s of penalty left


def take_readings(simulator: Simulator, car: int, watch: Stopwatch) -> Readings:
    """Read one car of a simulator; its times are those of `watch`."""
    motion, command, e = simulator.state.motion[car], simulator.command[car], simulator.state.episode[car]
    laps = simulator.race.laps
    return Readings(
        speed=float(motion.speed),
        asked_speed=float(command.speed),
        steering=math.degrees(motion.steering),
        asked_steering=float(command.steering_degrees),
        progress=float(e.progress),
        lap=min(int(e.laps) + 1, laps),
        laps=laps,
        current_ms=watch.current_ms,
        last_ms=watch.last_ms,
        best_ms=watch.best_ms,
        steps=int(e.steps),
        episode=int(e.number) + 1,
        resets=int(e.resets),
        resets_left=simulator.race.resets - int(e.resets),
        crashes=int(e.crash_count),
        off_tracks=int(e.off_track_count),
        reward=float(simulator.rewards[car]) if simulator.reward else None,
        status=Status(int(e.status)),
        pause=float(e.pause) / CONTROL_RATE,
    )


def draw_panel(panel: Image.Image, r: Readings) -> None:
    """Draw the readings onto a panel, `WIDTH` px wide, below its first 216 px."""
    draw = ImageDraw.Draw(panel)
    _speed(draw, r, 268)
    _steering(draw, r, 334)
    _progress(draw, r, 392)
    _times(draw, r, 450)
    _counts(draw, r, 556)


def _speed(draw: ImageDraw.ImageDraw, r: Readings, y: int) -> None:
    number = f"{r.speed:.2f}"
    write(draw, (_LEFT, y), number, 46)
    write(draw, (_LEFT + 8 + font(46).getlength(number), y), "m/s", 16, palette.QUIET)
    _status(draw, r, y - 30)
    write(draw, (_RIGHT, y), f"asked {r.asked_speed:.2f}", 13, palette.QUIET, anchor="rs")
    share = min(max(r.speed / MAX_SPEED, 0.0), 1.0)
    _bar(draw, y + 14, 0.0, share, ramp_colour(share))
    _tick(draw, y + 14, min(max(r.asked_speed / MAX_SPEED, 0.0), 1.0))


def _status(draw: ImageDraw.ImageDraw, r: Readings, y: int) -> None:
    """Write the status in a pill of its colour, right-aligned."""
    colour = palette.WAIT if r.pause else _COLOURS.get(r.status, palette.BAD)
    words = f"penalty {r.pause:.1f} s" if r.pause else r.status.label.replace("_", " ")
    left = _RIGHT - font(13).getlength(words) - 18
    draw.rounded_rectangle((left, y - 11, _RIGHT, y + 11), radius=11, outline=colour)
    write(draw, (left + 9, y), words, 13, colour, anchor="lm")


def _steering(draw: ImageDraw.ImageDraw, r: Readings, y: int) -> None:
    write(draw, (_LEFT, y), "steering", 13, palette.QUIET)
    write(
        draw,
        (_RIGHT, y),
        f"{_degrees(r.steering)}   asked {_degrees(r.asked_steering)}",
        13,
        palette.QUIET,
        anchor="rs",
    )
    at, asked = (0.5 - 0.5 * min(max(a / MAX_STEERING_DEGREES, -1.0), 1.0) for a in (r.steering, r.asked_steering))
    _bar(draw, y + 12, min(at, 0.5), max(at, 0.5), palette.TEXT)
    _tick(draw, y + 12, asked)


def _degrees(angle: float) -> str:
    """Say an angle with its side."""
    whole = round(abs(angle))
    return f"{whole}° {'left' if angle > 0 else 'right'}" if whole else "straight"


def _progress(draw: ImageDraw.ImageDraw, r: Readings, y: int) -> None:
    lap = f"lap {r.lap} of {r.laps}" if r.laps > 1 else f"lap {r.lap}"
    write(draw, (_LEFT, y), lap, 13, palette.QUIET)
    faults = " · ".join(_times_said(r.crashes, "crash", "crashes") + _times_said(r.off_tracks, "off track"))
    write(draw, (_LEFT + font(13).getlength(lap) + 10, y), faults, 13, palette.BAD)
    write(draw, (_RIGHT, y), f"{r.progress:.1f} %", 13, palette.QUIET, anchor="rs")
    _bar(draw, y + 12, 0.0, min(max(0.01 * r.progress, 0.0), 1.0), palette.ACCENT)


def _times_said(count: int, once: str, often: str | None = None) -> list[str]:
    """Say how often something happened; nothing if it did not."""
    return [f"{count} {once if count == 1 else often or once}"] if count else []


def _times(draw: ImageDraw.ImageDraw, r: Readings, y: int) -> None:
    for label, time, size, below in (
        ("time", r.current_ms, 26, 0),
        ("last", r.last_ms, 17, 28),
        ("best", r.best_ms, 17, 52),
    ):
        write(draw, (_LEFT, y + below), label, 13, palette.QUIET)
        colour = palette.GOOD if label == "best" and time is not None else palette.TEXT
        write(
            draw,
            (_RIGHT, y + below),
            clock(time),
            size,
            palette.QUIET if time is None else colour,
            anchor="rs",
        )


def _counts(draw: ImageDraw.ImageDraw, r: Readings, y: int) -> None:
    left = f" of {r.resets + r.resets_left}" if r.resets + r.resets_left else ""
    counts = [("step", str(r.steps)), ("episode", str(r.episode)), ("penalties", f"{r.resets}{left}")]
    if r.reward is not None:
        counts.append(("reward", f"{r.reward:.3g}"))
    draw.line([(_LEFT, y - 30), (_RIGHT, y - 30)], fill=palette.RULE)
    for i, (label, value) in enumerate(counts):
        at = _LEFT + i * (_RIGHT - _LEFT) / 4
        write(draw, (at, y - 8), label, 12, palette.QUIET)
        write(draw, (at, y + 14), value, 17)


def _bar(draw: ImageDraw.ImageDraw, y: int, begin: float, end: float, colour: Colour) -> None:
    """Fill a bar across the panel from one share of it to another."""
    width = _RIGHT - _LEFT
    draw.rounded_rectangle((_LEFT, y, _RIGHT, y + 6), radius=3, fill=palette.RULE)
    if (end - begin) * width >= 1.0:
        draw.rounded_rectangle((_LEFT + begin * width, y, _LEFT + end * width, y + 6), radius=3, fill=colour)


def _tick(draw: ImageDraw.ImageDraw, y: int, share: float) -> None:
    at = _LEFT + share * (_RIGHT - _LEFT)
    draw.rectangle((at - 1, y - 3, at + 1, y + 9), fill=palette.TEXT)
