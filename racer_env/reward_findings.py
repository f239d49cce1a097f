"""Words for what is wrong with what a reward function pays: where it pays more for a bad lap than for a good one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racer_env.reward_lab import PaidLap

MARGIN = 0.01  #: share by which a bad lap must pay more, to count
MARGIN_OF_STEPS = 0.05  #: the same for the mean reward of a step
MARGIN_OF_TIME = 0.1  #: the same for laps that pay more by lasting longer; less is common on short tracks, and harmless

#: What to do about a bad lap that pays.
CURES = {
    "longer": "Pay for speed or progress, or charge for every step.",
    "sooner": "Pay for driving on, or charge less for every step.",
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
    best = max(good, key=lambda p: p.pay.discounted)
    better = [p for p in bad if _exceeds(p.pay.discounted, best.pay.discounted, MARGIN)]
    by_length = [p for p in better if not _exceeds(p.pay.per_step, best.pay.per_step, MARGIN_OF_STEPS)]
    return (
        *_constant(paid),
        *(_by_steps(p, best) for p in better if p not in by_length),
        *_by_length(by_length, best),
        *_by_step_alone([p for p in bad if p not in better], max(good, key=lambda p: p.pay.per_step)),
    )


def _constant(paid: Sequence[PaidLap]) -> Iterator[Finding]:
    rewards = {reward for p in paid for reward in p.pay.rewards}
    if len(rewards) == 1:
        text = f"Every step of every lap is paid the same, {rewards.pop():g}: there is nothing to learn from."
        yield Finding("warning", None, None, text)


def _by_steps(bad: PaidLap, best: PaidLap) -> Finding:
    """Warn of a bad lap that is worth more because its steps pay more."""
    text = (
        f"'{bad.lap.name}' pays more than '{best.lap.name}': {bad.pay.discounted:.4g} against "
        f"{best.pay.discounted:.4g} in an episode, and {bad.pay.per_step:.3g} against {best.pay.per_step:.3g} a step. "
        f"{CURES[bad.lap.name]}"
    )
    return Finding("warning", bad.lap.name, "return", text)


def _by_length(bad: Sequence[PaidLap], best: PaidLap) -> Iterator[Finding]:
    """Tell of bad laps whose steps do not pay more, but of which there are more; or fewer, where steps cost."""
    longer = [p for p in bad if len(p.pay.rewards) > len(best.pay.rewards)]
    sooner = [p for p in bad if p not in longer]
    for laps, why, cure in (
        (longer, "they last longer, and a lap that is over pays nothing", "longer"),
        (sooner, "every step costs something, and they are over sooner", "sooner"),
    ):
        if not laps:
            continue
        most = max(laps, key=lambda p: p.pay.discounted)
        much = cure == "sooner" or _exceeds(most.pay.discounted, best.pay.discounted, MARGIN_OF_TIME)
        names = ", ".join(f"'{p.lap.name}' ({p.pay.discounted:.4g})" for p in laps)
        text = (
            f"Worth more in an episode than '{best.lap.name}' ({best.pay.discounted:.4g}): {names}. It is not that "
            f"a step pays more, but {why}. {CURES[cure]}"
        )
        yield Finding("warning" if much else "note", most.lap.name, "return", text)


def _by_step_alone(bad: Sequence[PaidLap], best: PaidLap) -> Iterator[Finding]:
    """Note bad laps that pay more while they last, though not in an episode."""
    for p in bad:
        if _exceeds(p.pay.per_step, best.pay.per_step, MARGIN_OF_STEPS):
            text = (
                f"A step of '{p.lap.name}' pays more than one of '{best.lap.name}' ({p.pay.per_step:.3g} against "
                f"{best.pay.per_step:.3g}), but its episode does not; with a smaller discount factor it might."
            )
            yield Finding("note", p.lap.name, "step", text)


def _exceeds(a: float, b: float, margin: float) -> bool:
    return a > b + margin * abs(b) + 1e-9
