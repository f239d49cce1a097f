"""Two laps side by side: where along the track the time was won and lost, how fast each was there, and its sectors.

Laps are compared by their progress along the centre line, so that they may differ in their line, and by when a place
was first passed: a car that is put back loses the time of its penalty where it left the track. Between two frames
(1/15 s) progress, speed and steering are taken as straight lines; at 2 m/s places are right to about a centimetre, and
times to a few milliseconds. Numbers only: `racer_env.render.comparison_picture` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import ReplayError
from racer_env.kernel import Floats, Ints
from racer_env.replay import DrivenLap, Replay
from racer_env.track import Track

T = TypeVar("T", int, float)

POINTS = 501  #: along the track at which laps are compared
SECTORS = 3
MOST_SECTORS = 20


@dataclass(frozen=True, eq=False)
class LapTrace:
    """A complete lap: p places in the order in which they were first passed, the line at the start and at the end."""

    label: str
    track: Track
    time_ms: int
    share: Floats  #: (p,) of the lap, rising from 0 to 1
    time: Floats  #: (p,) s since the start of the lap
    speed: Floats  #: (p,) m/s
    steering: Floats  #: (p,) degrees, as commanded, left positive
    path: Floats  #: (p, 2) m
    off_tracks: int
    crashes: int


@dataclass(frozen=True)
class Sector:
    """A part of the track in both laps."""

    start: float  #: m along the centre line
    end: float
    times_ms: tuple[int, int]  #: of a lap, they add up to its time
    slowest: tuple[float, float]  #: m/s
    fastest: tuple[float, float]

    @property
    def delta_ms(self) -> int:
        """What the second lap took longer."""
        return self.times_ms[1] - self.times_ms[0]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two laps at q places along the track."""

    laps: tuple[LapTrace, LapTrace]
    station: Floats  #: (q,) m along the centre line
    delta: Floats  #: (q,) s that the second lap is behind the first
    speed: Floats  #: (q, 2) m/s
    steering: Floats  #: (q, 2) degrees
    sectors: tuple[Sector, ...]

    @property
    def delta_ms(self) -> int:
        """What the second lap took longer."""
        return self.laps[1].time_ms - self.laps[0].time_ms


def lap_trace(replay: Replay, car: int = 0, number: int | None = None, name: str | None = None) -> LapTrace:
    """Take a lap out of a replay.

    Args:
        replay: what was driven.
        car: whose lap, from 0.
        number: of the lap, from 1; by default the fastest.
        name: of the racer, if not that in the replay.

    Raises:
        ReplayError: there is no such car, or no such complete lap.
    """
    lap = complete_lap(replay, car, number)
    rows = replay.driven[lap.first : lap.last + 1, car]
    share, kept = _first_passes(0.01 * rows.progress, from_line=lap.start_ms > 0)
    times = (replay.ticks[lap.first : lap.last + 1] / CONTROL_RATE - 0.001 * lap.start_ms)[kept]
    statuses = [event.kind for event in replay.events(car) if lap.first < event.frame <= lap.last]
    return LapTrace(
        label=f"{name or replay.names[car]}, lap {lap.number}",
        track=replay.track,
        time_ms=lap.time_ms,
        share=share,
        time=np.r_[0.0, times[1:-1], 0.001 * lap.time_ms],
        speed=np.asarray(rows.speed)[kept],
        steering=np.asarray(rows.steering_command)[kept],
        path=np.stack((rows.x, rows.y), axis=1)[kept],
        off_tracks=statuses.count("off_track"),
        crashes=statuses.count("crashed"),
    )


def compare(first: LapTrace, second: LapTrace, sectors: int | Sequence[float] = SECTORS) -> Comparison:
    """Compare two laps of one track.

    Args:
        first: the one that the other is measured against.
        second: the other.
        sectors: how many equally long ones, or where they end but for the last: rising shares of the lap.

    Raises:
        ReplayError: they are of different tracks or directions, or the sectors do not make sense.
    """
    same_course(first.track, first.label, second.track, second.label)
    ends = _sector_ends(sectors)
    share = np.linspace(0.0, 1.0, POINTS)
    laps = (first, second)
    time, speed, steering = (
        np.stack([np.interp(share, lap.share, getattr(lap, name)) for lap in laps], axis=1)
        for name in ("time", "speed", "steering")
    )
    parts = tuple(_sector(laps, begin, end) for begin, end in zip((0.0, *ends[:-1]), ends, strict=True))
    return Comparison(laps, share * first.track.length, time[:, 1] - time[:, 0], speed, steering, parts)


def same_course(one: Track, lap: str, other: Track, other_lap: str) -> None:
    """Make sure that two laps are of one track in one direction. Raises `ReplayError`."""
    if one.route.shape != other.route.shape or not np.allclose(one.route, other.route, atol=1e-3):
        raise ReplayError(f"{lap} was driven on {_said(one)}, but {other_lap} on {_said(other)}")


def complete_lap(replay: Replay, car: int, number: int | None) -> DrivenLap:
    """Find a complete lap of a car by its number, or its fastest. Raises `ReplayError` if there is none."""
    if not 0 <= car < len(replay.names):
        raise ReplayError(f"the replay has the cars 1 to {len(replay.names)}, but no car {car + 1}")
    laps = {lap.number: lap for lap in replay.laps(car) if lap.complete}
    if not laps:
        raise ReplayError(f"{replay.names[car]} completed no lap, so that there is none to compare")
    if number is None:
        return min(laps.values(), key=lambda lap: lap.time_ms)
    if number not in laps:
        raise ReplayError(f"{replay.names[car]} completed the laps {', '.join(map(str, laps))}, but not {number}")
    return laps[number]


def _first_passes(progress: Floats, *, from_line: bool) -> tuple[Floats, Ints]:
    """Where a lap first came (p,), from 0 to 1, and in which of its frames (k,), given its progress there.

    The first frame of a lap that follows another is that in which the line was crossed.
    """
    share = progress.copy()
    if from_line:
        share[0] = 0.0
    furthest = np.maximum.accumulate(np.r_[-np.inf, share[:-1]])
    kept = np.flatnonzero((share > furthest) & (share > 0.0) & (share < 1.0))
    kept = kept[kept > 0]
    return np.r_[0.0, share[kept], 1.0], np.r_[0, kept, len(share) - 1]


def _sector_ends(sectors: int | Sequence[float]) -> tuple[float, ...]:
    if isinstance(sectors, int):
        if not 1 <= sectors <= MOST_SECTORS:
            raise ReplayError(f"a lap has 1 to {MOST_SECTORS} sectors, not {sectors}")
        return tuple((k + 1) / sectors for k in range(sectors))
    ends = (*map(float, sectors), 1.0)
    if len(ends) > MOST_SECTORS or not all(a < b for a, b in zip((0.0, *ends[:-1]), ends, strict=True)):
        raise ReplayError(f"sectors end at rising shares of the lap between 0 and 1, not at {list(sectors)}")
    return ends


def _sector(laps: tuple[LapTrace, LapTrace], begin: float, end: float) -> Sector:
    length = laps[0].track.length
    times, slowest, fastest = [], [], []
    for lap in laps:
        passed = [round(1000.0 * float(np.interp(at, lap.share, lap.time))) for at in (begin, end)]
        inside = lap.speed[(lap.share >= begin) & (lap.share <= end)]
        ends = np.interp([begin, end], lap.share, lap.speed)
        speeds = np.concatenate((inside, ends))
        times.append(passed[1] - passed[0])
        slowest.append(float(speeds.min()))
        fastest.append(float(speeds.max()))
    return Sector(begin * length, end * length, _pair(times), _pair(slowest), _pair(fastest))


def _pair(values: Sequence[T]) -> tuple[T, T]:
    first, second = values
    return first, second


def _said(track: Track) -> str:
    return f"{track.name} (reversed)" if track.is_reversed else track.name
