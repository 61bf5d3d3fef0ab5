"""Two sets of graves in, which belong together out: overlaps, and the pairs chosen from them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.outlines.polygons import Polygons, iou

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Overlaps:
    """Pairs of a truth and a prediction that share ground.

    Args:
        truth: Index of the truth.
        predicted: Index of the prediction.
        iou: Intersection over union.
        common: Area they share, in the frame's squared units.

    Shapes:
        each: (pairs,)
    """

    truth: Indices
    predicted: Indices
    iou: NDArray[np.float64]
    common: NDArray[np.float64]

    def take(self, keep: NDArray[np.bool_] | Indices) -> "Overlaps":
        """Keep some of the pairs."""
        return Overlaps(self.truth[keep], self.predicted[keep], self.iou[keep], self.common[keep])


def overlaps_of_polygons(truth: Polygons, predicted: Polygons) -> Overlaps:
    """Find all pairs of polygons that share ground.

    Args:
        truth: Graves there are; valid polygons in pixels or a projected CRS.
        predicted: Graves drawn; in the same frame.
    """
    first, second = shapely.STRtree(predicted).query(truth, predicate="intersects")
    ratio = np.minimum(iou(truth[first], predicted[second]), 1.0)  # twins reach 1 + 1e-7
    both = shapely.area(truth[first]) + shapely.area(predicted[second])  # what they share twice
    return Overlaps(first, second, ratio, both * ratio / (1 + ratio)).take(ratio > 0)


def overlaps_of_labels(pairs: NDArray[np.intp]) -> Overlaps:
    """Find all pairs of instances that share pixels; indices count from the first grave.

    Args:
        pairs: Pixels of each pair of ids, from `count_pairs`.
    """
    first, second = np.nonzero(pairs[1:, 1:])
    common = pairs[1:, 1:][first, second].astype(np.float64)
    either = pairs[1:].sum(1)[first] + pairs[:, 1:].sum(0)[second] - common
    return Overlaps(first, second, common / either, common)


def count_pairs(truth: NDArray[np.int32], predicted: NDArray[np.int32]) -> NDArray[np.intp]:
    """Count the pixels of each pair of ids, the background (0) included.

    Shapes:
        truth: (H, W); predicted: (H, W); returns: (truth ids + 1, predicted ids + 1)
    """
    rows, columns = int(truth.max(initial=0)) + 1, int(predicted.max(initial=0)) + 1
    both = truth.ravel().astype(np.int64) * columns + predicted.ravel()
    return np.bincount(both, minlength=rows * columns).reshape(rows, columns)


def match_polygons(
    truth: Polygons, predicted: Polygons, min_iou: float = 0.5
) -> tuple[Indices, Indices]:
    """Pair graves one to one by IoU, so that the sum over all pairs is largest.

    Args:
        truth: Graves there are; valid polygons.
        predicted: Graves drawn; in the same frame.
        min_iou: From which overlap a pair counts.

    Returns:
        Indices into truth and into predicted, pair by pair.
    """
    chosen = choose_pairs(overlaps_of_polygons(truth, predicted), min_iou)
    return chosen.truth, chosen.predicted


def match_labels(
    truth: NDArray[np.int32], predicted: NDArray[np.int32], min_iou: float = 0.5
) -> tuple[Indices, Indices]:
    """Pair instances like `match_polygons`.

    Returns:
        Ids in truth and in predicted, pair by pair.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    chosen = choose_pairs(overlaps_of_labels(count_pairs(truth, predicted)), min_iou)
    return chosen.truth + 1, chosen.predicted + 1


def choose_pairs(overlaps: Overlaps, min_iou: float) -> Overlaps:
    """Choose pairs of largest total IoU, solved apart for each group of graves that overlap.

    Source: Kuhn 1955, The Hungarian method for the assignment problem (scipy's
    linear_sum_assignment).

    Args:
        overlaps: All pairs.
        min_iou: From which overlap a pair can be chosen.

    Returns:
        The chosen pairs, in their order; each grave is in one at most.
    """
    good = overlaps.take(overlaps.iou >= min_iou)
    lonely = _single(good.truth) & _single(good.predicted)
    chosen = np.concatenate([np.flatnonzero(lonely), _solve(good, np.flatnonzero(~lonely))])
    return good.take(np.sort(chosen))


def _single(index: Indices) -> NDArray[np.bool_]:
    """Say which entries are the only ones of their value."""
    return np.asarray(np.bincount(index)[index] == 1)


def _solve(pairs: Overlaps, members: Indices) -> Indices:
    """Choose among the pairs whose graves have several partners."""
    if not len(members):
        return members
    first, second = pairs.truth[members], pairs.predicted[members]
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    links = coo_array((pairs.iou[members], (first, second + rows)), shape=(rows + columns,) * 2)
    _, group = connected_components(links, directed=False)
    order = np.argsort(group[first], kind="stable")
    borders = np.flatnonzero(np.diff(group[first][order])) + 1
    groups = np.split(members[order], borders)
    return np.concatenate([_assign(pairs, together) for together in groups])


def _assign(pairs: Overlaps, members: Indices) -> Indices:
    _, rows = np.unique(pairs.truth[members], return_inverse=True)
    _, columns = np.unique(pairs.predicted[members], return_inverse=True)
    gain = np.zeros((rows.max() + 1, columns.max() + 1))
    which = np.full(gain.shape, -1)
    gain[rows, columns] = pairs.iou[members]
    which[rows, columns] = members
    picked = which[linear_sum_assignment(gain, maximize=True)]
    return np.asarray(picked[picked >= 0])
