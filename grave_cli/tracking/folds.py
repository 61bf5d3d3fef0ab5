"""The folds of a cross-validation as runs: marked when they are finished, and found again."""

from collections.abc import Mapping
from dataclasses import dataclass

from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import MODEL_TAG
from grave_cli.tracking.runs import TrackedRun
from grave_cli.tracking.store import open_client, store_exists

CROSS_VALIDATION_TAG = "gravecli.cross_validation"
FOLD_TAG = "gravecli.fold"
_MOST_FOLDS = 1000
_SCORES = "test/"


@dataclass(frozen=True)
class Fold:
    """A fold whose training is finished.

    Args:
        cemetery: The one that was held out.
        run_id: MLflow run of its training.
        scores: Of that cemetery, by name without `test/`.
    """

    cemetery: str
    run_id: str
    scores: dict[str, float]


def mark_fold(parent: TrackedRun, run_id: str, identity: str, cemetery: str) -> None:
    """Mark a finished training as a fold.

    Its model has seen less than all cemeteries: it can be named, but is no longer offered as the
    newest that fits.

    Args:
        parent: Run of the cross-validation.
        run_id: MLflow run of the training.
        identity: Id of the cross-validation.
        cemetery: The one that was held out.
    """
    parent.client.delete_tag(run_id, MODEL_TAG)
    parent.client.set_tag(run_id, CROSS_VALIDATION_TAG, identity)
    parent.client.set_tag(run_id, FOLD_TAG, cemetery)


def find_folds(settings: Settings, identity: str) -> list[Fold]:
    """Find the finished folds of a cross-validation, the newest run of each cemetery.

    Args:
        settings: Store and experiment.
        identity: Id of the cross-validation.

    Raises:
        TrackingError: The store cannot be opened.
    """
    if not store_exists(settings):
        return []
    client = open_client(settings)
    experiment = client.get_experiment_by_name(settings.tracking.experiment)
    if experiment is None:
        return []
    runs = client.search_runs(
        [experiment.experiment_id],
        f"attributes.status = 'FINISHED' AND tags.`{CROSS_VALIDATION_TAG}` = '{identity}'",
        order_by=["attributes.start_time ASC"],
        max_results=_MOST_FOLDS,
    )
    found = {
        run.data.tags[FOLD_TAG]: Fold(
            run.data.tags[FOLD_TAG],
            run.info.run_id,
            scores_of_test(run.data.metrics),
        )
        for run in runs
        if FOLD_TAG in run.data.tags
    }
    return list(found.values())


def scores_of_test(metrics: Mapping[str, float]) -> dict[str, float]:
    """Choose the scores of the test cemeteries, by name without `test/`."""
    return {
        name.removeprefix(_SCORES): float(value)
        for name, value in metrics.items()
        if name.startswith(_SCORES)
    }
