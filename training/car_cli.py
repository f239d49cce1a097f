"""The commands of ``racer car``: what a real DeepRacer would do with a driver."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.options import Which, checkpoint

if TYPE_CHECKING:
    from rich.table import Table

    from racer_env.bundle import Bundle
    from racer_env.vehicle.examination import Examination
    from racer_env.vehicle.preview import Glimpse

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See what a real DeepRacer would do with a driver.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def car() -> None:
    """See what a real DeepRacer would do with a driver."""


@app.command()
def check(
    bundle: Annotated[Path, typer.Argument(help="A car's archive, NAME.tar.gz.", show_default=False)],
    max_speed: Annotated[
        float,
        typer.Option(help="Per cent: the car's own setting, by which all throttle is multiplied.", min=0, max=100),
    ] = 100.0,
    as_json: AsJson = False,
) -> None:
    """Do with a bundle what the car does, from upload to wheels, and show what every answer makes it do.

    With OpenVINO (extra car) the graph is also loaded as the original and as the newer software load it, and what comes
    out is compared.
    """
    from racer_env.vehicle.examination import examine

    if math.isnan(max_speed):
        raise typer.BadParameter("nan is not a number of per cent", param_hint="--max-speed")
    found = examine(bundle, max_speed / 100.0)
    if as_json:
        import json

        typer.echo(json.dumps(_as_dict(found), indent=2))
        return
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    console.print(_facts(found), _answers(found), sep="\n\n")
    for remark in found.remarks:
        console.print(f"note: {remark}", markup=False)
    console.print(f"{bundle} is good: the car loads it and drives.", style="green", markup=False)


def _facts(found: Examination) -> Table:
    from rich.table import Table

    bundle, table = found.bundle, Table("step", "what the car finds", box=None, pad_edge=False)
    shapes = ", ".join(f"{sensor} {list(bundle.observation_shape(sensor))}" for sensor in bundle.metadata.sensors)
    table.add_row("installed as", f"{bundle.name}, model.pb with md5 {found.checksum}")
    table.add_row("sensors", shapes)
    table.add_row("output", bundle.output)
    if found.agreements is None:
        table.add_row("engines", r"not tried: pip install 'racer18\[car]'")
    for recipe, difference, allowed in found.agreements or ():
        table.add_row(f"OpenVINO, {recipe}", f"differs by {difference:.1g} at most ({allowed:g} allowed)")
    return table


def _answers(found: Examination) -> Table:
    from rich.table import Table

    first = "action" if found.bundle.discrete else "answer"
    table = Table(first, "steering (°)", "speed (m/s)", "steering (%)", "throttle (%)", box=None, pad_edge=False)
    for column in table.columns:
        column.justify = "right"
    for action in found.actions:
        cells = (action.steering_degrees, action.speed)
        shares = (f"{100.0 * share:.1f}" for share in action.motion)
        table.add_row(action.answer, *(f"{value:g}" for value in cells), *shares)
    return table


def _as_dict(found: Examination) -> dict[str, Any]:
    from racer_env.vehicle.optimizer import optimizer_command

    actions = [
        {
            "answer": action.answer,
            "steering_angle": action.steering_degrees,
            "speed": action.speed,
            "steering_percent": round(100.0 * action.motion.steering, 3),
            "throttle_percent": round(100.0 * action.motion.throttle, 3),
        }
        for action in found.actions
    ]
    agreements = None if found.agreements is None else [agreement._asdict() for agreement in found.agreements]
    return {
        "name": found.bundle.name,
        "md5": found.checksum,
        "optimizer": optimizer_command(found.bundle),
        "sensors": list(found.bundle.metadata.sensors),
        "engines": agreements,
        "actions": actions,
        "remarks": list(found.remarks),
    }


@app.command()
def preview(
    driver: Annotated[Path, typer.Argument(help="A run folder or a bundle.", show_default=False)],
    frames: Annotated[
        Path, typer.Option(help="A folder of pictures, a picture, or a video, of a real camera.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="PNG file for the contact sheet.")] = Path(
        "preview.png"
    ),
    which: Which = "best",
    as_json: AsJson = False,
) -> None:
    """Show pictures of a real camera to a driver, and draw a contact sheet of what it would do.

    Pictures of any size are shrunk and made grey as the car does it.
    """
    import torch

    from racer_env.network import NetworkDriver
    from racer_env.render import save_picture
    from racer_env.render.preview_sheet import draw_preview
    from racer_env.vehicle.footage import read_footage
    from racer_env.vehicle.preview import preview as show

    torch.set_num_threads(1)
    bundle = _bundle(driver, checkpoint(which))
    glimpses = show(bundle, NetworkDriver(bundle).policy, read_footage(frames))
    save_picture(draw_preview(bundle, glimpses, f"{driver.name} on {frames.name}, {len(glimpses)} pictures"), output)
    if as_json:
        import json

        typer.echo(json.dumps([_glimpse(bundle, glimpse) for glimpse in glimpses], indent=2))
        return
    changed = sum(not glimpse.steady for glimpse in glimpses)
    typer.echo(f"wrote {output}: {len(glimpses)} pictures")
    typer.echo(f"the newer software's JPEG would change what it does on {changed} of them")


def _bundle(driver: Path, which: str) -> Bundle:
    """The driver of a run folder or a bundle, as the car would get it."""
    from training.elsewhere import is_run, open_elsewhere

    if not is_run(driver):
        return open_elsewhere(driver, which)
    from training.export import bundle_of
    from training.policy_driver import load_driver
    from training.run_folder import RunFolder

    run = RunFolder.open(driver)
    return bundle_of(load_driver(run, which).policy, run, driver.name)


def _glimpse(bundle: Bundle, glimpse: Glimpse) -> dict[str, Any]:
    chosen = {"action": glimpse.action} if bundle.discrete else {"answer": [float(value) for value in glimpse.policy]}
    percent = {f"{name}_percent": round(100.0 * share, 1) for name, share in glimpse.motion._asdict().items()}
    return {"picture": glimpse.name, **chosen, **percent, "steady_under_jpeg": glimpse.steady}
