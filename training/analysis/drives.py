"""Recorded drives: the steps of a simtrace, cut into episodes and laid out along the track."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Bools, Floats, Ints, Records, records
from racer_env.race import Status
from racer_env.trace import STEP, Trace
from racer_env.track import Track

LENGTH_TOLERANCE = 0.01  #: m, between a route's centre line and the recorded ``track_len``; logs keep 2 decimals
SAMPLE = 300  #: steps that are tried on a track
MISPLACED = 1.0  #: m, median between a step's projection and its closest waypoint, above which a track is another one

#: One finished episode.
EPISODE = np.dtype(
    [
        ("number", np.int64),  # as recorded
        ("first", np.int64),  # its rows, without the prepare step: first <= row < last
        ("last", np.int64),
        ("steps", np.int64),
        ("trained", np.int64),  # steps of this and all episodes before
        ("reward", np.float64),  # sum
        ("progress", np.float64),  # per cent, at its end
        ("seconds", np.float64),  # simulated
        ("status", "U16"),  # at its end, as simtrace has it
        ("station", np.float64),  # m along the centre line, at its end
        ("place", np.int64),  # which of the drives' places
    ]
)


@dataclass(frozen=True, eq=False)
class Place:
    """A track that was driven; the route itself may be unknown."""

    length: float  #: m
    track: Track | None

    @property
    def name(self) -> str:
        """The track's name, or how long it is."""
        return self.track.name if self.track else f"track of {self.length:.1f} m"


@dataclass(frozen=True, eq=False)
class Drives:
    """Steps and the finished episodes that they make."""

    rows: Records  #: `racer_env.trace.STEP` (n,)
    stations: Floats  #: (n,) m along the centre line; of the closest waypoint where the route is unknown
    episodes: Records  #: `EPISODE` (e,)
    places: tuple[Place, ...]

    def __len__(self) -> int:
        return len(self.episodes)

    @property
    def complete(self) -> Bools:
        """Which episodes were complete laps (e,)."""
        done: Bools = self.episodes.progress >= 100.0
        return done

    def steps_of(self, episode: Records) -> slice:
        """The rows of an episode."""
        return slice(int(episode["first"]), int(episode["last"]))

    def chosen(self, episodes: Records) -> Ints:
        """Indices of the rows in which the driver of some episodes chose an action."""
        spans = [np.arange(first, last) for first, last in zip(episodes.first, episodes.last, strict=True)]
        return np.concatenate(spans) if spans else np.zeros(0, np.int64)


NOTHING = Drives(records(0, STEP), np.zeros(0), records(0, EPISODE), ())


def drives_of(traces: Sequence[Trace], tracks: Iterable[Track]) -> Drives:
    """Cut traces into episodes.

    Args:
        traces: of one training; those of several workers are put in the order of their episodes' numbers.
        tracks: the tracks that may have been driven, in either direction.
    """
    if not traces:
        return NOTHING
    rows: Records = np.concatenate([trace.rows for trace in traces]).view(np.recarray)
    if len(traces) > 1:
        rows = rows[np.argsort(rows.episode, kind="stable")]
    places, which = _places(rows, list(tracks))
    stations = np.zeros(len(rows))
    for k, place in enumerate(places):
        stations[which == k] = _stations(rows[which == k], place)
    return Drives(rows, stations, _episodes(rows, stations, which), tuple(places))


def _episodes(rows: Records, stations: Floats, which: Ints) -> Records:
    """The finished episodes (e,) of rows; each lap of a flying run is one, and a run that breaks off is none."""
    fresh = np.diff(rows.steps, prepend=np.inf) <= 0.0
    fresh[1:] |= (rows.progress[:-1] >= 100.0) & (rows.progress[1:] < 100.0)
    bounds = np.flatnonzero(fresh)
    first, last = bounds, np.append(bounds[1:], len(rows))
    whole = rows.done[last - 1] | (rows.progress[last - 1] >= 100.0)
    first, last = first[whole], last[whole]
    prepared = (rows.status[first] == Status.PREPARE.label) | (rows.steps[first] <= 1.0)
    chosen = first + (prepared & (last - first > 1))
    out = records(len(first), EPISODE)
    end = last - 1
    out.number, out.first, out.last, out.steps = rows.episode[end], chosen, last, last - chosen
    total = np.concatenate(([0.0], np.cumsum(rows.reward)))
    out.reward = total[last] - total[first]
    flying = ~prepared & (first > 0)  # its time began when the lap before was complete
    out.progress, out.seconds = rows.progress[end], rows.tstamp[end] - rows.tstamp[first - flying]
    out.status, out.station, out.place = rows.status[end], stations[end], which[end]
    out.trained = np.cumsum(out.steps)
    return out


def episodes_of_metrics(metrics: Iterable[dict[str, object]]) -> Records:
    """Episodes (e,) as far as the training rows of TrainingMetrics.json tell: they have no steps of their own."""
    some = [m for m in metrics if m.get("phase", "training") == "training"]
    out = records(len(some), EPISODE)
    for episode, m in zip(out, some, strict=True):
        episode.number, episode.reward = m["episode"], m["reward_score"]
        episode.progress, episode.seconds = (
            m["completion_percentage"],
            float(str(m["elapsed_time_in_milliseconds"])) / 1e3,
        )
        episode.status = str(m.get("episode_status", "")).lower().replace(" ", "_")
    out.steps = np.round(out.seconds * CONTROL_RATE)
    out.trained = np.cumsum(out.steps)
    return out


def _places(rows: Records, tracks: list[Track]) -> tuple[list[Place], Ints]:
    """The places of rows, and which of them each row (n,) is at."""
    lengths = np.round(rows.track_len, 2)
    known, which = np.unique(lengths, return_inverse=True)
    places = [_place(rows[which == k], float(length), tracks) for k, length in enumerate(known)]
    return places, which.reshape(-1)


def _place(rows: Records, length: float, tracks: list[Track]) -> Place:
    fitting = [t for t in tracks if abs(t.length - length) <= LENGTH_TOLERANCE]
    courses = [c for t in fitting for c in (t, Track(t.name, t.route[::-1].copy(), not t.is_reversed))]
    misplaced = [_misplaced(rows, course) for course in courses]
    best = int(np.argmin(misplaced)) if misplaced else 0
    return Place(length, courses[best] if misplaced and misplaced[best] <= MISPLACED else None)


def _misplaced(rows: Records, track: Track) -> float:
    """Median distance, m, between where steps are along a track and their recorded closest waypoints."""
    some = rows[:: max(1, len(rows) // SAMPLE)]
    if some.closest_waypoint.max() >= len(track.route):
        return np.inf
    points = np.stack((some.x, some.y), axis=1)
    waypoints = track.centre[some.closest_waypoint]
    return float(np.median(np.hypot(*(points - waypoints).T)))


def _stations(rows: Records, place: Place) -> Floats:
    """How far along the centre line steps are, m (n,)."""
    if place.track is None:
        share = rows.closest_waypoint / max(int(rows.closest_waypoint.max(initial=1)), 1)
        along: Floats = share * place.length
        return along
    points = np.stack((rows.x, rows.y), axis=1)
    return place.track.project(points)[:, 0]
