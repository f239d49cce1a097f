"""How the pictures look: one style, a few colours that colour-blind readers tell apart (Okabe and Ito, 2008).

Figures are made without pyplot, so that nothing is global and no screen is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from racer_env.errors import RacerError
from racer_env.kernel import Floats
from racer_env.track import Track

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
except ImportError as error:
    raise RacerError("pictures need matplotlib; install the extra: pip install 'racer18[analysis]'") from error

__all__ = ["Axes", "Figure"]

WIDE, LOW = (9.0, 4.0), (9.0, 1.0)  #: inches: a picture of one axes, and of a sentence

BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#56B4E9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY)
INK, QUIET, FAINT, ROAD = "#222222", "#6b6b6b", "#d9d9d9", "#ececec"
HEAT = "viridis"

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
}


def png(draw: Callable[[Figure], None], size: tuple[float, float]) -> bytes:
    """Draw a picture of a size in inches; give it as PNG, 130 dots an inch, without the date so that it repeats."""
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def axes(figure: Figure, x: str, y: str) -> Axes:
    """The only axes of a figure."""
    one = figure.add_subplot()
    one.set_xlabel(x)
    one.set_ylabel(y)
    return one


def stacked(figure: Figure, x: str, *y: str) -> list[Axes]:
    """Axes one above the other that share the horizontal axis."""
    every: list[Axes] = list(figure.subplots(len(y), 1, sharex=True, squeeze=False)[:, 0])
    for one, label in zip(every, y, strict=True):
        one.set_ylabel(label)
    every[-1].set_xlabel(x)
    figure.align_ylabels(every)
    return every


def dots(where: Axes, x: Floats, y: Floats, label: str) -> None:
    """Many single results, behind everything else."""
    where.scatter(x, y, s=7, color="#b5b5b5", linewidths=0, label=label, zorder=1)


def marks(where: Axes, x: Floats, y: Floats, label: str) -> None:
    """A few results that matter, joined by a thin line."""
    where.plot(x, y, color=ORANGE, linewidth=0.9, marker="D", markersize=5, label=label, zorder=4)


def legend(where: Axes) -> None:
    """A legend above the axes, where it covers nothing."""
    where.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, borderaxespad=0.2, handlelength=1.6)


def say(where: Axes, text: str) -> None:
    """A sentence instead of a picture."""
    where.text(0.5, 0.5, text, transform=where.transAxes, ha="center", va="center", color=QUIET)
    where.axis("off")


def road(where: Axes, track: Track | None) -> None:
    """The road from above, metres; without a track only the frame."""
    where.set_aspect("equal")
    where.grid(visible=False)
    where.set_xlabel("x (m)")
    where.set_ylabel("y (m)")
    if track is None:
        return
    outline = np.concatenate((track.outer, track.inner[::-1]))
    where.fill(*outline.T, color=ROAD, linewidth=0, zorder=0)
    for border in (track.inner, track.outer):
        where.plot(*border.T, color=QUIET, linewidth=0.9, zorder=1)


def coloured(where: Axes, line: Floats, values: Floats, **kwargs: Any) -> LineCollection:
    """A line (p, 2) whose pieces have the colours of values (p - 1,)."""
    pieces = LineCollection(list(np.stack((line[:-1], line[1:]), axis=1)), cmap=HEAT, capstyle="round", **kwargs)
    pieces.set_array(values)
    where.add_collection(pieces)
    where.autoscale_view()
    return pieces
