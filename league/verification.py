"""Receipts checked by driving again: the same bundle, race, track and seeds must give the same laps, step by step."""

from __future__ import annotations

from pathlib import Path

from league import sandbox
from league.confinement import Limits
from league.drives import driven_of
from league.evaluation import Job, Run, check, evaluate
from league.heat_job import HeatJob, drive_heat
from league.heat_receipts import HeatReceipt, parse_any
from league.heats import HeatRun
from league.receipts import DifferentResultError, Receipt, ReceiptError, engine, read_receipt
from league.store import Floats, Store, read_archive, route_hash
from racer_env.errors import BundleError


def verify(
    file: Path,
    store: Store | None = None,
    bundle: Path | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is frozen)
) -> Receipt | HeatReceipt:
    """Check a receipt's form and signature, drive what it says again, and compare.

    Args:
        file: the receipt, of a submission or a heat.
        store: the league that signed it, whose bundles and track are taken; a heat's receipt needs it.
        bundle: the driver's file, if it is not to be the league's.
        limits: of the drive.

    Raises:
        ReceiptError: it was changed, another league signed it, or something else comes out now.
        BundleError: the bundle cannot be read, or is another driver.
        LeagueError: the league has not what it takes.
    """
    receipt = read_receipt(file, parse_any)
    if store and store.public_key != receipt.league:
        raise ReceiptError(f"{file} fails: another league signed it, whose key is {receipt.league}")
    sandbox.prepare()
    try:
        if isinstance(receipt, HeatReceipt):
            _drive_heat(receipt, store, file, limits)
        else:
            _drive(receipt, store, bundle, file, limits)
    except DifferentResultError as error:
        raise ReceiptError(f"{file} fails: {error}{_other_engine(receipt)}") from error
    return receipt


def _drive(receipt: Receipt, store: Store | None, bundle: Path | None, file: Path, limits: Limits) -> None:
    archive, name = _archive(receipt, store, bundle)
    job = Job(archive, name, receipt.settings, _route(receipt, store), receipt.seeds, replays=False)
    _check_driver(archive, name, receipt.bundle_sha256, file, limits)
    value = _value(sandbox.run(evaluate, job, limits.driving(job.simulated)), file)
    receipt.compare(driven_of(Run, value).runs)


def _drive_heat(receipt: HeatReceipt, store: Store | None, file: Path, limits: Limits) -> None:
    if store is None:
        raise ReceiptError("say where the drivers of a heat are: the league with --league FOLDER")
    drivers = {}
    for racer, sha256 in zip(receipt.racers, receipt.bundles_sha256, strict=True):
        kept = store.bundle_path(sha256)
        drivers[racer] = read_archive(kept)
        _check_driver(drivers[racer], kept.name, sha256, file, limits)
    job = HeatJob(drivers, receipt.settings, store.route(receipt.route_sha256), receipt.seeds, replays=False)
    value = _value(sandbox.run(drive_heat, job, limits.driving(job.simulated, len(drivers))), file)
    receipt.compare(driven_of(HeatRun, value).runs)


def _check_driver(archive: bytes, name: str, sha256: str, file: Path, limits: Limits) -> None:
    if _value(sandbox.run(check, (archive, name), limits), file) != sha256:
        raise BundleError(f"{name} is another driver than that of {file}")


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
    if route_hash(route) != receipt.route_sha256:
        raise ReceiptError(f"the track {receipt.settings.track} is not the same here as on the receipt")
    return route


def _value(outcome: sandbox.Outcome, file: Path) -> object:
    if outcome.refused or outcome.failed:
        raise ReceiptError(f"{file} fails: it cannot be driven: {outcome.refused or outcome.failed}")
    return outcome.value


def _other_engine(receipt: Receipt | HeatReceipt) -> str:
    """What computes here and did not there, which may be why results differ."""
    here = engine()
    differ = [
        f"{name} {then}, here {here.get(name)}" for name, then in receipt.engine.items() if here.get(name) != then
    ]
    return f" (it was driven with {'; '.join(differ)})" if differ else ""
