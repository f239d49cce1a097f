"""``racer league``: what keeps a league running: workers, backups, receipts, upgrades."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from league.output_cli import HERE, Folder, Number, outcome

if TYPE_CHECKING:
    from league.confinement import Limits
    from league.service import League
    from league.workers import Engine

app = typer.Typer()

CpuSeconds = Annotated[
    int | None,
    typer.Option(help="Seconds of processor time that a submission may take; else what its race can take.", min=1),
]
Memory = Annotated[int, typer.Option(help="MB of memory that a submission may take.", min=64)]


@app.command()
def work(
    *,
    folder: Folder = HERE,
    workers: Annotated[int, typer.Option(help="Submissions at a time.", min=1)] = 1,
    drain: Annotated[bool, typer.Option("--drain", help="Stop when the queue is empty.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Also drive again what failed with ERROR.")] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for a Ray cluster.")] = "local",
    ray_address: Annotated[str | None, typer.Option(help="Of a running cluster; else one is started here.")] = None,
    cpu_seconds: CpuSeconds = None,
    memory_mb: Memory = 2048,
) -> None:
    """Drive what is queued, and what will be; Ctrl-C stops, and the next work goes on."""
    from league.confinement import Limits
    from league.service import League

    if engine not in ("local", "ray"):
        raise typer.BadParameter(f"{engine!r}, but must be local or ray", param_hint="--engine")
    if engine == "local" and ray_address is not None:
        raise typer.BadParameter("needs --engine ray", param_hint="--ray-address")
    limits = Limits(memory_mb=memory_mb)
    if cpu_seconds is not None:
        limits = Limits(cpu_seconds, 3 * cpu_seconds, memory_mb, pace=0.0)
    league = League(folder)
    if retry:
        league.submissions.retry()
    try:
        failed = _work(league, workers, engine, ray_address, limits, drain)
    except KeyboardInterrupt:
        typer.echo("stopped; racer league work goes on where it was", err=True)
        raise typer.Exit(130) from None
    if failed:
        raise typer.Exit(1)


@app.command()
def receipt(
    number: Number,
    out: Annotated[Path | None, typer.Option("-o", help="Write it to this file.")] = None,
    folder: Folder = HERE,
) -> None:
    """Print the signed receipt of a submission, when its race is closed."""
    from league.service import League
    from league.store import write

    text = League(folder).submissions.receipt(number) + "\n"
    if out:
        write(out, text.encode())
        typer.echo(f"{out}: check it with: racer league verify {out}")
    else:
        typer.echo(text, nl=False)


@app.command()
def verify(
    receipt: Annotated[Path, typer.Argument(help="A receipt's file.")],
    bundle: Annotated[Path | None, typer.Option(help="The driver; else the league's.")] = None,
    folder: Annotated[Path | None, typer.Option("--league", envvar="RACER_LEAGUE", help="The league's folder.")] = None,
) -> None:
    """Drive again what a receipt says, and compare; a changed byte fails, with exit code 2."""
    from league.service import League
    from league.verification import verify as check

    folder = folder or (HERE if HERE.is_dir() and not bundle else None)
    done = check(receipt, League(folder).store if folder else None, bundle)
    typer.echo(f"{receipt} holds: {done}")
    if not folder:
        typer.echo(f"it was signed with the key {done.league}; compare it with your league's")


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="The file to write, such as league.tar.gz; it holds the league's key.")],
    folder: Folder = HERE,
) -> None:
    """Write the whole league, as it is at this moment, into one file."""
    from league.backup import backup as write
    from league.service import League

    size = write(League(folder).store, out)
    typer.echo(f"{out}: {size / 1e6:.1f} MB; keep it to yourself, the key that signs receipts is in it")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    folder: Folder = HERE,
    database: Annotated[str, typer.Option(help="postgresql://user@host/name; else a file.")] = "sqlite:///league.db",
) -> None:
    """Make a league from a backup, in another database if need be."""
    from league.backup import restore as read
    from league.service import League

    read(file, folder, database)
    races = League(folder).races.all()
    typer.echo(f"{folder}: a league with {len(races)} races and {sum(r.submissions for r in races)} submissions")


@app.command()
def upgrade(folder: Folder = HERE) -> None:
    """Bring a league of an older version to this one."""
    from league.store import Store

    Store.upgraded(folder)
    typer.echo(f"{folder} is up to date")


def _work(league: League, workers: int, engine: str, address: str | None, limits: Limits, drain: bool) -> bool:
    """Drive the queue, one line for each result; whether anything failed for good."""
    from rich.console import Console
    from rich.text import Text

    from league.models import Status
    from league.workers import work as drive

    console, results = Console(highlight=False), 0
    failed = False
    with (
        console.status("loading the simulator; the first time it is compiled, a minute or two ...") as progress,
        _engine(engine, workers, address, limits) as driving,
    ):
        console.print(Text(f"each submission has: {'; '.join(driving.protection())}"), soft_wrap=True)
        progress.update("waiting for submissions ...")
        for event in drive(league, driving, drain=drain):
            s = event.submission
            line = f"{s.id:>4}  {s.race}  {s.racer}"
            if event.started:
                progress.update(Text(f"{line}  on the track ..."))
                continue
            console.print(Text(f"{line}  {s.status}  {outcome(s)}"), soft_wrap=True)
            results, failed = results + 1, failed or s.status is Status.ERROR
    if drain and not results:
        typer.echo("the queue is empty")
    return failed


@contextmanager
def _engine(name: str, workers: int, address: str | None, limits: Limits) -> Iterator[Engine]:
    if name == "ray":
        from league.ray_engine import connected_engine

        with connected_engine(limits, address, workers) as engine:
            yield engine
    else:
        from league.workers import Local

        yield Local(workers, limits)
