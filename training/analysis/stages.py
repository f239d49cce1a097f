"""How a training went, in stages of about equal length: completion, reward and lap times."""

from __future__ import annotations

from collections import Counter

import numpy as np

from racer_env.kernel import Floats, Ints, Records
from training.analysis import style
from training.analysis.evidence import Evidence
from training.analysis.section import Section
from training.analysis.table import Column, Table

STAGES = 8
WINDOW = 20  #: episodes of a running mean

_STAGE = Column("steps until", "thousand", ".1f")


def stages(episodes: Records, count: int = STAGES) -> list[Records]:
    """Cut episodes (e,) into stages, each of about as many training steps and of one episode at least."""
    if not len(episodes):
        return []
    edges = np.linspace(0, episodes.trained[-1], count + 1)[1:]
    cuts = np.searchsorted(episodes.trained, edges, side="left") + 1
    parts = np.split(np.arange(len(episodes)), np.unique(cuts[:-1]))
    return [episodes[part] for part in parts if len(part)]


def running_mean(values: Floats, window: int = WINDOW) -> Floats:
    """Mean (n,) of each value and those before it, at most a window of them."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - window, 0)
    mean: Floats = (total[end] - total[begin]) / (end - begin)
    return mean


def completion(evidence: Evidence) -> Section:
    """How much of a lap episodes and evaluations completed, and how they ended."""
    episodes, evaluations = evidence.training.episodes, evidence.evaluations
    columns = (
        _STAGE,
        Column("episodes", form="d"),
        Column("mean", "%", ".1f"),
        Column("best", "%", ".1f"),
        Column("laps", form="d"),
        Column("evaluation", "%", ".1f"),
        Column("ended by"),
    )
    rows, since = [], 0
    for stage in stages(episodes):
        until = int(stage.trained[-1])
        here = evaluations[(evaluations.trained > since) & (evaluations.trained <= until)]
        rows.append(
            (
                until / 1000.0,
                len(stage),
                float(stage.progress.mean()),
                float(stage.progress.max()),
                int((stage.progress >= 100.0).sum()),
                float(here.progress.mean()) if len(here) else None,
                endings(stage),
            )
        )
        since = until

    def draw(figure: style.Figure) -> None:
        axes = style.axes(figure, "training steps (thousand)", "lap completed (%)")
        steps = episodes.trained / 1000.0
        style.dots(axes, steps, episodes.progress, "an episode")
        axes.plot(steps, running_mean(episodes.progress), color=style.BLUE, label=f"mean of {WINDOW} episodes")
        if len(evaluations):
            style.marks(axes, evaluations.trained / 1000.0, evaluations.progress, "evaluation, mean")
        axes.set_ylim(-3, 106)
        style.legend(axes)

    text = "How much of a lap an episode drives before it ends; an evaluation drives without exploring."
    return Section("completion", "Completion", text, Table(columns, tuple(rows)), draw, style.WIDE)


def endings(episodes: Records) -> str:
    """Say how episodes ended, the most frequent ways first."""
    counts = Counter(str(status).replace("_", " ") for status in episodes.status)
    return ", ".join(f"{status} {100 * n / len(episodes):.0f} %" for status, n in counts.most_common(3))


def reward(evidence: Evidence) -> Section:
    """What episodes and steps were paid."""
    episodes = evidence.training.episodes
    columns = (
        _STAGE,
        Column("an episode", "mean", ",.4g"),
        Column("deviation", form=",.4g"),
        Column("least", form=",.4g"),
        Column("most", form=",.4g"),
        Column("a step", "mean", ",.4g"),
        Column("1 % of a lap", "mean", ",.4g"),
    )
    rows = [
        (
            float(s.trained[-1]) / 1000.0,
            *(float(f(s.reward)) for f in (np.mean, np.std, np.min, np.max)),
            float(s.reward.sum() / max(s.steps.sum(), 1)),
            float(s.reward.sum() / s.progress.sum()) if s.progress.sum() > 0.0 else None,
        )
        for s in stages(episodes)
    ]

    def draw(figure: style.Figure) -> None:
        upper, lower = style.stacked(figure, "training steps (thousand)", "reward of\nan episode", "reward of\na step")
        steps = episodes.trained / 1000.0
        style.dots(upper, steps, episodes.reward, "an episode")
        upper.plot(steps, running_mean(episodes.reward), color=style.BLUE, label=f"mean of {WINDOW} episodes")
        per_step = running_mean(episodes.reward) / np.maximum(running_mean(episodes.steps.astype(float)), 1e-9)
        lower.plot(steps, per_step, color=style.BLUE)
        style.legend(upper)

    text = "If the reward rises and completion does not, the function pays for something else than driving on."
    return Section("reward", "Reward", text, Table(columns, tuple(rows)), draw, (9.0, 5.0))


def lap_times(evidence: Evidence) -> Section:
    """How fast complete laps were."""
    drives, evaluations = evidence.training, evidence.evaluations
    columns = (
        _STAGE,
        Column("laps", form="d"),
        Column("best", "s", ".2f"),
        Column("median", "s", ".2f"),
        Column("slowest", "s", ".2f"),
        Column("evaluation laps"),
        Column("evaluation", "s", ".2f"),
    )
    rows, since = [], 0
    for stage in stages(drives.episodes):
        until, times = int(stage.trained[-1]), stage.seconds[stage.progress >= 100.0]
        here = evaluations[(evaluations.trained > since) & (evaluations.trained <= until)]
        mean = here.seconds[np.isfinite(here.seconds)]
        rows.append(
            (
                until / 1000.0,
                len(times),
                *(float(f(times)) if len(times) else None for f in (np.min, np.median, np.max)),
                f"{here.complete.sum()} of {here.attempts.sum()}" if len(here) else None,
                float(mean.mean()) if len(mean) else None,
            )
        )
        since = until

    laps = drives.episodes[drives.complete]
    timed = evaluations[np.isfinite(evaluations.seconds)]
    some = bool(len(laps) or len(timed))

    def draw(figure: style.Figure) -> None:
        axes = style.axes(figure, "training steps (thousand)", "lap time (s)")
        steps = laps.trained / 1000.0
        if not some:
            style.say(axes, "no lap was complete")
            return
        style.dots(axes, steps, laps.seconds, "a training lap")
        if len(laps):
            axes.step(
                steps, np.minimum.accumulate(laps.seconds), where="post", color=style.BLUE, label="best until then"
            )
        if len(timed):
            style.marks(axes, timed.trained / 1000.0, timed.seconds, "evaluation, mean")
        axes.set_xlim(0, None)
        style.legend(axes)

    text = "Times of complete laps in simulated seconds, from a standing start."
    size = style.WIDE if some else style.LOW
    return Section("lap_times", "Lap times", text, Table(columns, tuple(rows)), draw, size)


def quarter(values: Records | Ints | Floats, which: int) -> Records:
    """The first (0) or last (-1) quarter of something, one at least."""
    k = max(1, len(values) // 4)
    return values[:k] if which == 0 else values[-k:]
