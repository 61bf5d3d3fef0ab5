"""Two sets of graves in, how well they match out."""

from dataclasses import asdict, dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.graves.outlines import iou

Polygons = NDArray[np.object_]


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

    def as_dict(self) -> dict[str, float]:
        """Return counts and rates by name."""
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**asdict(self), **rates}


def score_polygons(truth: Polygons, predicted: Polygons, min_iou: float = 0.5) -> ObjectScore:
    """Match graves one to one by IoU, so that the sum over all pairs is largest, and count.

    Args:
        truth: Graves there are; valid polygons.
        predicted: Graves drawn; valid polygons in the same CRS.
        min_iou: From which overlap a pair counts.
    """
    *_, overlaps = _match_polygons(truth, predicted, min_iou)
    mean = float(overlaps.mean()) if len(overlaps) else 0.0
    return ObjectScore(len(truth), len(predicted), len(overlaps), mean)


def match_polygons(
    truth: Polygons, predicted: Polygons, min_iou: float = 0.5
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair graves like `score_polygons`.

    Returns:
        Indices into truth and into predicted, pair by pair.
    """
    found, hits, _ = _match_polygons(truth, predicted, min_iou)
    return found, hits


def _match_polygons(
    truth: Polygons, predicted: Polygons, min_iou: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    first, second = shapely.STRtree(predicted).query(truth, predicate="intersects")
    return _match(first, second, iou(truth[first], predicted[second]), min_iou)


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
    pairs = _count_pairs(truth, predicted)
    first, second, overlaps = _overlaps(pairs)
    present = pairs[1:].sum(1) > 0, pairs[:, 1:].sum(0) > 0
    counted_truth = present[0] if counted is None else present[0] & counted[0][1:]
    counted_predicted = present[1] if counted is None else present[1] & counted[1][1:]
    matched, partner, values = _match(first, second, overlaps, min_iou)
    of_counted = counted_truth[matched]
    unmatched = np.setdiff1d(np.flatnonzero(counted_predicted), partner)
    matches = int(of_counted.sum())
    return ObjectScore(
        truths=int(counted_truth.sum()),
        predictions=matches + len(unmatched),
        matches=matches,
        mean_iou=float(values[of_counted].mean()) if matches else 0.0,
    )


def match_labels(
    truth: NDArray[np.int32], predicted: NDArray[np.int32], min_iou: float = 0.5
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair graves like `score_labels`.

    Returns:
        Ids in truth and in predicted, pair by pair.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    first, second, overlaps = _overlaps(_count_pairs(truth, predicted))
    found, hits, _ = _match(first, second, overlaps, min_iou)
    return found + 1, hits + 1


def add_scores(scores: list[ObjectScore]) -> ObjectScore:
    """Count several scores as one."""
    matches = sum(score.matches for score in scores)
    weighted = sum(score.mean_iou * score.matches for score in scores)
    return ObjectScore(
        truths=sum(score.truths for score in scores),
        predictions=sum(score.predictions for score in scores),
        matches=matches,
        mean_iou=weighted / matches if matches else 0.0,
    )


def _count_pairs(truth: NDArray[np.int32], predicted: NDArray[np.int32]) -> NDArray[np.intp]:
    """Count the pixels of each pair of ids, the background (0) included."""
    rows, columns = int(truth.max(initial=0)) + 1, int(predicted.max(initial=0)) + 1
    both = truth.ravel().astype(np.int64) * columns + predicted.ravel()
    return np.bincount(both, minlength=rows * columns).reshape(rows, columns)


def _overlaps(
    pairs: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Compute the IoU of each pair that overlaps; indices count from the first grave."""
    first, second = np.nonzero(pairs[1:, 1:])
    common = pairs[1:, 1:][first, second]
    either = pairs[1:].sum(1)[first] + pairs[:, 1:].sum(0)[second] - common
    return first, second, common / either


def _match(
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    overlaps: NDArray[np.float64],
    min_iou: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Choose pairs of largest total overlap, solved apart for each group of graves that overlap."""
    good = overlaps >= min_iou
    first, second, overlaps = first[good], second[good], overlaps[good]
    if not len(first):
        return first, second, overlaps
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    links = coo_array((overlaps, (first, second + rows)), shape=(rows + columns,) * 2)
    _, group = connected_components(links, directed=False)
    chosen: list[int] = []
    order = np.argsort(group[first], kind="stable")
    borders = np.flatnonzero(np.diff(group[first][order])) + 1
    for members in np.split(order, borders):
        chosen += _assign(first, second, overlaps, members)
    index = np.array(sorted(chosen), dtype=np.intp)
    return first[index], second[index], overlaps[index]


def _assign(
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    overlaps: NDArray[np.float64],
    members: NDArray[np.intp],
) -> list[int]:
    if len(members) == 1:
        return [int(members[0])]
    _, rows = np.unique(first[members], return_inverse=True)
    _, columns = np.unique(second[members], return_inverse=True)
    gain = np.zeros((rows.max() + 1, columns.max() + 1))
    which = np.full(gain.shape, -1)
    gain[rows, columns] = overlaps[members]
    which[rows, columns] = members
    picked = which[linear_sum_assignment(gain, maximize=True)]
    return [int(index) for index in picked if index >= 0]
