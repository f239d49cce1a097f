"""``racer drive``: drive by hand, or let a simple driver pose for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from racer_env.errors import RacerError

if TYPE_CHECKING:
    from racer_env.render.driving import Lap, Run
    from racer_env.simulator import Simulator

SCRIPTED_SPEED = 1.5  #: m/s


def drive(
    *,
    track: Annotated[str, typer.Option(help="A track's name (racer tracks list) or its .npy file.")] = "oval",
    car: Annotated[str, typer.Option(help="deepracer_v4 or deepracer_v6.")] = "deepracer_v6",
    camera: Annotated[bool, typer.Option("--camera", help="See the front camera; C changes the view.")] = False,
    reward: Annotated[
        Path | None,
        typer.Option(help="A reward_function.py to watch, its prints included.", show_default=False),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Without a window: so many steps by a simple driver.", show_default=False),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Folder for the pictures of --frames.", show_default=False)] = None,
) -> None:
    """Drive three laps by hand under the rules of a race, and see your times.

    Arrows or WASD steer and throttle, space brakes, R restarts, C changes the view, Esc quits. Leaving
    the track costs five seconds.
    """
    if (frames is None) != (save is None):
        given, wanted = ("--save", "--frames N") if frames is None else ("--frames", "--save FOLDER")
        raise RacerError(f"{given} needs {wanted} too: how many pictures, and where they go")
    simulator = _simulator(track, car, camera, reward)
    if frames is not None and save is not None:
        _film(simulator, frames, save)
    else:
        _by_hand(simulator)


def _simulator(track: str, car: str, camera: bool, reward: Path | None) -> Simulator:
    from racer_env.env import make_simulator
    from racer_env.race import EVALUATION
    from racer_env.render.driving import ACTIONS
    from racer_env.reward import try_reward
    from racer_env.situations import trial

    sensors = ["FRONT_FACING_CAMERA"] if camera else []
    simulator = make_simulator(track, reward, sensors, car, ACTIONS, EVALUATION, 1)
    if simulator.reward:
        try_reward(simulator.reward, trial(simulator.track))
    return simulator


def _by_hand(simulator: Simulator) -> None:
    from racer_env.render.driving import Hand, Run
    from racer_env.render.window import DRIVING_HINTS, Window, WindowClosed

    window = Window(simulator, hints=DRIVING_HINTS)
    run, hand = Run(simulator), Hand()
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


def _film(simulator: Simulator, frames: int, folder: Path) -> None:
    from PIL import Image

    from racer_env.driver import PurePursuit
    from racer_env.render import save_picture
    from racer_env.render.driving import Run
    from racer_env.render.scene import Scene

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RacerError(f"--save {folder} cannot be made a folder: {error.strerror}") from error
    driver, run, scene = PurePursuit(simulator.track, SCRIPTED_SPEED), Run(simulator), Scene(simulator)
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
        typer.echo(f"lap {lap.number}  {clock(lap.time_ms)}" + (f"  put back {times}" if lap.resets else ""))


def _say_end(run: Run) -> None:
    """Print the best lap, or how far the last attempt got."""
    from racer_env.render.lettering import clock

    if run.laps:
        typer.echo(f"best   {clock(min(lap.time_ms for lap in run.laps))}")
    else:
        typer.echo(f"no lap completed; the last attempt got to {run.simulator.state.episode[0].progress:.1f} %")
