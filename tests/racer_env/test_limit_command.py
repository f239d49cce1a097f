"""``racer limit``: what it prints, writes and draws, and what it refuses."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from racer_env.commands.limit import limit
from racer_env.errors import RacerError
from racer_env.track import find_track

pytestmark = pytest.mark.jit


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(limit)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_line_is_written_in_every_form_and_drawn(tmp_path: Path) -> None:
    picture, names = tmp_path / "line.png", [tmp_path / f"line{suffix}" for suffix in (".npy", ".csv", ".py")]
    told = json.loads(run("oval", "--json", "--picture", picture, "-o", names[0]).output)
    for name in names[1:]:
        assert run("oval", "-o", name).exit_code == 0
    rows = np.load(names[0])
    assert rows[:, 3].sum() == pytest.approx(told["seconds"])
    assert find_track("oval").contains(rows[:, :2]).all()
    np.testing.assert_allclose(np.loadtxt(names[1], delimiter=",", skiprows=1), rows, atol=1e-5)
    np.testing.assert_allclose(runpy.run_path(str(names[2]))["racing_track"], rows, atol=1e-5)
    assert names[1].read_text().startswith("x,y,speed,time\n")
    with Image.open(picture) as image:
        assert image.size == (1100, 720)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line.csv", "line.npy", "line.png", "line.py"]


def test_options_replace_the_numbers_of_a_car() -> None:
    plain, quick = (run("oval", "--car", "deepracer_v4", *more).output for more in ((), ("--grip", "0.6")))
    assert "2.72 m/s² across" in plain
    assert "5.89 m/s² across" in quick
    assert float(quick.split()[1]) < float(plain.split()[1])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("ovl",), "did you mean 'oval'"),
        (("oval", "--car", "deepracer_v9"), "no car is called"),
        (("oval", "--grip", "0"), "must be more than 0"),
        (("oval", "--margin", "0.6"), "no room for a line"),
        (("oval", "-o", "line.txt"), "must end in one of them"),
        (("oval", "-o", "/nowhere/line.py"), "cannot be written"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, RacerError)
    assert sentence in str(error)
