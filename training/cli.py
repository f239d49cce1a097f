"""The commands ``racer new``, ``train`` and ``export``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from racer_env.commands.race_options import (
    BotCars,
    BotSpeed,
    Boxes,
    LaneChanges,
    RaceName,
    RandomPlaces,
    populated,
)
from training.options import CarName, EngineName, RayAddress, Reverse, Seed, Which, check_engine, checkpoint
from training.train_options import (
    Best,
    BothDirections,
    Cars,
    Clone,
    Critic,
    EvaluateEvery,
    From,
    Jitter,
    Minutes,
    ModelDir,
    NetworkName,
    Randomise,
    Resume,
    RunDir,
    Steps,
    Tracks,
    UntilLaps,
    UntilLapTime,
    UntilProgress,
    Workers,
)

if TYPE_CHECKING:
    from rich.console import Console

    from racer_env.race import Race
    from training.beginning import Beginning
    from training.course import Course
    from training.run_folder import RunFolder
    from training.trainer import Stop, Trainer

LAP_TIME = "--until-lap-time and --until-progress"
RACE_OPTIONS = ("race", "obstacles", "bots", "bot_speed", "lane_changes", "random_places")
INTERRUPTED = 130  #: exit code after Ctrl-C, as shells have it


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make.", show_default=False)],
    example: Annotated[str, typer.Option("--from", help="Which example to start from.")] = "centre_line",
) -> None:
    """Make a model folder to start from: a reward function, an action space and hyperparameters."""
    from training.starter import make_model_folder

    for file in make_model_folder(folder, example):
        typer.echo(f"wrote {file}")
    typer.echo(f"next: racer reward check {folder}/reward_function.py, then racer train {folder} --track oval")


def train(
    context: typer.Context,
    model_dir: ModelDir = None,
    track: Tracks = None,
    race: RaceName = "time_trial",
    obstacles: Boxes = None,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    random_places: RandomPlaces = False,
    randomise: Randomise = "none",
    jitter: Jitter = False,
    steps: Steps = None,
    minutes: Minutes = None,
    until_laps: UntilLaps = None,
    until_lap_time: UntilLapTime = None,
    until_progress: UntilProgress = None,
    best: Best = "progress",
    evaluate_every: EvaluateEvery = 1,
    seed: Seed = 0,
    run: RunDir = None,
    resume: Resume = None,
    bundle: From = None,
    clone: Clone = None,
    car: CarName = None,
    network: NetworkName = None,
    critic: Critic = "STATE",
    reverse: Reverse = False,
    both_directions: BothDirections = False,
    cars: Cars = 64,
    engine: EngineName = "local",
    workers: Workers = None,
    ray_address: RayAddress = None,
) -> None:
    """Train a driver from the camera with PPO.

    Without --steps, --minutes or any --until option it stops after 5 evaluation laps in a row or 30 minutes. All of
    them count from now, also with --resume. Of several tracks and directions, evaluation laps take turns. Ctrl-C saves
    and leaves.
    """
    _quiet_threads()
    from rich.console import Console

    from racer_env.race import TIME_TRIAL
    from training import start
    from training.progress import note
    from training.run_lock import locked

    console = Console(soft_wrap=True, highlight=False)
    stop = _stop(steps, minutes, until_laps, until_lap_time, until_progress)
    make_trainer = _trainers(engine, workers, ray_address)
    if resume is not None:
        folder = start.resumed(resume, _fixed(context))
    else:
        beginning = _beginning(bundle, clone)
        around = populated(TIME_TRIAL, race, obstacles, bots, bot_speed, lane_changes, random_places)
        around = _around(context, beginning) or around
        folder, remarks = start.started(
            model_dir,
            track,
            run,
            seed,
            car,
            network,
            critic,
            reverse,
            cars,
            around,
            randomise,
            jitter,
            both_directions,
            best,
            evaluate_every,
            beginning,
        )
        for remark in remarks:
            console.print(note(remark))
    with locked(folder):
        _train(folder, lambda: make_trainer(folder, resume is not None), stop, console)


def export(
    run: Annotated[
        Path, typer.Argument(help="A run folder, or a model that was trained elsewhere.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="NAME.tar.gz to write.", show_default=False)],
    which: Which = "best",
    onnx: Annotated[bool, typer.Option("--onnx", help="Also write NAME.onnx, for other tools (extra onnx).")] = False,
) -> None:
    """Write a driver as a DeepRacer car bundle: a run's, or one that was trained elsewhere, as a virtual model."""
    from training.elsewhere import is_run

    if run.exists() and not is_run(run):
        if onnx:
            raise typer.BadParameter("needs a run folder", param_hint="--onnx")
        _convert(run, output, checkpoint(which))
        return
    import torch

    from training.export import export as write
    from training.run_folder import RunFolder

    torch.set_num_threads(1)
    if onnx:
        from training.onnx_export import export_onnx, require_packages

        require_packages()
    bundle = write(RunFolder.open(run), output, checkpoint(which))
    size = output.stat().st_size / 1e6
    typer.echo(f"wrote {output}: {bundle.name}, {size:.1f} MB, checked against the run's network")
    if onnx:
        file = output.with_name(f"{bundle.name}.onnx")
        differs = export_onnx(RunFolder.open(run), file, which)
        typer.echo(f"wrote {file}: ONNX Runtime differs from the run's network by {differs:.1g} at most")


def _convert(model: Path, output: Path, which: str) -> None:
    from racer_env.conversion import for_car
    from training.elsewhere import open_elsewhere

    made = for_car(open_elsewhere(model, which), output.name.removesuffix(".tar.gz"))
    made.write(output)
    typer.echo(f"wrote {output}: {made.name}, {output.stat().st_size / 1e6:.1f} MB, checked against {model}")


def _train(
    folder: RunFolder, make_trainer: Callable[[], AbstractContextManager[Trainer]], stop: Stop, console: Console
) -> None:
    from training.progress import Progress, describe

    console.print(_headline(folder, describe(stop)), markup=False)
    with Progress(console, folder.path.name) as progress, make_trainer() as trainer:
        try:
            course = trainer.train(stop, progress.show)
        finally:
            progress.show_printed(trainer.records.newest_printed, folder.path / "logs" / "reward.log")
    console.print(_summary(folder, course, trainer.interrupted), markup=False)
    if trainer.interrupted:
        raise typer.Exit(INTERRUPTED)


def _trainers(
    engine: str, workers: int | None, address: str | None
) -> Callable[[RunFolder, bool], AbstractContextManager[Trainer]]:
    """What makes the trainer of a run, new or going on, for as long as it is needed."""
    if check_engine(engine, address) == "ray":
        from racer_env.cluster import check_address
        from training.cluster_trainer import on_cluster

        check_address(address)
        return partial(on_cluster, workers=workers, address=address)
    if workers is not None:
        raise typer.BadParameter("needs --engine ray", param_hint="--workers")
    from training.trainer import Trainer

    return lambda run, resume: nullcontext(Trainer(run, resume))


def _beginning(bundle: Path | None, clone: Path | None) -> Beginning | None:
    """The driver to begin with, if one is given."""
    if bundle is None and clone is None:
        return None
    from training.beginning import from_bundle, from_run

    if bundle is not None and clone is not None:
        raise typer.BadParameter("begins with one driver; leave one of the two out", param_hint="--from and --clone")
    return from_run(clone) if clone is not None else from_bundle(bundle)  # type: ignore[arg-type]


def _around(context: typer.Context, beginning: Beginning | None) -> Race | None:
    """The race of the run that is cloned, if nothing is said of one."""
    given = any(_given(context, name) for name in RACE_OPTIONS)
    return None if given or beginning is None else beginning.race


def _stop(
    steps: int | None, minutes: float | None, laps: int | None, lap_seconds: float | None, progress: float | None
) -> Stop:
    from training.trainer import Stop

    if lap_seconds is not None and progress is not None:
        raise typer.BadParameter("laps that count for it are complete; leave one of the two out", param_hint=LAP_TIME)
    target = lap_seconds is not None or progress is not None
    if steps is None and minutes is None and laps is None and not target:
        return Stop(minutes=30.0, laps=5)
    laps = 5 if target and laps is None else laps
    return Stop(steps, minutes, laps, 100.0 if progress is None else progress, lap_seconds)


def _fixed(context: typer.Context) -> list[str]:
    """What the user gave although the run that goes on has it fixed."""
    free = (
        "resume",
        "steps",
        "minutes",
        "until_laps",
        "until_lap_time",
        "until_progress",
        "engine",
        "workers",
        "ray_address",
    )
    given = [p for p in context.command.params if p.name not in free and _given(context, p.name)]
    return [p.opts[0] if p.param_type_name == "option" else "the model folder" for p in given]


def _given(context: typer.Context, name: str | None) -> bool:
    source = context.get_parameter_source(name or "")
    return source is not None and source.name == "COMMANDLINE"


def _quiet_threads() -> None:
    """Let torch's threads sleep while they wait, if the user has not said otherwise.

    They spin by default, which gains little when a machine is idle and makes learning many times slower when
    anything else runs. Torch reads this once, when it is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _headline(run: RunFolder, until: str) -> str:
    s = run.settings
    where = ", ".join((s.track, *s.more_tracks)) + (" in both directions" if s.both_directions else "")
    return f"training {run.path}: {s.network} on {where} with {s.car}, until {until}"


def _summary(run: RunFolder, course: Course, interrupted: bool) -> str:
    lap = f", {course.best_lap_ms / 1000:.1f} s a lap" if course.best_lap_ms is not None else ""
    if course.best and run.settings.best == "reward":
        lap += f", reward {course.best['reward']:.1f}"
    first = f"first evaluation lap after {course.first_lap_steps:,} steps, " if course.first_lap_steps else ""
    ended = "interrupted and saved" if interrupted else "done"
    return (
        f"{ended}: {course.steps:,} steps in {course.seconds / 60:.1f} minutes, {first}"
        f"best evaluation {course.best_completion or 0.0:.0f} %{lap}\n"
        f"next: racer evaluate {run.path}, racer export {run.path} -o NAME.tar.gz, racer train --resume {run.path}"
    )
