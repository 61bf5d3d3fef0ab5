"""Loop of one worker: claim a trial, run it and record its result, until there are enough."""

import gc
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from grave_cli.errors import TuningError
from grave_cli.interrupts import held_back, was_interrupted
from grave_cli.masking import mask
from grave_cli.progress import SILENT, Progress
from grave_cli.tuning.shared_study import SharedStudy, Slots
from grave_cli.wording import rounded

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial, TrialState

Objective = Callable[["Trial"], float]
"""Runs a trial and returns its value; raises Optuna's TrialPruned to prune it."""

_FAILURES_IN_A_ROW = 3


class RetryTrial(Exception):
    """Asks to repeat a trial with the same parameters.

    Args:
        attributes: Attributes of the next attempt.
    """

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes
        super().__init__(str(attributes))


def work(
    shared: SharedStudy, slots: Slots, objective: Objective, progress: Progress = SILENT
) -> None:
    """Run trials until a study has enough finished ones.

    An exception fails its trial, and the study continues. Ctrl-C queues the trial again.

    Args:
        shared: The study.
        slots: Number and search space of the trials.
        objective: Runs one trial.
        progress: Receives a note for each trial that ends.

    Raises:
        TuningError: Three trials failed in a row.
    """
    failures: list[Exception] = []
    try:
        while (trial := shared.claim(slots)) is not None:
            failure = _run(shared, trial, objective)
            # A trainer and its network refer to each other; automatic collection comes too late.
            gc.collect()
            failures = [*failures, failure] if failure else []
            ended = next(one for one in shared.trials() if one.number == trial.number)
            progress.note(describe(ended, failure))
            if len(failures) == _FAILURES_IN_A_ROW:
                raise TuningError(
                    f"{len(failures)} trials failed in a row, the first with: {failures[0]}"
                ) from failures[0]
    except KeyboardInterrupt:
        shared.queue_own()
        raise


def describe(trial: "FrozenTrial", failure: Exception | None = None) -> str:
    """Describe the outcome and parameters of a trial in one line."""
    params = ", ".join(
        f"{key} {rounded(value, 3)}" if isinstance(value, float) else f"{key} {value}"
        for key, value in trial.params.items()
    )
    outcome = f"{trial.state.name.lower()}" + (f": {mask(str(failure))}" if failure else "")
    value = "" if trial.value is None else f" {trial.value:.4f}"
    return f"trial {trial.number}: {outcome}{value} ({params})"


def _run(shared: SharedStudy, trial: "Trial", objective: Objective) -> Exception | None:
    """Run a trial and record its result in the study; return the exception if it failed."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    value, failure, state = None, None, TrialState.COMPLETE
    try:
        with shared.kept_alive(trial):
            value = objective(trial)
    except TrialPruned:
        state = TrialState.PRUNED
    except RetryTrial as retry:
        shared.queue_again(trial.number, **retry.attributes)
        return None
    except KeyboardInterrupt:
        if value is None:
            shared.queue_again(trial.number)
        else:  # the trial had just ended
            _record(shared, trial, value, state)
        raise
    except Exception as error:
        if was_interrupted(error):
            shared.queue_again(trial.number)
            raise KeyboardInterrupt from error
        state, failure = TrialState.FAIL, error
    _record(shared, trial, value, state)
    return failure


def _record(shared: SharedStudy, trial: "Trial", value: float | None, state: "TrialState") -> None:
    """Record the result of a trial; if it was failed as stale, it is already being repeated."""
    from optuna.exceptions import UpdateFinishedTrialError

    with held_back(), suppress(UpdateFinishedTrialError):  # it was failed just now
        shared.study.tell(trial, value, state, skip_if_finished=True)
