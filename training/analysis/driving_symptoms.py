"""What is wrong with how a car drives: rules on episodes. Each gives a finding or None."""

from __future__ import annotations

import numpy as np

from training.analysis.case import Case, Finding
from training.analysis.stages import running_mean
from training.analysis.usage import angle

SHORT_MEDIAN, SHORT_BEST, SHORT_GAIN = 20.0, 35.0, 8.0  #: per cent of a lap: median, 90th percentile, and gained since
ONE_PLACE, ONE_PLACE_ENDS, FEWEST_ENDS = 0.5, 0.25, 10  #: shares of those that came and of all ends; ends there
OFTEN = 0.2  #: share of episodes that end in one of the ways that are not leaving the track
CRAWL = 0.35  #: m/s
LOST = 0.6  #: of the best completion that was once reached
REACHED = 50.0  #: per cent of a lap that counts as having been reached
EVALUATED_LESS = 0.5  #: of the completion in training
FLAT = 3.0  #: per cent of a lap between one quarter and the next
FINISHED = 80.0  #: per cent of a lap from which more comes slowly


def first_corner(case: Case) -> Finding | None:
    """It never leaves the first corner that it comes to."""
    before, now = float(case.first.progress.mean()), float(case.last.progress.mean())
    median, best = (float(np.percentile(case.last.progress, p)) for p in (50, 90))
    if case.drives_well or median >= SHORT_MEDIAN or best >= SHORT_BEST or now - before >= SHORT_GAIN:
        return None
    return Finding(
        "first_corner",
        f"It never gets past the first corner: half of the last {len(case.last)} episodes end before {median:.0f} % "
        f"of a lap, nine of ten before {best:.0f} %; on average it drives {now:.0f} %, and {before:.0f} % when it "
        "began.",
        {"median_percent": median, "p90_percent": best, "mean_percent": now, "mean_at_first_percent": before},
        (
            "check with racer reward check that driving around the corner pays more than driving straight off",
            "see that the action space can take the corner at all: steeper angles, and a slow speed for them",
            "train on a simpler track, such as oval, to see whether reward and actions work there",
        ),
    )


def one_place(case: Case) -> Finding | None:
    """Most who come to one metre of the road end there."""
    worst = case.worst
    if worst is None or case.drives_well or worst.ended < FEWEST_ENDS:
        return None
    here, ends = worst.ended / worst.came, worst.ended / worst.ends
    if here < ONE_PLACE or ends < ONE_PLACE_ENDS:
        return None
    return Finding(
        "one_place",
        f"One place stops it: of {worst.came} late episodes that came to metre {worst.begin:.0f} to {worst.end:.0f} of "
        f"the centre line, {worst.ended} ended there ({100 * here:.0f} %); that is {100 * ends:.0f} % of all ends.",
        {"from_m": worst.begin, "to_m": worst.end, "came": worst.came, "ended": worst.ended, "share_of_ends": ends},
        (
            "look at the picture of where it leaves: too fast, too little steering, or cutting the corner",
            "give the action space a slower action with full lock, or let the reward pay for slowing down before it",
            "see what the reward pays there: a waypoint range or a racing line in it may be off by a few metres",
        ),
        is_problem=bool(case.last.progress.mean() - case.first.progress.mean() < SHORT_GAIN),
    )


def reward_without_progress(case: Case) -> Finding | None:
    """The reward rises while completion does not."""
    first, last = case.first, case.last
    before, now = float(first.reward.mean()), float(last.reward.mean())
    progress = float(last.progress.mean() - first.progress.mean())
    spread = float(np.hypot(first.reward.std() / len(first) ** 0.5, last.reward.std() / len(last) ** 0.5))
    rises = now - before > max(3.0 * spread, 0.5 * abs(before))
    if case.drives_well or not rises or progress >= SHORT_GAIN:
        return None
    return Finding(
        "reward_without_progress",
        f"The reward rises but the car gets no further: from {before:.3g} to {now:.3g} an episode, while completion "
        f"went from {first.progress.mean():.0f} to {last.progress.mean():.0f} % of a lap. The function pays for "
        "something else.",
        {"reward_at_first": before, "reward_now": now, "progress_gained_percent": progress},
        (
            "look at what the most chosen actions earn a step (table of actions), and pay less for it",
            "pay for progress: for example progress per step, or a bonus for a complete lap",
            "lower what is paid for merely being on the track, which grows with the time an episode takes",
        ),
    )


def one_action(case: Case, dominates: float = 0.8) -> Finding | None:
    """One of the listed actions dominates."""
    if case.drives_well or len(case.shares) < 2 or case.shares.max() < dominates:
        return None
    k = int(np.argmax(case.shares))
    share, (steering, speed) = float(case.shares[k]), case.commands[k].tolist()
    return Finding(
        "one_action",
        f"One action dominates: number {k} ({angle(steering)}, {speed:.1f} m/s) is chosen in {100 * share:.0f} % of "
        f"the last steps, and the car completes {100 * case.laps:.0f} % of its laps.",
        {"action": k, "share": share},
        (
            "see what the reward pays for that action alone, and remove a bonus for speed or for going straight",
            _more_entropy(case),
            "start anew: a driver that no longer tries anything else rarely recovers",
        ),
    )


def _more_entropy(case: Case) -> str:
    h = case.hyperparameters
    now = f" (now {h.beta_entropy:g})" if h else ""
    raised = max(3.0 * h.beta_entropy, 0.01) if h else 0.01
    return f"raise beta_entropy{now} to {raised:g}, so that the driver keeps trying other actions"


def ends_standing(case: Case) -> Finding | None:
    """Many episodes end because the car stands still, drives backwards, or takes too long."""
    says = {"immobilized": "standing still", "reversed": "driving backwards", "time_up": "taking too long"}
    counted = {status: float(np.mean(case.last.status == status)) for status in says}
    status = max(counted, key=lambda s: counted[s])
    if case.drives_well or counted[status] < OFTEN:
        return None
    return Finding(
        "ends_standing",
        f"{100 * counted[status]:.0f} % of the last {len(case.last)} episodes end by {says[status]}.",
        {f"share_{status}": counted[status]},
        (
            "let the reward pay for progress rather than for each step",
            "take speeds below 0.5 m/s out of the action space",
        ),
    )


def crawls(case: Case) -> Finding | None:
    """The car hardly moves."""
    seconds = float(case.last.seconds.sum())
    if case.drives_well or case.length is None or seconds <= 0.0:
        return None
    speed = float(np.maximum(case.last.progress, 0.0).sum()) / 100.0 * case.length / seconds
    if speed >= CRAWL:
        return None
    return Finding(
        "crawls",
        f"It crawls: {speed:.2f} m/s along the track on average in the last {len(case.last)} episodes.",
        {"metres_per_second": speed},
        (
            "take the slowest speeds out of the action space",
            "pay for speed or for progress per step; a reward for each step on the track pays for being slow",
        ),
    )


def collisions(case: Case) -> Finding | None:
    """Most episodes end in a collision."""
    share = float(np.mean(case.last.status == "crashed"))
    if case.drives_well or share < 0.5:
        return None
    return Finding(
        "collisions",
        f"{100 * share:.0f} % of the last {len(case.last)} episodes end in a collision.",
        {"share_crashed": share},
        (
            "let the reward fall when closest_objects is near and ahead on the car's side of the road",
            "begin with fewer objects (--obstacles, --bots) and add more once it drives around them",
        ),
    )


def forgot(case: Case) -> Finding | None:
    """It once drove much better."""
    window = max(20, len(case.episodes) // 10)
    mean = running_mean(case.episodes.progress, window)[window - 1 :]
    if not len(mean):
        return None
    best, now = float(mean.max()), float(mean[-1])
    if case.drives_well or best < REACHED or now >= LOST * best:
        return None
    at = int(case.episodes.trained[window - 1 + int(mean.argmax())])
    return Finding(
        "forgot",
        f"It drove better before: {best:.0f} % of a lap (mean of {window} episodes) after {at:,} steps, now "
        f"{now:.0f} %.",
        {"best_percent": best, "best_at_step": at, "now_percent": now},
        (
            "the best checkpoint is kept: racer evaluate and racer export use it unless told otherwise",
            f"lower the learning rate{_now(case, 'lr')} to a third, or the number of epochs",
            "gather more episodes between trainings (num_episodes_between_training)",
        ),
    )


def _now(case: Case, key: str) -> str:
    return f" (now {getattr(case.hyperparameters, key):g})" if case.hyperparameters else ""


def evaluated_worse(case: Case) -> Finding | None:
    """It drives well while exploring, and badly when it does not."""
    if len(case.evaluations) < 3:
        return None
    training, evaluation = float(case.last.progress.mean()), float(np.mean(case.evaluations.progress[-2:]))
    if training < REACHED or evaluation >= EVALUATED_LESS * training:
        return None
    return Finding(
        "evaluated_worse",
        f"It completes {training:.0f} % of a lap while exploring but {evaluation:.0f} % in the last two evaluations: "
        "without chance, its favourite action alone does not get around.",
        {"training_percent": training, "evaluation_percent": evaluation},
        (
            "go on training with a lower beta_entropy, so that the driver decides",
            "give the action space angles between those it switches to and fro between",
        ),
    )


def plateau(case: Case) -> Finding | None:
    """It no longer gets better; asked only where nothing else explains it."""
    parts = np.array_split(case.episodes.progress, 4)
    earlier, now = float(parts[2].mean()), float(parts[3].mean())
    best = float(running_mean(case.episodes.progress)[-max(len(case.episodes) // 2, 1) :].max())
    if case.drives_well or now >= FINISHED or now - earlier >= FLAT or best - earlier >= 4 * FLAT:
        return None
    return Finding(
        "plateau",
        f"It no longer gets better: {earlier:.0f} % of a lap in the third quarter of the episodes, {now:.0f} % "
        "in the last.",
        {"third_quarter_percent": earlier, "last_quarter_percent": now},
        (
            "go on for as long again before judging: progress often comes in jumps",
            "look at where it leaves, and at what the reward pays there",
            "compare with the example centre_line on the same track: racer analyze RUN --against RUN2",
        ),
    )
