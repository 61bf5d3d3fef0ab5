"""True and predicted graves in, matches out: all overlaps, and the pairs chosen from them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.outlines.polygons import Polygons, iou

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Overlaps:
    """Pairs of a true grave and a prediction that share ground.

    Args:
        truth: Index of the true grave.
        predicted: Index of the prediction.
        iou: Intersection over union.
        common: Shared area, in squared units of the frame.

    Shapes:
        each: (pairs,)
    """

    truth: Indices
    predicted: Indices
    iou: NDArray[np.float64]
    common: NDArray[np.float64]

    def take(self, keep: NDArray[np.bool_] | Indices) -> "Overlaps":
        """Select pairs by a mask or by indices."""
        return Overlaps(self.truth[keep], self.predicted[keep], self.iou[keep], self.common[keep])


def overlaps_of_polygons(truth: Polygons, predicted: Polygons) -> Overlaps:
    """Find all pairs of polygons that share ground.

    Args:
        truth: True graves; valid polygons in pixels or a projected CRS.
        predicted: Predicted graves in the same frame.
    """
    first, second = shapely.STRtree(predicted).query(truth, predicate="intersects")
    ratio = np.minimum(iou(truth[first], predicted[second]), 1.0)  # twins reach 1 + 1e-7
    # Areas a and b of IoU r share r (a + b) / (1 + r): 4 and 4 of IoU 1/3 share 2.
    both = shapely.area(truth[first]) + shapely.area(predicted[second])
    return Overlaps(first, second, ratio, both * ratio / (1 + ratio)).take(ratio > 0)


def overlaps_of_labels(truth: NDArray[np.int32], predicted: NDArray[np.int32]) -> Overlaps:
    """Find all pairs of instances that share pixels; index 0 is id 1.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    sizes = count_pixels(truth), count_pixels(predicted)
    shared = (truth > 0) & (predicted > 0)
    # Only pairs that occur: a table of all pairs of 20,000 graves would take 3 GB.
    width = len(sizes[1])
    pairs = (truth[shared].astype(np.int64) - 1) * width + predicted[shared] - 1
    found, counts = np.unique(pairs, return_counts=True)
    first, second = np.divmod(found, max(width, 1))
    common = counts.astype(np.float64)
    return Overlaps(first, second, common / (sizes[0][first] + sizes[1][second] - common), common)


def count_pixels(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Count the pixels of each id; entry 0 is for id 1.

    Shapes:
        labels: (H, W); returns: (largest id,)
    """
    return np.bincount(labels[labels > 0], minlength=1)[1:]  # background is slow to count


def match_polygons(
    truth: Polygons, predicted: Polygons, min_iou: float = 0.5
) -> tuple[Indices, Indices]:
    """Match graves one to one, so that the sum of their IoU is largest.

    Args:
        truth: True graves; valid polygons.
        predicted: Predicted graves in the same frame.
        min_iou: Minimum IoU of a match.

    Returns:
        Indices into truth and into predicted, pair by pair.
    """
    chosen = choose_pairs(overlaps_of_polygons(truth, predicted), min_iou)
    return chosen.truth, chosen.predicted


def match_labels(
    truth: NDArray[np.int32], predicted: NDArray[np.int32], min_iou: float = 0.5
) -> tuple[Indices, Indices]:
    """Match instances like `match_polygons`.

    Returns:
        Ids in truth and in predicted, pair by pair.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    chosen = choose_pairs(overlaps_of_labels(truth, predicted), min_iou)
    return chosen.truth + 1, chosen.predicted + 1


def choose_pairs(overlaps: Overlaps, min_iou: float) -> Overlaps:
    """Choose the pairs with the largest total IoU, group by group of overlapping graves.

    Worked example: truths A and B, predictions a and b, with the IoU A-a 0.90, B-b 0.50, B-a 0.89
    and A-b 0.40. A-a and B-b win by 1.40 to 1.29.

    Source: Kuhn 1955, The Hungarian method for the assignment problem (scipy's
    linear_sum_assignment).

    Args:
        overlaps: All pairs.
        min_iou: Minimum IoU of a match.

    Returns:
        The chosen pairs, in the order of the input; each grave is in at most one.
    """
    good = overlaps.take(overlaps.iou >= min_iou)
    lonely = _single(good.truth) & _single(good.predicted)
    chosen = np.concatenate([np.flatnonzero(lonely), _solve(good, np.flatnonzero(~lonely))])
    return good.take(np.sort(chosen))


def _single(index: Indices) -> NDArray[np.bool_]:
    """Find entries whose value occurs only once."""
    return np.asarray(np.bincount(index)[index] == 1)


def _solve(pairs: Overlaps, members: Indices) -> Indices:
    """Choose among pairs whose graves have several partners."""
    if not len(members):
        return members
    first, second = pairs.truth[members], pairs.predicted[members]
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    # One graph over truths and predictions; each connected part is solved by itself.
    links = coo_array((pairs.iou[members], (first, second + rows)), shape=(rows + columns,) * 2)
    _, group = connected_components(links, directed=False)
    order = np.argsort(group[first], kind="stable")
    borders = np.flatnonzero(np.diff(group[first][order])) + 1
    groups = np.split(members[order], borders)
    return np.concatenate([_assign(pairs, together) for together in groups])


def _assign(pairs: Overlaps, members: Indices) -> Indices:
    from scipy.optimize import linear_sum_assignment  # takes 0.1 s, and maps do without it

    _, rows = np.unique(pairs.truth[members], return_inverse=True)
    _, columns = np.unique(pairs.predicted[members], return_inverse=True)
    gain = np.zeros((rows.max() + 1, columns.max() + 1))
    which = np.full(gain.shape, -1)
    gain[rows, columns] = pairs.iou[members]
    which[rows, columns] = members
    picked = which[linear_sum_assignment(gain, maximize=True)]
    return np.asarray(picked[picked >= 0])
