"""Who won: from laps to a score, from scores to standings. Pure: no clock, no database, no simulator.

Times are integer milliseconds, so that ties are exact. The ranking is that of the AWS DeepRacer League: the
score is the best lap, the total time or the best average of consecutive laps; lower is better; a racer's
best submission counts; who did not finish stands below everybody who did, further progress first. Where
that league broke ties arbitrarily, the earlier submission is listed first, and both share the position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Any, TypeVar

from pydantic import Field

T = TypeVar("T")

#: A lap's time, ms, or how often something happened in it: what a process answers is more only if it lies.
Bounded = Annotated[int, Field(ge=0, le=50_000_000)]


class Ranking(StrEnum):
    """What a race compares."""

    BEST_LAP = "best_lap"
    TOTAL_TIME = "total_time"
    AVERAGE_LAP = "average_lap"


@dataclass(frozen=True)
class Lap:
    """One lap as it was driven: penalties are inside its time."""

    trial: int
    time_ms: Bounded
    completion_percentage: Annotated[float, Field(allow_inf_nan=False)]
    status: str = ""  #: how the lap ended, in the simulator's words
    off_track_count: Bounded = 0
    crash_count: Bounded = 0
    immobilized_count: Bounded = 0
    reversed_count: Bounded = 0

    @property
    def valid(self) -> bool:
        """Whether the lap was completed; a lap that was not never has a time that counts."""
        return self.completion_percentage >= 100.0

    @property
    def reset_count(self) -> int:
        """How often the car was put back."""
        return self.off_track_count + self.crash_count + self.immobilized_count + self.reversed_count


@dataclass(frozen=True)
class Score:
    """What a drive is worth. `time_ms` is None for one that did not qualify (DNF)."""

    time_ms: int | None
    progress_percentage: float  #: 100 for every lap of the longest run of valid laps, and the share of the next
    laps: int  #: valid laps
    off_track_count: int  #: in the laps that make the score, or in all of them after a DNF

    @property
    def finished(self) -> bool:
        """Whether it qualified."""
        return self.time_ms is not None

    @property
    def order(self) -> tuple[bool, float]:
        """Sorts the better score first; equal for an exact tie."""
        if self.time_ms is None:
            return True, -self.progress_percentage
        return False, self.time_ms


@dataclass(frozen=True)
class Entry:
    """A scored submission."""

    racer: str
    submission: int
    submitted_at: datetime
    score: Score

    @property
    def order(self) -> tuple[tuple[bool, float], datetime, int]:
        """Sorts the better score first, of equal scores the earlier submission."""
        return self.score.order, self.submitted_at, self.submission


@dataclass(frozen=True)
class Standing:
    """A racer's place in a race. Racers who are equal share a position, and the next one is left out."""

    position: int
    tied: bool
    gap_ms: int | None  #: to the winner; None after a DNF, and where places are those of heats
    entry: Entry
    submissions: int

    @property
    def racer(self) -> str:
        """Who it is."""
        return self.entry.racer

    @property
    def finished(self) -> bool:
        """Whether they qualified."""
        return self.entry.score.finished

    @property
    def place(self) -> str:
        """The position as a board shows it."""
        return place(self.position, tied=self.tied)


def score(laps: Sequence[Lap], ranking: Ranking, minimum_laps: int, *, flying_start: bool = False) -> Score:
    """Score a drive of laps in driving order.

    It qualifies with `minimum_laps` valid laps in a row. `AVERAGE_LAP` is the best mean, rounded down, of
    `minimum_laps` valid laps in a row; `TOTAL_TIME` adds up all valid laps and is fair only where a race
    requires all of its laps. With a `flying_start` the first lap, from standing still to the line, is no
    lap that counts; how far somebody came who does not qualify is told with it.
    """
    timed = laps[1:] if flying_start else laps
    valid = [lap for lap in timed if lap.valid]
    longest = max((len(run) for run in _valid_runs(timed)), default=0)
    if longest < minimum_laps or not valid:
        return Score(None, _distance(laps), len(valid), _off_tracks(laps))
    counted = _counted(timed, valid, ranking, minimum_laps)
    total = sum(lap.time_ms for lap in counted)
    time_ms = total if ranking is Ranking.TOTAL_TIME else total // len(counted)
    return Score(time_ms, 100.0 * longest, len(valid), _off_tracks(counted))


def median_run(scores: Sequence[Score]) -> int:
    """Which of the runs of a submission, counted from 0, is the one that counts: the middle one in order of score.

    A run that did not qualify stands below all that did, as on a board. Of an even number of runs it is the worse of
    the two in the middle, so that more than half of all runs are as good as the one that counts or better; and a
    driver that does not qualify in half of its runs does not qualify. Of equal runs it is the first.
    """
    middle = sorted(scores, key=lambda s: s.order)[len(scores) // 2]
    return next(i for i, s in enumerate(scores) if s.order == middle.order)


def standings(entries: Iterable[Entry]) -> tuple[Standing, ...]:
    """Rank every racer by the best of their scored submissions, winner first."""
    made: Counter[str] = Counter()
    best: dict[str, Entry] = {}
    for entry in entries:
        made[entry.racer] += 1
        best[entry.racer] = min(best.get(entry.racer, entry), entry, key=lambda e: e.order)
    return ranked(best.values(), made)


def among(board: Iterable[Standing], racers: Container[str]) -> tuple[Standing, ...]:
    """The board of some of the racers on a board: positions and gaps are counted among them."""
    chosen = [s for s in board if s.racer in racers]
    return tuple(
        replace(s, position=p, tied=t, gap_ms=s.gap_ms and _gap(s.entry.score, chosen[0].entry.score))
        for p, t, s in positions(chosen, lambda s: s.position)
    )


def by_heats(board: Iterable[Standing], places: Mapping[str, int]) -> tuple[Standing, ...]:
    """A board after heats: their places, and then, in the order in which they were, who was in none.

    Args:
        board: of the qualification, whose scores it keeps.
        places: of the heats' racers, from 1; whoever is not on the board is left out, and the others move up.
    """

    def order(s: Standing) -> tuple[bool, int]:
        return s.racer not in places, places.get(s.racer, s.position)

    return tuple(replace(s, position=p, tied=t, gap_ms=None) for p, t, s in positions(sorted(board, key=order), order))


def ranked(best: Iterable[Entry], submissions: Mapping[str, int]) -> tuple[Standing, ...]:
    """Rank one entry of each racer, winner first; `submissions` says how many each has made."""
    entries = sorted(best, key=lambda e: e.order)
    return tuple(
        Standing(position, tied, _gap(e.score, entries[0].score), e, submissions[e.racer])
        for position, tied, e in positions(entries, lambda e: e.score.order)
    )


def positions(ordered: Iterable[T], key: Callable[[T], Any]) -> Iterator[tuple[int, bool, T]]:
    """Number what is in order, best first, from 1, and tell whether it is tied.

    Whatever has equal keys shares a position, and the positions that this takes are left out after it.
    """
    position = 1
    for _, equals in groupby(ordered, key):
        group = list(equals)
        for one in group:
            yield position, len(group) > 1, one
        position += len(group)


def place(position: int, *, tied: bool) -> str:
    """A position as a board shows it: ``3``, or ``=3`` for a tie."""
    return f"={position}" if tied else str(position)


def _distance(laps: Sequence[Lap]) -> float:
    """100 for every lap of the longest run of valid laps, and the furthest share of a lap that was not completed."""
    longest = max((len(run) for run in _valid_runs(laps)), default=0)
    return 100.0 * longest + max((lap.completion_percentage for lap in laps if not lap.valid), default=0.0)


def _valid_runs(laps: Sequence[Lap]) -> list[list[Lap]]:
    """The runs of valid laps that no other lap interrupts."""
    runs: list[list[Lap]] = [[]]
    for lap in laps:
        if lap.valid:
            runs[-1].append(lap)
        else:
            runs.append([])
    return [run for run in runs if run]


def _counted(laps: Sequence[Lap], valid: list[Lap], ranking: Ranking, minimum_laps: int) -> list[Lap]:
    """The laps that make the score."""
    if ranking is Ranking.BEST_LAP:
        return [min(valid, key=lambda lap: lap.time_ms)]
    if ranking is Ranking.TOTAL_TIME:
        return valid
    n = minimum_laps
    windows = [run[i : i + n] for run in _valid_runs(laps) for i in range(len(run) - n + 1)]
    return min(windows, key=lambda window: sum(lap.time_ms for lap in window) // n)


def _off_tracks(laps: Sequence[Lap]) -> int:
    return sum(lap.off_track_count for lap in laps)


def _gap(score: Score, winner: Score) -> int | None:
    if score.time_ms is None or winner.time_ms is None:
        return None
    return score.time_ms - winner.time_ms
