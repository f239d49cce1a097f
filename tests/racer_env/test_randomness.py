"""Random numbers depend on their place alone, and are as random as they must be."""

import numpy as np

from racer_env.kernel import COMPILED
from racer_env.randomness import below, between, fork, normal, salt_of, share_of, streams_of, uniform

STREAM = np.uint64(11514683844416010703)
MANY = 20_000 if COMPILED else 4_000


def test_a_number_is_the_same_in_both_modes_and_for_ever() -> None:
    assert streams_of(-5, np.arange(2), np.arange(2) - 1).tolist() == [3770194174200587425, STREAM]
    assert uniform(STREAM, 0, 1).hex() == "0x1.d575a21434a02p-1"
    assert normal(STREAM, 0, 1).hex() == "0x1.956e7faaa30f9p-2"


def test_uniform_numbers_fill_their_range_evenly() -> None:
    drawn = np.array([uniform(STREAM, k // 100, k % 100) for k in range(MANY)])
    counts = np.histogram(drawn, 20, (0.0, 1.0))[0]
    assert counts.sum() == MANY
    assert drawn.max() < 1.0
    assert np.sum((counts - MANY / 20) ** 2 / (MANY / 20)) < 43.8  # 0.1 % of the time by chance


def test_neighbours_in_index_tick_car_and_episode_have_nothing_in_common() -> None:
    k = MANY // 4
    cars = streams_of(0, np.arange(k), np.zeros(k, np.int64))
    episodes = streams_of(0, np.zeros(k, np.int64), np.arange(k))
    rows = np.array(
        [
            [uniform(STREAM, 0, i) for i in range(k)],
            [uniform(STREAM, 1, i) for i in range(k)],
            [uniform(STREAM, i, 0) for i in range(k)],
            [uniform(s, 0, 0) for s in cars],
            [uniform(s, 0, 0) for s in episodes],
        ]
    )
    rows = np.vstack((rows, np.roll(rows, 1, axis=1)))
    apart = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(apart).max() < 4.5 / np.sqrt(k)


def test_normal_numbers_have_their_moments() -> None:
    drawn = np.array([normal(STREAM, k, 0) for k in range(MANY)])
    near = 4.0 / np.sqrt(MANY)
    assert abs(drawn.mean()) < near
    assert abs(drawn.std() - 1.0) < near
    assert abs(np.mean(drawn**3)) < 4 * near
    assert abs(np.mean(np.abs(drawn) < 1.0) - 0.6827) < near


def test_car_seven_does_not_depend_on_how_many_there_are() -> None:
    few, many = (streams_of(3, np.arange(n), np.full(n, 5)) for n in (8, 500))
    np.testing.assert_array_equal(few, many[:8])
    assert len(np.unique(many)) == 500
    assert not np.isin(streams_of(4, np.arange(500), np.full(500, 5)), many).any()


def test_any_whole_number_is_a_seed() -> None:
    one = np.zeros(1, np.int64)
    assert len({int(streams_of(seed, one, one)[0]) for seed in (0, -1, 1, 2**63, 2**64 - 2, -(10**30))}) == 6


def test_ranges_keep_their_ends() -> None:
    assert {below(STREAM, 0, i, 3) for i in range(100)} == {0, 1, 2}
    drawn = [between(STREAM, 0, i, -2.0, 5.0) for i in range(1000)]
    assert -2.0 <= min(drawn) < -1.9
    assert 4.9 < max(drawn) < 5.0
    assert share_of(np.uint64(2**64 - 1)) < 1.0


def test_uses_do_not_share_numbers() -> None:
    forks = {int(fork(STREAM, salt_of(use))) for use in ("noise", "delay", "boxes")}
    assert len(forks | {int(STREAM)}) == 4
