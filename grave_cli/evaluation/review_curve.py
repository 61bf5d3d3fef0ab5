"""Which graves to look at again: how many wrong ones are found by how much looking."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.breakdown import share
from grave_cli.evaluation.judgement import Judgement

_SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class ReviewCurve:
    """What reviewing some of the predictions would find.

    A prediction is wrong when it is not matched at IoU 0.5, or merges graves, or is a piece of one.
    Graves that were not drawn at all cannot be found this way.

    Args:
        wrong: Predictions that are wrong.
        reviewed: Shares of all predictions that are looked at, in the order of the review.
        caught: Share of the wrong ones among those looked at; None when none is wrong.
        flagged: Share of all predictions that the map itself asks to review.
        flagged_caught: Share of the wrong ones among those; None when none is wrong.
    """

    wrong: int
    reviewed: tuple[float, ...]
    caught: tuple[float | None, ...]
    flagged: float
    flagged_caught: float | None

    def metrics(self) -> dict[str, float]:
        """Return `review_share` and `review_yield`: how many are flagged, and what that finds."""
        found = {"review_share": self.flagged, "review_yield": self.flagged_caught}
        return {name: value for name, value in found.items() if value is not None}


def review_curve(judgement: Judgement, needs_review: NDArray[np.bool_]) -> ReviewCurve:
    """Follow a review: flagged graves first, then the others, the least confident ones first.

    Args:
        judgement: What is right.
        needs_review: Of each prediction: whether the map asks to review it.
    """
    wrong = is_wrong(judgement)
    confidence = np.nan_to_num(judgement.confidence, nan=0.0)
    order = np.lexsort((confidence, ~needs_review))
    caught = np.concatenate([[0], np.cumsum(wrong[order])])
    total = int(wrong.sum())
    looked_at = [round(part * len(wrong)) for part in _SHARES]
    return ReviewCurve(
        wrong=total,
        reviewed=_SHARES,
        caught=tuple(share(caught[count], total) for count in looked_at),
        flagged=share(int(needs_review.sum()), len(wrong)) or 0.0,
        flagged_caught=share(int((wrong & needs_review).sum()), total),
    )


def is_wrong(judgement: Judgement) -> NDArray[np.bool_]:
    """Say of each prediction whether it is wrong: not matched, a merge, or a piece."""
    mistakes = judgement.mistakes
    return np.asarray(~judgement.is_right | mistakes.is_merge | mistakes.is_piece)
