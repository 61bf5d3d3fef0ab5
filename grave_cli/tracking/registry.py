"""MLflow's model registry: one version per training, the alias `champion` on the best one."""

from dataclasses import dataclass

from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.errors import ModelError
from grave_cli.model.bundle import Bundle
from grave_cli.tracking.dataset_input import dataset_digest
from grave_cli.tracking.guarded_client import StoreError
from grave_cli.tracking.models import CHAMPION, MODEL_FOLDER, model_of
from grave_cli.tracking.runs import TrackedRun
from grave_cli.tracking.store import look_up

_DIGEST_TAG = "dataset_digest"


@dataclass(frozen=True)
class Champion:
    """The champion of a registered model.

    Args:
        version: Number of the version.
        run_id: Run that trained it.
        digest: Digest of its training and validation data; empty if unknown.
    """

    version: str
    run_id: str
    digest: str

    def has_seen(self, plan: TrainingPlan) -> bool:
        """Return whether the champion was trained and validated on the data of a plan."""
        return self.digest == dataset_digest(plan)


def find_champion(run: TrackedRun) -> Champion | None:
    """Return the champion of a run's registered model; create that model if it is missing.

    Raises:
        TrackingError: The registry does not answer.
    """
    name = run.settings.tracking.registered_model
    found = look_up(run.client, lambda: run.client.get_model_version_by_alias(name, CHAMPION))
    if found is not None:
        return Champion(str(found.version), str(found.run_id), found.tags.get(_DIGEST_TAG, ""))
    try:
        run.client.create_registered_model(name)
    except StoreError as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise
    return None


def champion_model(run: TrackedRun, champion: Champion) -> Bundle:
    """Read the bundle of a champion.

    Raises:
        ModelError: Its run has been deleted, or has no model.
        TrackingError: The store does not answer.
    """
    trained = look_up(run.client, lambda: run.client.get_run(champion.run_id))
    if trained is None:
        raise ModelError(f"run {champion.run_id} has been deleted")
    return model_of(run.client, trained, run.settings)


def add_version(run: TrackedRun, plan: TrainingPlan, reason: str, *, wins: bool) -> str:
    """Register the logged model of a run, and return the number of its version.

    Args:
        run: A run whose bundle is logged; its settings name the registered model.
        plan: Data of the training.
        reason: Description of the version.
        wins: Make this version the champion.
    """
    name = run.settings.tracking.registered_model
    tags = {
        "dataset_id": plan.dataset_id,
        _DIGEST_TAG: dataset_digest(plan),
        "channels": run.settings.data.channels,
    }
    source = f"runs:/{run.run_id}/{MODEL_FOLDER}"
    made = run.client.create_model_version(name, source, run.run_id, tags=tags, description=reason)
    version = str(made.version)
    if wins:
        run.client.set_registered_model_alias(name, CHAMPION, version)
    return version
