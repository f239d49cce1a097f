"""A heat as a job for a process of its own (`league.sandbox`): what it takes, and what comes back as JSON."""

# ruff: noqa: PLC0415

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from league.heats import HeatRun
from league.races import RaceSettings
from racer_env.errors import BundleError, MetadataError

if TYPE_CHECKING:
    from racer_env.kernel import Floats


@dataclass(frozen=True, eq=False)
class HeatJob:
    """A heat to drive, with everything that it takes."""

    drivers: Mapping[str, bytes]  #: the bundles' files by racer, in the order of the starting grid
    settings: RaceSettings
    route: Floats  #: (p, 6) of the track
    seeds: tuple[int, ...]

    @property
    def simulated(self) -> float:
        """Seconds that are simulated at most, of all cars."""
        return self.settings.longest_run * len(self.seeds) * len(self.drivers)


@dataclass(frozen=True)
class DrivenRuns:
    """What came out of a heat."""

    runs: tuple[HeatRun, ...]
    replays: tuple[bytes, ...]  #: the file of each run


def drive_heat(job: HeatJob) -> dict[str, Any]:
    """Drive a heat; always the same for the same job.

    Returns:
        What `driven_runs` takes.

    Raises:
        BundleError, MetadataError: a bundle cannot be driven; the sentence names its racer.
    """
    from league.heat_evaluation import race_heat
    from racer_env.replay_file import encode
    from racer_env.track import Track

    settings = job.settings
    bundles = {racer: _bundle(racer, archive) for racer, archive in job.drivers.items()}
    track = Track.from_route(job.route, settings.track, reverse=settings.reverse)
    driven = race_heat(bundles, settings, job.seeds, track)
    replays = [base64.b64encode(encode(replay)).decode() for replay in driven.replays]
    return {"runs": [asdict(run) for run in driven.result.runs], "replays": replays}


def driven_runs(value: Any) -> DrivenRuns:
    """What `drive_heat` gave, as values. Raises `ValueError` if it is something else."""
    try:
        runs, replays = value["runs"], value["replays"]
        files = tuple(base64.b64decode(file, validate=True) for file in replays)
    except (TypeError, KeyError) as error:
        raise ValueError(f"this did not come from a heat: {error}") from error
    made = heat_runs_of(runs)
    if len(files) != len(made):
        raise ValueError(f"{len(made)} runs have {len(files)} replays")
    return DrivenRuns(made, files)


def heat_runs_of(values: Any) -> tuple[HeatRun, ...]:
    """The runs of a heat from plain values. Raises `ValueError` if they are something else."""
    return _runs().validate_python(values)


@cache
def _runs() -> TypeAdapter[tuple[HeatRun, ...]]:
    return TypeAdapter(tuple[HeatRun, ...])


def _bundle(racer: str, archive: bytes) -> Any:
    from racer_env.bundle import Bundle

    try:
        return Bundle.read(io.BytesIO(archive), "driver.tar.gz")
    except (BundleError, MetadataError) as error:
        raise BundleError(f"{racer}: {error}") from error
