"""A judgement in, scores by kind of grave and by confidence out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.judgement import NOWHERE, Judgement
from grave_cli.evaluation.matching import Indices
from grave_cli.wording import counted

_SIZES_M2 = (1.0, 3.0)
_SIZE_NAMES = ("below 1 m² (urn, child)", "1 to 3 m² (single)", "3 m² and more (double)")
_NEIGHBOUR_NAMES = ("isolated", "touching (neighbour within 10 cm)")
_GROUPS = 10
_MOST_VALUES = 30  # of a column; rarer values are pooled


@dataclass(frozen=True)
class Group:
    """The score of one kind of grave, at IoU 0.5.

    A prediction belongs to the kind of the true grave that it is matched with, or else of the one
    with which it shares most ground. A prediction on no true grave belongs to no kind.

    Args:
        name: The kind.
        truths: True graves of this kind.
        found: True graves that are matched.
        predictions: Predictions that belong to this kind.
        recall: Share of the true graves that are matched; None without any.
        precision: Share of the predictions that are matched; None without any.
    """

    name: str
    truths: int
    found: int
    predictions: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class ConfidenceGroup:
    """Predictions of similar confidence.

    Args:
        lowest: Lowest confidence.
        highest: Highest confidence.
        mean: Mean confidence.
        predictions: Number of predictions.
        right: Number of predictions matched at IoU 0.5.
        precision: Share of the predictions that are matched.
    """

    lowest: float
    highest: float
    mean: float
    predictions: int
    right: int
    precision: float


def by_size(judgement: Judgement) -> tuple[Group, ...]:
    """Score graves by their true area."""
    return group_by(judgement, np.digitize(judgement.truth_area, _SIZES_M2), _SIZE_NAMES)


def by_neighbours(judgement: Judgement) -> tuple[Group, ...]:
    """Score graves with and without a neighbour within 10 cm."""
    return group_by(judgement, judgement.touches.astype(np.intp), _NEIGHBOUR_NAMES)


def by_values(judgement: Judgement, values: NDArray[np.object_]) -> tuple[Group, ...]:
    """Score graves by the values of a column, the most frequent value first.

    Args:
        judgement: The judgement to break down.
        values: Value of each true grave; None counts as a value.
    """
    texts = np.array(["(empty)" if value is None else str(value) for value in values])
    names, kind, counts = np.unique(texts, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.minimum(np.argsort(order)[kind], _MOST_VALUES)
    shown = [str(name) for name in names[order[:_MOST_VALUES]]]
    return group_by(
        judgement, rank, [*shown, f"({counted(len(names) - len(shown), 'rarer value')})"]
    )


def group_by(judgement: Judgement, kind: Indices, names: Sequence[str]) -> tuple[Group, ...]:
    """Score graves by kind.

    Args:
        judgement: The judgement to break down.
        kind: Kind of each true grave, as an index into the names.
        names: Names of the kinds; kinds without a true grave are left out.
    """
    drawn_on = kind[judgement.nearest[judgement.nearest != NOWHERE]]
    truths = np.bincount(kind, minlength=len(names))
    found = np.bincount(kind[judgement.pairs.truth], minlength=len(names))
    predictions = np.bincount(drawn_on, minlength=len(names))
    return tuple(
        Group(
            name,
            int(truths[index]),
            int(found[index]),
            int(predictions[index]),
            share(found[index], truths[index]),
            share(found[index], predictions[index]),
        )
        for index, name in enumerate(names)
        if truths[index]
    )


def by_confidence(judgement: Judgement) -> tuple[ConfidenceGroup, ...]:
    """Sort predictions by confidence into ten groups of about equal size.

    Ties stay together, so there may be fewer groups. Predictions of unknown confidence are left
    out.
    """
    known = np.isfinite(judgement.confidence)
    confidence, right = judgement.confidence[known], judgement.is_right[known]
    if not len(confidence):
        return ()
    borders = np.unique(np.quantile(confidence, np.arange(1, _GROUPS) / _GROUPS, method="higher"))
    group = np.searchsorted(borders, confidence, side="right")
    return tuple(
        _confidence_group(confidence[group == index], right[group == index])
        for index in np.unique(group)
    )


def calibration_error(groups: Sequence[ConfidenceGroup]) -> float | None:
    """Compute the expected calibration error: mean |precision - confidence|, weighted by size.

    Worked example: 20 predictions of confidence 0.9, all correct, and 20 of 0.5, 5 of them correct:
    (20 * |1 - 0.9| + 20 * |0.25 - 0.5|) / 40 = 0.175.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks; with groups of equal size as
    in Nguyen and O'Connor 2015, because confidences crowd near 1.

    Args:
        groups: From `by_confidence`.

    Returns:
        The error in [0, 1]; None without groups.
    """
    total = sum(group.predictions for group in groups)
    gaps = sum(group.predictions * abs(group.precision - group.mean) for group in groups)
    return gaps / total if total else None


def share(part: float, whole: float) -> float | None:
    """Divide; None if the whole is zero."""
    return float(part / whole) if whole else None


def _confidence_group(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> ConfidenceGroup:
    return ConfidenceGroup(
        lowest=float(confidence.min()),
        highest=float(confidence.max()),
        mean=float(confidence.mean()),
        predictions=len(right),
        right=int(right.sum()),
        precision=float(right.mean()),
    )
