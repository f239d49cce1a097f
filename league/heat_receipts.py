"""The receipt of a heat: who raced, how, and what came out, signed as `league.receipts` says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from league.errors import LeagueError
from league.heat_job import heat_runs_of
from league.heats import HeatResult, HeatRun
from league.race_file import race_of
from league.races import RaceSettings
from league.receipts import DifferentResultError, Receipt, ReceiptError, content_of, race_hash, signed
from league.settings_file import to_json

FORMAT = "heat 1"


@dataclass(frozen=True)
class HeatReceipt:
    """What is signed of a heat."""

    league: str  #: the public key of the league, in hexadecimal
    bracket: str
    heat: str
    racers: tuple[str, ...]  #: in the order of the first starting grid
    bundles_sha256: tuple[str, ...]  #: of their drivers
    settings: RaceSettings
    route_sha256: str  #: of the track's numbers
    engine: Mapping[str, str]  #: versions of what computed it
    runs: tuple[HeatRun, ...]

    @property
    def result(self) -> HeatResult:
        """Who came first."""
        return HeatResult(self.racers, self.runs)

    def __str__(self) -> str:
        return f"{self.result.winner} won heat {self.heat} of {self.bracket}, {' - '.join(self.racers)}"

    def to_json(self, key: Ed25519PrivateKey) -> str:
        """Sign it, and write it in its one form."""
        return signed(self._content(), key)

    def _content(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "settings": json.loads(to_json(self.settings)),
            "race_sha256": race_hash(self.settings, self.route_sha256, [run.seed for run in self.runs]),
            "runs": [asdict(run) for run in self.runs],
            "winner": self.result.winner,
        }

    @classmethod
    def parse(cls, text: str) -> HeatReceipt:
        """Read a receipt and check its form and its signature; whose key it is, is for the reader to compare.

        Raises:
            ReceiptError: anything about it is not as it was signed.
        """
        content = content_of(text)
        try:
            values = {name: content[name] for name in cls.__dataclass_fields__}
            values |= {"settings": race_of(content["settings"]), "runs": heat_runs_of(content["runs"])}
            values |= {"racers": tuple(content["racers"]), "bundles_sha256": tuple(content["bundles_sha256"])}
            receipt = cls(**values)
            said = json.loads(json.dumps(receipt._content()))
        except (ValueError, KeyError, TypeError, AttributeError, LeagueError) as error:
            raise ReceiptError("it is not a receipt of a heat") from error
        if content != said or len(receipt.racers) != len(receipt.bundles_sha256):
            raise ReceiptError("its parts contradict each other")
        return receipt

    def compare(self, runs: Sequence[HeatRun]) -> None:
        """Compare with the runs of the same drivers driven again, but not how a replay has them.

        Raises:
            DifferentResultError: they differ.
        """
        if [run.seed for run in runs] != [run.seed for run in self.runs]:
            raise DifferentResultError("it was driven under other seeds")
        for number, (then, now) in enumerate(zip(self.runs, runs, strict=True), start=1):
            if replace(then, replay_sha256="") != replace(now, replay_sha256=""):
                what = "finishes" if then.finishes != now.finishes else "steps"
                raise DifferentResultError(f"run {number} of heat {self.heat} has other {what} now")


def parse_any(text: str) -> Receipt | HeatReceipt:
    """Read a receipt of either kind. Raises `ReceiptError`."""
    return HeatReceipt.parse(text) if content_of(text).get("format") == FORMAT else Receipt.parse(text)
