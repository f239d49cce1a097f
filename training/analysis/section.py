"""One subject of an analysis: a table and a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.analysis.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Section:
    """A subject."""

    name: str  #: also that of the picture's file
    title: str
    text: str  #: what is to be seen, in a sentence or two
    table: Table
    draw: Callable[[Figure], None]  #: draws the picture on an empty figure of `size`
    size: tuple[float, float]  #: inches
