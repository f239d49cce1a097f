"""A sweep.toml is checked before anything starts, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.errors import MetadataError, RacerError
from training.model_folder import ModelFolder
from training.sweep.action_grid import ActionGrid
from training.sweep.candidate import baseline, draw
from training.sweep.folder import SweepFolder
from training.sweep.plan import Plan, SweepError
from training.sweep.starter import make_plan

MakeSweep = Callable[..., Path]


class Middle:
    """A trial that chooses the first of choices, and the middle of ranges."""

    def suggest_categorical(self, _: str, choices: Sequence[Any]) -> Any:
        return choices[0]

    def suggest_int(self, _: str, low: int, high: int, **__: object) -> int:
        return (low + high) // 2

    def suggest_float(self, _: str, low: float, high: float, **__: object) -> float:
        return (low + high) / 2


@pytest.mark.parametrize(
    ("key", "line", "sentence"),
    [
        ("lr", "lrr = [1e-4, 1e-3]", "hyperparameters.lrr: there is no such hyperparameter; did you mean 'lr'?"),
        ("lr", "lr = {low = -1.0, high = 1.0}", "hyperparameters.lr is -1; input should be greater than 0"),
        ("lr", "lr = {low = 1.0}", "hyperparameters.lr is {'low': 1.0}; a range needs 'high'"),
        ("lr", "lr = {low = 1.0, high = 0.5}", "low 1.0 must be less than high 0.5"),
        ("lr", "lr = {low = 0.0, high = 0.5, log = true}", "log needs a low above 0"),
        ("lr", "lr = {low = 0.1, hihg = 0.5}", "a range has no 'hihg'"),
        ("lr", "lr = [0.1, 0.1]", "must hold something, and nothing twice"),
        ("lr", "num_epochs = {low = 3.0, high = 10.0}", "num_epochs takes whole numbers"),
        ("lr", "batch_size = [64, 128.5]", "hyperparameters.batch_size is 128.5"),
        ("lr", "stack_size = [1, 2]", "hyperparameters.stack_size has no effect on training"),
        ("cars", "cars = [0, 4]", "training.cars is 0, but must be a whole number from 1 to 4096"),
        ("cars", "network = ['compat']", "training.network is 'compat'; did you mean 'compact'?"),
        ("cars", "jitter = 1", "training.jitter is 1, but must be true or false"),
        ("cars", "randomise = ['none', 'mldi']", "did you mean 'mild'"),
        ("cars", "epochs = 1", "there is no 'training.epochs'"),
        ("trials", "trails = 3", "there is no 'trails'; did you mean 'trials'?"),
        ("trials", "trials = 0", "trials is 0; input should be greater than or equal to 1"),
        ("trials", "objective = 'speed'", "objective is 'speed'; input should be 'completion', 'lap_time'"),
        ("model", "", "model is missing"),
        ("track", "track = ", "is not TOML"),
        ("SPEED_WEIGHT", "Speed = 1.0", "reward.constants.Speed: constants are written in capitals"),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(sweep: MakeSweep, key: str, line: str, sentence: str) -> None:
    file = sweep()
    lines = [line if text.startswith(f"{key} =") else text for text in file.read_text().splitlines()]
    file.write_text("\n".join(lines))
    with pytest.raises(SweepError) as error:
        Plan.read(file)
    assert str(error.value).startswith(str(file))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plan_that_sweeps_nothing_is_refused(sweep: MakeSweep) -> None:
    with pytest.raises(SweepError, match="nothing is swept"):
        Plan.read(sweep(lr="lr = 0.001", SPEED_WEIGHT="SPEED_WEIGHT = 1.0"))


@pytest.mark.parametrize(
    ("key", "line", "sentence"),
    [
        ("track", "track = 'ovall'", "ovall"),
        ("SPEED_WEIGHT", "SPED_WEIGHT = [0.5, 1.0]", "has no constant 'SPED_WEIGHT'"),
        ("model", "model = 'nowhere'", "nowhere"),
    ],
)
def test_what_cannot_start_is_refused_before_the_folder_is_made(
    sweep: MakeSweep, tmp_path: Path, key: str, line: str, sentence: str
) -> None:
    plan = Plan.read(sweep(**{key: line}))
    with pytest.raises(RacerError, match=sentence):
        SweepFolder.create(tmp_path / "sweep", plan)
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_the_plan_in_the_folder_is_the_plan_that_was_given(folder: Callable[..., SweepFolder], tmp_path: Path) -> None:
    made = folder(name="there", lr="lr = {low = 1e-4, high = 1e-2}\nnum_epochs = {low = 2, high = 8, step = 2}")
    given = Plan.read(tmp_path / "there" / "sweep.toml")
    assert made.plan.model == made.path / "inputs" / "model"
    assert made.plan.model_copy(update={"model": given.model}) == given
    moved = made.path.rename(tmp_path / "elsewhere")
    assert ModelFolder.read(SweepFolder.open(moved).plan.model).reward.is_file()
    with pytest.raises(SweepError, match=r"exists already.*racer sweep run --resume"):
        SweepFolder.create(moved, given)


def test_constants_are_drawn_only_where_the_chosen_file_has_them(sweep: MakeSweep) -> None:
    file = sweep()
    (file.parent / "plain.py").write_text("def reward_function(params):\n    return 1.0\n")
    text = file.read_text().replace(
        "[reward.constants]", "[reward]\nfiles = ['plain.py', 'model/reward_function.py']\n[reward.constants]"
    )
    file.write_text(text)
    plan = Plan.read(file)
    assert plan.swept == ["reward", "lr", "SPEED_WEIGHT"]
    assert dict(draw(plan, Middle()).values["constants"]) == {}
    assert list(plan.variants()["reward"]) == ["plain", "model"]
    file.write_text(text.replace("'plain.py', ", "'model/../model/reward_function.py', "))
    with pytest.raises(SweepError, match="would both be called 'model'"):
        Plan.read(file).swept  # noqa: B018 - the property is what is tried


def test_the_first_trial_is_the_model_as_it_is(sweep: MakeSweep) -> None:
    plan = Plan.read(sweep(cars="cars = [16, 64]"))
    assert baseline(plan) == {"lr": 3e-4, "cars": 64, "SPEED_WEIGHT": 0.5}
    beyond = Plan.read(sweep("v", lr="lr = [0.1, 0.2]", SPEED_WEIGHT="SPEED_WEIGHT = {low = 0.6, high = 1.0}"))
    assert baseline(beyond) == {}


def test_action_spaces_are_made_of_numbers_or_files(sweep: MakeSweep, tmp_path: Path) -> None:
    file = sweep()
    text = file.read_text()
    space = "[action_space]\nmax_speed = {low = 2.0, high = 4.0}\nspeed_granularity = 2\nsteering_granularity = 3\n"
    file.write_text(text + space)
    candidate = draw(Plan.read(file), Middle())
    candidate.write(tmp_path / "made")
    made = ModelFolder.read(tmp_path / "made").metadata
    assert made.actions == DiscreteActions((-30.0, -30.0, 0.0, 0.0, 30.0, 30.0), (1.5, 3.0) * 3)
    assert made.sensors == ("STATE",)
    file.write_text(f"{text}{space}files = ['model/model_metadata.json']\n")
    with pytest.raises(SweepError, match="has files and steering_granularity"):
        Plan.read(file)
    file.write_text(f"{text}{space}min_speed = [1.0, 2.5]\n")
    with pytest.raises(SweepError, match=r"min_speed must be less than action_space\.max_speed"):
        Plan.read(file)


def test_a_grid_has_the_consoles_angles_and_speeds() -> None:
    grid = ActionGrid("discrete", 30.0, 3.0, 5, 3)
    assert sorted(set(grid.actions.steering_degrees)) == [-30.0, -15.0, 0.0, 15.0, 30.0]
    assert sorted(set(grid.actions.speed)) == [1.0, 2.0, 3.0]
    assert ActionGrid.of(grid.actions).actions == grid.actions
    assert ActionGrid("continuous", 20.0, 4.0, min_speed=1.0).actions == ContinuousActions((-20.0, 20.0), (1.0, 4.0))
    assert ActionGrid("discrete", 30.0, 3.0).actions == DiscreteActions((0.0,), (3.0,))
    for wrong in ({"max_speed": 0.0}, {"min_speed": 4.0}, {"steering_granularity": 0}, {"action_space_type": "box"}):
        with pytest.raises(MetadataError, match=next(iter(wrong))):
            ActionGrid(**{"action_space_type": "discrete", "max_steering_angle": 30.0, "max_speed": 3.0, **wrong})  # type: ignore[arg-type]


def test_a_new_plan_names_the_models_constants(sweep: MakeSweep, tmp_path: Path) -> None:
    model = sweep().parent / "model"
    file = tmp_path / "plans" / "mine.toml"
    plan = make_plan(file, model, "oval")
    assert plan.model.resolve() == model
    assert "# SPEED_WEIGHT = {low = 0.25, high = 1.0}" in file.read_text()
    uncommented = "\n".join(
        line.removeprefix("# ") for line in file.read_text().splitlines() if not line.startswith(("# What", "# {low"))
    )
    file.write_text(uncommented.replace("kind", "# kind").replace("files =", "# files =").replace("INTERRUPT", "# I"))
    assert {"num_epochs", "cars", "max_speed", "SPEED_WEIGHT"} <= set(Plan.read(file).swept)
    with pytest.raises(SweepError, match="exists already"):
        make_plan(file, model, "oval")
