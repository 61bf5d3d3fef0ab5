"""State of a study: its result at the end, and its status while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from grave_cli.tuning.shared_study import SharedStudy

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RUN_ID = "run_id"
"""Attribute of a trial: id of its MLflow run."""


def run_name(study: str, number: int) -> str:
    """Return the name of a trial's MLflow run."""
    return f"{study}-{number}"


@dataclass(frozen=True)
class StudyResult:
    """Result of a study.

    Args:
        name: Name of the study in the storage.
        tunes: Kind of its trials: training or decoding.
        metric: Metric that is maximised.
        finished: Number of complete and pruned trials.
        pruned: Number of pruned trials.
        failed: Number of failed trials, not among the finished ones.
        best_value: Best objective; None while no trial is complete.
        best_params: Searched settings of the best trial.
        best_run_id: MLflow run of the best trial.
        best_config: Settings file of the best trial; empty without one.
        model: Model whose thresholds were tuned, as `--model` takes it; empty for trainings.
    """

    name: str
    tunes: str
    metric: str
    finished: int
    pruned: int
    failed: int
    best_value: float | None
    best_params: dict[str, Any]
    best_run_id: str
    best_config: str
    model: str


@dataclass(frozen=True)
class TrialRow:
    """One trial in a table.

    Args:
        number: Number of the trial, from 0.
        state: RUNNING, COMPLETE, PRUNED, FAIL or WAITING.
        value: Objective; for a running trial, that of its latest epoch.
        epochs: Number of epochs reported.
        params: Values of the searched settings.
        seconds: Duration, so far for a running trial.
    """

    number: int
    state: str
    value: float | None
    epochs: int
    params: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class StudyStatus:
    """Snapshot of a study.

    Args:
        rows: Trials by number.
        finished: Number of finished trials.
        wanted: Number of finished trials the study should have.
        best: Best complete trial; None without one.
        left_s: Estimated seconds to the end, from the mean duration of the finished trials; None
            while there are none.
    """

    rows: tuple[TrialRow, ...]
    finished: int
    wanted: int
    best: TrialRow | None
    left_s: float | None


def study_status(shared: SharedStudy, wanted: int) -> StudyStatus:
    """Take a snapshot of a study.

    Args:
        shared: The study.
        wanted: Number of finished trials the study should have.
    """
    rows = tuple(_row(trial) for trial in shared.trials())
    done = [row for row in rows if row.state in ("COMPLETE", "PRUNED")]
    running = [row for row in rows if row.state == "RUNNING"]
    left_s = None
    if done:
        usual_s = mean(row.seconds for row in done)
        begun_s = sum(min(row.seconds, usual_s) for row in running)
        work_s = max(wanted - len(done), 0) * usual_s - begun_s
        left_s = max(work_s, 0.0) / max(len(running), 1)
    complete = [row for row in done if row.state == "COMPLETE"]
    best = max(complete, key=attrgetter("value"), default=None)
    return StudyStatus(rows, len(done), wanted, best, left_s)


def best_trial(shared: SharedStudy) -> "FrozenTrial | None":
    """Return the complete trial with the best objective, the first of a tie."""
    return max(shared.trials("COMPLETE"), key=attrgetter("value"), default=None)


def result_of(
    shared: SharedStudy, tunes: str, metric: str, config: Path | None, model: str
) -> StudyResult:
    """Return the result of a study.

    Args:
        shared: The study.
        tunes: Kind of its trials.
        metric: Metric that is maximised.
        config: Settings file of the best trial.
        model: Name of the model that is tuned; empty for trainings.
    """
    best = best_trial(shared)
    return StudyResult(
        name=shared.study.study_name,
        tunes=tunes,
        metric=metric,
        finished=len(shared.finished()),
        pruned=len(shared.trials("PRUNED")),
        failed=len(shared.trials("FAIL")),
        best_value=best.value if best else None,
        best_params=dict(best.params) if best else {},
        best_run_id=str(best.user_attrs.get(RUN_ID, "")) if best else "",
        best_config=str(config or ""),
        model=model,
    )


def _row(trial: "FrozenTrial") -> TrialRow:
    begun, ended = trial.datetime_start, trial.datetime_complete
    seconds = ((ended or datetime.now()) - begun).total_seconds() if begun else 0.0
    reported = trial.intermediate_values
    value = trial.value
    if value is None and reported and trial.state.name == "RUNNING":
        value = reported[max(reported)]
    return TrialRow(
        trial.number, trial.state.name, value, len(reported), dict(trial.params), seconds
    )


class StudyWatch:
    """Watches a study from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._study: SharedStudy | None = None
        self._wanted = 0
        self._seen: StudyStatus | None = None

    @contextmanager
    def over(self, study: SharedStudy, wanted: int) -> Iterator[None]:
        """Watch a study while the block runs.

        Args:
            study: The study.
            wanted: Number of finished trials the study should have.
        """
        self._study, self._wanted, self._seen = study, wanted, None
        try:
            yield
        finally:
            with self._lock:  # its storage is closed next
                self._study = None

    def status(self) -> StudyStatus | None:
        """Return the status of the study, the last known one while the storage is away.

        Returns:
            None while no study is open.
        """
        from optuna.exceptions import StorageInternalError

        with self._lock:
            if self._study is None:
                return None
            with suppress(StorageInternalError, KeyError):  # a display ends no study
                self._seen = study_status(self._study, self._wanted)
            return self._seen
