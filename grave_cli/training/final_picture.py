"""A mapped cemetery beside its ground truth, as one picture."""

import numpy as np
from PIL import Image

from grave_cli.dataset.plans import PartPlan
from grave_cli.drawing.outlines import verdict_layers
from grave_cli.drawing.overview import CemeteryView, cemetery_sheet
from grave_cli.evaluation.judgement import Judgement
from grave_cli.mapping.result import PredictionResult
from grave_cli.rasters.orthophoto_pixels import read_orthophoto
from grave_cli.wording import counted

_LONGEST_SIDE_PX = 1200


def draw_part(plan: PartPlan, result: PredictionResult, judged: Judgement) -> Image.Image:
    """Draw orthophoto, ground truth, probability, errors and polygons of a cemetery on one sheet.

    Graves outside the part or its labelled area are drawn but not scored.

    Args:
        plan: The part and its ground truth.
        result: The predicted graves, with a coarse probability.
        judged: Judgement of the predictions that belong to the part.
    """
    assert result.coarse_probability is not None  # kept by extract_graves
    grid = result.grid.coarsened(max(1.0, max(result.grid.shape) / _LONGEST_SIDE_PX))
    pixels = read_orthophoto(plan.whole.orthophoto, grid)
    owned = plan.owns(result.polygons)
    score = judged.scores[0]
    title = (
        f"{result.cemetery}: found {score.matches} of {counted(score.truths, 'grave')} "
        f"(object F1 {score.f1:.2f}, mean IoU {score.mean_iou:.2f})"
    )
    view = CemeteryView(
        title=title,
        rgb=pixels.rgb,
        valid=pixels.valid,
        probability=result.coarse_probability,
        transform=grid.transform,
        truth=plan.graves,
        verdicts=verdict_layers(result.polygons[owned], plan.graves, judged.verdicts),
        predicted=result.polygons[owned],
        others=result.polygons[np.logical_not(owned)],
    )
    return cemetery_sheet(view)
