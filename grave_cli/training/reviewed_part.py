"""Candidates and the order of the review of a part against its ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grave_cli.dataset.plans import PartPlan
from grave_cli.evaluation.judgement import Judgement, judge_on_ground
from grave_cli.evaluation.review_looks import FIRST, Looks, caught_together, look_through
from grave_cli.mapping.result import PredictionResult


@dataclass(frozen=True)
class ReviewedPart:
    """A part as a review sees it.

    Args:
        truths: Number of true graves.
        found: Number of them that a grave or a candidate matches (IoU 0.5).
        missed: Number of them to which neither points: not matched, merged or split.
        candidates: Number of candidates.
        right: Number of candidates that match a grave which no drawn one matches.
        looks: The look that shows each error.
    """

    truths: int
    found: int
    missed: int
    candidates: int
    right: int
    looks: Looks


def review_part(plan: PartPlan, result: PredictionResult, judged: Judgement) -> ReviewedPart:
    """Judge the candidates and the ranks of a part; an outline belongs to it by its centroid.

    Args:
        plan: The part and its ground truth.
        result: The map of its cemetery.
        judged: The graves of the part against the truth.
    """
    mine, owned = plan.owns(result.polygons), plan.owns(result.candidates.polygons)
    graves, candidates = result.polygons[mine], result.candidates.polygons[owned]
    ranks = result.column("review_rank")[mine].astype(np.intp)
    candidate_ranks = np.array(
        [row["review_rank"] for row in result.candidates.attributes], np.intp
    )[owned]
    both = judge_on_ground(plan.graves, np.concatenate([graves, candidates]), plan.grid.crs)
    alone = judge_on_ground(plan.graves[~judged.is_found], candidates, plan.grid.crs)
    return ReviewedPart(
        truths=len(plan.graves),
        found=int((judged.is_found | both.is_found).sum()),
        missed=int((both.verdicts.missed & judged.verdicts.missed).sum()),
        candidates=len(candidates),
        right=int(alone.is_right.sum()),
        looks=look_through(judged, plan.graves, graves, ranks, candidates, candidate_ranks),
    )


def review_metrics(parts: Sequence[ReviewedPart]) -> dict[str, float]:
    """Return the scores of the reviews of all parts.

    Args:
        parts: One or more parts.

    Returns:
        `candidates_recall`: share of the true graves that a grave or a candidate matches;
        `candidates_precision`: share of the candidates that are graves; `review_first_15`: share of
        all errors that a look at the first 15 % shows. Without a candidate, or an error, none.
    """
    truths = sum(part.truths for part in parts)
    candidates = sum(part.candidates for part in parts)
    found = {"candidates_recall": sum(part.found for part in parts) / truths} if truths else {}
    if candidates:
        found["candidates_precision"] = sum(part.right for part in parts) / candidates
    caught = caught_together([part.looks for part in parts], FIRST)
    return found if caught is None else found | {"review_first_15": caught}
