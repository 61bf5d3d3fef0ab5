"""The last score of a training: whole cemeteries, mapped with the code for the next one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grave_cli.bundle import Bundle
from grave_cli.evaluation.calibration import JudgedGraves, judge
from grave_cli.evaluation.final_picture import draw_part
from grave_cli.graves.judgement import Judgement, join_judgements, judge_on_ground
from grave_cli.graves.scorecard import fill_scorecard
from grave_cli.inputs.cemetery_arrays import PartPlan
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings


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
        `test/object_f1` and whatever else `Scorecard.metrics` names, over all parts' graves, and
        what a review is worth: `test/review_share` of the graves drawn carry a flag, among them
        `test/review_yield` of the wrong ones.
    """
    engine = open_engine(bundle, settings.prediction, progress)
    judgements, judged = [], []
    for plan in parts:
        cemetery = plan.part.cemetery
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        result = predict_cemetery(
            cemetery.orthophoto, dem, bundle, engine, settings, progress=progress
        )
        write_geopackage(result, folder / f"{cemetery.name}.gpkg")
        judgements.append(judge_part(plan, result.polygons))
        judged.append(judge(plan, result))
        if show is not None:
            show(cemetery.name, draw_part(plan, result, judgements[-1].scores[0]))
    scorecard = fill_scorecard(join_judgements(judgements))
    graves = JudgedGraves.join(judged)
    review = {"review_share": graves.review_share, "review_yield": graves.review_yield}
    return {f"test/{name}": value for name, value in (scorecard.metrics() | review).items()}


def judge_part(plan: PartPlan, predicted: NDArray[np.object_]) -> Judgement:
    """Judge the graves of a part: a drawn grave belongs to it when its centroid does.

    Args:
        plan: The part, with the graves there are.
        predicted: Graves drawn, in the CRS of the part's grid.
    """
    return judge_on_ground(plan.graves, predicted[plan.owns(predicted)], plan.grid.crs)
