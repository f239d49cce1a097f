"""Which actions a driver chose, at the beginning of its training and at the end."""

from __future__ import annotations

import numpy as np

from racer_env.car import ContinuousActions, DiscreteActions
from racer_env.kernel import Floats, Records
from training.analysis import style
from training.analysis.evidence import Evidence
from training.analysis.section import Section
from training.analysis.stages import quarter
from training.analysis.table import Column, Table

BINS = 12  #: of steering, and of speed, for continuous actions


def shares(evidence: Evidence, episodes: Records) -> Floats:
    """Share (a,) of each listed action among the steps of some episodes; empty where actions are continuous."""
    if not evidence.discrete or not len(evidence.training.rows):
        return np.zeros(0)
    chosen = evidence.action_index[evidence.training.chosen(episodes)]
    counts = np.bincount(chosen, minlength=len(commands(evidence)))
    share: Floats = counts / max(counts.sum(), 1)
    return share


def commands(evidence: Evidence) -> Floats:
    """Steering in degrees and speed in m/s (a, 2) of each listed action; NaN of those never seen and nowhere listed."""
    index, rows, actions = evidence.action_index, evidence.training.rows, evidence.actions
    count = int(index.max(initial=-1)) + 1
    if isinstance(actions, DiscreteActions) and len(actions) >= count:
        return np.array((actions.steering_degrees, actions.speed)).T
    known = np.full((count, 2), np.nan)
    for k in range(len(known)):
        seen = rows[index == k]
        if len(seen):
            known[k] = seen.steer[0], seen.throttle[0]
    return known


def angle(degrees: float) -> str:
    """A steering angle with its sign; straight has none."""
    return f"{degrees:+.0f}°" if round(degrees) else "0°"


def usage(evidence: Evidence) -> Section:
    """Which actions were chosen."""
    first, last = (quarter(evidence.training.episodes, which) for which in (0, -1))
    return _listed(evidence, first, last) if evidence.discrete else _continuous(evidence, first, last)


def _listed(evidence: Evidence, first: Records, last: Records) -> Section:
    meaning = commands(evidence)
    begin, end = 100.0 * shares(evidence, first), 100.0 * shares(evidence, last)
    index, rows = evidence.action_index, evidence.training.rows
    columns = (
        Column("action", form="d"),
        Column("steering", "°", ".1f"),
        Column("speed", "m/s", ".2f"),
        Column("first quarter", "%", ".1f"),
        Column("last quarter", "%", ".1f"),
        Column("reward a step", "mean", ",.4g"),
    )
    table = [
        (
            k,
            *(float(v) if np.isfinite(v) else None for v in meaning[k]),
            *(float(begin[k]), float(end[k])),
            float(rows.reward[index == k].mean()) if (index == k).any() else None,
        )
        for k in range(len(meaning))
    ]

    def draw(figure: style.Figure) -> None:
        axes = style.axes(figure, "chosen in so many of the steps (%)", "")
        order = np.lexsort((meaning[:, 1], -meaning[:, 0]))  # from left to right, as a driver sees them
        at = np.arange(len(order))
        axes.barh(at - 0.2, begin[order], 0.38, color=style.SKY, label="first quarter of the episodes")
        axes.barh(at + 0.2, end[order], 0.38, color=style.BLUE, label="last quarter")
        names = [f"{k}:  {angle(meaning[k, 0])}, {meaning[k, 1]:.1f} m/s" for k in order.tolist()]
        axes.set_yticks(at, names)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        style.legend(axes)

    text = "How often each action was chosen while learning; positive angles steer to the left."
    height = max(3.0, 1.2 + 0.36 * len(meaning))
    return Section("actions", "Actions", text, Table(columns, tuple(table)), draw, (9.0, height))


def _continuous(evidence: Evidence, first: Records, last: Records) -> Section:
    rows = evidence.training.rows
    parts = {"first quarter": first, "last quarter": last}
    chosen = {name: rows[evidence.training.chosen(part)] for name, part in parts.items()}
    columns = (
        Column("episodes"),
        *(Column(f"steering, {name}", "°", ".1f") for name in ("mean", "deviation")),
        *(Column(f"speed, {name}", "m/s", ".2f") for name in ("mean", "deviation")),
        *(Column(f"at {name}", "%", ".0f") for name in ("full lock", "top speed", "slowest speed")),
    )
    (right, left), (slow, fast) = _ranges(evidence)
    table = [
        (
            name,
            *(float(f(some.steer)) for f in (np.mean, np.std)),
            *(float(f(some.throttle)) for f in (np.mean, np.std)),
            100.0 * float(np.mean((some.steer <= right) | (some.steer >= left))),
            *(100.0 * float(np.mean(some.throttle == limit)) for limit in (fast, slow)),
        )
        for name, some in chosen.items()
    ]

    def draw(figure: style.Figure) -> None:
        every = figure.subplots(1, 2, sharex=True, sharey=True)
        edges = np.linspace(right, left, BINS + 1), np.linspace(slow, fast, BINS + 1)
        found = [np.histogram2d(some.steer, some.throttle, edges)[0] for some in chosen.values()]
        share = [100.0 * counts / max(counts.sum(), 1.0) for counts in found]
        most = max(float(s.max()) for s in share)
        for axes, (name, _), values in zip(every, chosen.items(), share, strict=True):
            mesh = axes.pcolormesh(*edges, values.T, cmap=style.HEAT, vmin=0.0, vmax=most)
            axes.set_title(f"{name} of the episodes")
            axes.set_xlabel("steering (°)")
        every[0].set_ylabel("speed (m/s)")
        every[0].set_xlim(left, right)  # the left is on the left
        figure.colorbar(mesh, ax=list(every), label="of the steps (%)")

    text = "How often steering and speed were chosen while learning; positive angles steer to the left."
    return Section("actions", "Actions", text, Table(columns, tuple(table)), draw, style.WIDE)


def _ranges(evidence: Evidence) -> tuple[tuple[float, float], tuple[float, float]]:
    """What steering, degrees, and speed, m/s, can be, or were at most."""
    if isinstance(evidence.actions, ContinuousActions):
        return evidence.actions.steering_degrees, evidence.actions.speed
    rows = evidence.training.rows[evidence.training.chosen(evidence.training.episodes)]
    steering, speed = ((float(v.min()), float(v.max())) for v in (rows.steer, rows.throttle))
    return steering, speed
