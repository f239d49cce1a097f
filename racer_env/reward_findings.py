"""Words for what is wrong with what a reward function pays: where it pays more for a bad lap than for a good one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racer_env.reward_lab import PaidLap

MARGIN = 0.01  #: share by which a bad lap must pay more, to count
MARGIN_PER_STEP = 0.05  #: the same for a step, which the learner does not maximise

#: What to do about a bad lap that pays.
CURES = {
    "zig-zag": "Charge for steering, or for changes of it.",
    "slow": "Pay for speed or progress, or charge for every step.",
    "cutting": "Pay little while all_wheels_on_track is false, unless you want it so: two wheels out are allowed.",
    "stopping": "Pay for speed or progress, or charge for every step.",
    "reversing": "Pay for progress that is gained, and not for what is lost.",
    "off-track": "Pay next to nothing while wheels are off the track, or charge less for every step.",
    "crashing": "Pay next to nothing while is_crashed is true, and less when an object is near in the same lane.",
}


@dataclass(frozen=True)
class Finding:
    """Something that a user should know before training."""

    severity: str  #: ``warning``: what is trained will be bad; ``note``: good to know
    lap: str | None  #: the bad lap that pays, if it is about one
    measure: str | None  #: ``return``, which the learner maximises, or ``step``
    text: str


def find_faults(laps: Sequence[PaidLap]) -> tuple[Finding, ...]:
    """Compare what the bad laps are paid with the best of the good ones; laps that failed are left out."""
    paid = [p for p in laps if p.pay.error is None]
    good = [p for p in paid if p.lap.good and p.lap.complete]
    if not good:
        return ()
    bad = [p for p in paid if not p.lap.good]
    found = [*_constant(paid), *_by_return(good, bad)]
    named = {finding.lap for finding in found}
    return (*found, *_by_step(good, [p for p in bad if p.lap.name not in named]))


def _constant(paid: Sequence[PaidLap]) -> Iterator[Finding]:
    rewards = {reward for p in paid for reward in p.pay.rewards}
    if len(rewards) == 1:
        text = f"Every step of every lap is paid the same, {rewards.pop():g}: there is nothing to learn from."
        yield Finding("warning", None, None, text)


def _by_return(good: Sequence[PaidLap], bad: Sequence[PaidLap]) -> Iterator[Finding]:
    """Warn of bad laps with a higher discounted return, and say what it comes from."""
    best = max(good, key=lambda p: p.pay.discounted)
    for p in bad:
        if not _exceeds(p.pay.discounted, best.pay.discounted, MARGIN):
            continue
        by = f"{_name(p)} pays more than {_name(best)}: {p.pay.discounted:.4g} against {best.pay.discounted:.4g}"
        yield Finding("warning", p.lap.name, "return", f"{by} in an episode. {_why(p, best)} {CURES[p.lap.name]}")


def _why(bad: PaidLap, good: PaidLap) -> str:
    """Say whether a bad lap pays more because its steps do, or because there are more or fewer of them."""
    step, best = bad.pay.per_step, good.pay.per_step
    steps = f"{step:.3g} a step against {best:.3g}"
    if _exceeds(step, best, MARGIN):
        return f"Its steps pay more ({steps})."
    if best < 0.0 and len(bad.pay.rewards) < len(good.pay.rewards):
        return f"Steps cost something ({steps}), and its episode is over sooner."
    return f"Its steps do not pay more ({steps}), but there are more of them."


def _by_step(good: Sequence[PaidLap], bad: Sequence[PaidLap]) -> Iterator[Finding]:
    """Note bad laps that pay more while they last, though not in an episode."""
    best = max(good, key=lambda p: p.pay.per_step)
    for p in bad:
        if _exceeds(p.pay.per_step, best.pay.per_step, MARGIN_PER_STEP):
            text = (
                f"A step of {_name(p)} pays more than one of {_name(best)} ({p.pay.per_step:.3g} against "
                f"{best.pay.per_step:.3g}), but its episode does not; with a smaller discount factor it might."
            )
            yield Finding("note", p.lap.name, "step", text)


def _exceeds(a: float, b: float, margin: float) -> bool:
    return a > b + margin * abs(b) + 1e-9


def _name(paid: PaidLap) -> str:
    return f"'{paid.lap.name}'"
