"""Garbage is not looked for inside, and looked for again outside, whatever happens."""

from __future__ import annotations

import gc

import pytest

from racer_env.garbage import uncollected


def test_garbage_is_not_looked_for_inside_and_as_before_outside() -> None:
    assert gc.isenabled()
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_mistake_inside_leaves_it_as_before() -> None:
    with pytest.raises(ZeroDivisionError), uncollected():
        _ = 1 / 0
    assert gc.isenabled()
