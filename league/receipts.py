"""A receipt: what was driven, how, and what came out, signed, so that anybody can drive it again and compare.

A receipt is one line of JSON in its canonical form (sorted keys, no spaces, UTF-8), of which no byte can be changed:
the form, the signature and the result are all checked. The signature is Ed25519 (RFC 8032) of everything but itself,
by the league's key.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from league.drives import runs_of
from league.errors import LeagueError
from league.evaluation import Run
from league.heats import HeatRun
from league.race_file import race_of, race_to_json
from league.races import RaceSettings

NONE = "it is not a receipt of a league"
Kind = TypeVar("Kind")
Driven = TypeVar("Driven", Run, HeatRun)


class ReceiptError(LeagueError):
    """A receipt that is broken, forged, or not what comes out when it is driven again."""


class DifferentResultError(ReceiptError):
    """What comes out now is not what the receipt says."""


@dataclass(frozen=True, kw_only=True)
class Signed(Generic[Driven]):
    """What every receipt says: whose it is, how was driven, by what, and what came out."""

    FORMAT: ClassVar[int | str]
    RUN: ClassVar[type[Any]]

    league: str  #: the public key of the league, in hexadecimal
    settings: RaceSettings
    route_sha256: str  #: of the track's numbers
    engine: Mapping[str, str]  #: versions of what computed it
    runs: tuple[Driven, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """What everything random came from, of each run."""
        return tuple(run.seed for run in self.runs)

    @property
    def race_sha256(self) -> str:
        """What identifies the conditions: settings, track and seeds."""
        return race_hash(self.settings, self.route_sha256, self.seeds)

    def to_json(self, key: Ed25519PrivateKey) -> str:
        """Sign it, and write it in its one form."""
        return signed(self._content(), key)

    def _content(self) -> dict[str, Any]:
        """What is signed, in the values that JSON has."""
        content = {field.name: getattr(self, field.name) for field in fields(self)} | {
            "format": self.FORMAT,
            "settings": json.loads(race_to_json(self.settings)),
            "race_sha256": self.race_sha256,
            "runs": [asdict(run) for run in self.runs],
        }
        plain: dict[str, Any] = json.loads(canonical(content))
        return plain

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a receipt and check its form and its signature; whose key it is, is for the reader to compare.

        Raises:
            ReceiptError: anything about it is not as it was signed.
        """
        content = content_of(text)
        try:
            told = {field.name: content[field.name] for field in fields(cls)}
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
            }
            values |= {"settings": race_of(told["settings"]), "runs": runs_of(cls.RUN, told["runs"])}
            receipt = cls(**values)
            said = receipt._content()
            said["settings"] = _as_far_as(said["settings"], told["settings"])
        except (ValueError, KeyError, TypeError, AttributeError, LeagueError) as error:
            raise ReceiptError(NONE) from error
        if content != said:
            raise ReceiptError("its parts contradict each other")
        return receipt

    def compare(self, runs: Sequence[Driven]) -> None:
        """Compare with the same runs driven again. Raises `DifferentResultError` where they differ."""
        if tuple(run.seed for run in runs) != self.seeds:
            raise DifferentResultError("it was driven under other seeds")
        for number, (then, now) in enumerate(zip(self.runs, runs, strict=True), start=1):
            if differs := self._difference(then, now):
                raise DifferentResultError(f"run {number} {differs}")

    def _difference(self, then: Driven, now: Driven) -> str | None:
        """What differs between a run and the same driven again, in words, but for how a replay has them."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Receipt(Signed[Run]):
    """What is signed of a submission."""

    FORMAT = 1
    RUN = Run

    submission: int
    racer: str
    race: str
    bundle_sha256: str

    def __str__(self) -> str:
        return f"{self.racer} in {self.race}, submission {self.submission}"

    def _difference(self, then: Run, now: Run) -> str | None:
        if then.laps != now.laps:
            return f"has other laps: {_laps(then)} on the receipt, {_laps(now)} now"
        return None if then.trace_sha256 == now.trace_sha256 else "has the same laps, but not the same steps"


def _as_far_as(said: Any, told: Any) -> Any:
    """Settings without those that a receipt of an earlier version does not know."""
    if isinstance(said, dict) and isinstance(told, dict):
        return {name: _as_far_as(value, told[name]) for name, value in said.items() if name in told}
    return said


def _laps(run: Run) -> str:
    return ", ".join(f"{lap.time_ms / 1000:.3f} s" if lap.valid else lap.status for lap in run.laps) or "none"


def read_receipt(file: Path, parse: Callable[[str], Kind]) -> Kind:
    """Read a receipt's file with `Receipt.parse` or the like. Raises `ReceiptError`, which names the file."""
    try:
        return parse(file.read_text("utf-8").removesuffix("\n"))
    except OSError as error:
        raise ReceiptError(f"{file} cannot be read: {error.strerror}") from error
    except (ReceiptError, UnicodeDecodeError) as error:
        said = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
        raise ReceiptError(f"{file} fails: {said}") from error


def signed(content: dict[str, Any], key: Ed25519PrivateKey) -> str:
    """Content in its one form, with its signature."""
    return canonical(content | {"signature": key.sign(canonical(content).encode()).hex()})


def content_of(text: str) -> dict[str, Any]:
    """What was signed as this, by whose key its ``league`` is. Raises `ReceiptError` unless all of it is as signed."""
    try:
        content: dict[str, Any] = json.loads(text)
        signature = content.pop("signature")
        public = public_key(content["league"])
        if not re.fullmatch("[0-9a-f]{128}", signature) or canonical(content | {"signature": signature}) != text:
            raise ReceiptError("it is not in the form in which receipts are signed")
        public.verify(bytes.fromhex(signature), canonical(content).encode())
    except InvalidSignature as error:
        raise ReceiptError("its signature is wrong: it was changed after it was signed") from error
    except ReceiptError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReceiptError(NONE) from error
    return content


def canonical(value: Any) -> str:
    """JSON in its one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def race_hash(settings: RaceSettings, route_sha256: str, seeds: Sequence[int] | None = None) -> str:
    """What identifies a race's conditions; with its seeds, what is published before they are known."""
    content = {"settings_sha256": settings.sha256, "route_sha256": route_sha256, "seeds": seeds}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


@cache
def engine() -> Mapping[str, str]:
    """Versions of what decides a result to the last bit."""
    names = ("racer18", "numpy", "numba", "pillow", "torch")
    return {name: version(name) for name in names} | {"machine": f"{platform.system()} {platform.machine()}"}


def new_key(file: Path) -> None:
    """Make a league's key, readable by its owner only."""
    secret = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(secret)


def read_key(file: Path) -> Ed25519PrivateKey:
    """Read a league's key. Raises `LeagueError` if it is not there or is none."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise LeagueError(f"{file}: the league's signing key cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LeagueError(f"{file} is not an Ed25519 key")
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """A key's public half, in hexadecimal."""
    return key.public_key().public_bytes_raw().hex()


def public_key(hexadecimal: str) -> Ed25519PublicKey:
    """The key of these lower-case hexadecimal digits. Raises `ReceiptError` if they are none."""
    if not re.fullmatch("[0-9a-f]{64}", hexadecimal):
        raise ReceiptError(f"{hexadecimal!r} is no league's key")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(hexadecimal))
