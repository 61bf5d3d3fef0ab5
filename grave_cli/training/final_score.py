"""The last score of a training: whole cemeteries, mapped with the code for the next one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grave_cli.dataset.plans import PartPlan
from grave_cli.evaluation.judgement import Judgement, join_judgements, judge_on_ground
from grave_cli.evaluation.review_curve import review_curve
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.training.final_picture import draw_part


def score_parts(
    parts: Sequence[PartPlan],
    bundle: Bundle,
    settings: Settings,
    folder: Path,
    progress: Progress = SILENT,
    *,
    show: Callable[[str, Image.Image], None] | None = None,
) -> dict[str, float]:
    """Map the cemeteries of some parts, write their GeoPackages and score them against the truth.

    A cemetery of which only a strip is kept for testing, or only a part has been labelled, is
    mapped whole and scored there.

    Args:
        parts: What gives the score.
        bundle: The model.
        settings: Tiles, outlines, device.
        folder: Where the GeoPackages go.
        progress: Is told how far it is.
        show: Is given the name of each cemetery and a picture of it.

    Returns:
        `test/object_f1` and whatever else `Scorecard.metrics` and `ReviewCurve.metrics` name, over
        all parts' graves.
    """
    engine = open_engine(bundle, settings.prediction, progress)
    judgements, asked = [], []
    for plan in parts:
        cemetery = plan.part.cemetery
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        result = predict_cemetery(
            cemetery.orthophoto, dem, bundle, engine, settings, progress=progress
        )
        write_geopackage(result, folder / f"{cemetery.name}.gpkg")
        judgements.append(judge_part(plan, result.polygons, result.column("confidence")))
        asked.append(result.column("needs_review")[plan.owns(result.polygons)])
        if show is not None:
            show(cemetery.name, draw_part(plan, result, judgements[-1].scores[0]))
    whole = join_judgements(judgements)
    review = review_curve(whole, np.concatenate(asked).astype(np.bool_))
    scores = fill_scorecard(whole).metrics() | review.metrics()
    return {f"test/{name}": value for name, value in scores.items()}


def judge_part(
    plan: PartPlan, predicted: NDArray[np.object_], confidence: NDArray[np.object_] | None = None
) -> Judgement:
    """Judge the graves of a part: a drawn grave belongs to it when its centroid does.

    Args:
        plan: The part, with the graves there are.
        predicted: Graves drawn, in the CRS of the part's grid.
        confidence: Of each of them, in [0, 1]; None where it is not known.
    """
    owned = plan.owns(predicted)
    known = None if confidence is None else confidence[owned].astype(np.float64)
    return judge_on_ground(plan.graves, predicted[owned], plan.grid.crs, known)
