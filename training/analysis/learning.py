"""Entropy, KL divergence and losses while learning."""

from __future__ import annotations

import math

import numpy as np

from racer_env.car import DiscreteActions
from training.analysis import style
from training.analysis.evidence import Evidence
from training.analysis.section import Section
from training.analysis.table import Column, Table

DECADES = 30.0  #: of largest to smallest value, from which an axis may be logarithmic

#: What is shown, by the tag it is logged under: its name, and whether its axis may be logarithmic.
SHOWN = {
    "train/entropy": ("entropy (nat)", False),
    "train/approx_kl": ("KL divergence (nat)", False),
    "train/clip_fraction": ("clipped samples (share)", False),
    "train/value_loss": ("value loss", True),
    "train/explained_variance": ("explained variance", False),
    "train/policy_gradient_loss": ("policy loss", False),
}


def most_entropy(evidence: Evidence) -> float | None:
    """Entropy in nat of a driver that chooses any listed action as often as any other; None if none are listed."""
    if isinstance(evidence.actions, DiscreteActions):
        return math.log(len(evidence.actions))
    if evidence.actions is None and evidence.discrete and len(evidence.training.rows):
        return math.log(int(evidence.action_index.max()) + 1)
    return None


def learning(evidence: Evidence) -> Section:
    """The learner's own curves."""
    curves = {tag: evidence.curves[tag] for tag in SHOWN if tag in evidence.curves}
    columns = (
        Column("quantity"),
        *(Column(name, form=",.4g") for name in ("first", "first third", "second third", "last third", "last")),
    )
    table = []
    for tag, curve in curves.items():
        thirds = [float(np.mean(part)) if len(part) else None for part in np.array_split(curve.values, 3)]
        table.append((SHOWN[tag][0], float(curve.values[0]), *thirds, float(curve.values[-1])))

    def draw(figure: style.Figure) -> None:
        every = figure.subplots(math.ceil(len(curves) / 2), 2, sharex=True, squeeze=False)
        by_steps = max(float(c.steps[-1]) for c in curves.values()) > 1000.0 or "train/value_loss" in curves
        for axes, (tag, curve) in zip(every.flat, curves.items(), strict=False):
            name, logarithmic = SHOWN[tag]
            few = len(curve.steps) <= 40
            axes.plot(
                curve.steps / (1000.0 if by_steps else 1.0), curve.values, color=style.BLUE, marker="." if few else ""
            )
            axes.set_title(name)
            if logarithmic and 0.0 < curve.values.min() < curve.values.max() / DECADES:
                axes.set_yscale("log")
            if tag == "train/entropy" and (most := most_entropy(evidence)):
                axes.axhline(most, color=style.ORANGE, linewidth=1.0, linestyle="--")
                axes.set_ylim(0.0, 1.2 * most)
                right = axes.get_yaxis_transform()
                axes.text(1.0, most, "all actions equally often", transform=right, ha="right", va="bottom", fontsize=9)
        for axes in list(every.flat)[len(curves) :]:
            axes.set_visible(False)
        for axes in every[-1]:
            axes.set_xlabel("training steps (thousand)" if by_steps else "iteration")

    text = (
        "Entropy: how undecided the driver is. KL divergence and clipped samples: how much an iteration changes it. "
        "Explained variance: how well the critic foresees what an episode will pay; 1 is perfect, 0 is useless."
    )
    rows = math.ceil(len(curves) / 2)
    return Section("learning", "Learning", text, Table(columns, tuple(table)), draw, (9.0, 0.6 + 2.0 * rows))
