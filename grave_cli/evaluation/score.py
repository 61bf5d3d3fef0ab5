"""Matches in, counts and rates of graves found out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.matching import (
    Overlaps,
    choose_pairs,
    count_pixels,
    overlaps_of_labels,
)


@dataclass(frozen=True)
class ObjectScore:
    """Counts of true, predicted and matched graves at one minimum IoU.

    Args:
        truths: Number of true graves.
        predictions: Number of predictions.
        matches: Number of pairs of both that overlap enough.
        mean_iou: Mean IoU of the pairs; 0 without pairs.
    """

    truths: int
    predictions: int
    matches: int
    mean_iou: float

    @property
    def precision(self) -> float:
        """Share of the predictions that are matched; 0 without predictions."""
        return self.matches / self.predictions if self.predictions else 0.0

    @property
    def recall(self) -> float:
        """Share of the true graves that are matched; 0 without true graves."""
        return self.matches / self.truths if self.truths else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 matches / (truths + predictions)."""
        both = self.truths + self.predictions
        return 2 * self.matches / both if both else 0.0

    @property
    def panoptic_quality(self) -> float:
        """Sum of the IoU of all pairs / (matches + half of the missed + half of the false graves).

        This is F1 (recognition quality) x mean IoU (segmentation quality) of the class grave.

        Source: Kirillov et al. 2019, Panoptic Segmentation. Departure: there a match has an IoU
        above 0.5; here exactly 0.5 counts as well.
        """
        return self.f1 * self.mean_iou

    def as_dict(self) -> dict[str, float]:
        """Return counts and rates by name."""
        rates = {name: getattr(self, name) for name in _RATES}
        return {**asdict(self), **rates}


_RATES = ("precision", "recall", "f1", "panoptic_quality")


def count_matches(truths: int, predictions: int, pairs: Overlaps) -> ObjectScore:
    """Score chosen pairs.

    Args:
        truths: Number of true graves.
        predictions: Number of predictions.
        pairs: Chosen pairs of both.
    """
    mean = float(pairs.iou.mean()) if len(pairs.iou) else 0.0
    return ObjectScore(truths, predictions, len(pairs.iou), mean)


def score_labels(
    truth: NDArray[np.int32],
    predicted: NDArray[np.int32],
    counted: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    min_iou: float = 0.5,
) -> ObjectScore:
    """Match and count graves on instance rasters.

    Args:
        truth: Ids of the true graves, from 1.
        predicted: Ids of the predicted graves, from 1.
        counted: Which ids of truth and of predicted count (entry 0 is the background); None counts
            all. A pair counts if its true grave does, an unmatched prediction if it does itself.
        min_iou: Minimum IoU of a match.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    present = count_pixels(truth) > 0, count_pixels(predicted) > 0
    counted_truth = present[0] if counted is None else present[0] & counted[0][1:]
    counted_predicted = present[1] if counted is None else present[1] & counted[1][1:]
    pairs = choose_pairs(overlaps_of_labels(truth, predicted), min_iou)
    unmatched = np.setdiff1d(np.flatnonzero(counted_predicted), pairs.predicted)
    pairs = pairs.take(counted_truth[pairs.truth])
    predictions = len(pairs.iou) + len(unmatched)
    return count_matches(int(counted_truth.sum()), predictions, pairs)


def add_scores(scores: Iterable[ObjectScore]) -> ObjectScore:
    """Add up scores of several places."""
    scores = list(scores)
    matches = sum(score.matches for score in scores)
    weighted = sum(score.mean_iou * score.matches for score in scores)
    return ObjectScore(
        truths=sum(score.truths for score in scores),
        predictions=sum(score.predictions for score in scores),
        matches=matches,
        mean_iou=weighted / matches if matches else 0.0,
    )
