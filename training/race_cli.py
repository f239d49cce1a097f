"""The commands ``racer evaluate`` and ``racer heat``: drivers race, alone or against each other."""

from __future__ import annotations

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
from training.options import CarName, Reverse, Seed, Which, checkpoint, finite

if TYPE_CHECKING:
    from racer_env.driver import RaceResult
    from racer_env.race import Race
    from racer_env.replay import Replay

Penalty = Annotated[float, typer.Option(help="Seconds.", min=0.0, callback=finite)]
Laps = Annotated[int, typer.Option(help="Laps to drive.", min=1)]
Resets = Annotated[int, typer.Option(help="How often a car is put back before its run ends.", min=0)]
Picture = Annotated[Path | None, typer.Option(help="Draw the drive into this .png, .gif or .mp4 file.")]
ReplayFile = Annotated[Path | None, typer.Option(help="Keep the drive in this file, as a replay.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def evaluate(
    driver: Annotated[
        Path, typer.Argument(help="A run folder, a bundle, or a virtual model (folder, .zip, .pb).", show_default=False)
    ],
    track: Annotated[
        str | None, typer.Option("--track", "-t", help="Name of a track, or a path of a .npy route.")
    ] = None,
    laps: Laps = 3,
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
    seed: Seed = 0,
    resets: Resets = 15,
    reverse: Reverse = False,
    picture: Picture = None,
    replay: ReplayFile = None,
    as_json: AsJson = False,
) -> None:
    """Drive a race greedily, with penalties, and tell the lap times.

    On the track are the obstacles and bot cars that a run was trained with, if nothing is said of them here.
    """
    import torch

    from racer_env.car import find_car
    from racer_env.race import TIME_TRIAL
    from racer_env.track import find_track
    from training import evaluation

    torch.set_num_threads(1)  # one picture at a time: more only wait for each other
    contender = evaluation.Contender.open(driver, checkpoint(which))
    where = find_track(track, reverse=reverse) if track else contender.track
    if where is None:
        raise typer.BadParameter("a bundle does not say where it was trained; give --track", param_hint="--track")
    rules = _rules(laps, resets, off_track_penalty, collision_penalty)
    kind = race or (contender.run.race if contender.run else TIME_TRIAL)
    rules = populated(rules, kind, obstacles, bots, bot_speed, lane_changes, random_places)
    drive = evaluation.drive(contender, where, rules, seed, find_car(car) if car else None, _name(driver))
    _keep(drive.replay, picture, replay)
    if contender.run:
        evaluation.keep(contender.run, drive)
    rows = evaluation.lap_dicts(drive.result)
    _print_laps(where.name, rows, as_json)


def heat(
    drivers: Annotated[
        list[Path], typer.Argument(help="Run folders or bundles, two to eight, in starting order.", show_default=False)
    ],
    track: Annotated[str, typer.Option("--track", "-t", help="A track, a .npy route, or random:SEED.")],
    laps: Laps = 3,
    race: RaceName = "time_trial",
    obstacles: Boxes = None,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    random_places: RandomPlaces = False,
    off_track_penalty: Penalty = 5.0,
    collision_penalty: Penalty = 5.0,
    resets: Resets = 15,
    seed: Seed = 0,
    reverse: Reverse = False,
    picture: Picture = None,
    replay: ReplayFile = None,
    as_json: AsJson = False,
) -> None:
    """Race drivers against each other on one track, and tell who won.

    They start in two rows, 0.75 m one behind the other, and see each other. Who runs into the car ahead waits.
    """
    import torch

    from racer_env.track import find_track
    from training import evaluation

    torch.set_num_threads(1)
    if len(drivers) < 2:
        raise typer.BadParameter("a heat needs two drivers or more; racer evaluate drives one alone")
    rules = _rules(laps, resets, off_track_penalty, collision_penalty)
    rules = populated(rules, race, obstacles, bots, bot_speed, lane_changes, random_places)
    where = find_track(track, reverse=reverse)
    named = dict(zip(_names(drivers), map(evaluation.Contender.open, drivers), strict=True))
    results, drive = evaluation.heat(named, where, rules, seed)
    _keep(drive, picture, replay)
    _print_heat(where.name, [str(driver) for driver in drivers], results, evaluation.placings(results), as_json)


def _rules(laps: int, resets: int, off_track_penalty: float, collision_penalty: float) -> Race:
    from dataclasses import replace

    from racer_env.race import EVALUATION

    penalties = replace(EVALUATION, off_track_penalty=off_track_penalty, collision_penalty=collision_penalty)
    return replace(penalties, laps=laps, resets=resets)


def _name(driver: Path) -> str:
    return driver.name.removesuffix(".tar.gz") or "driver"


def _names(drivers: list[Path]) -> list[str]:
    """What drivers are called; who is there twice has a number the second time."""
    names = [_name(driver) for driver in drivers]
    return [name if names.index(name) == k else f"{name} ({k + 1})" for k, name in enumerate(names)]


def _keep(drive: Replay, picture: Path | None, file: Path | None) -> None:
    if picture:
        from racer_env.render.replay_export import export

        export(drive, picture)
    if file:
        from racer_env.replay_file import write

        write(drive, file)


def _print_heat(track: str, names: list[str], results: list[RaceResult], order: list[int], as_json: bool) -> None:
    from training.evaluation import lap_dicts

    rows: list[dict[str, Any]] = [
        {"driver": names[k], "distance": results[k].distance, "time_ms": results[k].time_ms}
        | {"best_ms": results[k].best_ms, "laps": lap_dicts(results[k])}
        for k in order
    ]
    if as_json:
        import json

        typer.echo(json.dumps({"track": track, "results": rows}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("place", "driver", "laps", "time (s)", "best lap (s)", "crashes", "off track", "ended", title=track)
    for place, row in enumerate(rows, 1):
        counts = [str(sum(lap[key] for lap in row["laps"])) for key in ("crash_count", "off_track_count")]
        best = "" if row["best_ms"] is None else f"{row['best_ms'] / 1000:.3f}"
        driven = (f"{row['distance']:.2f}", f"{row['time_ms'] / 1000:.3f}", best)
        table.add_row(str(place), row["driver"], *driven, *counts, row["laps"][-1]["status"])
    Console().print(table)


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
