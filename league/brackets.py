"""Knockout brackets of heats between two: single and double elimination, with seeds and byes.

Seed 1 meets the last seed, and the best two can meet only in the final. Where racers are missing to the next power of
two, the best seeds have no opponent in the first round and go on. In double elimination who loses in the winners'
bracket (``W``) goes on in the losers' (``L``), and who loses there is out; the winner of ``W`` must be beaten twice in
the final (``F1``, and if needed ``F2``). Losers cross over to the other half, so that they do not meet at once who
beat them. A bracket is a value: it is made again from its racers and its results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from league.bracket_heats import Heat, Side, Vacant, find_heat, raceable
from league.errors import LeagueError
from league.rules import Score


class Elimination(StrEnum):
    """After how many lost heats a racer is out."""

    SINGLE = "single"
    DOUBLE = "double"


@dataclass(frozen=True)
class Seed:
    """A side that a racer has from the start."""

    number: int  #: from 1


@dataclass(frozen=True)
class From:
    """A side that comes from an earlier heat."""

    heat: str
    winner: bool


@dataclass(frozen=True)
class Again:
    """A side of the second final, which is raced only if who came from the losers' bracket has won the first."""

    heat: str
    side: int


Source = Seed | From | Again


@dataclass(frozen=True)
class Bracket:
    """A bracket and what has been decided in it.

    Args:
        racers: best seed first.
        elimination: after how many lost heats a racer is out.
        third_place: whether who loses in the semifinals of a single elimination races for the third place.
        winners: of the heats that have been raced, by their names.

    Raises:
        LeagueError: there are fewer than two racers, or one twice.
    """

    racers: tuple[str, ...]
    elimination: Elimination = Elimination.SINGLE
    third_place: bool = False
    winners: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.racers) < 2 or len(set(self.racers)) < len(self.racers):
            raise LeagueError(f"a bracket needs two or more different racers, not {', '.join(self.racers) or 'none'}")
        if self.third_place and self.elimination is Elimination.DOUBLE:
            raise LeagueError("a double elimination has its third place from the losers' bracket, and no heat for it")

    @cached_property
    def heats(self) -> tuple[Heat, ...]:
        """Every heat, in an order in which they can be raced."""
        known: dict[str, Heat] = {}
        for name, sources in _plan(len(self.racers), self.elimination, third_place=self.third_place).items():
            known[name] = self._heat(name, sources, known)
        for name, winner in self.winners.items():
            if name not in known or known[name].winner != winner:
                raise LeagueError(f"heat {name} of this bracket cannot have been won by {winner!r}")
        return tuple(sorted(known.values(), key=lambda heat: heat.round))

    @property
    def ready(self) -> tuple[Heat, ...]:
        """The heats that can be raced now."""
        return tuple(heat for heat in self.heats if heat.ready)

    @property
    def champion(self) -> str | None:
        """Who has won, if it is decided."""
        last = [heat for heat in self.heats if not heat.bye and heat.name != "third"][-1]
        return last.winner if isinstance(last.winner, str) else None

    @property
    def places(self) -> dict[str, int]:
        """The place of everybody who has raced their last heat, best first; who is out in the same round shares it."""
        racing = len(self.racers)
        places: dict[Side, int] = {}
        for number in sorted({heat.round for heat in self.heats}):
            going = [heat for heat in self.heats if heat.round == number and heat.out and not heat.bye]
            racing -= len(going)
            places |= {heat.loser: racing + 1 for heat in going}
        for third in (heat for heat in self.heats if heat.name == "third" and not heat.bye):
            places = {side: place for side, place in places.items() if side not in third.sides}
            places |= {third.winner: 3, third.loser: 4}
        if self.champion:
            places[self.champion] = 1
        over = [(place, self.racers.index(side), side) for side, place in places.items() if isinstance(side, str)]
        return {side: place for place, _, side in sorted(over)}

    def heat(self, name: str) -> Heat:
        """The heat of this name. Raises `LeagueError` if there is none."""
        return find_heat(self.heats, name)

    def starters(self, name: str) -> tuple[str, ...]:
        """Who races in a heat, better seed first. Raises `LeagueError` if there is none, or it cannot be raced now."""
        racers = [side for side in raceable(self.heats, name).sides if isinstance(side, str)]
        return tuple(sorted(racers, key=self.racers.index))

    def won(self, name: str, racer: str) -> Bracket:
        """The bracket once a racer has won a heat.

        Raises:
            LeagueError: there is no such heat, it cannot be raced now, or the racer is not in it.
        """
        heat = raceable(self.heats, name)
        if racer not in heat.sides:
            raise LeagueError(f"{racer!r} is not in heat {name}, but {heat.sides[0]!r} and {heat.sides[1]!r} are")
        return replace(self, winners={**self.winners, name: racer})

    def scored(self, name: str, scores: Mapping[str, Score]) -> Bracket:
        """The bracket once a heat has been driven: the better score wins, of equal ones the better seed.

        Raises:
            LeagueError: as `won`, or somebody in the heat has no score.
        """
        racers = self.starters(name)
        missing = [racer for racer in racers if racer not in scores]
        if missing:
            raise LeagueError(f"{missing[0]!r} is in heat {name} and needs a score")
        return self.won(name, min(racers, key=lambda racer: scores[racer].order))

    def _heat(self, name: str, sources: tuple[Source, Source], known: Mapping[str, Heat]) -> Heat:
        a, b = (self._side(source, known) for source in sources)
        before = [known[source.heat].round for source in sources if not isinstance(source, Seed)]
        order = self._result(name, a, b)
        out = self.elimination is Elimination.SINGLE or not name.startswith("W")
        if name == "third" or (name == "F1" and order[0] == b):
            out = False
        return Heat(name, max(before, default=0) + 1, (a, b), order, int(out))

    def _side(self, source: Source, known: Mapping[str, Heat]) -> Side:
        if isinstance(source, Seed):
            return self.racers[source.number - 1] if source.number <= len(self.racers) else Vacant.NOBODY
        heat = known[source.heat]
        if isinstance(source, From):
            return heat.winner if source.winner else heat.loser
        if heat.winner is Vacant.UNDECIDED:
            return Vacant.UNDECIDED
        return heat.sides[source.side] if heat.winner == heat.sides[1] else Vacant.NOBODY

    def _result(self, name: str, a: Side, b: Side) -> tuple[Side, Side]:
        """Winner and loser, as far as they are known."""
        if Vacant.NOBODY in (a, b):
            return (b if a is Vacant.NOBODY else a), Vacant.NOBODY
        winner = self.winners.get(name)
        if winner is None or winner not in (a, b) or Vacant.UNDECIDED in (a, b):
            return Vacant.UNDECIDED, Vacant.UNDECIDED
        return winner, (b if winner == a else a)


def seeding(size: int) -> tuple[int, ...]:
    """The seeds of a bracket from top to bottom, a power of two: (1, 8, 4, 5, 2, 7, 3, 6) for eight."""
    order: tuple[int, ...] = (1,)
    while len(order) < size:
        order = tuple(seed for best in order for seed in (best, 2 * len(order) + 1 - best))
    return order


def _plan(racers: int, elimination: Elimination, *, third_place: bool) -> dict[str, tuple[Source, Source]]:
    """Where the sides of every heat come from, by its name; a heat comes after those that it needs."""
    rounds = (racers - 1).bit_length()
    plan = _winners_bracket(rounds)
    if elimination is Elimination.SINGLE:
        if third_place and rounds > 1:
            plan["third"] = _pair(_all(f"W{rounds - 1}", 2, winner=False))
        return plan
    plan |= _losers_bracket(rounds)
    last = From(f"L{2 * rounds - 2}.1", winner=True) if rounds > 1 else From("W1.1", winner=False)
    plan["F1"] = (From(f"W{rounds}.1", winner=True), last)
    plan["F2"] = (Again("F1", 0), Again("F1", 1))
    return plan


def _winners_bracket(rounds: int) -> dict[str, tuple[Source, Source]]:
    sources: Sequence[Source] = [Seed(number) for number in seeding(2**rounds)]
    plan: dict[str, tuple[Source, Source]] = {}
    for r in range(1, rounds + 1):
        plan |= _round(f"W{r}", sources)
        sources = _all(f"W{r}", 2 ** (rounds - r), winner=True)
    return plan


def _losers_bracket(rounds: int) -> dict[str, tuple[Source, Source]]:
    """In turns the losers' winners meet the next losers of the winners' bracket, and one another."""
    plan: dict[str, tuple[Source, Source]] = {}
    going = _all("W1", 2 ** (rounds - 1), winner=False)
    for r in range(2, rounds + 1):
        plan |= _round(f"L{2 * r - 3}", going) if r == 2 else {}
        count = 2 ** (rounds - r)
        going = _all(f"L{2 * r - 3}", count, winner=True)
        dropped = _all(f"W{r}", count, winner=False)
        crossed = dropped[::-1] if r % 2 == 0 else dropped
        plan |= _round(f"L{2 * r - 2}", [side for pair in zip(going, crossed, strict=True) for side in pair])
        if r < rounds:
            plan |= _round(f"L{2 * r - 1}", _all(f"L{2 * r - 2}", count, winner=True))
    return plan


def _round(name: str, sources: Sequence[Source]) -> dict[str, tuple[Source, Source]]:
    return {f"{name}.{i + 1}": _pair(sources[2 * i : 2 * i + 2]) for i in range(len(sources) // 2)}


def _all(name: str, count: int, *, winner: bool) -> list[Source]:
    return [From(f"{name}.{i + 1}", winner) for i in range(count)]


def _pair(sources: Sequence[Source]) -> tuple[Source, Source]:
    a, b = sources
    return a, b
