"""``sweep.toml``: what is swept, and what for.

Paths in it are relative to the file. Everywhere that a value is swept, the file may give one value, a list of choices,
or a range ``{low, high}`` with ``log = true`` or ``step``; a range between whole numbers holds whole numbers only.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from racer_env.car import find_car
from racer_env.commands.race_options import populated
from racer_env.errors import RacerError, nearest
from racer_env.metadata import STATE
from racer_env.race import TIME_TRIAL, Race
from racer_env.randomisation import find_level
from racer_env.user_code import abbreviated
from training.model_folder import Hyperparameters
from training.networks import ARCHITECTURES
from training.sweep.domain import Choice, Domain, Range

#: Hyperparameters that `racer train` reads without effect, so that a sweep of them would compare noise.
WITHOUT_EFFECT = frozenset(
    {
        "stack_size",
        "exploration_type",
        "e_greedy_value",
        "epsilon_steps",
        "sac_alpha",
        "term_cond_max_episodes",
        "term_cond_avg_score",
    }
)

CRITICS = (STATE, "SENSORS")


class SweepError(RacerError):
    """A sweep that cannot be planned, started or continued."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def domains(self) -> dict[str, Choice | Range]:
        """What is said of a value, by its name."""
        return {key: value for key, value in vars(self).items() if isinstance(value, Choice | Range)}


class TrainingOptions(_Section):
    """``[training]``: options of `racer train`."""

    car: Domain | None = None
    network: Domain | None = None
    critic: Domain | None = None
    cars: Domain | None = None
    randomise: Domain | None = None
    jitter: Domain | None = None
    reverse: Domain | None = None
    both_directions: Domain | None = None
    evaluate_every: Domain | None = None


class RaceOptions(_Section):
    """``[race]``: what is on the track; not swept."""

    kind: str = "time_trial"
    obstacles: int | None = Field(None, ge=0)
    bots: int | None = Field(None, ge=0)
    bot_speed: float | None = None
    lane_changes: bool = False
    random_places: bool = False


class ActionSpaces(_Section):
    """``[action_space]``: either some ``model_metadata.json``, or the numbers of an `ActionGrid`."""

    files: tuple[Path, ...] = ()
    action_space_type: Domain | None = None
    max_steering_angle: Domain | None = None
    steering_granularity: Domain | None = None
    max_speed: Domain | None = None
    min_speed: Domain | None = None
    speed_granularity: Domain | None = None


class Rewards(_Section):
    """``[reward]``: some reward files instead of the model's, and constants in them."""

    files: tuple[Path, ...] = ()
    constants: dict[str, Domain] = {}


class Plan(_Section):
    """A ``sweep.toml``."""

    model: Path  #: a model folder: what is not swept is as it is there
    track: tuple[str, ...] = Field(min_length=1)
    trials: int = Field(20, ge=1)  #: candidates to try
    steps: int = Field(40_000, ge=1)  #: that each training of a candidate takes
    seeds: int = Field(3, ge=1)  #: trainings of a candidate, with the seeds 0, 1, 2 ...
    seed: int = Field(0, ge=0)  #: of the choice of candidates
    objective: Literal["completion", "lap_time", "steps_to_laps"] = "completion"
    laps: int = Field(5, ge=1)  #: in a row, for ``steps_to_laps``
    pruner: Literal["median", "none"] = "median"
    hyperparameters: dict[str, Domain] = {}
    training: TrainingOptions = TrainingOptions()
    race: RaceOptions = RaceOptions()
    action_space: ActionSpaces = ActionSpaces()
    reward: Rewards = Rewards()

    @field_validator("track", mode="before")
    @classmethod
    def _tracks(cls, track: Any) -> Any:
        return (track,) if isinstance(track, str) else track

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a file of TOML, or of JSON if it is called so; its paths become relative to where we are.

        Raises:
            SweepError: it cannot be read, or a value in it is not allowed; the sentence names the key.
        """
        try:
            text = path.read_bytes().decode()
            raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
            return cls.model_validate(raw).below(path.parent).checked()
        except OSError as error:
            raise SweepError(f"{path} cannot be read: {error.strerror or error}") from error
        except ValidationError as error:
            raise SweepError(f"{path}: {_sentence(error)}") from error
        except RacerError as error:
            raise SweepError(f"{path}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise SweepError(f"{path} is not {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from error

    def below(self, folder: Path) -> Plan:
        """The same with paths that were relative to a folder."""
        tracks = [str(folder / name) if Path(name).suffix in (".npy", ".toml") else name for name in self.track]
        return self.moved(
            folder / self.model,
            tracks,
            [folder / file for file in self.reward.files],
            [folder / file for file in self.action_space.files],
        )

    def moved(self, model: Path, tracks: list[str], rewards: list[Path], actions: list[Path]) -> Plan:
        """The same with its files elsewhere."""
        return self.model_copy(
            update={
                "model": model,
                "track": tuple(tracks),
                "reward": self.reward.model_copy(update={"files": tuple(rewards)}),
                "action_space": self.action_space.model_copy(update={"files": tuple(actions)}),
            }
        )

    def checked(self) -> Plan:
        """The same, if every value that may be drawn is allowed where it goes. Raises `RacerError`."""
        for key, domain in self.hyperparameters.items():
            _check_hyperparameter(key, domain)
        for key, domain in self.training.domains().items():
            _check_option(key, domain)
        for name in self.reward.constants:
            if not name.isupper() or not name.isidentifier():
                raise SweepError(f"reward.constants.{name}: constants are written in capitals, such as SPEED_WEIGHT")
        grid = self.action_space.domains()
        if self.action_space.files and grid:
            raise SweepError(f"action_space has files and {next(iter(grid))}, but can have only one of the two")
        if {"min_speed", "max_speed"} <= grid.keys() and not _below(grid["min_speed"], grid["max_speed"]):
            raise SweepError("action_space.min_speed must be less than action_space.max_speed, whichever are drawn")
        if not self.swept:
            raise SweepError("nothing is swept: give a list or a range, such as lr = {low = 1e-4, high = 1e-3}")
        return self

    @property
    def swept(self) -> list[str]:
        """Names of what differs between trials, files first."""
        sections = (self.hyperparameters, self.training.domains(), self.action_space.domains(), self.reward.constants)
        files = [name for name, several in self.variants().items() if len(several) > 1]
        return files + [key for section in sections for key, domain in section.items() if not domain.fixed]

    def variants(self) -> dict[str, dict[str, Path]]:
        """The files to choose from by what they are called, for ``reward`` and ``action_space``."""
        return {
            "reward": _by_name(self.reward.files or (self.model / "reward_function.py",)),
            "action_space": _by_name(self.action_space.files),
        }

    @property
    def around(self) -> Race:
        """What is on the track. Raises `RacerError` for what cannot be there."""
        r = self.race
        return populated(TIME_TRIAL, r.kind, r.obstacles, r.bots, r.bot_speed, r.lane_changes, r.random_places)


def _by_name(files: Iterable[Path]) -> dict[str, Path]:
    """Files by what they are called; those with the usual name are called as the folder that they lie in."""
    usual = ("reward_function", "model_metadata")
    named: dict[str, Path] = {}
    for file in files:
        name = file.resolve().parent.name if file.stem in usual else file.stem
        if name in named:
            raise SweepError(f"{named[name]} and {file} would both be called {name!r}; rename one of them")
        named[name] = file
    return named


def _below(low: Choice | Range, high: Choice | Range) -> bool:
    """Whether every number of one domain is less than every number of another."""
    numbers = [[v for v in domain.ends if isinstance(v, int | float)] for domain in (low, high)]
    return bool(all(numbers)) and max(numbers[0]) < min(numbers[1])


def _check_hyperparameter(key: str, domain: Choice | Range) -> None:
    known = Hyperparameters.model_fields
    if key not in known:
        raise SweepError(f"hyperparameters.{key}: there is no such hyperparameter; {nearest(key, known)}")
    if key in WITHOUT_EFFECT:
        raise SweepError(f"hyperparameters.{key} has no effect on training; leave it out")
    if known[key].annotation is int and isinstance(domain, Range) and not domain.whole:
        raise SweepError(f"hyperparameters.{key} takes whole numbers; write low and high without a decimal point")
    for value in domain.ends:
        try:
            Hyperparameters.model_validate({key: value}, strict=True)
        except ValidationError as error:
            raise SweepError(f"hyperparameters.{_sentence(error)}") from error


def _check_option(key: str, domain: Choice | Range) -> None:
    """Make sure that an option of a training takes every value of a domain."""
    for value in domain.ends:
        if key in ("cars", "evaluate_every"):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
                raise SweepError(f"training.{key} is {value!r}, but must be a whole number from 1 to 4096")
        elif key in ("jitter", "reverse", "both_directions"):
            if not isinstance(value, bool):
                raise SweepError(f"training.{key} is {value!r}, but must be true or false")
        elif not isinstance(value, str):
            raise SweepError(f"training.{key} is {value!r}, but must be text")
        elif key == "car":
            find_car(value)
        elif key == "randomise":
            find_level(value)
        elif value not in (known := {"critic": CRITICS, "network": tuple(ARCHITECTURES)}[key]):
            raise SweepError(f"training.{key} is {value!r}; {nearest(value, known)}")


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with the first value that is, and what its key may have meant."""
    first = error.errors()[0]
    *parents, key = (str(part) for part in first["loc"])
    name = ".".join((*parents, key))
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "extra_forbidden":
        section: Any = Plan
        for parent in parents:
            section = section.model_fields[parent].annotation
        return f"there is no {name!r}; {nearest(key, section.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name} is {abbreviated(first['input'])}; {message[0].lower()}{message[1:]}"
