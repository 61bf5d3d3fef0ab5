"""The runs of a store as a table: model, data set, scores and status."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from grave_cli.errors import TrackingError
from grave_cli.settings.learning import TrainingSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.local_store import reading_client
from grave_cli.tracking.models import CHANNELS_TAG, ENCODER_TAG, champion_run
from grave_cli.tracking.params import PAUSED_TAG
from grave_cli.tracking.runs import PARENT_TAG
from grave_cli.tracking.store import all_runs, look_up, shown_uri, store_exists
from grave_cli.tracking.studies import BEST_RUN_TAG, OBJECTIVE_TAG
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
        channels: rgb or rgb+dem; for a study, the channels of its best trial or decoded model.
        encoder: Encoder of the network, chosen in the same way.
        objective: Metric that the run or study maximises.
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
        is_champion: Whether its model is the champion.
    """

    name: str
    run_id: str
    parent_run_id: str
    dataset_id: str
    channels: str
    encoder: str
    objective: str
    best_dice: float | None
    best_object_f1: float | None
    test_object_f1: float | None
    epochs: int | None
    started: str
    duration_s: float
    status: str
    is_resumable: bool
    is_champion: bool


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
    client = reading_client(settings)
    settle(client, settings)
    left = {one.state.run_id for one in unfinished_runs(settings) if one.is_resumable}
    champion = champion_run(client, settings)
    rows: list[RunRow] = []
    # Runs come newest first, so the trials of a study come before the study itself.
    children: dict[str, list[Run]] = defaultdict(list)
    for run in _runs(client, settings):
        if parent := run.data.tags.get(PARENT_TAG):
            children[parent].insert(0, run)
            continue
        family = [run, *(children[run.info.run_id] if trials else ())]
        rows += [_row(one, client, left, champion) for one in family]
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


def _row(run: "Run", client: "MlflowClient", left: set[str], champion: str) -> RunRow:
    info, data = run.info, run.data
    is_running = info.status == "RUNNING"  # a resumed run still has its previous end time
    end_ms = (None if is_running else info.end_time) or time.time() * 1000
    duration_s = (end_ms - info.start_time) / 1000 - float(data.tags.get(PAUSED_TAG, 0))
    epochs = data.metrics.get("epoch")
    model = _best_trial(run, client) or run
    return RunRow(
        name=info.run_name,
        run_id=info.run_id,
        parent_run_id=data.tags.get(PARENT_TAG, ""),
        dataset_id=data.tags.get("dataset_id", ""),
        channels=_fact(model, CHANNELS_TAG, "data.channels"),
        encoder=_fact(model, ENCODER_TAG, "model.encoder"),
        objective=_objective(run),
        best_dice=_best(run, model, client, "val/dice"),
        best_object_f1=_best(run, model, client, "val/object_f1"),
        test_object_f1=model.data.metrics.get("test/object_f1"),
        epochs=None if epochs is None else int(epochs),
        started=datetime.fromtimestamp(info.start_time / 1000, UTC).isoformat(timespec="seconds"),
        duration_s=round(duration_s, 1),
        status=info.status,
        is_resumable=info.run_id in left and not is_running,
        is_champion=info.run_id == champion,
    )


def _best_trial(run: "Run", client: "MlflowClient") -> "Run | None":
    """Return the run of a study's best trial; None for other runs, and if it was deleted."""
    run_id = run.data.tags.get(BEST_RUN_TAG)
    return look_up(client, lambda: client.get_run(run_id)) if run_id else None


def _fact(run: "Run", tag: str, param: str) -> str:
    """Return a fact about the network of a run: a tag, else the setting that the run began with."""
    return str(run.data.tags.get(tag) or run.data.params.get(param, ""))


def _objective(run: "Run") -> str:
    """Return the metric that a run maximises; a run of earlier versions names it in its params."""
    default = TrainingSettings.model_fields["monitor"].default
    return _fact(run, OBJECTIVE_TAG, "training.monitor") or str(default)


def _best(run: "Run", model: "Run", client: "MlflowClient", score: str) -> float | None:
    """Return the best value of a score.

    Args:
        run: A run or a study.
        model: The run itself, or the study's best trial.
        client: The store.
        score: The metric.
    """
    metrics, kept = model.data.metrics, f"best/{score.removeprefix('val/')}"
    if kept in metrics:
        return float(metrics[kept])
    if score in metrics:
        history = client.get_metric_history(model.info.run_id, score)
        return float(max(metric.value for metric in history))
    if model is run and _objective(run) == score:  # a study whose best trial was deleted
        return run.data.metrics.get("best_value")
    return None
