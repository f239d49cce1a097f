"""Where on the track episodes end without a complete lap."""

from __future__ import annotations

import numpy as np

from racer_env.kernel import Floats, Ints, Records
from training.analysis import style
from training.analysis.drives import Drives, Place
from training.analysis.section import Section
from training.analysis.stages import endings
from training.analysis.table import Column, Table

STRETCH = 1.0  #: m of centre line, about
WORST = 8  #: stretches in the table
LATE = 0.5  #: the share of the episodes, at the end, that is counted; before, a driver leaves anywhere


def late(episodes: Records, share: float = LATE) -> Records:
    """The last share of episodes, ten at least if there are so many."""
    return episodes[-max(10, round(share * len(episodes))) :]


def stretches(drives: Drives, which: int, episodes: Records) -> tuple[Floats, Ints, Ints]:
    """Count on each stretch of a place the episodes that came there and those that ended there.

    Returns:
        the stretches' edges (k + 1,), m along the centre line; came (k,), ended (k,).
    """
    length = drives.places[which].length
    edges = np.linspace(0.0, length, max(2, round(length / STRETCH)) + 1)
    came, ended = np.zeros((2, len(edges) - 1), np.int64)
    for episode in episodes[episodes.place == which]:
        passed = np.clip(
            np.searchsorted(edges, drives.stations[drives.steps_of(episode)], "right") - 1, 0, len(came) - 1
        )
        came[np.unique(passed)] += 1
        if episode.progress < 100.0:
            ended[passed[-1]] += 1
    return edges, came, ended


def exits(drives: Drives, which: int) -> Section:
    """Where on a place the later episodes ended."""
    place = drives.places[which]
    episodes = late(drives.episodes)
    edges, came, ended = stretches(drives, which, episodes)
    failed = episodes[(episodes.place == which) & (episodes.progress < 100.0)]
    columns = (
        Column("from", "m", ".1f"),
        Column("to", "m", ".1f"),
        Column("came", form="d"),
        Column("ended", form="d"),
        Column("of those that came", "%", ".0f"),
        Column("of all ends", "%", ".0f"),
        Column("how"),
    )
    worst = [k for k in np.argsort(-ended, kind="stable")[:WORST].tolist() if ended[k]]
    rows = [
        (
            *(float(edges[k]), float(edges[k + 1])),
            *(int(came[k]), int(ended[k])),
            *(100.0 * float(ended[k]) / float(came[k]), 100.0 * float(ended[k]) / float(ended.sum())),
            endings(failed[(failed.station >= edges[k]) & (failed.station < edges[k + 1])]),
        )
        for k in worst
    ]

    def draw(figure: style.Figure) -> None:
        above, along = figure.subplots(1, 2, width_ratios=(1.0, 1.0))
        _map(figure, above, place, drives, failed, edges, np.divide(ended, np.maximum(came, 1)))
        middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
        along.bar(middle, came, width, color=style.FAINT, label="came")
        along.bar(middle, ended, 0.8 * width, color=style.ORANGE, label="ended")
        along.set_xlabel("along the centre line (m)")
        along.set_ylabel("episodes")
        style.legend(along)

    text = (
        f"{len(failed)} of the last {int((episodes.place == which).sum())} episodes on {place.name} ended before the "
        "lap was complete; of those that came to a stretch of the road, this is how many ended on it."
    )
    name = "exits" if len(drives.places) == 1 else f"exits_{which + 1}"
    return Section(name, f"Where it leaves, {place.name}", text, Table(columns, tuple(rows)), draw, (10.0, 4.6))


def _map(
    figure: style.Figure, axes: style.Axes, place: Place, drives: Drives, failed: Records, edges: Floats, share: Floats
) -> None:
    """The road in colours of how many end there, and a dot for each end."""
    style.road(axes, place.track)
    if place.track is not None:
        k = 4  # points a stretch
        stations = np.linspace(0.0, place.length, k * (len(edges) - 1) + 1)
        line = place.track.poses(stations)[:, :2]
        pieces = style.coloured(axes, line, 100.0 * np.repeat(share, k), linewidth=4.0, zorder=2)
        pieces.set_clim(0.0, max(5.0, float(100.0 * share.max())))
        figure.colorbar(pieces, ax=axes, label="end here, of those that come (%)", shrink=0.8)
    where = drives.rows[failed.last - 1]
    axes.scatter(where.x, where.y, s=14, color=style.ORANGE, edgecolors="white", linewidths=0.5, zorder=3)
    axes.text(0.0, 1.02, "a dot is an end", transform=axes.transAxes, color=style.QUIET, fontsize=9)
