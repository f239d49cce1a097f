"""The figures of the car's driver file are of a bundle that is really written and read."""

from __future__ import annotations

from benchmarks import exporting


def test_each_figure_can_be_measured_alone() -> None:
    assert 0.1 < exporting.megabytes("compact")() < 1.0
    assert exporting.export_seconds("compact")() > 0.01
    assert exporting.frames("compact", 2)() > 1.0


def test_the_rows_say_what_is_asked_of_the_network_of_the_original() -> None:
    (row,) = [row for row in exporting.rows() if row.most is not None]
    assert (row.what.split()[0], row.most, row.unit) == ("SHALLOW", 3.0, "ms")
