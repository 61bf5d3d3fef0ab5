"""Scores of any model on the validation data of a training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grave_cli.dataset.plans import PartPlan, plan_parts
from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.mapping.engine import open_engine
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.training.mapped_parts import TruthMap, beside_truth, map_parts

if TYPE_CHECKING:
    from torch import Tensor


def map_validation(
    bundle: Bundle, plan: TrainingPlan, settings: Settings, progress: Progress = SILENT
) -> list[TruthMap]:
    """Run a model over the validation parts of a training, at the model's own GSD.

    Args:
        bundle: The model.
        plan: The training; its validation cemeteries have DEMs if the model needs heights.
        settings: Device, tiles, memory, layers of the annotations.
        progress: Receives progress and notes.

    Raises:
        GraveError: The model cannot be run on this data.
    """
    parts = _at_gsd(plan.split("val"), bundle.card.recipe.gsd_m, settings)
    engine = open_engine(bundle, settings.prediction, progress)
    with map_parts(parts, bundle, engine, settings, progress) as mapped:
        return [beside_truth(part) for part in mapped]


def score_maps(maps: Sequence[TruthMap], decoding: DecodingSettings) -> dict[str, float]:
    """Score maps like the validation step of a training, but over whole parts.

    Args:
        maps: Probabilities and ground truth of validation parts.
        decoding: Thresholds of the model.

    Returns:
        The `val/…` scores that a training logs after an epoch, without `val/loss`.
    """
    from grave_cli.learning.metrics import TileScores

    scores = TileScores(maps[0].gsd_m, decoding)
    for one in maps:
        scores.add(one.probabilities()[None], _as_tile(one))
    return scores.take()


def _as_tile(one: TruthMap) -> "dict[str, Tensor]":
    """Shape a map as a batch of one validation tile that is all core."""
    import torch

    scored = torch.from_numpy(one.scored)[None]
    truth = torch.from_numpy(one.truth)[None]
    return {
        "core": torch.ones_like(scored),
        "scored": scored[:, None],
        "targets": (truth > 0)[:, None],
        "valid": torch.ones_like(scored),  # levels are 0 elsewhere
        "instances": truth,
    }


def _at_gsd(plans: Sequence[PartPlan], gsd_m: float, settings: Settings) -> list[PartPlan]:
    if gsd_m == settings.grid.gsd_m:
        return list(plans)
    finer = with_values(settings, {"grid.gsd_m": gsd_m})
    return list(plan_parts((plan.part for plan in plans), finer))
