"""Predicted graves of a part against its ground truth."""

import numpy as np
from numpy.typing import NDArray

from grave_cli.dataset.plans import PartPlan
from grave_cli.evaluation.judgement import Judgement, judge_on_ground
from grave_cli.outlines.polygons import Polygons


def judge_part(
    plan: PartPlan, predicted: Polygons, confidence: NDArray[np.object_] | None = None
) -> Judgement:
    """Match predictions with the ground truth of a part; a grave belongs to it by its centroid.

    Args:
        plan: The part and its ground truth.
        predicted: Predicted graves, in the CRS of the part's grid.
        confidence: Confidence of each, in [0, 1]; None if unknown.
    """
    owned = plan.owns(predicted)
    known = None if confidence is None else confidence[owned].astype(np.float64)
    return judge_on_ground(plan.graves, predicted[owned], plan.grid.crs, known)
