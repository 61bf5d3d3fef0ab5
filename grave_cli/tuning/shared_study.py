"""A study shared by processes and machines, any of which may be killed at any moment.

Trials are claimed under a lock, so a study never gets more finished trials than wanted. A running
trial records its process and heartbeats; when these stop or the process is dead, it is failed and
its parameters are queued again.
"""

import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grave_cli.errors import TuningError
from grave_cli.interrupts import held_back
from grave_cli.owners.tags import owner_of, owner_tag
from grave_cli.tuning.storage import study_lock

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# Attribute of a trial: its number, set after its first heartbeat.
_CLAIMED = "gravecli.claimed"
# Attribute of a trial: the tag of its process.
_OWNER = "gravecli.process"
_FIXED = "fixed_params"  # Optuna's attribute of a queued trial
_POLL_S = 0.5


@dataclass(frozen=True)
class Slots:
    """Number and search space of the trials to claim.

    Args:
        wanted: Number of finished trials (complete or pruned) in all.
        space: Distribution of each parameter.
        combinations: For a grid, the parameters to try in this order, each once; empty otherwise.
        deadline: Time, in seconds since the epoch, after which no trial starts; None for never.
    """

    wanted: int
    space: Mapping[str, "BaseDistribution"]
    combinations: Sequence[Mapping[str, Any]] = ()
    deadline: float | None = None


@dataclass(frozen=True)
class SharedStudy:
    """A study in a storage with heartbeats.

    Args:
        study: Optuna's study.
        storage: Storage of the study.
    """

    study: "Study"
    storage: "RDBStorage"

    def locked(self) -> AbstractContextManager[None]:
        """Keep other workers from claiming trials while the block runs."""
        return study_lock(self.storage, self.study.study_name)

    def trials(self, *states: str) -> list["FrozenTrial"]:
        """List the trials in the given states (Optuna's names), or all."""
        from optuna.trial import TrialState

        chosen = tuple(TrialState[state] for state in states) or None
        return self.study.get_trials(deepcopy=False, states=chosen)

    def finished(self) -> list["FrozenTrial"]:
        """List the complete and pruned trials."""
        return self.trials("COMPLETE", "PRUNED")

    def claim(self, slots: Slots) -> "Trial | None":
        """Start the next trial; return None when the study has enough.

        While other workers run the last trials, it waits: if one of them dies, its trial is
        repeated here.

        Raises:
            TuningError: The search space does not fit the existing trials.
        """
        while True:
            with self.locked():
                self._fail_stale()
                running = len(self.trials("RUNNING"))
                in_time = slots.deadline is None or time.time() < slots.deadline
                if len(self.finished()) + running < slots.wanted and in_time:
                    return self._begin(slots)
            if not running or not in_time:
                return None
            time.sleep(_POLL_S)

    def fail_abandoned(self) -> None:
        """Fail the running trials of processes that were killed, and queue them again."""
        if self.trials("RUNNING"):
            with self.locked():
                self._fail_stale()

    @contextmanager
    def kept_alive(self, trial: "Trial") -> Iterator[None]:
        """Record heartbeats of a trial while the block runs."""
        from optuna.exceptions import StorageInternalError

        end = threading.Event()

        def beat() -> None:
            while not end.wait(self.storage.get_heartbeat_interval()):
                with suppress(StorageInternalError):  # the next one may succeed
                    self._record_heartbeat(trial.number)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def queue_again(self, number: int, **attributes: Any) -> None:
        """Fail a running trial and queue its parameters for the next claim.

        A trial that another worker has failed as stale is queued already.

        Args:
            number: Number of the trial.
            attributes: Attributes of the next attempt.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        trial_id = self._trial_id(number)
        try:
            for name, value in attributes.items():
                self.storage.set_trial_user_attr(trial_id, name, value)
            self.storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return
        retry = self.storage.get_heartbeat_stale_trial_callback()
        assert retry is not None  # `open_storage` sets it
        retry(self.study, deepcopy(self.storage.get_trial(trial_id)))

    def queue_own(self) -> None:
        """Queue the trial of this process again, which Ctrl-C may have ended before it began."""
        for trial in self.trials("RUNNING"):
            known = trial.user_attrs
            if (known.get(_CLAIMED), known.get(_OWNER)) == (trial.number, owner_tag()):
                self.queue_again(trial.number)

    @held_back()  # so that a trial without a process is one of a killed one
    def _begin(self, slots: Slots) -> "Trial":
        if slots.combinations:
            self._queue_missing(slots.combinations)
        try:
            with warnings.catch_warnings():
                # "supposed to be used with Study.optimize": `kept_alive` replaces its heartbeats.
                warnings.filterwarnings("ignore", message="Heartbeat of storage")
                trial = self.study.ask(dict(slots.space))
        except ValueError as error:
            self._fail_stale()
            raise TuningError(
                f"search space does not fit the trials of the study: {error}",
                remedy="choose another study name",
            ) from None
        self._record_heartbeat(trial.number)
        trial.set_user_attr(_OWNER, owner_tag())
        trial.set_user_attr(_CLAIMED, trial.number)
        return trial

    def _queue_missing(self, combinations: Sequence[Mapping[str, Any]]) -> None:
        """Queue the first combination without a trial, unless one is waiting."""
        taken = [
            trial.params or trial.system_attrs.get(_FIXED)
            for trial in self.trials("COMPLETE", "PRUNED", "RUNNING", "WAITING")
        ]
        missing = [dict(one) for one in combinations if one not in taken]
        if missing and not self.trials("WAITING"):
            self.study.enqueue_trial(missing[0])

    def _fail_stale(self) -> None:
        """Fail trials of dead processes or without a recent heartbeat, and queue them again."""
        from optuna.storages import fail_stale_trials

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is experimental")
            fail_stale_trials(self.study)
        for trial in self.trials("RUNNING"):
            is_unclaimed = trial.user_attrs.get(_CLAIMED) != trial.number
            owner = owner_of(str(trial.user_attrs.get(_OWNER)))
            if is_unclaimed or (owner is not None and owner.runs is False):
                self.queue_again(trial.number)

    def _record_heartbeat(self, number: int) -> None:
        self.storage.record_heartbeat(self._trial_id(number))

    def _trial_id(self, number: int) -> int:
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
