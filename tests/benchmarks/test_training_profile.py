"""The clock of the profile charges every moment once."""

import time

import pytest

from benchmarks.training_profile import OTHER, Clock


def test_nested_parts_are_charged_once_and_evaluations_whole() -> None:
    began = time.perf_counter()
    clock = Clock()
    with clock.timing("simulate"):
        time.sleep(0.02)
        clock.around("render", time.sleep)(0.02)
        time.sleep(0.02)
    with clock.timing("evaluate"), clock.timing("simulate"):
        time.sleep(0.02)
    clock.switch()
    total = clock.seconds["simulate"] + clock.seconds["render"] + clock.seconds["evaluate"] + clock.seconds[OTHER]
    assert clock.seconds["simulate"] >= 0.04
    assert clock.seconds["render"] >= 0.02
    assert clock.seconds["evaluate"] >= 0.02
    assert total == pytest.approx(time.perf_counter() - began, rel=0.02)
