"""What a reward function would pay for laps whose worth is known, without training.

Three measures are told apart. The **discounted return** is what PPO maximises: the sum of an episode's rewards, each
step counting `discount` times as much as the one before. The **total** is what a training graph shows. The reward **per
step** says which lap pays best while it lasts; an episode that is over pays nothing more, and so the return depends on
how long the lap is, too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from racer_env.car import DEEPRACER_V6, Car
from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError, RewardError, nearest
from racer_env.race import Race
from racer_env.reference_laps import ReferenceLap, drive_reference_laps
from racer_env.reward import RewardFunction
from racer_env.reward_findings import Finding, find_faults
from racer_env.reward_map import Stretch, differences, map_reward
from racer_env.track import Track

DISCOUNT = 0.99  #: DeepRacer's default


@dataclass(frozen=True)
class Pay:
    """What one reward function paid for one lap."""

    rewards: tuple[float, ...]  #: of its steps, up to the one that failed
    printed: tuple[tuple[str, ...], ...]  #: what the function printed in each of them
    discount: float
    error: str | None = None  #: with file and line, if a call failed

    @property
    def total(self) -> float:
        """Sum of all rewards."""
        return math.fsum(self.rewards)

    @property
    def per_step(self) -> float:
        """Mean reward of a step."""
        return self.total / max(len(self.rewards), 1)

    @property
    def per_second(self) -> float:
        """Mean reward of a second."""
        return self.per_step * CONTROL_RATE

    @property
    def discounted(self) -> float:
        """Discounted return of the first step: what the learner maximises."""
        return math.fsum(reward * self.discount**i for i, reward in enumerate(self.rewards))


@dataclass(frozen=True)
class PaidLap:
    """A reference lap and what it is paid, by an older function too if there is one."""

    lap: ReferenceLap
    pay: Pay
    before: Pay | None = None


@dataclass(frozen=True)
class LabReport:
    """All that the lab found out."""

    path: str
    track: Track
    car: Car
    discount: float
    laps: tuple[PaidLap, ...]
    findings: tuple[Finding, ...]
    against: str | None = None  #: the older function's file
    differences: tuple[Stretch, ...] = field(default=())  #: where on the track old and new differ most

    @property
    def ok(self) -> bool:
        """Whether every call gave a reward."""
        return all(pay.error is None for paid in self.laps for pay in (paid.pay, paid.before) if pay)

    def as_dict(self) -> dict[str, Any]:
        """Give the report in plain values, without the single steps."""
        return {
            "ok": self.ok,
            "path": self.path,
            "track": self.track.name,
            "reversed": self.track.is_reversed,
            "car": self.car.name,
            "discount": self.discount,
            "laps": [_lap_as_dict(paid) for paid in self.laps],
            "findings": [vars(finding) for finding in self.findings],
            "against": self.against,
            "differences": [vars(stretch) for stretch in self.differences],
        }


def try_in_lab(
    path: str | Path,
    track: Track,
    *,
    car: Car = DEEPRACER_V6,
    race: Race | None = None,
    discount: float = DISCOUNT,
    against: str | Path | None = None,
    seed: int = 0,
    laps: Sequence[ReferenceLap] | None = None,
) -> LabReport:
    """Show what a reward function would pay for the reference laps.

    Args:
        path: the user's file.
        track: where, in its direction.
        car: who drives.
        race: what else is on the track; nothing by default.
        discount: factor of the learner, 0 to 1.
        against: an older version to compare with.
        seed: of random places.
        laps: the reference laps, if they were driven before.

    Raises:
        RewardError: a file cannot be loaded. What fails in a call is part of the report.
        RacerError: the discount factor is none, or no good lap can be driven there.
    """
    if not 0.0 <= discount <= 1.0:
        raise RacerError(f"a discount factor lies between 0 and 1, not {discount:g}")
    function = RewardFunction.load(path)
    old = RewardFunction.load(against) if against else None
    rules = race or Race()
    driven = drive_reference_laps(track, car, rules, seed) if laps is None else laps
    paid = tuple(PaidLap(lap, pay(function, lap, discount), pay(old, lap, discount) if old else None) for lap in driven)
    report = LabReport(function.path, track, car, discount, paid, find_faults(paid))
    if old is None:
        return report
    before, now = (map_reward(f, track, race=rules, seed=seed) for f in (old, function))
    return replace(report, against=old.path, differences=differences(before, now))


def pay(function: RewardFunction, lap: ReferenceLap, discount: float = DISCOUNT) -> Pay:
    """Call a fresh copy of a reward function for every step of a lap, until a call fails."""
    fresh = function.fresh()
    fresh.take_printed()
    rewards: list[float] = []
    printed: list[tuple[str, ...]] = []
    for params in copy.deepcopy(lap.params):
        try:
            rewards.append(float(fresh([params])[0]))
        except RewardError as error:
            return Pay(tuple(rewards), (*printed, tuple(fresh.take_printed())), discount, str(error))
        printed.append(tuple(fresh.take_printed()))
    return Pay(tuple(rewards), tuple(printed), discount)


def steps_of(report: LabReport, wanted: str) -> tuple[PaidLap, range]:
    """Find a lap and some of its steps, counted from 0: ``LAP``, ``LAP:STEP`` or ``LAP:FIRST-LAST``.

    Raises:
        RacerError: there is no such lap, or it has no such steps.
    """
    name, _, steps = wanted.partition(":")
    known = {paid.lap.name: paid for paid in report.laps}
    if name not in known:
        raise RacerError(f"no reference lap is called {name!r}; {nearest(name, known)}")
    paid = known[name]
    least, most = int(paid.lap.params[0]["steps"]), int(paid.lap.params[-1]["steps"])
    first, dash, last = steps.partition("-")
    if not steps:
        return paid, range(len(paid.lap.params))
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        raise RacerError(f"steps are a number or a range such as 40-60, not {steps!r}")
    begin, end = int(first), int(last or first)
    if not least <= begin <= end <= most:
        raise RacerError(f"the lap {name!r} has the steps {least} to {most}, not {steps}")
    return paid, range(begin - least, end - least + 1)


def _lap_as_dict(paid: PaidLap) -> dict[str, Any]:
    lap = paid.lap
    return {
        "name": lap.name,
        "about": lap.about,
        "good": lap.good,
        "status": lap.status,
        "progress": lap.progress,
        "time_ms": lap.time_ms,
        "steps": len(lap.params),
        "pay": _pay_as_dict(paid.pay),
        "before": _pay_as_dict(paid.before) if paid.before else None,
    }


def _pay_as_dict(pay: Pay) -> dict[str, Any]:
    names = ("total", "per_step", "per_second", "discounted")
    numbers = {name: getattr(pay, name) if pay.error is None else None for name in names}
    return {**numbers, "error": pay.error}
