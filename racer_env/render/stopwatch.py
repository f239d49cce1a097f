"""Lap times of one car, taken by looking at its episode from time to time."""

from __future__ import annotations

from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Records


class Stopwatch:
    """Remembers the last and the best lap over all episodes that it was shown.

    Two laps completed between two looks cannot be told apart and are not counted; their times are whole
    milliseconds, equal to those of `racer_env.race`.
    """

    def __init__(self) -> None:
        self.current_ms = 0
        self.last_ms: int | None = None
        self.best_ms: int | None = None
        self._seen = (0, 0)  # episode and its steps
        self._laps, self._lap_start = 0, 0.0

    def look(self, episode: Records) -> None:
        """Take the times from one record of `racer_env.race.EPISODE`."""
        seen = (int(episode.number), int(episode.steps))
        if seen[0] != self._seen[0] or seen[1] < self._seen[1]:
            self._laps, self._lap_start = 0, 0.0
        if episode.laps == self._laps + 1:
            self._note(_milliseconds(episode.lap_start - self._lap_start))
        self._seen, self._laps, self._lap_start = seen, int(episode.laps), float(episode.lap_start)
        self.current_ms = _milliseconds(max(episode.steps - 1 - self._lap_start, 0.0))
        if episode.done and episode.laps and self.last_ms is not None:
            self.current_ms = self.last_ms

    def _note(self, milliseconds: int) -> None:
        self.last_ms = milliseconds
        self.best_ms = milliseconds if self.best_ms is None else min(milliseconds, self.best_ms)


def _milliseconds(control_periods: float) -> int:
    return round(control_periods * 1000.0 / CONTROL_RATE)
