"""The engine that does one training after the other, in this process."""

from __future__ import annotations

from racer_env.errors import RacerError
from training.run_folder import RunError
from training.sweep.objective import Result
from training.sweep.schedule import Schedule, Training
from training.sweep.training_run import train


class LocalEngine:
    """Does trainings here, one at a time."""

    def work(self, schedule: Schedule) -> None:
        """Do trainings until the schedule has no more.

        Raises:
            RunError: a run cannot be written; the trial is not lost, it goes on when the sweep does.
            Interrupted: the user pressed Ctrl-C.
        """
        while (training := schedule.next()) is not None:
            self._do(training, schedule)

    def _do(self, training: Training, schedule: Schedule) -> None:
        def listener(result: Result, share: float) -> bool:
            return schedule.stands(training, result, share)

        try:
            result = train(training.run, training.goal, listener)
        except RunError:
            raise
        except RacerError as error:
            schedule.failed(training, str(error))
        else:
            schedule.ended(training, result)
