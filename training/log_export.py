"""A run's log in the folders in which DeepRacer's tools expect it; the run itself is left as it is.

=========  =====================================================================================================
``drfc``   deepracer-for-cloud, one worker: ``training-simtrace``, ``evaluation-<14 digits>/evaluation-simtrace``,
           ``metrics/TrainingMetrics.json`` and ``EvaluationMetrics-<14 digits>.json``
``droa``   DeepRacer on AWS: ``sim-trace``, ``metrics`` and ``logs``, each with ``training`` and ``evaluation``,
           in which a job is called by its time and an identifier
=========  =====================================================================================================

Both have ``model/model_metadata.json``, ``ip/hyperparameters.json`` and ``reward_function.py``. Checkpoints are no part
of a log: `training.export` writes the driver.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import string
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from racer_env.errors import nearest
from training.log_text import Bar, evaluation_log, training_log, training_traces
from training.records import metrics_file
from training.run_folder import RunError, RunFolder, unwritable

#: What stands in a folder: paths relative to it, and a file to copy or text to write.
Files = dict[str, Path | Iterable[str]]

Layout = Callable[[RunFolder, Bar], Files]

#: What can stand at the top of an exported folder; one that holds anything else is never replaced.
TOPS = re.compile(r"model|ip|metrics|logs|sim-trace|training-simtrace|reward_function\.py|evaluation-\d{14}", re.ASCII)


class Evaluated(NamedTuple):
    """A race that ``racer evaluate`` drove with a run."""

    digits: str  #: its local time, as in the folder's name
    simtrace: Path
    metrics: Path

    @property
    def moment(self) -> datetime:
        """When it was driven."""
        return datetime.strptime(self.digits, "%Y%m%d%H%M%S").astimezone()


class Exported(NamedTuple):
    """What was written."""

    iterations: int  #: simtrace files of the training
    evaluations: int


def export(run: RunFolder, output: Path, layout: str, force: bool = False, bar: Bar = iter) -> Exported:
    """Write a run's log as a folder of one of `LAYOUTS`, whole or not at all.

    Args:
        run: it is only read.
        output: folder to make.
        layout: name of the layout.
        force: replace a folder that holds an exported log.
        bar: passes simtrace files on while they are read, and may show how far they are.

    Raises:
        RacerError: unknown layout, no episode to export, a file that cannot be read, or an output that is taken, lies
            in the run or cannot be written.
    """
    if layout not in LAYOUTS:
        raise RunError(f"no layout is called {layout!r}; {nearest(layout, LAYOUTS)}")
    _check(run, output, force)
    files = LAYOUTS[layout](run, bar)
    _replace(output, lambda part: _fill(part, files))
    return Exported(len(training_traces(run)), len(evaluations(run)))


def export_text(run: RunFolder, output: Path, force: bool = False, bar: Bar = iter) -> Exported:
    """Write a run's training as one log (`training.log_text`), whole or not at all; otherwise as `export`."""
    if output.is_dir():
        raise RunError(f"{output} is a folder; name the file to write")
    _check(run, output, force)
    lines = training_log(run, bar)
    _replace(output, lambda part: _put(part, lines))
    return Exported(len(training_traces(run)), 0)


def evaluations(run: RunFolder) -> list[Evaluated]:
    """List the races that were driven with a run, in order; one that was interrupted is left out."""
    found = []
    for folder in sorted(run.path.glob("evaluation-*")):
        simtrace, digits = folder / "evaluation-simtrace" / "0-iteration.csv", folder.name[11:]
        if simtrace.is_file() and re.fullmatch(r"\d{14}", digits):
            found.append(Evaluated(digits, simtrace, run.path / "metrics" / f"EvaluationMetrics-{digits}.json"))
    return found


def _drfc(run: RunFolder, _: Bar) -> Files:
    files = _model(run) | {f"training-simtrace/{file.name}": file for file in training_traces(run)}
    files["metrics/TrainingMetrics.json"] = metrics_file(run)
    for digits, simtrace, metrics in evaluations(run):
        files[f"evaluation-{digits}/evaluation-simtrace/0-iteration.csv"] = simtrace
        files[f"metrics/EvaluationMetrics-{digits}.json"] = metrics
    return files


def _droa(run: RunFolder, bar: Bar) -> Files:
    name = _job("training", run.made, run)
    simtrace = f"sim-trace/training/{name}/training-simtrace"
    files = _model(run) | {f"{simtrace}/{file.name}": file for file in training_traces(run)}
    files[f"metrics/training/{name}.json"] = metrics_file(run)
    files[f"logs/training/{name}-simulation.log"] = training_log(run, bar)
    for evaluated in evaluations(run):
        name = _job("evaluation", evaluated.moment, run)
        files[f"sim-trace/evaluation/{name}/evaluation-simtrace/0-iteration.csv"] = evaluated.simtrace
        files[f"metrics/evaluation/{name}.json"] = evaluated.metrics
        files[f"logs/evaluation/{name}-simulation.log"] = evaluation_log(run, evaluated.simtrace)
    return files


#: How a run's log can be laid out.
LAYOUTS: Mapping[str, Layout] = {"droa": _droa, "drfc": _drfc}


def _model(run: RunFolder) -> Files:
    names = ("model/model_metadata.json", "ip/hyperparameters.json", "reward_function.py")
    return {name: run.path / name for name in names}


def _job(kind: str, moment: datetime, run: RunFolder) -> str:
    """How DeepRacer on AWS calls a job: ``2026-03-06T18:33:59.511Z-deepracerindy-training-ACGVRmRuFNU9NkQ``."""
    time = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{time}-deepracerindy-{kind}-{_identifier(f'{kind} {time}', run)}"


def _identifier(job: str, run: RunFolder) -> str:
    """Fifteen letters and digits, always the same for the same job of the same run."""
    digest = hashlib.sha256(job.encode() + (run.path / "provenance.json").read_bytes()).digest()
    number, letters = int.from_bytes(digest), string.ascii_letters + string.digits
    return "".join(letters[number // len(letters) ** k % len(letters)] for k in range(15))


def _check(run: RunFolder, output: Path, force: bool) -> None:
    """Refuse an output that is in the run, around it, or taken."""
    inside, around = run.path.resolve(), output.resolve()
    if inside in (around, *around.parents) or around in inside.parents:
        raise RunError(f"{output} and the run {run.path} must not lie one in the other; choose another --output")
    if not output.exists():
        return
    if not force:
        raise RunError(f"{output} exists already; choose another --output, or replace it with --force")
    other = [file.name for file in output.iterdir() if not TOPS.fullmatch(file.name)] if output.is_dir() else []
    if other:
        raise RunError(f"{output} is not replaced: it holds {min(other)}, which no exported log has")


def _replace(output: Path, make: Callable[[Path], None]) -> None:
    """Make a file or folder beside its place, and move it there when it is whole."""
    place = Path(os.path.normpath(output.absolute()))
    part, old = (place.with_name(f".{place.name}.{os.getpid()}.{what}") for what in ("part", "old"))
    with unwritable(output):
        try:
            make(part)
            if place.is_dir():
                place.rename(old)
            part.replace(place)
        except BaseException:
            if old.exists():
                old.rename(place)
            raise
        finally:
            _remove(part)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _fill(folder: Path, files: Files) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, Path):
            _put(folder / name, content)
        elif content.is_file():  # a run that was never saved has no metrics yet
            shutil.copyfile(content, folder / name)


def _put(file: Path, text: Iterable[str]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as opened:
        opened.writelines(text)
