"""The model registry: each training is a version, and the best one has the alias `champion`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grave_cli.bundle import Bundle
from grave_cli.errors import GraveError
from grave_cli.evaluation.rescoring import score_on_validation
from grave_cli.inputs.training_data import TrainingData
from grave_cli.progress import SILENT, Progress
from grave_cli.tracking.dataset_input import dataset_digest
from grave_cli.tracking.models import MODEL_FOLDER, model_of
from grave_cli.tracking.runs import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
DIGEST_TAG = "dataset_digest"


@dataclass(frozen=True)
class Verdict:
    """Whether a new model becomes champion.

    Args:
        wins: Whether it does.
        reason: Why, as a clause.
    """

    wins: bool
    reason: str


def register_model(
    run: TrackedRun, bundle: Bundle, data: TrainingData, progress: Progress = SILENT
) -> None:
    """Make the logged model of a run a version of the registered model, champion if it is better.

    The reason is the version's description, a tag of the run and a note. Without a name in the
    settings nothing is registered.

    Args:
        run: Its bundle has been logged.
        bundle: The same.
        data: What it was trained on.
        progress: Is told the verdict.
    """
    name = run.settings.tracking.registered_model
    if not name:
        return
    champion = _champion(run.client, name)
    verdict = _judge(champion, run, bundle, data, progress)
    version = _new_version(run, name, data, verdict)
    if verdict.wins:
        run.client.set_registered_model_alias(name, CHAMPION, version)
    outcome = "is champion" if verdict.wins else "is not champion"
    run.tag("gravecli.model_version", f"{name}/{version}")
    run.tag("gravecli.verdict", f"{outcome}: {verdict.reason}")
    progress.note(f"{name} version {version} {outcome}: {verdict.reason}")


def _judge(
    champion: "ModelVersion | None",
    run: TrackedRun,
    bundle: Bundle,
    data: TrainingData,
    progress: Progress,
) -> Verdict:
    """Compare on the same validation data; what cannot be compared leaves the champion alone."""
    if champion is None:
        return Verdict(True, "there was none")
    monitor, label = run.settings.training.monitor, f"version {champion.version}"
    try:
        other = model_of(run.client, run.client.get_run(str(champion.run_id)), run.settings)
    except GraveError as error:
        return Verdict(True, f"{label} cannot be read ({error})")
    same_data = champion.tags.get(DIGEST_TAG) == dataset_digest(data.plan)
    if same_data and monitor in other.card.metrics:
        scores, how = [one.card.metrics for one in (bundle, other)], "on the same validation data"
    elif not run.settings.tracking.rescore_champion:
        return Verdict(False, f"{label} was trained on other data, and is not scored again")
    elif other.card.recipe.elevation and not _has_dems(data):
        return Verdict(False, f"{label} needs a DEM, which this validation data lacks")
    else:
        try:
            scores = [
                score_on_validation(one, data, run.settings, progress) for one in (bundle, other)
            ]
        except GraveError as error:
            return Verdict(False, f"{label} cannot be scored on this data ({error})")
        how = "both on the new validation data"
    mine, theirs = (one[monitor] for one in scores)
    contrast = f"{monitor} {mine:.4f} against {theirs:.4f} of {label}, {how}"
    return Verdict(mine > theirs, contrast)


def _has_dems(data: TrainingData) -> bool:
    return all(plan.part.cemetery.dem is not None for plan in data.plan.split("val"))


def _champion(client: "MlflowClient", name: str) -> "ModelVersion | None":
    """Return the version that is champion; make the registered model when it is missing."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException:  # no such model, or no such alias
        pass
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return None


def _new_version(run: TrackedRun, name: str, data: TrainingData, verdict: Verdict) -> str:
    source = f"runs:/{run.run_id}/{MODEL_FOLDER}"
    tags = {
        "dataset_id": data.plan.dataset_id,
        DIGEST_TAG: dataset_digest(data.plan),
        "channels": run.settings.data.channels,
    }
    made = run.client.create_model_version(
        name, source, run.run_id, tags=tags, description=verdict.reason
    )
    return str(made.version)
