"""Overlaps in, merges (several graves as one) and splits (one as several) out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.matching import Indices, Overlaps

_MOST = 0.5  # share of a grave's area from which it counts as covered


@dataclass(frozen=True)
class Mistakes:
    """Merges and splits.

    A prediction is a *merge* if it covers at least half of each of two or more true graves; those
    graves are merged. A true grave is *split* if it covers at least half of each of two or more
    predictions; those predictions are its pieces.

    Source: under- and over-segmentation in Hoover et al. 1996, An Experimental Comparison of Range
    Image Segmentation Algorithms. Departure: the several need not fill half of the one, because a
    large blob over two small graves is also a merge.

    Args:
        is_merge: Whether each prediction is a merge.
        is_piece: Whether each prediction is a piece of a split grave.
        is_merged: Whether each true grave is covered by a merge.
        is_split: Whether each true grave is split.
    """

    is_merge: NDArray[np.bool_]
    is_piece: NDArray[np.bool_]
    is_merged: NDArray[np.bool_]
    is_split: NDArray[np.bool_]


def find_mistakes(
    overlaps: Overlaps, truth_area: NDArray[np.float64], predicted_area: NDArray[np.float64]
) -> Mistakes:
    """Find the merges and splits.

    Args:
        overlaps: All pairs that share ground.
        truth_area: Area of each true grave, in squared units of the frame.
        predicted_area: Area of each prediction.
    """
    covered = overlaps.common >= _MOST * truth_area[overlaps.truth]
    inside = overlaps.common >= _MOST * predicted_area[overlaps.predicted]
    is_merge, is_merged = _several(
        overlaps.predicted, overlaps.truth, covered, len(predicted_area), len(truth_area)
    )
    is_split, is_piece = _several(
        overlaps.truth, overlaps.predicted, inside, len(truth_area), len(predicted_area)
    )
    return Mistakes(is_merge, is_piece, is_merged, is_split)


def _several(
    one: Indices, others: Indices, held: NDArray[np.bool_], ones: int, all_others: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the ones that hold two or more of the others, and the others that they hold."""
    holds_several = np.bincount(one[held], minlength=ones) >= 2
    is_held = np.zeros(all_others, np.bool_)
    is_held[others[held & holds_several[one]]] = True
    return holds_several, is_held
