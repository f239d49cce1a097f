"""What a training leaves behind: simtrace files and metrics in the original's formats (``markov/metrics``)."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy.typing as npt

from racer_env import trace
from racer_env.kernel import Floats, Ints
from racer_env.race import Status
from racer_env.recorder import TraceRecorder
from racer_env.simulator import Simulator, Step
from racer_env.trace import TraceRow
from training.course import Course
from training.model_folder import to_json
from training.run_folder import RunError, RunFolder, unwritable, write

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
        self._metric = run.settings.best.replace("-", "")
        self._recent: list[Episode] = []
        self._printed: deque[str] = deque(maxlen=self.NEWEST)
        self._simulator = simulator
        self._recorder = TraceRecorder(simulator)
        self._rows = self._read_metrics()  #: as they stand in the file
        self._pending = self._read_pending()

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

    def add_episode(self, rows: list[TraceRow]) -> None:
        """Add an episode that is over."""
        number, last = self.course.episodes, rows[-1]
        reward = sum(row.reward for row in rows)
        self._recent.append(Episode(number, len(rows), reward, last.progress, last.status))
        self._pending.append(trace.text(rows, number))
        self.course.episodes += 1
        self._add_metric(rows[0].tstamp, last.tstamp, reward, last.progress, last.status, "training")
        if self.course.episodes % self.per_file == 0:
            self._write_trace((self.course.episodes - 1) // self.per_file)
            self._pending = []

    def add_evaluation(self, progress: Floats, milliseconds: Ints, statuses: Ints, rewards: Floats) -> None:
        """Add a row for every lap (n,) of an evaluation, which begins now on the simulator's clock."""
        now = float(self._simulator.time.max())
        columns = progress.tolist(), milliseconds.tolist(), statuses.tolist(), rewards.tolist()
        for p, ms, status, reward in zip(*columns, strict=True):
            self._add_metric(now, now + ms / 1000.0, reward, p, Status(status), "evaluation")

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
        write(
            metrics_file(self.run),
            f'{{"metrics": [\n{rows}\n], "version": 2.0, "best_model_metric": "{self._metric}"}}\n',
        )
        self.course.metric_rows = len(self._rows)

    @property
    def _trial(self) -> int:
        """Which episode of its simtrace file the newest one is, from 1: tools take the most for an iteration's size."""
        return (self.course.episodes - 1) % self.per_file + 1 if self.course.episodes else 0

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
            "trial": self._trial,
            "phase": phase,
            "completion_percentage": int(progress),
            "episode_status": LABELS[status],
        }
        self._rows.append(json.dumps(row))

    def _read_metrics(self) -> list[str]:
        """Rows up to the course, as the last session left them."""
        if self.course.metric_rows == 0:
            return []
        return [json.dumps(row) for row in read_metrics(self.run)[: self.course.metric_rows]]

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


def metrics_file(run: RunFolder) -> Path:
    """Where a run has its training's metrics; there from the first checkpoint on."""
    return run.path / "metrics" / "TrainingMetrics.json"


def read_metrics(run: RunFolder) -> list[dict[str, Any]]:
    """Read a row for every episode and evaluated lap of a training. Raises `RunError` if that cannot be done."""
    file = metrics_file(run)
    try:
        return list(json.loads(file.read_bytes())["metrics"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} cannot be read: {error}") from error


def write_evaluation(run: RunFolder, records: list[list[TraceRow]], laps: list[dict[str, Any]]) -> str:
    """Write an evaluation's simtrace and metrics into a folder of the run; give the folder's name.

    A row's episode is how many laps were over before it, also within one flying run, as in the original. The metrics
    say of every complete lap that it is complete; of those within a flying run the original says "In progress".
    """
    name = _evaluation_folder(run)
    folder = run.path / name / "evaluation-simtrace"
    with unwritable(folder):
        folder.mkdir()
    write(folder / "0-iteration.csv", trace.HEADER + "".join(_numbered(chain.from_iterable(records))))
    write(run.path / "metrics" / f"EvaluationMetrics-{name[11:]}.json", to_json({"metrics": laps}))
    return name


def _numbered(rows: Iterable[TraceRow]) -> Iterator[str]:
    """Lines of an evaluation; at the line, a lap ends with the penalty that is served there."""
    laps = 0
    for row in rows:
        yield row.line(laps)
        laps += row.done or (row.progress >= 100.0 and row.status is not Status.PAUSE)


def _evaluation_folder(run: RunFolder) -> str:
    """Make the folder of an evaluation, named after this second, or after the next one that is free."""
    moment = datetime.now()
    while True:
        name = f"evaluation-{moment:%Y%m%d%H%M%S}"
        with unwritable(run.path / name), suppress(FileExistsError):
            (run.path / name).mkdir()
            return name
        moment += timedelta(seconds=1)
