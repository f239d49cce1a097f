"""Random tracks: seeded, valid and closed, made as a designer would make them.

A track begins as a loop of two to five corners. Its sides are then bent: S-bends, chicanes, esses and hairpins out and
back, none of which changes where the road points in the end. Every radius and every straight has bounds and a size it
would like; the smallest relative change that closes the loop at the asked length is solved for, and what runs too close
to itself is thrown away and drawn anew. Metres and radians. `difficulty` goes from 0, a wide oval-like loop, to 1,
hairpins, S-bends and changing radii, the sharpest as tight as a car can still drive along the inside border.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np

import tracks
from racer_env.errors import TrackError
from racer_env.kernel import Floats
from racer_env.track import Track
from tracks.measures import stations

INSIDE_RADIUS = 0.55  #: m, of the sharpest inside border: `deepracer_v6` at full lock turns with about as much
EASY_RADIUS = 2.0  #: m, of the sharpest inside border at difficulty 0, where there is room
GAP = 0.5  #: m, between the borders of neighbouring stretches, at least
WIDTHS = (0.55, 2.0)  #: m, least (`tracks` takes no less than 21 inches) and most
LONGEST = 100.0  #: m
STRAIGHTS = 1.5  #: m, of straight road that the shortest track has besides its circle
TRIES = 400  #: sketches before giving up
PATIENCE = 60  #: sketches before one with fewer bends is tried


@dataclass(frozen=True)
class RandomTracks:
    """A distribution of tracks, drawn evenly from ranges (least, most), to take a new one from at every reset.

    Raises:
        TrackError: a range is the wrong way round or holds what no track can have.
    """

    length: tuple[float, float] = (15.0, 35.0)  #: m, of the centre line
    width: tuple[float, float] = (0.6, 1.1)  #: m, between the borders
    difficulty: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("length", "width", "difficulty"):
            least, most = getattr(self, name)
            if not least <= most:
                raise TrackError(f"random tracks have {name} = {(least, most)}, but the least comes first")
        _check(self.length[0], self.width[1], self.difficulty[0])
        _check(self.length[1], self.width[0], self.difficulty[1])

    def track(self, seed: int, index: int = 0) -> Track:
        """Make track number `index` of a seed; none depends on those before it.

        Raises:
            TrackError: a negative number.
        """
        _check_seed(seed)
        _check_seed(index, "index")
        rng = np.random.default_rng((seed, index))
        length, width, difficulty = (
            float(rng.uniform(*bounds)) for bounds in (self.length, self.width, self.difficulty)
        )
        name = f"random:{seed}" if index == 0 else f"random:{seed}:{index}"
        return _make(rng, Recipe(length, width, difficulty), name)


def random_track(length: float, width: float, difficulty: float, seed: int) -> Track:
    """Make a random track.

    Args:
        length: m, of the centre line; kept within 1 %.
        width: m, between the borders.
        difficulty: from 0, a smooth loop, to 1, as tight as a car can drive.
        seed: 0 or more; the same one gives the same track.

    Raises:
        TrackError: there can be no such track; says which value is wrong and what is allowed.
    """
    _check(length, width, difficulty)
    _check_seed(seed)
    return _make(np.random.default_rng(seed), Recipe(length, width, difficulty), "random")


def named_track(name: str, *, reverse: bool = False) -> Track:
    """Make the track that `RandomTracks()` calls ``random:SEED`` or ``random:SEED:INDEX``.

    Raises:
        TrackError: the name is neither.
    """
    numbers = name.removeprefix("random:").split(":")
    if len(numbers) > 2 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise TrackError(f"no random track is called {name!r}; one is called like random:42, or random:42:7")
    found = RandomTracks().track(*map(int, numbers))
    return Track(found.name, found.route[::-1].copy(), True) if reverse else found


def shortest(width: float) -> float:
    """Length of the shortest track of a width, m."""
    return 2.0 * math.pi * (INSIDE_RADIUS + 0.5 * width) + STRAIGHTS


def _check(length: float, width: float, difficulty: float) -> None:
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise TrackError(f"a random track cannot be {width:g} m wide; {WIDTHS[0]:g} to {WIDTHS[1]:g} m are allowed")
    least = math.ceil(shortest(width) * 10.0) / 10.0
    if not least <= length <= LONGEST:
        raise TrackError(
            f"a random track {width:g} m wide cannot be {length:g} m long; {least:g} to {LONGEST:g} m are allowed"
        )
    if not 0.0 <= difficulty <= 1.0:
        raise TrackError(f"a random track cannot have difficulty {difficulty:g}; 0 to 1 is allowed")


def _check_seed(seed: int, name: str = "seed") -> None:
    if seed < 0:
        raise TrackError(f"the {name} of a random track is {seed}, but must be 0 or more")


@dataclass(frozen=True)
class Recipe:
    """What a track is asked to be, and what follows from it."""

    length: float  #: m
    width: float  #: m
    difficulty: float

    @property
    def radius(self) -> float:
        """The sharpest of the centre line, m: as wide as a loop of this length allows, or as tight as can be driven."""
        tight = INSIDE_RADIUS + 0.5 * self.width
        roomy = 0.4 * self.length / (2.0 * math.pi)
        wide = min(max(roomy, tight), EASY_RADIUS + 0.5 * self.width)
        return float(wide ** (1.0 - self.difficulty) * tight**self.difficulty)

    @property
    def spare_turn(self) -> float:
        """How much more than once around its bends may turn, rad: until they fill two thirds of the road."""
        room = 0.62 * self.length / (1.2 * self.radius) - 2.0 * math.pi
        return math.sqrt(self.difficulty) * max(room, 0.0)


class Part(NamedTuple):
    """A straight or an arc to be, and the size it would like: a length or a radius, m."""

    turn: float  #: rad, left positive; 0 for a straight
    least: float
    wanted: float
    most: float


class Bends(NamedTuple):
    """Arcs that belong together."""

    arcs: list[Part]
    between: float  #: length of the straights between them, in those of the rest of the track


class Feature(NamedTuple):
    """Bends that add up to nothing."""

    pattern: tuple[int, ...]  #: turns in units of an angle
    angles: tuple[float, float]  #: degrees, least and most of that angle
    between: float  #: length of its straights, in those of the rest of the track
    weight: float  #: how often at any difficulty
    weight_hard: float  #: how much more often at difficulty 1

    @property
    def turns(self) -> int:
        """Units that it turns in all, to whichever side."""
        return sum(map(abs, self.pattern))


FEATURES = (
    Feature((1, -1), (30.0, 60.0), 0.5, 0.9, -0.8),  # a bend in the road
    Feature((1, -1), (60.0, 110.0), 0.2, 0.4, 0.6),  # an S
    Feature((1, -1), (75.0, 100.0), 1.4, 0.4, 1.0),  # around a corner and back, as in an L
    Feature((1, -2, 1), (25.0, 60.0), 0.1, 0.6, -0.3),  # a chicane
    Feature((1, -2, 2, -1), (40.0, 65.0), 0.0, 0.2, 0.4),  # esses
    Feature((1, -2, 1), (80.0, 100.0), 1.6, 0.0, 4.0),  # out, around a hairpin, and back
)


def _make(rng: np.random.Generator, recipe: Recipe, name: str) -> Track:
    for attempt in range(TRIES):
        bends = max(0.0, 1.0 - (attempt // PATIENCE) / 5.0)
        parts = _sketch(rng, recipe, bends * recipe.spare_turn)
        sizes = _fit(parts, recipe.length)
        if sizes is None:
            continue
        layout = _layout(rng, parts, sizes, recipe.width)
        route = layout.route()
        if _clear(route[:, :2], recipe) and not tracks.problems(route):
            return Track(name, route)
    raise TrackError(
        f"no random track {recipe.length:g} m long, {recipe.width:g} m wide and of difficulty {recipe.difficulty:g} was"
        f" found in {TRIES} tries; make it longer or narrower, or take another seed"
    )


def _sketch(rng: np.random.Generator, recipe: Recipe, spare_turn: float) -> list[Part]:
    """Draw the parts of a counter-clockwise loop, which need not close yet."""
    sides = [[Bends([_arc(rng, recipe, turn)], 0.0)] for turn in _corners(rng, recipe)]
    while feature := _feature(rng, recipe, spare_turn):
        angle = _angle(rng, feature, spare_turn)
        spare_turn -= angle * feature.turns
        sides[rng.integers(len(sides))].append(_bends(rng, recipe, feature, angle))
    return [part for drawn in _with_straights(rng, recipe, chain(*sides)) for part in _compound(rng, drawn)]


def _with_straights(rng: np.random.Generator, recipe: Recipe, bends: Iterable[Bends]) -> list[Part]:
    """Put straights between and after bends, of the length that is left for them; short ones are left out."""
    groups = list(bends)
    bent = sum(abs(arc.turn) * arc.wanted for group in groups for arc in group.arcs)
    mean = max(recipe.length - bent, 0.2 * recipe.length) / len(groups)
    parts: list[Part] = []
    for group in groups:
        for i, arc in enumerate(group.arcs):
            if i:
                parts.append(_straight(group.between * mean * rng.uniform(0.6, 1.4)))
            parts.append(arc)
        parts.append(_straight(float(rng.gamma(1.5, mean / 1.5))))
    return [part for part in parts if part.turn or part.wanted > 0.25]


def _corners(rng: np.random.Generator, recipe: Recipe) -> Floats:
    """Turns (c,) of a plain loop, rad; they add up to once around."""
    count = int(rng.integers(2, 4 + round(2.0 * recipe.difficulty)))
    return 2.0 * math.pi * rng.dirichlet(np.full(count, 8.0))


def _feature(rng: np.random.Generator, recipe: Recipe, spare_turn: float) -> Feature | None:
    """Choose bends that can turn no more than is left; None if there are none."""
    fit = [feature for feature in FEATURES if feature.angles[0] * feature.turns <= math.degrees(spare_turn)]
    if not fit:
        return None
    weights = np.array([feature.weight + recipe.difficulty * feature.weight_hard for feature in fit])
    return fit[int(rng.choice(len(fit), p=weights / weights.sum()))]


def _angle(rng: np.random.Generator, feature: Feature, spare_turn: float) -> float:
    least, most = (math.radians(angle) for angle in feature.angles)
    return float(rng.uniform(least, max(min(most, spare_turn / feature.turns), least)))


def _bends(rng: np.random.Generator, recipe: Recipe, feature: Feature, angle: float) -> Bends:
    side = math.copysign(angle, rng.random() - 0.5)
    return Bends([_arc(rng, recipe, units * side) for units in feature.pattern], feature.between)


def _straight(length: float) -> Part:
    return Part(0.0, 0.3, length, 6.0 * length)


def _arc(rng: np.random.Generator, recipe: Recipe, turn: float) -> Part:
    """A bend: the further around, the tighter."""
    spread = 1.0 + 0.8 * rng.random() ** 2
    gentle = min(max(math.radians(80.0) / abs(turn), 0.6), 2.0)
    radius = recipe.radius * max(spread * gentle, 1.0)
    return Part(turn, recipe.radius, radius, 1.6 * radius)


def _compound(rng: np.random.Generator, part: Part) -> Iterator[Part]:
    """Now and then let a long bend open or tighten on the way."""
    if abs(part.turn) < math.radians(70.0) or rng.random() > 0.35:
        yield part
        return
    share, wider = rng.uniform(0.35, 0.65), rng.uniform(1.5, 2.3)
    radii = [part.wanted, part.wanted * wider]
    if rng.random() < 0.5:
        radii.reverse()
    for turn, radius in zip((share * part.turn, (1.0 - share) * part.turn), radii, strict=True):
        yield part._replace(turn=turn, wanted=radius, most=max(part.most, 2.0 * radius))


def _fit(parts: list[Part], length: float) -> Floats | None:
    """Find sizes (p,) that close the loop at a length with the least relative change; None if the bounds forbid it.

    Three equations that are linear in the sizes: x and y of the end, and the length. Sizes that leave their bounds
    are held there and the others solved for again.
    """
    turns, least, wanted, most = np.array(parts).T
    headings = np.concatenate(([0.0], np.cumsum(turns)[:-1]))
    pieces = [tracks.Piece(1.0, turn, 0.0) for turn in turns]
    ends = [piece.along(heading, np.ones(1))[0][0] for piece, heading in zip(pieces, headings, strict=True)]
    equations = np.column_stack((ends, [piece.length for piece in pieces]))
    sizes, weight = wanted.copy(), np.where(turns == 0.0, 3.0 * wanted, wanted) ** 2
    for _ in range(6):
        missing = (0.0, 0.0, length) - sizes @ equations
        change = np.linalg.lstsq((equations.T * weight) @ equations, missing, rcond=1e-9)[0]
        sizes = sizes + weight * (equations @ change)
        outside = (sizes < least - 1e-12) | (sizes > most + 1e-12)
        if not outside.any():
            return sizes if np.abs((0.0, 0.0, length) - sizes @ equations).max() < 1e-9 else None
        sizes = np.clip(sizes, least, most)
        weight = np.where(outside, 0.0, weight)
    return None


def _layout(rng: np.random.Generator, parts: list[Part], sizes: Floats, width: float) -> tracks.Layout:
    """Start in the middle of the longest straight, if there is one; face anywhere, turn either way."""
    side = math.copysign(1.0, rng.random() - 0.5)
    pieces = [tracks.Piece(float(size), side * part.turn, width) for part, size in zip(parts, sizes, strict=True)]
    first = max(range(len(pieces)), key=lambda i: 0.0 if pieces[i].turn else pieces[i].size)
    pieces = pieces[first:] + pieces[:first]
    if not pieces[0].turn:
        half = replace(pieces[0], size=0.5 * pieces[0].size)
        pieces = [half, *pieces[1:], half]
    heading = float(rng.uniform(-math.pi, math.pi))
    return tracks.Layout("random", "", "", heading, True, width, tuple(pieces))


def _clear(centre: Floats, recipe: Recipe) -> bool:
    """Say if stretches of the road keep their distance.

    Nearer along the road than half the tightest circle, no arc of lesser curvature can come closer than that circle.
    """
    points = centre[:-1:2]
    station = stations(centre)
    along = np.abs(np.subtract.outer(station[:-1:2], station[:-1:2]))
    along = np.minimum(along, station[-1] - along)
    away = np.hypot(np.subtract.outer(points[:, 0], points[:, 0]), np.subtract.outer(points[:, 1], points[:, 1]))
    least = recipe.width + GAP
    return bool((away[along > 0.5 * math.pi * (least + 0.1)] > least).all())
