"""What a training leaves behind: simtrace files and metrics in the original's formats (``markov/metrics``)."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy.typing as npt

from racer_env import trace
from racer_env.kernel import Floats, Ints
from racer_env.race import Status
from racer_env.recorder import TraceRecorder
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRow
from training.model_folder import to_json
from training.run_folder import Course, RunError, RunFolder, unwritable, write

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

    A context manager: what the reward function printed at last is written when it is left.

    Args:
        run: where to.
        simulator: whose cars.
        course: counts the episodes; after a resume, records beyond it are dropped.
        per_file: episodes in a simtrace file.

    Raises:
        RunError: what a resumed run has left behind cannot be read.
    """

    NEWEST = 5  #: printed lines that are kept to be shown

    def __init__(self, run: RunFolder, simulator: Simulator, course: Course, per_file: int):
        self.run, self.course, self.per_file = run, course, per_file
        self._recent: list[Episode] = []
        self._printed: deque[str] = deque(maxlen=self.NEWEST)
        self._simulator = simulator
        self._recorder = TraceRecorder(simulator)
        self._rows = self._read_metrics()  #: as they stand in the file
        self._pending = self._read_pending()
        self._trials = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log_printed()

    def begun(self, cars: Ints) -> None:
        """Cars were reset."""
        self._recorder.begin(cars.tolist())

    def stepped(self, step: Step, actions: npt.NDArray[Any]) -> None:
        """A step was made."""
        for _, rows in self._recorder.add(step, actions):
            self.add_episode(rows)
        self._log_printed()

    def begin_iteration(self) -> None:
        """A phase of training begins; the metrics count its episodes."""
        self._trials = 0

    def add_episode(self, rows: list[TraceRow]) -> None:
        """Add an episode that is over."""
        number, last = self.course.episodes, rows[-1]
        reward = sum(row.reward for row in rows)
        self._recent.append(Episode(number, len(rows), reward, last.progress, last.status))
        self._pending.append(trace.text(rows, number))
        self.course.episodes += 1
        self._trials += 1
        self._add_metric(rows[0].tstamp, last.tstamp, reward, last.progress, last.status, "training")
        if self.course.episodes % self.per_file == 0:
            self._write_trace((self.course.episodes - 1) // self.per_file)
            self._pending = []

    def add_evaluation(self, progress: Floats, milliseconds: Ints, statuses: Ints) -> None:
        """Add a row for every lap of an evaluation, which begins now on the simulator's clock."""
        now = float(self._simulator.time.max())
        for p, ms, status in zip(progress.tolist(), milliseconds.tolist(), statuses.tolist(), strict=True):
            self._add_metric(now, now + ms / 1000.0, 0.0, p, Status(status), "evaluation")

    def take_recent(self) -> list[Episode]:
        """Hand over the episodes finished since the last time."""
        recent, self._recent = self._recent, []
        return recent

    @property
    def newest_printed(self) -> list[str]:
        """The last lines that the reward function printed; ``logs/reward.log`` has them all."""
        return list(self._printed)

    def save(self) -> None:
        """Write everything that is not yet on disk."""
        if self._pending:
            self._write_trace(self.course.episodes // self.per_file)
        rows = ",\n".join(self._rows)
        write(self._metrics_file, f'{{"metrics": [\n{rows}\n], "version": 2.0, "best_model_metric": "progress"}}\n')
        self.course.metric_rows = len(self._rows)

    @property
    def _metrics_file(self) -> Path:
        return self.run.path / "metrics" / "TrainingMetrics.json"

    def _log_printed(self) -> None:
        self.add_printed(self._simulator.reward.take_printed() if self._simulator.reward else [])

    def add_printed(self, lines: list[str]) -> None:
        """Write down what a reward function printed."""
        if lines:
            self._printed.extend(lines)
            with (self.run.path / "logs" / "reward.log").open("a", encoding="utf-8") as log:
                log.writelines(f"{line}\n" for line in lines)

    def _add_metric(self, start: float, end: float, reward: float, progress: float, status: Status, phase: str) -> None:
        row = {
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
        self._rows.append(json.dumps(row))

    def _read_metrics(self) -> list[str]:
        """Rows up to the course, as the last session left them."""
        if self.course.metric_rows == 0:
            return []
        try:
            rows = json.loads(self._metrics_file.read_bytes())["metrics"][: self.course.metric_rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{self._metrics_file} cannot be read: {error}") from error
        return [json.dumps(row) for row in rows]

    def _trace_file(self, index: int) -> Path:
        return self.run.path / "training-simtrace" / f"{index}-iteration.csv"

    def _write_trace(self, index: int) -> None:
        write(self._trace_file(index), trace.HEADER + "".join(self._pending))

    def _read_pending(self) -> list[str]:
        """The episodes of the file that was being filled at the course; what a killed session wrote beyond goes."""
        index, begun = divmod(self.course.episodes, self.per_file)
        beyond = index + 1 if begun else index
        while self._trace_file(beyond).exists():
            self._trace_file(beyond).unlink()
            beyond += 1
        if not begun:
            return []
        try:
            lines = self._trace_file(index).read_text().splitlines(keepends=True)[1:]
            return ["".join(line for line in lines if int(line.split(",", 1)[0]) < self.course.episodes)]
        except (OSError, ValueError) as error:
            raise RunError(f"{self._trace_file(index)} cannot be read: {error}") from error


def write_evaluation(run: RunFolder, records: list[list[TraceRow]], laps: list[dict[str, Any]]) -> str:
    """Write an evaluation's simtrace and metrics into a folder of the run; give the folder's name."""
    name = _evaluation_folder(run)
    folder = run.path / name / "evaluation-simtrace"
    with unwritable(folder):
        folder.mkdir()
    rows = "".join(trace.text(episode, number) for number, episode in enumerate(records))
    write(folder / "0-iteration.csv", trace.HEADER + rows)
    write(run.path / "metrics" / f"EvaluationMetrics-{name[11:]}.json", to_json({"metrics": laps}))
    return name


def _evaluation_folder(run: RunFolder) -> str:
    """Make the folder of an evaluation, named after this second, or after the next one that is free."""
    moment = datetime.now()
    while True:
        name = f"evaluation-{moment:%Y%m%d%H%M%S}"
        with unwritable(run.path / name), suppress(FileExistsError):
            (run.path / name).mkdir()
            return name
        moment += timedelta(seconds=1)
