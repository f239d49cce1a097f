"""The commands ``racer new``, ``train``, ``evaluate`` and ``export``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from racer_env.track import Track
    from training.evaluation import Drive
    from training.run_folder import Course, RunFolder
    from training.trainer import Stop

INTERRUPTED = 130  #: exit code after Ctrl-C, as shells have it

ModelDir = Annotated[
    Path | None,
    typer.Argument(help="Folder with reward_function.py, and perhaps the two JSON files.", show_default=False),
]
TrackName = Annotated[str | None, typer.Option("--track", "-t", help="Name of a track, or a path of a .npy route.")]
CarName = Annotated[
    str | None,
    typer.Option(help="deepracer_v4 or deepracer_v6; by default what version in model_metadata.json says."),
]


def _finite(value: float | None) -> float | None:
    if value is not None and not abs(value) < float("inf"):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


Penalty = Annotated[float, typer.Option(help="Seconds.", min=0.0, callback=_finite)]
Which = Annotated[str, typer.Option(help="Which checkpoint of a run: best or last.")]


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
    track: Annotated[
        list[str] | None,
        typer.Option(
            "--track", "-t", help="A track, a .npy route, or random:SEED; of several, every episode draws one."
        ),
    ] = None,
    race: RaceName = "time_trial",
    obstacles: Boxes = None,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    random_places: RandomPlaces = False,
    steps: Annotated[int | None, typer.Option(help="Stop after so many steps, in whole iterations.", min=1)] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so many minutes.", min=0.0, callback=_finite)
    ] = None,
    until_laps: Annotated[
        int | None, typer.Option(help="Stop after so many complete evaluation laps in a row.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 0,
    run: Annotated[Path | None, typer.Option(help="Folder of the run; by default runs/NAME of the model.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run instead of starting one.")] = None,
    car: CarName = None,
    network: Annotated[
        str | None,
        typer.Option(help="compact (the default), or one of DeepRacer's, such as DEEP_CONVOLUTIONAL_NETWORK_SHALLOW."),
    ] = None,
    critic: Annotated[
        str,
        typer.Option(help="What the critic sees while training: STATE, or SENSORS for what the driver sees."),
    ] = "STATE",
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive the track in reverse.")] = False,
    cars: Annotated[int, typer.Option(help="Cars that gather experience at the same time.", min=1, max=4096)] = 32,
) -> None:
    """Train a driver from the camera with PPO.

    Without --steps, --minutes or --until-laps it stops after 5 evaluation laps in a row or 30 minutes. All of them
    count from now, also with --resume. Ctrl-C saves and leaves.
    """
    _quiet_threads()
    from rich.console import Console

    from racer_env.race import TIME_TRIAL
    from training import start
    from training.progress import Progress, describe, note
    from training.trainer import Trainer

    console = Console(soft_wrap=True, highlight=False)
    stop = _stop(steps, minutes, until_laps)
    if resume is not None:
        folder = start.resumed(resume, _fixed(context))
    else:
        around = populated(TIME_TRIAL, race, obstacles, bots, bot_speed, lane_changes, random_places)
        folder, remarks = start.started(model_dir, track, run, seed, car, network, critic, reverse, cars, around)
        for remark in remarks:
            console.print(note(remark))
    console.print(_headline(folder, describe(stop)), markup=False)
    with Progress(console, folder.path.name) as progress:
        trainer = Trainer(folder, resume=resume is not None)
        try:
            course = trainer.train(stop, progress.show)
        finally:
            progress.show_printed(trainer.records.newest_printed, folder.path / "logs" / "reward.log")
    console.print(_summary(folder, course, trainer.interrupted), markup=False)
    if trainer.interrupted:
        raise typer.Exit(INTERRUPTED)


def evaluate(
    driver: Annotated[Path, typer.Argument(help="A run folder or a bundle (.tar.gz).", show_default=False)],
    track: TrackName = None,
    laps: Annotated[int, typer.Option(help="Laps to drive.", min=1)] = 3,
    which: Which = "best",
    car: CarName = None,
    race: Annotated[
        str | None,
        typer.Option(help="time_trial, object_avoidance or head_to_bot; by default as trained.", show_default=False),
    ] = None,
    obstacles: Boxes = None,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    random_places: RandomPlaces = False,
    off_track_penalty: Penalty = 5.0,
    collision_penalty: Penalty = 5.0,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 0,
    resets: Annotated[int, typer.Option(help="How often the car is put back before the run ends.", min=0)] = 15,
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive the track in reverse.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write a picture of the drive to this PNG file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Drive a race greedily, with penalties, and tell the lap times.

    On the track are the obstacles and bot cars that a run was trained with, if nothing is said of them here.
    """
    from dataclasses import replace

    import torch

    from racer_env.car import find_car
    from racer_env.race import EVALUATION, TIME_TRIAL
    from racer_env.track import find_track
    from training import evaluation

    torch.set_num_threads(1)  # one picture at a time: more only wait for each other
    contender = evaluation.Contender.open(driver, _checkpoint(which))
    where = find_track(track, reverse=reverse) if track else contender.track
    if where is None:
        raise typer.BadParameter("a bundle does not say where it was trained; give --track", param_hint="--track")
    rules = replace(
        EVALUATION,
        laps=laps,
        off_track_penalty=off_track_penalty,
        collision_penalty=collision_penalty,
        resets=resets,
    )
    kind = race or (contender.run.race if contender.run else TIME_TRIAL)
    rules = populated(rules, kind, obstacles, bots, bot_speed, lane_changes, random_places)
    drive = evaluation.drive(contender, where, rules, seed, car=find_car(car) if car else None)
    if picture:
        _draw(where, drive, driver.name, picture)
    if contender.run:
        evaluation.keep(contender.run, drive)
    rows = evaluation.lap_dicts(drive.result)
    _print_laps(where.name, rows, as_json)


def export(
    run: Annotated[Path, typer.Argument(help="A run folder.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="NAME.tar.gz to write.", show_default=False)],
    which: Which = "best",
) -> None:
    """Write a run's driver as a DeepRacer car bundle."""
    import torch

    from training.export import export as write
    from training.run_folder import RunFolder

    torch.set_num_threads(1)
    bundle = write(RunFolder.open(run), output, _checkpoint(which))
    size = output.stat().st_size / 1e6
    typer.echo(f"wrote {output}: {bundle.name}, {size:.1f} MB, checked against the run's network")


def _stop(steps: int | None, minutes: float | None, laps: int | None) -> Stop:
    from training.trainer import Stop

    if steps is None and minutes is None and laps is None:
        return Stop(minutes=30.0, laps=5)
    return Stop(steps, minutes, laps)


def _fixed(context: typer.Context) -> list[str]:
    """What the user gave although the run that goes on has it fixed."""
    free = ("resume", "steps", "minutes", "until_laps")
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


def _checkpoint(which: str) -> str:
    if which not in ("best", "last"):
        raise typer.BadParameter(f"{which!r}, but must be best or last", param_hint="--which")
    return which


def _headline(run: RunFolder, until: str) -> str:
    s = run.settings
    return f"training {run.path}: {s.network} on {s.track} with {s.car}, until {until}"


def _summary(run: RunFolder, course: Course, interrupted: bool) -> str:
    lap = f", {course.best_lap_ms / 1000:.1f} s a lap" if course.best_lap_ms is not None else ""
    first = f"first evaluation lap after {course.first_lap_steps:,} steps, " if course.first_lap_steps else ""
    ended = "interrupted and saved" if interrupted else "done"
    return (
        f"{ended}: {course.steps:,} steps in {course.seconds / 60:.1f} minutes, {first}"
        f"best evaluation {course.best_completion or 0.0:.0f} %{lap}\n"
        f"next: racer evaluate {run.path}, racer export {run.path} -o NAME.tar.gz, racer train --resume {run.path}"
    )


def _draw(track: Track, drive: Drive, name: str, file: Path) -> None:
    from racer_env.render import save_picture
    from racer_env.render.lap_picture import draw_lap

    laps = [lap.time_ms for lap in drive.result.laps if lap.complete]
    save_picture(draw_lap(track, drive.path, drive.speed, title=f"{name} on {track.name}", laps=laps), file)


def _print_laps(track: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps({"track": track, "laps": rows}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("lap", "time (s)", "completed (%)", "off track", "crashes", "resets", "status", title=track)
    for row in rows:
        table.add_row(
            str(row["trial"]),
            f"{row['time_ms'] / 1000:.3f}",
            f"{row['completion_percentage']:.0f}",
            *(str(row[key]) for key in ("off_track_count", "crash_count", "reset_count", "status")),
        )
    Console().print(table)
