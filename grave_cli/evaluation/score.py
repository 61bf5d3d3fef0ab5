"""Two sets of graves in, how many of them match out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.matching import (
    Overlaps,
    choose_pairs,
    count_pairs,
    overlaps_of_labels,
    overlaps_of_polygons,
)
from grave_cli.outlines.polygons import Polygons


@dataclass(frozen=True)
class ObjectScore:
    """How many graves were found, at one IoU.

    Args:
        truths: Graves there are.
        predictions: Graves drawn.
        matches: Pairs of one of each that overlap enough.
        mean_iou: Mean overlap of the pairs; 0 without pairs.
    """

    truths: int
    predictions: int
    matches: int
    mean_iou: float

    @property
    def precision(self) -> float:
        """Share of the drawn graves that are graves; 0 when none was drawn."""
        return self.matches / self.predictions if self.predictions else 0.0

    @property
    def recall(self) -> float:
        """Share of the graves that were found; 0 when there are none."""
        return self.matches / self.truths if self.truths else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 matches / (truths + predictions)."""
        both = self.truths + self.predictions
        return 2 * self.matches / both if both else 0.0

    @property
    def panoptic_quality(self) -> float:
        """Sum of the pairs' IoU / (matches + half of the missed + half of the false).

        That is F1 (recognition quality) x mean IoU (segmentation quality), of the one class grave.

        Source: Kirillov et al. 2019, Panoptic Segmentation. There a pair overlaps by more than 0.5;
        here one of exactly 0.5 counts, too.
        """
        return self.f1 * self.mean_iou

    def as_dict(self) -> dict[str, float]:
        """Return counts and rates by name."""
        rates = {name: getattr(self, name) for name in _RATES}
        return {**asdict(self), **rates}


_RATES = ("precision", "recall", "f1", "panoptic_quality")


def score_polygons(truth: Polygons, predicted: Polygons, min_iou: float = 0.5) -> ObjectScore:
    """Match graves one to one by IoU, so that the sum over all pairs is largest, and count.

    Args:
        truth: Graves there are; valid polygons.
        predicted: Graves drawn; valid polygons in the same CRS.
        min_iou: From which overlap a pair counts.
    """
    pairs = choose_pairs(overlaps_of_polygons(truth, predicted), min_iou)
    return count_matches(len(truth), len(predicted), pairs)


def count_matches(truths: int, predictions: int, pairs: Overlaps) -> ObjectScore:
    """Score chosen pairs.

    Args:
        truths: Graves there are.
        predictions: Graves drawn.
        pairs: Those of them that belong together.
    """
    mean = float(pairs.iou.mean()) if len(pairs.iou) else 0.0
    return ObjectScore(truths, predictions, len(pairs.iou), mean)


def score_labels(
    truth: NDArray[np.int32],
    predicted: NDArray[np.int32],
    counted: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    min_iou: float = 0.5,
) -> ObjectScore:
    """Match graves like `score_polygons`, on instance rasters.

    Args:
        truth: Ids from 1 of the graves there are.
        predicted: Ids from 1 of the graves drawn.
        counted: Which ids of truth and of predicted count (entry 0 is for the background); None for
            all. A pair counts by its truth, a prediction without a truth by itself.
        min_iou: From which overlap a pair counts.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    pixels = count_pairs(truth, predicted)
    present = pixels[1:].sum(1) > 0, pixels[:, 1:].sum(0) > 0
    counted_truth = present[0] if counted is None else present[0] & counted[0][1:]
    counted_predicted = present[1] if counted is None else present[1] & counted[1][1:]
    pairs = choose_pairs(overlaps_of_labels(pixels), min_iou)
    unmatched = np.setdiff1d(np.flatnonzero(counted_predicted), pairs.predicted)
    pairs = pairs.take(counted_truth[pairs.truth])
    predictions = len(pairs.iou) + len(unmatched)
    return count_matches(int(counted_truth.sum()), predictions, pairs)


def add_scores(scores: Iterable[ObjectScore]) -> ObjectScore:
    """Count several scores as one."""
    scores = list(scores)
    matches = sum(score.matches for score in scores)
    weighted = sum(score.mean_iou * score.matches for score in scores)
    return ObjectScore(
        truths=sum(score.truths for score in scores),
        predictions=sum(score.predictions for score in scores),
        matches=matches,
        mean_iou=weighted / matches if matches else 0.0,
    )
