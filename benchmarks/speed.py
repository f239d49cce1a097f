"""How fast Racer is on this machine: `make bench`, or ``python -m benchmarks.speed``.

Every figure is the median of five runs in one go; ratios compare with peers that are measured in the same run, each
in an environment of its own, or with what their authors publish. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track as progress

from benchmarks import driving, peers, seeing, sizes, starting, training_loop, training_profile
from benchmarks.measure import compare, machine, table

WIDTH = 200  #: characters of the tables


def main(
    only: Annotated[str, typer.Option(help="Measure only the figures whose name contains this, and no peers.")] = "",
) -> None:
    """Measure and print everything."""
    console = Console(width=WIDTH)
    console.print(machine())
    others = () if only else peers.measured()
    rows = [*driving.rows(others), *seeing.rows(others[:1]), *training_loop.rows(), *starting.rows()]
    chosen = [row for row in rows if only in row.what]
    watched = progress(chosen, description="measuring", console=console, transient=True)
    console.print(table([compare(row) for row in watched]))
    if not only:
        console.print("Where the time of training goes, for each step:", training_profile.table(), sep="\n")
        console.print("What speed costs with size, on one core:", sep="\n")
        found = sizes.measure()
        console.print(sizes.table(found), f"plotted in {sizes.draw(found)}", sep="\n")


if __name__ == "__main__":
    typer.run(main)
