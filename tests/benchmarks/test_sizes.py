"""Speed against size, measured for real but briefly, and plotted."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks import sizes


def test_sizes_are_measured_told_and_plotted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "WORLDS", (1, 2))
    monkeypatch.setattr(sizes, "LENGTHS", (17.0, 25.0))
    monkeypatch.setattr(sizes, "LOADS", {"without a reward": (None, ())})
    monkeypatch.setattr(sizes, "SHORT", 0.001)
    found = sizes.measure()
    assert all(speed > 0.0 for speeds in (*found.of_worlds.values(), *found.of_lengths.values()) for speed in speeds)
    assert [str(cell) for cell in sizes.table(found).columns[0].cells] == [
        "1 world", "2 worlds", "17 m", "25 m", "slowest length over fastest",
    ]  # fmt: skip
    with Image.open(sizes.draw(found, tmp_path / "sizes.png")) as picture:
        assert picture.size == (1100, 440)


def test_flatness_is_the_slowest_over_the_fastest() -> None:
    assert sizes.flatness([100.0, 80.0, 90.0]) == 0.8
