"""Random numbers that are looked up, not drawn: the number for a stream, a tick and an index is a hash of the three.

Nothing has to be stored between draws, so that a copied state goes on exactly as the original did, cars can be reset
one by one, and car 7 gets the same numbers however many there are. Every car has one stream an episode (`streams_of`);
whoever needs numbers of its own forks it by a salt (`fork`, `salt_of`), so that two uses never share a draw.

The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014)
on the sums of its Weyl sequence. It is not fit for secrets. Outside of kernels, hand streams over as numpy's uint64:
numba takes a Python number for a signed one, and most streams are too large for that.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from racer_env.kernel import COMPILED, Ints, kernel

Streams = npt.NDArray[np.uint64]

#: Constants of SplitMix64. None is below 2**63: numba takes such for signed, and mixes of both become floats.
_MASK, _GOLDEN = 0xFFFF_FFFF_FFFF_FFFF, 0x9E37_79B9_7F4A_7C15
_FIRST, _SECOND = 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB
_STEP = 2.0**-53  #: between neighbouring numbers

if COMPILED:

    @kernel
    def _word(value: Any) -> Any:
        return np.uint64(value)
else:

    def _word(value: Any) -> Any:
        return int(value) & _MASK  # numpy would warn of every overflow


@kernel
def fork(stream: Any, salt: Any) -> Any:
    """Give another stream: the one of a tick, a use or an index."""
    z = (_word(stream) + _GOLDEN * _word(salt) + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


@kernel
def share_of(stream: Any) -> float:
    """The number in [0, 1) of a stream."""
    return float((_word(stream) >> 11) * _STEP)


@kernel
def uniform(stream: Any, tick: int, index: int) -> float:
    """Give a number in [0, 1)."""
    return share_of(fork(fork(stream, tick), index))


@kernel
def normal(stream: Any, tick: int, index: int) -> float:
    """Give a number of the normal distribution with mean 0 and deviation 1 (Box and Muller)."""
    drawn = fork(fork(stream, tick), index)
    radius = math.sqrt(-2.0 * math.log(1.0 - share_of(drawn)))
    return radius * math.cos(2.0 * math.pi * share_of(fork(drawn, 0)))


@kernel
def between(stream: Any, tick: int, index: int, low: float, high: float) -> float:
    """Give a number in [low, high)."""
    return low + (high - low) * uniform(stream, tick, index)


@kernel
def below(stream: Any, tick: int, index: int, count: int) -> int:
    """Give a whole number from 0 to count - 1."""
    return min(int(count * uniform(stream, tick, index)), count - 1)


@kernel
def _streams_of(seeds: Streams, cars: Ints, episodes: Ints, out: Streams) -> None:
    for j in range(cars.size):
        out[j] = fork(fork(fork(seeds[j % seeds.size], 0), cars[j]), episodes[j])


def streams_of(seed: int | Streams, cars: Ints, episodes: Ints) -> Streams:
    """Give the streams (k,) of cars (k,) in their episodes (k,), counted from anywhere.

    Any whole number is a seed; several, one for each car, come as `seeds_of` gives them.
    """
    out = np.empty(len(cars), np.uint64)
    _streams_of(seed if isinstance(seed, np.ndarray) else seeds_of([seed]), cars, episodes, out)
    return out


def seeds_of(seeds: Iterable[int]) -> Streams:
    """Whole numbers as seeds (k,)."""
    return np.array([int(seed) & _MASK for seed in seeds], np.uint64)


def salt_of(use: str) -> int:
    """Give the salt of a use from what it is called."""
    return zlib.crc32(use.encode())
