"""One training of a candidate, the same on every engine: train, watch the evaluations, tell what was achieved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.run_folder import RunFolder
from training.sweep.objective import Result
from training.trainer import Report, Stop, Trainer

#: Hears of the result after every evaluation, and of the share of the training that is done; False ends the training.
Listener = Callable[[Result, float], bool]


class Interrupted(Exception):  # noqa: N818 - as KeyboardInterrupt, it is not an error
    """The user ended a training; it is saved."""


@dataclass(frozen=True)
class Goal:
    """When a training ends: after so many steps, or at once when enough evaluation laps in a row are complete."""

    steps: int
    laps: int
    stop_at_laps: bool

    @property
    def stop(self) -> Stop:
        """For the trainer."""
        return Stop(steps=self.steps, laps=self.laps if self.stop_at_laps else None)


def train(run: RunFolder, goal: Goal, listener: Listener) -> Result:
    """Train a new run.

    Raises:
        RacerError: the reward function failed, the losses are no longer numbers, or the disk is full.
        Interrupted: the user pressed Ctrl-C.
    """
    trainer = Trainer(run)
    result, ended = Result(run.settings.seed), False

    def report(report: Report) -> None:
        nonlocal result, ended
        if report.evaluation is None:
            return
        result = result.after(report.course, report.evaluation.completion, goal.laps)
        if not listener(result, report.share or 0.0) and not ended:
            ended = True
            trainer.ppo.interrupted = True

    trainer.train(goal.stop, report)
    if trainer.interrupted and not ended:
        raise Interrupted
    return result
