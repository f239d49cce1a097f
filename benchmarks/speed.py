"""How fast Racer is on this machine: `make bench`, or ``python -m benchmarks.speed``.

Every figure is the median of five runs in one go; ratios compare with peers that are measured in the same run, each
in an environment of its own, or with what their authors publish. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track as progress

from benchmarks import driving, exporting, peers, seeing, sizes, starting, training_loop, training_profile
from benchmarks.measure import Peer, compare, machine, table

WIDTH = 400  #: characters of a line where the output goes into a file, so that rows of tables stay whole


def main(
    only: Annotated[str, typer.Option(help="Measure only the figures whose name contains this, and no peers.")] = "",
) -> None:
    """Measure and print everything."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(machine())
    others: tuple[Peer, ...] = ()
    if not only:
        with console.status("measuring other simulators, which the first time takes minutes to install"):
            others = peers.measured()
    rows = [*driving.rows(others), *seeing.rows(others[:1]), *training_loop.rows(), *exporting.rows(), *starting.rows()]
    chosen = [row for row in rows if only in row.what]
    watched = progress(chosen, description="measuring", console=console, transient=True)
    console.print(table([compare(row) for row in watched]))
    if not only:
        with console.status("measuring where the time of training goes, and speed against size"):
            parts, found = training_profile.table(), sizes.measure()
        console.print("Where the time of training goes, for each step:", parts, sep="\n")
        console.print("Steps a second on one core, by size:", sizes.table(found), sep="\n")
        console.print(f"plotted in {sizes.draw(found)}")


if __name__ == "__main__":
    typer.run(main)
