"""What is wrong with how a driver learns: rules on rewards and learning curves. Each gives a finding or None."""

from __future__ import annotations

import numpy as np

from training.analysis.case import Case, Finding

COLLAPSED, UNDECIDED = 0.15, 0.97  #: of `Case.entropy_left`
UNDECIDED_ITERATIONS = 10
JUMPS = 0.05  #: nat of KL divergence in an iteration; a training that goes well stays below 0.02
STILL_KL, STILL_CLIPPED = 1e-4, 0.005
EXPLODES = 10.0  #: times the value loss of the first quarter
HUGE = 100.0  #: of a step's reward, mean size
FORESEES, BLIND = 0.5, 0.1  #: explained variance
SPARSE = 0.98  #: share of the steps that are paid the same
FEWEST_STEPS = 200
SHORTER = 0.7  #: times as long as the first episodes


def same_reward(case: Case) -> Finding | None:
    """Every step is paid the same."""
    if len(case.rewards) < FEWEST_STEPS:
        return None
    mean = float(case.rewards.mean())
    if float(np.ptp(case.rewards)) > 1e-6 * max(abs(mean), 1e-9):
        return None
    longer = "Longer episodes sum to more, so it may learn to stay on the track, but" if mean > 0.0 else "So"
    return Finding(
        "same_reward",
        f"Every step is paid the same, {mean:.4g}. {longer} it is not told what good driving is.",
        {"reward_of_a_step": mean},
        (
            "let the reward depend on what should be better or worse: distance_from_center, speed, progress",
            "look at what it returns with racer reward check; an early return or a wrong key is a common cause",
        ),
        is_problem=not case.drives_well,
    )


def sparse_reward(case: Case) -> Finding | None:
    """Almost every step is paid the same."""
    if case.drives_well or len(case.rewards) < FEWEST_STEPS or same_reward(case):
        return None
    values, counts = np.unique(np.round(case.rewards, 6), return_counts=True)
    share = float(counts.max() / counts.sum())
    if share < SPARSE:
        return None
    value = float(values[counts.argmax()])
    return Finding(
        "sparse_reward",
        f"{100 * share:.1f} % of all steps are paid the same, {value:.4g}: the driver hardly ever finds "
        "what else is paid.",
        {"share": share, "reward_of_a_step": value},
        ("pay a little for what leads there: nearness to the centre line, progress since the last step",),
    )


def punished(case: Case) -> Finding | None:
    """Steps cost more than they bring, so that ending an episode soon is best."""
    if case.drives_well or len(case.rewards) < FEWEST_STEPS:
        return None
    mean, before, now = (float(v.mean()) for v in (case.rewards, case.first.steps, case.last.steps))
    if mean >= 0.0 or now >= SHORTER * before:
        return None
    return Finding(
        "punished",
        f"Driving is punished: a step is paid {mean:.3g} on average, and episodes became shorter, from {before:.0f} to "
        f"{now:.0f} steps. Leaving the track soon is the best that the driver can do.",
        {"reward_of_a_step": mean, "steps_at_first": before, "steps_now": now},
        ("add to the reward until an ordinary step on the track is paid more than nothing",),
    )


def entropy_collapsed(case: Case) -> Finding | None:
    """The driver no longer tries anything, but does not drive well."""
    left = case.entropy_left
    if case.drives_well or left is None or left >= COLLAPSED:
        return None
    of = "of what choosing at random has" if case.most_entropy is not None else "of half the range of the actions"
    h = case.hyperparameters
    return Finding(
        "entropy_collapsed",
        f"The entropy has collapsed to {100 * left:.1f} % {of}: the driver has decided too early, and "
        f"{100 * case.laps:.0f} % of its last episodes are complete laps. It tries nothing new any more.",
        {"entropy_left": left, "laps": case.laps},
        (
            f"start anew with a higher beta_entropy{f' (now {h.beta_entropy:g})' if h else ''}, such as 0.01 to 0.05",
            f"lower the learning rate{f' (now {h.lr:g})' if h else ''}, if the entropy fell within a few iterations",
            "look at whether the reward pays for what it has settled on",
        ),
    )


def undecided(case: Case) -> Finding | None:
    """After many iterations the driver still chooses at random."""
    left = case.entropy_left
    if case.most_entropy is None or left is None or case.drives_well:
        return None
    if left < UNDECIDED or case.iterations < UNDECIDED_ITERATIONS or hardly_changes(case):
        return None
    h = case.hyperparameters
    return Finding(
        "undecided",
        f"It still chooses at random after {case.iterations} iterations: the entropy is {100 * left:.0f} % "
        "of the highest.",
        {"entropy_left": left, "iterations": case.iterations},
        (
            f"raise the learning rate{f' (now {h.lr:g})' if h else ''} towards 3e-4, or lower beta_entropy",
            "see that the reward tells good steps from bad ones: racer reward check",
        ),
    )


def changes_too_much(case: Case) -> Finding | None:
    """Every iteration makes another driver."""
    kl = case.at_end("train/approx_kl")
    if case.drives_well or kl is None or kl < JUMPS:
        return None
    h = case.hyperparameters
    return Finding(
        "changes_too_much",
        f"Every iteration makes another driver: the KL divergence is {kl:.2g}, where up to 0.02 is usual. What was "
        "learnt is thrown away again.",
        {"kl_divergence": kl},
        (
            f"lower the learning rate{f' (now {h.lr:g})' if h else ''}; 3e-4 is the default",
            f"use fewer epochs{f' (now {h.num_epochs})' if h else ''} or larger batches",
        ),
    )


def hardly_changes(case: Case) -> Finding | None:
    """Iterations change nothing."""
    kl, clipped = case.at_end("train/approx_kl"), case.at_end("train/clip_fraction")
    if case.drives_well or kl is None or kl >= STILL_KL or (clipped or 0.0) >= STILL_CLIPPED:
        return None
    h = case.hyperparameters
    return Finding(
        "hardly_changes",
        f"It hardly learns: an iteration changes the driver by a KL divergence of {kl:.1g}; 0.002 to 0.02 is usual.",
        {"kl_divergence": kl},
        (f"raise the learning rate{f' (now {h.lr:g})' if h else ''}; 3e-4 is the default",),
    )


def value_loss_explodes(case: Case) -> Finding | None:
    """The value loss grows and the critic does not follow."""
    before, now = case.at_beginning("train/value_loss"), case.at_end("train/value_loss")
    foresees = case.at_end("train/explained_variance")
    if case.drives_well or not before or now is None or now < EXPLODES * before:
        return None
    if foresees is not None and foresees >= FORESEES:
        return None
    known = f", and the critic foresees {100 * max(foresees, 0.0):.0f} % of what varies" if foresees is not None else ""
    return Finding(
        "value_loss_explodes",
        f"The value loss explodes: from {before:.3g} to {now:.3g}{known}.",
        {"value_loss_at_first": before, "value_loss_now": now},
        _calmer(case),
    )


def huge_reward(case: Case) -> Finding | None:
    """Steps pay so much that the critic does not learn them."""
    foresees, now = case.at_end("train/explained_variance"), case.at_end("train/value_loss")
    size = float(np.abs(case.rewards).mean()) if len(case.rewards) else 0.0
    if size < HUGE or foresees is None or foresees >= BLIND or value_loss_explodes(case):
        return None
    return Finding(
        "huge_reward",
        f"The rewards are huge: {size:.3g} a step. The critic foresees nothing of them (explained variance "
        f"{foresees:.2f}), at a value loss of {now or 0.0:.3g}.",
        {"reward_of_a_step": size, "explained_variance": foresees, "value_loss": now or 0.0},
        _calmer(case),
        is_problem=not case.drives_well,
    )


def critic_blind(case: Case) -> Finding | None:
    """The critic does not foresee what an episode pays."""
    foresees, now = case.at_end("train/explained_variance"), case.at_end("train/value_loss")
    if case.drives_well or foresees is None or foresees >= BLIND or case.iterations < UNDECIDED_ITERATIONS:
        return None
    if any(rule(case) for rule in (same_reward, value_loss_explodes, huge_reward, hardly_changes)):
        return None
    return Finding(
        "critic_blind",
        f"The critic foresees nothing: explained variance {foresees:.2f} after {case.iterations} iterations, at a "
        f"value loss of {now or 0.0:.3g}.",
        {"explained_variance": foresees, "value_loss": now or 0.0},
        _calmer(case),
    )


def _calmer(case: Case) -> tuple[str, ...]:
    size = float(np.abs(case.rewards).mean()) if len(case.rewards) else 0.0
    scale = (f"divide the reward by {size:.1g}, so that a step pays about 1",) if size > 10.0 else ()
    h = case.hyperparameters
    huber = ("set loss_type to huber",) if h and h.loss_type != "huber" else ()
    return (
        *scale,
        *huber,
        f"lower the learning rate{f' (now {h.lr:g})' if h else ''}",
        "remove rare huge payments, such as a bonus of hundreds at the end of the lap",
    )
