"""A race's state follows from its times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from league.lifecycle import State, Times

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("times", "state"),
    [
        (Times(), State.DRAFT),
        (Times(closes_at=NOON + HOUR), State.DRAFT),
        (Times(opens_at=NOON + HOUR), State.DRAFT),
        (Times(opens_at=NOON), State.OPEN),
        (Times(opens_at=NOON - HOUR), State.OPEN),
        (Times(opens_at=NOON - HOUR, closes_at=NOON + HOUR), State.OPEN),
        (Times(opens_at=NOON - HOUR, closes_at=NOON), State.CLOSED),
        (Times(NOON - HOUR, NOON, final_at=NOON), State.FINAL),
        (Times(cancelled_at=NOON), State.CANCELLED),
        (Times(NOON - HOUR, NOON + HOUR, cancelled_at=NOON), State.CANCELLED),
    ],
)
def test_a_state_follows_from_the_times(times: Times, state: State) -> None:
    assert times.state(NOON) is state


def test_a_race_goes_through_its_states_in_order_by_itself() -> None:
    times = Times(opens_at=NOON, closes_at=NOON + HOUR)
    seen = [times.state(NOON + k * HOUR / 2) for k in range(-1, 4)]
    assert seen == [State.DRAFT, State.OPEN, State.OPEN, State.CLOSED, State.CLOSED]
