"""What a race puts in the racers' way: boxes and bot cars, within what the AWS console and its service allowed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from league.errors import LeagueError
from league.ranges import between, whole


@dataclass(frozen=True)
class Boxes:
    """The obstacles of object avoidance."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    count: int = 6  #: evenly spaced, lanes taking turns
    random: bool = False  #: each somewhere between its neighbours in any lane, drawn anew at every start
    positions: tuple[tuple[float, int], ...] = ()  #: share of the lap and lane, 1 (inner) or -1 (outer), of each
    least_gap: float = 0.02  #: share of the lap between two
    shape: str = "box_obstacle"  #: one of the simulator's

    def __post_init__(self) -> None:
        whole("obstacles.count", self.count, 1, 10)
        between("obstacles.least_gap", self.least_gap, 0.0, 0.5, "of the lap")
        if self.positions and self.random:
            raise LeagueError("obstacles stand where obstacles.positions says, or at random places, but not both")
        for share, lane in self.positions:
            between("a position of obstacles", share, 0.07, 0.90, "of the lap")
            if lane not in (1, -1):
                raise LeagueError(f"a lane of obstacles.positions is {lane}, but must be 1 (inner) or -1 (outer)")
        for before, after in pairwise(sorted(share for share, _ in self.positions)):
            if after - before < 0.13 - 1e-9:
                raise LeagueError(
                    f"obstacles.positions has {before:g} and {after:g}, but two must be at least 0.13 of the lap apart"
                )


@dataclass(frozen=True)
class BotCars:
    """The bot cars of head-to-bot."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    count: int = 4
    speed: float = 1.0  #: m/s
    random: bool = False  #: start somewhere between the neighbours in any lane, instead of evenly spaced
    least_gap: float = 2.0  #: m between two at the start
    lane_change: tuple[float, float] | None = None  #: seconds between two changes, least and most; None: no changes

    def __post_init__(self) -> None:
        whole("bots.count", self.count, 1, 6)
        between("bots.speed", self.speed, 0.2, 12.0, "m/s")
        between("bots.least_gap", self.least_gap, 0.0, 100.0, "m")
        if self.lane_change is not None:
            least, most = self.lane_change
            between("bots.lane_change", least, 1.0, 8.0, "s")
            between("bots.lane_change", most, least, 8.0, "s")
