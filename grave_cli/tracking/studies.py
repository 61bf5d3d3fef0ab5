"""The runs of a study: one parent, which is resumed, and one child per trial."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import TrackingError
from grave_cli.owners.leftovers import temporary_folder
from grave_cli.settings.tree import Settings
from grave_cli.tracking.guarded_client import StoreError
from grave_cli.tracking.models import MODEL_TAG
from grave_cli.tracking.params import chosen_settings, log_params
from grave_cli.tracking.run_files import run_folder
from grave_cli.tracking.runs import PARENT_TAG, TrackedRun, resumed_run, tracked_run
from grave_cli.tracking.store import all_runs, look_up, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STUDY_TAG = "gravecli.study"
OBJECTIVE_TAG = "gravecli.objective"
"""Tag of a study and its trials: the metric that is maximised."""
BEST_RUN_TAG = "best.run_id"
"""Tag of a study: run of its best trial."""
TRIAL_TAG = "optuna.trial"
STATE_TAG = "optuna.state"


@contextmanager
def study_run(
    settings: Settings, name: str, run_id: str | None, tags: Mapping[str, str]
) -> Iterator[TrackedRun]:
    """Resume the run of a study, or open a new one.

    If another process of this machine holds the run, this process also writes to it, but leaves
    the status to the other.

    Args:
        settings: Store and experiment; recorded in the run.
        name: Name of a new run.
        run_id: MLflow's id of the study's run; None for a new study.
        tags: Tags of a new run.

    Raises:
        TrackingError: The store cannot be opened.
    """
    client = open_client(settings)
    run = find_study_run(client, run_id)
    with ExitStack() as stack:
        if run is None:
            yield stack.enter_context(tracked_run(settings, name, {**tags, STUDY_TAG: name}))
            return
        try:
            tracked = stack.enter_context(resumed_run(settings, run.info.run_id))
        except StoreError:
            raise
        except TrackingError:  # another process holds it
            folder = stack.enter_context(temporary_folder(settings.work_dir))
            tracked = TrackedRun(client, run.info.run_id, run.info.run_name, settings, folder)
        yield tracked


def find_study_run(client: "MlflowClient", run_id: str | None) -> "Run | None":
    """Return the run of a study; None if it has none, or it is deleted or in another store.

    Raises:
        TrackingError: The store does not answer.
    """
    if run_id is None:
        return None
    run = look_up(client, lambda: client.get_run(run_id))
    return run if run is not None and run.info.lifecycle_stage == "active" else None


def mark_trial(settings: Settings, run_id: str, number: int, state: str) -> None:
    """Tag the run of a trial with its number and state.

    Users can name the model of a trial, but it is not chosen as the newest model that fits.

    Args:
        settings: The store.
        run_id: MLflow's id.
        number: Number of the trial.
        state: Optuna's name of the state.
    """
    client = open_client(settings)
    client.set_tag(run_id, TRIAL_TAG, str(number))
    client.set_tag(run_id, STATE_TAG, state)
    if MODEL_TAG in client.get_run(run_id).data.tags:
        client.delete_tag(run_id, MODEL_TAG)


def log_searched(settings: Settings, run_id: str, keys: Collection[str]) -> None:
    """Log the searched settings of a trial as params, so that trials can be compared by them.

    Values that equal the defaults would otherwise be no params.

    Args:
        settings: Settings of the trial.
        run_id: MLflow's id.
        keys: Dotted keys of the searched settings.
    """
    log_params(open_client(settings), run_id, chosen_settings(settings, keys))


def settle_failed(parent: TrackedRun, numbers: Mapping[str, int]) -> None:
    """Correct the status of the runs of failed trials.

    Their workers died, perhaps on another machine, or were presumed dead but finished the run.

    Args:
        parent: Run of the study.
        numbers: Numbers of the failed trials by the name of their run.
    """
    client = parent.client
    experiment = client.get_run(parent.run_id).info.experiment_id
    for run in all_runs(client, experiment, f"tags.`{PARENT_TAG}` = '{parent.run_id}'"):
        name, run_id = run.info.run_name, run.info.run_id
        if name not in numbers or run.data.tags.get(STATE_TAG) == "FAIL":
            continue
        client.set_tag(run_id, TRIAL_TAG, str(numbers[name]))
        client.set_tag(run_id, STATE_TAG, "FAIL")
        if run.info.status in ("RUNNING", "FINISHED"):
            client.set_terminated(run_id, "KILLED")


def fetch_artifact(settings: Settings, run_id: str, name: str) -> Path | None:
    """Return a file of a run: in place if it is local, else downloaded into the cache.

    Args:
        settings: The store.
        run_id: MLflow's id.
        name: Path of the file in the run.

    Returns:
        The file; None if there is no such run or file, or it cannot be downloaded.

    Raises:
        TrackingError: The store does not answer.
    """
    client = open_client(settings)
    run = find_study_run(client, run_id)
    if run is None:
        return None
    folder = run_folder(run, settings)
    if folder is not None:
        return folder / name if (folder / name).is_file() else None
    cached = settings.work_dir / "cache" / "studies" / run_id / name
    try:
        with whole_file(cached) as new, temporary_folder(new.parent) as here:
            shutil.move(client.download_artifacts(run_id, name, str(here)), new)
    except StoreError:
        return None
    return cached
