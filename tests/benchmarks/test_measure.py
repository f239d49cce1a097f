"""The table of speed says what was measured, what was asked for and what was missed."""

import time

import pytest
from rich.console import Console

from benchmarks.measure import Peer, Row, compare, cores, rate, shown, table


def said(*rows: Row) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table([compare(row) for row in rows]))
    return captured.get()


def test_a_figure_is_the_median_of_five_runs() -> None:
    values = iter([1.0, 900.0, 3.0, 2.0, 4.0])
    assert compare(Row("what", "steps/s", lambda: next(values))).reading.value == 3.0


def test_the_table_tells_what_is_missed() -> None:
    met, missed, late = (
        Row("met", "steps/s", lambda: 200.0, 150.0, 300.0),
        Row("missed", "steps/s", lambda: 100.0, 150.0),
        Row("late", "s", lambda: 2.0, most=1.0),
    )
    lines = {line.split("|")[1].strip(): line for line in said(met, missed, late).splitlines() if "|" in line}
    assert "missed" not in lines["met"]
    assert "150 missed" in lines["missed"]
    assert "at most 1.00 missed" in lines["late"]


def test_peers_are_compared_as_ratios_or_tell_why_not() -> None:
    peers = [Peer("slow", 25.0), Peer("measured", lambda: 50.0), Peer("absent", "does not install: no network")]
    told = said(Row("ours", "steps/s", lambda: 100.0, peers=peers))
    assert "4.00 times slow (25.0); 2.00 times measured (50.0); absent: does not install: no network" in told


def test_a_rate_counts_work_for_each_second() -> None:
    def work() -> int:
        time.sleep(0.01)
        return 5

    assert 250.0 < rate(work, 0.1) <= 500.0


def test_one_core_is_what_is_measured_on_and_given_back() -> None:
    os = pytest.importorskip("os")
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not let a process choose its cores")
    before = os.sched_getaffinity(0)
    with cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("value", "text"), [(123456.7, "123,457"), (99.94, "99.9"), (1.234, "1.23")])
def test_numbers_have_three_figures(value: float, text: str) -> None:
    assert shown(value) == text
