"""Who drives the other cars of a race by hand: the autopilot, or a trained driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from racer_env.bundle import Bundle
from racer_env.kernel import Records
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS
from racer_env.simulator import Simulator
from racer_env.track import Track

if TYPE_CHECKING:
    from racer_env.network import NetworkDriver

SPEED = 2.0  #: m/s of the autopilot on straights: to be caught by who drives well


class ScriptedRivals:
    """The autopilot, who looks at where everything is."""

    def __init__(self, track: Track, speed: float = SPEED):
        self.driver = Autopilot(track, speed)

    def __call__(self, simulator: Simulator) -> Records:
        """Choose the commands (n,) of all cars."""
        return ACTIONS.commands(self.driver.commands(simulator))


@dataclass(frozen=True)
class TrainedRivals:
    """A trained driver, who looks at what its sensors see; they must be mounted."""

    bundle: Bundle
    driver: NetworkDriver

    @classmethod
    def of(cls, bundle: Bundle) -> TrainedRivals:
        """Make the driver of a bundle; this imports torch."""
        from racer_env.network import NetworkDriver  # noqa: PLC0415

        return cls(bundle, NetworkDriver(bundle))

    def __call__(self, simulator: Simulator) -> Records:
        """Choose the commands (n,) of all cars."""
        return self.bundle.metadata.actions.commands(self.driver.act(simulator.observations))
