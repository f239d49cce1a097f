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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from league.errors import LeagueError
from league.evaluation import Run, runs_of
from league.race_file import race_of, race_to_json
from league.races import RaceSettings

FORMAT = 1


class ReceiptError(LeagueError):
    """A receipt that is broken, forged, or not what comes out when it is driven again."""


@dataclass(frozen=True)
class Receipt:
    """What is signed."""

    league: str  #: the public key of the league, in hexadecimal
    submission: int
    racer: str
    race: str
    settings: RaceSettings
    route_sha256: str  #: of the track's numbers
    bundle_sha256: str
    engine: Mapping[str, str]  #: versions of what computed it
    runs: tuple[Run, ...]

    @property
    def race_sha256(self) -> str:
        """What identifies the conditions: settings, track and seeds."""
        return race_hash(self.settings, self.route_sha256, [run.seed for run in self.runs])

    def to_json(self, key: Ed25519PrivateKey) -> str:
        """Sign it, and write it in its one form."""
        content = self._content()
        return canonical(content | {"signature": key.sign(canonical(content).encode()).hex()})

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "settings": json.loads(race_to_json(self.settings)),
            "race_sha256": self.race_sha256,
            "runs": [run.to_dict() for run in self.runs],
        }

    @classmethod
    def parse(cls, text: str) -> Receipt:
        """Read a receipt and check its form and its signature; whose key it is, is for the reader to compare.

        Raises:
            ReceiptError: anything about it is not as it was signed.
        """
        try:
            content = json.loads(text)
            signature = content.pop("signature")
            public = public_key(content["league"])
            if not re.fullmatch("[0-9a-f]{128}", signature) or canonical(content | {"signature": signature}) != text:
                raise ReceiptError("it is not in the form in which receipts are signed")
            public.verify(bytes.fromhex(signature), canonical(content).encode())
            values = {name: content[name] for name in cls.__dataclass_fields__}
            values |= {"settings": race_of(content["settings"]), "runs": runs_of(content["runs"])}
            receipt = cls(**values)
        except InvalidSignature as error:
            raise ReceiptError("its signature is wrong: it was changed after it was signed") from error
        except ReceiptError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LeagueError) as error:
            raise ReceiptError("it is not a receipt of a league") from error
        if content != receipt._content():
            raise ReceiptError("its parts contradict each other")
        return receipt

    @classmethod
    def read(cls, file: Path) -> Receipt:
        """Do what `parse` does for a file."""
        try:
            return cls.parse(file.read_text("utf-8").removesuffix("\n"))
        except OSError as error:
            raise ReceiptError(f"{file} cannot be read: {error.strerror}") from error
        except (ReceiptError, UnicodeDecodeError) as error:
            said = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
            raise ReceiptError(f"{file} fails: {said}") from error

    def compare(self, runs: Sequence[Run]) -> None:
        """Compare with the runs of the same bundle driven again. Raises `ReceiptError` where they differ."""
        if [run.seed for run in runs] != [run.seed for run in self.runs]:
            raise ReceiptError("it was driven under other seeds")
        for number, (then, now) in enumerate(zip(self.runs, runs, strict=True), start=1):
            if then.laps != now.laps:
                raise ReceiptError(f"run {number} has other laps: {_laps(then)} on the receipt, {_laps(now)} now")
            if then.trace_sha256 != now.trace_sha256:
                raise ReceiptError(f"run {number} has the same laps, but not the same steps")


def _laps(run: Run) -> str:
    return ", ".join(f"{lap.time_ms / 1000:.3f} s" if lap.valid else lap.status for lap in run.laps) or "none"


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
