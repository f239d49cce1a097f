"""Two laps in one replay, as if both cars had started at the same moment and could not touch: a lap and its ghost.

A lap begins between two frames, so that what is shown is interpolated between those of its replay. It is for looking
at; `racer_env.comparison` takes its numbers from the replays themselves.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from racer_env.bodies import Kind
from racer_env.comparison import complete_lap, same_course
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Records, records
from racer_env.obstacles import CAR_COLOURS
from racer_env.race import Status
from racer_env.replay import DRIVEN, THING, DrivenLap, Replay

_SMOOTH = ("x", "y", "yaw", "speed", "steering", "steering_command", "speed_command", "progress")


class Choice(NamedTuple):
    """A lap of a replay."""

    replay: Replay
    car: int = 0
    lap: int | None = None  #: from 1; None: the fastest
    name: str | None = None  #: what the racer is called, if not as in the replay


def side_by_side(first: Choice, second: Choice) -> Replay:
    """Make a replay of two cars out of two laps, with the boxes that stood in the way of the first.

    Raises:
        ReplayError: there is no such lap, or they are of different tracks or directions.
    """
    laps = [complete_lap(of.replay, of.car, of.lap) for of in (first, second)]
    names = [
        f"{of.name or of.replay.names[of.car]}, lap {lap.number}" for of, lap in zip((first, second), laps, strict=True)
    ]
    same_course(first.replay.track, names[0], second.replay.track, names[1])
    frames = 1 + max(_last(lap) for lap in laps)
    driven = records((frames, 2), DRIVEN)
    for car, (of, lap) in enumerate(zip((first, second), laps, strict=True)):
        _drive_again(of.replay, of.car, lap, driven[:, car])
    boxes = [k for k, thing in enumerate(first.replay.header.things) if thing.kind == Kind.BOX]
    things = records((frames, len(boxes)), THING)
    things[:] = first.replay.things[laps[0].first, boxes]
    header = replace(
        first.replay.header,
        race_laps=1,
        racers=tuple(
            replace(of.replay.header.racers[of.car], name=name[:200], colour=colour)
            for of, name, colour in zip((first, second), names, CAR_COLOURS[1:], strict=False)
        ),
        things=tuple(first.replay.header.things[k] for k in boxes),
        runs=(frames,),
    )
    return Replay(header, driven, things, first.replay.route)


def _last(lap: DrivenLap) -> int:
    """The frame, from the start of a lap, in which it is over."""
    return math.ceil(0.001 * lap.time_ms * CONTROL_RATE)


def _drive_again(replay: Replay, car: int, lap: DrivenLap, out: Records) -> None:
    """Fill `DRIVEN` (t,) with a lap from its start on, and with its last frame from its end on."""
    begin = lap.first - (1 if lap.start_ms else 0)
    rows = replay.driven[begin : lap.last + 1, car]
    time = replay.ticks[begin : lap.last + 1] / CONTROL_RATE - 0.001 * lap.start_ms
    last = _last(lap)
    now = np.minimum(np.arange(len(out)) / CONTROL_RATE, time[-1])
    for name in _SMOOTH:
        values = np.array(rows[name])
        if name == "progress" and lap.start_ms:
            values[0], values[1] = values[0] - 100.0, 0.0
        out[name] = np.interp(now, time, values)
    before = np.maximum(np.searchsorted(time, now + 1e-9, side="right") - 1, 0)
    out.pause, out.status = rows.pause[before], rows.status[before]
    out.resets = rows.resets[before] - rows.resets[0]
    out.status[0] = Status.PREPARE
    out.progress[last:], out.status[last:], out.laps[last:] = 100.0, Status.LAP_COMPLETE, 1
    out.lap_milliseconds[last] = lap.time_ms
    out.present[: last + 1] = True
