"""How a study stands: what is told at its end, and shown while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from grave_cli.tuning.shared_study import SharedStudy

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RUN_ID = "run_id"
"""Attribute of a trial: its MLflow run."""


def run_name(study: str, number: int) -> str:
    """Name the MLflow run of a trial."""
    return f"{study}-{number}"


@dataclass(frozen=True)
class StudyResult:
    """How a study stands.

    Args:
        name: Its name in the storage.
        tunes: What its trials are: training or decoding.
        metric: What is maximised.
        finished: Trials that are complete or pruned.
        pruned: How many of them were pruned.
        failed: Trials that failed, besides.
        best_value: Largest objective; None when no trial is complete.
        best_params: Settings of that trial that were searched.
        best_run_id: MLflow run of that trial.
        best_config: Settings file of that trial; empty without one.
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


@dataclass(frozen=True)
class TrialRow:
    """A trial, to be shown.

    Args:
        number: From 0.
        state: RUNNING, COMPLETE, PRUNED, FAIL or WAITING.
        value: Objective; of one that runs, of its last epoch.
        epochs: Epochs that were reported.
        params: What it was given.
        seconds: How long it took, or takes so far.
    """

    number: int
    state: str
    value: float | None
    epochs: int
    params: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Standing:
    """A study at a moment.

    Args:
        rows: Its trials, by number.
        finished: How many count.
        wanted: How many are to count.
        best: The best complete one; None without one.
        left_s: Seconds until the wanted ones are there, if those left take as long as those before;
            None while none has come to its end.
    """

    rows: tuple[TrialRow, ...]
    finished: int
    wanted: int
    best: TrialRow | None
    left_s: float | None


def standing_of(shared: SharedStudy, wanted: int) -> Standing:
    """Look at a study.

    Args:
        shared: The study.
        wanted: Finished trials it is to have.
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
    best = max(complete, key=lambda row: _or_least(row.value), default=None)
    return Standing(rows, len(done), wanted, best, left_s)


def best_trial(shared: SharedStudy) -> "FrozenTrial | None":
    """Return the complete trial of the largest objective, of equal ones the first."""
    complete = shared.trials("COMPLETE")
    return max(complete, key=lambda trial: _or_least(trial.value), default=None)


def result_of(shared: SharedStudy, tunes: str, metric: str, config: Path | None) -> StudyResult:
    """Sum a study up.

    Args:
        shared: The study.
        tunes: What its trials are.
        metric: What is maximised.
        config: Settings file of the best trial.
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


def _or_least(value: float | None) -> float:
    return float("-inf") if value is None else value


class StudyWatch:
    """Looks at a study, from any thread; sees nothing while none is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._study: SharedStudy | None = None
        self._wanted = 0

    @contextmanager
    def over(self, study: SharedStudy, wanted: int) -> Iterator[None]:
        """Let a study be looked at while the block runs.

        Args:
            study: The study.
            wanted: Finished trials it is to have.
        """
        self._study, self._wanted = study, wanted
        try:
            yield
        finally:
            with self._lock:  # its storage is closed next
                self._study = None

    def look(self) -> Standing | None:
        """Say how it stands; None while there is nothing to see."""
        with self._lock:
            return standing_of(self._study, self._wanted) if self._study is not None else None
