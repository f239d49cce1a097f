"""A run folder: everything about one training, in DeepRacer-for-cloud's single-worker layout plus our own files.

=============================== =========================================================================
reward_function.py              the user's file, as it was trained with
model/model_metadata.json       sensors and action space, every key written out
ip/hyperparameters.json         hyperparameters, every key written out
training-simtrace/              N-iteration.csv, a fixed number of episodes in each
metrics/TrainingMetrics.json    one row an episode
evaluation-<14 digits>/         simtrace and metrics of one `racer evaluate`
settings.json                   ours: track, car, network, seed and sizes, resolved
provenance.json                 ours: versions, hashes and the machine
track.npy                       ours: the route that was driven; with several, track-2.npy, track-3.npy ...
checkpoints/last.zip, best.zip  ours: stable-baselines3's format, with course.json in it
checkpoints/start.zip           ours: the weights that it began with, if not by chance
tensorboard/                    ours: what stable-baselines3 logs
logs/reward.log                 ours: what the reward function printed
.lock                           ours: locked by the process that trains
=============================== =========================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from racer_env.errors import RacerError
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import TIME_TRIAL, Race
from racer_env.reward import RewardFunction
from racer_env.track import Track
from training.course import Course
from training.model_folder import Hyperparameters, ModelFolder, read_metadata, to_json

START = "start"  #: the checkpoint that a run begins with, if there is one
PACKAGES = ("racer18", "gymnasium", "numba", "numpy", "stable-baselines3", "torch")


class RunError(RacerError):
    """A run folder that is missing, taken, not one of ours, or cannot be written."""


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turn an operating system's error while writing `path` into a `RunError` that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{path} cannot be written: {reason[:1].lower()}{reason[1:]}") from error


class Settings(BaseModel):
    """How a run trains, beyond what DeepRacer's files say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    track: str  #: its name
    more_tracks: tuple[str, ...] = ()  #: of which, and of the first, every episode draws one
    reverse: bool = False
    both_directions: bool = False  #: every track is driven forwards and in reverse
    obstacles: Obstacles | None = None  #: on the track
    bots: Bots | None = None
    randomise: str = "none"  #: a level of `racer_env.randomisation.LEVELS`
    jitter: bool = False  #: control periods end as unevenly as the original's
    car: str
    network: str  #: a name of `training.networks.ARCHITECTURES`
    critic: str = "STATE"  #: what the critic sees: STATE or the driver's own sensors
    seed: int = 0
    cars: int = Field(64, ge=1)  #: that gather experience at the same time
    steps_per_car: int = Field(40, ge=1)  #: in one iteration
    evaluate_every: int = Field(1, ge=1)  #: iterations
    best: Literal["progress", "reward", "lap-time"] = "progress"  #: what makes a checkpoint the best
    begun_from: str | None = None  #: the bundle or run whose driver it began with


@dataclass(frozen=True)
class RunFolder:
    """Paths and files of a run."""

    path: Path

    @classmethod
    def create(
        cls, path: Path, model: ModelFolder, settings: Settings, tracks: Sequence[Track], start: bytes | None = None
    ) -> RunFolder:
        """Make the folder of a new run, whole or not at all; `start` is a checkpoint to begin with.

        Raises:
            RunError: it holds anything already, or cannot be written.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            held = (path / "settings.json").is_file()
            go_on = f", or go on with: racer train --resume {path}" if held else ""
            raise RunError(f"{path} exists already; choose another --run{go_on}")
        path = Path(os.path.normpath(path))
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        with unwritable(path):
            try:
                cls(unfinished)._fill(model, settings, tracks)
                if start is not None:
                    write(cls(unfinished).checkpoint(START), start)
                if path.exists():
                    path.rmdir()
                unfinished.rename(path)
            except RunError as error:
                raise RunError(str(error).replace(str(unfinished), str(path))) from error
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return cls(path)

    def _fill(self, model: ModelFolder, settings: Settings, tracks: Sequence[Track]) -> None:
        for folder in ("model", "ip", "metrics", "training-simtrace", "checkpoints", "tensorboard", "logs"):
            (self.path / folder).mkdir(parents=True)
        write(self.path / "reward_function.py", model.reward.read_bytes())
        write(self.path / "model" / "model_metadata.json", model.metadata.to_json())
        write(self.path / "ip" / "hyperparameters.json", to_json(model.hyperparameters.model_dump()))
        for k, track in enumerate(tracks):
            write(self.path / _route_file(k), _npy(track.route))
        write(self.path / "provenance.json", to_json(_provenance(model, settings, tracks)))
        write(self.path / "settings.json", to_json(settings.model_dump()))

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the folder of an existing run. Raises `RunError` if it is none."""
        if not (path / "settings.json").is_file():
            raise RunError(f"{path} is not a run folder: it has no settings.json")
        return cls(path)

    @property
    def settings(self) -> Settings:
        """The settings it was made with."""
        file = self.path / "settings.json"
        try:
            return Settings.model_validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise RunError(f"{file}: {f'{key}: ' if key else ''}{first['msg']}") from error

    @property
    def made(self) -> datetime:
        """When it was made."""
        file = self.path / "provenance.json"
        try:
            return datetime.fromisoformat(json.loads(file.read_bytes())["made"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{file} cannot be read: {error}") from error

    @property
    def model(self) -> ModelFolder:
        """DeepRacer's three files."""
        return ModelFolder(
            self.path / "reward_function.py",
            read_metadata(self.path / "model" / "model_metadata.json"),
            Hyperparameters.read(self.path / "ip" / "hyperparameters.json"),
        )

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks, exactly as trained on."""
        settings = self.settings
        names = (settings.track, *settings.more_tracks)
        there = [Track(name, self._route(k), settings.reverse) for k, name in enumerate(names)]
        return in_both_directions(there) if settings.both_directions else tuple(there)

    @property
    def track(self) -> Track:
        """The first of the tracks."""
        return self.tracks[0]

    @property
    def race(self) -> Race:
        """The rules of a training episode, and what is on the track."""
        return replace(TIME_TRIAL, obstacles=self.settings.obstacles, bots=self.settings.bots)

    def _route(self, k: int) -> Any:
        file = self.path / _route_file(k)
        try:
            return np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise RunError(f"{file} cannot be read: {error}") from error

    def checkpoint(self, which: str) -> Path:
        """Path of the checkpoint ``last``, ``best`` or `START`."""
        return self.path / "checkpoints" / f"{which}.zip"

    def existing_checkpoint(self, which: str) -> Path:
        """Path of a checkpoint. Raises `RunError` if it has not been written yet."""
        file = self.checkpoint(which)
        if not file.is_file():
            raise RunError(
                f"{self.path} has no checkpoint {which!r} yet; train it first: racer train --resume {self.path}"
            )
        return file

    def course(self, which: str = "last") -> Course:
        """How far the run was at a checkpoint. Raises `RunError` if there is none."""
        file = self.existing_checkpoint(which)
        try:
            with zipfile.ZipFile(file) as archive:
                return Course(**json.loads(archive.read("course.json")))
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise RunError(f"{file} is not a checkpoint that can be read; it is damaged") from error

    def last_course(self) -> Course:
        """How far the run is; nowhere, if it was stopped before its first checkpoint.

        The best evaluation is that of ``best.zip``, which may be newer than ``last.zip``.
        """
        course = self.course("last") if self.checkpoint("last").is_file() else Course()
        if self.checkpoint("best").is_file():
            course.best = self.course("best").best
        return course

    def reward(self, cars: int) -> RewardFunction:
        """The run's reward function for so many cars."""
        return RewardFunction.load(self.path / "reward_function.py", cars)


def add_course(archive: IO[bytes], course: Course) -> None:
    """Put the course into a checkpoint that stable-baselines3 has written."""
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("course.json", json.dumps(asdict(course)))


def write(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all. Raises `RunError` if the system does not let us."""
    temporary = path.with_name(f".{path.name}.part")
    with unwritable(path):
        try:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink()


def in_both_directions(tracks: Iterable[Track]) -> tuple[Track, ...]:
    """Every track, followed by the same in the other direction."""
    turned = ((track, Track(track.name, track.route[::-1].copy(), not track.is_reversed)) for track in tracks)
    return tuple(track for pair in turned for track in pair)


def free_folder(parent: Path, name: str) -> Path:
    """Give `parent/name`, or the first of ``name-2``, ``name-3`` ... that does not exist."""
    candidates: Iterable[Path] = (parent / (name if i == 1 else f"{name}-{i}") for i in range(1, 10_000))
    return next(path for path in candidates if not path.exists())


def _route_file(k: int) -> str:
    return f"track-{k + 1}.npy" if k else "track.npy"


def _npy(route: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, route, allow_pickle=False)
    return buffer.getvalue()


def _provenance(model: ModelFolder, settings: Settings, tracks: Sequence[Track]) -> dict[str, Any]:
    files = {
        "reward_function.py": model.reward.read_bytes(),
        "model_metadata.json": model.metadata.to_json().encode(),
        "hyperparameters.json": to_json(model.hyperparameters.model_dump()).encode(),
        **{_route_file(k): _npy(track.route) for k, track in enumerate(tracks)},
    }
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": settings.seed,
        "python": sys.version.split()[0],
        "machine": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
