"""A line to drive well on without training: of least curvature inside the borders, and a speed for every point of it.

It knows the road and the car's tyres, but not the car's lags, and is not the fastest line; a good driver beats it.
Metres, seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from racer_env.car import MAX_SPEED, Car
from racer_env.kernel import Floats
from racer_env.track import Track

SPACING = 0.15  #: m along the centre line
MARGIN = 0.12  #: m between the side of a careful driver's car and the border
GRIP_USED = 0.5  #: share of the tyres' grip in bends
MOST_ACROSS, MOST_ALONG = 4.0, 2.0  #: m/s² in bends; when braking and accelerating
SLOWEST = 0.8  #: m/s
_ROUNDS, _STIFFNESS = 200, 0.02
_REFINED = 3  #: times that the points' distances on the line, on which its curvature depends, are found anew


class DrivingLine(NamedTuple):
    """Where to drive, and how fast."""

    points: Floats  #: (k, 2) m, in driving order; on a loop the last is before the first, not the same
    speed: Floats  #: (k,) m/s


def smooth_line(track: Track, car: Car, margin: float = MARGIN, tension: float = 0.0) -> DrivingLine:
    """Find the line of least curvature for a car on a track, and the speeds that its tyres allow there.

    Args:
        track: where.
        car: who drives.
        margin: m that stay free between the car's side and the border; negative lets it reach over.
        tension: 0 for the line of least curvature; the more, the shorter the line, along the inside of bends.
    """
    count = max(8, round(track.length / SPACING))
    station = np.linspace(0.0, track.length, count, endpoint=not track.closed)
    pose = track.poses(station)
    centre, normal = pose[:, :2], np.stack((-np.sin(pose[:, 2]), np.cos(pose[:, 2])), axis=1)
    room = np.maximum(0.5 * track.widths(centre) - 0.5 * car.width - margin, 0.0)
    step = np.full(count, track.length / count)
    for _ in range(_REFINED):
        points = centre + normal * _least_bending(centre, normal, room, step, tension, track.closed)[:, None]
        ways = np.hypot(*np.diff(points, axis=0, append=points[:1] if track.closed else points[-2:-1]).T)
        step = np.maximum(0.5 * (ways + np.roll(ways, 1)), 0.1 * SPACING)
    return DrivingLine(points, speeds_on(points, car, closed=track.closed))


def speeds_on(points: Floats, car: Car, *, closed: bool) -> Floats:
    """Give the speeds (k,) at which a car can follow a line (k, 2): slow enough for bends, and reached in time."""
    step = np.diff(points, axis=0, append=points[:1])
    length = np.maximum(np.hypot(*step.T), 1e-9)
    yaw = np.arctan2(step[:, 1], step[:, 0])
    if not closed:  # beyond the end it goes on straight
        length[-1], yaw[-1] = length[-2], yaw[-2]
    bend = np.abs(np.angle(np.exp(1j * (yaw - np.roll(yaw, 1)))))
    if not closed:
        bend[0] = 0.0
    curvature = np.convolve(np.pad(bend / length, 2, mode="wrap" if closed else "edge"), np.full(5, 0.2), "valid")
    across = min(GRIP_USED * car.grip_across, MOST_ACROSS)
    speed = np.minimum(np.sqrt(across / np.maximum(curvature, 1e-6)), min(MAX_SPEED, car.top_speed))
    return np.maximum(_reached(_reached(speed, length, closed)[::-1], np.roll(length[::-1], -1), closed)[::-1], SLOWEST)


def _reached(speed: Floats, length: Floats, closed: bool) -> Floats:
    """Cut speeds (k,) to what accelerating from point to point allows; twice around a loop."""
    out = speed.copy()
    for i in range(0 if closed else 1, len(out) * (2 if closed else 1)):
        at = i % len(out)
        out[at] = min(out[at], np.sqrt(out[at - 1] ** 2 + 2.0 * MOST_ALONG * length[at - 1]))
    return out


def _least_bending(centre: Floats, normal: Floats, room: Floats, step: Floats, tension: float, closed: bool) -> Floats:
    """Offsets (k,) to the left, within ±`room`, of the line that bends least, `step` (k,) m from point to point.

    The sum of squared second differences, plus `tension` times that of the first, is a quadratic form of the offsets;
    the bounds are met by the alternating direction method of multipliers (S. Boyd et al., *Distributed Optimization and
    Statistical Learning via ADMM*, 2011).
    """
    count = len(centre)
    stretch = np.roll(np.eye(count), 1, axis=1) - np.eye(count)
    bending = np.roll(np.eye(count), -1, axis=1) + stretch - np.eye(count)
    if not closed:
        stretch[-1] = bending[0] = bending[-1] = 0.0
    bending *= ((SPACING / step) ** 1.5)[:, None]  # the square of the curvature, times the way
    bending = np.concatenate((bending, np.sqrt(tension) * stretch))
    form = np.concatenate([bending * normal[:, axis] for axis in (0, 1)])
    wanted = -np.concatenate([bending @ centre[:, axis] for axis in (0, 1)])
    inverse = np.linalg.inv(form.T @ form + _STIFFNESS * np.eye(count))
    kept, pressure = np.zeros(count), np.zeros(count)
    for _ in range(_ROUNDS):
        free = inverse @ (form.T @ wanted + _STIFFNESS * (kept - pressure))
        kept = np.clip(free + pressure, -room, room)
        pressure += free - kept
    return kept
