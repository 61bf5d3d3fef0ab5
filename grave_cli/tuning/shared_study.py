"""A study that several processes and machines work on, any of which may be killed at any moment.

Slots are claimed under a lock, so that there are never more finished trials than asked for. A trial
gives signs of life; one that stops doing so is failed, and queued again with the same parameters.
"""

import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grave_cli.errors import TuningError
from grave_cli.tuning.storage import study_lock

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# A trial's attribute: its number, once its first sign of life is given.
_CLAIMED = "gravecli.claimed"
_FIXED = "fixed_params"  # Optuna's attribute of a queued trial
_POLL_S = 0.5


@dataclass(frozen=True)
class Slots:
    """What trials are made of, and how many there are to be.

    Args:
        wanted: Finished trials (complete or pruned) in all.
        space: Distribution of each parameter.
        combinations: When not empty, parameters to be taken one after the other, each once.
        deadline: Time, seconds since the epoch, from which no trial begins; None for never.
    """

    wanted: int
    space: Mapping[str, "BaseDistribution"]
    combinations: Sequence[Mapping[str, Any]] = ()
    deadline: float | None = None


@dataclass(frozen=True)
class SharedStudy:
    """A study in a storage with heartbeats.

    Args:
        study: Optuna's.
        storage: Where it is kept.
    """

    study: "Study"
    storage: "RDBStorage"

    def locked(self) -> AbstractContextManager[None]:
        """Keep all others from claiming trials while the block runs."""
        return study_lock(self.storage, self.study.study_name)

    def trials(self, *states: str) -> list["FrozenTrial"]:
        """List the trials in some states, by Optuna's names of these, or all."""
        from optuna.trial import TrialState

        chosen = tuple(TrialState[state] for state in states) or None
        return self.study.get_trials(deepcopy=False, states=chosen)

    def finished(self) -> list["FrozenTrial"]:
        """List the trials that count."""
        return self.trials("COMPLETE", "PRUNED")

    def claim(self, slots: Slots) -> "Trial | None":
        """Take the next trial; None when there are enough.

        While those that are missing run elsewhere, it waits: one of them may die, and is done here
        then.

        Raises:
            TuningError: The search space does not fit the trials there are.
        """
        while True:
            with self.locked():
                self._fail_the_dead()
                running = len(self.trials("RUNNING"))
                in_time = slots.deadline is None or time.time() < slots.deadline
                if len(self.finished()) + running < slots.wanted and in_time:
                    return self._begin(slots)
            if not running or not in_time:
                return None
            time.sleep(_POLL_S)

    @contextmanager
    def kept_alive(self, trial: "Trial") -> Iterator[None]:
        """Give signs of life of a trial while the block runs."""
        from optuna.exceptions import StorageInternalError

        end = threading.Event()

        def beat() -> None:
            while not end.wait(self.storage.get_heartbeat_interval()):
                with suppress(StorageInternalError):  # the next one may come through
                    self._record_heartbeat(trial.number)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def queue_again(self, number: int, **attributes: Any) -> None:
        """Fail a running trial, and queue its parameters for whoever claims the next one.

        Args:
            number: The trial.
            attributes: What the next attempt is to know.
        """
        from optuna.trial import TrialState

        for name, value in attributes.items():
            trial_id = self._trial_id(number)
            self.storage.set_trial_user_attr(trial_id, name, value)
        failed = self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        retry = self.storage.get_heartbeat_stale_trial_callback()
        assert retry is not None  # `open_storage` sets it
        retry(self.study, failed)

    def _begin(self, slots: Slots) -> "Trial":
        if slots.combinations:
            self._queue_missing(slots.combinations)
        try:
            with warnings.catch_warnings():
                # "supposed to be used with Study.optimize": the signs of life are our own.
                warnings.filterwarnings("ignore", message="Heartbeat of storage")
                trial = self.study.ask(dict(slots.space))
        except ValueError as error:
            self._fail_the_dead()
            raise TuningError(
                f"search space does not fit the trials of the study: {error}",
                remedy="give the study another name",
            ) from None
        self._record_heartbeat(trial.number)
        trial.set_user_attr(_CLAIMED, trial.number)
        return trial

    def _queue_missing(self, combinations: Sequence[Mapping[str, Any]]) -> None:
        """Queue the first combination that is neither done nor being done, unless one waits."""
        taken = [
            trial.params or trial.system_attrs.get(_FIXED)
            for trial in self.trials("COMPLETE", "PRUNED", "RUNNING", "WAITING")
        ]
        missing = [dict(one) for one in combinations if one not in taken]
        if missing and not self.trials("WAITING"):
            self.study.enqueue_trial(missing[0])

    def _fail_the_dead(self) -> None:
        """Fail and queue again what no longer gives signs of life, or never came to do so."""
        from optuna.storages import fail_stale_trials

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is experimental")
            fail_stale_trials(self.study)
        for trial in self.trials("RUNNING"):
            if trial.user_attrs.get(_CLAIMED) != trial.number:
                self.queue_again(trial.number)

    def _record_heartbeat(self, number: int) -> None:
        self.storage.record_heartbeat(self._trial_id(number))

    def _trial_id(self, number: int) -> int:
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
