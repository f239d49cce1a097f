"""``racer reward lab``: what a reward function would pay for laps whose worth is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from racer_env.commands.race_options import BotCars, BotSpeed, Boxes, LaneChanges, RaceName, RandomPlaces, populated

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from racer_env.race import Race
    from racer_env.reward_lab import LabReport, PaidLap, Pay


def lab(
    file: Annotated[Path, typer.Argument(help="A reward_function.py.", show_default=False)],
    track: Annotated[str, typer.Option(help="A track's name, its .npy file, or random:SEED.")] = "oval",
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive the track the other way round.")] = False,
    car: Annotated[str, typer.Option(help="A car's name, such as deepracer_v4, or its .toml file.")] = "deepracer_v6",
    race: RaceName = "time_trial",
    obstacles: Boxes = None,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    random_places: RandomPlaces = False,
    seed: Annotated[int, typer.Option(min=0, help="Of random places.")] = 0,
    discount: Annotated[float, typer.Option(help="The learner's discount_factor, 0 to 1.")] = 0.99,
    against: Annotated[
        Path | None, typer.Option(help="An older reward function to compare with.", show_default=False)
    ] = None,
    inspect: Annotated[
        str | None,
        typer.Option(
            help="Show steps of a lap instead: LAP, LAP:STEP or LAP:FIRST-LAST, such as slow:40-60.", show_default=False
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the reward over the track into this .png.", show_default=False)
    ] = None,
    map_speed: Annotated[float, typer.Option(min=0.1, max=4.0, help="Of the car in the picture, m/s.")] = 1.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show what a reward function would pay for good and bad laps, without training.

    Drives the racing line and the centre line, zig-zag, slowly, cutting bends, stopping, turning back, off the track
    and, where there are objects, into one; and warns where a bad lap is worth more to the learner than a good one. The
    exit code is 2 if a call failed.
    """
    from rich.console import Console

    from racer_env.car import find_car
    from racer_env.race import Race
    from racer_env.reward_lab import steps_of, try_in_lab
    from racer_env.track import find_track

    on = find_track(track, reverse=reverse)
    rules = populated(Race(), race, obstacles, bots, bot_speed, lane_changes, random_places)
    with Console(stderr=True).status("driving the reference laps"):
        report = try_in_lab(file, on, car=find_car(car), race=rules, discount=discount, against=against, seed=seed)
        chosen = steps_of(report, inspect) if inspect else None
        if picture:
            _draw(file, against, report, rules, seed, map_speed, picture)
    if as_json:
        typer.echo(json.dumps(_steps_as_list(*chosen) if chosen else report.as_dict(), indent=2))
    elif chosen:
        _show_steps(Console(), *chosen)
    else:
        _show(Console(), report)
    if not report.ok:
        raise typer.Exit(2)


def _draw(
    file: Path, against: Path | None, report: LabReport, race: Race, seed: int, speed: float, picture: Path
) -> None:
    from racer_env.render import save_picture
    from racer_env.render.reward_picture import draw_difference_map, draw_reward_map, stacked
    from racer_env.reward import RewardFunction
    from racer_env.reward_map import map_reward

    new, *old = (
        map_reward(RewardFunction.load(path), report.track, race=race, speed=speed, seed=seed)
        for path in (file, against)
        if path
    )
    title = _title(file)
    maps = [draw_reward_map(new, title)]
    if old and against:
        maps += [draw_reward_map(old[0], f"before: {_title(against)}")]
        maps += [draw_difference_map(old[0], new, "the difference, new less old")]
    save_picture(stacked(*maps), picture)


def _title(file: Path) -> str:
    """Name a reward function by its folder, if the file's name is everybody's."""
    parent = file.resolve().parent.name
    return f"{parent}/{file.name}" if file.name == "reward_function.py" else file.name


def _show(console: Console, report: LabReport) -> None:
    from racer_env.dynamics import CONTROL_RATE

    console.print(_table(report))
    _say(console, f"return: what the learner maximises, each step counting {report.discount:g} times the one before")
    if report.discount < 1.0:
        steps = 1.0 / (1.0 - report.discount)
        _say(
            console, f"(about the next {steps:.0f} steps, {steps / CONTROL_RATE:.1f} s); an episode ends with its lap."
        )
    for paid in report.laps:
        for version, pay in (("", paid.pay), ("before, ", paid.before)):
            if pay and pay.error:
                _say(console, f"{version}{paid.lap.name}: {pay.error}", "red")
    for finding in report.findings:
        _say(console, f"{finding.severity}: {finding.text}", "yellow" if finding.severity == "warning" else None)
    if report.ok and not any(finding.severity == "warning" for finding in report.findings):
        _say(console, "No bad lap is worth more to the learner than the best good one.", "green")
    if report.against:
        _show_differences(console, report)


def _show_differences(console: Console, report: LabReport) -> None:
    if not report.differences:
        _say(console, f"It pays what {report.against} pays at every place tried.")
    for s in report.differences:
        where = "all around the lap" if s.last - s.first > 0.97 else f"from {s.first:.0%} to {s.last:.0%} of the lap"
        waypoints = f"waypoints {s.first_waypoint} to {s.last_waypoint}"
        more = f"{abs(s.difference):.3g} {'more' if s.difference > 0.0 else 'less'}"
        _say(console, f"It pays {more} than {report.against} {where} ({waypoints}), {s.side}.")


def _say(console: Console, words: str, colour: str | None = None) -> None:
    console.print(words, markup=False, highlight=False, soft_wrap=True, style=colour)


def _table(report: LabReport) -> RenderableType:
    from rich import box
    from rich.table import Table

    columns: tuple[str, ...] = ("%", "time", "return", "total", "per step", "per s")
    if report.against:
        columns = ("return", "before", "change", "per step", "before", "change")
    table = Table("lap", "end", *columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[:2]:
        column.no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    for of in report.laps:
        lap, end = of.lap, "complete" if of.lap.complete else of.lap.status.replace("_", " ")
        driven = [f"{lap.progress:.0f}", f"{lap.time_ms / 1000:.1f} s"]
        cells = _compared(of) if report.against else [*driven, *_measures(of.pay)]
        table.add_row(lap.name, end, *cells, style=_style(of))
    return table


def _style(of: PaidLap) -> str | None:
    return "bold" if of.lap.good else None


def _measures(pay: Pay) -> list[str]:
    if pay.error:
        return ["failed"] * 4
    return [f"{value:.4g}" for value in (pay.discounted, pay.total, pay.per_step, pay.per_second)]


def _compared(of: PaidLap) -> Iterator[str]:
    """Give return and reward per step: now, before, and the change."""
    now, before = of.pay, of.before
    for measure in ("discounted", "per_step"):
        new = None if now.error else getattr(now, measure)
        old = None if before is None or before.error else getattr(before, measure)
        yield "failed" if new is None else f"{new:.3g}"
        yield "failed" if old is None else f"{old:.3g}"
        yield "" if new is None or old is None else f"{new - old:+.2g}"


def _steps_as_list(paid: PaidLap, steps: range) -> list[dict[str, Any]]:
    """Params, prints and value of some steps; of one that failed, the error."""
    return [{"params": paid.lap.params[i], **_outcome(paid.pay, i)} for i in steps]


def _outcome(pay: Pay, i: int) -> dict[str, Any]:
    reward = pay.rewards[i] if i < len(pay.rewards) else None
    printed = list(pay.printed[i]) if i < len(pay.printed) else []
    return {"printed": printed, "reward": reward, "error": pay.error if i == len(pay.rewards) else None}


def _show_steps(console: Console, paid: PaidLap, steps: range) -> None:
    from racer_env.user_code import abbreviated

    _say(console, f"{paid.lap.name}: {paid.lap.about}")
    for i in steps:
        params, outcome = paid.lap.params[i], _outcome(paid.pay, i)
        if len(steps) == 1:
            for key, value in params.items():
                _say(console, f"  {key:29}{abbreviated(value)}")
        else:
            _say(console, _line(params))
        for line in outcome["printed"]:
            _say(console, f"  printed: {line}")
        value = outcome["error"] or ("not called" if outcome["reward"] is None else f"{outcome['reward']:.6g}")
        _say(console, f"  reward: {value}", "red" if outcome["error"] else "bold")


def _line(params: dict[str, Any]) -> str:
    aside = params["distance_from_center"] * (1.0 if params["is_left_of_center"] else -1.0)
    wheels = "" if params["all_wheels_on_track"] else "off the track" if params["is_offtrack"] else "partly off"
    return (
        f"step {params['steps']:3.0f}  progress {params['progress']:5.1f} %  speed {params['speed']:.2f} m/s  steering "
        f"{params['steering_angle']:+5.1f}°  left of the centre {aside:+.2f} m  {wheels}".rstrip()
    )
