"""What a swept value may be: one of some choices, or anything in a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator, PlainSerializer

Value = str | bool | int | float


class Suggests(Protocol):
    """What an Optuna trial offers."""

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        """Choose one of some values."""

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        """Choose a whole number."""

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        """Choose a number."""


@dataclass(frozen=True)
class Choice:
    """One of these; a single one is not swept but fixed."""

    values: tuple[Value, ...]

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return len(self.values) == 1

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values by which to see whether all are allowed."""
        return self.values

    def __contains__(self, value: object) -> bool:
        return any(type(value) is type(known) and value == known for known in self.values)

    def draw(self, name: str, trial: Suggests) -> Value:
        """Let a trial choose."""
        chosen: Value = self.values[0] if self.fixed else trial.suggest_categorical(name, self.values)
        return chosen


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; whole numbers if both are."""

    low: float
    high: float
    log: bool = False  #: drawn evenly by order of magnitude
    step: float | None = None  #: between values, counted from `low`

    fixed = False

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.low, self.high))) or self.low >= self.high:
            raise ValueError(f"low {self.low!r} must be less than high {self.high!r}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(f"log needs a low above 0 and no step, not low {self.low!r}, step {self.step!r}")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step {self.step!r} must be more than 0 and fit between low and high")
        if self.whole and self.step is not None and not isinstance(self.step, int):
            raise ValueError(f"step {self.step!r} must be whole, as low and high are")

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values by which to see whether all are allowed."""
        return self.low, self.high

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / (self.step or 1)
        return not (self.whole or self.step) or math.isclose(steps, round(steps), abs_tol=1e-9)

    def draw(self, name: str, trial: Suggests) -> Value:
        """Let a trial choose."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


def _domain(raw: Any) -> Choice | Range:
    """Read a value, a list of values, or ``{low, high}`` with ``log`` or ``step``."""
    if isinstance(raw, Choice | Range):
        return raw
    if isinstance(raw, dict):
        return _range(raw)
    values = tuple(raw) if isinstance(raw, list) else (raw,)
    for value in values:
        if not isinstance(value, Value) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{value!r} is neither text nor a finite number")
    if not values or len({(type(v), v) for v in values}) < len(values):
        raise ValueError("a list of choices must hold something, and nothing twice")
    return Choice(values)


def _range(raw: dict[str, Any]) -> Range:
    known = ("low", "high", "log", "step")
    if unknown := [key for key in raw if key not in known]:
        raise ValueError(f"a range has no {unknown[0]!r}, but {', '.join(known)}")
    if missing := [key for key in ("low", "high") if key not in raw]:
        raise ValueError(f"a range needs {missing[0]!r}")
    for key in ("low", "high", "step"):
        if isinstance(raw.get(key), bool) or not isinstance(raw.get(key, 1), int | float):
            raise ValueError(f"{key} {raw[key]!r} is not a number")
    if not isinstance(raw.get("log", False), bool):
        raise ValueError(f"log {raw['log']!r} is neither true nor false")
    return Range(**raw)


def _plain(domain: Choice | Range) -> Any:
    """The reverse of `_domain`."""
    if isinstance(domain, Choice):
        return list(domain.values) if len(domain.values) > 1 else domain.values[0]
    return {key: value for key, value in vars(domain).items() if value is not None and value is not False}


#: A field of a file that says what is swept.
Domain = Annotated[Choice | Range, BeforeValidator(_domain), PlainSerializer(_plain)]
