"""Tracks: the shipped ones as data, their layouts, routes and rules. Numpy only; imports nothing of ours.

A route is DeepRacer's array (N, 6), in metres: x and y of centre, inner border and outer border. Inner is the
inside of a loop, whose last row repeats the first, and the left of an open track.
"""

from tracks.check import Problem, errors, problems
from tracks.layout import BadTrack, Layout, Piece
from tracks.library import (
    CATALOGUE,
    TrackNotFound,
    find,
    import_routes,
    imported,
    names,
    read,
    route,
    user_folder,
)
from tracks.measures import Measures, measure

__all__ = [
    "CATALOGUE",
    "BadTrack",
    "Layout",
    "Measures",
    "Piece",
    "Problem",
    "TrackNotFound",
    "errors",
    "find",
    "import_routes",
    "imported",
    "measure",
    "names",
    "problems",
    "read",
    "route",
    "user_folder",
]
