"""What drives a car in one episode: its parameters as drawn, and what happens to a command on its way to the motors.

Cars are `racer_env.car.CAR` records, so that `racer_env.dynamics` knows nothing of chance. A command is multiplied by
noise, the trim of the steering is added, and then it waits for as many whole control periods as the car's delay has;
the rest of the delay is the dynamics'. Everything is drawn by the stream of the car (`racer_env.randomness`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from racer_env.car import COMMAND
from racer_env.dynamics import CONTROL_RATE
from racer_env.kernel import Bools, Floats, Ints, Records, kernel, records
from racer_env.randomisation import FACTORS, Randomisation, Range
from racer_env.randomness import Streams, between, fork, salt_of, share_of

#: What a car does with its commands, beside what its `racer_env.car.CAR` says.
MOTORS = np.dtype(
    [
        ("steering_trim", np.float64),  # degrees, added to every command
        ("delay", np.int64),  # whole control periods from a command to the motors
    ],
    align=True,
)

_NOISE = salt_of("command noise")


def waiting_room(level: Randomisation, n: int, slowest: float) -> Records:
    """Room (n, k) for the `COMMAND` records on their way to n cars, whose own delay is at most `slowest` s.

    As long as nothing was commanded, the speed is not a number.
    """
    if not level.spoils_commands:
        return records((n, 0), COMMAND)
    longest = slowest + (level.command_delay or (0.0, 0.0))[1]
    out = records((n, _whole_periods(longest) + 1), COMMAND)
    out.speed = np.nan
    return out


@kernel
def _draw(streams: Streams, salt: int, least: float, most: float, out: Floats) -> None:
    for j in range(len(streams)):
        out[j] = least + (most - least) * share_of(fork(streams[j], salt))


def draw(name: str, drawn: Range, streams: Streams) -> Floats:
    """Draw one number (k,) for each stream (k,); other names give other numbers."""
    out = np.empty(len(streams))
    _draw(streams, salt_of(name), *drawn, out)
    return out


def draw_cars(level: Randomisation, streams: Streams, base: Records) -> tuple[Records, Records]:
    """Draw what drives cars (k,) that are `base` as they were given: their `CAR` records, and `MOTORS`."""
    cars, motors = base.copy(), records(len(base), MOTORS)
    for name, scaled in FACTORS.items():
        if level.draws(name):
            factor = draw(name, getattr(level, name), streams)
            for parameter in scaled:
                cars[parameter] *= factor
    if level.steering_trim:
        motors.steering_trim = draw("steering_trim", level.steering_trim, streams)
    if level.command_delay:
        delay = base.command_delay + draw("command_delay", level.command_delay, streams)
        motors.delay = _whole_periods(delay)
        cars.command_delay = np.maximum(delay - motors.delay / CONTROL_RATE, 0.0)
    return cars, motors


def _whole_periods(seconds: Any) -> Any:
    """Control periods that fit into a time, or into each of several; a hair's breadth more is no delay."""
    whole = np.floor(np.asarray(seconds) * CONTROL_RATE + 1e-9).astype(np.int64)
    return whole if whole.ndim else int(whole)


def send(
    level: Randomisation,
    command: Records,
    motors: Records,
    streams: Streams,
    ticks: Ints,
    pending: Records,
    held: Bools,
) -> Records:
    """Send commands (n,) off to the motors, and give those (n,) that arrive in this control period.

    A car that nothing was commanded yet is `held` (n,), in place.
    """
    out = records(len(command), COMMAND)
    least, most = level.command_noise or (1.0, 1.0)
    _send(command, motors, streams, ticks, least, most, pending, out, held)
    return out


@kernel
def _send(
    command: Records,
    motors: Records,
    streams: Streams,
    ticks: Ints,
    least: float,
    most: float,
    pending: Records,
    out: Records,
    held: Bools,
) -> None:
    for i in range(len(command)):
        own, size = fork(streams[i], _NOISE), pending.shape[1]
        sent = pending[i, ticks[i] % size]
        sent.steering_degrees = command[i].steering_degrees * between(own, ticks[i], 0, least, most)
        sent.steering_degrees += motors[i].steering_trim
        sent.speed = command[i].speed * between(own, ticks[i], 1, least, most)
        arrived = pending[i, (ticks[i] - motors[i].delay) % size]
        out[i].steering_degrees, out[i].speed = arrived.steering_degrees, arrived.speed
        if math.isnan(arrived.speed):
            held[i] = True
