"""A table as a value: raw cells for JSON, written cells for a terminal and for HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column: its heading and unit, and how its numbers are written."""

    name: str
    unit: str = ""
    form: str = ""  #: a format specification such as ``.1f``; of text, none

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def write(self, value: Any) -> str:
        """Write a cell; what is unknown is a dash."""
        return "–" if value is None else format(value, self.form)


@dataclass(frozen=True)
class Table:
    """Columns, and rows that have a value or None for each of them."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def written(self) -> list[list[str]]:
        """The rows as text."""
        return [[c.write(v) for c, v in zip(self.columns, row, strict=True)] for row in self.rows]

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows as JSON has them, by heading."""
        return [{c.heading: v for c, v in zip(self.columns, row, strict=True)} for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers, and are aligned to the right."""
        return [bool(c.form) for c in self.columns]
