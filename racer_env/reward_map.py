"""The reward over the track: what a car would get at every place along and across the road.

The car is carried around the track at constant speed, along it and without steering, on lanes side by side from beyond
one border to beyond the other; each lane meets a fresh copy of the function, which so can remember its last step. A
place is a share of the lap and a distance from the centre line in track widths, left positive.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from racer_env.errors import RewardError
from racer_env.kernel import Floats, Records
from racer_env.race import Race
from racer_env.reward import RewardFunction
from racer_env.simulator import Simulator
from racer_env.situations import drive_past
from racer_env.track import Track

LANES = 21
REACH = 0.7  #: track widths to either side
SPEED = 1.5  #: m/s
NOTABLE = 0.5  #: share of the largest difference from which a place counts as one where two functions differ


@dataclass(frozen=True, eq=False)
class RewardMap:
    """Rewards on a grid of places."""

    track: Track
    speed: float  #: m/s, of the car
    at: Floats  #: (s,) shares of the lap
    left: Floats  #: (l,) track widths left of the centre line
    rewards: Floats  #: (s, l); NaN where a call failed


@dataclass(frozen=True)
class Stretch:
    """A part of the track where two functions pay differently."""

    first: float  #: share of the lap
    last: float
    first_waypoint: int
    last_waypoint: int
    side: str  #: where across the road most
    difference: float  #: new less old, the mean there


def map_reward(
    function: RewardFunction, track: Track, *, race: Race | None = None, speed: float = SPEED, seed: int = 0
) -> RewardMap:
    """Ask a reward function what it pays at every place.

    Args:
        function: of which fresh copies are called.
        track: where.
        race: what else is on the track, as it stands there at the start.
        speed: m/s, of the car.
        seed: of random places.
    """
    others = _others(track, race, seed) if race and race.populated else None
    left = np.linspace(REACH, -REACH, LANES)
    lanes = [drive_past(track, lane, speed, others) for lane in left.tolist()]
    rewards = np.array([list(_rewards(function.fresh(), lane)) for lane in lanes]).T
    count = len(lanes[0])
    return RewardMap(track, speed, (np.arange(count) + 0.5) / count, left, rewards)


def differences(old: RewardMap, new: RewardMap, most: int = 3) -> tuple[Stretch, ...]:
    """Find the stretches where two maps of a track differ most, the largest difference first; none if nowhere."""
    apart = new.rewards - old.rewards
    along = np.nan_to_num(np.nanmean(np.abs(apart), axis=1)) if np.isfinite(apart).any() else np.zeros(len(apart))
    if not along.max() > 1e-9:
        return ()
    edges = np.flatnonzero(np.diff(np.r_[False, along >= NOTABLE * along.max(), False].astype(np.int8)))
    stretches = [_stretch(new, apart, first, last) for first, last in edges.reshape(-1, 2).tolist()]
    return tuple(sorted(stretches, key=lambda s: -abs(s.difference))[:most])


def _stretch(on: RewardMap, apart: Floats, first: int, last: int) -> Stretch:
    there = apart[first:last]
    sides = {
        "beyond the left border": on.left > 0.5,
        "on the left": (on.left > 0.17) & (on.left <= 0.5),
        "in the middle": np.abs(on.left) <= 0.17,
        "on the right": (on.left < -0.17) & (on.left >= -0.5),
        "beyond the right border": on.left < -0.5,
    }
    means = {side: float(np.nanmean(np.abs(there[:, lanes]))) for side, lanes in sides.items()}
    side = max(means, key=lambda name: means[name])
    evenly = min(means.values()) > NOTABLE * means[side]
    begin, end = first / len(apart), last / len(apart)
    chosen = there if evenly else there[:, sides[side]]
    stations = np.searchsorted(on.track.geometry.normal, [begin, end]).tolist()
    where = "from side to side" if evenly else side
    return Stretch(
        begin, end, stations[0], min(stations[1], len(on.track.centre) - 1), where, float(np.nanmean(chosen))
    )


def _others(track: Track, race: Race, seed: int) -> Records:
    """Bodies (k,) of what stands or starts on the track."""
    simulator = Simulator(track, race=race, seed=seed)
    simulator.reset()
    return simulator.state.bodies[0, race.cars :]


def _rewards(function: RewardFunction, lane: list[dict[str, object]]) -> Iterator[float]:
    for params in copy.deepcopy(lane):
        try:
            yield float(function([params])[0])
        except RewardError:
            yield np.nan
