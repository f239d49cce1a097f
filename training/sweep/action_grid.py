"""Action spaces made of a few numbers, as AWS's console made them.

A discrete space is a grid: `steering_granularity` angles from the largest on the right to the largest on the left, and
each of them at `speed_granularity` speeds, evenly spaced up to the fastest. The slowest is one part of the fastest
(two speeds up to 3 m/s are 1.5 and 3), or what is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racer_env.car import ActionSpace, ContinuousActions, DiscreteActions
from racer_env.errors import MetadataError


@dataclass(frozen=True)
class ActionGrid:
    """The numbers of an action space. Raises `MetadataError` for what makes none."""

    action_space_type: str  #: discrete or continuous
    max_steering_angle: float  #: degrees
    max_speed: float  #: m/s
    steering_granularity: int = 1
    speed_granularity: int = 1
    min_speed: float | None = None  #: m/s

    def __post_init__(self) -> None:
        if self.action_space_type not in ("discrete", "continuous"):
            raise MetadataError(f"action_space_type is {self.action_space_type!r}, but must be discrete or continuous")
        for name in ("max_steering_angle", "max_speed"):
            if not getattr(self, name) > 0:
                raise MetadataError(f"{name} is {getattr(self, name)!r}, but must be more than 0")
        for name in ("steering_granularity", "speed_granularity"):
            if not 1 <= getattr(self, name) <= 100:
                raise MetadataError(f"{name} is {getattr(self, name)!r}, but must be 1 to 100")
        if not 0 <= self.slowest <= self.max_speed or (
            self.action_space_type == "continuous" and self.slowest == self.max_speed
        ):
            raise MetadataError(f"min_speed is {self.slowest:g}, but must be less than max_speed {self.max_speed:g}")

    @classmethod
    def of(cls, actions: ActionSpace) -> ActionGrid:
        """The grid that is most like an action space: its largest numbers, and how many of each there are."""
        angles, speeds = np.unique(np.abs(actions.steering_degrees)), np.unique(actions.speed)
        discrete = isinstance(actions, DiscreteActions)
        return cls(
            "discrete" if discrete else "continuous",
            float(angles[-1]),
            float(speeds[-1]),
            len(set(actions.steering_degrees)) if discrete else 5,
            len(speeds) if discrete else 2,
            float(speeds[0]),
        )

    @property
    def slowest(self) -> float:
        """The least speed, m/s."""
        return self.max_speed / self.speed_granularity if self.min_speed is None else self.min_speed

    @property
    def actions(self) -> ActionSpace:
        """The action space."""
        steering, speed = self.max_steering_angle, self.max_speed
        if self.action_space_type == "continuous":
            return ContinuousActions((-steering, steering), (self.slowest, speed))
        angles = np.linspace(-steering, steering, self.steering_granularity) if self.steering_granularity > 1 else [0.0]
        speeds = np.linspace(self.slowest, speed, self.speed_granularity) if self.speed_granularity > 1 else [speed]
        pairs = [(round(float(a), 3) + 0.0, round(float(v), 3)) for a in angles for v in speeds]
        return DiscreteActions(tuple(a for a, _ in pairs), tuple(v for _, v in pairs))
