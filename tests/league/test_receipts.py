"""A receipt holds as it was signed, and with no byte changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from league.errors import LeagueError
from league.evaluation import Run
from league.heat_receipts import HeatReceipt, parse_any
from league.races import RaceSettings, RaceType
from league.receipts import Receipt, ReceiptError, canonical, new_key, public_hex, race_hash, read_key, read_receipt
from league.traffic import Boxes
from tests.league.conftest import laps

KEY = Ed25519PrivateKey.generate()
RECEIPT = Receipt(
    league=public_hex(KEY),
    submission=7,
    racer="Zoë",
    race="Spring",
    settings=RaceSettings(race_type=RaceType.OBJECT_AVOIDANCE, obstacles=Boxes(count=3), off_track_penalty=2.5),
    route_sha256="a" * 64,
    bundle_sha256="b" * 64,
    engine={"racer18": "0.1.0"},
    runs=(Run(1, laps(9000, 8765), "c" * 64), Run(2**63 - 1, (), "d" * 64)),
)
TEXT = RECEIPT.to_json(KEY)


def test_a_receipt_is_read_as_it_was_written() -> None:
    assert Receipt.parse(TEXT) == RECEIPT
    assert RECEIPT.to_json(KEY) == TEXT


@pytest.mark.parametrize(("kind", "name"), [(Receipt, "submission"), (HeatReceipt, "heat")])
def test_a_receipt_that_was_signed_long_ago_still_holds_byte_for_byte(kind: type[Receipt], name: str) -> None:
    text = (Path(__file__).parent / "stored" / f"{name}.json").read_text("utf-8").removesuffix("\n")
    kept = parse_any(text)
    assert type(kept) is kind
    assert kept.to_json(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))) == text
    said = {1: "Zoë in Spring Cup, submission 12", 7: "Zoë won heat W1.1 of Cup, Zoë - Bob"}
    assert str(kept) == said[kept.seeds[0]]
    with pytest.raises(ReceiptError):
        (HeatReceipt if kind is Receipt else Receipt).parse(text)


def test_no_byte_of_a_receipt_can_be_changed(tmp_path: Path) -> None:
    file, content = tmp_path / "receipt.json", bytearray((TEXT + "\n").encode())
    file.write_bytes(content)
    assert read_receipt(file, Receipt.parse) == RECEIPT
    for place in range(len(content) - 1):
        for flipped in (1, 32):
            changed = content.copy()
            changed[place] ^= flipped
            file.write_bytes(changed)
            with pytest.raises(ReceiptError):
                read_receipt(file, Receipt.parse)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        TEXT[:-1],
        TEXT + " ",
        " " + TEXT,
        json.dumps(json.loads(TEXT)),
        json.dumps(json.loads(TEXT), indent=1),
        TEXT.replace('"signature":"', '"signature":"00'),
        TEXT[:-1] + ',"more":1}',
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_no_receipt_in_its_one_form_fails(text: str) -> None:
    with pytest.raises(ReceiptError):
        Receipt.parse(text)


def test_another_key_cannot_sign_for_a_league() -> None:
    forged = RECEIPT.to_json(Ed25519PrivateKey.generate())
    with pytest.raises(ReceiptError, match="signature is wrong"):
        Receipt.parse(forged)


def test_even_a_signed_receipt_must_not_contradict_itself() -> None:
    content = json.loads(TEXT) | {"race_sha256": "e" * 64}
    with pytest.raises(ReceiptError, match="contradict"):
        Receipt.parse(resigned(content))


def resigned(content: dict[str, Any]) -> str:
    del content["signature"]
    return canonical(content | {"signature": KEY.sign(canonical(content).encode()).hex()})


def test_a_receipt_from_before_a_setting_was_added_still_holds() -> None:
    content = json.loads(TEXT)
    for settings, later in ((content["settings"], "mercy_resets"), (content["settings"]["obstacles"], "shape")):
        del settings[later]
    assert Receipt.parse(resigned(content)) == RECEIPT
    content = json.loads(TEXT)
    del content["settings"]["off_track_penalty"]  # which is not the default
    with pytest.raises(ReceiptError, match="contradict"):
        Receipt.parse(resigned(content))


def test_other_laps_steps_or_seeds_are_told() -> None:
    RECEIPT.compare(RECEIPT.runs)
    first, second = RECEIPT.runs
    for runs, says in (
        (
            (replace(first, laps=laps(9000, 8764)), second),
            r"run 1 has other laps: 9.000 s, 8.765 s on the receipt, 9.000",
        ),
        ((first, replace(second, trace_sha256="e" * 64)), "run 2 has the same laps, but not the same steps"),
        ((first, replace(second, seed=3)), "under other seeds"),
        ((first,), "under other seeds"),
    ):
        with pytest.raises(ReceiptError, match=says):
            RECEIPT.compare(runs)


def test_the_hash_of_a_race_depends_on_settings_track_and_seeds() -> None:
    settings = RaceSettings()
    hashes = {
        race_hash(settings, "a"),
        race_hash(settings, "b"),
        race_hash(replace(settings, laps=2), "a"),
        race_hash(settings, "a", [1, 2]),
        race_hash(settings, "a", [2, 1]),
    }
    assert len(hashes) == 5
    assert race_hash(replace(settings, max_submissions=9), "a") in hashes


def test_a_key_is_its_owners_only_and_is_never_replaced(tmp_path: Path) -> None:
    new_key(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        new_key(tmp_path / "key.pem")
    assert public_hex(read_key(tmp_path / "key.pem")) == public_hex(read_key(tmp_path / "key.pem"))
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(LeagueError, match="signing key cannot be read"):
        read_key(tmp_path / "key.pem")
