"""Drivers for a demonstration: camera networks that have learnt from pictures to do what pure pursuit does.

A teacher that knows where it is drives with noise, so that the pictures also show how to come back (M. Laskey et al.,
*DART: Noise Injection for Robust Imitation Learning*, CoRL 2017). For every picture each driver's own teacher says
where to steer: how far ahead it looks and how far beside the centre line it drives is the driver's style. The network
takes the means of 8 x 8 pixels, random combinations of them that are cut off below zero, and the weighted sum of these
that is nearest to the teacher by least squares (A. Rahimi, B. Recht, *Weighted Sums of Random Kitchen Sinks*, NIPS
2008). It slows down as it steers. These drivers complete laps; trained ones (``racer train``) are faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from racer_env.bundle import Bundle
from racer_env.car import ContinuousActions
from racer_env.driver import PurePursuit
from racer_env.kernel import Floats
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_graph
from racer_env.race import EVALUATION
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import find_track

CAMERA = "FRONT_FACING_CAMERA"
BLOCK, ROWS, COLUMNS = 8, 15, 20  #: px of a square that is averaged, and squares of a picture
FEATURES = 256
RIDGE = 0.1  #: how much large weights cost
CARS, PERIODS = 16, 300  #: that are driven on each track, and for how many control periods
TEACHER_SPEED, TEACHER_LOOK_AHEAD = 1.2, 0.8  #: m/s and m
NOISE, MEMORY = 0.25, 0.9  #: of the steering, as a share of 30 degrees, and how much of it stays a period later

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Style:
    """How somebody drives."""

    name: str
    top_speed: float  #: m/s on a straight
    slowest: float  #: m/s
    caution: float = 2.5  #: how much slower per steering; 2 is `slowest` at full lock
    look_ahead: float = 0.8  #: m
    offset: float = 0.0  #: m to the left of the centre line


def teach(tracks: Sequence[str], styles: Sequence[Style], progress: Progress | None = None) -> dict[str, Bundle]:
    """Make a driver of every style; always the same ones.

    Args:
        tracks: where they learn.
        styles: of the drivers, with different names.
        progress: told how many tracks of how many have been driven.

    Returns:
        The drivers by name.
    """
    seen, wanted = [], []
    for number, track in enumerate(tracks):
        pictures, steering = _lesson(track, styles, number)
        seen.append(pictures)
        wanted.append(steering)
        if progress:
            progress(number + 1, len(tracks))
    pictures, steering = np.concatenate(seen), np.concatenate(wanted)
    look = _random_layer(pictures)
    features = np.maximum(pictures @ look.weight.T + look.bias, 0.0)
    weights = _least_squares(features, steering)
    return {style.name: _bundle(style, look, weights[:, k]) for k, style in enumerate(styles)}


def _lesson(track: str, styles: Sequence[Style], seed: int) -> tuple[Floats, Floats]:
    """Drive on a track: pictures (t, 300), and where each style would steer (t, styles), as shares of 30 degrees."""
    where, rng = find_track(track), np.random.default_rng(seed)
    teacher = PurePursuit(where, TEACHER_SPEED, TEACHER_LOOK_AHEAD)
    teachers = [PurePursuit(where, look_ahead=style.look_ahead, offset=style.offset) for style in styles]
    endless = replace(EVALUATION, laps=10_000, resets=10_000, off_track_penalty=0.0, time_limit=None)
    simulator = Simulator(
        where, ModelMetadata().car, endless, find_sensors([CAMERA]), n=CARS, seed=seed, actions=teacher.actions
    )
    pictures, steering = np.empty((PERIODS, CARS, ROWS * COLUMNS)), np.empty((PERIODS, CARS, len(styles)))
    frames, noise = simulator.reset()[CAMERA], np.zeros(CARS)
    for period in range(PERIODS):
        pictures[period] = _means(frames)
        steering[period] = np.stack([one.commands(simulator)[:, 0] for one in teachers], axis=1)
        action = teacher.commands(simulator)
        noise *= MEMORY
        noise += rng.normal(0.0, NOISE, CARS)
        action[:, 0] = np.clip(action[:, 0] + noise, -1.0, 1.0)
        frames = simulator.step(action).observations[CAMERA]
    return pictures.reshape(PERIODS * CARS, -1), steering.reshape(PERIODS * CARS, -1)


def _means(frames: Floats) -> Floats:
    """The means of squares of pictures (n, 120, 160, 1), from 0 to 1 (n, 300)."""
    squares = frames.reshape(len(frames), ROWS, BLOCK, COLUMNS, BLOCK)
    means: Floats = squares.mean(axis=(2, 4)).reshape(len(frames), -1) / 255.0
    return means


def _random_layer(pictures: Floats) -> Dense:
    """Random combinations of squares, half of which are above zero for the mean picture."""
    rng = np.random.default_rng(0)
    weight = rng.normal(0.0, 4.0 / np.sqrt(pictures.shape[1]), (FEATURES, pictures.shape[1]))
    return Dense(weight, -weight @ pictures.mean(axis=0))


def _least_squares(features: Floats, wanted: Floats) -> Floats:
    """Weights (features + 1, k), the last row a constant."""
    rows = np.column_stack((features, np.ones(len(features))))
    solved = np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]), rows.T @ wanted)
    return np.asarray(solved, np.float64)


def _bundle(style: Style, look: Dense, weights: Floats) -> Bundle:
    """The network of a driver: to the left and to the right, of which steering and speed are made."""
    means = Convolution(np.full((1, 1, BLOCK, BLOCK), BLOCK**-2), np.zeros(1), BLOCK)
    sides = Dense(np.stack((weights[:-1], -weights[:-1])), np.array((weights[-1], -weights[-1])))
    head = Dense(np.array(((1.0, -1.0), (-style.caution, -style.caution))), np.array((0.0, 1.0)))
    metadata = ModelMetadata(ContinuousActions((-30.0, 30.0), (style.slowest, style.top_speed)), (CAMERA,))
    policy = Policy((Embedder(CAMERA, (means, look)),), (sides,), head, "identity")
    return Bundle(metadata, policy_graph(policy), style.name)
