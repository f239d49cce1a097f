"""Identifies a car from recordings: the parameters with which the model drives as the recorded car did.

`fit` changes the numbers of `FREE` until windows of one second, driven without feedback from recorded states, end
where the recorded car was (`racer_env.windows`). It is a least-squares fit of the errors ahead, to the left and in yaw
after 5 and 15 steps, each divided by what counts as large (`SCALE`), with a soft L1 loss, so that a car that hit
something does not pull. Half of each recording's episodes are used, drawn with a seed; `evaluate` reports on the
other half. scipy is needed to fit, not to evaluate.

How sure a parameter is: the square root of the sandwich covariance, clustered by episode, because windows overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from racer_env.car import Car
from racer_env.errors import RacerError, TraceError
from racer_env.kernel import Bools, Floats, Ints
from racer_env.recording import Recording
from racer_env.windows import BANDS, HORIZON, Drives, Errors, Estimator, drives_of, replay, speeds

ALL_SPEEDS = "all speeds"
HORIZONS = (1, 5, HORIZON)  #: steps after which a report compares
FITTED_HORIZONS = (5, HORIZON)
SCALE = np.array([[0.02, 0.02, 0.02], [0.06, 0.06, 0.07]])  #: m, m, rad: large errors at `FITTED_HORIZONS`
FAR = 50.0  #: large errors, beyond which being worse does not count
STEP = 5e-3  #: of a parameter's range, for derivatives
ROWS = 6000  #: recorded steps that one evaluation of a fit looks at, about

#: What a fit changes, and within which limits.
FREE: Mapping[str, tuple[float, float]] = {
    "command_delay": (0.0, 0.03),
    "steering_lag": (0.003, 0.8),
    "steering_gain": (0.6, 1.3),
    "steering_kick": (0.0, 0.1),
    "steering_offset": (-0.05, 0.05),
    "steering_compliance": (0.0, 0.1),
    "wheel_lag": (0.002, 0.2),
    "wheel_gain": (0.9, 1.25),
    "wheel_droop": (0.0, 0.12),
    "top_speed": (3.0, 4.4),
    "grip_along": (1.5, 25.0),
    "grip_across": (1.5, 25.0),
    "slip_along": (0.02, 0.9),
    "slip_across": (0.01, 0.9),
    "slip_rise": (0.0, 0.4),
    "slip_bend": (0.0, 6.0),
    "grip_press": (0.0, 1.0),
    "gyration": (0.06, 0.2),
    "yaw_damping": (0.0, 10.0),
}

#: What recordings of a generation cannot tell, because nothing in them depends on it.
HIDDEN: Mapping[int, tuple[str, ...]] = {
    4: ("top_speed",),
    5: ("steering_kick",),
    6: ("steering_kick", "steering_compliance", "wheel_droop", "top_speed", "slip_rise", "grip_press"),
}

#: What a fit changes of an estimator.
GAINS = ("speed", "lateral_speed", "yaw_rate", "steering")

#: How the original's generations time their rows, and how far each error is trusted there.
ESTIMATORS: Mapping[int, Estimator] = {
    4: Estimator(follow=0.15, speed=0.10, lateral_speed=0.79, yaw_rate=0.37, steering=0.81),
    5: Estimator(follow=0.12, speed=0.21, lateral_speed=1.18, yaw_rate=0.59, steering=0.0),
    6: Estimator(period=0.066, follow=0.8, speed=-0.31, lateral_speed=0.42, yaw_rate=-0.05, steering=0.17),
}


def estimator_of(version: int) -> Estimator:
    """The estimator of a generation of the simulator; before 4 there is none of its own."""
    return ESTIMATORS[min(max(version, 4), 6)]


@dataclass(frozen=True)
class Identified:
    """What a fit found."""

    car: Car
    estimator: Estimator
    deviation: Mapping[str, float]  #: standard deviation of each parameter that was free
    cost: float  #: mean loss of a window; 1 is a large error


def held_out(drives: Drives, seed: int = 0) -> Bools:
    """Which drives (d,) are kept from fitting: those of half of the episodes; with one episode, none."""
    episodes = np.unique(drives.episode)
    kept = np.random.default_rng(seed).permutation(episodes)[: len(episodes) // 2]
    return np.isin(drives.episode, kept)


def evaluate(recordings: Sequence[Recording], car: Car | None = None, seed: int = 0) -> dict[str, Any]:
    """Report how well a car replays recordings of one generation, on the episodes that fits do not use.

    Args:
        recordings: all of one generation.
        car: who drives; the one the recordings name if not given.
        seed: decides which episodes are kept from fits; if there is only one episode, it is used.

    Returns:
        For "1", "5" and "15" steps ahead ``{"position_cm": {"median", "p90"}, "yaw_deg": {"median", "p90"},
        "windows"}``; empty if the recordings hold no window.
    """
    return evaluate_bands(recordings, car, seed).get(ALL_SPEEDS, {})


def evaluate_bands(recordings: Sequence[Recording], car: Car | None = None, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Report as `evaluate` does, for `ALL_SPEEDS` and for each of `BANDS` that holds a window."""
    try:
        drives = drives_of(recordings)
    except TraceError:
        return {}
    kept = np.flatnonzero(held_out(drives, seed))
    chosen = kept if kept.size else np.arange(len(drives))
    errors = replay(drives, chosen, car or recordings[0].car, estimator_of(recordings[0].version), HORIZONS)
    speed = speeds(drives)[errors.starts]
    bands = {ALL_SPEEDS: (0.0, math.inf), **BANDS}
    within = {name: errors.values[(speed >= low) & (speed < high)] for name, (low, high) in bands.items()}
    return {name: _report(values) for name, values in within.items() if len(values)}


def _report(values: Floats) -> dict[str, Any]:
    """Medians and 90th percentiles of errors (w, h, 3)."""
    distance = 100.0 * np.hypot(values[:, :, 0], values[:, :, 1])
    yaw = np.degrees(np.abs(values[:, :, 2]))
    return {
        str(steps): {"position_cm": _ranks(distance[:, h]), "yaw_deg": _ranks(yaw[:, h]), "windows": len(values)}
        for h, steps in enumerate(HORIZONS)
    }


def _ranks(values: Floats) -> dict[str, float]:
    return {"median": float(np.median(values)), "p90": float(np.percentile(values, 90.0))}


def fit(
    recordings: Sequence[Recording],
    output: Path | None = None,
    *,
    free: Sequence[str] | None = None,
    seed: int = 0,
    most: int = 25,
    progress: Callable[[float, float], None] | None = None,
) -> Identified:
    """Identify the car that drove some recordings, beginning at the car they name.

    Args:
        recordings: all of one generation.
        output: a TOML file to write the car to, which `racer_env.car.find_car` reads.
        free: which parameters to change; all of `FREE` that are not `HIDDEN` if not given.
        seed: decides which episodes are used.
        most: steps of the search, at most.
        progress: called with the share of the search that is done and the cost so far.

    Raises:
        TraceError: nothing to drive in them.
        RacerError: recordings of several generations, an unknown parameter, or scipy is not installed.
    """
    if len({recording.version for recording in recordings}) != 1:
        raise RacerError("a car is identified from recordings of one version of the simulator")
    chosen = [name for name in FREE if name not in HIDDEN.get(recordings[0].version, ())] if free is None else free
    unknown = [name for name in chosen if name not in FREE]
    if unknown:
        raise RacerError(f"{unknown[0]!r} cannot be fitted; there are: {', '.join(FREE)}")
    drives = drives_of(recordings)
    start = recordings[0].car
    car = replace(start, name=output.stem if output else start.name)
    found = identify(drives, car, estimator_of(start.version), chosen, seed=seed, most=most, progress=progress)
    if output:
        found.car.write(output, {name: f"± {value:.2g}" for name, value in found.deviation.items()})
    return found


def identify(
    drives: Drives,
    car: Car,
    estimator: Estimator,
    free: Sequence[str] = tuple(FREE),
    *,
    seed: int = 0,
    most: int = 25,
    progress: Callable[[float, float], None] | None = None,
) -> Identified:
    """Identify the car that drove some drives, beginning at `car` and `estimator`."""
    least_squares = _least_squares()
    problem = _Problem(drives, car, estimator, tuple(free), np.flatnonzero(~held_out(drives, seed)), progress, most)
    start = np.concatenate((problem.shares(car), [getattr(estimator, name) for name in GAINS]))
    low = np.concatenate((np.zeros(len(free)), np.full(len(GAINS), -0.5)))
    high = np.concatenate((np.ones(len(free)), np.full(len(GAINS), 1.5)))
    scale = 1.0 / math.sqrt(len(problem.residuals(start)) / 6)
    solved = least_squares(
        problem.residuals, np.clip(start, low + 1e-3, high - 1e-3), bounds=(low, high), loss="soft_l1", f_scale=scale,
        max_nfev=most, x_scale=0.3, diff_step=STEP, jac=problem.jacobian,
    )  # fmt: skip
    best, sharpest = problem.read(solved.x)
    return Identified(best, sharpest, problem.deviation(solved.x, scale), float(solved.cost))


def _least_squares() -> Any:
    try:
        return import_module("scipy.optimize").least_squares
    except ImportError as error:
        raise RacerError("fitting a car needs scipy: pip install 'racer18[analysis]'") from error


@dataclass
class _Problem:
    """The residuals of a fit, as functions of the free parameters (as shares of their range) and the gains."""

    drives: Drives
    car: Car
    estimator: Estimator
    free: tuple[str, ...]
    chosen: Ints
    progress: Callable[[float, float], None] | None
    most: int
    turns: int = 0

    def __post_init__(self) -> None:
        rows = int(np.diff(self.drives.bounds)[self.chosen].sum())
        self.every = max(1, rows // ROWS)
        self.low = np.array([FREE[name][0] for name in self.free])
        self.range = np.array([FREE[name][1] for name in self.free]) - self.low

    def shares(self, car: Car) -> Floats:
        """The free parameters of a car as shares of their ranges."""
        values = np.array([getattr(car, name) for name in self.free])
        shares: Floats = np.clip((values - self.low) / self.range, 0.0, 1.0)
        return shares

    def read(self, x: Floats) -> tuple[Car, Estimator]:
        """The car and the estimator that `x` stands for."""
        values = self.low + x[: len(self.free)] * self.range
        car = replace(self.car, **dict(zip(self.free, values.tolist(), strict=True)))
        gains = dict(zip(GAINS, x[len(self.free) :].tolist(), strict=True))
        return car, replace(self.estimator, **gains)

    def errors(self, x: Floats) -> Errors:
        """The errors of all windows that are looked at."""
        return replay(self.drives, self.chosen, *self.read(x), FITTED_HORIZONS, self.every)

    def residuals(self, x: Floats) -> Floats:
        """Errors in large errors, weighted so that their squares add up to a mean."""
        large = np.nan_to_num(self.errors(x).values / SCALE, nan=FAR)
        flat = np.clip(large, -FAR, FAR).reshape(-1)
        weighted: Floats = flat / math.sqrt(len(flat) / 6)
        return weighted

    def jacobian(self, x: Floats) -> Floats:
        """Derivatives of the residuals, by steps inwards of the limits."""
        here, columns = self.residuals(x), []
        for i in range(len(x)):
            step = STEP if x[i] < 0.5 else -STEP
            moved = x.copy()
            moved[i] += step
            columns.append((self.residuals(moved) - here) / step)
        self.turns += 1
        if self.progress:
            self.progress(min(self.turns / self.most, 1.0), float(here @ here))
        return np.stack(columns, axis=1)

    def deviation(self, x: Floats, scale: float) -> dict[str, float]:
        """Standard deviation of each free parameter: sandwich covariance, clustered by episode."""
        residuals, slopes = self.residuals(x), self.jacobian(x)
        weights = 1.0 / np.sqrt(1.0 + (residuals / scale) ** 2)
        drive = np.searchsorted(self.drives.bounds, self.errors(x).starts, side="right") - 1
        episode = np.repeat(self.drives.episode[drive], 6)
        pulls = (weights * residuals)[:, None] * slopes
        clusters = np.stack([np.bincount(episode, weights=column) for column in pulls.T], axis=1)
        bend = np.linalg.pinv(slopes.T @ (weights[:, None] * slopes))
        deviation = np.sqrt(np.maximum(np.diag(bend @ (clusters.T @ clusters) @ bend), 0.0))
        return dict(zip(self.free, (deviation[: len(self.free)] * self.range).tolist(), strict=True))


def describe(found: Identified) -> list[tuple[str, float, float]]:
    """Name, value and standard deviation of what was fitted, in the order of `Car`."""
    return [
        (f.name, float(getattr(found.car, f.name)), found.deviation[f.name])
        for f in fields(Car)
        if f.name in found.deviation
    ]
