"""One worker of a study: claim a trial, run it, tell its end, until there are enough."""

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from grave_cli.errors import TuningError
from grave_cli.progress import SILENT, Progress
from grave_cli.tuning.shared_study import SharedStudy, Slots

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

Objective = Callable[["Trial"], float]
"""Runs a trial and returns its value; raises Optuna's TrialPruned for a hopeless one."""

_FAILURES_IN_A_ROW = 3


class TryAgain(Exception):
    """Asks for a trial to be done again with the same parameters.

    Args:
        attributes: What the next attempt is to know.
    """

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes
        super().__init__(str(attributes))


def work(
    shared: SharedStudy, slots: Slots, objective: Objective, progress: Progress = SILENT
) -> None:
    """Run trials until a study has enough finished ones.

    An exception fails its trial, and the study goes on. Ctrl-C queues the trial again.

    Args:
        shared: The study.
        slots: How many, and of what.
        objective: What a trial does.
        progress: Is told of each trial's end.

    Raises:
        TuningError: Three trials failed one after the other.
    """
    failures: list[Exception] = []
    while (trial := shared.claim(slots)) is not None:
        failure = _run(shared, trial, objective)
        # A trainer and its network refer to each other; by itself, the collector comes too late.
        gc.collect()
        failures = [*failures, failure] if failure else []
        told = next(one for one in shared.trials() if one.number == trial.number)
        progress.note(describe(told, failure))
        if len(failures) == _FAILURES_IN_A_ROW:
            raise TuningError(
                f"{len(failures)} trials failed one after the other, the first with: {failures[0]}"
            ) from failures[0]


def describe(trial: "FrozenTrial", failure: Exception | None = None) -> str:
    """Say in a line how a trial ended, and with which parameters."""
    params = ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in trial.params.items()
    )
    outcome = f"{trial.state.name.lower()}" + (f": {failure}" if failure else "")
    value = "" if trial.value is None else f" {trial.value:.4f}"
    return f"trial {trial.number}: {outcome}{value} ({params})"


def _run(shared: SharedStudy, trial: "Trial", objective: Objective) -> Exception | None:
    """Run a trial and tell its end to the study; return what made it fail."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    value, failure, state = None, None, TrialState.COMPLETE
    try:
        with shared.kept_alive(trial):
            value = objective(trial)
    except TrialPruned:
        state = TrialState.PRUNED
    except TryAgain as again:
        shared.queue_again(trial.number, **again.attributes)
        return None
    except KeyboardInterrupt:
        shared.queue_again(trial.number)
        raise
    except Exception as error:
        state, failure = TrialState.FAIL, error
    # One that was taken for dead meanwhile is being done again: what it found does not count.
    shared.study.tell(trial, value, state, skip_if_finished=True)
    return failure
