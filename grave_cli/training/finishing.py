"""What is made of a fitted network: a model on disk, scored on whole cemeteries and recorded.

Each step takes the bundle that the one before it has left in the run's folder.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grave_cli import __version__
from grave_cli.dataset.training_data import TrainingData
from grave_cli.learning.task import GraveTask
from grave_cli.mapping.engine import open_engine
from grave_cli.model.bundle import Bundle, ModelCard, read_bundle, write_card
from grave_cli.model.export import write_bundle
from grave_cli.model.network import architecture_for
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.record import recorded
from grave_cli.tracking.keys import image_slug
from grave_cli.tracking.models import MODEL_FOLDER, MODEL_TAG
from grave_cli.tracking.runs import TrackedRun
from grave_cli.training.calibration import calibrate
from grave_cli.training.champion import register_model
from grave_cli.training.final_score import score_parts
from grave_cli.training.thresholds import changed_thresholds, tune_thresholds
from grave_cli.training.validation_maps import map_validation, score_decoding


@dataclass(frozen=True)
class Fitted:
    """A network after fitting.

    Args:
        task: With the weights of the epoch kept.
        recipe: How its input is made.
        metrics: Scores of that epoch.
        epochs: Epochs that were trained.
        best_epoch: The one kept, from 1.
        checkpoints: Files of the best and of the last epoch.
    """

    task: GraveTask
    recipe: InputRecipe
    metrics: dict[str, float]
    epochs: int
    best_epoch: int
    checkpoints: tuple[Path, ...]


def finish_model(
    fitted: Fitted,
    data: TrainingData,
    run: TrackedRun,
    progress: Progress = SILENT,
) -> dict[str, float]:
    """Make the model of a run: write it, score it, record and register it.

    Args:
        fitted: The network.
        data: What it was trained on, and what gives the final score.
        run: Where it is recorded.
        progress: Is told how far it is.

    Returns:
        Scores of the test cemeteries (`test/…`).
    """
    for checkpoint in fitted.checkpoints:
        run.log_file(checkpoint, "checkpoints")
    bundle = _write_model(fitted, data, run)
    bundle = _settle_thresholds(bundle, data, run, progress)
    bundle = _settle_confidence(bundle, data, run, progress)
    scores = _score_model(bundle, data, run, progress)
    bundle = _amend(bundle, metrics={**bundle.card.metrics, **scores})
    run.log_folder(bundle.folder, MODEL_FOLDER)
    run.tag(MODEL_TAG, MODEL_FOLDER)
    register_model(run, bundle, data, progress)
    return scores


def _write_model(fitted: Fitted, data: TrainingData, run: TrackedRun) -> Bundle:
    settings, folder = run.settings, run.folder / MODEL_FOLDER
    card = ModelCard(
        gravecli_version=__version__,
        name=run.name,
        run_id=run.run_id,
        dataset_id=data.plan.dataset_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=fitted.recipe,
        architecture=architecture_for(settings, fitted.recipe),
        decoding=settings.prediction.decoding,
        metrics=fitted.metrics,
        settings=recorded(settings),
    )
    write_bundle(folder, fitted.task.network, card)
    return read_bundle(folder)


def _settle_thresholds(
    bundle: Bundle, data: TrainingData, run: TrackedRun, progress: Progress
) -> Bundle:
    """Let the model carry the thresholds that suit it, if the settings ask for it."""
    if not run.settings.training.tune_thresholds:
        return bundle
    prediction, start = run.settings.prediction, bundle.card.decoding
    engine = open_engine(bundle, prediction, progress)
    maps = map_validation(data.val, engine, bundle.card.recipe, prediction, progress)
    tuned = tune_thresholds(maps, start, progress)
    changes = changed_thresholds(start, tuned)
    progress.note(f"thresholds: {changes}" if changes else "thresholds: kept")
    run.log_metrics({"tuned/object_f1": score_decoding(maps, tuned).f1})
    return _amend(bundle, decoding=tuned)


def _settle_confidence(
    bundle: Bundle, data: TrainingData, run: TrackedRun, progress: Progress
) -> Bundle:
    """Let the model carry what its confidence means on the validation cemeteries."""
    engine = open_engine(bundle, run.settings.prediction, progress)
    calibration = calibrate(data.plan.split("val"), bundle, engine, run.settings, progress)
    if calibration is None:
        progress.note("confidence: the mean probability, for there are too few validation graves")
    return _amend(bundle, calibration=calibration)


def _score_model(
    bundle: Bundle, data: TrainingData, run: TrackedRun, progress: Progress
) -> dict[str, float]:
    """Map whole cemeteries with the model; record the maps, their pictures and the scores."""
    folder = run.folder / "final"
    scores = score_parts(
        data.plan.final,
        bundle,
        run.settings,
        folder,
        progress,
        show=lambda name, sheet: run.log_image(sheet, f"final/{image_slug(name)}_combined"),
    )
    run.log_metrics(scores)
    run.log_folder(folder, "final")
    return scores


def _amend(bundle: Bundle, **changes: Any) -> Bundle:
    """Write a model's description anew."""
    write_card(bundle.folder, bundle.card.model_copy(update=changes))
    return read_bundle(bundle.folder)
