"""Everything of a simulator that changes from step to step, as arrays: saving, restoring and replaying are copies."""

from __future__ import annotations

from dataclasses import dataclass, fields

from racer_env.kernel import Ints, Records
from racer_env.randomness import Streams
from racer_env.sensors import Memory


@dataclass
class State:
    """Everything that changes from step to step; a copy restores it exactly. For w worlds of k cars, n = w * k."""

    motion: Records  #: `MOTION` (n,)
    situation: Records  #: `SITUATION` (n,)
    episode: Records  #: `EPISODE` (n,)
    bodies: Records  #: `BODY` (w, b)
    ticks: Ints  #: (n,) control periods since the simulator began
    streams: Streams  #: (n,) each car's random numbers, others in every episode
    places: Ints  #: (w,) the track of each world
    cars: Records  #: `CAR` (n,) as drawn for this episode
    motors: Records  #: `MOTORS` (n,), too
    pending: Records  #: `COMMAND` (n, k) that were sent and did not arrive yet
    memory: dict[str, Memory]  #: what each sensor remembers, by its name

    def copy(self) -> State:
        """An independent copy."""
        memory = {name: tuple(part.copy() for part in parts) for name, parts in self.memory.items()}
        return State(**{part.name: getattr(self, part.name).copy() for part in fields(self)} | {"memory": memory})
