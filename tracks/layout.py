"""A track written down: straights and arcs, one after the other, until the loop closes.

Metres; angles in degrees in the file and in radians here, counter-clockwise, so a left turn is positive.
A layout is a short TOML file that anyone can write::

    title = "Oval"
    description = "Two straights, two bends."
    width = 1.07
    pieces = [
        { straight = 3.5 },
        { left = 180, radius = 1.6 },
        { straight = "fit" },
        { left = 180, radius = 1.6 },
    ]

The first row of the route is the start of the first piece, at the origin, facing `heading` degrees. At most
two lengths or radii may be left open as ``"fit"``: they are solved for, so that the loop closes exactly. A
piece may say the `width` of the road at its end, reached smoothly along it. A road that does not return to
its start says ``loop = false``.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SPACING = 0.15  #: m between vertices, at most; as most of DeepRacer's routes have it
SHARPEST_STEP = math.radians(6.0)  #: turn between vertices, at most
CLOSED = 1e-6  #: m, a gap that counts as none
MOST_METRES = 1000.0  #: of anything that a file may say

KEYS = ("title", "description", "heading", "loop", "width", "pieces")
PIECE_KEYS = ("straight", "left", "right", "radius", "width")


class BadTrack(ValueError):  # noqa: N818  (reads as what was found)
    """A track file that cannot be used; one sentence that names the file, the value and what is allowed."""


@dataclass(frozen=True)
class Piece:
    """A straight or an arc of the centre line."""

    size: float  #: m, the length of a straight or the radius of an arc; NaN until it is fitted
    turn: float  #: rad, left positive; 0 for a straight
    width: float  #: m, of the road at its end

    @property
    def length(self) -> float:
        """Length of the centre line, m."""
        return self.size * abs(self.turn) if self.turn else self.size

    def along(self, heading: float, share: Array) -> tuple[Array, Array]:
        """Follow the piece from the origin at `heading`, for a `size` of 1 m.

        Args:
            heading: rad, at its start.
            share: how far along, (p,), from 0 to 1.

        Returns:
            Positions (p, 2) and headings (p,).
        """
        if not self.turn:
            return np.outer(share, [math.cos(heading), math.sin(heading)]), np.full(len(share), heading)
        headings = heading + share * self.turn
        x, y = np.sin(headings) - math.sin(heading), math.cos(heading) - np.cos(headings)
        return math.copysign(1.0, self.turn) * np.stack([x, y], axis=1), headings

    @property
    def steps(self) -> int:
        """Number of segments that the route makes of it."""
        return max(math.ceil(self.length / SPACING - 1e-9), math.ceil(abs(self.turn) / SHARPEST_STEP - 1e-9))


@dataclass(frozen=True)
class Layout:
    """A track of straights and arcs; see the module for its file."""

    name: str
    title: str
    description: str
    heading: float  #: rad, at the start
    loop: bool
    width: float  #: m, of the road at the start
    pieces: tuple[Piece, ...]

    @property
    def length(self) -> float:
        """Length of the centre line, m."""
        return sum(piece.length for piece in self.pieces)

    @property
    def direction(self) -> str:
        """Which way round it is driven: ``counter-clockwise``, ``clockwise`` or ``open``."""
        if not self.loop:
            return "open"
        return "counter-clockwise" if sum(piece.turn for piece in self.pieces) > 0 else "clockwise"

    @property
    def sharpest_radius(self) -> float:
        """Smallest radius of the centre line, m; infinite for a straight."""
        return min((piece.size for piece in self.pieces if piece.turn), default=math.inf)

    def headings(self) -> list[float]:
        """Headings at the start of each piece and at the end of the last, rad, not wrapped."""
        return [self.heading + sum(piece.turn for piece in self.pieces[:i]) for i in range(len(self.pieces) + 1)]

    def route(self) -> Array:
        """Give DeepRacer's route (N, 6): centre, inner, outer; the last row of a loop repeats the first."""
        rows, corner, width = [], np.zeros(2), self.width
        for piece, heading in zip(self.pieces, self.headings(), strict=False):
            share = np.arange(piece.steps + 1) / piece.steps
            place, headings = piece.along(heading, share)
            centre = corner + piece.size * place
            half = 0.5 * (width + (piece.width - width) * share**2 * (3.0 - 2.0 * share))
            rows.append(_rows(centre, headings, half if self.direction != "clockwise" else -half))
            corner, width = centre[-1], piece.width
        last = rows[0][:1] if self.loop else rows[-1][-1:]
        return np.concatenate([part[:-1] for part in rows] + [last])

    @classmethod
    def read(cls, path: Path) -> Layout:
        """Read a TOML file. Raises `BadTrack` for what is not a layout or does not close."""
        try:
            return _parse(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, BadTrack) as error:
            raise BadTrack(f"{path}: {error}") from error


def _rows(centre: Array, headings: Array, half: Array) -> Array:
    """Put borders (p,) to the left of the centre line (p, 2), and as far to its right."""
    across = half[:, None] * np.stack([-np.sin(headings), np.cos(headings)], axis=1)
    return np.concatenate([centre, centre + across, centre - across], axis=1)


def _parse(name: str, raw: Mapping[str, Any]) -> Layout:
    _known(raw, KEYS, "the file")
    loop, listed = raw.get("loop", True), raw.get("pieces")
    if not isinstance(loop, bool):
        raise BadTrack(f"loop is {loop!r}, but must be true or false")
    if not isinstance(listed, list) or not listed:
        raise BadTrack(
            "pieces is missing: a list of {straight = length} and {left or right = degrees, radius = metres}"
        )
    width = start_width = _number(raw, "width")
    pieces: list[Piece] = []
    for number, entry in enumerate(listed, 1):
        pieces.append(_piece(entry, f"piece {number}", width))
        width = pieces[-1].width
    layout = Layout(
        name=name,
        title=_text(raw, "title", name),
        description=_text(raw, "description", ""),
        heading=math.radians(_number(raw, "heading", default=0.0, above=-360.0, most=360.0)),
        loop=loop,
        width=start_width,
        pieces=tuple(pieces),
    )
    return _wide_enough(_close(layout) if loop else _all_said(layout))


def _piece(raw: Any, where: str, width: float) -> Piece:
    if not isinstance(raw, dict):
        raise BadTrack(f"{where} is {raw!r}, but must be like {{straight = 2.0}} or {{left = 90, radius = 1.5}}")
    _known(raw, PIECE_KEYS, where)
    kinds = [key for key in ("straight", "left", "right") if key in raw]
    if len(kinds) != 1:
        raise BadTrack(f"{where} says {' and '.join(kinds) or 'neither'}, but must say one of straight, left and right")
    kind = kinds[0]
    if (kind == "straight") == ("radius" in raw):
        raise BadTrack(f"{where} is a straight with a radius" if kind == "straight" else f"{where} has no radius")
    end = _number(raw, "width", where, default=width)
    if kind == "straight":
        return Piece(_size(raw, "straight", where), 0.0, end)
    turn = math.radians(_number(raw, kind, where, most=360.0))
    return Piece(_size(raw, "radius", where), turn if kind == "left" else -turn, end)


def _known(raw: Mapping[str, Any], keys: Collection[str], where: str) -> None:
    for key in raw:
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            raise BadTrack(
                f"{where} has an unknown {key!r}; "
                + (f"did you mean {close[0]!r}?" if close else f"allowed are {', '.join(keys)}")
            )


def _text(raw: Mapping[str, Any], key: str, default: str) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str):
        raise BadTrack(f"{key} is {value!r}, but must be text")
    return value


def _number(
    raw: Mapping[str, Any],
    key: str,
    where: str = "the file",
    *,
    default: float | None = None,
    above: float = 0.0,
    most: float = MOST_METRES,
) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
        said = f"says {key} = {value!r}" if key in raw else f"has no {key}"
        raise BadTrack(f"{where} {said}, but {key} must be a number above {above:g}, at most {most:g}")
    return float(value)


def _size(raw: Mapping[str, Any], key: str, where: str) -> float:
    return math.nan if raw[key] == "fit" else _number(raw, key, where)


def _all_said(layout: Layout) -> Layout:
    if any(math.isnan(piece.size) for piece in layout.pieces):
        raise BadTrack('only a loop can "fit" a piece; this track says loop = false')
    return layout


def _close(layout: Layout) -> Layout:
    """Solve for the sizes left open, so that the last piece ends where the first begins."""
    turn = math.degrees(sum(piece.turn for piece in layout.pieces))
    if abs(abs(turn) - 360.0) > 1e-6:
        raise BadTrack(f"the turns add up to {turn:g}°, but those of a loop add up to 360° or -360°")
    if abs(layout.pieces[-1].width - layout.width) > 1e-9:
        raise BadTrack(f"it ends {layout.pieces[-1].width:g} m wide, but begins {layout.width:g} m wide")
    ends = np.array([p.along(h, np.ones(1))[0][0] for p, h in zip(layout.pieces, layout.headings(), strict=False)])
    sizes = np.array([piece.size for piece in layout.pieces])
    sizes = _fitted(sizes, ends)
    gap = sizes @ ends
    if np.hypot(*gap) > CLOSED:
        raise BadTrack(f'it ends {gap[0]:+.3f} m in x and {gap[1]:+.3f} m in y from its start; let two pieces "fit"')
    return replace(layout, pieces=tuple(replace(p, size=float(s)) for p, s in zip(layout.pieces, sizes, strict=True)))


def _fitted(sizes: Array, ends: Array) -> Array:
    """Replace the NaN among sizes (p,) so that sizes @ ends, ends (p, 2), is as near to zero as it can be."""
    unknown = np.isnan(sizes)
    if not unknown.any():
        return sizes
    if unknown.sum() > 2:
        raise BadTrack(f'{unknown.sum()} pieces "fit", but two are enough to close a loop')
    missing = -(sizes[~unknown] @ ends[~unknown])
    solved, _, rank, _ = np.linalg.lstsq(ends[unknown].T, missing, rcond=1e-9)
    numbers = [int(i) + 1 for i in np.flatnonzero(unknown)]
    if rank < len(numbers):
        raise BadTrack(
            f'pieces {numbers[0]} and {numbers[1]} "fit", but point the same way; say the size of one of them'
        )
    for number, size in zip(numbers, solved, strict=True):
        if size <= CLOSED:
            raise BadTrack(f'to close the loop, piece {number} that must "fit" would have to measure {size:.3f} m')
    full = sizes.copy()
    full[unknown] = solved
    return full


def _wide_enough(layout: Layout) -> Layout:
    """Refuse an arc whose inside border would fold over itself."""
    widths: Sequence[float] = [layout.width, *(piece.width for piece in layout.pieces)]
    for number, piece in enumerate(layout.pieces, 1):
        widest = max(widths[number - 1 : number + 1])
        if piece.turn and piece.size <= 0.5 * widest:
            raise BadTrack(
                f"piece {number} has a radius of {piece.size:.3g} m, less than half its width of {widest:g} m"
            )
    return layout
