"""The room that a line has on a track: cross-sections of the road, and how far along each it may lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.errors import TrackError
from racer_env.kernel import Floats
from racer_env.track import Track

SPACING = 0.1  #: m of the centre line from one cross-section to the next
_LEAST_NODES = 16
_LEAST_SLANT = 0.5  #: sine of the angle of a cross-section with a border, below which it is the file's noise


@dataclass(frozen=True, eq=False)
class Corridor:
    """Cross-sections (k,) of a track, from the right border to the left one, in the order of driving."""

    right: Floats  #: (k, 2) ends of the cross-sections, m
    across: Floats  #: (k, 2) unit vectors to the left
    low: Floats  #: (k,) m from `right`, where a line may lie at least
    high: Floats  #: (k,) at most
    station: Floats  #: (k,) m along the centre line
    closed: bool

    @classmethod
    def of(cls, track: Track, margin: float = 0.0, spacing: float = SPACING) -> Corridor:
        """Cut a track into cross-sections.

        A route pairs the points of its borders; between them, cross-sections are interpolated. They cover the whole
        road and, other than perpendiculars, never cross each other in sharp bends.

        Args:
            track: which.
            margin: m to keep from the borders; negative to go beyond them.
            spacing: m of the centre line between cross-sections.

        Raises:
            TrackError: the road is nowhere as wide as that, or not everywhere.
        """
        rows = np.r_[True, np.hypot(*np.diff(track.centre, axis=0).T) > 1e-9]
        route = track.route[rows]
        length = np.r_[0.0, np.cumsum(np.hypot(*np.diff(route[:, :2], axis=0).T))]
        count = max(round(length[-1] / spacing), _LEAST_NODES)
        station = np.linspace(0.0, length[-1], count + 1)[: count if track.closed else count + 1]
        at = np.stack([np.interp(station, length, route[:, i]) for i in range(6)], axis=1)
        inner, outer = at[:, 2:4], at[:, 4:6]
        left, right = (inner, outer) if track.geometry.left_is_inner else (outer, inner)
        width = np.hypot(*(left - right).T)
        across = (left - right) / width[:, None]
        low = margin / _slant(right, across, track.closed)
        high = width - margin / _slant(left, across, track.closed)
        narrow = np.flatnonzero(high - low < 1e-3)
        if len(narrow):
            where = narrow[np.argmin((high - low)[narrow])]
            raise TrackError(
                f"track {track.name} is {width[where]:.2f} m wide at {station[where]:.1f} m: "
                f"no room for a line {margin:g} m from both borders"
            )
        return cls(right, across, low, high, station, track.closed)

    def points(self, offset: Floats) -> Floats:
        """Points (k, 2) that lie `offset` (k,) m from the right border."""
        found: Floats = self.right + offset[:, None] * self.across
        return found


def _slant(border: Floats, across: Floats, closed: bool) -> Floats:
    """Sine (k,) of the angle between cross-sections and a border (k, 2)."""
    along = np.roll(border, -1, axis=0) - np.roll(border, 1, axis=0) if closed else np.gradient(border, axis=0)
    size = np.hypot(*along.T)
    sine = np.abs(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]) / np.maximum(size, 1e-9)
    return np.where(size > 1e-3, np.clip(sine, _LEAST_SLANT, 1.0), 1.0)
