"""What a training leaves behind: simtrace files and metrics in the original's formats (spec/simulator.md 6)."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env import trace
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Ints
from racer_env.race import Status
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRecorder, TraceRow
from training.model_folder import to_json
from training.run_folder import Course, RunFolder, write

#: How the metrics files call a status.
LABELS = {status: status.label.replace("_", " ").capitalize() for status in Status} | {Status.TIME_UP: "Time Up"}


class Episode(NamedTuple):
    """One finished training episode."""

    number: int  #: from 0
    steps: int
    reward: float
    progress: float
    status: Status


class TrainingRecords:
    """Writes the run's simtrace and metrics while cars drive; an `Observer` of the training environment.

    Args:
        run: where to.
        simulator: whose cars.
        course: counts the episodes; after a resume, records beyond it are dropped.
        per_file: episodes in a simtrace file.
    """

    def __init__(self, run: RunFolder, simulator: Simulator, course: Course, per_file: int):
        self.run, self.course, self.per_file = run, course, per_file
        self.recent: list[Episode] = []  #: since they were last taken
        self._simulator = simulator
        self._recorder = TraceRecorder(simulator)
        self._rows = self._read_metrics()[: course.metric_rows]
        self._pending = self._read_pending()
        self._trials = 0

    def begun(self, cars: Ints) -> None:
        """Cars were reset."""
        self._recorder.begin(cars.tolist())

    def stepped(self, step: Step, actions: npt.NDArray[Any]) -> None:
        """A step was made."""
        for _, rows in self._recorder.add(step, actions):
            self._finish(rows)
        if self._simulator.reward and (lines := self._simulator.reward.take_printed()):
            with (self.run.path / "logs" / "reward.log").open("a", encoding="utf-8") as log:
                log.writelines(f"{line}\n" for line in lines)

    def _finish(self, rows: list[TraceRow]) -> None:
        number, last = self.course.episodes, rows[-1]
        reward = sum(row.reward for row in rows)
        self.recent.append(Episode(number, len(rows), reward, last.progress, last.status))
        self._pending.append(trace.text(rows, number))
        self.course.episodes += 1
        self._trials += 1
        self._add_metric(rows[0].tstamp, last.tstamp, reward, last.progress, last.status, "training")
        if self.course.episodes % self.per_file == 0:
            self._write_trace((self.course.episodes - 1) // self.per_file)
            self._pending = []

    def add_evaluation(
        self, progress: npt.NDArray[np.float64], milliseconds: Any, statuses: Any, seconds: float
    ) -> None:
        """Add a row for every lap of an evaluation, which began at `seconds` of simulated time."""
        for p, ms, status in zip(progress.tolist(), milliseconds.tolist(), statuses.tolist(), strict=True):
            self._add_metric(seconds, seconds + ms / 1000.0, 0.0, p, Status(status), "evaluation")
        self._trials = 0

    def take_recent(self) -> list[Episode]:
        """Hand over the episodes finished since the last time."""
        recent, self.recent = self.recent, []
        return recent

    def save(self) -> None:
        """Write everything that is not yet on disk."""
        if self._pending:
            self._write_trace(self.course.episodes // self.per_file)
        content = {"metrics": self._rows, "version": 2.0, "best_model_metric": "progress"}
        write(self._metrics_file, to_json(content))
        self.course.metric_rows = len(self._rows)

    @property
    def _metrics_file(self) -> Any:
        return self.run.path / "metrics" / "TrainingMetrics.json"

    def _add_metric(self, start: float, end: float, reward: float, progress: float, status: Status, phase: str) -> None:
        self._rows.append(
            {
                "reward_score": round(reward),
                "metric_time": round(end * 1000),
                "start_time": round(start * 1000),
                "elapsed_time_in_milliseconds": round((end - start) * 1000),
                "episode": self.course.episodes,
                "trial": self._trials,
                "phase": phase,
                "completion_percentage": int(progress),
                "episode_status": LABELS[status],
            }
        )

    def _read_metrics(self) -> list[dict[str, Any]]:
        if not self._metrics_file.exists():
            return []
        rows: list[dict[str, Any]] = json.loads(self._metrics_file.read_bytes())["metrics"]
        return rows

    def _trace_file(self, index: int) -> Any:
        return self.run.path / "training-simtrace" / f"{index}-iteration.csv"

    def _write_trace(self, index: int) -> None:
        write(self._trace_file(index), trace.HEADER + "".join(self._pending))

    def _read_pending(self) -> list[str]:
        """The episodes of the file that was being filled when the run was last saved."""
        file = self._trace_file(self.course.episodes // self.per_file)
        if self.course.episodes % self.per_file == 0 or not file.exists():
            return []
        lines = file.read_text().splitlines(keepends=True)[1:]
        return ["".join(line for line in lines if int(line.split(",", 1)[0]) < self.course.episodes)]


def write_evaluation(
    run: RunFolder, records: list[list[TraceRow]], laps: list[dict[str, Any]], stamp: str | None = None
) -> str:
    """Write an evaluation's simtrace and metrics into a folder of the run; give the folder's name."""
    name = f"evaluation-{stamp or time.strftime('%Y%m%d%H%M%S')}"
    folder = run.path / name / "evaluation-simtrace"
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(trace.text(episode, number) for number, episode in enumerate(records))
    write(folder / "0-iteration.csv", trace.HEADER + rows)
    write(run.path / "metrics" / f"EvaluationMetrics-{name[11:]}.json", to_json({"metrics": laps}))
    return name


def control_periods_to_ms(periods: float) -> int:
    """Milliseconds of control periods."""
    return round(periods * 1000 / CONTROL_RATE)
