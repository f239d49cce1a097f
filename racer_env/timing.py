"""When control periods end: exactly on the clock, or as late as in the original.

The original's camera and control run on a clock of 15 Hz in simulated time, but rows of its recordings are stamped 36
to 99 ms apart. What is behind that, in the 87,000 uninterrupted steps of the recordings that the project is measured
on: the stamp of each row is late or early on its own, by 7.3 ms (version 4), 7.2 ms (5) and 7.0 ms (6; standard
deviation), and the clock itself never drifts. One stamp's lateness says nothing of the next (autocorrelation
-0.05 ± 0.05), so that lengths of neighbouring steps are anti-correlated (-0.50), as differences of independent numbers
are. Single runs have 5 to 10 ms. Poses follow the stamps only in version 6, there by four fifths of the lateness
(`racer_env.windows`); in versions 4 and 5 a car drives as far in a step of 40 ms as in one of 90 ms. The exact clock
is therefore the faithful one for those, and the other what a driver should endure.

A `Timing` moves the ends of periods around the ticks of the exact clock and never the clock: the mean period stays
1/15 s, no lateness adds up, and whatever is counted in periods (time, penalties, laps) stays right to within `MOST`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.dynamics import CONTROL_RATE, SUBSTEPS, TIME_STEP
from racer_env.errors import RacerError
from racer_env.kernel import Floats, Ints, kernel
from racer_env.randomness import Streams, fork, normal, salt_of

MOST = 0.25 / CONTROL_RATE  #: s, beyond which no period ends early or late: they last 33 to 100 ms
_CLOCK = salt_of("clock")


@dataclass(frozen=True)
class Timing:
    """How late control periods end.

    Raises:
        RacerError: the lateness is negative, or more than `MOST`.
    """

    lateness: float = 0.0  #: s, standard deviation of the end of a period around its tick

    def __post_init__(self) -> None:
        if not 0.0 <= self.lateness <= MOST:
            raise RacerError(f"lateness must be from 0 to {1000 * MOST:.1f} ms, not {1000 * self.lateness:g} ms")

    def time_steps(self, streams: Streams, ticks: Ints, cars: int = 1) -> Floats:
        """Give the physics time step (n,), s, of cars with these streams (n,) in the period after these ticks (n,).

        A period is `SUBSTEPS` of them; without lateness each is `TIME_STEP` to the last bit. Every `cars` of them share
        a world, and the clock of its first car.
        """
        out = np.full(len(ticks), TIME_STEP)
        if self.lateness > 0.0:
            _spread(self.lateness, streams, ticks, cars, out)
        return out


@kernel
def _lateness(deviation: float, stream: int, tick: int) -> float:
    """How late a tick's period ends, s."""
    late = deviation * normal(stream, tick, 0)
    return min(max(late, -MOST), MOST)


@kernel
def _spread(deviation: float, streams: Streams, ticks: Ints, cars: int, out: Floats) -> None:
    for i in range(ticks.size):
        first = i - i % cars
        own, tick = fork(streams[first], _CLOCK), ticks[first]
        longer = _lateness(deviation, own, tick + 1) - _lateness(deviation, own, tick)
        out[i] += longer / SUBSTEPS


#: Every period lasts 1/15 s.
EXACT = Timing()

#: Periods as the original's recordings stamp them.
ORIGINAL = Timing(lateness=0.0072)
