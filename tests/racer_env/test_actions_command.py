"""``racer actions``: suggestions fit the line and lead back to it; files and plots say the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from racer_env.car import CARS, DEEPRACER_V4, DEEPRACER_V5, ContinuousActions, DiscreteActions
from racer_env.commands.actions import app
from racer_env.errors import RacerError
from racer_env.metadata import ModelMetadata
from racer_env.render import palette
from racer_env.render.action_plot import SIZE, draw_actions
from racer_env.render.palette import ramp_colour
from racer_env.suggested_actions import line_commands, suggest_actions
from racer_env.track import find_track


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.jit
@pytest.mark.parametrize("count", [3, 8, 30])
def test_there_are_as_many_as_asked_for_and_two_lead_back(count: int) -> None:
    found = suggest_actions(find_track("oval"), DEEPRACER_V5, count)
    pairs = list(zip(found.actions.steering_degrees, found.actions.speed, strict=True))
    assert len(set(pairs)) == count
    assert pairs == sorted(pairs)
    assert (pairs[0][0], pairs[-1][0]) == (-30.0, 30.0)
    assert all(0.5 <= speed <= 4.0 for _, speed in pairs)
    assert sum(found.share) == pytest.approx(1.0)
    assert (-10.0 in found.actions.steering_degrees) == (count >= 8)


@pytest.mark.jit
def test_more_actions_are_nearer_to_what_the_line_needs() -> None:
    def miss(count: int) -> float:
        found = suggest_actions(find_track("oval"), DEEPRACER_V4, count)
        needed = line_commands(found.line, DEEPRACER_V4)
        actions = np.column_stack((found.actions.steering_degrees, found.actions.speed))
        apart = np.abs((needed[:, None] - actions) / [30.0, 4.0]).sum(axis=2)
        return float(apart.min(axis=1).mean())

    assert (fine := miss(20)) < miss(6)
    assert fine < 0.06


@pytest.mark.jit
def test_a_mirrored_way_needs_mirrored_actions() -> None:
    there, back = (suggest_actions(find_track("oval", reverse=r), CARS["physical"], 9).actions for r in (False, True))
    np.testing.assert_allclose(sorted(-a for a in back.steering_degrees), there.steering_degrees, atol=1.0)


@pytest.mark.jit
def test_a_written_file_keeps_what_else_it_says(tmp_path: Path) -> None:
    file, picture = tmp_path / "model_metadata.json", tmp_path / "actions.png"
    file.write_text(ModelMetadata(sensors=("STEREO_CAMERAS",), version=5.0).to_json())
    rows = json.loads(run("suggest", "-n", "5", "--car", "deepracer_v4", "-o", file, "--json").output)
    written = ModelMetadata.read(file)
    assert (written.sensors, written.car) == (("STEREO_CAMERAS",), DEEPRACER_V4)
    assert isinstance(written.actions, DiscreteActions)
    assert [row["speed"] for row in rows] == list(written.actions.speed)
    shown = run("show", tmp_path, "--picture", picture)
    assert [line.split() for line in shown.output.splitlines()[1:]] == [
        [str(i), f"{row['steering_angle']:g}", f"{row['speed']:g}"] for i, row in enumerate(rows)
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["actions.png", "model_metadata.json"]


def test_a_plot_has_a_dot_for_each_action_on_its_side() -> None:
    picture = np.asarray(draw_actions(DiscreteActions((20.0,), (4.0,)), "one")).astype(int)
    dot = np.abs(picture - ramp_colour(1.0)).max(axis=2) < 12
    assert dot[:, : SIZE[0] // 2].any()
    assert not dot[:, SIZE[0] // 2 + 5 :].any()
    sector = np.asarray(draw_actions(ContinuousActions((-30.0, 0.0), (1.0, 3.0)), "box")).astype(int)
    painted = (np.abs(sector - palette.NIGHT).max(axis=2) > 90)[100:500]
    assert painted[:, SIZE[0] // 2 :].mean() > 10 * painted[:, : SIZE[0] // 2 - 5].mean()


def test_actions_beyond_the_cars_limits_stay_on_the_picture() -> None:
    image = draw_actions(DiscreteActions((-90.0, 45.0), (6.0, 8.0)), "wide")
    assert isinstance(image, Image.Image)
    assert image.size == SIZE


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("suggest", "-n", "2"), "there can be 3 to 30"),
        (("suggest", "--track", "ovl"), "did you mean 'oval'"),
        (("show", "nothing.json"), "cannot be read"),
        (("show", "."), "holds no model_metadata.json"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        error = run(*arguments).exception
    assert isinstance(error, RacerError)
    assert sentence in str(error)
