"""A trained model in; the same model out, calibrated and scored with another smallest area."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grave_cli.dataset.plans import PartPlan
from grave_cli.mapping.engine import open_engine
from grave_cli.model.bundle import Bundle, read_bundle, write_card
from grave_cli.settings.tree import Settings
from grave_cli.training.calibration import calibrate
from grave_cli.training.final_score import score_parts
from grave_cli.training.mapped_parts import beside_truth, map_parts
from grave_cli.training.rescoring import score_maps
from grave_cli.training.review_fitting import fit_review


def settle(
    bundle: Bundle, min_area_m2: float, val: Sequence[PartPlan], settings: Settings, folder: Path
) -> Bundle:
    """Calibrate and score a model with another smallest area of a grave.

    Args:
        bundle: The trained model; its other thresholds stay.
        min_area_m2: The smallest area, square metres.
        val: Its validation cemeteries.
        settings: Settings of its training.
        folder: Destination.
    """
    decoding = bundle.card.decoding.model_copy(update={"min_area_m2": min_area_m2})
    engine = open_engine(bundle, settings.prediction)
    with map_parts(val, bundle, engine, settings) as parts, tempfile.TemporaryDirectory() as maps:
        calibration = calibrate(parts, decoding, settings)
        review = fit_review(parts, decoding, calibration, settings)
        changes = {"decoding": decoding, "calibration": calibration, "review": review}
        card = bundle.card.model_copy(update=changes)
        changed = bundle.model_copy(update={"card": card})
        scores = score_maps([beside_truth(part) for part in parts], decoding)
        scores |= score_parts(parts, changed, engine.name, settings, Path(maps))
    shutil.copytree(bundle.folder, folder, dirs_exist_ok=True)
    write_card(folder, card.model_copy(update={"metrics": card.metrics | scores}))
    return read_bundle(folder)
