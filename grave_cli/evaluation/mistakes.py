"""How graves are drawn wrongly: several as one, or one as several."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.matching import Indices, Overlaps

_MOST = 0.5  # of a grave's area: what covers as much of it covers the grave


@dataclass(frozen=True)
class Mistakes:
    """Merges and splits.

    A prediction is a *merge* when it covers at least half of the area of each of two or more
    truths; those truths are merged. A truth is *split* when it covers at least half of the area of
    each of two or more predictions; those predictions are its pieces.

    Source: after under- and over-segmentation in Hoover et al. 1996, An Experimental Comparison of
    Range Image Segmentation Algorithms. Departure: that the several together also fill half of the
    one is not asked for, because a large blob over two small graves is a merge, too.

    Args:
        is_merge: Of each prediction.
        is_piece: Of each prediction.
        is_merged: Of each truth.
        is_split: Of each truth.
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
        truth_area: Of each truth, in the frame's squared units.
        predicted_area: Of each prediction.
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
    """Say which of the ones hold two or more of the others, and which others are so held."""
    holds_several = np.bincount(one[held], minlength=ones) >= 2
    is_held = np.zeros(all_others, np.bool_)
    is_held[others[held & holds_several[one]]] = True
    return holds_several, is_held
