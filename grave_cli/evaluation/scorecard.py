"""A judgement in, the numbers that an office, a paper and a training log want out."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.breakdown import (
    ConfidenceGroup,
    Group,
    by_confidence,
    by_neighbours,
    by_size,
    calibration_error,
)
from grave_cli.evaluation.judgement import IOU_LEVELS, Judgement
from grave_cli.evaluation.score import ObjectScore

_CM = 100


@dataclass(frozen=True)
class Scorecard:
    """How good a map is. What cannot be said, such as the area error without a match, is None.

    Areas, outlines and corners are those of the pairs at IoU 0.5. Definitions and sources stand
    where the numbers are made: `ObjectScore`, `Mistakes`, `boundary_distances`,
    `corner_distances`, `Group`, `calibration_error`.

    Args:
        truths: Graves there are.
        predictions: Graves drawn.
        count_error: Graves drawn less graves there are.
        at_50: Matches at IoU 0.5.
        at_75: Matches at IoU 0.75.
        mean_precision: Mean over the IoU levels 0.5, 0.55 … 0.95.
        mean_recall: Likewise.
        mean_f1: Likewise.
        merges: Predictions that cover two or more truths.
        merged_truths: Truths covered by those.
        splits: Truths that cover two or more predictions.
        split_pieces: Predictions covered by those.
        area_bias_m2: Mean of the area drawn less the true area.
        area_error_m2: Mean of its absolute value.
        area_bias_share: Bias as a share of the mean true area.
        area_error_share: Mean of the absolute error as a share of each true area.
        boundary_mean_cm: Mean distance between the outlines.
        boundary_p95_cm: Distance within which 95 % of the outlines lie.
        corner_rmse_cm: Root of the mean squared distance between corners, over the rectangles.
        rectangles: Pairs in which both are rectangles.
        by_size: Scores by true area.
        by_neighbours: Scores of touching and of lonely graves.
        by_confidence: Ten groups of predictions.
        calibration_error: How far confidence is from precision, in [0, 1].
    """

    truths: int
    predictions: int
    count_error: int
    at_50: ObjectScore
    at_75: ObjectScore
    mean_precision: float
    mean_recall: float
    mean_f1: float
    merges: int
    merged_truths: int
    splits: int
    split_pieces: int
    area_bias_m2: float | None
    area_error_m2: float | None
    area_bias_share: float | None
    area_error_share: float | None
    boundary_mean_cm: float | None
    boundary_p95_cm: float | None
    corner_rmse_cm: float | None
    rectangles: int
    by_size: tuple[Group, ...]
    by_neighbours: tuple[Group, ...]
    by_confidence: tuple[ConfidenceGroup, ...]
    calibration_error: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name, for JSON."""
        scores = {"at_50": self.at_50.as_dict(), "at_75": self.at_75.as_dict()}
        return {**asdict(self), **scores}

    def metrics(self) -> dict[str, float]:
        """Return the numbers worth comparing between trainings, those that can be said."""
        named = {
            "object_f1": self.at_50.f1,
            "object_precision": self.at_50.precision,
            "object_recall": self.at_50.recall,
            "object_f1_75": self.at_75.f1,
            "object_f1_mean": self.mean_f1,
            "mean_iou": self.at_50.mean_iou,
            "panoptic_quality": self.at_50.panoptic_quality,
            "merges": self.merges,
            "splits": self.splits,
            "count_error": self.count_error,
            "area_bias_m2": self.area_bias_m2,
            "area_error_m2": self.area_error_m2,
            "boundary_cm": self.boundary_mean_cm,
            "boundary_p95_cm": self.boundary_p95_cm,
            "corner_cm": self.corner_rmse_cm,
            "calibration_error": self.calibration_error,
        }
        return {name: float(value) for name, value in named.items() if value is not None}


def fill_scorecard(judgement: Judgement) -> Scorecard:
    """Sum up a judgement."""
    scores, mistakes = judgement.scores, judgement.mistakes
    groups = by_confidence(judgement)
    truths, predictions = len(judgement.truth_area), len(judgement.predicted_area)
    return Scorecard(
        truths=truths,
        predictions=predictions,
        count_error=predictions - truths,
        at_50=scores[IOU_LEVELS.index(0.5)],
        at_75=scores[IOU_LEVELS.index(0.75)],
        mean_precision=float(np.mean([score.precision for score in scores])),
        mean_recall=float(np.mean([score.recall for score in scores])),
        mean_f1=float(np.mean([score.f1 for score in scores])),
        merges=int(mistakes.is_merge.sum()),
        merged_truths=int(mistakes.is_merged.sum()),
        splits=int(mistakes.is_split.sum()),
        split_pieces=int(mistakes.is_piece.sum()),
        **_area_errors(judgement),
        boundary_mean_cm=_known(judgement.boundary.mean() * _CM),
        boundary_p95_cm=_known(judgement.boundary.quantile(0.95) * _CM),
        corner_rmse_cm=_root_mean_square_cm(judgement.corners),
        rectangles=len(judgement.corners),
        by_size=by_size(judgement),
        by_neighbours=by_neighbours(judgement),
        by_confidence=groups,
        calibration_error=calibration_error(groups),
    )


def _area_errors(judgement: Judgement) -> dict[str, float | None]:
    true = judgement.truth_area[judgement.pairs.truth]
    errors = judgement.predicted_area[judgement.pairs.predicted] - true
    if not len(errors):
        return dict.fromkeys(_AREA_ERRORS)
    values = (
        errors.mean(),
        np.abs(errors).mean(),
        errors.mean() / true.mean(),
        (np.abs(errors) / true).mean(),
    )
    return dict(zip(_AREA_ERRORS, map(float, values), strict=True))


_AREA_ERRORS = ("area_bias_m2", "area_error_m2", "area_bias_share", "area_error_share")


def _root_mean_square_cm(distances: NDArray[np.float64]) -> float | None:
    return float(np.sqrt((distances**2).mean())) * _CM if len(distances) else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
