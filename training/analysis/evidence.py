"""Everything that a folder tells about a training, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tracks as library
from racer_env.car import ActionSpace, DiscreteActions
from racer_env.errors import MetadataError, TraceError, TrackError
from racer_env.kernel import Ints, Records, records
from racer_env.trace import LOG_MARK, find_traces, read
from racer_env.track import Track, find_track
from training.analysis.curves import Curves, read_events, read_logged
from training.analysis.drives import NOTHING, Drives, drives_of, episodes_of_metrics
from training.model_folder import Hyperparameters, read_metadata
from training.run_folder import RunFolder

#: The evaluations of a training, as TrainingMetrics.json has them.
EVALUATION = np.dtype(
    [
        ("trained", np.int64),  # steps of the training episodes that had ended
        ("attempts", np.int64),
        ("complete", np.int64),  # laps
        ("progress", np.float64),  # per cent, mean
        ("seconds", np.float64),  # mean of the complete laps; NaN if there is none
    ]
)

NO_TRACE = "no simtrace: nothing is known of single steps, so places, actions and laps are left out"
NO_CURVES = "no tensorboard folder and no 'Policy training>' lines: entropy, KL divergence and losses are unknown"
NO_METRICS = "no metrics/TrainingMetrics.json: evaluations during the training are unknown"
NO_ROUTE = "no route is known for {}: places are those of the closest waypoints; --tracks names a folder of routes"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a training."""

    path: Path
    training: Drives
    driven: Drives  #: in evaluations of their own (``evaluation-*``)
    evaluations: Records  #: `EVALUATION` (v,)
    curves: Curves
    actions: ActionSpace | None  #: as model_metadata.json says
    hyperparameters: Hyperparameters | None
    missing: tuple[str, ...]  #: one sentence each

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def discrete(self) -> bool:
        """Whether the driver chose among listed actions."""
        if not len(self.training.rows):
            return isinstance(self.actions, DiscreteActions)
        return not any("[" in str(action) for action in self.training.rows.action)

    @property
    def action_index(self) -> Ints:
        """The index of the action of each training row (n,); -1 in rows in which none was chosen."""
        chosen = np.full(len(self.training.rows), -1)
        rows = self.training.chosen(self.training.episodes)
        chosen[rows] = [int(float(action)) for action in self.training.rows.action[rows]]
        return chosen


def gather(path: Path, routes: Path | None = None) -> Evidence:
    """Read a run folder, a folder of the original's files, or a single trace.

    Args:
        path: where to look; everything below it is looked through.
        routes: a folder of route files (``.npy``) in which to find the track; by default the run's own, then those
            that are shipped or imported.

    Raises:
        RacerError: there is no such path, nothing to read in it, or a file that is broken; one sentence says which.
    """
    found = _find_traces(path)
    tracks = list(_tracks(path, routes))
    training = drives_of([read(file) for file in found if not _evaluates(file, path)], tracks)
    driven = drives_of([read(file) for file in found if _evaluates(file, path)], tracks)
    metrics = _metrics(path)
    if not len(training) and metrics:
        training = Drives(NOTHING.rows, NOTHING.stations, episodes_of_metrics(metrics), ())
    if not len(training):
        training, driven = driven, NOTHING
    if not len(training):
        raise TraceError(
            f"{path}: no finished episode; looked for simtrace files, logs with {LOG_MARK} and TrainingMetrics.json"
        )
    curves = _curves(path)
    evaluations = _evaluations(metrics, training)
    actions, hyperparameters = _settings(path)
    missing = tuple(_missing(training, driven, evaluations, curves))
    return Evidence(path, training, driven, evaluations, curves, actions, hyperparameters, missing)


def _find_traces(path: Path) -> list[Path]:
    """The traces at a path; logs only where no CSV file tells the same."""
    try:
        found = find_traces(path)
    except TraceError:
        if path.is_dir():
            return []
        raise
    folders = [file for file in found if file.is_dir()]
    return folders or found


def _evaluates(file: Path, path: Path) -> bool:
    """Whether a trace below a path is of evaluations."""
    return any("eval" in part.lower() for part in file.relative_to(path).parts)


def _tracks(path: Path, routes: Path | None) -> Iterator[Track]:
    if routes is not None:
        files = sorted(routes.glob("*.npy"))
        if not files:
            raise TrackError(f"{routes}: there is no route file (.npy) in this folder")
        yield from (find_track(file) for file in files)
    elif (path / "settings.json").is_file():
        yield from RunFolder.open(path).tracks
    else:
        yield from (find_track(name) for name in library.names())


def _metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of TrainingMetrics.json; of several workers' files the first."""
    files = sorted(path.rglob("TrainingMetrics*.json")) if path.is_dir() else []
    if not files:
        return []
    try:
        rows = json.loads(files[0].read_bytes())["metrics"]
        for row in rows:
            float(row["episode"]), float(row["completion_percentage"])
            float(row["elapsed_time_in_milliseconds"]), float(row["reward_score"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TraceError(f"{files[0]} is not a metrics file that can be read: {error!r}") from error
    return list(rows)


def _evaluations(metrics: list[dict[str, Any]], training: Drives) -> Records:
    """One entry for each time the training was evaluated."""
    rows = [row for row in metrics if row.get("phase") == "evaluation"]
    if not rows:
        return records(0, EVALUATION)
    after = np.array([int(row["episode"]) for row in rows])
    moments = np.unique(after)
    out = records(len(moments), EVALUATION)
    progress = np.array([float(row["completion_percentage"]) for row in rows])
    seconds = np.array([float(row["elapsed_time_in_milliseconds"]) / 1000.0 for row in rows])
    ended = np.concatenate(([0], training.episodes.trained))
    for k, moment in enumerate(moments.tolist()):
        here = after == moment
        laps = here & (progress >= 100.0)
        mean = float(seconds[laps].mean()) if laps.any() else np.nan
        out[k] = (ended[min(moment, len(ended) - 1)], here.sum(), laps.sum(), progress[here].mean(), mean)
    return out


def _curves(path: Path) -> Curves:
    if path.is_file():
        return read_logged([path])
    folders = sorted({file.parent for file in path.rglob("events.out.tfevents.*")})
    return read_events(folders[0]) if folders else read_logged(sorted(path.rglob("*.log")))


def _settings(path: Path) -> tuple[ActionSpace | None, Hyperparameters | None]:
    """Action space and hyperparameters, where their files are there and can be read."""
    actions: ActionSpace | None = None
    hyperparameters: Hyperparameters | None = None
    for folder in (path, path / "model", path / "ip"):
        metadata, file = folder / "model_metadata.json", folder / "hyperparameters.json"
        if actions is None and metadata.is_file():
            actions = read_metadata(metadata).actions
        if hyperparameters is None and file.is_file():
            try:
                hyperparameters = Hyperparameters.read(file)
            except MetadataError:  # of a version of the original that has other keys: only the advice is less precise
                continue
    return actions, hyperparameters


def _missing(training: Drives, driven: Drives, evaluations: Records, curves: Curves) -> Iterable[str]:
    if not len(training.rows):
        yield NO_TRACE
    if not len(evaluations):
        yield NO_METRICS
    if not curves:
        yield NO_CURVES
    for place in (*training.places, *driven.places):
        if place.track is None:
            yield NO_ROUTE.format(f"the {place.name}")
