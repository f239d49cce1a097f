"""The training doctor: says in words when a training is stuck, by what it is seen, and what to try."""

from __future__ import annotations

from collections.abc import Callable

from training.analysis import driving_symptoms as driving
from training.analysis import learning_symptoms as learning
from training.analysis.case import Case, Finding

FEWEST_EPISODES = 60
FEWEST_ITERATIONS = 5

Rule = Callable[[Case], Finding | None]

#: The most specific first: what a reader should mend first.
RULES: tuple[Rule, ...] = (
    learning.same_reward,
    learning.punished,
    learning.sparse_reward,
    driving.reward_without_progress,
    driving.crawls,
    driving.ends_standing,
    driving.collisions,
    learning.entropy_collapsed,
    driving.one_action,
    learning.changes_too_much,
    learning.hardly_changes,
    learning.undecided,
    learning.value_loss_explodes,
    learning.huge_reward,
    learning.critic_blind,
    driving.forgot,
    driving.evaluated_worse,
    driving.first_corner,
    driving.one_place,
)


def too_early(case: Case) -> Finding | None:
    """There is too little to judge."""
    few = len(case.episodes) < FEWEST_EPISODES
    if case.drives_well or not (few or 0 < case.iterations < FEWEST_ITERATIONS):
        return None
    trained = f"{len(case.episodes)} episodes" + (f" and {case.iterations} iterations" if case.iterations else "")
    return Finding(
        "too_early",
        f"It is too early to judge: {trained}; {FEWEST_EPISODES} and {FEWEST_ITERATIONS} are needed.",
        {"episodes": len(case.episodes), "iterations": case.iterations},
        ("train for longer, then ask again",),
        is_problem=False,
    )


def examine(case: Case) -> list[Finding]:
    """Ask every rule; a plateau is named only where no other problem is."""
    early = too_early(case)
    if early:
        return [finding for finding in (early, learning.same_reward(case)) if finding]
    found = [finding for rule in RULES if (finding := rule(case))]
    flat = None if found else driving.plateau(case)
    return [*found, flat] if flat else found


def verdict(case: Case, findings: list[Finding]) -> str:
    """One sentence on the whole."""
    problems = [finding for finding in findings if finding.is_problem]
    laps = f"{100 * case.laps:.0f} % of the last {len(case.last)} episodes are complete laps"
    if len(case.evaluations):
        last = case.evaluations[-1]
        laps += f", and {last.complete} of {last.attempts} laps of the last evaluation"
    if case.drives_well and not problems:
        return f"It drives well: {laps}."
    if problems:
        return f"{len(problems)} problem{'s' if len(problems) > 1 else ''} found; {laps}."
    gained = float(case.last.progress.mean() - case.first.progress.mean())
    if findings:
        return f"Nothing can be said yet; {laps}."
    return f"Nothing is wrong, and it is not finished: {laps}; completion rose by {gained:.0f} points of a lap."
