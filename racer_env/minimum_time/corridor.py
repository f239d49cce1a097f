"""The room that a line has on a track: cross-sections of the road, and how far along each it may lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from racer_env.errors import TrackError
from racer_env.kernel import Floats
from racer_env.track import Track

SPACING = 0.1  #: m of the centre line from one cross-section to the next
_LEAST_SECTIONS = 16
_LEAST_SLANT = 0.5  #: sine of the angle of a cross-section with a border; below that, the border is bent
_UNCROSSED = 0.99  #: of the way from the middle of a cross-section to where its neighbour crosses it


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

        A route pairs the points of its borders; between them, cross-sections are interpolated. So they cover the
        whole road, also where its borders turn more sharply than perpendiculars of the centre line could follow.

        Args:
            track: which.
            margin: m to keep from the borders; negative to go beyond them.
            spacing: m of the centre line between cross-sections.

        Raises:
            TrackError: somewhere the road is too narrow for that.
        """
        station, right, left = _borders(track, spacing)
        width = np.maximum(np.hypot(*(left - right).T), 1e-9)
        across = (left - right) / width[:, None]
        low = margin / _slant(right, across, track.closed)
        high = width - margin / _slant(left, across, track.closed)
        narrow = int(np.argmin(high - low))
        if high[narrow] - low[narrow] < 1e-3:
            raise TrackError(
                f"track {track.name} is {width[narrow]:.2f} m wide at {station[narrow]:.1f} m: "
                f"there is no room for a line {margin:g} m from both borders"
            )
        return cls(right, across, low, high, station, track.closed)._uncrossed()

    @property
    def middle(self) -> Floats:
        """Offsets (k,) halfway between the ends."""
        return 0.5 * (self.low + self.high)

    def points(self, offset: Floats) -> Floats:
        """Points (k, 2) that lie `offset` (k,) m from the right border."""
        found: Floats = self.right + offset[:, None] * self.across
        return found

    def _uncrossed(self) -> Corridor:
        """The same, ending before neighbours cross each other, so that a line never goes backwards."""
        low, high, middle = self.low.copy(), self.high.copy(), self.middle
        here = np.arange(len(low) if self.closed else len(low) - 1)
        there = (here + 1) % len(low)
        a, b, between = self.across[here], self.across[there], self.right[there] - self.right[here]
        turn = _cross(a, b)
        turn = np.where(np.abs(turn) < 1e-9, 1e-9, turn)
        for i, crossing in ((here, _cross(between, b) / turn), (there, _cross(between, a) / turn)):
            end = middle[i] + _UNCROSSED * (crossing - middle[i])
            low[i] = np.where(end < middle[i], np.maximum(low[i], end), low[i])
            high[i] = np.where(end > middle[i], np.minimum(high[i], end), high[i])
        return replace(self, low=low, high=high)


def _borders(track: Track, spacing: float) -> tuple[Floats, Floats, Floats]:
    """Stations (k,) of cross-sections, and their right and left ends (k, 2)."""
    kept = np.r_[True, np.hypot(*np.diff(track.centre, axis=0).T) > 1e-9]
    route = track.route[kept]
    length = np.r_[0.0, np.cumsum(np.hypot(*np.diff(route[:, :2], axis=0).T))]
    count = max(round(length[-1] / spacing), _LEAST_SECTIONS)
    station = np.linspace(0.0, length[-1], count + 1)[: count if track.closed else count + 1]
    at = np.stack([np.interp(station, length, route[:, i]) for i in range(2, 6)], axis=1)
    inner, outer = at[:, :2], at[:, 2:]
    return (station, outer, inner) if track.geometry.left_is_inner else (station, inner, outer)


def _slant(border: Floats, across: Floats, closed: bool) -> Floats:
    """Sine (k,) of the angle between cross-sections and a border (k, 2)."""
    along = np.roll(border, -1, axis=0) - np.roll(border, 1, axis=0) if closed else np.gradient(border, axis=0)
    size = np.hypot(*along.T)
    sine = np.abs(_cross(along, across)) / np.maximum(size, 1e-9)
    found: Floats = np.where(size > 1e-3, np.clip(sine, _LEAST_SLANT, 1.0), 1.0)
    return found


def _cross(a: Floats, b: Floats) -> Floats:
    product: Floats = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return product
