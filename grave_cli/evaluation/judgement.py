"""True and predicted graves in, a judgement of each of them out.

`scorecard` summarises it. Judgements of several cemeteries are joined first, so that every grave
counts alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.evaluation.matching import (
    Indices,
    Overlaps,
    choose_pairs,
    overlaps_of_polygons,
)
from grave_cli.evaluation.mistakes import Mistakes, find_mistakes
from grave_cli.evaluation.outline_error import Distances, boundary_distances, corner_distances
from grave_cli.evaluation.score import ObjectScore, add_scores, count_matches
from grave_cli.evaluation.verdicts import Verdicts, give_verdicts
from grave_cli.outlines.polygons import Polygons, mended
from grave_cli.rasters.metric_frame import frame_around

IOU_LEVELS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Minimum IoU of a match: 0.5, 0.55 … 0.95, as in COCO (Lin et al. 2014)."""

_TOUCHING_M = 0.1  # gap between two graves; nearer ones can merge on a map
NOWHERE = -1
T = TypeVar("T", Overlaps, Mistakes, Distances)


@dataclass(frozen=True)
class Judgement:
    """Matches, mistakes and distances, grave by grave; areas in m², lengths in m.

    Args:
        truth_area: Area of each true grave.
        predicted_area: Area of each prediction.
        touches: Whether another true grave lies within 10 cm of each true grave.
        nearest: Index of the true grave that each prediction is matched with, or else of the one
            with which it shares most ground; -1 without any.
        confidence: Confidence of each prediction; NaN if unknown.
        pairs: Matches at IoU 0.5.
        scores: Score at each of `IOU_LEVELS`.
        mistakes: Merges and splits.
        boundary: Distances between the outlines of the pairs.
        corners: Distances between the corners of the pairs of rectangles.
    """

    truth_area: NDArray[np.float64]
    predicted_area: NDArray[np.float64]
    touches: NDArray[np.bool_]
    nearest: Indices
    confidence: NDArray[np.float64]
    pairs: Overlaps
    scores: tuple[ObjectScore, ...]
    mistakes: Mistakes
    boundary: Distances
    corners: NDArray[np.float64]

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Whether each true grave is matched at IoU 0.5."""
        found = np.zeros(len(self.truth_area), np.bool_)
        found[self.pairs.truth] = True
        return found

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether each prediction is matched at IoU 0.5."""
        right = np.zeros(len(self.predicted_area), np.bool_)
        right[self.pairs.predicted] = True
        return right

    @property
    def verdicts(self) -> Verdicts:
        """The verdict on each prediction and true grave, and how many there are of each kind."""
        return give_verdicts(self.is_found, self.is_right, self.mistakes)


def judge(
    truth: Polygons, predicted: Polygons, confidence: NDArray[np.float64] | None = None
) -> Judgement:
    """Compare predicted with true graves.

    Args:
        truth: Valid polygons in a frame of metres, such as `MetricFrame`.
        predicted: Valid polygons in the same frame.
        confidence: Confidence of each prediction, in [0, 1]; NaN if unknown, None if all are.
    """
    overlaps = overlaps_of_polygons(truth, predicted)
    chosen = [choose_pairs(overlaps, level) for level in IOU_LEVELS]
    sizes = len(truth), len(predicted)
    areas = shapely.area(truth), shapely.area(predicted)
    partners = truth[chosen[0].truth], predicted[chosen[0].predicted]
    return Judgement(
        truth_area=areas[0],
        predicted_area=areas[1],
        touches=_touching(truth),
        nearest=_nearest(overlaps, chosen[0], len(predicted)),
        confidence=np.full(len(predicted), np.nan) if confidence is None else confidence,
        pairs=chosen[0],
        scores=tuple(count_matches(*sizes, pairs) for pairs in chosen),
        mistakes=find_mistakes(overlaps, *areas),
        boundary=boundary_distances(*partners),
        corners=corner_distances(*partners),
    )


def judge_on_ground(
    truth: Polygons,
    predicted: Polygons,
    crs: str,
    confidence: NDArray[np.float64] | None = None,
) -> Judgement:
    """Compare graves like `judge`, in true metres.

    Args:
        truth: Valid polygons.
        predicted: Valid polygons.
        crs: CRS of both, as WKT or authority code.
        confidence: Confidence of each prediction, as for `judge`.
    """
    frame = frame_around(np.concatenate([truth, predicted]), crs)
    true, drawn = (mended(frame.bring(graves, crs)) for graves in (truth, predicted))
    return judge(true, drawn, confidence)


def join_judgements(parts: Sequence[Judgement]) -> Judgement:
    """Combine the judgements of several places into one.

    Args:
        parts: One or more judgements.
    """
    truths = np.cumsum([0, *(len(part.truth_area) for part in parts)])
    predictions = np.cumsum([0, *(len(part.predicted_area) for part in parts)])
    nearest = [
        np.where(part.nearest == NOWHERE, NOWHERE, part.nearest + first)
        for part, first in zip(parts, truths, strict=False)
    ]
    pairs = [
        Overlaps(p.pairs.truth + t, p.pairs.predicted + n, p.pairs.iou, p.pairs.common)
        for p, t, n in zip(parts, truths, predictions, strict=False)
    ]
    return Judgement(
        truth_area=np.concatenate([part.truth_area for part in parts]),
        predicted_area=np.concatenate([part.predicted_area for part in parts]),
        touches=np.concatenate([part.touches for part in parts]),
        nearest=np.concatenate(nearest),
        confidence=np.concatenate([part.confidence for part in parts]),
        pairs=_joined(Overlaps, pairs),
        scores=tuple(add_scores(level) for level in zip(*(p.scores for p in parts), strict=True)),
        mistakes=_joined(Mistakes, [part.mistakes for part in parts]),
        boundary=_joined(Distances, [part.boundary for part in parts]),
        corners=np.concatenate([part.corners for part in parts]),
    )


def _joined(kind: type[T], parts: Sequence[T]) -> T:
    """Concatenate values whose fields are arrays."""
    names = [field.name for field in fields(kind)]
    return kind(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _touching(graves: Polygons) -> NDArray[np.bool_]:
    first, second = shapely.STRtree(graves).query(graves, "dwithin", _TOUCHING_M)
    touches = np.zeros(len(graves), np.bool_)
    touches[first[first != second]] = True
    return touches


def _nearest(overlaps: Overlaps, matched: Overlaps, predictions: int) -> Indices:
    nearest = np.full(predictions, NOWHERE)
    order = np.argsort(overlaps.common, kind="stable")  # the largest is written last
    nearest[overlaps.predicted[order]] = overlaps.truth[order]
    nearest[matched.predicted] = matched.truth
    return nearest
