"""The tour is a notebook that runs from top to bottom, anywhere, and shows what it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from racer_env.bundle import Bundle

TOUR = Path(__file__).resolve().parents[2] / "training" / "tour.ipynb"
PATIENCE = 600  #: s, for one cell

#: Cells that must show a picture, and how many at least.
PICTURES = {
    "track-picture": 1,
    "line-plot": 1,
    "heat-map-picture": 1,
    "actions-picture": 1,
    "analyse": 2,
    "actions-chosen": 1,
    "lap-picture": 1,
    "best-laps-picture": 1,
    "drive-bundle": 1,
}


def tour() -> Any:
    return nbformat.reads(TOUR.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def code_cells(notebook: Any) -> dict[str, Any]:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernel starts (``start``), and its temporary files, settings and sockets."""
    folder = tmp_path_factory.mktemp("tour")
    for name in ("start", "temporary", "jupyter/kernels/tour"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def executed(folder: Path) -> dict[str, Any]:
    """The code cells after a run in a fresh kernel of this interpreter, away from the user's settings."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "tour", "language": "python"}
    (folder / "jupyter" / "kernels" / "tour" / "kernel.json").write_text(json.dumps(spec))
    notebook = tour()
    client = NotebookClient(
        notebook, kernel_name="tour", timeout=PATIENCE, resources={"metadata": {"path": str(folder / "start")}}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("TMPDIR", str(folder / "temporary"))
        client.execute()
    return code_cells(notebook)


def test_the_tour_is_kept_without_results() -> None:
    for cell in code_cells(tour()).values():
        assert not cell.outputs
        assert cell.execution_count is None
        assert not cell.metadata


def test_the_cells_of_the_tour_are_formatted_and_clean() -> None:
    for words in (("format", "--check"), ("check",)):
        done = subprocess.run([sys.executable, "-m", "ruff", *words, TOUR], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.jit
def test_the_tour_ends_with_a_bundle_that_a_car_takes(executed: dict[str, Any], folder: Path) -> None:
    (work,) = (folder / "temporary").glob("racer-tour-*")
    assert Bundle.open(work / "my-model.tar.gz").check() == []
    assert executed["open-bundle"].outputs[-1].data["text/plain"] == "[]"


@pytest.mark.slow
@pytest.mark.jit
def test_the_tour_shows_a_picture_wherever_it_promises_one(executed: dict[str, Any]) -> None:
    shown = {
        name: sum("image/png" in output.get("data", {}) for output in cell.outputs) for name, cell in executed.items()
    }
    assert {name: shown[name] for name in PICTURES if shown[name] < PICTURES[name]} == {}


@pytest.mark.slow
@pytest.mark.jit
def test_the_tour_warns_of_nothing_and_leaves_nothing_where_it_was_started(
    executed: dict[str, Any], folder: Path
) -> None:
    errors = {name: o.text for name, cell in executed.items() for o in cell.outputs if o.get("name") == "stderr"}
    assert errors == {}
    assert list((folder / "start").iterdir()) == []
