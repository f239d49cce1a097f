"""The heats of a bracket as values: who meets whom, in which order they came, and who is out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from league.errors import LeagueError
from racer_env.errors import nearest


class Vacant(Enum):
    """Why there is no racer's name in a place of a heat."""

    UNDECIDED = "undecided"  #: some heat must be raced first
    NOBODY = "nobody"  #: nor will there be: a bye


Side = str | Vacant


@dataclass(frozen=True)
class Heat:
    """One heat: who meets whom."""

    name: str  #: such as ``W1.2``, the second heat of the first round; ``F1``; ``third``; ``final``
    round: int  #: from 1; a round can be raced once the one before it is over
    sides: tuple[Side, ...]
    order: tuple[Side, ...]  #: the same, winner first, once it is decided
    out: int  #: how many of them, counted from the last, are out of the bracket then

    @property
    def winner(self) -> Side:
        """Who came first."""
        return self.order[0]

    @property
    def loser(self) -> Side:
        """Who came last."""
        return self.order[-1]

    @property
    def onward(self) -> tuple[Side, ...]:
        """Who is not out, best first."""
        return self.order[: len(self.order) - self.out]

    @property
    def decided(self) -> bool:
        """Whether it is known who came where."""
        return Vacant.UNDECIDED not in self.order

    @property
    def ready(self) -> bool:
        """Whether it can be raced now."""
        return not self.decided and Vacant.UNDECIDED not in self.sides and not self.bye

    @property
    def bye(self) -> bool:
        """Whether there is nothing to race."""
        return Vacant.NOBODY in self.sides


def find_heat(heats: Iterable[Heat], name: str) -> Heat:
    """The heat of this name. Raises `LeagueError` if there is none."""
    named = {heat.name: heat for heat in heats}
    if name not in named:
        raise LeagueError(f"there is no heat {name!r}; {nearest(name, list(named))}")
    return named[name]


def raceable(heats: Iterable[Heat], name: str) -> Heat:
    """The heat of this name. Raises `LeagueError` if there is none, or it cannot be raced now."""
    every = tuple(heats)
    heat = find_heat(every, name)
    if heat.ready:
        return heat
    decided = isinstance(heat.winner, str) and not heat.bye
    why = f"has been won by {heat.winner}" if decided else "is not raced" if heat.bye else "has no racers yet"
    raise LeagueError(f"heat {name} {why}; to be raced: {', '.join(h.name for h in every if h.ready) or 'none'}")
