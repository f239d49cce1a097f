"""``racer analyze`` as a user sees it."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from racer_env.errors import RacerError
from training.analysis import style
from training.run_folder import RunFolder

SECTIONS = ("completion", "reward", "lap_times", "exits", "actions", "best_laps", "learning", "comparison")


@pytest.mark.slow
def test_tables_pictures_and_a_report_that_needs_nothing_else(
    run: RunFolder, shown: Callable[..., str], tmp_path: Path
) -> None:
    text = shown("analyze", run.path, "-o", tmp_path / "out", "--against", run.path)
    for title in ("Completion", "Where it leaves, oval", "Best laps, oval", "Comparison", "too early to judge"):
        assert title in text
    assert f"wrote {tmp_path}/out/report.html and 8 pictures" in text
    for name in SECTIONS:
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width == pytest.approx(1200, abs=150)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 8
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "http" not in page
    assert "$" not in page


@pytest.mark.slow
def test_json_holds_the_same_and_the_pictures_go_into_the_run(run: RunFolder, shown: Callable[..., str]) -> None:
    found = json.loads(shown("analyze", run.path, "--json"))
    assert found["missing"] == []
    assert [finding["name"] for finding in found["findings"]] == ["too_early"]
    assert sum(row["episodes"] for row in found["tables"]["completion"]) > 5
    assert [Path(file).parent for file in found["files"]] == [run.path / "analysis"] * 8


def test_names_are_escaped_in_the_report() -> None:
    from training.analysis.report import _table
    from training.analysis.table import Column, Table

    assert _table(Table((Column("<b>"), Column("n", "m", ".1f")), (("<script>", None),))) == (
        '<div class="scroll"><table>\n<tr><th>&lt;b&gt;</th><th class="number">n (m)</th></tr>\n'
        '<tr><td>&lt;script&gt;</td><td class="number">–</td></tr>\n</table></div>'
    )


def test_wrong_input_is_one_sentence(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "there is no such file or folder" in refused("analyze", tmp_path / "nowhere")
    assert "no finished episode" in refused("analyze", tmp_path)
    assert not (tmp_path / "analysis").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(run: RunFolder, refused: Callable[..., str]) -> None:
    file = run.path / "settings.json"
    assert refused("analyze", run.path, "-o", file) == f"{file} cannot be written: file exists"


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "training.analysis.style")
    with pytest.raises(RacerError, match=r"pip install 'racer18\[analysis\]'"):
        importlib.import_module("training.analysis.style")


def test_a_picture_is_the_same_every_time() -> None:
    def draw(figure: style.Figure) -> None:
        style.axes(figure, "x (m)", "y (m)").plot([0.0, 1.0], [1.0, 0.0])

    first = style.png(draw, (3.0, 2.0))
    assert first == style.png(draw, (3.0, 2.0))
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.size == (390, 260)
