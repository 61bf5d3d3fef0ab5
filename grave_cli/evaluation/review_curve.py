"""A judgement and review flags in, the mistakes found by reviewing part of a map out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.breakdown import share
from grave_cli.evaluation.judgement import Judgement

_SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class ReviewCurve:
    """Share of the mistaken predictions found by reviewing part of all predictions.

    A prediction needs a correction if it is wrong, a merge, or a piece of a split grave
    (`Verdicts`). A review of predictions cannot find graves that were missed entirely.

    Args:
        to_correct: Number of predictions that need a correction.
        reviewed: Shares of all predictions that are reviewed, ascending.
        caught: Share of them found by then; None without any.
        flagged: Share of all predictions that the map flags for review.
        flagged_caught: Share of the predictions to correct that are flagged; None without any.
        by_rank: Whether the review follows the ranks of the map.
    """

    to_correct: int
    reviewed: tuple[float, ...]
    caught: tuple[float | None, ...]
    flagged: float
    flagged_caught: float | None
    by_rank: bool = False

    def metrics(self) -> dict[str, float]:
        """Return `review_share` (share flagged) and `review_yield` (share of mistakes flagged)."""
        found = {"review_share": self.flagged, "review_yield": self.flagged_caught}
        return {name: value for name, value in found.items() if value is not None}


def review_curve(
    judgement: Judgement,
    needs_review: NDArray[np.bool_],
    ranks: NDArray[np.float64] | None = None,
) -> ReviewCurve:
    """Simulate a review by rank, or: flagged predictions first, then the least confident.

    Args:
        judgement: Judgement of the map.
        needs_review: Whether the map flags each prediction for review.
        ranks: Rank of each prediction in the review, 1 first; NaN comes last. None if there are
            none.
    """
    mistaken = judgement.verdicts.needs_correction
    confidence = np.nan_to_num(judgement.confidence, nan=0.0)
    order = np.lexsort((confidence, ~needs_review))
    if ranks is not None:
        order = np.argsort(ranks, kind="stable")
    caught = np.concatenate([[0], np.cumsum(mistaken[order])])
    total = int(mistaken.sum())
    looked_at = [round(part * len(mistaken)) for part in _SHARES]
    return ReviewCurve(
        to_correct=total,
        reviewed=_SHARES,
        caught=tuple(share(caught[count], total) for count in looked_at),
        flagged=share(int(needs_review.sum()), len(mistaken)) or 0.0,
        flagged_caught=share(int((mistaken & needs_review).sum()), total),
        by_rank=ranks is not None,
    )
