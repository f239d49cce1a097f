"""The best laps: speed and steering along the track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.kernel import Floats, Records
from training.analysis import style
from training.analysis.drives import Place
from training.analysis.evidence import Evidence
from training.analysis.section import Section
from training.analysis.table import Column, Table

LAPS = 3
SMOOTHED = 5  #: steps of a running mean of the measured speed, which the time stamps make noisy
HALF_SECOND = 7  #: steps


@dataclass(frozen=True, eq=False)
class Lap:
    """A lap, step by step, in the order driven."""

    name: str
    seconds: float
    rows: Records  #: (n,)
    stations: Floats  #: (n,) m along the centre line

    @property
    def speed(self) -> Floats:
        """Measured speed (n,), m/s: way over time between steps."""
        way = np.hypot(np.diff(self.rows.x), np.diff(self.rows.y))
        time = np.diff(self.rows.tstamp)
        usable = time > 1e-6
        speed = np.interp(np.arange(len(way)), np.flatnonzero(usable), (way[usable] / time[usable]))
        speed = np.append(speed, speed[-1])
        return smooth(speed, SMOOTHED)

    @property
    def way(self) -> float:
        """Length of the line driven, m."""
        return float(np.hypot(np.diff(self.rows.x), np.diff(self.rows.y)).sum())


def smooth(values: Floats, window: int) -> Floats:
    """Mean (n,) of the values around each; at both ends of those that there are."""
    near = np.ones(window)
    mean: Floats = np.convolve(values, near, "same") / np.convolve(np.ones(len(values)), near, "same")
    return mean


def best_laps(evidence: Evidence, place: Place) -> list[Lap]:
    """The fastest complete laps on a place, of training and evaluations."""
    found = [
        Lap(f"{phase} {e['number']}", float(e["seconds"]), d.rows[d.steps_of(e)], d.stations[d.steps_of(e)])
        for phase, d in (("training", evidence.training), ("evaluation", evidence.driven))
        for e in d.episodes[d.complete]
        if _same(d.places[int(e["place"])], place) and e["last"] - e["first"] > 2
    ]
    return sorted(found, key=lambda lap: lap.seconds)[:LAPS]


def _same(a: Place, b: Place) -> bool:
    return abs(a.length - b.length) < 0.02


def laps(evidence: Evidence, which: int) -> Section:
    """Speed and steering of the best laps on a place."""
    place = evidence.training.places[which]
    best = best_laps(evidence, place)
    columns = (
        Column("lap"),
        Column("time", "s", ".2f"),
        Column("way", "m", ".1f"),
        *(Column(f"{name} speed", "m/s", ".2f") for name in ("mean", "least", "top")),
        Column("steering", "° mean", ".1f"),
        Column("changes of steering", "a second", ".1f"),
    )
    table = [
        (
            lap.name,
            lap.seconds,
            lap.way,
            *(float(f(lap.speed)) for f in (np.mean, np.min, np.max)),
            float(np.abs(lap.rows.steer).mean()),
            float((np.diff(lap.rows.steer) != 0.0).sum() / max(lap.seconds, 1e-9)),
        )
        for lap in best
    ]

    def draw(figure: style.Figure) -> None:
        if not best:
            style.say(figure.add_subplot(), "no lap was complete")
            return
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.0, 1.7))[0]
        _line(left, place, best[0])
        labels = "speed (m/s)", "steering (°),\nmean of 0.5 s"
        speed, steering = style.stacked(right, "along the centre line (m)", *labels)
        raw = np.argsort(best[0].stations, kind="stable")
        chosen = best[0].stations[raw], best[0].rows.steer[raw]
        steering.step(*chosen, where="post", color=style.FAINT, linewidth=0.8, label="the best lap's, step by step")
        for lap, colour in zip(best, style.SERIES, strict=False):
            order = np.argsort(lap.stations, kind="stable")
            along = lap.stations[order]
            speed.plot(along, lap.speed[order], color=colour, linewidth=1.4, label=f"{lap.name}: {lap.seconds:.2f} s")
            steering.plot(along, smooth(lap.rows.steer, HALF_SECOND)[order], color=colour, linewidth=1.4)
        style.legend(speed)
        style.legend(steering)

    text = "Measured speed, and the steering angle that was chosen, positive to the left."
    name = "best_laps" if len(evidence.training.places) == 1 else f"best_laps_{which + 1}"
    return Section(
        name, f"Best laps, {place.name}", text, Table(columns, tuple(table)), draw, (10.0, 4.6) if best else style.LOW
    )


def _line(figure: style.Figure, place: Place, lap: Lap) -> None:
    """The line of the fastest lap from above, in colours of its speed."""
    axes = figure.subplots()
    style.road(axes, place.track)
    points = np.stack((lap.rows.x, lap.rows.y), axis=1)
    pieces = style.coloured(axes, points, lap.speed[:-1], linewidth=2.5, zorder=3)
    pieces.set_clim(float(np.percentile(lap.speed, 5)), None)  # else the start from rest takes all the colours
    figure.colorbar(pieces, ax=axes, label="speed of the best (m/s)", location="bottom", shrink=0.9, extend="min")
