"""Heats: who comes first when racers share the track, and how several runs of a heat become one result. Pure.

In one run, who completes all laps stands before who does not; finishers by the time from the start signal to the line,
in whole milliseconds with all penalties, the others (DNF) by how far they came. Equal results share a place.

A heat is driven under several seeds. Its order is that of the **median place** over the runs, which for two racers and
an odd number of runs is who wins the majority. Racers whose medians are equal stand in the order of the sum of their
places, then of their median result (a DNF counts as a result, below all finishers), then of the starting grid, which
only decides who is listed first: they share the position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Annotated, Any, TypeVar

from pydantic import Field

from league.errors import LeagueError
from league.rules import place, positions

Racer = TypeVar("Racer")  #: a name, or whatever stands for one


@dataclass(frozen=True)
class Finish:
    """What a racer achieved in one run of a heat."""

    time_ms: int | None  #: from the start signal to the end of the last lap; None: not finished
    #: 100 for every completed lap, and the share of the one in which the run ended
    progress_percentage: Annotated[float, Field(allow_inf_nan=False)]
    best_ms: int | None  #: fastest complete lap
    off_track_count: int
    crash_count: int
    reset_count: int
    status: str  #: how the run ended: ``lap_complete``, or in the simulator's words why not

    @property
    def order(self) -> tuple[bool, float]:
        """Sorts the better result first; equal for an exact tie."""
        return (True, -self.progress_percentage) if self.time_ms is None else (False, self.time_ms)


@dataclass(frozen=True)
class HeatRun:
    """One drive of a heat; racers are counted from 0, as in the heat."""

    seed: int
    grid: tuple[int, ...]  #: the racers from the front of the starting grid to its end
    finishes: tuple[Finish, ...]  #: of every racer
    trace_sha256: str = ""  #: of every step of all cars
    replay_sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""  #: of what the replay holds

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The place of every racer, from 1; who is equal shares one, and the next is left out."""
        orders = [finish.order for finish in self.finishes]
        return tuple(1 + sum(other < order for other in orders) for order in orders)


@dataclass(frozen=True)
class HeatStanding:
    """A racer's place in a heat."""

    position: int  #: from 1
    tied: bool
    racer: str
    median_place: float
    finish: Finish  #: the median one of the racer's
    wins: int  #: runs in which nobody was before the racer

    @property
    def place(self) -> str:
        """The position as a board shows it."""
        return place(self.position, tied=self.tied)


@dataclass(frozen=True)
class HeatResult:
    """A heat that was driven.

    Raises:
        LeagueError: there is no run, or one of other racers.
    """

    racers: tuple[str, ...]  #: in the order of the first starting grid
    runs: tuple[HeatRun, ...]

    def __post_init__(self) -> None:
        everyone = list(range(len(self.racers)))
        if not self.runs or any(sorted(r.grid) != everyone or len(r.finishes) != len(everyone) for r in self.runs):
            raise LeagueError(f"a heat of {len(self.racers)} racers needs at least one run, and all of them in each")

    @property
    def winner(self) -> str:
        """Who came first; of an exact tie, who started further ahead."""
        return self.standings[0].racer

    @cached_property
    def standings(self) -> tuple[HeatStanding, ...]:
        """The racers, winner first."""
        ordered = sorted(range(len(self.racers)), key=self._order)
        return tuple(
            HeatStanding(
                position,
                tied,
                self.racers[racer],
                float(median(self._places(racer))),
                self._median_finish(racer),
                sum(place == 1 for place in self._places(racer)),
            )
            for position, tied, racer in positions(ordered, self._order)
        )

    @cached_property
    def shown(self) -> int:
        """Which run, from 0, to show as the heat: of those that end most like it, the first."""
        wanted = [next(s.position for s in self.standings if s.racer == racer) for racer in self.racers]

        def unlike(run: int) -> int:
            return sum(abs(place - want) for place, want in zip(self.runs[run].places, wanted, strict=True))

        return min(
            range(len(self.runs)), key=lambda run: (self.runs[run].places.index(1) != wanted.index(1), unlike(run))
        )

    def _places(self, racer: int) -> list[int]:
        return [run.places[racer] for run in self.runs]

    def _median_finish(self, racer: int) -> Finish:
        """The middle one of a racer's results; of an even number the worse of the two, as everywhere in the league."""
        return sorted((run.finishes[racer] for run in self.runs), key=lambda f: f.order)[len(self.runs) // 2]

    def _order(self, racer: int) -> tuple[Any, ...]:
        places = self._places(racer)
        return median(places), sum(places), self._median_finish(racer).order


def starting_grid(qualified: Sequence[Racer], cars: int) -> tuple[Racer, ...]:
    """Who starts in a grid race, pole position first.

    Args:
        qualified: racers in the order of the qualification, fastest first, those who did not finish at its end; such
            as the racers of `league.rules.standings`.
        cars: that the race has room for; who is not among the first so many does not start.

    Raises:
        LeagueError: fewer than two can start, or somebody twice.
    """
    if len(set(qualified)) < len(qualified):
        raise LeagueError(f"nobody can start twice, but the qualification has {_twice(qualified)!r} twice")
    if min(len(qualified), cars) < 2:
        raise LeagueError(f"a race against others needs two racers or more, not {min(len(qualified), cars)}")
    return tuple(qualified[:cars])


def split(qualified: Sequence[Racer], cars: int) -> tuple[tuple[Racer, ...], ...]:
    """Share more racers than one race has room for among as few races as will do, equally strong and equally full.

    Racers are dealt out in the order of the qualification, there and back again: the fastest two are in different
    races, and so are the slowest two. Each race is in the order of its grid.

    Raises:
        LeagueError: fewer than two can start in a race, or somebody twice.
    """
    starting_grid(qualified, cars)
    races = -(-len(qualified) // cars)
    dealt: list[list[Racer]] = [[] for _ in range(races)]
    for k, racer in enumerate(qualified):
        turn, place = divmod(k, races)
        dealt[place if turn % 2 == 0 else races - 1 - place].append(racer)
    return tuple(starting_grid(race, cars) for race in dealt)


def rotated(racers: int, run: int) -> tuple[int, ...]:
    """The grid of a run, from 0, in which every racer starts one place further ahead than in the run before it.

    Who was at the front goes to the end: in as many runs as there are racers, everybody starts from everywhere.
    """
    return tuple((k + run) % racers for k in range(racers))


def _twice(racers: Sequence[Racer]) -> Racer:
    return next(racer for racer in racers if racers.count(racer) > 1)
