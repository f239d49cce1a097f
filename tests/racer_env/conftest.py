"""What tests of several modules share: laps take a second to drive, so they are driven once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racer_env.car import DEEPRACER_V6
from racer_env.driver import PurePursuit
from racer_env.obstacles import INNER, OUTER
from racer_env.race import Race
from racer_env.reference_laps import ReferenceLap, drive_reference_laps
from racer_env.reward import Params
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track


@pytest.fixture(scope="session")
def oval() -> Track:
    return find_track("oval")


@pytest.fixture(scope="session")
def reference_laps(oval: Track) -> list[ReferenceLap]:
    """All reference laps of an empty oval."""
    return drive_reference_laps(oval, DEEPRACER_V6, Race())


WAYPOINTS = [(0.1 * i, 0.0) for i in range(120)]


def car(**changes: Any) -> Params:
    return {
        "x": 1.0,
        "speed": 2.0,
        "steps": 2.0,
        "waypoints": WAYPOINTS,
        "closest_waypoints": [9, 10],
    } | changes


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(text: str | bytes) -> Path:
        path = tmp_path / "reward_function.py"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return _write


@pytest.fixture(scope="session")
def kidney() -> Track:
    return find_track("kidney")


def world_of(track: Track, race: Race, n: int = 1, **arguments: Any) -> Simulator:
    made = Simulator(track, race=race, n=n, actions=PurePursuit.actions, **arguments)
    made.reset()
    return made


def lane_of(world: Simulator, track: Track, j: int) -> int:
    """The lane on which a body of world 0 stands, by the borders' distances alone."""
    body = world.state.bodies[0, j]
    inner = np.min(np.hypot(*(track.inner - [body.x, body.y]).T))
    outer = np.min(np.hypot(*(track.outer - [body.x, body.y]).T))
    return INNER if inner < outer else OUTER
