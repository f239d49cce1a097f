"""What shows a sensor's past: late, lost or stacked observations; wrappers as in `racer_env.sensors.imperfections`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from racer_env.errors import RacerError
from racer_env.kernel import Ints, kernel
from racer_env.randomness import Streams, between, fork, salt_of, uniform
from racer_env.sensors import Memory, Reader, View, memory_of
from racer_env.sensors.imperfections import Range, Values, Wrapper
from racer_env.track import Track


@kernel
def _file(out: Values, which: Ints, ticks: Ints, streams: Streams, seen_in: Streams, kept: Values) -> None:
    """File observations (n, v) by tick in (n, slots, v); a new episode begins with its first one everywhere."""
    for i in which:
        slots, now = kept.shape[1], ticks[i] % kept.shape[1]
        for slot in range(slots):
            if slot == now or seen_in[i] != streams[i]:
                kept[i, slot] = out[i]
        seen_in[i] = streams[i]


@kernel
def _delay(out: Values, which: Ints, ticks: Ints, streams: Streams, salt: int, periods: Range, kept: Values) -> None:
    for i in which:
        stream = fork(streams[i], salt)
        late = int(between(stream, 0, 0, periods[0], periods[1]) + uniform(stream, ticks[i], 1))
        out[i] = kept[i, (ticks[i] - late) % kept.shape[1]]


@dataclass(frozen=True)
class DelayedReader:
    """Keeps what another reader has read, and shows it later."""

    inner: Reader
    wrapper: Delayed
    salt: int

    def memory(self, n: int) -> Memory:
        """The last observations and the stream of their episode, then what the other reader remembers."""
        space, slots = self.wrapper.space(), math.ceil(self.wrapper.periods[1]) + 1
        kept = np.zeros((n, slots, math.prod(space.shape)), space.dtype)
        return (np.zeros(n, np.uint64), kept, *memory_of(self.inner, n))

    def read(self, view: View, which: Ints, out: Values) -> None:
        """Write what the cars `which` (k,) saw some time ago into their rows of `out` (n, ...)."""
        seen_in, kept = view.memory[:2]
        self.inner.read(view._replace(memory=view.memory[2:]), which, out)
        flat = out.reshape(len(out), -1)
        _file(flat, which, view.ticks, view.streams, seen_in, kept)
        _delay(flat, which, view.ticks, view.streams, self.salt, self.wrapper.periods, kept)


@dataclass(frozen=True)
class Delayed(Wrapper):
    """Shows what was seen some control periods ago.

    A delay of 1.3 periods is one of 1 in seven of ten control periods, and one of 2 in the others: what is shown jumps
    or stands still, but never goes back.
    """

    periods: Range = (1.0, 1.0)

    def __post_init__(self) -> None:
        self._check("periods", self.periods, 0.0, 100.0)

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        return DelayedReader(self.sensor.on(track), self, salt_of(self.use))


@kernel
def _drop(
    out: Values, which: Ints, ticks: Ints, streams: Streams, salt: int, share: float, seen_in: Streams, kept: Values
) -> None:
    for i in which:
        if seen_in[i] == streams[i] and uniform(fork(streams[i], salt), ticks[i], 0) < share:
            out[i] = kept[i]
        else:
            kept[i], seen_in[i] = out[i], streams[i]


@dataclass(frozen=True)
class DroppedReader:
    """Keeps what another reader has read, in case that the next is lost."""

    inner: Reader
    wrapper: Dropped
    salt: int

    def memory(self, n: int) -> Memory:
        """The last observation that arrived and the stream of its episode, then what the other reader remembers."""
        space = self.wrapper.space()
        kept = np.zeros((n, math.prod(space.shape)), space.dtype)
        return (np.zeros(n, np.uint64), kept, *memory_of(self.inner, n))

    def read(self, view: View, which: Ints, out: Values) -> None:
        """Write what last arrived for the cars `which` (k,) into their rows of `out` (n, ...)."""
        seen_in, kept = view.memory[:2]
        self.inner.read(view._replace(memory=view.memory[2:]), which, out)
        flat = out.reshape(len(out), -1)
        _drop(flat, which, view.ticks, view.streams, self.salt, self.wrapper.share, seen_in, kept)


@dataclass(frozen=True)
class Dropped(Wrapper):
    """Loses some observations, each by chance; the last one that arrived is shown again."""

    share: float = 0.05  #: 0 to 1

    def __post_init__(self) -> None:
        self._check("share", (self.share, self.share), 0.0, 1.0)

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        return DroppedReader(self.sensor.on(track), self, salt_of(self.use))


@kernel
def _stack(
    now: Values, which: Ints, ticks: Ints, streams: Streams, seen_in: Streams, kept: Values, out: Values
) -> None:
    """Keep what is seen now (n, p, c) in (n, count, p, c), and write all that is kept into `out` (n, p, count * c)."""
    _, count, points, channels = kept.shape
    for i in which:
        for slot in range(count):
            if slot == ticks[i] % count or seen_in[i] != streams[i]:
                kept[i, slot] = now[i]
        seen_in[i] = streams[i]
        for j in range(count):
            slot = (ticks[i] + 1 + j) % count
            for c in range(channels):
                for p in range(points):
                    out[i, p, j * channels + c] = kept[i, slot, p, c]


@dataclass(frozen=True)
class StackedReader:
    """Keeps what another reader has read."""

    inner: Reader
    wrapper: Stacked

    def memory(self, n: int) -> Memory:
        """The stream of the episode, the last observations, room for the next, and what the other reader remembers."""
        space = self.wrapper.sensor.space()
        points, channels = math.prod(space.shape[:-1]), space.shape[-1]
        kept = np.zeros((n, self.wrapper.count, points, channels), space.dtype)
        return (np.zeros(n, np.uint64), kept, np.zeros((n, *space.shape), space.dtype), *memory_of(self.inner, n))

    def read(self, view: View, which: Ints, out: Values) -> None:
        """Write what the cars `which` (k,) see and saw into their rows of `out` (n, ...)."""
        seen_in, kept, now = view.memory[:3]
        self.inner.read(view._replace(memory=view.memory[3:]), which, now)
        n, _, points, channels = kept.shape
        flat = out.reshape(n, points, -1)
        _stack(now.reshape(n, points, channels), which, view.ticks, view.streams, seen_in, kept, flat)


@dataclass(frozen=True)
class Stacked(Wrapper):
    """Shows the last observations of a sensor together, the oldest first, side by side in the last dimension.

    An episode begins with its first observation as often as needed.
    """

    count: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 100:
            raise RacerError(f"count of Stacked is {self.count}, but must be 1 to 100 observations")

    def space(self) -> spaces.Box:
        """The sensor's, with a last dimension `count` times as long."""
        one = self.sensor.space()
        low, high = (np.concatenate([edge] * self.count, axis=-1) for edge in (one.low, one.high))
        return spaces.Box(low, high, dtype=one.dtype.type)

    def on(self, track: Track) -> Reader:
        """Mount it for a track."""
        return StackedReader(self.sensor.on(track), self)
