"""The receipt of a heat: who raced, how, and what came out, signed as `league.receipts` says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from league.errors import LeagueError
from league.heats import HeatResult, HeatRun
from league.receipts import Receipt, Signed, content_of


@dataclass(frozen=True, kw_only=True)
class HeatReceipt(Signed[HeatRun]):
    """What is signed of a heat."""

    FORMAT = "heat 1"
    RUN = HeatRun

    bracket: str
    heat: str
    racers: tuple[str, ...]  #: in the order of the first starting grid
    bundles_sha256: tuple[str, ...]  #: of their drivers

    def __post_init__(self) -> None:
        if len(self.racers) != len(self.bundles_sha256):
            raise LeagueError(f"{len(self.racers)} racers cannot have {len(self.bundles_sha256)} drivers")

    @property
    def result(self) -> HeatResult:
        """Who came first."""
        return HeatResult(self.racers, self.runs)

    def __str__(self) -> str:
        return f"{self.result.winner} won heat {self.heat} of {self.bracket}, {' - '.join(self.racers)}"

    def _content(self) -> dict[str, Any]:
        return super()._content() | {"winner": self.result.winner}

    def _difference(self, then: HeatRun, now: HeatRun) -> str | None:
        if replace(then, replay_sha256="") == replace(now, replay_sha256=""):
            return None
        return f"of heat {self.heat} has other {'finishes' if then.finishes != now.finishes else 'steps'} now"


def parse_any(text: str) -> Receipt | HeatReceipt:
    """Read a receipt of either kind. Raises `ReceiptError`."""
    return HeatReceipt.parse(text) if content_of(text).get("format") == HeatReceipt.FORMAT else Receipt.parse(text)
