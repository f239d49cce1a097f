"""``racer drive``: drive by hand, or let a simple driver pose for pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from racer_env.commands.race_options import BotCars, BotSpeed, Boxes, LaneChanges, RandomPlaces, populated
from racer_env.errors import RacerError

if TYPE_CHECKING:
    from racer_env.bundle import Bundle
    from racer_env.race import Race
    from racer_env.render.driving import Commands, Lap, Run
    from racer_env.simulator import Simulator
    from racer_env.track import Track

CAMERA = "FRONT_FACING_CAMERA"
HEAD_TO_HEAD = "head_to_head"
SCRIPTED_SPEED = 1.8  #: m/s


class _Drive(NamedTuple):
    """What is driven, and against whom."""

    simulator: Simulator
    rivals: Commands | None
    show_camera: bool


def drive(
    *,
    track: Annotated[str, typer.Option(help="A track's name, its .npy file, or random:SEED.")] = "oval",
    car: Annotated[str, typer.Option(help="A car's name, such as deepracer_v4, or its .toml file.")] = "deepracer_v6",
    race: Annotated[
        str, typer.Option(help="time_trial, object_avoidance, head_to_bot or head_to_head.")
    ] = "time_trial",
    obstacles: Boxes = None,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    random_places: RandomPlaces = False,
    rivals: Annotated[
        int | None, typer.Option(min=1, max=7, help="Cars to race; 1 in head_to_head.", show_default=False)
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="The rivals' driver: a .tar.gz; else a simple one.", show_default=False)
    ] = None,
    camera: Annotated[bool, typer.Option("--camera", help="See the front camera; C changes the view.")] = False,
    sensor: Annotated[
        list[str] | None,
        typer.Option(help="See this sensor, named as in model_metadata.json; may be repeated.", show_default=False),
    ] = None,
    reward: Annotated[
        Path | None,
        typer.Option(help="A reward_function.py to watch, its prints included.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Without a window: so many steps by a simple driver.", show_default=False),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Folder for the pictures of --frames.", show_default=False)] = None,
) -> None:
    """Drive three laps by hand under the rules of a race, and see your times.

    Arrows or WASD steer and throttle, space brakes, R restarts, C changes the view, Esc quits. Leaving
    the track costs five seconds, and so does running into something.
    """
    if (frames is None) != (save is None):
        given, wanted = ("--save", "--frames N") if frames is None else ("--frames", "--save FOLDER")
        raise RacerError(f"{given} needs {wanted} too: how many pictures, and where they go")
    rules = _race(race, rivals, against)
    rules = populated(rules, rules, obstacles, bots, bot_speed, lane_changes, random_places)
    sensors = [*([CAMERA] if camera else []), *(sensor or [])]
    made = _drive(track, car, rules, sensors, against, reward, seed)
    if frames is not None and save is not None:
        _film(made, frames, save)
    else:
        _by_hand(made)


def _race(name: str, rivals: int | None, against: Path | None) -> Race:
    """The rules of an evaluation, with all that a kind of race has on the track."""
    from racer_env.errors import nearest
    from racer_env.race import EVALUATION, RACE_TYPES, TIME_TRIAL

    races = {HEAD_TO_HEAD: replace(TIME_TRIAL, cars=2), **RACE_TYPES}
    if name not in races:
        raise RacerError(f"no race is called {name!r}; {nearest(name, races)}")
    kind = races[name]
    cars = kind.cars if rivals is None else 1 + rivals
    if cars == 1 and against:
        raise RacerError("--against needs a rival: add --race head_to_head or --rivals N")
    return replace(EVALUATION, obstacles=kind.obstacles, bots=kind.bots, cars=cars)


def _drive(
    track: str, car: str, race: Race, sensors: list[str], against: Path | None, reward: Path | None, seed: int
) -> _Drive:
    from racer_env.bundle import Bundle
    from racer_env.car import find_car
    from racer_env.render.driving import ACTIONS
    from racer_env.reward import RewardFunction, try_reward
    from racer_env.sensors import find_sensors
    from racer_env.simulator import Simulator
    from racer_env.situations import trial
    from racer_env.track import find_track

    where, own = find_track(track), find_car(car)
    bundle = Bundle.open(against) if against else None
    mounted = find_sensors(list(dict.fromkeys(sensors)))
    if bundle:
        needed = find_sensors(bundle.metadata.sensors, bundle.metadata.lidar)
        mounted = (*needed, *(s for s in mounted if s.name not in bundle.metadata.sensors))
    functions = RewardFunction.load(reward, race.cars) if reward else None
    if functions:
        try_reward(functions, trial(where))
    cars = [own, *[bundle.metadata.car if bundle else own] * (race.cars - 1)]
    simulator = Simulator(where, cars, race, mounted, functions, 1, seed, ACTIONS)
    return _Drive(simulator, _rivals(where, race, bundle), bool(sensors))


def _rivals(track: Track, race: Race, bundle: Bundle | None) -> Commands | None:
    """Who drives the other cars, if there are any."""
    from racer_env.render.rivals import ScriptedRivals, TrainedRivals

    if race.cars == 1:
        return None
    return TrainedRivals.of(bundle) if bundle else ScriptedRivals(track)


def _by_hand(made: _Drive) -> None:
    from racer_env.render.driving import Hand, Run
    from racer_env.render.window import DRIVING_HINTS, Window, WindowClosed

    window = Window(made.simulator, hints=DRIVING_HINTS)
    window.scene.show_camera &= made.show_camera
    run, hand = Run(made.simulator, made.rivals), Hand()
    try:
        while True:
            window.show()
            keys = window.keys()
            if keys.restart:
                run.restart()
                hand = Hand()
            elif not run.over:
                _say_step(run, run.step(hand.act(keys)))
    except WindowClosed:
        _say_end(run)
    finally:
        window.close()


def _film(made: _Drive, frames: int, folder: Path) -> None:
    from PIL import Image

    from racer_env.render import save_picture
    from racer_env.render.autopilot import Autopilot
    from racer_env.render.driving import Run
    from racer_env.render.scene import Scene

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RacerError(f"--save {folder} cannot be made a folder: {error.strerror}") from error
    simulator = made.simulator
    driver, run, scene = Autopilot(simulator.track, SCRIPTED_SPEED), Run(simulator, made.rivals), Scene(simulator)
    scene.show_camera &= made.show_camera
    for frame in range(1, frames + 1):
        _say_step(run, run.step(driver.commands(simulator)))
        save_picture(Image.fromarray(scene.draw()), folder / f"frame_{frame:05d}.png")
        if run.over:
            break
    _say_end(run)
    typer.echo(f"{frame} pictures in {folder}")


def _say_step(run: Run, lap: Lap | None) -> None:
    """Print what a step brought: the reward function's own prints, and a completed lap."""
    for line in run.simulator.reward.take_printed() if run.simulator.reward else ():
        typer.echo(line)
    if lap:
        from racer_env.render.lettering import clock

        times = "once" if lap.resets == 1 else f"{lap.resets} times"
        typer.echo(f"lap {lap.number}  {clock(lap.time_ms)}" + (f"  penalised {times}" if lap.resets else ""))


def _say_end(run: Run) -> None:
    """Print the best lap, or how far the last attempt got."""
    from racer_env.render.lettering import clock

    if run.laps:
        typer.echo(f"best   {clock(min(lap.time_ms for lap in run.laps))}")
    else:
        typer.echo(f"no lap completed; the last attempt got to {run.simulator.state.episode[0].progress:.1f} %")
