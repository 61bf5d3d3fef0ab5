"""The folds of a cross-validation as runs: marked when finished, so that they are found again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import MODEL_TAG
from grave_cli.tracking.runs import TrackedRun, resumed_run, tracked_run
from grave_cli.tracking.store import open_client, store_exists

if TYPE_CHECKING:
    from mlflow.entities import Run

_PARENT_TAG = "gravecli.cross_validation"
_FOLD_OF_TAG = "gravecli.fold_of"
_FOLD_TAG = "gravecli.fold"
_MOST_FOLDS = 1000
_SCORES = "test/"


@dataclass(frozen=True)
class Fold:
    """A fold whose training is finished.

    Args:
        cemetery: The held-out cemetery.
        run_id: MLflow run of the training.
        scores: Scores of the held-out cemetery, by name without `test/`.
    """

    cemetery: str
    run_id: str
    scores: dict[str, float]


def mark_fold(parent: TrackedRun, run_id: str, identity: str, cemetery: str) -> None:
    """Mark a finished training as a fold.

    Its model has not seen all cemeteries. Users can still name it, but it is no longer chosen as
    the newest model that fits.

    Args:
        parent: Run of the cross-validation.
        run_id: MLflow run of the training.
        identity: Id of the cross-validation.
        cemetery: The held-out cemetery.
    """
    parent.client.delete_tag(run_id, MODEL_TAG)
    parent.client.set_tag(run_id, _FOLD_TAG, cemetery)
    parent.client.set_tag(run_id, _FOLD_OF_TAG, identity)


@contextmanager
def cross_validation_run(
    settings: Settings, identity: str, tags: Mapping[str, str]
) -> Iterator[TrackedRun]:
    """Resume the run of a cross-validation, or open a new one.

    Args:
        settings: Store and experiment; recorded in the run.
        identity: Id of the cross-validation.
        tags: Further tags of a new run.

    Raises:
        TrackingError: The store cannot be opened, or another process works on the run.
    """
    left = _search(settings, f"tags.`{_PARENT_TAG}` = '{identity}'")
    if left:
        with resumed_run(settings, left[-1].info.run_id) as run:
            yield run
    else:
        name = f"cross-validation-{identity}"
        with tracked_run(settings, name, {**tags, _PARENT_TAG: identity}) as run:
            yield run


def find_folds(settings: Settings, identity: str) -> list[Fold]:
    """Find the finished folds of a cross-validation: the newest run for each cemetery.

    Args:
        settings: Store and experiment.
        identity: Id of the cross-validation.

    Raises:
        TrackingError: The store cannot be opened.
    """
    runs = _search(settings, f"tags.`{_FOLD_OF_TAG}` = '{identity}'")
    found = {
        run.data.tags[_FOLD_TAG]: Fold(
            run.data.tags[_FOLD_TAG],
            run.info.run_id,
            scores_of_test(run.data.metrics),
        )
        for run in runs
    }
    return list(found.values())


def scores_of_test(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the scores of the test cemeteries, by name without `test/`."""
    return {
        name.removeprefix(_SCORES): float(value)
        for name, value in metrics.items()
        if name.startswith(_SCORES)
    }


def _search(settings: Settings, condition: str) -> list["Run"]:
    """Find runs of the experiment, oldest first."""
    if not store_exists(settings):
        return []
    client = open_client(settings)
    experiment = client.get_experiment_by_name(settings.tracking.experiment)
    if experiment is None:
        return []
    return list(
        client.search_runs(
            [experiment.experiment_id],
            condition,
            order_by=["attributes.start_time ASC"],
            max_results=_MOST_FOLDS,
        )
    )
