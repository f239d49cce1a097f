"""A recording: a trace, the track it was driven on and the car that drove it, found by what the rows say.

The **track** is the route file whose centre line is as long as the rows say (within 1 cm) and on which the recorded
closest waypoints come out right, forward or reversed, with repeated centre points or without (the newest simulator
drops them). The **generation** of the simulator decides the car. Unless it is given, it is, in this order:

1. what an ``index.csv`` beside the recording says in its columns ``path`` and ``physics`` (``v4``);
2. the ``version`` of a ``model_metadata.json`` in the recording's folder, in ``model/`` there, or one folder up;
3. 6 if the rows have a ``wall_clock``, which only that version writes.

Versions 4 and 5 cannot be told apart by their rows.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tracks
from racer_env.agreement import measure
from racer_env.car import Car, car_of_version
from racer_env.errors import TraceError, TrackError
from racer_env.kernel import Floats
from racer_env.metadata import ModelMetadata
from racer_env.trace import COLUMNS, Trace, find_traces, read
from racer_env.track import Track

SAMPLE = 500  #: rows that are tried on a track
FITS = 0.5  #: share of those whose closest waypoint must come out right
LENGTH_TOLERANCE = 0.01  #: m; logs keep 2 decimals


@dataclass(frozen=True, eq=False)
class Recording:
    """What the original recorded, and where and with what it was driven."""

    trace: Trace
    track: Track
    car: Car
    version: int  #: generation of the simulator

    @property
    def name(self) -> str:
        """The name of its file or folder."""
        return self.trace.path.name


def open_recordings(
    paths: Iterable[Path], folder: Path, car: Car | None = None, seen: Callable[[list[Path]], Iterable[Path]] = iter
) -> list[Recording]:
    """Read all traces at some paths and find the track and the car of each.

    Args:
        paths: files, or folders to look through.
        folder: holds the routes (``.npy``) of the tracks.
        car: of all of them; found by the rules above if not given.
        seen: passes on the traces one by one, such as a progress bar.

    Raises:
        TraceError: nothing to read, a broken line, or no way to know the generation.
        TrackError: no track of the folder fits.
    """
    found = [trace for path in paths for trace in find_traces(path)]
    routes = Routes(folder)
    return [_open(path, routes, car) for path in seen(found)]


def _open(path: Path, routes: Routes, car: Car | None) -> Recording:
    trace = read(path)
    version = car.version if car else version_of(trace)
    driven = car or car_of_version(version)
    return Recording(trace, routes.course(trace, driven), driven, version)


def version_of(trace: Trace) -> int:
    """The generation of the simulator that wrote a trace. Raises `TraceError` if nothing tells."""
    version = _indexed(trace.path) or _described(trace.path) or (6 if trace.fields == len(COLUMNS) else None)
    if version is None:
        raise TraceError(f"{trace.path}: nothing tells which version of the simulator wrote it; say it with --car")
    return version


def _indexed(path: Path) -> int | None:
    index = path.parent / "index.csv"
    if not index.is_file():
        return None
    with index.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("path") == path.name]
    physics = (rows[0].get("physics") or "").lstrip("v") if rows else ""
    return int(physics) if physics.isdecimal() else None


def _described(path: Path) -> int | None:
    inside = path if path.is_dir() else path.parent
    for folder in (inside, inside / "model", inside.parent, inside.parent / "model"):
        file = folder / "model_metadata.json"
        if file.is_file():
            return int(ModelMetadata.read(file).version)
    return None


class Routes:
    """The tracks of a folder of routes (``.npy``), each made when it is first needed."""

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise TrackError(f"{folder}: there is no such folder; it must hold the routes (.npy) of the tracks")
        self._folder = folder
        self._lengths = {path: _length(_route(path)) for path in sorted(folder.glob("*.npy"))}
        self._courses: dict[Path, list[Track]] = {}
        if not self._lengths:
            raise TrackError(f"{folder}: there is no route file (.npy) in this folder")

    def course(self, trace: Trace, car: Car) -> Track:
        """Find the track, in the direction driven, on which the rows of a trace make sense.

        Raises:
            TrackError: there is none; the sentence says what it would have to be like.
        """
        length = float(np.median(trace.rows.track_len))
        fitting = [path for path, metres in self._lengths.items() if abs(metres - length) <= LENGTH_TOLERANCE]
        if not fitting:
            known = ", ".join(f"{path.stem} {metres:.2f} m" for path, metres in self._lengths.items())
            raise TrackError(f"{trace.path}: was driven on a track of {length:.2f} m; {self._folder} has {known}")
        courses = [course for path in fitting for course in self._made(path)]
        shares = [_share_of_waypoints(trace, course, car) for course in courses]
        best = int(np.argmax(shares))
        if shares[best] < FITS:
            names = ", ".join(path.stem for path in fitting)
            raise TrackError(f"{trace.path}: was not driven on {names}, although the length of {length:.2f} m fits")
        return courses[best]

    def _made(self, path: Path) -> list[Track]:
        if path not in self._courses:
            self._courses[path] = list(_each_course(_route(path), path.stem))
        return self._courses[path]


def _route(path: Path) -> Floats:
    try:
        route = tracks.route(path)
    except (tracks.TrackNotFound, ValueError, OSError) as error:
        raise TrackError(str(error)) from error
    if route.ndim != 2 or route.shape[1] != 6 or len(route) < 2:
        raise TrackError(f"{path}: holds an array of shape {route.shape}; a route has the shape (N, 6)")
    return route


def _length(route: Floats) -> float:
    return float(np.hypot(*np.diff(route[:, :2], axis=0).T).sum())


def _each_course(route: Floats, name: str) -> Iterator[Track]:
    """A route both ways, and again without its repeated centre points if it has some."""
    repeated = not np.diff(route[:, :2], axis=0).any(axis=1).all()
    for drop in (False, True) if repeated else (False,):
        for reverse in (False, True):
            yield Track.from_route(route, name, reverse=reverse, drop_duplicates=drop)


def _share_of_waypoints(trace: Trace, track: Track, car: Car) -> float:
    every = max(1, len(trace) // SAMPLE)
    some = Trace(trace.path, trace.rows[::every], trace.fields, trace.rounded)
    _, seen = measure(some, track, car)
    return float(np.mean(seen.nearest_waypoint == some.rows.closest_waypoint))
