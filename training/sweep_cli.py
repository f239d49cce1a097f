"""``racer sweep``: try many candidates of a model, each with several seeds, and see which is better."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.options import EngineName, RayAddress, check_engine

if TYPE_CHECKING:
    from rich.console import Console

    from training.sweep.comparison import Comparison
    from training.sweep.folder import SweepFolder
    from training.sweep.schedule import Engine

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Try many candidates of a model and compare them.")

INTERRUPTED = 130  #: exit code after Ctrl-C, as shells have it

Folder = Annotated[Path, typer.Argument(help="Folder of a sweep.", show_default=False)]


@app.command()
def new(
    model_dir: Annotated[Path, typer.Argument(help="Folder with reward_function.py.", show_default=False)],
    track: Annotated[str, typer.Option("--track", "-t", help="A track, a .npy route, or random:SEED.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("sweep.toml"),
) -> None:
    """Write a sweep.toml to start from: common hyperparameters, and all else to be uncommented."""
    from training.sweep.starter import make_plan

    plan = make_plan(output, model_dir, track)
    typer.echo(f"wrote {output}: {plan.trials} trials of {plan.seeds} trainings over {plan.steps:,} steps")
    typer.echo(f"next: racer sweep run {output} -o sweeps/{output.stem}")


@app.command()
def run(
    plan: Annotated[Path | None, typer.Argument(help="A sweep.toml.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the sweep; by default sweeps/NAME of the file.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the sweep in this folder.")] = None,
    trials: Annotated[
        int | None, typer.Option(help="How many there will be in all; by default as planned.", min=1)
    ] = None,
    engine: EngineName = "local",
    ray_address: RayAddress = None,
) -> None:
    """Train the candidates of a sweep and print the comparison.

    Ctrl-C leaves, and --resume goes on, also after a crash: what was trained to its end is kept, and a training that
    was cut off is done anew, so that the comparison is the same as without the interruption.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from rich.console import Console

    from training.sweep.comparison import Comparison
    from training.sweep.display import SweepProgress
    from training.sweep.schedule import Schedule
    from training.sweep.training_run import Interrupted
    from training.sweep.trials import stored

    console = Console(soft_wrap=True, highlight=False)
    worker = _engine(engine, ray_address)
    folder = _folder(plan, output, resume)
    limit = trials or folder.plan.trials
    done = sum(trial.state != "running" for trial in folder.trials.all())
    console.print(_headline(folder, limit, done), markup=False)
    try:
        with folder.locked(), stored(folder.path), SweepProgress(console, folder.objective, limit, done) as progress:
            worker.work(Schedule(folder, limit, progress))
    except (Interrupted, KeyboardInterrupt):
        console.print(f"interrupted; go on with: racer sweep run --resume {folder.path}", markup=False)
        raise typer.Exit(INTERRUPTED) from None
    _print(console, folder, Comparison.of(folder))


@app.command()
def show(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.", show_default=False)] = None,
) -> None:
    """Compare the trials of a sweep, also while it runs: means over seeds with 95 % confidence intervals."""
    import json

    from rich.console import Console

    from training.run_folder import write
    from training.sweep.comparison import Comparison
    from training.sweep.folder import SweepFolder

    opened = SweepFolder.open(folder)
    comparison = Comparison.of(opened)
    if csv is not None:
        write(csv, comparison.to_csv())
    if as_json:
        typer.echo(json.dumps(comparison.to_dict(), indent=2))
    else:
        _print(Console(soft_wrap=True, highlight=False), opened, comparison)


def _folder(plan: Path | None, output: Path | None, resume: Path | None) -> SweepFolder:
    from training.sweep.folder import SweepFolder
    from training.sweep.plan import Plan, SweepError

    if resume is not None:
        if plan is not None or output is not None:
            raise SweepError("--resume goes on with what the sweep was started with; leave out the file and --output")
        return SweepFolder.open(resume)
    if plan is None:
        raise SweepError("a sweep needs a sweep.toml (racer sweep new makes one); to go on with one, --resume FOLDER")
    return SweepFolder.create(output or Path("sweeps", plan.stem), Plan.read(plan))


def _engine(name: str, address: str | None) -> Engine:
    if check_engine(name, address) == "ray":
        from training.sweep.on_ray import RayEngine

        return RayEngine(address)
    from training.sweep.local import LocalEngine

    return LocalEngine()


def _headline(folder: SweepFolder, limit: int, done: int) -> str:
    plan = folder.plan
    already = f", {done} of them done" if done else ""
    return (
        f"sweeping {', '.join(plan.swept)} on {' and '.join(plan.track)}: {limit} trials{already}, {plan.seeds} "
        f"trainings each of {plan.steps:,} steps, compared by {plan.objective}; all in {folder.path}"
    )


def _print(console: Console, folder: SweepFolder, comparison: Comparison) -> None:
    """The table, what it means, and what comes next."""
    from rich.console import Console
    from rich.measure import Measurement

    from training.sweep.display import table

    if not comparison.rows:
        console.print(f"{folder.path}: no trial has begun yet")
        return
    shown = table(comparison)
    natural = Measurement.get(console, console.options.update(width=1000), shown).maximum
    Console(width=max(console.width, natural), highlight=False).print(shown)
    console.print("± is half a 95 % confidence interval of the mean over seeds", style="dim")
    if comparison.importances:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in comparison.importances.items())
        console.print(f"explains of the differences in {comparison.objective.name}: {parts}", markup=False)
    if best := comparison.best_seed():
        where = folder.trial(best[0])
        console.print(f"best: {where}/model, and of its drivers {where}/seed-{best[1]}", markup=False)
        console.print(f"next: racer export {where}/seed-{best[1]} -o NAME.tar.gz", markup=False)
