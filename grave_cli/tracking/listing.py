"""The runs of a store as a table: model, data set, scores and status."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from grave_cli.errors import TrackingError
from grave_cli.settings.tree import Settings
from grave_cli.tracking.keys import best_score
from grave_cli.tracking.models import ENCODER_TAG
from grave_cli.tracking.params import MAIN_PARAMS, PAUSED_TAG
from grave_cli.tracking.runs import PARENT_TAG
from grave_cli.tracking.store import all_runs, open_client, shown_uri, store_exists
from grave_cli.tracking.unfinished import settle, unfinished_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class RunRow:
    """One run.

    Args:
        name: Name of the run.
        run_id: MLflow's id.
        parent_run_id: Run of the study that this trial belongs to; empty for other runs.
        dataset_id: Id of the training data.
        channels: rgb or rgb+dem.
        encoder: Encoder of the network.
        best_dice: `val/dice` of the kept epoch or, for a study, of the best trial; the highest so
            far if the run did not finish; None if there is none.
        best_object_f1: `val/object_f1`, chosen in the same way.
        test_object_f1: Object F1 on the test cemeteries.
        epochs: Epochs trained so far.
        started: Time, UTC, ISO 8601.
        duration_s: Seconds until the end, or until now; without the pauses between an interruption
            and `--resume`.
        status: RUNNING, FINISHED, FAILED or KILLED.
        is_resumable: Whether `train --resume` can resume the run.
    """

    name: str
    run_id: str
    parent_run_id: str
    dataset_id: str
    channels: str
    encoder: str
    best_dice: float | None
    best_object_f1: float | None
    test_object_f1: float | None
    epochs: int | None
    started: str
    duration_s: float
    status: str
    is_resumable: bool


def list_runs(settings: Settings, limit: int = 20, trials: bool = False) -> list[RunRow]:
    """List the newest runs of the experiment.

    Args:
        settings: Store and experiment.
        limit: Maximum number of runs, not counting trials.
        trials: Also list the trials of each study after it, oldest first.

    Raises:
        TrackingError: There is no store, or it does not hold the experiment.
    """
    if not store_exists(settings):
        raise TrackingError(
            "no runs are recorded", where=shown_uri(settings), remedy="run `gravecli train`"
        )
    client = open_client(settings)
    settle(client, settings)
    left = {one.state.run_id for one in unfinished_runs(settings) if one.is_resumable}
    rows: list[RunRow] = []
    # Runs come newest first, so the trials of a study come before the study itself.
    children: dict[str, list[RunRow]] = defaultdict(list)
    for run in _runs(client, settings):
        row = _row(run, client, left)
        if row.parent_run_id:
            children[row.parent_run_id].insert(0, row)
            continue
        rows += [row, *(children[row.run_id] if trials else ())]
        limit -= 1
        if limit <= 0:
            break
    return rows


def _runs(client: "MlflowClient", settings: Settings) -> Iterator["Run"]:
    """Page through the experiment's runs, newest first."""
    name = settings.tracking.experiment
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        known = ", ".join(one.name for one in client.search_experiments())
        raise TrackingError(
            "no such experiment", where=shown_uri(settings), found=known, expected=name
        )
    yield from all_runs(client, experiment.experiment_id)


def _row(run: "Run", client: "MlflowClient", left: set[str]) -> RunRow:
    info, data = run.info, run.data
    is_running = info.status == "RUNNING"  # a resumed run still has its previous end time
    end_ms = time.time() * 1000 if is_running else info.end_time
    duration_s = (end_ms - info.start_time) / 1000 - float(data.tags.get(PAUSED_TAG, 0))
    epochs = data.metrics.get("epoch")
    return RunRow(
        name=info.run_name,
        run_id=info.run_id,
        parent_run_id=data.tags.get(PARENT_TAG, ""),
        dataset_id=data.tags.get("dataset_id", ""),
        channels=_setting(run, "data.channels"),
        encoder=data.tags.get(ENCODER_TAG) or _setting(run, "model.encoder"),
        best_dice=_best(run, client, "dice"),
        best_object_f1=_best(run, client, "object_f1"),
        test_object_f1=data.metrics.get("test/object_f1"),
        epochs=None if epochs is None else int(epochs),
        started=datetime.fromtimestamp(info.start_time / 1000, UTC).isoformat(timespec="seconds"),
        duration_s=round(duration_s, 1),
        status=info.status,
        is_resumable=info.run_id in left and not is_running,
    )


def _setting(run: "Run", key: str) -> str:
    """Return a setting of a run: a param, else the default; empty for a run of another program."""
    params = run.data.params
    if key in params or MAIN_PARAMS[0] not in params:
        return str(params.get(key, ""))
    section, _, name = key.partition(".")
    return str(getattr(getattr(Settings(), section), name))


def _best(run: "Run", client: "MlflowClient", score: str) -> float | None:
    metrics = run.data.metrics
    for kept in (best_score(score), f"best/{score}"):  # the second in runs of earlier versions
        if kept in metrics:
            return float(metrics[kept])
    if f"val/{score}" in metrics:
        history = client.get_metric_history(run.info.run_id, f"val/{score}")
        return float(max(metric.value for metric in history))
    is_objective = _setting(run, "training.monitor") == f"val/{score}"
    return metrics.get("best_value") if is_objective else None
