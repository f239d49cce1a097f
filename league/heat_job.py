"""A heat as a job for a process of its own (`league.sandbox`): what it takes, and what comes back as JSON."""

# ruff: noqa: PLC0415

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from league.drives import as_json
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
    replays: bool = True  #: whether to give them back

    @property
    def simulated(self) -> float:
        """Seconds that are simulated at most, of all cars."""
        return self.settings.longest_run * len(self.seeds) * len(self.drivers)


def drive_heat(job: HeatJob) -> dict[str, Any]:
    """Drive a heat; always the same for the same job.

    Returns:
        What `league.drives.driven_of` takes.

    Raises:
        BundleError, MetadataError: a bundle cannot be driven; the sentence names its racer.
    """
    from league.heat_evaluation import race_heat
    from racer_env.track import Track

    settings = job.settings
    bundles = {racer: _bundle(racer, archive) for racer, archive in job.drivers.items()}
    track = Track.from_route(job.route, settings.track, reverse=settings.reverse)
    driven = race_heat(bundles, settings, job.seeds, track)
    return as_json(driven.result.runs, driven.replays if job.replays else ())


def _bundle(racer: str, archive: bytes) -> Any:
    from racer_env.bundle import Bundle

    try:
        return Bundle.read(io.BytesIO(archive), "driver.tar.gz")
    except (BundleError, MetadataError) as error:
        raise BundleError(f"{racer}: {error}") from error
