from pathlib import Path

import numpy as np
import pytest

from racer_env.dynamics import CONTROL_RATE, SUBSTEPS, TIME_STEP
from racer_env.errors import RacerError
from racer_env.kernel import Floats
from racer_env.randomness import streams_of
from racer_env.recording import open_recordings
from racer_env.timing import EXACT, MOST, ORIGINAL, Timing
from racer_env.windows import drives_of

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
DATA = SHARED / "data"

CARS = np.arange(40)
STREAMS = streams_of(3, CARS, np.zeros(40, np.int64))


def periods(timing: Timing, ticks: int = 100) -> Floats:
    """Lengths of control periods (t, n), s."""
    steps = [timing.time_steps(STREAMS, np.full(len(CARS), tick)) for tick in range(ticks)]
    return np.stack(steps) * SUBSTEPS


def test_exact_timing_is_exact_to_the_last_bit() -> None:
    assert np.all(EXACT.time_steps(STREAMS, CARS) == TIME_STEP)


def test_the_originals_periods_last_33_to_100_ms_and_a_fifteenth_of_a_second_on_average() -> None:
    lengths = periods(ORIGINAL)
    assert 0.0333 < lengths.min() < 0.042
    assert 0.092 < lengths.max() < 0.1001
    assert lengths.std() == pytest.approx(np.sqrt(2.0) * 0.0072, rel=0.05)
    assert lengths.mean() == pytest.approx(1.0 / CONTROL_RATE, rel=1e-3)


def test_lateness_never_adds_up() -> None:
    ends = np.cumsum(periods(Timing(0.015)), axis=0)
    ticks = np.arange(1, len(ends) + 1)[:, None] / CONTROL_RATE
    assert np.abs(ends - ticks).max() <= 2.0 * MOST + 1e-9


def test_a_long_period_is_followed_by_a_short_one_as_in_the_original() -> None:
    lengths = periods(ORIGINAL)
    assert np.corrcoef(lengths[:-1].ravel(), lengths[1:].ravel())[0, 1] == pytest.approx(-0.5, abs=0.05)


def test_a_car_keeps_its_time_in_any_crowd_and_order() -> None:
    ticks = CARS + 7
    here, alone = ORIGINAL.time_steps(STREAMS, ticks), ORIGINAL.time_steps(STREAMS[5:6], ticks[5:6])
    assert alone[0] == here[5]
    assert np.array_equal(ORIGINAL.time_steps(STREAMS[::-1], ticks[::-1]), here[::-1])
    assert len(np.unique(here)) == len(CARS)


@pytest.mark.parametrize("lateness", [-0.001, 0.02, float("nan")])
def test_a_lateness_that_would_upset_the_clock_is_refused(lateness: float) -> None:
    with pytest.raises(RacerError, match=r"lateness must be from 0 to 16\.7 ms"):
        Timing(lateness)


@pytest.mark.skipif(not (DATA / "traces").is_dir(), reason="the original's traces are not here")
def test_the_originals_rows_are_stamped_so() -> None:
    stamps = drives_of(open_recordings([DATA / "traces" / "v4_drfc_train"], DATA / "tracks"))
    steps = [
        np.diff(stamps.stamp[a:b]) for a, b in zip(stamps.bounds[:-1].tolist(), stamps.bounds[1:].tolist(), strict=True)
    ]
    lengths = np.concatenate(steps)
    assert lengths.mean() == pytest.approx(1.0 / CONTROL_RATE, abs=2e-5)
    assert lengths.std() == pytest.approx(np.sqrt(2.0) * ORIGINAL.lateness, rel=0.12)
    before, after = (np.concatenate([part[i : len(part) - 1 + i] for part in steps]) for i in (0, 1))
    assert np.corrcoef(before, after)[0, 1] == pytest.approx(-0.5, abs=0.05)
