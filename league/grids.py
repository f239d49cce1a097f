"""Grid races of any number of racers: heats of several, from which the best go on until one heat is the final. Pure.

Who is within `cars` races in one heat, the final. More are shared among as few heats as will do (`league.heats.split`),
and each sends the same number of racers on, as many as fill one heat together, or else its winner; those are the field
of the next round, in the order of their places in their heats, then of the qualification. In a heat they start in the
order of their field, which also decides exact ties; in the final such ties share the position. Who was out later stands
further ahead, then who had the better place in their heat, then who was better in the qualification.

A racer who is scratched from a heat does not start in it, is out, and stands behind all who race in that round. A grid
is a value, as a bracket is (`league.brackets`): it is made again from its racers, its results and who was scratched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from league.bracket_heats import Heat, Side, Vacant, find_heat, raceable
from league.errors import LeagueError
from league.heats import split

#: The heat that decides.
FINAL = "final"


@dataclass(frozen=True)
class Grid:
    """A grid race and what has been decided in it.

    Args:
        racers: best of the qualification first.
        cars: that a heat has room for, three or more: with two it is a bracket.
        results: the places, from 1, of all who started in the heats that have been raced.
        scratched: who did not start, by heat.

    Raises:
        LeagueError: there are fewer than two racers, one is there twice, or a heat has no room for three.
    """

    racers: tuple[str, ...]
    cars: int
    results: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    scratched: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.racers) < 2 or len(set(self.racers)) < len(self.racers):
            raise LeagueError(f"a grid needs two or more different racers, not {', '.join(self.racers) or 'none'}")
        if self.cars < 3:
            raise LeagueError(f"the heats of a grid have room for three cars or more, not {self.cars}")

    @cached_property
    def rounds(self) -> tuple[tuple[Heat, ...], ...]:
        """Every heat by round; the last round is the final."""
        rounds: list[tuple[Heat, ...]] = []
        racing: Sequence[Side] = self.racers
        while not rounds or len(rounds[-1]) > 1:
            fields = split(range(len(racing)), self.cars)
            onward = max(1, self.cars // len(fields)) if len(fields) > 1 else 1
            names = [FINAL] if len(fields) == 1 else [f"R{len(rounds) + 1}.{k + 1}" for k in range(len(fields))]
            round_ = zip(names, fields, strict=True)
            rounds.append(
                tuple(self._heat(name, len(rounds) + 1, tuple(racing[k] for k in of), onward) for name, of in round_)
            )
            racing = self._going_on(rounds[-1])
        return tuple(rounds)

    @cached_property
    def heats(self) -> tuple[Heat, ...]:
        """Every heat, in an order in which they can be raced."""
        heats = tuple(heat for round_ in self.rounds for heat in round_)
        unknown = {*self.results, *self.scratched} - {heat.name for heat in heats}
        if unknown:
            raise LeagueError(f"this grid has no heat {min(unknown)}")
        return heats

    @property
    def ready(self) -> tuple[Heat, ...]:
        """The heats that can be raced now."""
        return tuple(heat for heat in self.heats if heat.ready)

    @property
    def champion(self) -> str | None:
        """Who has won, if it is decided."""
        winner = self.heats[-1].winner
        return winner if isinstance(winner, str) else None

    @property
    def places(self) -> dict[str, int]:
        """The place of everybody who is out, as far as rounds are over, and after the final of all; best first."""
        places: dict[str, int] = {}
        for heats in self.rounds[:-1]:
            if not all(heat.decided for heat in heats):
                return places
            first = 1 + sum(len(heat.onward) for heat in heats)
            places = {racer: first + k for k, racer in enumerate(self._gone(heats))} | places
        return self._final_places() | places

    def heat(self, name: str) -> Heat:
        """The heat of this name. Raises `LeagueError` if there is none."""
        return find_heat(self.heats, name)

    def starters(self, name: str) -> tuple[str, ...]:
        """Who races in a heat, first on the grid first; raises `LeagueError` if there is none or it cannot be raced."""
        return self._starters(name, raceable(self.heats, name).sides)

    def raced(self, name: str, places: Mapping[str, int]) -> Grid:
        """The grid once a heat has been raced.

        Args:
            name: of the heat.
            places: of all who started, from 1; who is equal shares one.

        Raises:
            LeagueError: there is no such heat, it cannot be raced now, or others started in it.
        """
        starters = self.starters(name)
        if set(starters) != set(places):
            raise LeagueError(f"in heat {name} start {', '.join(starters)}, not {', '.join(places)}")
        return replace(self, results={**self.results, name: dict(places)})

    def without(self, name: str, racer: str) -> Grid:
        """The grid when a racer does not start in a heat. If only one is left in it, that one has won it.

        Raises:
            LeagueError: there is no such heat, it cannot be raced now, or the racer does not start in it.
        """
        starters = self.starters(name)
        if racer not in starters:
            raise LeagueError(f"{racer!r} does not start in heat {name}, but {', '.join(starters)} do")
        return replace(self, scratched={**self.scratched, name: self.scratched.get(name, frozenset()) | {racer}})

    def _heat(self, name: str, number: int, sides: tuple[Side, ...], onward: int) -> Heat:
        starters = self._starters(name, sides)
        out = len(sides) - min(onward, len(sides) - len(self.scratched.get(name, ())))
        if Vacant.UNDECIDED in sides:
            return Heat(name, number, sides, sides, out)
        places = {starters[0]: 1} if len(starters) == 1 else self.results.get(name)
        if places is None:
            return Heat(name, number, sides, (Vacant.UNDECIDED,) * len(sides), out)
        if set(places) != set(starters):
            raise LeagueError(f"heat {name} of this grid cannot have been raced by {', '.join(places)}")
        absent = [side for side in sides if side not in starters]
        return Heat(name, number, sides, (*sorted(starters, key=lambda racer: places[racer]), *absent), out)

    def _starters(self, name: str, sides: Sequence[Side]) -> tuple[str, ...]:
        scratched = self.scratched.get(name, frozenset())
        return tuple(side for side in sides if isinstance(side, str) and side not in scratched)

    def _going_on(self, heats: Sequence[Heat]) -> Sequence[Side]:
        """The field of the next round."""
        if not all(heat.decided for heat in heats):
            return (Vacant.UNDECIDED,) * sum(len(heat.onward) for heat in heats)
        return self._by_place([(place, racer) for heat in heats for place, racer in enumerate(heat.onward)])

    def _gone(self, heats: Sequence[Heat]) -> Sequence[str]:
        """Who is out with a round, best first; who did not start last."""
        placed: list[tuple[int, Side]] = []
        for heat in heats:
            starters = self._starters(heat.name, heat.order)
            placed += [(starters.index(racer), racer) for racer in starters if racer not in heat.onward]
            placed += [(self.cars, racer) for racer in heat.order if racer not in starters]
        return self._by_place(placed)

    def _by_place(self, placed: Sequence[tuple[int, Side]]) -> Sequence[str]:
        """Racers by their places in their heats, then in the order of the qualification."""
        racers = [(place, self.racers.index(racer), racer) for place, racer in placed if isinstance(racer, str)]
        return [racer for *_, racer in sorted(racers)]

    def _final_places(self) -> dict[str, int]:
        final = self.rounds[-1][0]
        if not final.decided:
            return {}
        starters = self._starters(final.name, final.order)
        raced = self.results.get(final.name, {})
        return {
            str(racer): raced.get(str(racer), 1) if racer in starters else len(starters) + 1 for racer in final.order
        }
