"""A fitted network in, a finished model out: settled, scored, recorded, registered.

The network runs once over each validation and test cemetery. Thresholds, calibration, scores and
pictures all come from those maps, and the model card is written last, when everything is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from grave_cli import __version__
from grave_cli.dataset.splits import SPLITS
from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.learning.task import GraveTask
from grave_cli.mapping.engine import open_engine
from grave_cli.model.architecture import architecture_for
from grave_cli.model.bundle import Bundle, ModelCard, write_card
from grave_cli.model.export import write_network
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.record import recorded
from grave_cli.tracking.keys import image_slug
from grave_cli.tracking.models import MODEL_FOLDER, MODEL_TAG, WITHOUT_DEM_TAG
from grave_cli.tracking.runs import TrackedRun
from grave_cli.training.calibration import calibrate
from grave_cli.training.champion import register_model
from grave_cli.training.final_score import score_parts
from grave_cli.training.mapped_parts import MappedPart, TruthMap, beside_truth, map_parts
from grave_cli.training.rescoring import score_maps
from grave_cli.training.review_fitting import fit_review
from grave_cli.training.thresholds import changed_thresholds, tune_thresholds


@dataclass(frozen=True)
class Fitted:
    """A network after fitting.

    Args:
        task: Holds the weights of the kept epoch.
        recipe: Preparation of its input.
        metrics: Scores of the kept epoch.
        epochs: Number of trained epochs.
        best_epoch: The kept epoch, counted from 1.
        checkpoints: Files of the best and of the last epoch.
    """

    task: GraveTask
    recipe: InputRecipe
    metrics: dict[str, float]
    epochs: int
    best_epoch: int
    checkpoints: tuple[Path, ...]


def finish_model(
    fitted: Fitted, plan: TrainingPlan, run: TrackedRun, progress: Progress = SILENT
) -> dict[str, float]:
    """Settle, score, write, record and register the model of a run.

    Args:
        fitted: The network.
        plan: Validation and test parts of the training.
        run: Run that records everything.
        progress: Receives progress and notes.

    Returns:
        Scores of the test cemeteries (`test/…`).
    """
    for checkpoint in fitted.checkpoints:
        run.log_file(checkpoint, "checkpoints")
    draft = _draft_card(fitted, plan, run)
    bundle = write_network(run.folder / MODEL_FOLDER, fitted.task.network, draft)
    engine = open_engine(bundle, run.settings.prediction, progress)
    validation, test = plan.split("val"), plan.final
    with map_parts([*validation, *test], bundle, engine, run.settings, progress) as parts:
        to_settle, to_score = parts[: len(validation)], parts[len(validation) :]
        bundle, validated = _settle(bundle, to_settle, run, progress, _smallest_m2(plan))
        scores = _score(bundle, engine.name, to_score, run, progress)
    bundle = _with(bundle, metrics={**bundle.card.metrics, **scores})
    write_card(bundle.folder, bundle.card)
    run.log_folder(bundle.folder, MODEL_FOLDER)
    run.tag(MODEL_TAG, MODEL_FOLDER)
    if bundle.card.works_without_dem:
        run.tag(WITHOUT_DEM_TAG, "yes")
    register_model(run, bundle, plan, validated, progress)
    return scores


def _draft_card(fitted: Fitted, plan: TrainingPlan, run: TrackedRun) -> ModelCard:
    settings = run.settings
    return ModelCard(
        gravecli_version=__version__,
        name=run.name,
        run_id=run.run_id,
        dataset_id=plan.dataset_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=fitted.recipe,
        architecture=architecture_for(settings, fitted.recipe.channel_count),
        decoding=settings.prediction.decoding,
        metrics=fitted.metrics,
        settings=recorded(settings),
        parts={split: tuple(one.part.name for one in plan.split(split)) for split in SPLITS},
    )


def _smallest_m2(plan: TrainingPlan) -> float:
    """Return the area of the smallest grave that the network has learnt or is validated on."""
    parts = (*plan.split("train"), *plan.split("val"))
    return float(np.concatenate([part.areas_m2 for part in parts]).min())


def _settle(
    bundle: Bundle, parts: list[MappedPart], run: TrackedRun, progress: Progress, smallest_m2: float
) -> tuple[Bundle, Mapping[str, float]]:
    """Choose thresholds, calibration and review on the validation parts; score them there."""
    maps = [beside_truth(part) for part in parts]
    decoding = bundle.card.decoding
    if run.settings.training.tune_thresholds:
        decoding = _choose_thresholds(maps, decoding, smallest_m2, progress)
    calibration = calibrate(parts, decoding, run.settings, progress)
    if calibration is None:
        progress.warn("confidence: the mean probability, because validation graves are too few")
    review = fit_review(parts, decoding, calibration, run.settings, progress)
    scores = score_maps(maps, decoding)
    run.log_metrics({"tuned/object_f1": scores["val/object_f1"]})
    return _with(bundle, decoding=decoding, calibration=calibration, review=review), scores


def _choose_thresholds(
    maps: list[TruthMap], start: DecodingSettings, smallest_m2: float, progress: Progress
) -> DecodingSettings:
    """Tune the thresholds, and say which of them change."""
    tuned = tune_thresholds(maps, start, progress, smallest_m2=smallest_m2)
    changes = changed_thresholds(start, tuned)
    progress.note(f"thresholds: {changes}" if changes else "thresholds: kept")
    return tuned


def _score(
    bundle: Bundle, engine: str, parts: list[MappedPart], run: TrackedRun, progress: Progress
) -> dict[str, float]:
    """Score whole test cemeteries; record their maps, pictures and scores."""
    folder = run.folder / "final"
    scores = score_parts(
        parts,
        bundle,
        engine,
        run.settings,
        folder,
        progress,
        show=lambda name, sheet: run.log_image(sheet, f"final/{image_slug(name)}_combined"),
    )
    run.log_metrics(scores)
    run.log_folder(folder, "final")
    return scores


def _with(bundle: Bundle, **changes: Any) -> Bundle:
    """Change the card of a bundle, in memory."""
    return bundle.model_copy(update={"card": bundle.card.model_copy(update=changes)})
