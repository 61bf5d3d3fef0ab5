"""The last score of a training: graves of whole cemeteries against their ground truth."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from grave_cli.evaluation.judgement import join_judgements
from grave_cli.evaluation.review_curve import review_curve
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.predict_cemetery import describe_origin
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.training.final_picture import draw_part
from grave_cli.training.judged_part import judge_part
from grave_cli.training.mapped_parts import MappedPart
from grave_cli.training.reviewed_part import review_metrics, review_part


def score_parts(
    parts: Sequence[MappedPart],
    bundle: Bundle,
    engine: str,
    settings: Settings,
    folder: Path,
    progress: Progress = SILENT,
    *,
    show: Callable[[str, Image.Image], None] | None = None,
) -> dict[str, float]:
    """Extract the graves of mapped parts, write their GeoPackages and score them.

    A cemetery of which only a strip is kept for testing, or only a part has been labelled, is
    written whole and scored there.

    Args:
        parts: Mapped test parts.
        bundle: The model, with its final thresholds and calibration.
        engine: Name of the engine, for the provenance.
        settings: Outlines, review.
        folder: Destination of the GeoPackages.
        progress: Receives progress and notes.
        show: Receives the name of each cemetery and a picture of it.

    Returns:
        `test/object_f1` and every other name of `Scorecard.metrics`, `ReviewCurve.metrics` and
        `review_metrics`, over the graves of all parts.
    """
    judgements, flagged, reviews = [], [], []
    card = bundle.card
    for part in parts:
        result = extract_graves(
            part.probabilities,
            part.scene,
            card.decoding,
            settings,
            describe_origin(part.scene, bundle, card.decoding, engine),
            card.calibration,
            card.review,
            progress,
        )
        path = folder / f"{result.cemetery}.gpkg"
        write_geopackage(result, path, language=settings.output.language)
        judged = judge_part(part.plan, result.polygons, result.column("confidence"))
        judgements.append(judged)
        reviews.append(review_part(part.plan, result, judged))
        flagged.append(result.column("needs_review")[part.plan.owns(result.polygons)])
        if show is not None:
            show(result.cemetery, draw_part(part.plan, result, judged))
    whole = join_judgements(judgements)
    review = review_curve(whole, np.concatenate(flagged).astype(np.bool_))
    scores = fill_scorecard(whole).metrics() | review.metrics() | review_metrics(reviews)
    return {f"test/{name}": value for name, value in scores.items()}
