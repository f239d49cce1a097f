"""What tests of several modules share: laps take a second to drive, so they are driven once."""

import pytest

from racer_env.car import DEEPRACER_V6
from racer_env.race import Race
from racer_env.reference_laps import ReferenceLap, drive_reference_laps
from racer_env.track import Track, find_track


@pytest.fixture(scope="session")
def oval() -> Track:
    return find_track("oval")


@pytest.fixture(scope="session")
def reference_laps(oval: Track) -> list[ReferenceLap]:
    """All reference laps of an empty oval."""
    return drive_reference_laps(oval, DEEPRACER_V6, Race())
