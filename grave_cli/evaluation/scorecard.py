"""A judgement in, the figures for an office, a paper and a training log out."""

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
from grave_cli.evaluation.verdicts import VerdictCounts

_CM = 100


@dataclass(frozen=True)
class Scorecard:
    """The quality of a map in figures; None where one is undefined.

    Areas, outlines and corners are those of the pairs at IoU 0.5. Definitions and sources are with
    the code that computes them: `ObjectScore`, `Verdicts`, `Mistakes`, `boundary_distances`,
    `corner_distances`, `Group`, `calibration_error`.

    Args:
        truths: Number of true graves.
        predictions: Number of predictions.
        count_error: Predictions minus true graves.
        at_50: Score at IoU 0.5.
        at_75: Score at IoU 0.75.
        mean_precision: Mean precision over the IoU levels 0.5, 0.55 … 0.95.
        mean_recall: Mean recall over these levels.
        mean_f1: Mean F1 over these levels.
        found: True graves that are matched at IoU 0.5.
        found_with_mistake: Those of them whose prediction is also a merge or a piece.
        merges: Predictions that cover two or more true graves.
        merged_truths: True graves covered by merges.
        splits: True graves that cover two or more predictions.
        split_pieces: Predictions that are pieces of split graves.
        wrong: Predictions that are neither matched nor merges nor pieces.
        missed: True graves that are neither matched nor merged nor split.
        area_bias_m2: Mean of predicted minus true area.
        area_error_m2: Mean of the absolute difference.
        area_bias_share: Bias as a share of the mean true area.
        area_error_share: Mean of the absolute difference as a share of each true area.
        boundary_mean_cm: Mean distance between the outlines.
        boundary_p95_cm: Distance within which 95 % of the outlines lie.
        corner_rmse_cm: Root mean squared distance between the corners of rectangles.
        rectangles: Pairs in which both outlines are rectangles.
        by_size: Scores by true area.
        by_neighbours: Scores of isolated and of touching graves.
        by_confidence: Predictions in ten groups by confidence.
        calibration_error: Mean gap between confidence and precision, in [0, 1].
    """

    truths: int
    predictions: int
    count_error: int
    at_50: ObjectScore
    at_75: ObjectScore
    mean_precision: float
    mean_recall: float
    mean_f1: float
    found: int
    found_with_mistake: int
    merges: int
    merged_truths: int
    splits: int
    split_pieces: int
    wrong: int
    missed: int
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

    @property
    def verdicts(self) -> VerdictCounts:
        """The numbers of found, merged, split, wrong and missed graves."""
        return VerdictCounts.from_dict(vars(self))

    def metrics(self) -> dict[str, float]:
        """Return the figures that are compared between runs, without undefined ones."""
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
    """Summarise a judgement."""
    scores = judgement.scores
    groups = by_confidence(judgement)
    counts, predictions = judgement.verdicts.counts, len(judgement.predicted_area)
    return Scorecard(
        truths=counts.truths,
        predictions=predictions,
        count_error=predictions - counts.truths,
        at_50=scores[IOU_LEVELS.index(0.5)],
        at_75=scores[IOU_LEVELS.index(0.75)],
        mean_precision=float(np.mean([score.precision for score in scores])),
        mean_recall=float(np.mean([score.recall for score in scores])),
        mean_f1=float(np.mean([score.f1 for score in scores])),
        found=counts.found,
        found_with_mistake=counts.found_with_mistake,
        merges=counts.merges,
        merged_truths=counts.merged_truths,
        splits=counts.splits,
        split_pieces=counts.split_pieces,
        wrong=counts.wrong,
        missed=counts.missed,
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
