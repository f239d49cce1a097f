"""Boards for tests: made by hand, by hypothesis, and the published ones of the 2021 season."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies as st

from league.rules import Entry, Lap, Ranking, Score, Standing, standings
from league.rules import score as scored

Board = tuple[Standing, ...]

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "leaderboards_2021"
START = datetime(2026, 1, 1, tzinfo=UTC)

#: A season's worth of published boards is only there beside the project.
needs_published = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published boards are not here")


def finished(time_ms: int) -> Score:
    return Score(time_ms, 100.0, 1, 0)


def dnf(progress: float) -> Score:
    return Score(None, progress, 0, 0)


def board(*scores: tuple[str, Score]) -> Board:
    """The board of submissions made one second after the other."""
    return standings(Entry(racer, i, START + timedelta(seconds=i), made) for i, (racer, made) in enumerate(scores))


def times(**of: int) -> Board:
    """The board of racers who have finished in these times."""
    return board(*((racer, finished(time)) for racer, time in of.items()))


def racers(made: Board) -> list[str]:
    return [s.racer for s in made]


#: Few different ones, so that there are ties.
scores = st.one_of(st.integers(1, 20).map(finished), st.integers(0, 20).map(dnf))

NAMES = tuple("abcdefghijklmnop")
boards = st.lists(st.tuples(st.sampled_from(NAMES), scores), max_size=40).map(lambda made: board(*made))

RANKINGS = {
    "BEST_LAP_TIME": Ranking.BEST_LAP,
    "TOTAL_TIME": Ranking.TOTAL_TIME,
    "AVG_LAP_TIME": Ranking.AVERAGE_LAP,
}

#: What the league added to a driver's share of a lap, negative, to rank who did not finish below everybody who did.
NOT_FINISHED = 2**63 - 1


def published_index() -> list[dict[str, str]]:
    """The settings of every published race."""
    if not PUBLISHED.is_dir():
        return []
    with (PUBLISHED / "index.csv").open(newline="") as index:
        return list(csv.DictReader(index))


@cache
def published_rows(file: str) -> tuple[Mapping[str, str], ...]:
    """The rows of a published board, as they are."""
    with (PUBLISHED / file).open(newline="") as board:
        return tuple(csv.DictReader(board))


def published_laps(row: Mapping[str, str]) -> list[Lap]:
    """Laps that have the best and the total time of a published row, as many as it counts."""
    count = int(row["LapCount"])
    if count == 0:
        return [Lap(1, 180_000, float(NOT_FINISHED - int(row["RankingScore"])))]
    best, total = int(float(row["BestLapTime"])), int(float(row["TotalLapTime"]))
    others = [] if count == 1 else _spread(total - best, count - 1)
    return [Lap(i, time, 100.0) for i, time in enumerate([best, *others], start=1)]


def _spread(total: int, count: int) -> list[int]:
    return [total // count] * (count - 1) + [total - total // count * (count - 1)]


@cache
def published_board(file: str) -> Board:
    """A published board as our rules rank it; submissions are numbered by its rows."""
    race = next(race for race in published_index() if race["file"] == file)
    ranking, minimum = RANKINGS[race["timing_method"]], int(race["minimum_laps"])
    return standings(
        Entry(
            row["Racer"],
            i,
            datetime.fromtimestamp(int(row["SubmissionTime"]) / 1000, UTC),
            scored(published_laps(row), ranking, minimum),
        )
        for i, row in enumerate(published_rows(file))
    )
