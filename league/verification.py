"""Receipts checked by driving again: the same bundle, race, track and seeds must give the same laps, step by step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from league import sandbox
from league.confinement import Limits
from league.evaluation import Job, check, evaluate, runs_of
from league.receipts import Receipt, ReceiptError, engine
from league.store import Floats, Store, read_archive
from racer_env.errors import BundleError


def verify(file: Path, store: Store | None = None, bundle: Path | None = None, limits: Limits = Limits()) -> Receipt:  # noqa: B008
    """Check a receipt's form and signature, drive what it says again, and compare.

    Args:
        file: the receipt.
        store: the league that signed it, whose bundle and track are taken.
        bundle: the driver's file, if it is not to be the league's.
        limits: of the drive.

    Raises:
        ReceiptError: it was changed, another league signed it, or something else comes out now.
        BundleError: the bundle cannot be read, or is another driver.
        LeagueError: the league has not what it takes.
    """
    receipt = Receipt.read(file)
    if store and store.public_key != receipt.league:
        raise ReceiptError(f"{file} fails: another league signed it, whose key is {receipt.league}")
    archive, name = _archive(receipt, store, bundle)
    job = Job(archive, name, receipt.settings, _route(receipt, store), tuple(run.seed for run in receipt.runs))
    sandbox.prepare()
    if _value(sandbox.run(check, (archive, name), limits), file) != receipt.bundle_sha256:
        raise BundleError(f"{name} is another driver than that of {file}")
    try:
        receipt.compare(runs_of(_value(sandbox.run(evaluate, job, limits), file)))
    except ReceiptError as error:
        raise ReceiptError(f"{file} fails: {error}{_other_engine(receipt)}") from error
    return receipt


def _archive(receipt: Receipt, store: Store | None, bundle: Path | None) -> tuple[bytes, str]:
    if bundle:
        return read_archive(bundle), bundle.name
    if store is None:
        raise ReceiptError("say where the driver is: --bundle FILE, or the league with --league FOLDER")
    kept = store.bundle_path(receipt.bundle_sha256)
    return read_archive(kept), kept.name


def _route(receipt: Receipt, store: Store | None) -> Floats:
    """The numbers of a receipt's track, from its league or from here."""
    if store:
        return store.route(receipt.route_sha256)
    from racer_env.track import find_track  # noqa: PLC0415 (loads the simulator)

    route: Floats = find_track(receipt.settings.track).route
    if hashlib.sha256(np.ascontiguousarray(route, "<f8").tobytes()).hexdigest() != receipt.route_sha256:
        raise ReceiptError(f"the track {receipt.settings.track} is not the same here as on the receipt")
    return route


def _value(outcome: sandbox.Outcome, file: Path) -> object:
    if outcome.refused or outcome.failed:
        raise ReceiptError(f"{file} fails: it cannot be driven: {outcome.refused or outcome.failed}")
    return outcome.value


def _other_engine(receipt: Receipt) -> str:
    """What computes here and did not there, which may be why results differ."""
    here = engine()
    differ = [
        f"{name} {then}, here {here.get(name)}" for name, then in receipt.engine.items() if here.get(name) != then
    ]
    return f" (it was driven with {'; '.join(differ)})" if differ else ""
